"""Which instructions compute all steps of a sequence alike, so that its layout doesn't matter to them."""

import pytest
from networks import network

from thalweg.engine.native.passes.placed_steps import Placing
from thalweg.program.formula import operations
from thalweg.program.instructions.activations import Elementwise
from thalweg.program.instructions.elementwise import Add, Dropout, Reshape
from thalweg.program.instructions.linear import Affine
from thalweg.program.instructions.pointwise import Pointwise
from thalweg.program.instructions.rowwise import Softmax
from thalweg.program.ir.instruction import DATA, PARAMETERS, Buffer
from thalweg.program.passes.draft import Draft

ADD, TANH, SUM, MAX = operations.BINARY["add"], operations.UNARY["tanh"], operations.SUM, operations.REDUCTIONS["max"]
W, p = (Buffer(name, shape, PARAMETERS, per_row=False) for name, shape in (("W", (4, 3)), ("p", (4,))))


def seq(*shape, **options):
    return Buffer("v", shape, **options)


def alike(i, *others):
    return Placing(Draft([i, *others])).alike(i)


@pytest.mark.parametrize(
    "i",
    [
        Affine(seq(5, 4), W, None, seq(5, 3)),
        Add(seq(5, 4), seq(5, 4), seq(5, 4)),
        Elementwise(seq(5, 4), seq(5, 4), TANH, ()),
        Reshape(seq(5, 4), seq(5, 2, 2)),
        Pointwise(ADD, (seq(5, 4), p), seq(5, 4)),
        Pointwise(ADD, (seq(5, 4), seq(5, 1)), seq(5, 4)),
        Pointwise(SUM, (seq(5, 4),), seq(5, 1)),
        Pointwise(SUM, (seq(5, 4),), Buffer("s", (4,), per_row=False)),
    ],
)
def test_each_step_is_computed_as_the_others_are(i):
    assert alike(i)


@pytest.mark.parametrize(
    ("i", "why"),
    [
        (Add(seq(4), seq(4), seq(4)), "there are no steps"),
        (Reshape(seq(5, 4), seq(20)), "the steps are one after the other"),
        (Reshape(seq(5, 4), seq(4, 5)), "there are other steps"),
        (Affine(seq(5, 4, region=DATA), W, None, seq(5, 3)), "the data are by rows"),
        (Pointwise(ADD, (seq(5, 4), seq(1, 4)), seq(5, 4)), "a step is added to all"),
        (Pointwise(ADD, (seq(5, 4), Buffer("t", (5, 1), PARAMETERS, per_row=False)), seq(5, 4)), "each has a weight"),
        (Pointwise(SUM, (seq(5, 4),), seq(1, 4)), "they are added"),
        (Pointwise(SUM, (seq(5, 4),), Buffer("s", (5, 1), per_row=False)), "each has a sum over the rows"),
        (Pointwise(MAX, (seq(5, 4),), seq(5, 1)), "no sum"),
        (Dropout(seq(5, 4), seq(5, 4), 0.5, 1), "random numbers are drawn in the order of rows"),
        (Softmax(seq(5, 4), seq(5, 4)), "left by rows, as a loss may become one with it"),
        (Elementwise(seq(5, 4), seq(5, 4), TANH, (), (p,)), "each unit has a number"),
    ],
)
def test_steps_that_are_not_alike_stay_by_rows(i, why):
    assert not alike(i), why


def test_what_a_loss_reads_stays_by_rows():
    """Otherwise the last activation and the loss wouldn't become one, which is more accurate."""
    rows = [row.name for row in network("recurrent begun").schedule()]
    assert "sigmoid + binary crossentropy" in rows
    assert "sigmoid" not in rows
