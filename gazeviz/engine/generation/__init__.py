"""Decoding: prefill, shared prefixes, steered generation, reading along."""
