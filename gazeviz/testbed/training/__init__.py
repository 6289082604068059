"""Building and training the built-in model."""
