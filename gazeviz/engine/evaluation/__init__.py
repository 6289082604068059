"""Whether steering works: protocols, conditions, judges."""
