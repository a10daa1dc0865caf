"""Runs: a training from its data to a folder, and back."""
