"""Features of a table, each with the layer that encodes it, and crossings of features: parts of `FeatureSpace`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from thalweg import layers
from thalweg.errors import ArgumentError
from thalweg.layers import Layer
from thalweg.layers.core import KINDS
from thalweg.support.checks import whole
from thalweg.support.naming import choose

COUNTED = (layers.IntegerLookup, layers.StringLookup, layers.Discretization, layers.Hashing, layers.HashedCrossing)


class Feature:
    """A feature: what the caller's column holds (`dtype`), the layer that encodes it, and in which form it comes out.

    `output_mode` is "float", "int", or "one_hot": the layer makes whole numbers, which become vectors.
    """

    def __init__(self, dtype: str, preprocessor: Any, output_mode: str) -> None:
        self.dtype = choose("dtype of a feature", dtype, KINDS)
        self.preprocessor: Layer = layers.deserialize(preprocessor) if isinstance(preprocessor, dict) else preprocessor
        if not isinstance(self.preprocessor, Layer):
            raise ArgumentError(f"a feature's preprocessor is a layer, got {preprocessor!r}")
        self.output_mode = choose("output_mode of a feature", output_mode, ("int", "one_hot", "float"))

    @property
    def learns(self) -> bool:
        """Whether its layer has something to learn by `adapt`."""
        layer: Any = self.preprocessor
        if isinstance(layer, layers.Discretization):
            return layer.num_bins is not None
        return hasattr(layer, "adapt") and not getattr(layer, "given", False)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal feature, with what its layer was given."""
        return {
            "dtype": self.dtype,
            "preprocessor": layers.serialize(self.preprocessor),
            "output_mode": self.output_mode,
        }


class Cross:
    """Features that are encoded together, by a hash of their values; `output_mode` is "one_hot" or "int"."""

    def __init__(self, feature_names: Sequence[str], crossing_dim: int, output_mode: str = "one_hot") -> None:
        self.feature_names = tuple(feature_names)
        self.crossing_dim = whole("crossing_dim", crossing_dim)
        self.output_mode = choose("output_mode of a cross", output_mode, ("int", "one_hot"))
        if isinstance(feature_names, str) or len(self.feature_names) < 2:
            raise ArgumentError(f"a cross takes the names of two features or more, got {feature_names!r}")

    @property
    def name(self) -> str:
        """The names of its features, joined."""
        return "_X_".join(self.feature_names)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal one."""
        return {
            "feature_names": list(self.feature_names),
            "crossing_dim": self.crossing_dim,
            "output_mode": self.output_mode,
        }


def encoder_of(name: str, layer: Any) -> Layer:
    """The layer that makes vectors of the whole numbers that a feature's layer makes."""
    if getattr(layer, "output_mode", None) != "int":
        raise ArgumentError(
            f"feature {name!r} has output_mode='one_hot', and its preprocessor, {type(layer).__name__}, makes no whole "
            "numbers: give output_mode='float'"
        )
    if not isinstance(layer, COUNTED):
        raise ArgumentError(
            f"feature {name!r} has output_mode='one_hot', and how many numbers a {type(layer).__name__} makes isn't "
            "known: give output_mode='int'"
        )
    bins = layer.num_bins if isinstance(layer, layers.Discretization) else None  # data may fill fewer
    return layers.CategoryEncoding(bins or layer.depth, output_mode="multi_hot")


# --- kinds of features -----------------------------------------------------------------------------------------------


def called(name: str | None) -> str | None:
    """The name of a feature's layer."""
    return f"{name}_preprocessor" if name else None


def feature(dtype: str, preprocessor: Layer, output_mode: str) -> Feature:
    """A feature with a layer of one's own."""
    return Feature(dtype, preprocessor, output_mode)


def plain(name: str | None = None) -> Feature:
    """Numbers as they are."""
    return Feature("float32", layers.Identity(name=called(name)), "float")


def rescaled(scale: float = 1.0, offset: float = 0.0, name: str | None = None) -> Feature:
    """scale·x + offset: a `Rescaling`."""
    return Feature("float32", layers.Rescaling(scale, offset, name=called(name)), "float")


def normalized(name: str | None = None) -> Feature:
    """(x − mean)/σ: a `Normalization`, which `adapt` measures."""
    return Feature("float32", layers.Normalization(name=called(name)), "float")


def discretized(
    num_bins: int | None, bin_boundaries: Any = None, output_mode: str = "one_hot", name: str | None = None
) -> Feature:
    """The range in which a number lies: a `Discretization` in num_bins, which `adapt` finds, or by boundaries.

    With `bin_boundaries`, `num_bins` is None.
    """
    return Feature("float32", layers.Discretization(bin_boundaries, num_bins, name=called(name)), output_mode)


def integer_categorical(
    max_tokens: int | None = None, num_oov_indices: int = 1, output_mode: str = "one_hot", name: str | None = None
) -> Feature:
    """Whole numbers that `adapt` collects: an `IntegerLookup`."""
    layer = layers.IntegerLookup(name=called(name), max_tokens=max_tokens, num_oov_indices=num_oov_indices)
    return Feature("int32", layer, output_mode)


def string_categorical(
    max_tokens: int | None = None, num_oov_indices: int = 1, output_mode: str = "one_hot", name: str | None = None
) -> Feature:
    """Words that `adapt` collects: a `StringLookup`."""
    layer = layers.StringLookup(name=called(name), max_tokens=max_tokens, num_oov_indices=num_oov_indices)
    return Feature("string", layer, output_mode)


def integer_hashed(num_bins: int, output_mode: str = "one_hot", name: str | None = None) -> Feature:
    """Whole numbers in num_bins by a hash: a `Hashing`."""
    return Feature("int32", layers.Hashing(num_bins, name=called(name)), output_mode)


def string_hashed(num_bins: int, output_mode: str = "one_hot", name: str | None = None) -> Feature:
    """Words in num_bins by a hash: a `Hashing`."""
    return Feature("string", layers.Hashing(num_bins, name=called(name)), output_mode)


def cross(feature_names: Sequence[str], crossing_dim: int, output_mode: str = "one_hot") -> Cross:
    """Features together in crossing_dim bins by a hash: a `HashedCrossing`."""
    return Cross(feature_names, crossing_dim, output_mode)
