"""Tables' networks as JavaScript: cells mean what they mean in the NumPy file, and rows get the run's predictions."""

import json
import subprocess

import numpy as np
import pytest
from test_js import NODE
from test_numpy_table import ROWS, TARGETS, cells, defined

from thalweg.data import read_table
from thalweg.data.notations import quantities
from thalweg.data.notations.calendars import ORDERS
from thalweg.data.notations.patterns import date_patterns
from thalweg.data.notations.quantities import Style
from thalweg.errors import ThalwegWarning
from thalweg.exchange.targets import export
from thalweg.export import numpy_cells
from thalweg.export.js.js_table import CELLS, called, literal, markers
from thalweg.export.numpy_table import Meaning, meaning_of_categories, meaning_of_numbers, meaning_of_truths
from thalweg.runs import table_training
from thalweg.runs.table_run import TableOptions

pytestmark = pytest.mark.skipif(NODE is None, reason="needs node")
KNOWN = {
    "words": ["red", " green ", "藍", "None of both", "🎈"],
    "numbers": ["1", "2.0", "02", "10", "-3", "1.5", "nan"],
    "truths": ["True", "no"],
    "capitals": ["True", "False", "maybe"],
    "numerals": ["1.0", "0.0"],
}
TEXTS = [
    *("", " ", "NA", "nan", "NAN", "+nan", "-", "—", "n.a.", "None", "none", "?", "null", "無資料", "0000-00-00"),
    *("1", "1.0", "01", "+1", "-1", "1.", ".5", ".", "1e5", "1E-3", "1e", "1_000", "0x10", "0b1", "0o7", "1e400"),
    *("1.234,5", "1.234", "1 234", "inf", "Infinity", "-inf", "infinit", "１２", "１．５", "٣", "𝟙𝟚.5", "½", "²"),
    *("\x1c7\x85", "\ufeff7", "\u30007\xa0", "7\x00", "7\u2028", " 7 ", "\u200b7", "--1", "1-", "12abc", "1e5e5", "Ⅷ"),
    *("yes", "YES ", "n", "T", "f", "0", "0.0", "1.00", "True", "true", "FALSE", "maybe", "ja", "İ"),
    *("red", " red", "Red", "green", "藍", "🎈", "none of both", "2", "02", "2.0", "10.0", "-3.0", "1.5", "+1.5"),
    *("2024-05-31", "2024/5/31", "2024-5-31", "2024-05/31", "2024-05", "2024/05", "2024-5", "1074-03", "2024"),
    *("20240231", "17991231", "2024-02-30", "2023-02-29", "2024-02-29", "1000-01-01", "0999-01-01", "9999-12-31"),
    *("2024-05-31 10:30", "2024-05-31T9:05:07", "2024-05-31T10:30:15.123456789", "2024-05-31 24:00"),
    *("2024-05-31T10:30Z", "2024-05-31 10:30+08:00", "2024-05-31t10:30-0330", "2024-05-31 10:30:60", "2024-05-31Z"),
    *("1969-12-31T23:59:59.5", "31/5/2024", "2024-13-01", "2024-00-01", "now", "-2024-05-31", "２０２４-05-31"),
    *("it's", 'say "it\'s"', "a\\b\n\t\r\x00\x7f\xad", "a\u2028b\u3000\U000e0001 \U0001f388", "=cmd|' /C calc'!A0"),
    *("1,5", "1n", "20240531", "today", "2024-05-31 10:60", "NaT", "...", "NaN", "2024-W22"),
]  # fmt: skip
CELLS_OF_JSON = [*TEXTS, None, True, False, 0, 1, -3, 2, 1.5, 1e300, 20240531, 123456789012, 1e-7]
UNITS = ("", "坪", "NT$, 元", "%", "‰", "kg", "km/h", "元/月", "USD", "°C", "樓, F", "m²")
NOTATIONS = ("", *quantities.BODIES, *quantities._BASES, "10:30")
MEANINGS = {
    **{name: meaning_of_categories(texts) for name, texts in KNOWN.items()},
    **{f"{n!r} {unit}": meaning_of_numbers(Style(n, unit)) for n in NOTATIONS for unit in UNITS},
    **{f"dates {rule}": Meaning("date", date_patterns(rule)) for rule in ("", *ORDERS)},
    "digits of 民國": Meaning("date", date_patterns("", True)),
    "truth": meaning_of_truths(),
}
PARTS = (
    *(
        "1",
        "0",
        "12",
        "1234",
        "e",
        ".",
        ",",
        "-",
        "+",
        "/",
        "−",
        "2024",
        "113",
        ":30",
        " ",
        "T",
        "_",
        "x",
        "１",
        "３",
        "'",
    ),
    *(
        "約",
        "~",
        "about ",
        "(",
        ")",
        "NT$",
        "$",
        "USD ",
        "坪",
        "元",
        "%",
        "‰",
        " kg",
        "KG",
        "公斤",
        "萬",
        "億",
        "k",
        "M",
        " F",
    ),
    *(
        "年",
        "月",
        "日",
        "民國",
        "元",
        "PM",
        "下午 ",
        " 上午",
        "Z",
        "+08:00",
        " UTC",
        "05",
        "31",
        "-05-31",
        "/5/31",
        "m²",
        "°C",
    ),
)
RUN = """
const fs = require("fs");
const {program, markers, columns, cells} = JSON.parse(fs.readFileSync("given.json", "utf8"));
const [read, every] = new Function(`${markers}; ${program}; return [read, ${columns}];`)();
const found = every.map((column) => cells.map((cell) => {
    try {
        const value = read(column, cell, 7);
        return Number.isFinite(value) ? value : String(value);
    } catch (error) {
        return `${error.name}: ${error.message}`;
    }
}));
fs.writeFileSync("found.json", JSON.stringify(found));
"""


def module():
    return CELLS.read_text(encoding="utf-8").replace("\nexport ", "\n")


def drawn(count):
    """Texts of parts of others."""
    draw = np.random.default_rng(0)
    return ["".join(draw.choice(PARTS, draw.integers(1, 8))) for _ in range(count)]


def test_each_cell_means_the_same(tmp_path):
    every = [*CELLS_OF_JSON, *drawn(3000)]
    columns = []
    for name, meaning in MEANINGS.items():
        more = ", missing: -2" if name in KNOWN else ""
        columns.append(f"{{name: {literal(name)}, noun: 'what it is', meaning: {called(meaning)}{more}}}")
    given = {"program": module(), "markers": "\n".join(markers()), "columns": f"[{', '.join(columns)}]", "cells": every}
    (tmp_path / "given.json").write_text(json.dumps(given), encoding="utf-8")
    (tmp_path / "run.js").write_text(RUN, encoding="utf-8")
    subprocess.run([NODE, "run.js"], cwd=tmp_path, check=True, timeout=300)
    found = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))
    different, numbers = [], 0
    for (name, told), values in zip(MEANINGS.items(), found, strict=True):
        meaning = eval(str(told), vars(numpy_cells))
        missing = -2 if name in KNOWN else float("nan")
        for cell, one in zip(every, values, strict=True):
            try:
                value = float(numpy_cells.read({name: [None] * 6 + [cell]}, name, "what it is", meaning, missing)[6])
                other = value if np.isfinite(value) else "NaN"
            except ValueError as error:
                other = f"RangeError: {error}"
            numbers += not isinstance(other, str)
            different += [(name, cell, one, other)] * (one != other)
    assert different == []
    assert numbers > 20_000


@pytest.fixture(scope="module", params=TARGETS)
def run(request):
    table = cells()
    others = tuple(name for name in TARGETS if name != request.param)
    options = TableOptions(
        target=request.param, ignore=others, members=1, layers=(8,), epochs=3, seed=0, lanes=1, categories=("shop",),
    )  # fmt: skip
    return table_training.train(read_table(table), options), table


ROW = """
const fs = require("fs");
const text = fs.readFileSync("net.js", "utf8");
const classes = text.includes("function predict_proba");
const answer = classes ? "predict_proba" : "predict";
const made = new Function(`${text}; return [predict, ${answer}];`)();
const found = JSON.parse(fs.readFileSync("rows.json", "utf8")).map((row, place) => {
    try {
        return [made[1](row, place + 1), made[0](row, place + 1)];
    } catch (error) {
        return `${error.name}: ${error.message}`;
    }
});
fs.writeFileSync("found.json", JSON.stringify(found));
"""


def ran(folder, trained, rows, **wishes):
    """What an exported file says of rows."""
    export(trained.ensemble, folder / "net.js", features=trained.features, overwrite=True, **wishes)
    (folder / "rows.json").write_text(json.dumps(rows), encoding="utf-8")
    (folder / "rows.js").write_text(ROW, encoding="utf-8")
    subprocess.run([NODE, "rows.js"], cwd=folder, check=True, timeout=100)
    return json.loads((folder / "found.json").read_text(encoding="utf-8"))


def test_rows_get_the_run_s_predictions(run, tmp_path):
    """With trees, and all columns' kinds."""
    trained, table = run
    rows = [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]
    found = ran(tmp_path, trained, rows)
    np.testing.assert_allclose([f[0] for f in found], trained.predicted(read_table(table)), rtol=1e-5, atol=1e-6)
    said = [f[1] for f in found]
    if trained.target.task == "regression":
        np.testing.assert_allclose(said, trained.predict(read_table(table)), rtol=1e-5)
    else:
        assert said == list(trained.predict(read_table(table)))
    assert len(found) == ROWS


def test_weights_of_a_byte_are_smaller(run, tmp_path):
    trained, table = run
    rows = [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]
    exact = ran(tmp_path, trained, rows)
    size = (tmp_path / "net.js").stat().st_size
    small = ran(tmp_path, trained, rows, int8=True)
    assert (tmp_path / "net.js").stat().st_size < size
    scale = np.ptp([f[0] for f in exact])
    worst = np.abs(np.array([f[0] for f in small]) - np.array([f[0] for f in exact])).max()
    assert 0 < worst < 0.02 * scale


def test_what_means_nothing_is_named_as_in_the_numpy_file(run, tmp_path):
    trained, table = run
    row = {name: values[0] for name, values in table.items()}
    bad = [
        row | change
        for change in ({"size (kg)": "heavy"}, {"paid": "per'haps"}, {"seen": "soon"}, {"size (kg)": "1_000"})
    ]
    bad += [{name: cell for name, cell in row.items() if name != "顏色"}]
    export(trained.ensemble, tmp_path / "net.py", features=trained.features)
    answer = defined(tmp_path / "net.py")["predict"]
    wanted = []
    for k, cells_of_row in enumerate(bad):
        with pytest.raises(ValueError, match=r"column|lacks") as error:
            answer([row] * k + [cells_of_row])
        wanted.append(f"RangeError: {error.value}")
    assert ran(tmp_path, trained, bad) == wanted


def test_numbers_are_read_as_training_wrote_them(tmp_path):
    """1.234 was more than a thousand there; with odd cells, what is no number is missing."""
    draw = np.random.default_rng(0)
    numbers = draw.uniform(0, 5000, 60).round(2)
    written = [f"NT${v:,.2f}".translate(str.maketrans(",.", ".,")) for v in numbers]
    rows = {"price": written, "share": [f"{k}%" if k % 13 else "ask" for k in range(60)], "y": (numbers / 3).tolist()}
    options = TableOptions(target="y", members=1, layers=(4,), epochs=1, seed=0, lanes=1, trees=False)
    with pytest.warns(ThalwegWarning):
        trained = table_training.train(read_table(rows), options)
    assert [column.notation for column in trained.features.columns] == ["1.234,5", ""]
    given = [("1.234", "5%"), ("NT$ 1.234,5", "maybe"), (1234.5, "7%"), ("1,234.5", "5%")]
    found = ran(tmp_path, trained, [{"price": price, "share": share} for price, share in given])
    wanted = trained.predict({"price": ["1.234,00", "1.234,50", "1.234,50"], "share": ["5%", None, "7%"]})
    np.testing.assert_allclose([row[0] for row in found[:3]], wanted, rtol=1e-5)
    told = "holds '1,234.5', which is no number written as 1.234,5 with NT$"
    assert found[3] == f"RangeError: row 4 of the column 'price' {told}"


def test_labels_that_one_number_would_be_are_texts(tmp_path):
    """To JavaScript, 2^53 and 2^53 + 1 are one number; up to 2^53 − 1 labels are numbers, as in the table."""
    options = TableOptions(target="y", members=1, layers=(4,), epochs=30, seed=0, lanes=1, trees=False)
    for least, kind in ((2**53, str), (2**53 - 2, int)):
        table = {"x": [k % 2 for k in range(60)], "y": [least + k % 2 for k in range(60)]}
        trained = table_training.train(read_table(table), options)
        found = ran(tmp_path, trained, [{"x": 0}, {"x": 1}])
        assert [row[1] for row in found] == [kind(least), kind(least + 1)]
        assert list(trained.predict({"x": [0, 1]})) == [least, least + 1]


def test_a_name_can_t_become_code():
    bad = "</script><!--\u2028\u2029\ud800'\"\\\n"
    assert json.loads(literal(bad)) == bad
    assert not set("<\u2028\u2029\ud800\n") & set(literal(bad))
