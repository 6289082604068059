"""The state of the desktop app and what changes it: one session model, undo, and who talks to the worker."""
