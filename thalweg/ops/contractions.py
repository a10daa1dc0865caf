"""Products: of matrices, of vectors, and sums of products by Einstein's convention."""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import Any

import numpy as np

from thalweg.errors import ShapeError
from thalweg.ops.arrangement import Rows, expand_dims, reshape, shape, squeeze, transpose
from thalweg.ops.indexing import diagonal
from thalweg.ops.operation import operand, operation
from thalweg.ops.pointwise import aligned, multiply
from thalweg.ops.summaries import sum as total
from thalweg.ops.tensor import Operators, Traced, program_of, refuse

__all__ = ["dot", "einsum", "matmul", "outer", "tensordot", "vdot"]


@operation(np.matmul)
def matmul(x1: Any, x2: Any) -> Any:
    """x₁·x₂ over the last axis of x₁ and the last but one of x₂; axes before them are broadcast.

    >>> matmul([[1, 2]], [[3], [4]]).tolist()
    [[11]]
    """
    program = program_of([x1, x2])
    if len(shape(x1)) == len(shape(x2)) > 2:
        x1, x2 = aligned(x1, x2)
    one, other = (Traced(program, operand(program, x)) for x in (x1, x2))
    if one.buffer.per_row and other.buffer.per_row and len(one.shape) != len(other.shape):
        raise refuse(
            f"matmul of tensors of shapes {one.shape} and {other.shape}: which axis is that of the rows would change"
        )
    if other.buffer.per_row and len(other.shape) == 2:
        raise refuse(
            f"matmul can't multiply by a tensor of shape {other.shape}: its first axis are the rows of the batch"
        )
    return program.matmul(one.buffer, other.buffer)


def dot(x1: Any, x2: Any) -> Any:
    """As `matmul`; of two vectors Σ x₁·x₂.

    >>> int(dot([1, 2], [3, 4]))
    11
    """
    if len(shape(x1)) <= 1 and len(shape(x2)) <= 1:
        return total(multiply(x1, x2)) if not isinstance(x1, Operators) else matmul(x1, x2)
    return matmul(x1, x2)


vdot = dot


def outer(x1: Any, x2: Any) -> Any:
    """Every product of a number of x₁ and one of x₂, along two axes; of arrays and weights of any shape.

    >>> outer([1, 2], [[3], [4]]).tolist()
    [[3, 4], [6, 8]]
    """
    if any(isinstance(x, Operators) and bool(x.shape) and x.shape[0] is None for x in (x1, x2)):
        raise refuse(
            "outer multiplies every number of x1 by every one of x2, those of other rows too; "
            "for the vectors of each row there is einsum('bi,bj->bij', x1, x2)"
        )
    return multiply(expand_dims(reshape(x1, (-1,)), 1), expand_dims(reshape(x2, (-1,)), 0))


def tensordot(x1: Any, x2: Any, axes: Any = 2) -> Any:
    """Sums of products over several axes of both: their number, the last of x₁ and the first of x₂, or two lists.

    >>> int(tensordot([1, 2], [3, 4], 1))
    11
    """
    ranks = len(shape(x1)), len(shape(x2))
    one, other = (
        (list(range(ranks[0] - axes, ranks[0])), list(range(axes)))
        if isinstance(axes, int)
        else [listed(a) for a in axes]
    )
    for axes_of, rank, name in ((one, ranks[0], "x1"), (other, ranks[1], "x2")):
        if any(not -rank <= axis < rank for axis in axes_of):
            raise ShapeError(f"axes {axes!r}: {name} has {rank} axes; rows of a batch can't be summed")
    letters = iter("abcdefghijklmnopqrstuvwxyz")
    first, second = [next(letters) for _ in range(ranks[0])], [next(letters) for _ in range(ranks[1])]
    for a, b in zip(one, other, strict=True):
        second[b] = first[a]
    kept = [c for c in first if c not in second] + [c for c in second if c not in first]
    return einsum(f"{''.join(first)},{''.join(second)}->{''.join(kept)}", x1, x2)


def listed(axes: Any) -> list[int]:
    return [axes] if isinstance(axes, int) else list(axes)


def einsum(subscripts: str, *operands: Any, **named: Any) -> Any:
    """Sums of products by Einstein's convention: einsum("bij,bjk->bik", x, y).

    Letters are axes. One that the result lacks is summed over; one that an operand has twice is its diagonal; "..."
    stands for any further axes, which broadcast. Without "->", the result has the letters that stand once, in the
    order of the alphabet. Of more than two operands, two at a time are multiplied, in the order that costs least.

    In a network the letter of the rows comes first in each tensor of rows, and in the result: rows aren't summed.

    >>> einsum("ij,jk->ik", np.ones((1, 2)), np.ones((2, 1))).tolist()
    [[2.0]]
    """
    if not any(isinstance(x, Operators) for x in operands):
        return np.einsum(subscripts, *operands, **named)
    for name in named:
        raise refuse(f"einsum of tensors takes no {name}: the order of products is chosen by their cost")
    terms, output = letters_of(subscripts, operands)
    values = list(operands)
    check_rows(subscripts, values, terms, output)
    for k, term in enumerate(terms):
        values[k], terms[k] = on_diagonals(values[k], term)
    sizes = {c: n for term, v in zip(terms, values, strict=True) for c, n in zip(term, shape(v), strict=True)}
    for pair in order_of(terms, output, sizes):
        taken = [(values[k], terms[k]) for k in sorted(pair)]
        for k in sorted(pair, reverse=True):
            del values[k], terms[k]
        kept = output if not terms else "".join(dict.fromkeys("".join(term for _, term in taken)))
        kept = "".join(c for c in kept if c in output or any(c in term for term in terms))
        if any(per_row(x) for x, _ in taken):
            first = next(term[0] for x, term in taken if per_row(x))
            kept = first + kept.replace(first, "")
        values.append(product([x for x, _ in taken], [term for _, term in taken], kept))
        terms.append(kept)
    return summed_and_ordered(values[0], terms[0], output)


def per_row(x: Any) -> bool:
    """Whether x is a tensor of rows."""
    return isinstance(x, Operators) and bool(x.shape) and x.shape[0] is None


def letters_of(subscripts: str, operands: Any) -> tuple[list[str], str]:
    """The terms and the result, with letters in the places of "…" and of a result that isn't said."""
    text = subscripts.replace(" ", "")
    inputs, arrow, output = text.partition("->")
    terms = inputs.split(",")
    bare = text.replace("->", "").replace(",", "").replace("...", "")
    if len(terms) != len(operands) or not (bare.isalpha() or not bare) or not bare.isascii():
        raise refuse(
            f"einsum takes letters and '...' for each of its {len(operands)} operands, such as 'bij,bjk->bik', got "
            f"{subscripts!r}"
        )
    unused = [c for c in string.ascii_letters if c not in bare]
    more = [len(shape(x)) - len(term.replace("...", "")) for term, x in zip(terms, operands, strict=True)]
    longest = max([n for n, term in zip(more, terms, strict=True) if "..." in term], default=0)
    extra = "".join(unused[: max(longest, 0)])
    for k, (term, n, x) in enumerate(zip(terms, more, operands, strict=True)):
        if n < 0 or (n and "..." not in term) or term.count("...") > 1:
            raise refuse(f"einsum: {term!r} doesn't name the axes of a tensor of shape {shape(x)}")
        terms[k] = term.replace("...", extra[len(extra) - n :])
    if not arrow:
        once = sorted(c for c in set(bare) if bare.count(c) == 1)
        return terms, extra + "".join(once)
    if extra and "..." not in output:
        raise refuse(f"einsum: {subscripts!r} needs '...' in its result, too: what it stands for can't be summed")
    output = output.replace("...", extra)
    if len(set(output)) < len(output) or not set(output) <= set("".join(terms)):
        raise refuse(f"einsum: the result of {subscripts!r} has an axis twice, or one that no operand has")
    return terms, output


def check_rows(subscripts: str, values: list[Any], terms: list[str], output: str) -> None:
    """Raises if the letter of the rows isn't the first of every tensor of rows and of the result, or stands elsewhere.

    What is the same for all rows may have an axis of size 1 in their place, which is dropped; likewise one of size 1 of
    what "…" stands for.
    """
    firsts = {term[0] for x, term in zip(values, terms, strict=True) if per_row(x)}
    largest: dict[str, Any] = {}
    for x, term in zip(values, terms, strict=True):
        for c, n in zip(term, shape(x), strict=True):
            largest[c] = n if largest.get(c, 1) == 1 else largest[c]
    for k, (x, term) in enumerate(zip(values, terms, strict=True)):
        for c in term:
            place, n = terms[k].index(c), shape(values[k])[terms[k].index(c)]
            if c in firsts and not per_row(x) and n != 1:
                raise refuse(f"einsum: {c!r} are the rows of the batch, of any number, not {n}")
            if not isinstance(n, Rows) and n != largest[c] and n != 1:
                raise refuse(f"einsum: the axis {c!r} has the sizes {largest[c]} and {n} in {subscripts!r}")
            if n == 1 and largest[c] != 1:
                values[k], terms[k] = squeeze(values[k], place), terms[k][:place] + terms[k][place + 1 :]
    if not firsts:
        return
    rows = min(firsts)
    alone = len(values) == 1 and not output  # a sum over everything, for a loss
    if len(firsts) > 1 or (output[:1] != rows and not alone) or any(rows in term[1:] for term in terms):
        raise refuse(
            f"einsum {subscripts!r} mixes the rows of the batch: their letter has to be the first of every tensor of "
            "rows and of the result, and to stand nowhere else"
        )


def on_diagonals(x: Any, term: str) -> tuple[Any, str]:
    """x with each axis once: of one that stands twice, the diagonal, as its last axis."""
    while len(set(term)) < len(term):
        letter = next(c for c in term if term.count(c) > 1)
        one = term.index(letter)
        other = term.index(letter, one + 1)
        if shape(x)[one] != shape(x)[other]:
            raise refuse(f"einsum: {letter!r} stands for axes of {shape(x)[one]} and {shape(x)[other]}")
        x = diagonal(x, 0, one, other)
        term = "".join(c for k, c in enumerate(term) if k not in (one, other)) + letter
    return x, term


def order_of(terms: list[str], output: str, sizes: dict[str, Any]) -> list[Sequence[int]]:
    """Which operands are multiplied one after the other, as NumPy chooses them; a product goes to the end."""
    if len(terms) < 3:
        return [(0, 1)] if len(terms) == 2 else []
    shapes = [tuple(32 if isinstance(sizes[c], Rows) else sizes[c] for c in term) for term in terms]
    path, _ = np.einsum_path(
        f"{','.join(terms)}->{output}", *(np.broadcast_to(0.0, s) for s in shapes), optimize="greedy"
    )
    pairs: list[Sequence[int]] = []
    count = len(terms)
    for group in map(sorted, path[1:]):  # which may name three or more, where NumPy sees no gain in an order
        for n in range(len(group) - 1):
            pairs.append(group[:2] if n == 0 else (group[n + 1] - n - 1, count - 1))
            count -= 1
    return pairs


def summed_and_ordered(x: Any, term: str, output: str) -> Any:
    """One operand: sums over the letters that the result lacks, then the order of the result."""
    gone = tuple(k for k, letter in enumerate(term) if letter not in output)
    if gone:
        x, term = total(x, gone), "".join(c for c in term if c in output)
    order = tuple(term.index(c) for c in output)
    return x if order == tuple(range(len(order))) else transpose(x, order)


def product(operands: Any, terms: list[str], output: str) -> Any:
    """Two operands: a product of matrices (batch axes, own axes, summed axes)·(batch axes, summed axes, own axes)."""
    order = (1, 0) if per_row(operands[1]) and not per_row(operands[0]) else (0, 1)
    values, terms = [operands[k] for k in order], [terms[k] for k in order]
    rows = terms[0][0] if per_row(values[0]) and not per_row(values[1]) else ""
    for k in (0, 1):  # a letter of one operand alone that the result lacks is summed first
        kept = "".join(c for c in terms[k] if c in output or c in terms[1 - k])
        values[k], terms[k] = summed_and_ordered(values[k], terms[k], kept), kept
    one, other = terms
    batch = [c for c in output if c in one and c in other]
    summed = [c for c in one if c in other and c not in output]
    if not summed:
        return multiply(*(spread(v, term, output) for v, term in zip(values, terms, strict=True)))
    left = [c for c in one if c not in other and c not in rows]
    right = [c for c in other if c not in one]
    x = summed_and_ordered(values[0], one, "".join([*rows, *batch, *left, *summed]))
    y = summed_and_ordered(values[1], other, "".join([*batch, *summed, *right]))
    before = len(rows) + len(batch)
    x, y = merged(x, before, len(left), len(summed)), merged(y, len(batch), len(summed), len(right))
    sizes = {c: n for term, v in zip(terms, values, strict=True) for c, n in zip(term, shape(v), strict=True)}
    found = "".join([*rows, *batch, *left, *right])
    return summed_and_ordered(reshape(matmul(x, y), [sizes[c] for c in found]), found, output)


def spread(x: Any, term: str, output: str) -> Any:
    """An operand with an axis for each letter of the result, of size 1 where it has none."""
    x = summed_and_ordered(x, term, "".join(c for c in output if c in term))
    sizes = dict(zip((c for c in output if c in term), shape(x), strict=True))
    wanted = tuple(sizes.get(c, 1) for c in output)
    return x if len(wanted) == len(sizes) else reshape(x, wanted)


def merged(x: Any, batch: int, first: int, second: int) -> Any:
    """Groups of axes as one axis each: the batch's as they are, then two. Rows that are no batch axis stay alone."""
    sizes = shape(x)
    one, other = sizes[batch : batch + first], sizes[batch + first :]
    if first == second == 1:
        return x
    return reshape(x, (*sizes[:batch], counted(one), counted(other)))


def counted(sizes: Any) -> Any:
    """The number of places of a group of axes; the rows alone stay the rows."""
    if len(sizes) == 1:
        return sizes[0]
    return int(np.prod([int(n) for n in sizes]))
