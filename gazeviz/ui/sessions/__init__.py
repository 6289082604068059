"""The Sessions page: the table of runs, one run's details, reports."""
