"""The version, which files that thalweg writes name."""

__version__ = "0.1.0"
