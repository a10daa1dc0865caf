"""Notebooks: live figures, and how objects show themselves."""
