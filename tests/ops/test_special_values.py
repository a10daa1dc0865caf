"""Every function of `thalweg.ops` at 0, −0, denormal, largest and infinite numbers and NaN, computed in three ways."""

import platform
import warnings
from functools import cache
from typing import Any

import numpy as np
import pytest
from special_rows import EXCUSED, GRID, LEAST, NUMBERS, PAIRS, TABLES, WITH_NUMBERS, Row, ieee_power, row

from thalweg import Input, Model, ops

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


def differing(got: Any, want: Any, rtol: float) -> Any:
    """Where results aren't what is agreed; see special_rows.py."""
    got = np.asarray(got, "d")
    with np.errstate(over="ignore"):
        rounded = np.asarray(want, "d").astype("f").astype("d")
    with np.errstate(invalid="ignore"):
        close = np.abs(got - rounded) <= rtol * np.abs(rounded) + 1.01 * LEAST
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
    assert rows | set(EXCUSED) == set(ops.__all__)
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
