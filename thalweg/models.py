"""Models by Keras's module name: `thalweg.models.Sequential`, `thalweg.models.load_model`."""

from thalweg.model import Sequential
from thalweg.saving import load_model

__all__ = ["Sequential", "load_model"]
