"""The backward half of a program, derived from the forward half: adjoints of its instructions, in reverse."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from thalweg.errors import ThalwegError
from thalweg.program.instructions.elementwise import Add, Copy
from thalweg.program.ir.instruction import DATA, TOTALS, WORKSPACE, Adjoints, Buffer, Carry, Instruction


class Derivation:
    """Answers the questions of `Instruction.adjoint` while the program is walked backwards."""

    def __init__(
        self,
        forward: Sequence[Instruction],
        gradients: Mapping[Buffer, Buffer],
        wanted: Iterable[Buffer] = (),
        reached: set[Buffer] | None = None,
    ) -> None:
        self.gradients = gradients  # parameter → its stretch of the gradient vector
        self.trainable = trainable_values(forward, [*gradients, *wanted])
        self.reached = values_reaching_the_loss(forward) if reached is None else reached
        self.contributions: dict[Buffer, list[Buffer]] = {}
        self.finished: dict[Buffer, Buffer] = {}
        self.uses = dict.fromkeys(self.trainable, 0)
        for instruction in forward:
            for value in instruction.differentiable():
                if value in self.uses and any(o in self.reached for o in instruction.outputs):
                    self.uses[value] += 1

    def __call__(self, value: Buffer) -> Buffer:
        return self.finished[value]

    def wants(self, value: Buffer) -> bool:
        return value in self.trainable

    def known(self, value: Buffer) -> bool:
        return value in self.finished

    def into(self, value: Buffer) -> Buffer:
        number = len(self.contributions.setdefault(value, [])) + 1
        if self.uses[value] == 1:
            place = self.home(value)
        else:
            place = Buffer(f"d{value}_{number}", value.shape, WORKSPACE, value.per_row)
        self.contributions[value].append(place)
        return place

    def pass_on(self, adjoint: Buffer, value: Buffer) -> Iterator[Instruction]:
        """Shares the memory, without work: the memory plan never overwrites an adjoint that is still to be read."""
        if value in self.gradients:
            yield Copy(adjoint, self.into(value))
        else:
            self.contributions.setdefault(value, []).append(adjoint)

    def home(self, value: Buffer) -> Buffer:
        """Where the finished adjoint belongs."""
        return self.gradients.get(value) or Buffer(f"d{value}", value.shape, WORKSPACE, value.per_row)

    def total(self, value: Buffer) -> Buffer:
        return self.gradients[value]

    def of_part(
        self,
        part: Sequence[Instruction],
        wanted: Sequence[Buffer],
        ends: Mapping[Buffer, Sequence[Buffer]],
        carries: Sequence[Carry],
    ) -> tuple[list[Instruction], Adjoints]:
        trained = closed(wanted, ((c.after, c.memory) for c in carries), lambda f: trainable_values(part, f))
        given = [*ends, *(c.after for c in carries if c.given)]
        reached = closed(given, ((c.memory, c.after) for c in carries), lambda f: values_reaching(part, f))
        refuse_without_adjoint(part, trained, reached)
        d = Derivation(part, {}, trained, reached)
        d.contributions.update((value, list(found)) for value, found in ends.items() if value in d.trainable)
        for c in carries:
            if c.after in d.trainable and (c.given or c.memory in reached):
                d.contributions.setdefault(c.after, []).append(c.adjoint)
        backward = walked(part, d)[0]
        for value in [*wanted, *(c.memory for c in carries)]:
            if value in d.contributions and value not in d.finished and value.per_row:
                backward += d.finish(value)
        return backward, d

    def places(self, value: Buffer) -> Sequence[Buffer]:
        return self.contributions.get(value, ())

    def finish(self, value: Buffer) -> list[Instruction]:
        """Sums the contributions to one adjoint, in the order they came."""
        parts = self.contributions[value]
        if len(parts) == 1:
            self.finished[value] = parts[0]
            return []
        sums: list[Instruction] = []
        total = parts[0]
        for number, part in enumerate(parts[1:], start=2):
            last = number == len(parts)
            result = self.home(value) if last else Buffer(f"d{value}_{number}s", value.shape, WORKSPACE, value.per_row)
            sums.append(Add(total, part, result))
            total = result
        self.finished[value] = total
        return sums


def derive(forward: Sequence[Instruction], gradients: dict[Buffer, Buffer]) -> list[Instruction]:
    """The backward instructions for a forward program that ends in losses.

    Any directed acyclic graph of instructions is allowed: a value with several readers sums their contributions.
    `gradients` names, for every trainable parameter, the buffer that receives its gradient.
    """
    d = Derivation(forward, gradients)
    refuse_without_adjoint(forward, d.trainable, d.reached)
    backward, in_place = walked(forward, d)
    for parameter in gradients:
        if parameter not in d.contributions:
            raise ThalwegError(f"the loss does not depend on {parameter}: a layer declares it but never uses it")
        backward += d.finish(parameter)
    return backward + in_place


def closed(
    first: Iterable[Buffer], pairs: Iterable[tuple[Buffer, Buffer]], reaching: Callable[[set[Buffer]], set[Buffer]]
) -> set[Buffer]:
    """What is reached from the first values, if whatever reaches the first of a pair reaches the second, too."""
    found, pairs = set(first), list(pairs)
    while True:
        found = reaching(found)
        more = {other for value, other in pairs if value in found} - found
        if not more:
            return found
        found |= more


def walked(forward: Sequence[Instruction], d: Derivation) -> tuple[list[Instruction], list[Instruction]]:
    """The adjoints of instructions, from the last to the first; and what adds to gradients that are finished."""
    backward: list[Instruction] = []
    in_place: list[Instruction] = []  # penalties, which add to finished gradients
    for instruction in reversed(forward):
        terminal = any(o.region == TOTALS for o in instruction.outputs)
        if not terminal:
            if not any(o in d.contributions for o in instruction.outputs):
                continue  # no loss depends on it
            for output in instruction.outputs:
                if output in d.contributions:
                    backward += d.finish(output)
        elif not can_be_differentiated(instruction):
            continue  # a metric
        for step in instruction.adjoint(d):
            (in_place if step.accumulates else backward).append(step)
    return backward, in_place


def refuse_without_adjoint(forward: Sequence[Instruction], trainable: set[Buffer], reached: set[Buffer]) -> None:
    """Raises if a loss depends on weights through an instruction without an adjoint."""
    for i in forward:
        if (
            can_be_differentiated(i)
            or not all(o.per_row for o in i.outputs)
            or not any(o in reached for o in i.outputs)
        ):
            continue
        if all(o.region == DATA for o in i.outputs):
            continue  # what is stored goes no further
        if any(v in trainable for v in i.inputs):
            raise ThalwegError(
                f"'{i.title}' ({i.formula}) follows layers with weights, but has no derivative: put it before them"
            )


def can_be_differentiated(instruction: Instruction) -> bool:
    return type(instruction).adjoint is not Instruction.adjoint


def trainable_values(forward: Sequence[Instruction], wanted: Iterable[Buffer]) -> set[Buffer]:
    """The values whose adjoints are wanted, such as trained weights, and every value that depends on one."""
    found = set(wanted)
    for instruction in forward:
        if any(v in found for v in instruction.differentiable()):
            found.update(instruction.outputs)
    return found


def values_reaching_the_loss(forward: Sequence[Instruction]) -> set[Buffer]:
    """Every value that a loss depends on, and the losses' own sums."""
    return values_reaching(forward, ())


def values_reaching(forward: Sequence[Instruction], ends: Iterable[Buffer]) -> set[Buffer]:
    """Every value that one of `ends` or a loss depends on, and these themselves."""
    found = set(ends)
    for instruction in reversed(forward):
        loss = can_be_differentiated(instruction) and any(o.region == TOTALS for o in instruction.outputs)
        if loss or any(o in found for o in instruction.outputs):
            found.update(instruction.outputs)
            found.update(instruction.differentiable())
    return found
