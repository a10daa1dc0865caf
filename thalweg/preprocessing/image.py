"""Pictures under Keras's older module name: `thalweg.preprocessing.image.load_img`."""

from thalweg.support.naming import answer_for
from thalweg.utils import array_to_img, img_to_array, load_img, save_img

__all__ = ["array_to_img", "img_to_array", "load_img", "save_img"]

answer_for(__name__)
