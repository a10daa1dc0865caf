"""Keras's settings, as far as there is anything to set: types, ε, the order of an image's axes."""

from __future__ import annotations

from thalweg.backend import backend, epsilon, floatx, image_data_format, set_floatx, set_image_data_format
from thalweg.support.naming import answer_for

__all__ = ["backend", "epsilon", "floatx", "image_data_format", "set_floatx", "set_image_data_format"]

answer_for(__name__)
