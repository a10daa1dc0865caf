"""The caller's rows: inputs, targets and weights as arrays, checked, by the names under which programs know them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from thalweg.batches import arrays as batches
from thalweg.engine.contract import Array, Chunk, Job
from thalweg.errors import ArgumentError
from thalweg.layers.layer import Shape
from thalweg.metrics import Metric
from thalweg.models.goals import ModelLoss, OutputGoal, spread
from thalweg.models.graph import Graph
from thalweg.models.lengths.filled import Filled
from thalweg.models.lengths.ragged import filled, filler
from thalweg.program.ir.counter import permutation
from thalweg.program.lowering import places

GIVEN = "given "  # before the name of targets as they were given, which metrics of Python code get
Data = dict[str, Array]  # the caller's arrays by the names under which programs know them: X, Y, weights


class Observed:
    """Metrics of Python code, which get targets and predictions batch by batch.

    Args:
        metrics: each with the number of its output, of `count`.
    """

    def __init__(self, metrics: Sequence[tuple[int, Metric]], count: int) -> None:
        names = [places(name, count) for name in ("Y", "Y_pred")]
        self.metrics = [(GIVEN + names[0][k], names[1][k], metric) for k, metric in metrics]

    def reset(self) -> None:
        """Begins a new epoch."""
        for _, _, metric in self.metrics:
            metric.reset_state()

    def see(self, job: Job, given: Data, chunk: Chunk) -> None:
        """Takes the batches of a chunk whose steps are done."""
        order = chunk.order
        for step in range(chunk.steps):
            epoch, batch = divmod(chunk.batch + step, job.steps_per_epoch)
            begin, after = batch * job.batch, min((batch + 1) * job.batch, job.rows)
            rows: Any = slice(begin - job.first, after - job.first)
            if not job.one_batch and (job.shuffle or chunk.order is not None):
                if chunk.order is None and (order is None or batch == 0):
                    order = permutation(job.seed, chunk.epoch + epoch, job.rows)
                assert order is not None
                rows = order[begin:after]
            for y, y_pred, metric in self.metrics:
                metric.update_state(given[y][rows], job.data[y_pred][rows])


def of_engine(data: Data, goals: Sequence[tuple[OutputGoal, Shape]], kind: np.dtype[Any]) -> Data:
    """What the engine gets of some rows, with room for the predictions that metrics of Python code look at."""
    rows, names = len(first(data)), places("Y_pred", len(goals))
    wanted = {k for k, _ in python_metrics([goal for goal, _ in goals])}
    room = {names[k]: np.zeros((rows, *(goals[k][1])), kind) for k in wanted}
    return {name: a for name, a in data.items() if not name.startswith(GIVEN)} | room


def python_metrics(goals: Sequence[OutputGoal]) -> list[tuple[int, Metric]]:
    """The metrics that are Python code, with the numbers of their outputs."""
    return [(k, named.metric) for k, goal in enumerate(goals) for named in goal.metrics if named.metric.by_itself]


def observed(goals: Sequence[OutputGoal], what: str = "") -> Observed | None:
    """Those metrics, if there are any. what: raises, if this is what can't call them."""
    found = python_metrics(goals)
    if what and found:
        raise ArgumentError(f"{what} runs many steps at once, and {found[0][1].name!r} is a metric of Python code")
    return Observed(found, len(goals)) if found else None


def first(data: Data) -> Array:
    """The first input."""
    return next(iter(data.values()))


def row_of(x: Any) -> Shape:
    """The shape of a row of the caller's array."""
    return batches.to_array(x, "x").shape[1:] or (1,)


def given_inputs(graph: Graph, x: Any) -> tuple[list[Any], list[str]]:
    """What the caller gave for each input, and what it is called in messages."""
    names = graph.input_names
    if len(names) > 1:
        return spread(x, names, "x", [True] * len(names)), [f"x of {name!r}" for name in names]
    x = x[names[0]] if isinstance(x, dict) and names[0] in x else x
    ndim = 1 + len(graph.input_shapes[0])
    x = x[0] if isinstance(x, (list, tuple)) and len(x) == 1 and np.ndim(x[0]) == ndim else x
    return [x], ["x"]


def input_arrays(graph: Graph, x: Any, kind: np.dtype[Any]) -> list[Array]:
    """The arrays that the network gets, of the right shapes and types."""
    shapes, feeds = graph.input_shapes, graph.feeds
    given, called = given_inputs(graph, x.arrays if isinstance(x, Filled) else x)
    for k, layers in enumerate(graph.behind_inputs()):
        given[k] = filled(given[k], shapes[k], filler(layers), called[k])
    arrays = [f.array(given, shapes, kind, called) for f in feeds]
    for feed, array in zip(feeds[1:], arrays[1:], strict=True):
        batches.same_rows(arrays[0], array, called[feed.place])
    if any(a.dtype != np.uint8 for a in arrays) or isinstance(x, Filled):
        arrays = [batches.contiguous(a, kind, "x") for a in arrays]
    return [*arrays, batches.contiguous(x.lengths, kind, "x")] if isinstance(x, Filled) else arrays


def targets_and_weights(
    names: Sequence[str],
    goals: Sequence[tuple[OutputGoal, Shape]],
    y: Any,
    sample_weight: Any,
    class_weight: Mapping[int, float] | None,
    x: Array,
    kind: np.dtype[Any],
) -> Data:
    """The targets of the outputs that are trained, and the weights of the rows, for the first input's rows."""
    wanted = [g.loss is not None for g, _ in goals]
    if len(wanted) == 1 and len(x) > 1 and isinstance(y, (list, tuple)) and len(y) == 1 and np.ndim(y[0]) > 0:
        y = y[0]  # the targets of the one output in a list, rather than one row of them
    targets = spread(y, names, "y", wanted)
    given = spread(sample_weight, names, "sample_weight", wanted, shared=True, partial=True)
    data: Data = {}
    weights: dict[str, Array | None] = {}
    for k, (goal, output) in enumerate(goals):
        if goal.loss is None:
            continue
        if isinstance(goal.loss, ModelLoss):
            object.__setattr__(goal.loss, "has_targets", targets[k] is not None)
            targets[k] = np.zeros((len(x), 1), kind) if targets[k] is None else targets[k]
        array = batches.to_array(targets[k], "y" if len(goals) == 1 else f"y of {names[k]!r}")
        batches.same_rows(x, array)
        if any(named.metric.by_itself for named in goal.metrics):
            data[GIVEN + places("Y", len(goals))[k]] = array
        array = batches.contiguous(goal.loss.check_targets(array, output or (1,)), kind, "y")
        data[places("Y", len(goals))[k]] = array
        by_step = () if isinstance(goal.loss, ModelLoss) else output[:-1]
        weights[places("weights", len(goals))[k]] = batches.row_weights(given[k], class_weight, array, kind, by_step)
    return data | scaled(weights, [g.weight for g, _ in goals if g.loss is not None], len(x), kind)


def weigh(data: Data, class_weight: Mapping[int, float] | None, kind: np.dtype[Any]) -> None:
    """Multiplies the weights of the rows by those of their classes: as in Keras, for training alone."""
    if class_weight is None:
        return
    if "Y" not in data:
        raise ArgumentError("class_weight belongs to a model with one output: give sample_weight")
    weights = batches.row_weights(data.get("weights"), class_weight, data["Y"], kind)
    assert weights is not None
    data["weights"] = weights


def scaled(weights: dict[str, Array | None], factors: Sequence[float], rows: int, kind: np.dtype[Any]) -> Data:
    """The row weights times the weights of the losses: for all outputs if any has some."""
    if all(w is None for w in weights.values()) and all(f == 1 for f in factors):
        return {}
    ones = np.ones((rows, 1), kind)
    return {
        name: (ones if w is None else w) * kind.type(f) for (name, w), f in zip(weights.items(), factors, strict=True)
    }


def has_weights(data: Mapping[str, Array]) -> bool:
    """Whether there are weights of rows, for the one output or for each of several."""
    return any(name.startswith("weights") for name in data)


def weights_by_step(data: Mapping[str, Array]) -> tuple[tuple[str, Shape], ...]:
    """The shapes of weights that a row has for each of its steps, by name."""
    return tuple((n, a.shape[1:]) for n, a in data.items() if n.startswith("weights") and a.shape[1:] != (1,))
