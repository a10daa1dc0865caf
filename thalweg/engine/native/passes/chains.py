"""Chains of pointwise operations as one instruction: what only the next operation reads never gets to memory."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from thalweg.engine.native.layouts.orders import ByColumns
from thalweg.program.formula.language import names_in, within
from thalweg.program.formula.operations import BINARY, Operation
from thalweg.program.instructions.activations import Elementwise, ElementwiseAdjoint
from thalweg.program.instructions.elementwise import Add
from thalweg.program.instructions.pointwise import Pointwise
from thalweg.program.ir.instruction import WORKSPACE, Buffer, Instruction
from thalweg.program.passes.draft import Draft

MOST_VALUES = 6  # that a chain reads: with more, a row of the machine's table may be too short
MOST_NUMBERS = 8
LEAST = 2  # instructions in a chain
PLAIN = ("activation", "activation adjoint", "add")
WORD = re.compile(r"\b[A-Za-z_]\w*\b(?!\()")  # a variable: no function

Chain = list[Pointwise]  # in order; each but the last is read by a later one alone


def fuse_chains(draft: Draft) -> Draft:
    """Joins pointwise operations, activations, their adjoints and sums of adjoints of which each is read by the next
    alone and has as many elements. Activations without a pointwise operation beside them stay as they are."""
    changes = chained(draft, draft.forward) | chained(draft, draft.backward)
    return draft.changed(changes)


def chained(draft: Draft, half: Sequence[Instruction]) -> dict[Instruction, Sequence[Instruction]]:
    """The changes of one half of a program: its chains come to the places of their last operations."""
    chains: dict[Buffer, Chain] = {}  # by what they write
    for i in half:
        if (operation := pointwise(i)) is not None:
            chain = [operation]
            for v in dict.fromkeys(operation.values):
                before = chains.get(v)
                if (
                    before
                    and draft.only_reader(v) is i
                    and same_elements(before[-1], operation)
                    and fits([*before, *chain])
                ):
                    chain = [*before, *chain]
                    del chains[v]
            chains[operation.z] = chain
    ends = {z: chain for z, chain in chains.items() if pays(chain)}
    inner = {member.z for chain in ends.values() for member in chain[:-1]}
    changes: dict[Instruction, Sequence[Instruction]] = {}
    for i in half:
        z = i.outputs[0]
        if z in ends:
            changes[i] = [whole(ends[z])]
        elif z in inner:
            changes[i] = []
    return changes


def pays(chain: Chain) -> bool:
    """Whether there is anything to join that ordinary networks, whose passes are tuned, don't have."""
    return len(chain) >= LEAST and any(m.operation.name not in PLAIN for m in chain)


def fits(chain: Chain) -> bool:
    values = {v for m in chain for v in m.values} - {m.z for m in chain}
    return len(values) <= MOST_VALUES and sum(len(m.arguments) for m in chain) <= MOST_NUMBERS


def same_elements(one: Pointwise, reader: Pointwise) -> bool:
    """Whether an operation computes, without a sum, one element for each that its reader computes."""
    z = one.z
    return z.region == WORKSPACE and z.per_row and not one.summed and z.shape == reader.space


def pointwise(i: Instruction) -> Pointwise | None:
    """A per-row instruction as a pointwise operation; None if it isn't one, or works by columns."""
    if not i.per_row or any(isinstance(b, ByColumns) for b in i.operands):
        return None
    match i:
        case Pointwise(operation=Operation(combine="sum")):
            return i
        case Add():
            return Pointwise(named("add", BINARY["add"].value, ("x", "y"), (), 1), (i.x, i.y), i.z)
        case Elementwise(parameters=()):
            e = i.equation
            return Pointwise(named("activation", e.value, ("h",), tuple(e.arguments), e.cost), (i.h,), i.a, i.arguments)
        case ElementwiseAdjoint(of=Elementwise(parameters=()) as of):
            e = of.equation
            text, v = within("da * {}", e.slope), "h" if i.v is of.h else "a"
            used = {"da": i.da} | ({v: i.v} if v in names_in(text) else {})
            operation = named("activation adjoint", text, tuple(used), tuple(e.arguments), e.cost + 1)
            return Pointwise(operation, tuple(used.values()), i.dh, of.arguments)
    return None


@lru_cache(maxsize=1024)
def named(name: str, value: str, operands: tuple[str, ...], arguments: tuple[str, ...], cost: int) -> Operation:
    return Operation(name, value, dict.fromkeys(operands), arguments, cost=cost)


def whole(chain: Chain) -> Pointwise:
    """The chain as one instruction, whose text names the value of each member."""
    inner = {m.z: f"v{n}" for n, m in enumerate(chain[:-1])}
    read = dict.fromkeys(v for m in chain for v in m.values if v not in inner)
    symbols = inner | {v: f"x{n}" for n, v in enumerate(read)}
    lines: list[str] = []
    numbers: list[str] = []
    for place, m in enumerate(chain):
        own = [f"k{len(numbers) + n}" for n in range(len(m.arguments))]
        numbers += own
        known = {name: symbols[v] for name, v in m.named.items()}
        lines += renamed(m.operation.value, known | dict(zip(m.operation.arguments, own, strict=True)), place)
        if m is not chain[-1]:
            lines[-1] = f"{symbols[m.z]} = {lines[-1]}"
    arguments = tuple(number for m in chain for number in m.arguments)
    cost = sum(m.operation.cost for m in chain)
    operation = named("pointwise chain", "\n".join(lines), tuple(symbols[v] for v in read), tuple(numbers), cost)
    return Pointwise(operation, tuple(read), chain[-1].z, arguments)


def renamed(text: str, names: dict[str, str], place: int) -> list[str]:
    """The lines of a text with other names for its variables; those that it defines itself get the place's number."""
    known = dict(names)
    result = []
    for line in text.strip().split("\n"):
        own, _, value = line.rpartition(" = ")
        changed = WORD.sub(lambda found: known.get(found[0], found[0]), value)
        if own:
            known[own] = f"d{place}_{own}"
            changed = f"{known[own]} = {changed}"
        result.append(changed)
    return result
