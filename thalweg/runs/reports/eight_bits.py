"""What weights of eight bits cost: a run's scores with them, and without, on rows that were held out of training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from thalweg.data.cells import Array
from thalweg.errors import NotFoundError
from thalweg.export.exported_network import network_of
from thalweg.export.small_weights import quantised, small_buffers
from thalweg.models.model import Model
from thalweg.runs.evidence import load_evidence
from thalweg.runs.reports.pages import classes, input_shape
from thalweg.runs.run import Run
from thalweg.runs.scores import class_scores, number_scores
from thalweg.runs.table_run import TableRun

TOLD = ("accuracy", "log loss", "RMSE", "MAE")


def cost_of_eight_bits(run: Run, folder: Path) -> str:
    """A sentence: the scores before and after, and how far answers move. Afterwards the run's weights are rounded.

    The rows are those that the folder keeps of the held-out ones, at most 2,000, drawn at random.

    Raises:
        NotFoundError: the folder keeps no rows, as those of older versions.
    """
    kept = load_evidence(folder, input_shape(run), classes(run))
    if kept is None:
        raise NotFoundError(f"{folder} keeps no rows on which to measure what weights of eight bits cost")
    x, truth = kept.x[: kept.random], kept.held.truth[kept.at[: kept.random]]
    model = getattr(run, "ensemble", run.model)
    before = answers(run, x)
    round_weights(model)
    after = answers(run, x)
    scored = class_scores if classes(run) else number_scores
    scores = [(name, score.value, scored(truth, after)[name].value) for name, score in scored(truth, before).items()]
    told = "; ".join(f"{name} {new:.5g}, was {old:.5g}" for name, old, new in scores if name in TOLD)
    return f"weights of eight bits, on {len(x):,} rows held out: {told}; {moved(before, after)}"


def answers(run: Run, x: Array) -> Array:
    """Probabilities (rows, classes), or numbers (rows,), of rows as the network takes them."""
    if isinstance(run, TableRun):
        return run.of_matrix(x)
    shares: Array = run.model.predict(x, verbose=0)
    return shares


def round_weights(model: Model) -> None:
    """Replaces weights by what their form of eight bits stands for."""
    network, vector = network_of(model, 1), model._compiled.weights.vector
    for buffer in small_buffers(network):
        q, scale = quantised(network.weights[buffer])
        vector[buffer.offset :][: buffer.size] = (q * scale).ravel()


def moved(before: Array, after: Array) -> str:
    """How far answers moved."""
    far = float(np.max(abs(after - before)))
    if before.ndim == 1:
        spread: Any = before.std()
        return f"a number moves by {far:.3g} at most, {far / (spread or 1):.2g} of their standard deviation"
    other = int((before.argmax(axis=1) != after.argmax(axis=1)).sum())
    return f"a probability moves by {far:.3g} at most, and {other:,} answers are another class"
