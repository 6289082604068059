"""The commands that measure whether steering works: evaluate, sweep, judge and reproduce."""
