"""Runs on series: from a table to networks that continue it, in a folder, and back."""
