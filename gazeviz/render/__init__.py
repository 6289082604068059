"""Pictures: overlays on a picture and vector figures, drawn from domain values alone."""
