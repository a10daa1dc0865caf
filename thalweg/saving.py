"""Saving by Keras's module name; the same as the methods of a model."""

from __future__ import annotations

from pathlib import Path

from thalweg.models.loading import load_model, save_model
from thalweg.models.model import Model
from thalweg.support.naming import answer_for
from thalweg.support.registry import custom_object_scope, register_keras_serializable

__all__ = [
    "custom_object_scope", "load_model", "load_weights", "register_keras_serializable", "save_model", "save_weights",
]  # fmt: skip


def save_weights(model: Model, filepath: str | Path, overwrite: bool = True) -> None:
    """Saves the weights alone: `model.save_weights(filepath, overwrite)`."""
    model.save_weights(filepath, overwrite)


def load_weights(model: Model, filepath: str | Path) -> None:
    """Loads weights into a model: `model.load_weights(filepath)`."""
    model.load_weights(filepath)


answer_for(__name__)
