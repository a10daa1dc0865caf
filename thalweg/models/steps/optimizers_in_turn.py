"""The optimizers of a step as one: their slots one after the other, their steps counted together."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg import schedules
from thalweg.errors import ArgumentError, ThalwegError
from thalweg.optimizers import Optimizer
from thalweg.optimizers.optimizer import Rate
from thalweg.program.instructions.updates.matrix_updates import WholeUpdate
from thalweg.program.instructions.updates.updates import Statements
from thalweg.program.ir.instruction import Instruction

Array = NDArray[Any]


class Several(Optimizer):
    """The optimizers that a model's `train_step` uses, known once it has been traced; that of `compile`, if any."""

    def __init__(self, given: Optimizer | None) -> None:
        self.given = given
        self.members: list[Optimizer] = []
        self.turns: list[int] = []  # for each minimisation of a step the number of its optimizer
        self.steps = 0
        super().__init__(0.0)

    def adopt(self, turns: Sequence[Optimizer], owner: Any) -> None:
        """Takes the optimizers of a step's minimisations. After the first time, they have to be the same."""
        members = list({id(one): one for one in turns}.values())
        places = [next(k for k, member in enumerate(members) if member is one) for one in turns]
        if self.members and ([id(m) for m in members] != [id(m) for m in self.members] or places != self.turns):
            raise ThalwegError("train_step uses other optimizers than before: compile the model again")
        for place, member in enumerate(members):
            if member.owner not in (None, owner):
                raise ArgumentError(
                    f"this {member.kind} belongs to another model, whose steps it counts: make a new one"
                )
            if member.use_ema:
                raise ArgumentError(
                    f"{member.kind}: use_ema is for the steps of fit, not for a train_step of one's own"
                )
            if member.every > 1 and places.count(place) > 1:
                raise ArgumentError(
                    f"{member.kind}: gradient_accumulation_steps counts steps, and train_step uses it several times in "
                    "each: give every minimize an optimizer of its own"
                )
        if not self.members:
            self.members, self.turns = members, places
            for member in members:
                member.owner = owner
            self.iterations = self.steps

    def uses(self, member: int) -> int:
        """How often a step uses an optimizer."""
        return self.turns.count(member)

    @property
    def iterations(self) -> int:
        """Steps done."""
        return self.steps

    @iterations.setter
    def iterations(self, steps: int) -> None:
        self.steps = steps
        for place, member in enumerate(self.members):
            member.iterations = steps * self.uses(place)

    @property
    def learning_rate(self) -> float:
        """That of the first."""
        first = self.given or next(iter(self.members), None)
        return 0.0 if first is None else first.learning_rate

    @learning_rate.setter
    def learning_rate(self, value: Rate) -> None:
        if len(self.members) != 1:
            raise ArgumentError("the model has several optimizers: set the learning_rate of one of them")
        self.members[0].learning_rate = value

    def rates(self, steps: int) -> Array:
        """The learning rates of the next steps, (steps, minimisations)."""
        result, seen = np.zeros((steps, len(self.turns))), dict.fromkeys(range(len(self.members)), 0)
        for place, number in enumerate(self.turns):
            member, uses = self.members[number], self.uses(number)
            if member.schedule is None:
                result[:, place] = member.learning_rate
            else:
                every = schedules.evaluate(member.schedule, member.iterations, steps * uses)
                result[:, place] = every[seen[number] :: uses]
            seen[number] += 1
        return result

    def slot_names(self) -> tuple[str, ...]:
        return tuple(f"{k}/{name}" for k, member in enumerate(self.members) for name in member.slot_names())

    def initial_slots(self, slots: dict[str, Array], w: Array) -> None:
        for k, member in enumerate(self.members):
            member.initial_slots({name: slots[f"{k}/{name}"] for name in member.slot_names()}, w)

    def slots_of(self, turn: int) -> tuple[int, int]:
        """The number of the first slot of a minimisation's optimizer, and how many it has."""
        counts = [len(member.slot_names()) for member in self.members]
        number = self.turns[turn]
        return sum(counts[:number]), counts[number]

    def counted(self, turn: int, update: Sequence[Instruction]) -> list[Instruction]:
        """The instructions of a minimisation's update, in which t counts all updates of the optimizer.

        The engine's t counts steps. Of the n updates in a step, the k-th has the number n·(t − 1) + k.
        """
        number = self.turns[turn]
        uses, k = self.uses(number), self.turns[: turn + 1].count(number)
        return list(update) if uses == 1 else [recounted(i, uses, k) for i in update]


def recounted(i: Instruction, uses: int, k: int) -> Instruction:
    """An instruction of an update with n·(t − 1) + k in place of t."""
    if isinstance(i, WholeUpdate):
        raise ArgumentError(f"'{i.title}' counts steps: give every minimize in train_step an optimizer of its own")
    if not isinstance(i, Statements):
        return i
    return replace(i, text=re.sub(r"\bt\b", f"({uses} * t - {uses - k})", i.text))
