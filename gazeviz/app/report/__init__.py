"""Reports of runs and sessions, written in the background."""
