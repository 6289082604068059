"""The comic world: a grammar of known captions, its pictures, and the model trained on them."""
