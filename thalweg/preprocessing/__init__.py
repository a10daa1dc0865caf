"""Preparing data, under Keras's module names."""

from thalweg import absent
from thalweg.preprocessing import sequence

__all__ = ["sequence"]

absent.answer_for(__name__)
