"""Models, under Keras's module name: `thalweg.models.Sequential`, `thalweg.models.load_model`."""

from thalweg.models.loading import load_model
from thalweg.models.sequential import Sequential

__all__ = ["Sequential", "load_model"]
