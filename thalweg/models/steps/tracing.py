"""What a step of one's own does, noted while its Python runs on values without numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from thalweg.errors import ArgumentError, ThalwegError
from thalweg.layers import Layer
from thalweg.models.steps.derived_again import gradient, needed, refuse_underived
from thalweg.ops.operation import row_value
from thalweg.ops.tensor import Symbol, Tensor, caller, writing
from thalweg.ops.variable import WeightBuffer
from thalweg.optimizers import Optimizer
from thalweg.program.builder import Builder
from thalweg.program.instructions.losses.penalties import ActivityPenalty
from thalweg.program.instructions.losses.row_value import RowValue
from thalweg.program.ir.instruction import FIRST_METRIC, LOSS, PARAMETERS, PENALTY, Buffer, Instruction
from thalweg.program.ir.program import changes
from thalweg.program.lowering import Network, Weight, sums
from thalweg.support.nested import leaves

Value = tuple[Buffer, bool]  # one number a row, and whether their sum over the rows is meant, not the mean


@dataclass
class Minimisation:
    """What one call of `minimize` asks for."""

    loss: Value
    terms: Sequence[Value]  # what layers have given to add_loss since the last one, and penalties
    activities: Sequence[tuple[Buffer, float, float]]  # penalties on the outputs of layers, since the last one
    penalties: Sequence[Instruction]  # those on weights, as far as they are instructions of their own
    weights: Sequence[Weight]
    optimizer: Optimizer
    end: int  # how many instructions had been written by then


class Step:
    """A step that is being traced."""

    def __init__(self, network: Network, program: Builder, optimizer: Optimizer | None, trains: bool) -> None:
        self.network, self.program, self.optimizer, self.trains = network, program, optimizer, trains
        self.minimisations: list[Minimisation] = []
        self.taken = (0, 0)  # of the program's objectives and penalties, those of minimisations
        self.derived: set[Instruction] = set()  # the instructions of gradients

    def gradient(self, value: Any, wrt: Any) -> Any:
        """∂value/∂wrt, written as instructions."""
        before = len(self.program.instructions)
        result = gradient(self.program, value, wrt)
        self.derived.update(self.program.instructions[before:])
        return result

    def minimize(self, loss: Any, weights: Any, optimizer: Optimizer | None) -> None:
        """Notes a minimisation of what has been traced so far."""
        if not self.trains:
            raise ThalwegError(f"{caller()}: test_step changes no weights: minimize belongs in train_step")
        program, optimizer = self.program, optimizer or self.optimizer
        if not isinstance(optimizer, Optimizer):
            raise ArgumentError(
                f"{caller()}: minimize needs an optimizer, its own or that of compile, got {optimizer!r}"
            )
        if not isinstance(loss, Tensor) or isinstance(loss, Symbol):
            raise ArgumentError(f"{caller()}: minimize takes a loss that is computed in train_step, got {loss!r}")
        chosen = self.chosen(weights)
        with writing(program):
            value = row_value(program, loss)
        terms, activities = program.objectives[self.taken[0] :], program.penalties[self.taken[1] :]
        self.taken = len(program.objectives), len(program.penalties)
        penalties, buffers = [], {weight.buffer for weight in chosen}
        for W, penalty in self.network.penalties:
            if W in buffers:
                term = penalty.term(program, W)
                if term is None:
                    penalties.append(penalty.lower(W, sums("penalty", PENALTY)))
                else:
                    terms.append(term)
        self.minimisations.append(
            Minimisation(value, terms, activities, penalties, chosen, optimizer, len(program.instructions))
        )

    def chosen(self, given: Any) -> list[Weight]:
        """The trained weights among those that were named; all of them if none were."""
        if given is None:
            return list(self.network.weights)
        wanted: set[int] = set()
        for one in leaves(given):
            if isinstance(one, Layer):
                wanted.update(id(parameter.buffer) for _, parameter in one.all_parameters())
            elif isinstance(one, WeightBuffer):
                wanted.add(id(one))
            else:
                raise ArgumentError(f"{caller()}: minimize trains layers, models and their weights, not {one!r}")
        found = [weight for weight in self.network.weights if id(weight.buffer) in wanted]
        if not found:
            raise ThalwegError(
                f"{caller()}: minimize finds no weights to train: the ones that it gets aren't this model's, "
                "or have trainable = False"
            )
        return found

    def logged(self, result: Any) -> dict[str, Value]:
        """What the step returns: a number a row for each name."""
        if not isinstance(result, Mapping) or not all(isinstance(name, str) for name in result):
            raise ArgumentError(f"a step returns a dict of names and numbers for the logs, got {result!r}")
        with writing(self.program):
            return {name: row_value(self.program, value) for name, value in result.items()}


_step: ContextVar[Step | None] = ContextVar("step", default=None)


@contextmanager
def tracing(step: Step) -> Iterator[None]:
    """While it is open, `minimize` adds to this step."""
    token = _step.set(step)
    try:
        with writing(step.program):
            yield
    finally:
        _step.reset(token)


def current_step(what: str) -> Step:
    """The step that is being traced. what: what can be called only then."""
    step = _step.get()
    if step is None:
        raise ThalwegError(f"{caller()}: {what} belongs in train_step(self, data), which fit traces")
    return step


@dataclass
class Part:
    """The forward half of one of a step's programs, and what it learns from it; nothing behind the last."""

    forward: list[Instruction]
    of: Minimisation | None


def divided(step: Step, logs: Mapping[str, Value]) -> list[Part]:
    """The programs of a step, each with all that its loss and its logs need, computed with the weights of its turn.

    What is logged belongs to the last program before which a weight that it depends on was read.
    """
    instructions, ends = step.program.instructions, [m.end for m in step.minimisations]
    starts = [0, *ends]
    turns = {i: sum(end <= place for end in ends) for place, i in enumerate(instructions)}
    places = {name: turn_of(instructions, value, turns) for name, (value, _) in logs.items()}
    last = max([len(ends) - 1, *places.values(), *(turns[i] for i in instructions if changes(i))])
    parts = []
    for place in range(max(1, last + 1)):
        own = {name: logs[name] for name, turn in places.items() if turn == place}
        of = step.minimisations[place] if place < len(ends) else None
        stretch = instructions[starts[place] : len(instructions) if of is None else of.end]
        kept = {i for i in stretch if changes(i)}
        ended = [] if of is None else objectives(of)
        numbers = {name: k for k, name in enumerate(logs)}
        ended += [
            RowValue(value, None, sums(name, FIRST_METRIC + numbers[name]), total, metric=True)
            for name, (value, total) in own.items()
        ]
        forward = [*needed(instructions, [b for i in ended for b in i.inputs], kept), *ended]
        if of is not None:
            refuse_underived(forward, [weight.buffer for weight in of.weights], step.derived)
        parts.append(Part(forward, of))
    return parts


def objectives(of: Minimisation) -> list[Instruction]:
    """The loss of a minimisation, its other terms and its penalties."""
    penalty = sums("penalty", PENALTY)
    return [
        RowValue(of.loss[0], None, sums("L", LOSS), of.loss[1]),
        *of.penalties,
        *(ActivityPenalty(a, l1, l2, penalty) for a, l1, l2 in of.activities),
        *(RowValue(value, None, penalty, total) for value, total in of.terms),
    ]


def turn_of(instructions: Sequence[Instruction], value: Buffer, turns: Mapping[Instruction, int]) -> int:
    """The last turn in which a weight is read on the way to a value."""
    way = needed(instructions, [value])
    return max((turns[i] for i in way if any(b.storage.region == PARAMETERS for b in i.inputs)), default=0)
