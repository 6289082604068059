"""The attention function of the steered layers: recording rows, biasing heads."""
