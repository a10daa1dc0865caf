"""Small helpers, and data from folders and series, under Keras's names."""

from thalweg.backend import clear_session
from thalweg.batches.dataset import PyDataset
from thalweg.support.naming import answer_for
from thalweg.support.nested import pack_x_y_sample_weight, unpack_x_y_sample_weight
from thalweg.support.seeds import set_random_seed
from thalweg.utils.feature_space import FeatureSpace
from thalweg.utils.image_dataset import image_dataset_from_directory
from thalweg.utils.pillow import array_to_img, img_to_array, load_img, save_img
from thalweg.utils.small_arrays import normalize, pad_sequences, to_categorical
from thalweg.utils.text_dataset import text_dataset_from_directory
from thalweg.utils.time_windows import timeseries_dataset_from_array
from thalweg.views.model_plot import plot_model

__all__ = [
    "FeatureSpace", "PyDataset", "Sequence", "array_to_img", "clear_session", "image_dataset_from_directory",
    "img_to_array", "load_img", "normalize", "pack_x_y_sample_weight", "pad_sequences", "plot_model", "save_img",
    "set_random_seed", "text_dataset_from_directory", "timeseries_dataset_from_array", "to_categorical",
    "unpack_x_y_sample_weight",
]  # fmt: skip

Sequence = PyDataset  # an older name of the same

answer_for(__name__)
