"""What a network on sequences remembers from step to step, and where it looks."""

from __future__ import annotations

from typing import Any

import numpy as np

from thalweg import words
from thalweg.program.instructions.attention import Attention
from thalweg.program.instructions.recurrence.scan import Scan
from thalweg.program.instructions.rowwise import Softmax
from thalweg.program.lowering import forward
from thalweg.program.passes.draft import Request
from thalweg.recordings.compiled_model import WholeModel
from thalweg.views.insides.forward_pass import passed
from thalweg.views.insides.unrolled import Looked, Unrolled, looked, unrolled
from thalweg.views.report.subject import Array, Clock, Figure, Subject, Text

LEAST = 0.3
MOST_ROWS, MOST_LAYERS, MOST_HEADS = 2, 3, 8
MOST_STEPS, MOST_UNITS = 96, 64
"""Of a picture; what lies behind is left out, which the note says."""
WRITTEN = 20
"""Rows and columns up to which a page writes the numbers of a matrix."""
NARROW = 8
"""Columns of numbers beside which another picture has room."""
GAP = "·"
"""What stands where a text has ended."""
UNITS = words.text("A line for each unit, a column for each step: blue above 0, orange below.")
SHARES = words.text("A line for each unit, a column for each step: 0 is shut, 1 is open.")
SPREAD = words.text("A line for each step that looks, a column for each one that it looks at. A line adds up to 1.")


def sequence_insides(subject: Subject, clock: Clock) -> dict[str, Any] | None:
    """The section; None if the network has neither states nor attention, or there are no rows of numbers."""
    network, x = subject.network, subject.x if subject.looked_up is None else subject.looked_up
    if network is None or not isinstance(x, np.ndarray) or not len(x):
        return None
    model = network.model
    program, _ = forward(model._compiled.network(), Request("inference"))
    if not any(isinstance(i, Scan | Attention) or works_step_by_step(i) for i in program.instructions):
        return None
    if not clock.has(LEAST, words.text("states and attention")):
        return None
    x = x[:MOST_ROWS]
    x = x if x.dtype.kind in "fiub" else model._compiled.inputs(x)[0]  # words as their ids
    found, tokens = passed(model, x), tokens_of(model, x)
    figures: list[Figure] = []
    for layer in unrolled(model, found)[:MOST_LAYERS]:
        figures += [figure for row in range(len(x)) for figure in state_figures(layer, row, tokens[row])]
    for attention in looked(model, found)[:MOST_LAYERS]:
        figures += [figure for row in range(len(x)) for figure in attention_figures(attention, row, tokens[row])]
    if not figures:
        return None
    said = words.text("What the network computes, step by step, for the first rows of its data.")
    return {"id": "sequences", "text": [said], "figures": figures}


def works_step_by_step(i: Any) -> bool:
    """Whether it may be the softmax of an attention whose weights are returned, too."""
    return isinstance(i, Softmax) and len(i.a.shape) == 3


def tokens_of(model: WholeModel, x: Array) -> list[list[str]]:
    """What the steps of each row are, as far as a look-up in front of the network knows it."""
    lookups = model._compiled.graph.feeds[0].lookups
    vocabulary = list(lookups[-1].get_vocabulary()) if lookups and hasattr(lookups[-1], "get_vocabulary") else []
    if x.ndim != 2 or not x.size or not 0 <= x.min() <= x.max() < len(vocabulary):
        return [[] for _ in x]
    return [[str(vocabulary[int(place)]) or GAP for place in row] for row in x]


def named(tokens: list[str], count: int) -> list[str]:
    """The names of so many steps: what they are, or their numbers."""
    return tokens[:count] if len(tokens) >= count else [str(n) for n in range(1, count + 1)]


def state_figures(layer: Unrolled, row: int, tokens: list[str]) -> list[Figure]:
    """The state over the steps; of the first row, the gates too."""
    title = words.text("State of {layer}, row {row}", layer=layer.layer, row=row + 1)
    figures = [over_steps(title, UNITS, layer.states[row], tokens)]
    if layer.memory is not None:
        title = words.text("Memory c of {layer}, row {row}", layer=layer.layer, row=row + 1)
        figures.append(over_steps(title, UNITS, layer.memory[row], tokens))
    if row:
        return figures
    for gate, signed, values in layer.named_gates():
        title = words.text("{gate} of {layer}, row {row}", gate=gate, layer=layer.layer, row=1)
        figures.append(over_steps(title, UNITS if signed else SHARES, values[0], tokens, signed))
    return figures


def over_steps(title: Text, note: Text, values: Array, tokens: list[str], signed: bool = True) -> Figure:
    """A matrix of units and steps, of values (steps, units)."""
    steps, units = values.shape
    shown = rounded(values[:MOST_STEPS, :MOST_UNITS].T)
    if shown.size < values.size:
        note = cut_short(note, shown.shape, (units, steps))
    return {
        "kind": "matrix",
        "title": title,
        "note": note,
        "values": shown,
        "rows": [str(n) for n in range(1, len(shown) + 1)],
        "columns": named(tokens if len(tokens) == steps else [], shown.shape[1]),
        "row_label": words.text("unit"),
        "column_label": words.text("step"),
        "diverging": signed,
        "wide": shown.shape[1] > NARROW,
    }


def attention_figures(attention: Looked, row: int, tokens: list[str]) -> list[Figure]:
    """The weights: the mean of the heads, and of the first row each head's."""
    weights = attention.weights[row]
    heads, layer = len(weights), attention.layer
    if heads == 1:
        return [spread(words.text("Attention of {layer}, row {row}", layer=layer, row=row + 1), weights[0], tokens)]
    title = words.text("Attention of {layer}, mean of {heads} heads, row {row}", layer=layer, heads=heads, row=row + 1)
    figures = [spread(title, weights.mean(axis=0), tokens)]
    for head in range(0 if row else min(heads, MOST_HEADS)):
        title = words.text(
            "Attention of {layer}, head {head} of {heads}, row {row}", layer=layer, head=head + 1, heads=heads, row=1
        )
        figures.append(spread(title, weights[head], tokens))
    return figures


def spread(title: Text, weights: Array, tokens: list[str]) -> Figure:
    """A matrix of queries and keys."""
    shown = rounded(weights[:MOST_STEPS, :MOST_STEPS])
    return {
        "kind": "matrix",
        "title": title,
        "note": SPREAD if shown.size == weights.size else cut_short(SPREAD, shown.shape, weights.shape),
        "values": shown,
        "rows": named(tokens if len(tokens) == len(weights) else [], len(shown)),
        "columns": named(tokens if len(tokens) == weights.shape[1] else [], shown.shape[1]),
        "row_label": words.text("step that looks"),
        "column_label": words.text("step that it looks at"),
        "wide": shown.shape[1] > NARROW,
    }


def rounded(values: Array) -> Array:
    """To two digits where the numbers are written, so that many columns have room."""
    return np.ascontiguousarray(np.round(values, 2) if max(values.shape) <= WRITTEN else values, np.float32)


def cut_short(note: Text, shown: tuple[int, ...], whole: tuple[int, ...]) -> Text:
    """A note on a picture that isn't whole."""
    shape, all_ = ("×".join(map(str, each)) for each in (shown, whole))
    return words.text("{note} The first {shown} of {whole}.", note=note, shown=shape, whole=all_)
