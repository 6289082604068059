"""What was done before: browsing the log, comparing, judging, reopening and replaying runs."""
