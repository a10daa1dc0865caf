"""Preparing data, under Keras's module names."""

from thalweg.preprocessing import sequence

__all__ = ["sequence"]
