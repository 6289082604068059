"""The comic world: a grammar whose every caption is exactly known, its pictures, and the model trained on them."""
