"""Preparing data, under Keras's module names."""

from thalweg.absent import answer_for
from thalweg.preprocessing import sequence

__all__ = ["sequence"]

answer_for(__name__)
