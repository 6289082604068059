"""The comic world: a grammar whose captions are exactly known, its pictures, and the model trained on them."""
