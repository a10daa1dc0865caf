"""FeatureSpace: the columns of a table, each encoded by its kind, as one vector. Names and arguments are Keras's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from thalweg import layers
from thalweg.batches.makers import arrays_of
from thalweg.errors import ArgumentError, DataError, ShapeError, ThalwegError
from thalweg.layers import Input, Layer
from thalweg.models.model_file import FORMAT, write
from thalweg.ops.tensor import Tensor
from thalweg.ops.variable import to_numbers
from thalweg.support.checks import model_path, whole
from thalweg.support.frames import as_texts
from thalweg.support.naming import choose, suggesting
from thalweg.utils import feature_kinds as kinds
from thalweg.utils.feature_kinds import Cross, Feature, encoder_of
from thalweg.version import __version__


class FeatureSpace:
    """Encodes a table: every column by a layer of its kind, and columns together by crossings

    Args:
        features: a kind for each column by its name: "float", "float_rescaled", "float_normalized",
            "float_discretized", "integer_categorical", "string_categorical", "integer_hashed", "string_hashed"; or one
            with arguments, `FeatureSpace.float_discretized(num_bins=10)`; or `FeatureSpace.feature(dtype, preprocessor,
            output_mode)` with a layer of your own.
        output_mode: "concat": one vector (rows, numbers), the features in the order of their names, then the crossings
            in that of theirs; "dict": an array for each.
        crosses: tuples of names of features that are encoded together, or `FeatureSpace.cross(names, crossing_dim)`.
        crossing_dim, hashing_dim, num_discretization_bins: the numbers of bins of crossings, hashes and ranges whose
            own isn't given.
        name: by default feature_space.

    `adapt` learns what the layers need; then it is called on a dict of arrays (rows,) or (rows, 1), on a frame of
    pandas with these columns alone, or on a dict of single values. A network is drawn from `get_inputs()` and
    `get_encoded_features()`: `Model(inputs, …)` takes columns as they are, text too, and `Model(features, …)` what the
    call returned. `preprocessors` and `crossers` are the layers by name.

    Raises:
        ArgumentError: an unknown kind; a crossing of what isn't there; whole numbers that should be concatenated.
        ThalwegError: something is to be learned first; or `adapt` after networks were drawn.
        DataError: data without a feature, or with more than the features.

    Source: Keras's `FeatureSpace`.

    >>> space = FeatureSpace({"size": "float_normalized", "kind": "string_categorical"})
    >>> space.adapt({"size": [1.0, 3.0], "kind": ["a", "b"]})
    >>> space({"size": [5.0], "kind": ["b"]})  # unknown, b, a; then the size
    array([[0., 1., 0., 3.]], dtype=float32)
    """

    feature = staticmethod(kinds.feature)
    float = staticmethod(kinds.plain)
    float_rescaled = staticmethod(kinds.rescaled)
    float_normalized = staticmethod(kinds.normalized)
    float_discretized = staticmethod(kinds.discretized)
    integer_categorical = staticmethod(kinds.integer_categorical)
    string_categorical = staticmethod(kinds.string_categorical)
    integer_hashed = staticmethod(kinds.integer_hashed)
    string_hashed = staticmethod(kinds.string_hashed)
    cross = staticmethod(kinds.cross)

    @suggesting
    def __init__(
        self,
        features: Mapping[str, Any],
        output_mode: str = "concat",
        crosses: Sequence[Any] | None = None,
        crossing_dim: int = 32,
        hashing_dim: int = 32,
        num_discretization_bins: int = 32,
        name: str | None = None,
    ) -> None:
        if not isinstance(features, Mapping) or not features:
            raise ArgumentError(f"FeatureSpace takes a dict of features, one at least, got {features!r}")
        self.name = name or "feature_space"
        self.output_mode = choose("output_mode of FeatureSpace", output_mode, ("concat", "dict"))
        self.crossing_dim = whole("FeatureSpace's crossing_dim", crossing_dim)
        self.hashing_dim = whole("FeatureSpace's hashing_dim", hashing_dim)
        self.num_discretization_bins = whole("FeatureSpace's num_discretization_bins", num_discretization_bins)
        self.features = {column: self.feature_of(column, given) for column, given in features.items()}
        self.crosses = [self.cross_of(given) for given in crosses or ()]
        names = [*self.features, *(c.name for c in self.crosses)]
        if len(set(names)) < len(names):
            raise ArgumentError(f"FeatureSpace needs a name for each feature and crossing, got {names}")
        self.preprocessors: dict[str, Any] = {column: f.preprocessor for column, f in self.features.items()}
        self.crossers = {c.name: layers.HashedCrossing(c.crossing_dim, name=c.name) for c in self.crosses}
        self.encoders: dict[str, Layer] = {}
        self.concat = layers.Concatenate()
        self.inputs: dict[str, Input] = {}
        self.encoded: Any = None  # the tensors of the inputs encoded, once somebody has asked for them
        self.adapted = False

    def feature_of(self, name: str, given: Any) -> Feature:
        """A feature, from its kind, itself, or its description."""
        if isinstance(given, Feature):
            return given
        if isinstance(given, dict):
            return Feature(**given["config"])
        by_name: dict[str, Callable[..., Feature]] = {
            "float": kinds.plain,
            "float_rescaled": kinds.rescaled,
            "float_normalized": kinds.normalized,
            "float_discretized": partial(kinds.discretized, self.num_discretization_bins),
            "integer_categorical": kinds.integer_categorical,
            "string_categorical": kinds.string_categorical,
            "integer_hashed": partial(kinds.integer_hashed, self.hashing_dim),
            "string_hashed": partial(kinds.string_hashed, self.hashing_dim),
        }
        return choose(f"kind of the feature {name!r}", given, by_name)(name=name)

    def cross_of(self, given: Any) -> Cross:
        """A crossing, from the names of its features, itself, or its description."""
        if isinstance(given, dict):
            given = Cross(**given["config"])
        made = given if isinstance(given, Cross) else Cross(given, self.crossing_dim)
        for name in made.feature_names:
            choose(f"feature of the crossing {made.name!r}", name, list(self.features))
        return made

    # --- learning ------------------------------------------------------------------------------------------------

    def adapt(self, dataset: Any) -> None:
        """Learns vocabularies, ranges, means and variances; layers that were given theirs keep them.

        The data are a dict of arrays, a frame, or what makes batches of them, as for `adapt` of layers; other columns
        are left alone. A feature's column is kept in memory until its layer has learned it.
        """
        if self.encoded is not None:
            raise ThalwegError(f"{self.name!r} is part of networks by now: make a new FeatureSpace to adapt it")
        learning = [name for name, f in self.features.items() if f.learns]
        parts: dict[str, list[Any]] = {name: [] for name in learning}
        for batch in arrays_of(dataset, f"{self.name}.adapt") if learning else ():
            for name in learning:
                parts[name].append(self.column(batch, name))
        for name in learning:
            self.preprocessors[name].adapt(iter(parts[name]))
        self.encoders.clear()
        self.adapted = True

    def column(self, data: Any, name: str) -> Any:
        """A column of the data as an array (rows, …), of one value as (1, 1)."""
        if not isinstance(data, Mapping) and not hasattr(data, "columns"):
            raise DataError(f"{self.name!r} takes a dict of columns or a frame, got {type(data).__name__}")
        if name not in (data if isinstance(data, Mapping) else list(data.columns)):
            raise DataError(f"{self.name!r}: the data have no column {name!r}; they have {list(data)}")
        values = data[name]
        what = f"the feature {name!r}"
        array = as_texts(values, what) if self.features[name].dtype == "string" else to_numbers(values, what)
        return array.reshape(-1, 1) if array.ndim < 2 else array

    def check_adapted(self) -> None:
        """Raises if a layer has still to learn."""
        waiting = [name for name, f in self.features.items() if f.learns]
        if waiting and not self.adapted:
            raise ThalwegError(f"{self.name!r} has to learn the feature {waiting[0]!r} first: call its adapt(data)")

    # --- encoding ------------------------------------------------------------------------------------------------

    def __call__(self, data: Any) -> Any:
        """The encoded rows of the data; of tensors by name, a tensor or a dict of them."""
        self.check_adapted()
        if isinstance(data, Mapping) and any(isinstance(v, Tensor) for v in data.values()):
            return self.encode(dict(data))
        columns = {name: self.column(data, name) for name in self.features}
        unknown = [name for name in data if name not in self.features]
        if unknown:
            raise DataError(f"{self.name!r} has no feature {unknown[0]!r}; it has {list(self.features)}")
        rows = {name: len(column) for name, column in columns.items()}
        if len(set(rows.values())) > 1:
            raise ShapeError(f"{self.name!r} got columns of different lengths: {rows}")
        encoded = self.encode(columns)
        if isinstance(data, Mapping) and all(np.ndim(v) == 0 for v in data.values()):
            return {k: v[0] for k, v in encoded.items()} if isinstance(encoded, dict) else encoded[0]
        return encoded

    def encode(self, columns: Mapping[str, Any]) -> Any:
        """The features of columns, arrays or tensors, encoded and put together."""
        found = {name: layer(columns[name]) for name, layer in sorted(self.preprocessors.items())}
        crossed = {c.name: self.crossers[c.name]([found[n] for n in c.feature_names]) for c in self.crosses}
        found |= dict(sorted(crossed.items()))
        for name, spec in self.specs():
            if spec.output_mode == "one_hot":
                if name not in self.encoders:
                    self.encoders[name] = encoder_of(name, self.crossers.get(name) or self.preprocessors[name])
                found[name] = self.encoders[name](found[name])
            elif self.output_mode == "concat" and spec.output_mode == "int":
                raise ArgumentError(
                    f"{self.name!r}: the whole numbers of {name!r} can't be concatenated with other features: give "
                    "output_mode='one_hot' for it, or output_mode='dict' for all"
                )
        return found if self.output_mode == "dict" else self.concat(list(found.values()))

    def specs(self) -> Iterator[tuple[str, Feature | Cross]]:
        """The features and crossings by name."""
        yield from self.features.items()
        yield from ((c.name, c) for c in self.crosses)

    def get_inputs(self) -> dict[str, Input]:
        """An `Input` of a network for each feature, by name."""
        self.get_encoded_features()
        return self.inputs

    def get_encoded_features(self) -> Any:
        """The tensor, or with output_mode="dict" the tensors, that these inputs become."""
        self.check_adapted()
        if self.encoded is None:
            self.inputs = {name: Input((1,), name, dtype=f.dtype) for name, f in self.features.items()}
            self.encoded = self.encode(self.inputs)
        return self.encoded

    # --- saving --------------------------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal one, which knows what this one has learned."""
        described: dict[str, Any] = {
            name: {"class_name": "Feature", "config": f.get_config()} for name, f in self.features.items()
        }
        for name, layer in self.preprocessors.items():
            if self.adapted and isinstance(layer, layers.Normalization):
                learned = {"mean": layer.mean.tolist(), "variance": layer.variance.tolist()}
                described[name]["config"]["preprocessor"]["config"] |= learned
        return {
            "features": described,
            "output_mode": self.output_mode,
            "crosses": [{"class_name": "Cross", "config": c.get_config()} for c in self.crosses],
            "crossing_dim": self.crossing_dim,
            "hashing_dim": self.hashing_dim,
            "num_discretization_bins": self.num_discretization_bins,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> FeatureSpace:
        """One from what `get_config` returned."""
        return cls(**config)

    def save(self, filepath: str | Path) -> None:
        """Writes it to a file, which `load_model` reads; what was learned is in it."""
        for name, layer in self.preprocessors.items():
            if not isinstance(layer, layers.Normalization) and next(iter(layer.all_parameters()), None) is not None:
                raise ArgumentError(f"{self.name!r} can't be saved: the layer of the feature {name!r} has weights")
        description = {"format": FORMAT, "thalweg": __version__, "feature_space": self.get_config()}
        write(model_path(filepath), {}, description, overwrite=True)
