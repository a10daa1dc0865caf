"""Functional: the network between tensors, which `Model(inputs, outputs)` makes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from thalweg.layers import CustomObjects
from thalweg.models.description import draw
from thalweg.models.drawing import Drawn
from thalweg.models.model import Model


class Functional(Model):
    """Everything between tensors: see `Model`."""

    _graph: Drawn

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: CustomObjects | None = None) -> Self:
        """The model whose `get_config` returned this, with new weights, which are drawn when they are needed."""
        model: Self = cls.__new__(cls)
        how: dict[str, Any] = {"seed": None, "engine": "native", "dtype": "float32"}
        how |= {key: config[key] for key in how if key in config}
        model._assemble(Drawn(*draw(dict(config), custom_objects), config["name"]), **how)
        return model

    @property
    def output(self) -> Any:
        """The outputs, as they were given: a tensor, or a list or dict of them."""
        return self._graph.given

    @property
    def outputs(self) -> list[Any]:
        """The outputs, as a list of tensors."""
        return list(self._graph.outputs)
