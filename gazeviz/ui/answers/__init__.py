"""The two answers, token by token, and the trajectory beneath them."""
