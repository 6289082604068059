"""Asking the model: opening models and pictures, starting runs, discovery and questions about attention."""
