"""A network as a table of its layers, and every value that it computes on given rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from thalweg.engine import make_executor
from thalweg.engine.contract import Array, Chunk, Job
from thalweg.models.compiled import Compiled
from thalweg.models.weights import Weights
from thalweg.program.ir.instruction import Instruction
from thalweg.program.passes.draft import Request
from thalweg.support.printing import out
from thalweg.support.terminal import columns
from thalweg.support.typesetting import table


def summary(weights: Weights, print_fn: Callable[[str], Any] | None) -> None:
    """Prints every layer with its output shape and number of weights."""
    graph, count = weights.graph, weights.count()
    lines = [["Layer (type)", "Output Shape", "Param #"]]
    for layer in graph.layers:
        shape = mapped_shapes(layer.output_shape)
        lines.append([f"{layer.name} ({type(layer).__name__})", shape, f"{layer.count_params():,}"])
    text = table(lines, (2,), columns() if print_fn is None else None)
    rule = "─" * max(len(line) for line in text.splitlines())
    first, _, rest = text.partition("\n")
    size = f"({count * weights.dtype.itemsize / 1024:,.2f} KB)"
    trained = sum(p.buffer.size for _, p in weights.trained())
    if trained < count:
        size += f"\nTrainable params: {trained:,}\nNon-trainable params: {count - trained:,}"
    show = out if print_fn is None else print_fn
    show(f'Model: "{graph.name}"\n{rule}\n{first}\n{rule}\n{rest}\n{rule}\nTotal params: {count:,} {size}')


def mapped_shapes(shape: Any) -> str:
    """A layer's output shape with None for the rows; several in the form in which it returns them."""
    if shape is None or isinstance(shape, tuple):
        return str((None, *(shape or ())))
    return ", ".join(mapped_shapes(inner) for inner in (shape.values() if isinstance(shape, dict) else shape))


def forward_values(compiled: Compiled, x: Array) -> Iterator[tuple[Instruction, Array]]:
    """Every instruction of a prediction for x (rows, …), and its output, (rows, …) in float64.

    Rows that don't fit the workspace at once come in several blocks, each with every instruction.
    """
    program, totals = compiled.lower(Request("inference", visible=True))
    vector = compiled.weights.vector
    (output,) = compiled.output_shapes
    data = {"X": x, "Y_pred": np.empty((len(x), *output), vector.dtype)}
    job = Job(program, data, len(x), len(x), vector, vector[:0], totals=totals)
    for instruction, memory in make_executor(compiled.engine, job).trace(Chunk(0, 0, 1, 0, np.zeros(1))):
        output = instruction.outputs[0]
        if output.per_row and instruction.name != "store":
            yield instruction, np.array(memory[output], np.float64)
