"""Scoring and ranking all heads of a model."""
