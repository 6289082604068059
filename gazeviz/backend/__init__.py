"""Who runs the engine: a worker process, a thread for notebooks and tests, or a scripted model for screens.

The app talks to a `Backend` and hears events; torch is imported where the engine runs and nowhere else.
"""
