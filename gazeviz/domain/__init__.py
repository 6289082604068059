"""The nouns of gazeviz: heads, regions, token grids, strips, steering and runs.

Frozen dataclasses and pure functions on numpy arrays.  Nothing here knows a model, a picture format,
a window or a database.  Axis letters everywhere: L layer, H query head, Q query position, K key
position, T decode step, R region, P image token, G group of key positions.
"""
