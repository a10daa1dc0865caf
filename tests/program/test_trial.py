"""References of others, tried with a few rows: what a graph can't say is refused, by kernels and exports alike."""

import numpy as np
import pytest
from conformance import ROWS as EVERY
from harness import Case, Shape

from thalweg.engine.native.kernels.generated.from_references import KernelArrays, Opened, from_reference
from thalweg.errors import ThalwegError
from thalweg.program.graphs.sizes import ROWS
from thalweg.program.graphs.traced_program import Arrays, statements
from thalweg.program.graphs.trial import agree, is_foreign, try_out
from thalweg.program.instructions.derived.derived_adjoint import DerivedAdjoint, Leaves
from thalweg.program.instructions.elementwise import Copy
from thalweg.program.ir.instruction import Buffer, Instruction

UNTRACED = {  # of the library: references that say more than graphs do, whose kernels are by hand
    "random_warp", "custom", "custom_adjoint", "gather_share", "affine_share", "share_weight_gradient",
    "winograd_kernel", "winograd_convolution", "winograd_gradient", "winograd_convolution_by_columns",
    "winograd_gradient_by_columns", "winograd_kernel_gradient",
}  # fmt: skip
OF_OTHER_ROWS = {"affine_sum"}  # reads rows of the whole batch from what is no array of its own rows


def said(call):
    """The sentence with which it is refused; None if it isn't."""
    try:
        call()
    except ThalwegError as error:
        return str(error)


def opened(i, reals):
    """Tries an instruction's graph as kernels have it."""
    o = Opened(i, reals, flat=False)
    own = {b: o.operands[name] for b, name in o.own.items()}
    try_out(i, o.instruction, KernelArrays(np.float64), own, {**o.sizes, **o.constants})


def test_all_open_graphs_compute_what_their_references_do():
    refused, wrong = set(), set()
    for name, row in EVERY.items():
        i = Case(row, Shape(5, 7, 6, 2, 0, 1)).instruction
        sentence = said(lambda i=i: try_out(i, i, Leaves(ROWS, np.dtype(np.float64))))
        (wrong if "something else" in (sentence or "") else refused if sentence else set()).add(name)
    assert (refused, wrong) == (UNTRACED, OF_OTHER_ROWS)


@pytest.mark.parametrize("reals", [False, True])
def test_so_do_those_of_open_numbers(reals):
    wrong = {}
    for name, row in EVERY.items():
        i = Case(row, Shape(5, 7, 6, 2, 0, 1)).instruction
        try:
            opened(i, reals)
        except (ThalwegError, AttributeError, KeyError) as error:  # a number decides, or nothing can be traced
            if "something else" in str(error):
                wrong[name] = error
    assert wrong.keys() == OF_OTHER_ROWS


class Told(Instruction):
    """z = a reference below."""

    x: Buffer
    z: Buffer
    f: object
    rate: float = 0.5
    width: int = 3

    name = "told"
    printed = "{z} = f({x})"
    writes = ("z",)
    differentiates = ("x",)

    def reference(self, xp, x, step):
        return self.f(self, xp, x, step)


def told(f, **numbers):
    return Told(Buffer("x", (4,)), Buffer("z", (4,)), f, **numbers)


DECIDE = {
    "a comparison": lambda i, xp, x, step: x * (1 if x.shape[0] < 10 else 2),
    "one row": lambda i, xp, x, step: x * (1 if x.shape[0] == 1 else 2),
    "three rows": lambda i, xp, x, step: x * (1 if step.rows == 3 else 2),
    "many rows": lambda i, xp, x, step: x * (1 if x.shape[0] > 20 else 2) * (x.shape[0] > 0),
    "a root": lambda i, xp, x, step: x / xp.sqrt(x.shape[0]),
    "a product": lambda i, xp, x, step: x / np.prod(x.shape),
    "a number of Python's": lambda i, xp, x, step: x / float(x.shape[0]),
    "digits": lambda i, xp, x, step: x * len(str(x.shape[0])),
    "the seed": lambda i, xp, x, step: x * (step.seed + 1),
}


@pytest.mark.parametrize("which", DECIDE)
def test_the_number_of_rows_may_decide_nothing(which):
    for call in (from_reference, lambda i: statements([i], Arrays(ROWS, np.float32, ROWS))):
        assert "what is traced of it: the number of rows" in said(lambda call=call: call(told(DECIDE[which])))
    assert statements([told(DECIDE[which])], Arrays(5, np.float32, 5))  # where it is given, it may


STARTS = {
    "a number of Python's": lambda i, xp, x, step: x * bool(step.first_row),
    "rows in the middle": lambda i, xp, x, step: x * (2 if step.first_row == 4 else 1),
}


@pytest.mark.parametrize("which", STARTS)
def test_where_the_rows_start_may_not_either(which):
    assert "where they start" in said(lambda: from_reference(told(STARTS[which])))
    assert statements([told(STARTS[which])], Arrays(ROWS, np.float32, ROWS))  # of a file, which gets its rows at once


def test_a_derivative_of_what_others_wrote_is_tried_too():
    z = told(lambda i, xp, x, step: x * x * (1 if x.shape[0] < 10 else 2))
    d = DerivedAdjoint(z, 0, (Buffer("dz", (4,)),), Buffer("dx", (4,)))
    assert is_foreign(d)
    assert "told adjoint gives something else for 1 row" in said(lambda: from_reference(d))
    assert not is_foreign(Copy(z.x, z.z))


NUMBERS = {  # an instruction's own numbers may decide: then the kernel is one for these
    "a lookup": lambda i, xp, x, step: x * {0.5: 2.0}.get(i.rate, 3.0),
    "a type": lambda i, xp, x, step: x * (2 if isinstance(i.rate, float) else 3),
    "a set": lambda i, xp, x, step: x * (2 if i.rate in {0.5, 1.5} else 3),
    "digits": lambda i, xp, x, step: x * len(str(i.rate)),
    "a whole number": lambda i, xp, x, step: x * {3: 2.0}.get(i.width, 3.0) * (i.width > 2),
}


@pytest.mark.parametrize("which", NUMBERS)
def test_numbers_of_its_own_may_decide(which):
    for rate, width in ((0.5, 3), (0.25, 3), (1.5, 2)):
        i = told(NUMBERS[which], rate=rate, width=width)
        found = from_reference(i)
        (a,) = statements([i], Arrays(ROWS, np.float32, ROWS))[0].assignments
        wanted = float(i.f(i, np, np.float64(1), None))
        text = found.kernel.text
        assert (
            f"F32({wanted})" in text or (wanted == 1 and "= v0[i1]\n" in text) or (wanted == 0 and "F32(0.0)" in text)
        )
        assert a.value.function == "name" or float(a.value.operands[1].options["elements"]) == wanted


@pytest.mark.parametrize("number", [2**31 - 1, 2.0**31 - 1, 2 * (2**31 - 1), -(2**31 - 1)])
def test_a_number_is_never_taken_for_the_rows(number):
    i = told(lambda i, xp, x, step: xp.where(x > 0, x, number))
    assert f"F32({float(np.float32(number))})" in from_reference(i).kernel.text
    (a,) = statements([i], Arrays(ROWS, np.float64, ROWS))[0].assignments
    assert a.value.operands[2].options["elements"] == number


def test_what_fails_with_any_number_of_rows_is_refused():
    def fails(i, xp, x, step):
        return x if isinstance(step.iteration, Instruction) or xp is not np else 1 / 0

    assert "told fails for 1, 3 and 24 rows: division by zero" in said(lambda: from_reference(told(fails)))


@pytest.mark.parametrize("factor", [1, 2])
def test_some_numbers_of_rows_may_be_too_few(factor):
    def some(i, xp, x, step):
        if xp is not np:
            return x
        return {3: x, 24: factor * x}[x.shape[0]] if x.shape[0] > 1 else x.reshape(7)

    sentence = said(lambda: from_reference(told(some)))
    assert sentence is None if factor == 1 else "something else for 24 rows than" in sentence


def test_places_are_found_in_arrays():
    """Where normal numbers would be places that aren't there."""

    def chosen(i, xp, x, step):
        return xp.take_along_axis(x, x.astype(int), 1) * (1 if x.shape[0] < 10 else 2)

    with pytest.raises(IndexError):
        chosen(None, np, np.full((3, 4), 4.0), None)
    assert "something else for 1 row" in said(lambda: from_reference(told(chosen)))


def test_arrays_agree_but_for_the_order_of_sums():
    x = np.array([1.0, np.nan, np.inf, -1e-3])
    assert agree(x, x * (1 + 1e-11))
    assert not agree(x, -x)
    assert not agree(x, x[:3])
    assert not agree(x, np.array([1.0, 0, np.inf, -1e-3]))
    assert not agree(x, np.array([1.0, np.nan, -np.inf, -1e-3]))
    assert not agree(x, np.array([1.0, np.nan, np.inf, -1.001e-3]))
    assert agree(np.ones(2, bool), np.ones(2, bool))
    assert not agree(np.ones(2, bool), np.zeros(2, bool))
