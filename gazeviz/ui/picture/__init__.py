"""The picture, painting on it, its regions and maps."""
