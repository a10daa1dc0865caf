"""Sequences under Keras's module name: `thalweg.preprocessing.sequence.pad_sequences`."""

from thalweg.utils import pad_sequences

__all__ = ["pad_sequences"]
