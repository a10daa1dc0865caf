"""Models, under Keras's module name: `thalweg.models.Sequential`, `thalweg.models.load_model`."""

from thalweg.models.cloning import clone_model, model_from_json
from thalweg.models.functional import Functional
from thalweg.models.loading import load_model, save_model
from thalweg.models.model import Model
from thalweg.models.sequential import Sequential

__all__ = ["Functional", "Model", "Sequential", "clone_model", "load_model", "model_from_json", "save_model"]
