"""A row by itself means what it means in a table, to the bit, or is left to the table."""

import copy
import datetime
import decimal
import fractions
import pickle
import warnings
from collections import defaultdict

import numpy as np
import pandas as pd
import polars as pl
import pytest
from amounts import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from thalweg.data.tables import Table, read_table
from thalweg.errors import DataError, ThalwegWarning
from thalweg.sklearn.newcomers import understood
from thalweg.tabular.features import Features
from thalweg.tabular.single_row import REMEMBERED, row_of

RNG = np.random.default_rng(0)
ROWS = 60
ZONE = datetime.timezone(datetime.timedelta(hours=8))
MOMENTS = [datetime.datetime(2020, 1, 1, 5) + datetime.timedelta(days=9 * k, hours=k) for k in range(ROWS)]


def texts(form, values=None):
    return [form(value) for value in (range(ROWS) if values is None else values)]


def gapped(values):
    """The values, every seventh of them missing."""
    return [None if k % 7 == 3 else value for k, value in enumerate(values)]


COLUMNS = {
    "numbers": RNG.normal(size=ROWS).tolist(),
    "numbers or none": gapped(RNG.normal(50, 20, ROWS).tolist()),
    "integers": list(range(ROWS)),
    "one number or none": gapped([3.5] * ROWS),
    "plain text": texts(lambda k: f"{k}.25"),
    "thousands": texts(lambda k: f"{k + 1},{k + 100:03}.5"),
    "decimal comma": texts(lambda k: f"{k},5"),
    "per cent": texts(lambda k: f"{k}%"),
    "kilograms": texts(lambda k: f"{k} kg"),
    "dollars or bare": texts(lambda k: f"NT${k}" if k % 2 else f"{k}"),
    "bracketed": texts(lambda k: f"({k})" if k % 2 else f"{k}"),
    "times": texts(lambda k: f"{k % 24}:{k:02}"),
    "thousand or million": texts(lambda k: f"{k}.5k" if k % 2 else f"{k}M"),
    "colour": texts(lambda k: ["red", "green", " blue", "7", "無"][k % 5]),
    "colour or none": gapped(texts(lambda k: ["red", "green", "1.10"][k % 3])),
    "two": texts(lambda k: ["no", "yes"][k % 2]),
    "sizes": texts(lambda k: ["1", "2", "3+"][k % 3]),
    "codes": texts(lambda k: f"{k % 9:03}"),
    "many": texts(lambda k: f"town {k % 40}") + texts(lambda k: f"place {k}"),
    "truth": texts(lambda k: k % 3 == 0),
    "truth or none": gapped(texts(lambda k: k % 3 == 0)),
    "truth in text": texts(lambda k: "true" if k % 3 else "false"),
    "moments": MOMENTS,
    "days": [moment.date() for moment in MOMENTS],
    "days or none": gapped([moment.date() for moment in MOMENTS]),
    "in Taipei": [moment.replace(tzinfo=ZONE) for moment in MOMENTS],
    "days in text": [f"{moment:%Y-%m-%d}" for moment in MOMENTS],
    "day first": [f"{moment:%d/%m/%Y}" for moment in MOMENTS],
    "either first": [f"{1 + k % 9}/{1 + k % 7}/{2000 + k}" for k in range(ROWS)],
    "month first": [f"{moment:%m/%d/%Y %H:%M}" for moment in MOMENTS],
    "date in digits": [int(f"{moment:%Y%m%d}") for moment in MOMENTS],
    "民國日": [f"民國{moment.year - 1911}年{moment.month}月{moment.day}日" for moment in MOMENTS],
    "date of 民國": [(moment.year - 1911) * 10_000 + moment.month * 100 + moment.day for moment in MOMENTS],
}  # fmt: skip
NUMBERLIKE = [
    *("5", " 5 ", "\t5\n", "+5", "-5.5", ".5", "5."),
    *("5e3", "5E-3", "1e400", "-1e400", "1e-400", "inf", "-Infinity", "nan"),
    *("1_000", "１２", "0x10", "007", "1,250", "1,250.5", "1.250"),
    *("1.250,5", "1'234.5", "1 234", "1,5", "5%", "5 %", "5‰"),
    *("5 kg", "5kg", "kg", "NT$5", "$5", "5元", "(5)", "約5"),
    *("~5", "5k", "1.5M", "3萬", "5A", "3+", "5th", "+1234567", "\u00a05"),
    *("9007199254740993", "1" * 400, "0.1" + "0" * 300, "1.10", "1.1", "--5", "5-", "٥", "½", "Ⅷ"),
]  # fmt: skip
DATELIKE = [
    *("2024-05-31", " 2024-05-31 ", "2024/5/31 10:30:15.5"),
    *("2024-05-31T10:30Z", "2024-05-31T10:30+08:00", "20240531"),
    *("2024-05", "2024-W22", "31 May 2024", "May 31, 2024 3:04 PM", "31-May-24", "2024Q2", "2024年5月31日 下午 3:04"),
    *("民國113年5月31日", "113/5/31", "1130531", "5/6/2024"),
    *("6/5/2024", "31/5/2024", "5/31/2024", "31.5.2024", "2024-02-30"),
    *("10:30", "10:30:15", "25:30", "0000-00-00", "99991231", "2024-13-01"),
]  # fmt: skip
WORDS = [
    *("", " ", "NA", "n/a", "N.A.", "-", "—", "?", "null"),
    *("None", "無", "缺", ".", "*", "x" * 300, "red", " red", "RED", "blue"),
    *("true", "TRUE", "False", "yes", "no", "Y", "f", "1"),
    *("0", "1.0", "0.0", "town 3", "place 7", "7.0", "007", "violet", "\x00"),
]  # fmt: skip
OBJECTS = [
    *(None, float("nan"), np.nan, np.float64("nan"), np.float32(0.1)),
    *(np.float16(0.1), float("inf"), -np.inf, -0.0, 0.0),
    *(0, 1, 2, 7, -3, 0.5, 1e300, 5e-324),
    *(2**53, 2**53 + 1, -(2**63), 10**30, 10**400, True, False, np.True_, np.False_),
    *(np.int8(5), np.int32(-5), np.int64(2**60), np.uint64(2**64 - 1), np.str_("red"), np.datetime64("2024-05-31")),
    *(np.datetime64("NaT", "us"), np.timedelta64(5, "s")),
    *(decimal.Decimal("5.5"), decimal.Decimal("NaN"), fractions.Fraction(1, 3)),
    *(1j, b"red", bytearray(b"5"), (1, 2), [1], {}, object(), np.array(5), np.array([5]), range(3), np.ma.masked),
    *(datetime.date(2024, 5, 31), datetime.datetime(2024, 5, 31, 10, 30, 15, 7)),
    *(datetime.date(1, 1, 1), datetime.date.max),
    *(datetime.datetime(2024, 5, 31, tzinfo=ZONE), datetime.time(10, 30), datetime.timedelta(days=1)),
    *(20240531, 1130531, 45),
    *(20240531.0, 20249931, 1.25, 113.0),
]  # fmt: skip
CANDIDATES = [
    *NUMBERLIKE,
    *DATELIKE,
    *WORDS,
    *OBJECTS,
    *RNG.normal(size=40).tolist(),
    *RNG.integers(-9, 99, 40).tolist(),
]


def fitted(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ThalwegWarning)
        return Features.fit(Table.of({name: COLUMNS[name]}), categories=[name] * (name in ("many", "codes")))


def of_table(features, source, familiar=False):
    """The matrix as a table gives it; None if it refuses the row or warns of it."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", ThalwegWarning)
        try:
            table = read_table(source)
            return features.matrix(understood(features, table) if familiar else table)
        except (DataError, ThalwegWarning):
            return None


def same(found, wanted):
    return wanted is not None and found.dtype == wanted.dtype and found.tobytes() == wanted.tobytes()


@pytest.mark.parametrize("name", COLUMNS)
def test_a_cell_means_what_it_means_in_a_table(name):
    features = fitted(name)
    for familiar in (False, True):
        read = 0
        for cell in [*CANDIDATES, *COLUMNS[name]] * 2:  # the second time it is remembered
            x = features.of_row(row_of({name: cell}), familiar)
            if x is not None:
                read += 1
                wanted = of_table(features, {name: cell}, familiar)
                assert same(x, wanted), (name, cell, x, wanted)
        assert read > 30


@pytest.mark.parametrize("name", [name for name in COLUMNS if isinstance(COLUMNS[name][0], str)])
def test_so_does_any_text(name):
    features = fitted(name)
    signs = st.text("0123456789.,-+ ()%$kgNT/:年月日eE無民國", max_size=12)

    @settings(max_examples=examples(200), deadline=None)
    @given(st.one_of(signs, st.text(max_size=6)))
    def holds(text):
        x = features.of_row(row_of({name: text}))
        assert x is None or same(x, of_table(features, {name: text}))

    holds()


ALL = {name: values for name, values in COLUMNS.items() if name != "many"}


def rows_of(columns):
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def test_a_row_is_the_same_alone_as_among_others():
    features = fitted_but()
    matrix = features.matrix(Table.of_rows(rows_of(ALL)))
    read = 0
    for row, wanted in zip(rows_of(ALL), matrix, strict=True):
        x = features.of_row(row_of(row))
        if x is not None:
            read += 1
            assert x.shape == (1, matrix.shape[1])
            assert same(x[0], wanted)
    assert not read  # a date as a number is left to the table
    features = fitted_but("date in digits", "date of 民國")
    matrix = features.matrix(Table.of(ALL))
    for row, wanted in zip(rows_of(ALL), matrix, strict=True):
        assert same(features.of_row(row_of(row))[0], wanted)


def fitted_but(*names):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ThalwegWarning)
        return Features.fit(Table.of(ALL), ignore=names, categories=["codes"])


FRAMES = {
    "plain": pd.DataFrame(
        {"n": [1, 2, 3], "x": [0.5, np.nan, np.inf], "t": ["a", None, "b"], "b": [True, False, True]}
    ),
    "small types": pd.DataFrame(
        {"n": np.array([1, 2, 3], np.int8), "x": np.float32([0.1, 0.2, 0.3]), "t": list("abc"), "b": [True] * 3}
    ),
    "large integers": pd.DataFrame(
        {"n": [2**53 + 1, 2, 3], "x": [1e300, 2, 3], "t": ["9007199254740993"] * 3, "b": [1, 0, 1]}
    ),
    "objects": pd.DataFrame(
        {"n": [1, "2", 3.5], "x": [None, 5, pd.NA], "t": [7, 7.0, pd.NaT], "b": ["yes", 1, True]}, dtype=object
    ),
    "nullable": pd.DataFrame(
        {"n": pd.array([1, None, 3]), "x": pd.array([0.5, None, 1.5]), "t": pd.array(["a", None, "b"]), "b": [True] * 3}
    ),
    "categories": pd.DataFrame(
        {"n": pd.Categorical([1, 2, 3]), "x": [1.0, 2, 3], "t": pd.Categorical(list("abc")), "b": [True] * 3}
    ),
    "polars": pl.DataFrame(
        {"n": [1, None, 3], "x": [0.5, float("nan"), None], "t": ["a", None, "b"], "b": [True, None, False]}
    ),
    "polars' categories": pl.DataFrame(
        {"n": [1, 2, 3], "x": [1.0] * 3, "t": pl.Series(list("abc"), dtype=pl.Categorical), "b": [True] * 3}
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", FRAMES)
def test_a_frame_of_one_row_is_read_as_a_table_is(kind):
    frame = FRAMES[kind]
    training = {
        "n": list(range(40)),
        "x": gapped(np.linspace(0, 1, 40)),
        "t": list("abca" * 10),
        "b": [True, False] * 20,
    }
    features = Features.fit(Table.of(training))
    read = 0
    for k in range(3):
        one = frame[k : k + 1]
        x = features.of_row(row_of(one))
        if x is not None:
            read += 1
            assert same(x, of_table(features, one))
    assert (read > 0) == (kind in ("plain", "large integers", "objects", "polars"))


@pytest.mark.parametrize(
    "source",
    [
        *([], {}, [{}], [{"a": 1}, {"a": 2}], {"a": [1]}, {"a": np.array(1)}),
        *({1: 1}, {"a": 1, 1: 2}, [[1]], "a", None, 5),
        *({"a": 1, "other": [1]}, pd.DataFrame({"a": [1, 2]})),
        *(pd.DataFrame([[1, 2]], columns=["a", "a"]), pd.DataFrame()),
        *(defaultdict(int, a=1), pl.DataFrame({"a": [1, 2]}), pd.Series({"a": 1})),
        *(Table.of({"a": [1]}), [pd.DataFrame({"a": [1]})]),
    ],
)  # fmt: skip
def test_what_is_no_single_row_of_plain_cells_is_left_to_the_table(source):
    assert row_of(source) is None


def test_what_a_table_refuses_is_left_to_it():
    features = Features.fit(Table.of({"age": list(range(30)), "town": ["Ulm", "Bonn", "Köln"] * 10}))
    assert features.of_row(None) is None
    assert features.of_row({"age": 5, "town": "Ulm"}) is not None
    assert features.of_row({"age": 5, "town": "Ulm", "more": 1}) is not None
    for row in (
        {"age": 5},
        {"age": np.inf, "town": "Ulm"},
        {"age": "old", "town": "Ulm"},
        {"age": 10**400, "town": "Ulm"},
    ):
        assert features.of_row(row) is None
        with pytest.raises(DataError):
            features.matrix(row)


def test_what_is_remembered_is_bounded_and_left_out_of_copies():
    features = Features.fit(Table.of({"age": list(range(30)), "town": ["Ulm", "Bonn", "Köln"] * 10}))
    plain = pickle.dumps(features)
    for k in range(2 * REMEMBERED):
        assert features.of_row({"age": k, "town": f"town {k}"}) is not None
    assert features.of_row({"age": 1, "town": "x" * 10_000}) is None
    cells = {place: cell.cell_contents for place, cell in enumerate(features._rows[False].others[0][1].__closure__)}
    assert [cell.cache_info().currsize for cell in cells.values() if hasattr(cell, "cache_info")] == [REMEMBERED]
    assert pickle.dumps(features) == plain
    copied = copy.deepcopy(features)
    assert copied == features
    assert same(copied.of_row({"age": 1, "town": "Ulm"}), features.of_row({"age": 1, "town": "Ulm"}))


def test_a_matrix_can_be_changed_by_who_asked_for_it():
    features = Features.fit(Table.of({"age": list(range(30)), "town": ["Ulm", "Bonn", "Köln"] * 10}))
    row = {"age": 1, "town": "Ulm"}
    first = features.of_row(row)
    kept = first.copy()
    first[:] = 7
    assert same(features.of_row(row), kept)


def test_several_rows_are_read_as_each_alone():
    """All of them at once, also those that a table has to read, which are named."""
    names = ["numbers", "numbers or none", "thousands", "colour", "truth or none", "moments", "day first"]
    features = Features.fit(Table.of({name: COLUMNS[name] for name in names}))
    rows = [{name: COLUMNS[name][k] for name in names} for k in range(ROWS)]
    rows[3]["colour"], rows[7]["numbers"] = "x" * 300, "many"
    del rows[9]["moments"]
    rows[4]["colour"] = "violet"
    found, left, unknown = features.of_rows(rows)
    alone = [features.of_row(row) for row in rows]
    assert left == [k for k, x in enumerate(alone) if x is None]
    assert left == [3, 7, 9]
    for k, x in enumerate(alone):
        assert x is None or np.array_equal(found[k : k + 1], x)
    assert unknown == {4: ["colour"]}
    none, left, unknown = features.of_rows([])
    assert (none.shape, left, unknown) == ((0, len(features.feature_names)), [], {})
