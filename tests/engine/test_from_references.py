"""Kernels that are made of references: they agree with these, for instructions that have one by hand, too."""

import itertools
import operator
import re
from pathlib import Path

import numpy as np
import pytest
from amounts import soaking
from conformance import ROWS
from conformance_activations import ACTIVATIONS
from conformance_formulas import FORMULAS
from harness import Case, Shape
from hypothesis import given, settings
from hypothesis import strategies as st

import thalweg as tw
from thalweg.engine.native.kernels.generated.from_references import from_reference
from thalweg.engine.native.kernels.table import derivation_of, kernel_of
from thalweg.engine.native.layouts.orders import ByColumns, BySteps
from thalweg.errors import ArgumentError, ThalwegError
from thalweg.program.graphs.sizes import ROWS as MANY
from thalweg.program.graphs.sizes import Size
from thalweg.program.instructions.elementwise import Copy
from thalweg.program.instructions.noise import RandomUniform
from thalweg.program.instructions.scans import CumulativeProduct
from thalweg.program.ir.instruction import Buffer, Instruction
from thalweg.program.loops.indices import Index, Quotient, Variable

SHAPES = (Shape(5, 7, 6, 2, 0, 1), Shape(1, 1, 3, 1, 255, 2), Shape(67, 300, 5, 3, 84, 3))
LEFT_OUT = {*ACTIVATIONS, *FORMULAS, "reshape", "sparse_categorical_crossentropy_logits_gradient"}
"""Many of one form; one without a kernel; one whose kernel by hand keeps more digits than its reference's order."""
KINDS = [name for name in ROWS if name not in LEFT_OUT and not name.endswith("_of_rows")]
SAID = re.compile(  # of what can't be made of a reference, why
    "an order of its own|a table of constants|no kernel (knows|sorts|can be made)|the lanes share|a native form"
    "|as long as the rows|has no rule|can't be exported|which no other language has|a function of Python"
)
MADE = 190  # of the rows here


def made_of_reference(name, shape):
    """A case whose kernel is made of the reference, whatever else there is; None if that can't be done."""
    case = Case(ROWS[name], shape)
    try:
        made = from_reference(case.instruction)
    except ThalwegError as error:
        if not SAID.search(str(error)):
            raise
        return None
    vars(case.instruction)["native kernel"] = made.kernel
    return case


@pytest.mark.jit
@pytest.mark.parametrize("part", range(8))
def test_what_is_made_of_a_reference_agrees_with_it(part):
    """Where all is 1; every third instruction, and in `make soak` each, also where nothing is.

    Each shape has a kernel that no other test needs.
    """
    for number, name in enumerate(KINDS[part::8]):
        for shape in SHAPES if soaking() or number % 3 == 0 else [SHAPES[1]]:
            if (case := made_of_reference(name, shape)) is not None:
                case.check()


def test_most_can_be_made():
    found = [made_of_reference(name, SHAPES[0]) for name in KINDS]
    assert sum(case is not None for case in found) >= MADE


@settings(max_examples=300)
@given(st.data())
def test_the_text_of_a_size_is_the_number(data):
    """However it was computed, also where a quotient has a remainder."""
    numbers = {name: data.draw(st.integers(1, 30), name) for name in "abc"}
    sizes = [*(Size.named(name, n) for name, n in numbers.items()), 2, 3, 6]
    for _ in range(data.draw(st.integers(1, 6))):
        x, y = (data.draw(st.sampled_from(sizes)) for _ in range(2))
        how = data.draw(st.sampled_from([operator.add, operator.sub, operator.mul, operator.floordiv, operator.mod]))
        if how in (operator.floordiv, operator.mod) and y == 0:
            continue
        sizes.append(how(x, y))
        assert eval(str(sizes[-1]), dict(numbers)) == int(sizes[-1]) == how(int(x), int(y)), str(sizes[-1])


def test_a_product_of_sums_is_multiplied_out():
    a, b = Size.named("a", 2), Size.named("b", 3)
    assert str((a + b) * (a + b)) == "a * a + 2 * a * b + b * b"
    assert str((a + b) * (a - b)) == "a * a - 1 * b * b"


@given(st.lists(st.integers(-12, 12).filter(bool), min_size=1, max_size=3), st.integers(-20, 20), st.integers(1, 9))
def test_an_index_is_divided_as_the_number(factors, first, by):
    variables = [Variable(name, count) for name, count in zip("ijk", (2, 3, 4), strict=False)][: len(factors)]
    index = Index(tuple(zip(variables, factors, strict=True)), first)
    quotient, remainder = index.split(by)
    for numbers in itertools.product(*(range(v.count) for v in variables)):
        at = dict(zip(variables, numbers, strict=True))
        assert (value_of(quotient, at), value_of(remainder, at)) == divmod(value_of(index, at), by)


def value_of(index, at):
    """The number that an index is, as languages have it that round quotients towards 0."""
    total = index.first
    for term, factor in index.terms:
        if isinstance(term, Variable):
            number = at[term]
        else:
            number = value_of(term.index, at)
            assert number >= 0
            number = number // term.by if isinstance(term, Quotient) else number % term.by
        total += factor * number
    return total


def test_a_number_of_rows_is_one_in_each_form():
    rows = Size.named("rows", MANY)
    assert str(rows * 3 // MANY) == "3"
    assert str(rows * Size.named("a", 5) + MANY) == "a * rows + rows"


class Windowed(Instruction):
    """z[k] = Σ x[k + i] for i < width along the last axis: as somebody adds it."""

    x: Buffer
    z: Buffer
    width: int
    scale: float

    name = "windowed sum"
    printed = "{z} = sums of {width} of {x}"
    writes = ("z",)

    def reference(self, xp, x):
        count = self.z.shape[-1]
        return self.scale * sum(x[..., k : k + count] for k in range(self.width))


@pytest.mark.jit
@pytest.mark.parametrize(("rows", "n", "width"), [(1, 1, 1), (3, 5, 2), (7, 40, 40), (64, 33, 5), (1, 1000, 3)])
def test_an_instruction_with_only_a_reference_has_a_kernel(rows, n, width):
    def build(c):
        x = c.normal("x", (n,))
        c.magnitudes["z"] = lambda m: Windowed.reference(case_of(x, width), np, abs(m[x]))
        return Windowed(x, c.put("z", (n - width + 1,), np.nan), width, 0.7)

    case = Case(build, Shape(rows=rows))
    assert kernel_of(case.instruction) == derivation_of(case.instruction).kernel
    case.check()


def case_of(x, width):
    return Windowed(x, Buffer("z", (x.shape[0] - width + 1,)), width, 0.7)


def test_one_text_serves_many_sizes():
    texts = set()
    for n in (5, 6, 31):
        x, z = Buffer("x", (n,)), Buffer("z", (n - 1,))
        texts.add(kernel_of(Windowed(x, z, 2, 0.3 * n)).text)
    assert len(texts) == 1


@pytest.mark.jit
def test_running_products_learn_natively_as_by_the_reference():
    x, y = np.random.default_rng(0).normal(size=(2, 70, 6)).astype(np.float32)
    found = []
    for engine in ("reference", "native"):
        products = tw.layers.Lambda(lambda h: tw.ops.cumprod(h, 1))
        model = tw.Sequential([tw.Input((6,)), tw.layers.Dense(6), products], seed=0, engine=engine)
        model.compile("sgd", "mse")
        model.fit(x, y, epochs=3, batch_size=32, verbose=0)
        found.append(np.concatenate([np.ravel(w) for w in model.get_weights()]))
    np.testing.assert_allclose(*found, rtol=1e-4, atol=1e-6)


@pytest.mark.jit
def test_derived_gradients_of_weights_add_up_over_blocks():
    """A batch of so many rows goes through the network in blocks; PReLU's gradient of alpha is derived."""
    x = np.random.default_rng(0).normal(size=(5000, 6)).astype(np.float32)
    found = []
    for engine in ("reference", "native"):
        model = tw.Sequential(
            [tw.Input((6,)), tw.layers.Dense(64), tw.layers.PReLU(), tw.layers.Dense(1)], seed=0, engine=engine
        )
        model.compile(tw.optimizers.SGD(1.0), "mse")
        model.fit(x, x[:, :1] * np.abs(x[:, 1:2]), batch_size=5000, verbose=0)
        found.append(model.get_weights()[2])
    np.testing.assert_allclose(*found, rtol=1e-3)


class Spread(Instruction):
    """z = a·|x|^exponent, with a along some of the axes of x."""

    x: Buffer
    a: Buffer
    z: Buffer
    exponent: float

    name = "spread"
    printed = "{z} = {a}·|{x}|^{exponent}"
    writes = ("z",)

    def reference(self, xp, x, a):
        return a * xp.abs(x) ** self.exponent


@pytest.mark.jit
@pytest.mark.parametrize("exponent", [2.5, 3, 0.5, -1, 0, -0.7])
@pytest.mark.parametrize("shape", [(3, 4, 5), (3, 1, 5), (1, 4, 1), (3, 4, 1), (3, 1, 1), (1, 1, 1)])
def test_an_array_lies_along_some_of_the_axes(shape, exponent):
    def build(c):
        return Spread(c.normal("x", (3, 4, 5)), c.normal("a", shape), c.put("z", (3, 4, 5), np.nan), exponent)

    case = Case(build, Shape(rows=7))
    case.check()
    assert "//" not in kernel_of(case.instruction).text  # an axis is counted, not divided


class Shaped(Instruction):
    """Element by element, with numbers that the shape says, and sums along axes that may be of size 1."""

    x: Buffer
    z: Buffer
    way: int

    name = "shaped"
    printed = "{z} = f({x})"
    writes = ("z",)

    def reference(self, xp, x):
        if self.way == 0:
            return x * x.shape[-1]
        if self.way == 1:
            return x / self.x.shape[0] ** 0.5
        return x + x.mean(axis=tuple(range(1, x.ndim)), keepdims=True)


@pytest.mark.jit
@pytest.mark.parametrize("way", range(3))
@pytest.mark.parametrize("shape", [(3, 4), (2, 6), (12,), (1, 1, 4), (4, 1), (1, 1), (1,)])
def test_what_a_shape_says_isnt_lost_where_elements_are_counted_by_one_axis(shape, way):
    Case(lambda c: Shaped(c.normal("x", shape), c.put("z", shape, np.nan), way), Shape(rows=5)).check()


class Counted(Instruction):
    """Along an axis that isn't there, or of arrays that don't meet."""

    x: Buffer
    z: Buffer
    way: int

    name = "counted"
    printed = "{z} = f({x})"
    writes = ("z",)

    def reference(self, xp, x):
        ways = {
            0: lambda: x.sum(axis=2),
            1: lambda: xp.cumprod(x, -3),
            2: lambda: xp.expand_dims(x, 3),
            3: lambda: xp.concatenate([x, x[:, :2]], axis=0),
            4: lambda: xp.stack([x, x[:, :2]], axis=1),
        }
        return ways[self.way]()


@pytest.mark.parametrize("way", range(5))
def test_an_axis_that_isnt_there_is_refused(way):
    with pytest.raises(ThalwegError, match=r"out of bounds for array of dimension|don't meet along axis"):
        kernel_of(Counted(Buffer("x", (3,)), Buffer("z", (3,)), way))


def test_a_result_of_another_shape_is_refused():
    with pytest.raises(ThalwegError, match=r"gives z of shape \(rows, 4\) an array of shape \(rows, 2\)"):
        kernel_of(Shaped(Buffer("x", (2,)), Buffer("z", (4,)), 0))


@pytest.mark.parametrize("shape", [(0,), (3, 0), (0, 3)])
def test_what_has_no_elements_is_refused(shape):
    with pytest.raises(ThalwegError, match="shaped has nothing to do: x has no elements"):
        kernel_of(Shaped(Buffer("x", shape), Buffer("z", shape), 0))


OPEN = {  # references that ask for what stays open, or that loops can't say: what each is told
    "numbers / x.shape[0]": (lambda xp, x: x * (1 / x.shape[0]), "number of rows"),
    "root of the rows": (lambda xp, x: x * x.shape[0] ** 0.5, "number of rows"),
    "length": (lambda xp, x: x * (len(x) - 1), "number of rows"),
    "the first rows": (lambda xp, x: x + x[:5].sum(axis=0), "number of rows"),
    "the last rows": (lambda xp, x: x + x[-5:].sum(axis=0), "number of rows"),
    "one of the rows": (lambda xp, x: x + x[3], "number of rows"),
    "rows but one": (lambda xp, x: x + xp.cumsum(x[1:] * xp.cumsum(x[1:], 1), 1).sum(axis=0), "as long as the rows"),
    "mask": (lambda xp, x: x + x[x > 0].sum(), "a mask as an index"),
    "masked rows": (lambda xp, x: x + x[x[:, 0] > 0].sum(axis=0), "a mask as an index"),
    "beside places": (lambda xp, x: x + x[:, ::-1][:, None, ::-1, [1]].sum(), "such an index"),
    "clipped places": (lambda xp, x: xp.take(x, np.array([0, 1, 9]), 1, mode="clip"), "take"),
    "steps": (lambda xp, x: x + xp.arange(0, x.shape[1], 2).sum(), "with a step"),
    "bytes": (lambda xp, x: x + x.astype(np.int8), "numbers of int8"),
    "axes": (lambda xp, x: xp.transpose(x[:, :, None], (0, 1)), "aren't those of an array of 3"),
    "an argument": (lambda xp, x: x + x.max(1, True), "positional arguments"),
    "a type of the largest": (lambda xp, x: x + xp.max(x, 1, np.float64), "takes an axis and keepdims="),
}
SAME = {  # those that they say otherwise than NumPy would be wrong silently
    "all of numbers": lambda xp, x: x + xp.all(xp.floor(x), axis=1, keepdims=True),
    "both": lambda xp, x: x + xp.logical_and(xp.floor(x).astype(int), xp.floor(x[:, ::-1]).astype(int)),
    "sums of bytes": lambda xp, x: x + (xp.zeros_like(x) + 200).astype(np.uint8).sum(axis=1, keepdims=True),
    "the last of each row": lambda xp, x: x + x[xp.arange(x.shape[0]), -1][:, None],
    "the type of a sum": lambda xp, x: (
        xp.sum(x, 1, np.float64)[:, None] + x.sum(0, np.float64) - xp.prod(x, 1, int)[:, None]
    ),
    "places by position": lambda xp, x: xp.take(x, xp.argmax(x, axis=1), 1)[:, 0, None],
    "extremes of truths": lambda xp, x: xp.max(x > 0, axis=1, keepdims=True) + 2.0 * xp.min(x < 0, axis=0) + x,
    "places of truths": lambda xp, x: x + xp.argmax(x > 0, axis=1)[:, None] - 2 * xp.argmin(x > 0, axis=1)[:, None],
    "whole numbers are finite": lambda xp, x: xp.where(xp.isfinite(x.astype(int)), x, 7),
    "shares of the rows": lambda xp, x: x * (x.shape[0] // 3) + x.shape[0] % 3 + 9 // x.shape[0] - 9 % x.shape[0],
    "the largest whole number": lambda xp, x: x * (2**31 - 1) + xp.where(x > 0, 2.0**31 - 1, 3),
    "steps of rows": lambda xp, x: x + x[::-1].sum(axis=0) + x[0] - x[-1],
}


class Told(Instruction):
    """z = one of the references above, by its name."""

    x: Buffer
    z: Buffer
    which: str

    name = "told"
    printed = "{z} = f({x})"
    writes = ("z",)

    def reference(self, xp, x):
        return SAME[self.which](xp, x) if self.which in SAME else OPEN[self.which][0](xp, x)


@pytest.mark.parametrize("which", OPEN)
def test_what_stays_open_is_refused(which):
    with pytest.raises(ThalwegError, match=OPEN[which][1]):
        kernel_of(Told(Buffer("x", (3,)), Buffer("z", (3,)), which))


@pytest.mark.jit
@pytest.mark.parametrize("which", SAME)
def test_what_numpy_says_of_whole_numbers_and_rows_is_said(which):
    Case(lambda c: Told(c.normal("x", (3,)), c.put("z", (3,), np.nan), which), Shape(rows=4)).check()


@pytest.mark.jit
@pytest.mark.parametrize("title", ["softmax", "2 copies", "加總"])
def test_an_instruction_may_have_a_kernel_s_name(title):
    class Named(Instruction):
        x: Buffer
        z: Buffer

        name = title
        printed = "{z} = 2·{x}"
        writes = ("z",)

        def reference(self, xp, x):
            return 2 * x

    Case(lambda c: Named(c.normal("x", (3,)), c.put("z", (3,), np.nan)), Shape(rows=4)).check()


class Chosen(Instruction):
    """Elements by computed places, and sums at such places: those that aren't there."""

    x: Buffer
    places: Buffer
    z: Buffer
    counts: Buffer

    name = "chosen"
    printed = "{z} = {x}[{places}], {counts}"
    writes = ("z", "counts")

    def reference(self, xp, x, places):
        at = places.astype(int)
        return xp.take_along_axis(x, at, axis=1), xp.bincount(at.ravel(), xp.ones_like(places).ravel(), minlength=4)


@pytest.mark.jit
@pytest.mark.parametrize(
    ("place", "there"), [(0, 0), (3, 3), (-1, 3), (-4, 0), (4, None), (-5, None), (1e9, None), (np.nan, None)]
)
def test_what_is_looked_up_beyond_an_array_is_not_a_number(place, there):
    """Where NumPy raises: a kernel can't, and doesn't read or write elsewhere."""

    def build(c):
        x, places = c.normal("x", (4,)), c.put("places", (1,), place)
        return Chosen(x, places, c.put("z", (1,), np.nan), c.put("counts", (4,), np.nan, "gradients", per_row=False))

    case = Case(build, Shape(rows=2))
    found, x = case.native(), case.memory(np.float64)[case.instruction.x]
    np.testing.assert_allclose(found["z"], np.full((2, 1), np.nan) if there is None else x[:, [there]], rtol=1e-6)
    np.testing.assert_array_equal(found["counts"], 2 * (np.arange(4) == place))


class Reversed(Instruction):
    """x = cumulative product of x from its end, in place."""

    x: Buffer

    name = "reversed"
    printed = "{x} = running products of {x} from its end"
    writes = ("x",)

    def reference(self, xp, x):
        return xp.cumprod(xp.flip(x, -1), -1)


@pytest.mark.jit
def test_what_is_overwritten_is_read_before():
    Case(lambda c: Reversed(c.normal("x", (5,))), Shape(rows=3)).check()


class Totals(Instruction):
    """z = Σ x over the rows, and the sum of each row beside it."""

    x: Buffer
    z: Buffer
    s: Buffer

    name = "totals"
    printed = "{z} = Σ {x}, {s}"
    writes = ("z", "s")
    reduces = ("z",)

    def reference(self, xp, x):
        return x.sum(axis=0), x.sum(axis=1, keepdims=True)


@pytest.mark.jit
@pytest.mark.parametrize(("rows", "n"), [(20_000, 5), (5, 20_000), (1, 1), (300, 300)])
def test_long_sums_keep_their_digits(rows, n):
    """Of numbers that are all alike, every sum of float32 is rounded the same way."""

    def build(c):
        x = c.put("x", (n,), np.float32(0.1))
        return Totals(x, c.put("z", (n,), np.nan, "gradients", per_row=False), c.put("s", (1,), np.nan))

    case = Case(build, Shape(rows=rows))
    case.check()
    for field, found in case.native().items():
        np.testing.assert_allclose(found, case.reference()[field], rtol=3e-7, err_msg=field)


def test_what_is_by_hand_says_why():
    """In the first line of its file, which a schedule prints."""
    folder = Path(tw.__file__).parent / "engine" / "native" / "kernels"
    files = [f for f in folder.rglob("*.py") if f.parent.name != "generated" and "\n@kernel\n" in f.read_text("utf-8")]
    assert len(files) > 20
    assert [f.name for f in files if ": by hand, " not in f.read_text("utf-8").split("\n", 1)[0]] == []


def test_a_schedule_tells_how_kernels_are_made():
    layers = [tw.Input((4,)), tw.layers.Dense(3, "tanh"), tw.layers.PReLU(), tw.layers.Dense(2)]
    model = tw.Sequential(layers)
    model.compile("sgd", "mse")
    listing = model.schedule(kernels=True)
    found = {row.name: row.kernel for row in listing}
    assert found["prelu adjoint of alpha"] == "of its reference"
    assert found["tanh"] == "of its equation"
    assert found["affine"] == "by hand, on the micro-kernels"
    assert (
        str(listing).count("by hand, on the micro-kernels")
        == list(found.values()).count("by hand, on the micro-kernels") + 2
    )
    assert all(row.kernel == "" for row in model.schedule())
    other = tw.Sequential([tw.Input((4,)), tw.layers.Dense(2)], engine="reference")
    other.compile("sgd", "mse")
    with pytest.raises(ArgumentError, match="no kernels of its own"):
        other.schedule(kernels=True)


class Kept(Instruction):
    """z = z + x, of weights: what all lanes would do together."""

    x: Buffer
    z: Buffer

    name = "kept"
    printed = "{z} += {x}"
    writes = ("z",)
    accumulates = True

    def reference(self, xp, x):
        return x


@pytest.mark.parametrize(
    ("operands", "known"),
    [
        ((ByColumns("x", (4,)), ByColumns("z", (4,))), True),
        ((BySteps("x", (3, 4)), BySteps("z", (3, 4))), True),
        ((ByColumns("x", (4,)), Buffer("z", (4,))), False),
        ((ByColumns("x", (2, 2, 3)), ByColumns("z", (4, 1, 3))), False),  # the elements in another order
        ((BySteps("x", (3, 4)), BySteps("z", (4, 3))), False),
    ],
)
def test_only_what_lies_alike_is_gone_through_as_it_lies(operands, known):
    i = Copy(*operands)
    if known:
        assert kernel_of(i) == kernel_of(Copy(Buffer("x", (7,)), Buffer("z", (7,))))
    else:
        with pytest.raises(ThalwegError, match="an order of its own"):
            kernel_of(i)


@pytest.mark.parametrize(
    "i",
    [
        CumulativeProduct(BySteps("x", (3, 4)), BySteps("z", (3, 4)), 0),
        RandomUniform(BySteps("z", (3, 4)), 0.0, 1.0, 0),  # a place's number is that of its index
    ],
)
def test_what_is_not_elementwise_is_refused_in_another_order(i):
    with pytest.raises(ThalwegError, match="an order of its own"):
        kernel_of(i)


def test_what_lanes_share_is_refused():
    x, z = Buffer("x", (3,), "gradients", per_row=False), Buffer("z", (3,), "gradients", per_row=False)
    with pytest.raises(ThalwegError, match="the lanes share kept"):
        kernel_of(Kept(x, z))
