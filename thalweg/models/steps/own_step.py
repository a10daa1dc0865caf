"""A model's own `train_step` and `test_step`, lowered: to programs that run one after the other, and to scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import CodeType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from thalweg.absent import GUIDE, MINIMIZE
from thalweg.errors import ThalwegError
from thalweg.layers import Layer
from thalweg.layers.keywords import is_ours
from thalweg.models.steps.optimizers_in_turn import Several
from thalweg.models.steps.tracing import Minimisation, Part, Step, divided, tracing
from thalweg.ops.tensor import Traced
from thalweg.program.builder import Builder
from thalweg.program.instructions.elementwise import Reshape
from thalweg.program.ir.alignment import align
from thalweg.program.ir.instruction import FIRST_METRIC, PARAMETERS, ROWS, Buffer
from thalweg.program.ir.program import Program, Turn
from thalweg.program.lowering import Network, builder_inputs, gathered, places, update_of
from thalweg.program.passes.draft import Draft, Pass, Request
from thalweg.program.passes.verifier import rewritten
from thalweg.program.plain import PLAIN
from thalweg.support.nested import mapped, pack_x_y_sample_weight

Scores = Callable[[NDArray[np.float64]], dict[str, list[float]]]


class Lowering(Protocol):
    """What a compiled model tells of itself."""

    optimizer: Any
    graph: Any
    weights: Any

    def network(self) -> Network: ...
    @property
    def runs(self) -> Any: ...
    def objectives(self) -> Sequence[Any]: ...
    def prepare_slots(self) -> None: ...


class OwnStep:
    """The steps that a model's class defines, of `train_step` and `test_step` one at least.

    Args:
        model: the model.
        trains, tests: whether its class has the one and the other.
    """

    def __init__(self, model: Any, trains: bool, tests: bool) -> None:
        self.model, self.trains, self.tests = model, trains, tests
        self.names: dict[str, list[str]] = {}  # of the logs, by the kind of program

    @property
    def called(self) -> str:
        """The class in messages."""
        return type(self.model).__name__

    @property
    def minimises(self) -> bool:
        """Whether the class's code names `minimize`."""
        own = [vars(c).values() for c in type(self.model).__mro__ if not is_ours(c)]
        codes = [f.__code__ for values in own for f in values if hasattr(f, "__code__")]
        for code in codes:  # to which those of functions inside are added
            codes += [inner for inner in code.co_consts if isinstance(inner, CodeType)]
        return any("minimize" in code.co_names for code in codes)

    def defines(self, kind: str) -> bool:
        """Whether a kind of program is a step of the class's."""
        return {"training": self.trains, "evaluation": self.tests}.get(kind, False)

    def lower(
        self, compiled: Lowering, request: Request, passes: Sequence[Pass], after: str | None
    ) -> tuple[Program, int]:
        """The program of a step, and the number of its running sums. If it trains, it holds all its turns."""
        if request.visible or after is not None or passes is PLAIN is not compiled.runs.passes:
            compiled.graph.refuse("a trace, a listing or an export of the training")
        network, trains = compiled.network(), request.trains
        step, logs = self.traced(compiled, network, request)
        total = FIRST_METRIC + len(logs)
        self.names[request.kind] = list(logs)
        parts = divided(step, logs)
        if not trains:
            return Program(rewritten(Draft(parts[0].forward, request=request), passes).forward), total
        if not step.minimisations:
            raise ThalwegError(f"{self.called}.train_step trains nothing: {MINIMIZE}")
        several: Several = compiled.optimizer
        several.adopt([m.optimizer for m in step.minimisations], self)
        compiled.prepare_slots()
        programs = [self.made(network, request, passes, part, turn, several) for turn, part in enumerate(parts)]
        stride, turns = align(network.vector), []
        for turn, program in enumerate(programs):
            first, count = several.slots_of(turn) if turn < len(step.minimisations) else (0, 0)
            turns.append(Turn(program, first * stride, count * stride))
        first_program = programs[0]
        return replace(first_program, turns=turns, kept={}), total

    def traced(
        self, compiled: Lowering, network: Network, request: Request
    ) -> tuple[Step, Mapping[str, tuple[Buffer, bool]]]:
        """Runs the Python of a step on the values of a program."""
        self.check_layers(compiled.graph)
        program = Builder(training=False)
        program.told = False  # as in Keras, layers act as in training where they are told so
        inputs = gathered(network, request, program)
        structure, values = structure_of(compiled.graph), iter([Traced(program, b) for b in inputs])
        data = pack_x_y_sample_weight(
            mapped(structure, lambda _: next(values)), *self.targets(compiled, network, request, program)
        )
        given = getattr(compiled.optimizer, "given", compiled.optimizer)
        step = Step(network, program, given, request.trains)
        with tracing(step):
            try:
                result = (self.model.train_step if request.trains else self.model.test_step)(data)
            except Exception as error:
                said = str(error) if isinstance(error, ThalwegError) else f"{type(error).__name__}: {error}"
                if not request.trains or step.minimisations or GUIDE in said or self.minimises:
                    raise
                raise ThalwegError(f"{self.called}: {MINIMIZE}; this one doesn't, and ended in {said}") from error
        logs = step.logged(result)
        for states in program.carried.values():
            raise ThalwegError(
                f"{self.called}: {states.layer.owner} hands on states from batch to batch, which a step of one's own "
                "can't: return the states, and give them back as initial_state"
            )
        self.check_weights(compiled, program)
        return step, logs

    def targets(self, compiled: Lowering, network: Network, request: Request, program: Builder) -> tuple[Any, Any]:
        """The targets, alone or in a list, and the weights of the rows, in the same way; None where there are none."""
        steps, count = dict(request.steps), len(network.output_shapes)
        ys: list[Any] = []
        weights: list[Any] = []
        for goal, shape, target, weight in zip(
            compiled.objectives(), network.output_shapes, places("Y", count), places("weights", count), strict=True
        ):
            if goal.loss is None:
                continue
            y, w = builder_inputs(
                program,
                goal.loss.target_shape(shape or (1,)),
                target,
                weight if request.weighted else None,
                steps.get(weight),
            )
            ys.append(Traced(program, y) if getattr(goal.loss, "has_targets", True) else None)
            if w is not None and w.shape == (1,):
                w = program.append(Reshape(w, program.view(w, ())))
            weights.append(None if w is None else Traced(program, w))
        return alone(ys), alone(weights)

    def build_inside(self) -> None:
        """Builds the models inside that know their inputs."""
        for layer in layers_of(self.model):
            if not layer.connected and getattr(layer, "inputs", None):
                layer.build(None)

    def check_weights(self, compiled: Lowering, program: Builder) -> None:
        """Raises if the step reads weights that aren't the model's, which lie elsewhere."""
        own = {id(parameter.buffer) for _, parameter in compiled.weights.named()}
        for b in (b.storage for i in program.instructions for b in i.inputs):
            if b.region == PARAMETERS and id(b) not in own:
                raise ThalwegError(
                    f"{self.called}.{b} is a weight of a layer that isn't the model's: a step calls layers that are "
                    "attributes of a model with a call, or between its inputs and outputs"
                )

    def check_layers(self, graph: Any) -> None:
        """Raises if a layer has no shapes yet, as those that only a step calls, or is one that a step can't call."""
        if graph.filled:
            raise ThalwegError(
                f"{self.called}: a step of its own takes sequences of one length in a fit, not filled up"
            )
        if any(feed.lookups for feed in graph.feeds):
            raise ThalwegError(f"{self.called}: look-up layers stand before a model with a step of its own, not in it")
        for layer in layers_of(self.model):
            if not layer.connected:
                raise ThalwegError(
                    f"{self.called}: layer {layer.shown_name} is called in a step only, where no weights can be made: "
                    "begin its network with an Input, or call it in call(self, x)"
                )

    def made(
        self, network: Network, request: Request, passes: Sequence[Pass], part: Part, turn: int, several: Several
    ) -> Program:
        """The program of one part of a step."""
        if part.of is None:
            if any(b.region == PARAMETERS and b.view_of is None for i in part.forward for b in i.outputs):
                raise ThalwegError(
                    f"{self.called}.train_step: a layer acts as in training behind the last minimize: call it before"
                )
            draft = Draft(part.forward, request=replace(request, kind="evaluation"))
            return Program(rewritten(draft, passes).forward)
        network = of_weights(network, part.of)
        optimizer = part.of.optimizer
        update = several.counted(turn, update_of(network, optimizer, part.forward))
        trained = [weight.buffer for weight in network.weights]
        draft = Draft(part.forward, (), update, request, trained, (), network.vector)
        draft = rewritten(draft, passes)
        return Program(draft.forward, draft.backward, draft.update, optimizer.every)

    def scores(self, kind: str) -> Scores:
        """The logs of epochs from their running sums (epochs, sums), once a step has been traced."""
        return lambda totals: means(self.names[kind], totals)


def means(names: Sequence[str], totals: NDArray[np.float64]) -> dict[str, list[float]]:
    """The mean of each logged number over the rows of an epoch."""
    return {name: (totals[:, FIRST_METRIC + k] / totals[:, ROWS]).tolist() for k, name in enumerate(names)}


def of_weights(network: Network, of: Minimisation) -> Network:
    """A network as far as a minimisation trains it."""
    buffers = {weight.buffer for weight in of.weights}
    return replace(
        network,
        weights=of.weights,
        penalties=[],  # they are among the minimisation's terms
        constraints=[i for i in network.constraints if any(b in buffers for b in i.operands)],
    )


def structure_of(graph: Any) -> Any:
    """The inputs in the structure in which a model takes them."""
    for name in ("shapes", "taken"):
        if vars(graph).get(name) is not None:
            return vars(graph)[name]
    return 0


def alone(values: list[Any]) -> Any:
    """One value by itself; of none, or where none is there, None."""
    if all(v is None for v in values):
        return None
    return values[0] if len(values) == 1 else values


def layers_of(layer: Any) -> list[Layer]:
    """All layers inside one, and inside these."""
    return [found for inner in layer.inside for found in (inner, *layers_of(inner))]
