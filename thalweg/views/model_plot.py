"""A model as a drawing: a box for each input, layer and operation, and arrows along the tensors. SVG, PNG or PDF."""

from __future__ import annotations

import shutil
import subprocess
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from thalweg.errors import ArgumentError, ThalwegWarning
from thalweg.models.inspection import Step, steps_of
from thalweg.models.model import Model
from thalweg.support.files import writing
from thalweg.views.web.boxes_svg import boxes


def plot_model(
    model: Model,
    to_file: str | Path = "model.svg",
    show_shapes: bool = True,
    show_layer_names: bool = True,
    rankdir: str = "TB",
    dpi: int = 200,
) -> Path:
    """Draws a model's layers and the tensors between them; returns the path of the picture.

    Args:
        model: a model; it is built if necessary.
        to_file: .svg; with Graphviz's `dot` installed also .png or .pdf. Without it they become a .svg, with a warning.
        show_shapes: whether each box says the shape of what it returns.
        show_layer_names: whether it says the layer's name, besides its class.
        rankdir: "TB" from top to bottom, or "LR" from left to right, by Graphviz.
        dpi: of a .png.

    Raises:
        ArgumentError: another kind of file.

    >>> import tempfile
    >>> from thalweg.layers import Dense, Input
    >>> x = Input((2,))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     plot_model(Model(x, Dense(1)(x)), Path(folder, "model.svg")).read_text()[:4]
    '<svg'
    """
    path = Path(to_file)
    kind = path.suffix.removeprefix(".").lower()
    if kind not in ("svg", "png", "pdf"):
        raise ArgumentError(f"a model is drawn as .svg, .png or .pdf, not as {path.name!r}")
    if rankdir not in ("TB", "LR"):
        raise ArgumentError(f"rankdir is TB or LR, got {rankdir!r}")
    model.build()
    steps = with_input(steps_of(model._graph), model)
    texts = [label(step, show_shapes, show_layer_names) for step in steps]
    dot = shutil.which("dot")
    if dot is not None:
        drawn = subprocess.run(
            [dot, f"-T{kind}", f"-Gdpi={dpi}" if kind == "png" else "-Gdpi=96"],
            input=as_dot(steps, texts, rankdir).encode(), capture_output=True, check=True,
        ).stdout  # fmt: skip
    else:
        if kind != "svg" or rankdir != "TB":  # a drawing isn't worth the end of a program
            other = path.with_suffix(".svg")
            warnings.warn(
                f"a .{kind} with rankdir {rankdir} needs Graphviz's dot, which isn't installed: "
                f"drawn from top to bottom in {other} instead",
                ThalwegWarning,
                stacklevel=2,
            )
            path = other
        drawn = boxes(steps, texts).encode()
    with writing(path, ArgumentError) as new:
        new.write_bytes(drawn)
    return path


def with_input(steps: list[Step], model: Any) -> list[Step]:
    """The steps, with one for the input of a Sequential."""
    if any(s.kind == "Input" for s in steps):
        return steps
    return [Step("input", "Input", str(model.input_shape), 0, []), *steps]


def label(step: Step, shapes: bool, names: bool) -> list[str]:
    """The lines of a box."""
    first = f"{step.name}: {step.kind}" if names else step.kind
    return [first, step.shape] if shapes else [first]


def as_dot(steps: Sequence[Step], texts: Sequence[list[str]], rankdir: str) -> str:
    """The graph in Graphviz's language."""
    numbers = {s.name: k for k, s in enumerate(steps)}
    quoted = ["\\n".join(t).replace('"', "'") for t in texts]
    boxes = [f'{k} [label="{text}"];' for k, text in enumerate(quoted)]
    arrows = [f"{numbers[source]} -> {numbers[s.name]};" for s in steps for source in s.sources]
    return f"digraph model {{ rankdir={rankdir}; node [shape=box, fontname=Helvetica]; {' '.join(boxes + arrows)} }}"
