"""Functional: the network between tensors, which `Model(inputs, outputs)` makes."""

from __future__ import annotations

from typing import Any

from thalweg.models.drawing import Drawn
from thalweg.models.model import DRAWN, Model


class Functional(Model):
    """Everything between tensors: see `Model`."""

    def __init__(
        self,
        inputs: Any = None,
        outputs: Any = None,
        name: str | None = None,
        *,
        seed: int | None = None,
        engine: str = "native",
        dtype: str = "float32",
    ) -> None:
        self._assemble(Drawn(inputs, outputs, name), seed, engine, dtype)
        self.build()

    @property
    def output(self) -> Any:
        """The outputs, as they were given: a tensor, or a list or dict of them."""
        return self._graph.given

    @property
    def outputs(self) -> list[Any]:
        """The outputs, as a list of tensors."""
        return list(self._graph.outputs)


DRAWN.append(Functional)
