"""Widgets: they read the session and pass gestures on. Never torch, the worker or the log."""
