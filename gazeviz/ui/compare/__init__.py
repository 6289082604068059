"""The Compare page: runs, rankings, head sets and sessions side by side."""
