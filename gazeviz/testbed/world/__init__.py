"""The comic world: what a panel can say and how it is drawn."""
