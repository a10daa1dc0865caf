"""Every function of `thalweg.ops` at 0, −0, denormal, largest and infinite numbers and NaN, computed in three ways."""

import platform
import warnings
from functools import cache
from typing import Any

import numpy as np
import pytest
from harness import Case, Shape
from special_rows import EXCUSED, GRID, LEAST, NUMBERS, PAIRS, TABLES, WITH_NUMBERS, Row, ieee_power, row

from thalweg import Input, Model, ops
from thalweg.program.formula import operations
from thalweg.program.formula.operations import BINARY, UNARY
from thalweg.program.instructions.activations import Elementwise, ElementwiseAdjoint
from thalweg.program.instructions.pointwise import Pointwise
from thalweg.program.ir.instruction import Buffer

WAYS = ("native", "reference", "array")
READS_DENORMALS = platform.machine().lower() in ("x86_64", "amd64", "i686")


def numbered() -> list[Row]:
    """Operations of a tensor and a number, on either side."""
    rows = []
    for name in WITH_NUMBERS:
        function, statement = getattr(ops, name), ieee_power if name == "power" else getattr(np, name)
        for number in NUMBERS:
            c, rtol = np.float64(np.float32(number)), 2e-5 if name == "power" else 1e-6
            rows += [
                row(name, lambda x, f=statement, c=c: f(x, c), lambda x, f=function, c=c: f(x, float(c)), rtol),
                row(name, lambda x, f=statement, c=c: f(c, x), lambda x, f=function, c=c: f(float(c), x), rtol),
            ]
    return rows


ALL = TABLES | {"numbered": numbered()}


def operands(table: str) -> list[Any]:
    if table in ("one", "numbered"):
        return [GRID[:, None]]
    return [PAIRS[:, :1], PAIRS[:, 1:]] if table == "two" else [PAIRS]


@cache
def computed(table: str, way: str) -> list[Any]:
    """What every row of a table gives: in one program with an output for each, or on arrays."""
    values = operands(table)
    if way == "array":
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return [np.asarray(r.function(*values)) for r in ALL[table]]
    inputs = [Input(v.shape[1:]) for v in values]
    model = Model(inputs, [r.function(*inputs) for r in ALL[table]], engine=way)
    return model.predict(values if len(values) > 1 else values[0], verbose=0)


def differing(got: Any, want: Any, rtol: float, flushed: float = 1.01 * LEAST) -> Any:
    """Where results aren't what is agreed; see special_rows.py."""
    got = np.asarray(got, "d")
    with np.errstate(over="ignore"):
        rounded = np.asarray(want, "d").astype("f").astype("d")
    with np.errstate(invalid="ignore"):
        close = np.abs(got - rounded) <= rtol * np.abs(rounded) + flushed
    close &= np.isfinite(rounded)
    return ~((got == rounded) | close | (np.isnan(got) & np.isnan(rounded)))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("table", ALL)
def test_special_values(table, way):
    values, wrong = operands(table), []
    known = np.ones(len(values[0]), bool)
    if way == "native" and not READS_DENORMALS:
        known = ~np.any([((v != 0) & (np.abs(v) < LEAST)).any(1) for v in values], 0)
    for r, got in zip(ALL[table], computed(table, way), strict=True):
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            want = np.asarray(r.statement(*(v.astype("d") for v in values)), "d")
        got = np.asarray(got, "d").reshape(want.shape)
        places = np.flatnonzero(differing(got, want, r.rtol).reshape(len(want), -1).any(1) & known)
        wrong += [f"{r.name}({', '.join(str(v[k]) for v in values)}) = {got[k]}, not {want[k]}" for k in places[:4]]
    assert not wrong, "\n".join(wrong)


def test_every_function_has_a_row_or_a_reason():
    rows = {r.name for table in TABLES.values() for r in table}
    wrong = (rows | set(EXCUSED)) ^ set(ops.__all__)
    assert not wrong, f"without a row or a reason in tests/tables/special_rows.py, or gone: {sorted(wrong)}"
    assert not rows & set(EXCUSED)
    assert all(len(reason.split()) > 3 or reason == "it is dot" for reason in EXCUSED.values())


def test_a_wrong_result_is_noticed():
    """The control: another sign, ∞ in place of NaN and the reverse, and an error of 1e-4."""
    right = np.array([1.5, -1e30, np.inf, np.nan, 0.0, 3 * LEAST])
    assert not differing(right * (1 + 1e-8), right, 1e-6).any()
    assert not differing([1.5, -1e30, np.inf, np.nan, -1e-39, 3 * LEAST], right, 1e-6).any()
    assert differing(-right, right, 1e-6).tolist() == [True, True, True, False, False, True]
    assert differing(right * (1 + 1e-4), right, 1e-6)[:2].all()
    assert differing([np.nan, np.inf, np.nan, np.inf, 1.0, 0.0], right, 1e-6).all()
    for r, got in zip(TABLES["one"], computed("one", "array"), strict=True):
        got = np.asarray(got, "d")
        assert not np.nan_to_num(got).any() or differing(-got, got, r.rtol).any(), r.name


def slope_case(build: Any, rows: int) -> Case:
    with np.errstate(all="ignore"):
        case = Case(build, Shape(rows=rows))
    case.dtype = np.float32
    return case


def of_one(name: str) -> Case:
    """The adjoint of an operation of one number, with dz = 1, from the grid or what the operation makes of it."""

    def build(case: Case) -> ElementwiseAdjoint:
        equation = UNARY[name]
        of = Elementwise(Buffer("h", (1,)), Buffer("a", (1,)), equation, tuple(map(float, equation.arguments.values())))
        v = GRID[:, None] if of.source is of.h else of.value(np, GRID[:, None])
        return ElementwiseAdjoint(of, case.put("v", (1,), v), case.put("da", (1,), 1.0), case.output("dh", (1,)))

    return slope_case(build, len(GRID))


def of_two(name: str, operand: str) -> Case:
    """The adjoint of an operation of two numbers with respect to one, with dz = 1."""

    def build(case: Case) -> Pointwise:
        adjoint = operations.adjoint(BINARY[name], operand)
        values = {"dz": 1.0, "x": PAIRS[:, :1], "y": PAIRS[:, 1:]}
        return Pointwise(adjoint, tuple(case.put(n, (1,), values[n]) for n in adjoint.slopes), case.output("z", (1,)))

    return slope_case(build, len(PAIRS))


SLOPES = [(of_one, name) for name, equation in UNARY.items() if equation.slope]
SLOPES += [(of_two, name, operand) for name, o in BINARY.items() for operand, slope in o.slopes.items() if slope]


@pytest.mark.skipif(not READS_DENORMALS, reason="denormal operands are 0 on this processor")
@pytest.mark.parametrize("made", SLOPES, ids=["-".join(made[1:]) for made in SLOPES])
def test_slopes_at_special_values(made):
    """A native kernel's adjoint is the reference's."""
    case = made[0](*made[1:])
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ((want,), (got,)) = case.reference().values(), case.native().values()
    wrong = differing(got, want, 1e-4, 100 * LEAST)  # xʸ·ln x, where xʸ is denormal
    values = [case.values[b].ravel()[wrong.ravel()][:6] for b in case.instruction.operands]
    assert not wrong.any(), f"{values}: {want[wrong][:6]}"


@pytest.mark.parametrize(
    ("case", "at", "want"),
    [
        (("arcsin",), 1.0, np.inf),
        (("arcsin",), -1.0, np.inf),
        (("arccos",), 1.0, -np.inf),
        (("sqrt",), 0.0, np.inf),
        (("log",), 0.0, np.inf),
        (("abs",), -0.0, 0.0),
        (("arctan2", "x"), (1e30, 1e30), 5e-31),
        (("arctan2", "y"), (-1.0, -0.0), 1.0),
    ],
)
def test_a_slope_at_a_point(case, at, want):
    case = (of_one if len(case) == 1 else of_two)(*case)
    (got,) = case.native().values()
    points = GRID if got.shape[0] == len(GRID) else PAIRS
    place = np.flatnonzero((points == np.float32(at)).reshape(len(points), -1).all(1))[0]
    assert got.ravel()[place] == pytest.approx(want)
