"""Products: of matrices, of vectors, and sums of products by Einstein's convention."""

from __future__ import annotations

from typing import Any

import numpy as np

from thalweg.errors import ShapeError
from thalweg.ops.arrangement import expand_dims, reshape, shape, squeeze, transpose
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


def einsum(subscripts: str, *operands: Any) -> Any:
    """Sums of products by Einstein's convention, of one or two operands: einsum("bij,bjk->bik", x, y).

    Letters: axes. One that stands in both operands and not in the result is summed over; one that is in all three is a
    batch axis. With one operand, axes are reordered and summed.

    >>> einsum("ij,jk->ik", np.ones((1, 2)), np.ones((2, 1))).tolist()
    [[2.0]]
    """
    if not any(isinstance(x, Operators) for x in operands):
        return np.einsum(subscripts, *operands)
    text = subscripts.replace(" ", "")
    inputs, arrow, output = text.partition("->")
    terms = inputs.split(",")
    if (
        not arrow
        or len(terms) != len(operands)
        or len(terms) > 2
        or not text.replace("->", "").replace(",", "").isalpha()
    ):
        raise refuse(f"einsum takes one or two operands and letters, such as 'bij,bjk->bik', got {subscripts!r}")
    for term, x in zip(terms, operands, strict=True):
        if len(set(term)) < len(term) or len(term) != len(shape(x)):
            raise refuse(f"einsum: {term!r} doesn't name the axes of a tensor of shape {shape(x)}, each once")
    if len(terms) == 1:
        return summed_and_ordered(operands[0], terms[0], output)
    return product(operands, terms, output)


def summed_and_ordered(x: Any, term: str, output: str) -> Any:
    """One operand: sums over the letters that the result lacks, then the order of the result."""
    gone = tuple(k for k, letter in enumerate(term) if letter not in output)
    if gone:
        x, term = total(x, gone), "".join(c for c in term if c in output)
    order = tuple(term.index(c) for c in output)
    return x if order == tuple(range(len(order))) else transpose(x, order)


def product(operands: Any, terms: list[str], output: str) -> Any:
    """Two operands: a product of matrices (batch axes, own axes, summed axes)·(batch axes, summed axes, own axes)."""
    values, terms, rows = rows_first(operands, terms)
    for k in (0, 1):  # a letter of one operand alone that the result lacks is summed first
        kept = "".join(c for c in terms[k] if c in output or c in terms[1 - k])
        values[k], terms[k] = summed_and_ordered(values[k], terms[k], kept), kept
    one, other = terms
    batch = [c for c in output if c in one and c in other]
    summed = [c for c in one if c in other and c not in output]
    left = [c for c in one if c not in other and c not in rows]
    right = [c for c in other if c not in one]
    x = summed_and_ordered(values[0], one, "".join([*rows, *batch, *left, *summed]))
    y = summed_and_ordered(values[1], other, "".join([*batch, *summed, *right]))
    before = len(rows) + len(batch)
    x, y = merged(x, before, len(left), len(summed)), merged(y, len(batch), len(summed), len(right))
    sizes = {c: n for term, v in zip(terms, values, strict=True) for c, n in zip(term, shape(v), strict=True)}
    order = "".join([*rows, *batch, *left, *right])
    return summed_and_ordered(reshape(matmul(x, y), [sizes[c] for c in order]), order, output)


def rows_first(operands: Any, terms: list[str]) -> tuple[list[Any], list[str], str]:
    """The operands, one with rows first, and the letter of the rows if the other has none.

    An axis of size 1 in the place of the rows is dropped, as it is the same for all rows.
    """
    per_row = [isinstance(x, Operators) and bool(x.shape) and x.shape[0] is None for x in operands]
    order = (1, 0) if per_row == [False, True] else (0, 1)
    values, terms = [operands[k] for k in order], [terms[k] for k in order]
    if all(per_row) or not any(per_row):
        return values, terms, ""
    rows = terms[0][0]
    if rows in terms[1]:
        place = terms[1].index(rows)
        if shape(values[1])[place] != 1:
            raise refuse(f"einsum: {rows!r} are the rows of the batch, of any number, not {shape(values[1])[place]}")
        values[1], terms[1] = squeeze(values[1], place), terms[1].replace(rows, "")
    return values, terms, rows


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
