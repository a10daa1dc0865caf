"""Layers that multiply by weights along any axes."""
