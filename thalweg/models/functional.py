"""Functional: the network between tensors, which `Model(inputs, outputs)` makes."""

from __future__ import annotations

from typing import Any

from thalweg.models.drawing import Drawn
from thalweg.models.model import DRAWN, Model


class Functional(Model):
    """Everything between tensors: see `Model`."""

    _graph: Drawn

    @property
    def output(self) -> Any:
        """The outputs, as they were given: a tensor, or a list or dict of them."""
        return self._graph.given

    @property
    def outputs(self) -> list[Any]:
        """The outputs, as a list of tensors."""
        return list(self._graph.outputs)


DRAWN.append(Functional)
