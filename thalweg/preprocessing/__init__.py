"""Preparing data, under Keras's module names."""

from thalweg.preprocessing import image, sequence
from thalweg.support.naming import answer_for
from thalweg.utils import image_dataset_from_directory, text_dataset_from_directory, timeseries_dataset_from_array

__all__ = [
    "image", "image_dataset_from_directory", "sequence", "text_dataset_from_directory",
    "timeseries_dataset_from_array",
]  # fmt: skip

answer_for(__name__)
