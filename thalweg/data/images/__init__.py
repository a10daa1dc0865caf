"""Pictures with classes: from folders, IDX files (MNIST's) and .npz archives; and what training's looked like."""

from thalweg.data.images.image_set import Images
from thalweg.data.images.image_sources import is_image_source, read_images

__all__ = ["Images", "is_image_source", "read_images"]
