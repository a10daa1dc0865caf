"""Derivatives of graphs, against central differences in float64, and of references, against the loss's differences."""

import numpy as np
import pytest
from conformance import ROWS, SHAPES
from harness import Case, execute
from hypothesis import given, settings
from hypothesis import strategies as st

from thalweg import Input, Model, ops
from thalweg.errors import ThalwegError
from thalweg.layers import Dense
from thalweg.optimizers import SGD
from thalweg.program.autodiff import can_be_differentiated
from thalweg.program.formula.language import evaluate
from thalweg.program.formula.operations import BINARY, UNARY
from thalweg.program.graphs import reverse_mode
from thalweg.program.graphs.evaluated import evaluated, traced_step
from thalweg.program.graphs.reverse_mode import RENAMED, RULES, gradients
from thalweg.program.graphs.traced_values import FUNCTIONS, Value, called, named
from thalweg.program.graphs.value_functions import Tracing
from thalweg.program.instructions.derived.derived_adjoint import DerivedAdjoint
from thalweg.program.interchange.operation_names import operations
from thalweg.program.ir.instruction import TOTALS, Buffer, StepState
from thalweg.program.ir.references import compute

XP = Tracing()
X = (2, 3, 4)
AT = np.array([[2, 0, -1], [1, 1, 0]])


def erf_of(x):
    return evaluate("erf(x)", {"x": x}, XP)


def normal_of(x):
    return evaluate("normal(x)", {"x": x}, XP)


# A function's name → what to derive, and the shapes of its operands. A name in brackets tells apart.
TWO = [(X, X), (X, (4,)), (X, ()), ((1, 3, 1), X), ((2, 1, 4), (3, 1)), ((0, 3), (1, 3)), ((1,), (1, 1))]
CASES = [
    *((n, getattr(np, n), shapes) for n in ("add", "subtract", "multiply", "divide", "maximum", "minimum", "power",
      "arctan2", "remainder", "logaddexp") for shapes in TWO),
    *((n, getattr(np, n), (shape,)) for n in ("negative", "exp", "expm1", "log", "log1p", "log2", "log10", "sqrt",
      "square", "reciprocal", "tanh", "sin", "cos", "tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "absolute",
      "floor", "ceil", "rint", "sign") for shape in (X, (), (0, 2))),
    ("erf", erf_of, (X,)), ("ndtr", normal_of, (X,)),
    *(("where", lambda c, x, y: np.where(c > 0.6, x, y), shapes) for shapes in ((X, X, (4,)), ((3, 1), (), X))),
    *((n, lambda x, n=n, axis=axis, keep=keep: getattr(x, n)(axis, keepdims=keep), (X,))
      for n in ("sum", "prod", "max", "min") for axis in (None, 0, -1, (0, 2)) for keep in (False, True)),
    *((n, lambda x, n=n: getattr(x, n)(1), ((2, 1, 3),)) for n in ("sum", "prod", "max", "min")),
    *((n, lambda x, n=n: getattr(x, n)(1), ((2, 0, 3),)) for n in ("sum", "prod")),
    *((n, lambda x, n=n, a=a: FUNCTIONS[n](x, a), (s,)) for n in ("cumsum", "cumprod") for a in (0, 1, -1)
      for s in (X, (2, 1, 7), (3, 0, 2), (1, 9, 1))),
    *(("matmul", np.matmul, shapes) for shapes in (((2, 3), (3, 4)), (X, (2, 4, 5)), ((5, 1, 2, 3), (4, 3, 1)))),
    ("reshape", lambda x: x.reshape(4, 6), (X,)), ("transpose", lambda x: x.transpose(2, 0, 1), (X,)),
    *(("slice", lambda x, at=at: x[at], ((3, 7, 4),)) for at in (
        1, (slice(1, 3), slice(None, None, 2)), (slice(None), slice(5, 0, -2)), (..., slice(1, 1)), (0, 1, 2),
        (slice(None), slice(None, None, -3), slice(3, None)), (slice(None, None, -1),))),
    ("pad", lambda x: np.pad(x, ((1, 0), (0, 2), (0, 0)), constant_values=3.0), (X,)),
    ("concatenate", lambda x, y: np.concatenate([x, y, x], 1), (X, (2, 2, 4))),
    *(("broadcast_to", lambda x: np.broadcast_to(x, X), (s,)) for s in ((3, 1), (), (1, 1, 4))),
    *(("take", lambda x, a=a: FUNCTIONS["take"](x, AT, a), ((3, 3, 3),)) for a in (0, 1, 2, None)),
    ("take_along_axis", lambda x: np.take_along_axis(x, np.argsort(np.cos(x), 1), 1), (X,)),
    ("take_along_axis", lambda x: FUNCTIONS["take_along_axis"](x, AT[..., None], 1), ((2, 3, 1),)),
    *(("sort", lambda x, a=a: FUNCTIONS["sort"](x, a), (X,)) for a in (0, 1, 2)),
    ("bincount", lambda x: FUNCTIONS["bincount"](Value("constant", (), (3,), AT.dtype, {"elements": AT[1]}), x, 3),
     ((3,),)),
    ("astype", lambda x: x.astype(np.longdouble), (X,)),
]  # fmt: skip
NAMES = [f"{name} {shapes}" for name, _, shapes in CASES]


def check(function, shapes, seed=0, ties=False, twice=False):
    """Derivatives by each operand, along a random direction; of the gradient itself, too, if `twice`."""
    random = np.random.default_rng(seed)
    buffers = [Buffer(f"x{n}", shape, per_row=False) for n, shape in enumerate(shapes)]
    leaves = [named(b, b.shape, np.float64) for b in buffers]
    arrays = {}
    for n, b in enumerate(buffers):  # no number twice
        arrays[b] = random.permutation(np.linspace(0.13 + 0.017 * n, 0.88 + 0.011 * n, b.size)).reshape(b.shape)
    if ties:
        arrays = {b: np.round(2 * a) / 2 for b, a in arrays.items()}
    result = function(*leaves)
    if twice:
        parts = gradients([result], [seeded(result, random, arrays)], leaves)
        result = sum(((p * p).sum() for p in parts), start=(result * 0).sum())
    seed_of = seeded(result, random, arrays)
    found = gradients([result], [seed_of], leaves)
    assert [(f.shape, f.dtype) for f in found] == [(v.shape, v.dtype) for v in leaves]
    step = StepState()
    got = evaluated(found, arrays, step, np)
    ways = {b: random.normal(size=b.shape) for b in buffers}

    def moved(by):
        there = arrays | {b: arrays[b] + by * way for b, way in ways.items()}
        return float((evaluated([result], there, step, np)[0] * arrays[seed_of.options["buffer"]]).sum())

    h = 1e-5
    want = (moved(h) - moved(-h)) / (2 * h)
    is_ = sum(float((g * way).sum()) for g, way in zip(got, ways.values(), strict=True))
    assert abs(is_ - want) <= 1e-5 * max(1, abs(want)), (is_, want)
    given = {b: named(b, b.shape, np.float64) for b in arrays}
    for g, traced in zip(got, evaluated(found, given, traced_step(1), XP), strict=True):
        np.testing.assert_array_equal(g, evaluated([traced], arrays, step, np)[0])


def seeded(result, random, arrays):
    b = Buffer(f"seed{len(arrays)}", result.shape, per_row=False)
    arrays[b] = random.normal(size=b.shape)
    return named(b, b.shape, np.float64)


@pytest.mark.parametrize(("function", "shapes"), [c[1:] for c in CASES], ids=NAMES)
def test_a_rule_agrees_with_a_central_difference(function, shapes):
    for seed in range(3):
        check(function, shapes, seed)


SMOOTH = [c[1:] for c in CASES if c[0] not in ("power", "remainder", "floor", "ceil", "rint", "sign", "astype")]


@pytest.mark.parametrize(("function", "shapes"), SMOOTH)
def test_a_gradient_can_be_derived_once_more(function, shapes):
    check(function, shapes, 1, twice=True)


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=3), st.integers(0, 2), st.integers(0, 1000))
def test_products_with_zeros(shape, axis, seed):
    """At 0, where no element may be divided by."""
    axis %= len(shape)
    for name in ("cumprod", "prod"):
        check(lambda x, n=name: FUNCTIONS[n](x, axis), [tuple(shape)], seed, ties=True)


def derivative(function, *arrays):
    """By the sum of what a function gives."""
    buffers = [Buffer(f"x{n}", np.shape(a), per_row=False) for n, a in enumerate(arrays)]
    leaves = [named(b, b.shape, np.float64) for b in buffers]
    result = function(*leaves)
    found = gradients([result], [FUNCTIONS["broadcast_to"](np.ones(()), result.shape)], leaves)
    return [g.tolist() for g in evaluated(found, dict(zip(buffers, arrays, strict=True)), StepState(), np)]


def test_ties_share():
    x, y = np.array([1.0, 2.0, 3.0]), np.array([1.0, 3.0, 2.0])
    assert derivative(np.maximum, x, y) == [[0.5, 0, 1], [0.5, 1, 0]]
    assert derivative(np.minimum, x, y) == [[0.5, 1, 0], [0.5, 0, 1]]
    assert derivative(lambda x: x.max(1), np.array([[1.0, 2, 2, 2], [0, 0, -1, -1]])) == [
        [[0, 1 / 3, 1 / 3, 1 / 3], [0.5, 0.5, 0, 0]]
    ]
    assert derivative(lambda x: x.min(1), np.array([[1.0, 1, 2, 3]])) == [[[0.5, 0.5, 0, 0]]]
    assert derivative(np.absolute, np.array([-2.0, 0, 3])) == [[-1, 0, 1]]
    assert derivative(np.power, np.array([0.0, 2, 0]), np.array([2.0, 0, 1]))[0] == [0, 0, 1]


def test_what_depends_on_nothing_has_a_derivative_of_0():
    assert derivative(lambda x, y: x * 2, np.ones(2), np.ones((1, 3))) == [[2, 2], [[0, 0, 0]]]
    assert derivative(lambda x: x.argmax(0) * 1.0, np.ones(3)) == [[0, 0, 0]]


def test_a_function_without_a_rule_is_named():
    with pytest.raises(ThalwegError, match="no derivative is known of NumPy's hypot"):
        derivative(lambda x: called(np.hypot, x, x), np.ones(2))


def test_every_rule_has_a_case():
    tried = {name for name, *_ in CASES}
    assert RULES.keys() <= tried
    assert {*RENAMED, "arctan2", "logaddexp"} <= tried
    assert {*RENAMED.values()} <= {*UNARY, *BINARY}


@pytest.mark.parametrize("name", RULES)
def test_a_changed_sign_is_noticed(name, monkeypatch):
    right = RULES[name]
    monkeypatch.setitem(reverse_mode.RULES, name, lambda v, dv, place: -right(v, dv, place))
    cases = [(function, shapes) for of, function, shapes in CASES if of == name]

    def every():
        for function, shapes in cases:
            check(function, shapes)

    with pytest.raises(AssertionError):
        every()


def derived(name):
    """A row's case, if its instruction is one of the program with an adjoint, and can be traced."""
    case = Case(ROWS[name], SHAPES[0], smooth=True)
    i = case.instruction
    own = type(i) in operations().values() and can_be_differentiated(i) and i.outputs[0].region != TOTALS
    return own and bool(i.differentiable()) and name not in ("custom", "attention", "max_pooling")


DERIVED = [name for name in ROWS if derived(name)]


def derived_adjoint_agrees_with_a_central_difference(name):
    """Of every instruction, whether or not it states an adjoint of its own."""
    for shape in SHAPES[:6]:
        case = Case(ROWS[name], shape, smooth=True)
        i, random, m = case.instruction, np.random.default_rng(0), case.memory(np.float64)
        m.accumulate = False
        execute(i, m)
        dz = [Buffer(f"d{o}", o.shape, per_row=o.per_row) for o in i.outputs]
        m.update({b: random.normal(size=m[o].shape) for b, o in zip(dz, i.outputs, strict=True)})
        for place, x in enumerate(i.differentiable()):
            adjoint = DerivedAdjoint(i, place, tuple(dz), Buffer(f"d{x}", x.shape, per_row=x.per_row))
            assert adjoint.fits
            assert f"d{x} = d" in adjoint.formula
            (got,) = compute(adjoint, m)
            way = random.normal(size=m[x].shape)

            def moved(by, x=x, way=way, case=case, dz=dz, m=m, i=i):
                there = case.memory(np.float64)
                there.accumulate = False
                there[x] = there[x] + by * way
                execute(i, there)
                return sum(float((there[o] * m[b]).sum()) for o, b in zip(i.outputs, dz, strict=True))

            want = (moved(1e-5) - moved(-1e-5)) / 2e-5
            assert got.shape == m[x].shape
            assert abs(float((got * way).sum()) - want) <= 1e-5 * max(1, abs(want)), f"{adjoint.title} at {shape}"


def test_a_network_learns_through_a_derived_adjoint():
    x = Input((3,))
    model = Model(x, ops.cumprod(Dense(3)(x), axis=1), engine="reference", seed=0)
    model.compile(SGD(0.05), "mse")
    rows = np.random.default_rng(0).normal(size=(64, 3)).astype("f")
    history = model.fit(rows, np.cumprod(rows @ np.diag([1.0, -0.5, 2.0]), axis=1), epochs=30, verbose=0).history
    assert history["loss"][-1] < history["loss"][0] / 2
    assert "·∂" in str(model.program())
