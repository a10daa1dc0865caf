"""Runs: from data to a trained network in a folder, and back."""
