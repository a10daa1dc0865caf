"""Whether rows may be filled up: only where a network's answer for a row is the same, however many steps are added."""

from __future__ import annotations

from typing import Any

import numpy as np

from thalweg.batches.arrays import Array
from thalweg.engine.contract import Chunk, Job
from thalweg.engine.reference import ReferenceExecutor
from thalweg.errors import ShapeError
from thalweg.layers.recurrent.stateful import keeping
from thalweg.models.lengths.ragged import filler
from thalweg.program.instructions.normalization import BatchStatistics
from thalweg.program.lowering import forward, places
from thalweg.program.passes.draft import Request
from thalweg.program.plain import PLAIN

ROWS = 3
SAME = 1e-9  # of the numbers of a prediction in float64, which differ by the order of sums alone


def check(compiled: Any, training: bool) -> None:
    """Raises if the answers of a network, or what it learns, would depend on the steps that fill up its rows."""
    for layer in keeping(compiled.graph.layers):
        raise refused(compiled, f"{layer.owner} hands on states from batch to batch")
    if not may_fill(compiled):
        raise refused(compiled, "the answer for a row would depend on the steps that fill it up")
    if training:
        check_training(compiled)


def may_fill(whole: Any) -> bool:
    """Whether predictions for rows are the same when they are filled up."""
    if "filled up" not in whole._facts:
        kept = any(True for _ in keeping(whole.graph.layers))  # then programs of exact lengths are as good
        whole._facts["filled up"] = not kept and not differs(whole)
    found: bool = whole._facts["filled up"]
    return found


def refused(whole: Any, why: str) -> ShapeError:
    """The error for rows of different lengths."""
    return ShapeError(
        f"the rows of x have different lengths, but model {whole.graph.name!r} can't fill them up: "
        f"{why}{culprit(whole)}; give batches whose rows have one length, or fill them up yourself "
        "(utils.pad_sequences)"
    )


def culprit(whole: Any) -> str:
    """The first layer that gets steps and leaves none out, if there is one."""
    for layer in whole.graph.layers:
        shape = layer.input_shape
        heeds = layer.supports_masking or layer.takes_mask or layer.computes_mask
        if not heeds and isinstance(shape, tuple) and shape[:1] == (None,) and not takes_mask(layer):
            return f", as {type(layer).__name__} {layer.shown_name} sees them"
    return ""


def takes_mask(layer: Any) -> bool:
    """Whether the layer's `call` asks for a mask."""
    return (
        any(name.endswith("mask") for name in getattr(layer.call, "__annotations__", {}))
        if hasattr(layer, "call")
        else False
    )


def differs(whole: Any) -> bool:
    """Whether predictions for rows change when they are filled up, by weights and rows drawn for that."""
    few, many = sorted(whole.graph.lengths)[:2]
    count = len(whole.graph.any_length)
    exact, filled = whole.at([few] * count), whole.at([many] * count, filled=True)
    draw = np.random.default_rng(0)
    vector = whole.weights.vector.astype(np.float64)
    for _, p in whole.weights.named():
        if p.trainable:
            at_place = slice(p.buffer.offset, p.buffer.offset + p.buffer.size)
            vector[at_place] = draw.uniform(-0.5, 0.5, p.buffer.size)
    rows = [draw.normal(size=(ROWS, *shape)) for shape in exact.graph.fed_shapes]
    for ids in exact.id_inputs():
        rows[ids.number] = draw.integers(0, ids.size, rows[ids.number].shape).astype(np.float64)
    behind, places_of = whole.graph.behind_inputs(), whole.graph.any_length
    longer = list(rows)
    for number, feed in enumerate(whole.graph.feeds):
        if feed.place in places_of:
            fill = filler(behind[feed.place])
            longer[number] = lengthened(rows[number], filled.graph.fed_shapes[number], fill, draw)
    for ids in exact.id_inputs():
        longer[ids.number] = np.clip(np.floor(longer[ids.number]), 0, ids.size - 1)
    lengths = np.full((ROWS, count), float(few))
    one, other = predicted(exact, rows, vector), predicted(filled, [*longer, lengths], vector)
    for a, b, shown in zip(one, other, whole.graph.shown_outputs, strict=True):
        b = b[:, : a.shape[1]] if shown[:1] == (None,) else b
        if a.shape != b.shape or not np.allclose(a, b, rtol=SAME, atol=SAME, equal_nan=True):
            return True
    return False


def lengthened(x: Array, shape: tuple[int, ...], fill: float | None, draw: np.random.Generator) -> Array:
    """Rows with more steps: what a layer behind the input leaves out, or else random numbers."""
    result = draw.normal(size=(len(x), *shape)) if fill is None else np.full((len(x), *shape), fill)
    result[:, : x.shape[1]] = x
    return result


def predicted(compiled: Any, inputs: list[Array], vector: Array) -> list[Array]:
    """The outputs of a network with these weights, by the reference engine in float64."""
    program, totals = compiled._lower(Request("inference"), passes=PLAIN)
    outputs = [np.empty((ROWS, *shape)) for shape in compiled.output_shapes]
    data = dict(zip(places("X", len(inputs)), inputs, strict=True))
    data |= dict(zip(places("Y_pred", len(outputs)), outputs, strict=True))
    job = Job(program, data, ROWS, ROWS, vector, vector[:0], totals=totals)
    ReferenceExecutor(job).run(Chunk(0, 0, 1, 0, np.zeros(1)))
    return outputs


def check_training(whole: Any) -> None:
    """Raises if a loss or statistics of the batch would count the steps that fill up its rows."""
    if whole.graph.own_loss is not None:
        raise refused(whole, "its compute_loss gets them")
    if "learns from filling" not in whole._facts:
        many = sorted(whole.graph.lengths)[1]
        filled = whole.at([many] * len(whole.graph.any_length), filled=True)
        builder, outputs = forward(filled.network(), Request("training"))
        found = ""
        if any(isinstance(i, BatchStatistics) and i.x.shape[:1] == (many,) for i in builder.instructions):
            found = "the statistics of a BatchNormalization would count the steps that fill them up"
        if builder.objectives or any(a.shape[:1] == (many,) for a, _, _ in builder.penalties):
            found = "a penalty on outputs, or a loss of add_loss, would count the steps that fill them up"
        if any(
            s[:1] == (None,) and y not in builder.masks for y, s in zip(outputs, whole.graph.shown_outputs, strict=True)
        ):
            found = "the loss of an output would count the steps that fill them up"
        whole._facts["learns from filling"] = found
    if whole._facts["learns from filling"]:
        raise refused(whole, whole._facts["learns from filling"])
