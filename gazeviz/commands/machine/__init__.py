"""Commands about a machine: what works there, which models it has, and the worker that it lends."""
