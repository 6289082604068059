"""Editing regions, heads and schedules, each act as one step of undo."""
