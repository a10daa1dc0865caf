"""Numbers and dates that files read without thalweg: what their patterns take means what it means here."""

import itertools
import random

import numpy as np
import pytest

from thalweg.data.dates import _date
from thalweg.data.notations import quantities
from thalweg.data.notations.calendars import ORDERS
from thalweg.data.notations.patterns import date_patterns
from thalweg.data.notations.quantities import MARKED, MULTIPLES, Style
from thalweg.data.reading import number_in
from thalweg.export import numpy_cells
from thalweg.export.numpy_cells import date
from thalweg.export.numpy_table import meaning_of_numbers

NOTATIONS = ("", *quantities.BODIES, *quantities._BASES)
UNITS = (
    "", "坪", "NT$", "NT$, 元", "$", "%", "‰", "kg", "公斤", "m", "km/h", "元/月", "USD", "€", "°C", "k", "樓, F",
    "L", "x",
)  # fmt: skip
BEFORE = (
    "", "", "約", "約 ", "~", "about ", "ca. ", "(", "( ", "-", "+", "- ", "−", "NT$", "$-", "-$", "USD ", "USD",
    "約(",
)  # fmt: skip
BODIES = (
    "0", "1", "1234", "1,234", "1.234", "1.5", "1,5", "1 234", "1'234", "1,234.5", "1.234,5", "1 234,5",
    "12,345,678", ".5", ",5", "5.", "1e3", "1.5e-2", "5.e3", "007", "1,23", "1234,567.8", "１２", "0.0", "1..2",
)  # fmt: skip
AFTER = (
    "", "", " 坪", "坪", "元", " 元", "%", "%.", " %", "KG", " kgs", "Kg.", "公斤", "m", "M", " M", "k", "K", "萬",
    " 億", "萬元", "萬 元", "k$", " $", ")", "坪)", " )", "元/月", "km/h", "°C", "℃", " years", "x", "F", "樓", "‰",
    "USD", "l",
)  # fmt: skip


def number_reader(style):
    """The function of an exported file."""
    return eval(str(meaning_of_numbers(style)), vars(numpy_cells))


@pytest.mark.parametrize("notation", dict.fromkeys(NOTATIONS))
def test_a_number_that_a_file_takes_is_the_same_number(notation):
    draw, same, refused = random.Random(0), 0, 0
    for unit in UNITS:
        style = Style(notation, unit)
        value = number_reader(style)
        for _ in range(400):
            text = "".join(map(draw.choice, (BEFORE, BODIES, AFTER)))
            wanted, found = number_in(text, style), value(text)
            if found is None:
                refused += wanted is not None
            else:
                assert found == wanted, (style, text)
                same += 1
    assert same > 50
    assert refused < 0.02 * same  # nothing that people write: "NT$ 1s"


@pytest.mark.parametrize(
    ("style", "text", "number"),
    [
        (Style("", "坪"), "約25坪", 25.0),
        (Style("1,234.5", "NT$"), "NT$1,234", 1234.0),
        (Style("1,234.5", "NT$"), "(1,234)", -1234.0),
        (Style("1.234,5"), "1.234,5", 1234.5),
        (Style("", "%"), "45%", 0.45),
        (Style("", "%"), "45", None),
        (Style("", "kg"), "5 lb", None),
        (Style(MULTIPLES, "元"), "3萬元", 30000.0),
        (Style(MULTIPLES), "1.2k", 1200.0),
        (Style(MARKED), "about 7", 7.0),
        (Style("10:30"), "10:30:15", 37815.0),
    ],
)
def test_numbers_as_people_write_them(style, text, number):
    assert number_in(text, style) == number
    assert number_reader(style)(text) == number


YEARS = (
    "2024", "1999", "113", "99", "24", "民國113", "中華民國113", "民國元", "0", "１１３", "20240531", "1130531",
    "991231",
)  # fmt: skip
MARKS, MONTHS, DAYS = ("-", "/", ".", "年", " 年 "), ("5", "05", "12", "13", "0"), ("1", "31", "30", "29", "00")
CLOCKS = (
    "", "", " 10:30", "T10:30:15", "T10:30:15.5Z", " 10:30:15.123456789", " 9:05", " 24:00", " 10:30 PM",
    " 13:00 AM", " 下午 3:04", " 上午12:04", "T10:30+08:00", "T10:30-0830", " 10:30 UTC", "10時30分",
    " 下午 3:04 PM", "T1:2",
)  # fmt: skip


@pytest.mark.parametrize("notation", ["", *ORDERS, "years of 民國", "digits", "digits, 民國"])
def test_a_date_that_a_file_takes_is_the_same_moment(notation):
    notation, _, minguo = notation.partition(", ")
    moment, draw, same, refused = date(*date_patterns(notation, bool(minguo))), random.Random(0), 0, 0
    for _ in range(20_000):
        mark = draw.choice(MARKS)
        parts = draw.choice((YEARS, DAYS)), MONTHS, draw.choice((DAYS, YEARS))
        if draw.random() < 0.3:
            text = draw.choice(YEARS)
        elif "年" in mark:
            text = f"{draw.choice(YEARS)}{mark}{draw.choice(MONTHS)}月{draw.choice(DAYS)}{draw.choice('日號月')}"
        else:
            text = mark.join(map(draw.choice, parts))
        text += draw.choice(CLOCKS)
        wanted, found = _date(text, notation, bool(minguo)), moment(text)
        if found is None:
            refused += wanted is not None and text[:8] not in ("20240531",)  # 20240531T1030 is refused
        else:
            assert wanted is not None, text
            assert found == pytest.approx(wanted.astype(np.int64) / 1e6, abs=1e-6), text
            same += 1
    assert same > 500
    assert refused == 0


def test_what_is_no_date_is_none():
    moment = date(*date_patterns(""))
    for text in ("now", "today", "NaT", "2024", "2024-02-30", "31/5/2024", "20241331", "2024-05-31T", "1,5", ""):
        assert moment(text) is None
        assert text == "" or _date(text, "", False) is None


def test_a_share_is_one_with_a_full_stop_behind_it():
    for text, number in itertools.product(("45%", "45%.", "45 %"), (0.45,)):
        assert Style("", "%").value(text) == number


def test_a_run_that_took_a_share_for_a_number_goes_on_so():
    for text in ("45%", "45%."):
        assert Style("", "%.").value(text) == number_reader(Style("", "%."))(text) == 45.0
