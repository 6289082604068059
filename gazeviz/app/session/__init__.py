"""What the program knows at the moment: the session's state, its settings, and when the screen is drawn."""
