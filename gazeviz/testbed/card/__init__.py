"""Measuring the built-in model for its model card."""
