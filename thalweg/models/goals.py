"""What the outputs of a model are trained for: losses, their weights, and metrics, as `compile` got them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from inspect import signature
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg import losses, metrics
from thalweg.engine.contract import mean_loss
from thalweg.errors import ArgumentError, ThalwegWarning
from thalweg.layers.layer import Shape
from thalweg.metrics import Named
from thalweg.metrics.means import OutputLoss
from thalweg.models.graph import Graph
from thalweg.ops.operation import row_value
from thalweg.ops.tensor import Traced, writing
from thalweg.program.builder import Builder
from thalweg.program.ir.instruction import FIRST_METRIC, ROWS, Buffer
from thalweg.support.arguments import arguments
from thalweg.support.checks import number, whole
from thalweg.support.naming import choose
from thalweg.support.nested import mapped


@arguments
class ModelLoss(losses.Loss):
    """The loss of a model whose class computes it: one number a row, or a mean over the rows.

    It is what `model.compute_loss(x, y, y_pred)` returns for tensors.
    """

    model: Any
    has_targets: bool = True  # whether there are any; otherwise y is None

    masks_itself = True  # by the losses that it calls

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss for tensors of the targets and of all outputs."""
        program: Builder = y_true.program
        graph = self.model._graph
        inputs = [Traced(program, b) for b in program.inputs]
        outputs = iter(Traced(program, b) for b in program.outputs)
        x = inputs[0] if len(inputs) == 1 else inputs
        y = y_true if self.has_targets else None
        y_pred = mapped(graph.structure, lambda _: next(outputs))
        compute = self.model.compute_loss
        takes = signature(compute).parameters.values()
        told = any(p.name == "training" or p.kind is p.VAR_KEYWORD for p in takes)
        named = {"training": program.training} if told else {}
        return compute(x=x, y=y, y_pred=y_pred, sample_weight=None, **named)

    def prepare(self, program: Builder, y_pred: Buffer, y: Buffer) -> Buffer:
        with writing(program):
            return row_value(program, self.call(Traced(program, y), y_pred))[0]

    def get_config(self) -> dict[str, Any]:
        return {}


@dataclass
class OutputGoal:
    """What one output is trained for."""

    loss: losses.Loss | None
    metrics: list[metrics.Named]
    weight: float


class Goals:
    """The arguments of `compile`, checked; they are divided among the outputs once these are known."""

    def __init__(self, loss: Any, names: Any, loss_weights: Any, weighted_metrics: Any) -> None:
        self.loss = losses.get(loss) if described(loss) else mapped(loss, losses.get)
        for given in flat([names, weighted_metrics]):
            if not isinstance(given, (str, dict, metrics.Metric)) and not callable(given):
                raise ArgumentError(f"metrics is a list of names or of thalweg.metrics, got {given!r}")
        if weighted_metrics:
            raise ArgumentError("weighted_metrics: metrics count every row the same; give the names in metrics")
        self.names, self.loss_weights = names, loss_weights
        self.model_loss: ModelLoss | None = None

    @property
    def metric_names(self) -> list[Any]:
        """The metrics as a list, as they were given."""
        return flat(self.names)

    def described(self, graph: Graph) -> Any:
        """The metrics as JSON: for one output what they are for its shape."""
        if len(graph.output_shapes) == 1:
            return [metrics.serialize(named) for named in self.outputs(graph)[0].metrics]

        def plain(given: Any) -> Any:
            """The description of a metric that isn't a name or a description already."""
            return given if isinstance(given, (str, dict)) else metrics.serialize(metrics.get(given, (1,), (1,)))

        return mapped(self.names, plain)

    def check(self, graph: Graph) -> None:
        """Raises if a name is unknown, or doesn't fit the outputs of a model that is built."""
        if graph.built:
            self.outputs(graph)
            for goal, output in zip(self.outputs(graph), graph.output_shapes, strict=True):
                if goal.loss is not None:
                    goal.loss.state_shapes(output, graph.features_shape)
        else:
            for given in self.metric_names:
                metrics.get(given, (1,), (1,))

    def outputs(self, graph: Graph) -> list[OutputGoal]:
        """The goal of each output."""
        names, shapes = graph.output_names, [shape or (1,) for shape in graph.output_shapes]
        count = len(shapes)
        every = [True] * count
        model, step = graph.own_loss, graph.step_of("training")
        if model is None and self.loss is None and step is not None:
            model = step.model  # whose step takes any targets
        if model is not None:
            own: list[Any] = [self.of_model(model), *[None] * (count - 1)]
        else:
            own = spread(alone("loss", self.loss, count), names, "loss", every, shared=True, partial=True)
        weights = spread(alone("loss_weights", self.loss_weights, count), names, "loss_weights", every, partial=True)
        given = self.metrics_of(names)
        goals = []
        for k, shape in enumerate(shapes):
            found: list[metrics.Named] = []
            if own[k] is not None:
                found = named_metrics(given[k], own[k], shape)
                if count > 1:
                    reported = metrics.Named("loss", OutputLoss(own[k]))
                    found = [metrics.Named(f"{names[k]}_{n.key}", n.metric) for n in [reported, *found]]
            elif given[k]:
                raise ArgumentError(f"output {names[k]!r} has metrics but no loss, whose targets they need")
            weight = 1.0 if weights[k] is None else number(f"loss_weights of {names[k]!r}", weights[k])
            goals.append(OutputGoal(own[k], found, weight))
        return goals

    def of_model(self, model: Any) -> losses.Loss:
        """The loss that the model's class computes."""
        if self.loss is not None:
            raise ArgumentError(f"{type(model).__name__} computes its loss in compute_loss: leave out loss in compile")
        if self.model_loss is None:
            self.model_loss = ModelLoss(model=model)
        return self.model_loss

    def metrics_of(self, names: Sequence[str]) -> list[list[Any]]:
        """The metrics given for each output: a list for all, a list of lists, or a dict."""
        given = self.names
        if given is None:
            return [[] for _ in names]
        if len(names) == 1 and not isinstance(given, dict):
            return [flat(given)]
        nested = isinstance(given, (list, tuple)) and len(given) == len(names)
        if isinstance(given, dict) and not described(given):
            for key in given:
                choose("output", key, names)
            return [one_or_more(given.get(name)) for name in names]
        if nested and any(isinstance(inner, (list, tuple)) or inner is None for inner in given):
            return [one_or_more(inner) for inner in given]
        if nested and len(names) > 1:
            return [[inner] for inner in given]
        return [one_or_more(given) for _ in names]


def described(given: Any) -> bool:
    """Whether it is what `serialize` returned, rather than a dict by outputs."""
    return isinstance(given, dict) and "class_name" in given


def flat(given: Any) -> list[Any]:
    """Every metric in lists and dicts."""
    if given is None:
        return []
    if isinstance(given, dict) and not described(given):
        given = list(given.values())
    return [m for inner in given for m in flat(inner)] if isinstance(given, (list, tuple)) else [given]


def one_or_more(given: Any) -> list[Any]:
    """A list of metrics, from one, several or none."""
    return [] if given is None else list(given) if isinstance(given, (list, tuple)) else [given]


def alone(what: str, given: Any, count: int) -> Any:
    """For a model with one output, what a list of one value holds."""
    if count > 1 or not isinstance(given, (list, tuple)):
        return given
    if len(given) != 1:
        raise ArgumentError(f"{what} is a list of {len(given)}, but the model has one output: give one {what}")
    return given[0]


def spread(
    given: Any, names: Sequence[str], what: str, wanted: Sequence[bool], shared: bool = False, partial: bool = False
) -> list[Any]:
    """One value for each of several inputs or outputs: from a dict by name, or a list in their order.

    Those that aren't wanted get None. shared: one value alone is that of all; partial: a dict may lack some, which get
    None.
    """
    if given is None:
        return [None for _ in names]
    if isinstance(given, dict):
        for key in given:
            choose(f"name in {what}", key, names)
        missing = [n for n, w in zip(names, wanted, strict=True) if w and n not in given]
        if missing and not partial:
            raise ArgumentError(f"{what} has nothing for {missing[0]!r}: it needs {', '.join(map(repr, names))}")
        return [given.get(name) for name in names]
    if len(names) == 1:
        return [given]
    if isinstance(given, (list, tuple)):
        if len(given) == len(names):
            return list(given)
        if len(given) == sum(wanted):
            values = iter(given)
            return [next(values) if w else None for w in wanted]
    elif shared or sum(wanted) == 1:
        return [given if w else None for w in wanted]
    raise ArgumentError(f"{what} is a list of {len(names)}, or a dict with the keys {', '.join(map(repr, names))}")


def named_metrics(names: Sequence[Any], loss: losses.Loss, output: Shape) -> list[metrics.Named]:
    """The metrics for a network's output; one that is unknown or doesn't fit raises, once the targets are known."""
    target = loss.target_shape(output)
    named = [metrics.get(name, output, target) for name in names]
    for metric in named if loss.knows_targets else []:
        metric.metric.check(output, target)
    return named


def warn_of_meaningless(
    run_eagerly: bool, steps_per_execution: int, jit_compile: bool | str, auto_scale_loss: bool
) -> None:
    """One warning for the arguments of `compile` that have no effect here, if any isn't the default."""
    given = {
        "run_eagerly": bool(run_eagerly),
        "steps_per_execution": whole("steps_per_execution", steps_per_execution),
        "jit_compile": jit_compile,
        "auto_scale_loss": bool(auto_scale_loss),
    }
    usual = {"run_eagerly": False, "steps_per_execution": 1, "jit_compile": "auto", "auto_scale_loss": True}
    if named := [name for name, value in given.items() if value != usual[name]]:
        warnings.warn(
            f"compile: {', '.join(named)} without effect: every program is compiled, and runs as many steps at once as "
            "it can; leave it out",
            ThalwegWarning,
            stacklevel=4,
        )


def scores(metrics: Sequence[tuple[Named, Shape]], totals: NDArray[np.float64]) -> dict[str, list[float]]:
    """Loss and metrics of epochs from their running sums (epochs, sums)."""
    result = {"loss": mean_loss(totals.T).tolist()}
    place = FIRST_METRIC
    for named, output in metrics:
        size, score = named.metric.sums(output), named.metric.score
        result[named.key] = [score(t[place : place + size], t[ROWS], output) for t in totals]
        place += size
    return result
