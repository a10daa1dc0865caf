"""Cells in every notation, in every export: each gives the run's answer or is refused, never another number."""

import base64
import json
import re
import runpy
import subprocess
import zlib

import numpy as np
import pytest
from c_files import GCC, compiled, pointer
from test_js_table import CELLS_OF_JSON, KNOWN, NODE
from test_js_table import drawn as texts_drawn

from thalweg.data.cells import bare_column, column_of, objects
from thalweg.data.columns import BooleanColumn, CategoryColumn, NumberColumn
from thalweg.data.dates import DateColumn
from thalweg.data.fitted import Scale
from thalweg.data.labels import label_codes
from thalweg.data.notations.calendars import DAY_FIRST, MINGUO, MONTH_FIRST
from thalweg.data.notations.patterns import date_patterns
from thalweg.data.notations.quantities import Style
from thalweg.data.reading import GAPS, MISSING_MARKERS, bare, number_in
from thalweg.data.tables import Table
from thalweg.exchange.targets import export
from thalweg.export import numpy_cells
from thalweg.export.exported_tables import table_network
from thalweg.export.numpy_table import Meaning, meaning_of_categories, meaning_of_numbers, meaning_of_truths
from thalweg.runs import table_training
from thalweg.runs.table_run import TableOptions

CATEGORIES = KNOWN | {
    "yes and no": ["no", "yes"],
    "one letter": ["n", "y"],
    "mixed words": ["false", "yes"],
    "two spellings": ["True", "true", "no"],
    "one and zero": ["0", "1"],
    "ambiguous": ["1", "1.0", "7"],
    "versions": ["1.1", "1.10", "2.0"],
    "thousands": ["1000", "1200", "30000", "-5"],
    "large": ["9007199254740993", "9007199254740992", "1e20"],
    "days": ["2024-05-31", "31 May 2023", "other"],
    "day first": ["31/5/2024", "1/2/2024"],
    "times": ["10:30", "11:00", "37800.5"],
    "codes": ["A12", "3F", "007", "12"],
    "gaps": ["-", "none", "x"],
    "infinite": ["inf", "1"],
    "spaces": [" a", "b\u3000", "c d"],
}
STYLES = [
    Style(),
    Style("1,234.5", "NT$"),
    Style("1.234,5"),
    Style("1234,5"),
    Style("", "%"),
    Style("1.2k"),
    Style("10:30"),
]
BLANKS = (" {}", "{} ", "\t{}", "{}\n", "\u3000{}", "{}\u00a0", "\u2003{}")
MORE = [
    *(" yes ", "1.0", "\tyes", "Yes", "YES", "yEs", "No", "TRUE", "tRUE", "False", "Y", "N", "ＹＥＳ", "ｙ", "c  d"),
    *("1,0", "1,000", "1.000", "1 000", "1'000", "1,200", "1.2k", "3萬", "約1000", "~7", "about 7", "ａｂｏｕｔ７"),
    *("(7)", "+7", "7.", "7.000", "0007", "7e0", "70e-1", "７", "７．０", "−5", "－5", "-5.0", "about\u00a07"),
    *("10:30:00", "37800", "37800.0", "11:00:00.0", "10.5", "9007199254740993", "9007199254740993.0", "1" + "0" * 20),
    *("2024/5/31", "20240531", "31.5.2024", "May 31, 2024", "2024年5月31日", "民國113年5月31日", "2023-05-31T00:00"),
    *("1/2/2024", "2/1/2024", "01/02/2024", "2024-02-01", "A12", "a12", "A13", "3F", "4F", "3 f", "12", "012", "12.0"),
    *("－", "ＮＡ", "ｎ／ａ", "N/a", "Missing", "無\u3000", "\u3000-", "---", " " * 12 + "-", "\u3000" * 12 + "-"),
    *("é", "e\u0301", "ﬀ", "İ", "\u212a", "ſ", "1" * 400, "藍 ", "藍\u3000", "🎈 ", "1.1", "1.10", "1.100", "Inf"),
]  # fmt: skip
NAMED = [text for texts in CATEGORIES.values() for text in texts]
TEXTS = [*{repr(cell): cell for cell in [
    *CELLS_OF_JSON, *MORE, *MISSING_MARKERS, *sorted(GAPS), *(gap.upper() for gap in GAPS), *texts_drawn(1500), *NAMED,
    *(form.format(text) for form in BLANKS for text in (*MORE, *NAMED, "-", "NA")),
    1.0, 2.0, 1.1, 37800.0, np.float32(0.1), np.True_, -5.0,
]}.values()]  # fmt: skip
REFUSED = "refused"


def day_of(notation):
    return DateColumn("d", "2020-01-01", "2024-01-01", Scale(0.0, 1.0), True, True, True, notation=notation)


def run_of_categories(texts):
    fitted = CategoryColumn("c", tuple(texts))
    return lambda column, text: fitted.codes(column)[0]


def run_of_truths(column, text):
    code = label_codes((False, True), column)[0]
    return {-1: None, -2: np.nan}.get(code, code)


def run_of_numbers(style):
    def meaning(column, text):
        if text is None:
            return np.nan if column.texts is not None or column.missing()[0] else column.values[0]
        return number_in(text, style)

    return meaning


def run_of_dates(notation):
    def meaning(column, text):
        if text is None:
            return np.nan
        moment = day_of(notation).moment(text)
        return None if moment is None else np.nan if np.isnat(moment) else moment.astype(np.int64) / 1e6

    return meaning


COLUMNS = {
    **{f"categories {n}": (meaning_of_categories(t), -2, run_of_categories(t)) for n, t in CATEGORIES.items()},
    "truths": (meaning_of_truths(), np.nan, run_of_truths),
    **{f"numbers {s.notation} {s.unit}": (meaning_of_numbers(s), np.nan, run_of_numbers(s)) for s in STYLES},
    **{
        f"dates {n}": (Meaning("date", date_patterns(n)), np.nan, run_of_dates(n))
        for n in ("", DAY_FIRST, MONTH_FIRST, MINGUO)
    },
}
"""What reads a column's cells in an export, what a missing one is, and what the run takes a cell for."""


def cells_for(name):
    """Cells that aren't text mean the same in columns of dates only if they are dates, which JSON hasn't."""
    return [cell for cell in TEXTS if isinstance(cell, str) or cell is None or not name.startswith("dates")]


def said_by_the_run(meaning, cell):
    column = bare_column([cell]) if isinstance(cell, str) else column_of(objects([cell]))
    value = meaning(column, bare(cell) if isinstance(cell, str) else None)
    return REFUSED if value is None or np.isinf(value) else float(value)


def said_by_numpy(meaning, missing, cell):
    try:
        return float(numpy_cells.read({"c": [cell]}, "c", "thing", meaning, missing)[0])
    except ValueError:
        return REFUSED


def same(one, other):
    """Whether numbers are the same, of dates to the microsecond."""
    return one == other or (
        REFUSED not in (one, other) and ((one != one and other != other) or abs(one - other) < 1e-6)
    )


def differences(found, wanted):
    """The cells with another answer than the run's, and how many have the same one."""
    pairs = [(cell, one, other) for (cell, one), other in zip(found, wanted, strict=True) if one != REFUSED]
    wrong = {repr(cell): (one, other) for cell, one, other in pairs if not same(one, other)}
    return wrong, len(pairs) - len(wrong)


@pytest.mark.parametrize("name", COLUMNS)
def test_the_numpy_file_gives_the_run_s_answer_or_none(name):
    told, missing, meaning = COLUMNS[name]
    reads, cells = eval(str(told), vars(numpy_cells)), cells_for(name)
    found = [(cell, said_by_numpy(reads, missing, cell)) for cell in cells]
    wrong, right = differences(found, [said_by_the_run(meaning, cell) for cell in cells])
    assert wrong == {}
    assert right > (0.8 * len(cells) if name.startswith("categories") and "odd" not in told.options else 40)


# --- files, as they are exported -------------------------------------------------------------------------------------

FEW_NUMBERS = {"price": [f"NT${k},{k}.5" for k in range(100, 160)], "share": [f"{k}%" for k in range(60)]}
JAVASCRIPT = """
const fs = require("fs");
const {code, cells} = JSON.parse(fs.readFileSync("given.json", "utf8"));
const get = (of, name) => (name === Symbol.toPrimitive ? () => "" : all);
const all = new Proxy(function () {}, {get, apply: () => all});
const window = ["matchMedia", "navigator", "document", "localStorage", "location", "addEventListener"];
for (const name of window) globalThis[name] ??= all;
const [read, columns] = new Function(`${code}; return [read, COLUMNS];`)();
const found = cells.map((row, k) => row.map((cell) => {
    try {
        const value = read(columns[k], cell, 1);
        return Number.isNaN(value) ? "NaN" : value;
    } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        return "refused";
    }
}));
fs.writeFileSync("found.json", JSON.stringify(found));
"""


@pytest.fixture(scope="module")
def trained():
    """A run on columns of categories of every sort, and others."""
    draw = np.random.default_rng(0)
    table = {name: [*texts, *draw.choice(texts, 60 - len(texts)).tolist()] for name, texts in CATEGORIES.items()}
    table |= {
        "paid": (["true", "FALSE"] * 30),
        "seen": [f"{1 + k % 28}/{1 + k % 12}/2024" for k in range(60)],
    } | FEW_NUMBERS
    table["y"] = draw.normal(size=60).tolist()
    options = TableOptions(
        target="y", members=1, layers=(8,), epochs=2, seed=0, lanes=1, trees=False, categories=tuple(CATEGORIES)
    )
    source = Table(
        {
            name: bare_column(cells) if name in CATEGORIES else column_of(objects(cells))
            for name, cells in table.items()
        },
        "rows",
    )
    return table_training.train(source, options)


@pytest.fixture(scope="module")
def texts_of(trained):
    """What each column of the run is asked, and what its values are for the run."""
    found = {}
    for name, column in trained.features.used.items():
        cells = [cell for cell in TEXTS if isinstance(cell, str)]
        if name in CATEGORIES:
            wanted = [float(column.codes(bare_column([cell]))[0]) for cell in cells]
        else:
            meaning = {
                BooleanColumn: lambda c: run_of_truths,
                NumberColumn: lambda c: run_of_numbers(c.style),
                DateColumn: lambda c: run_of_dates(c.notation),
            }[type(column)](column)
            wanted = [said_by_the_run(meaning, cell) for cell in cells]
        found[name] = cells, wanted
    assert found.keys() == {*CATEGORIES, "paid", "seen", "price", "share"}
    return found


def asserted(found, texts_of, least):
    """found: what a file reads, by column."""
    for name, values in found.items():
        cells, wanted = texts_of[name]
        wrong, right = differences(list(zip(cells, values, strict=True)), wanted)
        assert (name, wrong) == (name, {})
        assert right > least, name


def test_a_numpy_file_reads_cells_as_the_run(trained, texts_of, tmp_path):
    export(trained.model, tmp_path / "net.py", features=trained.features)
    space = runpy.run_path(str(tmp_path / "net.py"))
    body = (tmp_path / "net.py").read_text(encoding="utf-8")
    found = {}
    for name, (cells, _) in texts_of.items():
        (line,) = re.findall(rf" = (read\(table, {re.escape(repr(name))}, .*\))$", body, re.MULTILINE)
        found[name] = [
            value_of(lambda c=cell, n=name, l=line: eval(l, space | {"table": {n: [c]}})[0]) for cell in cells
        ]
    asserted(found, texts_of, 60)


def value_of(read):
    try:
        return float(read())
    except ValueError:
        return REFUSED


@pytest.mark.skipif(NODE is None, reason="needs node")
@pytest.mark.parametrize("ending", ["js", "html"])
def test_javascript_and_a_page_read_cells_as_the_run(trained, texts_of, ending, tmp_path):
    export(trained.model, tmp_path / f"net.{ending}", features=trained.features)
    code = (tmp_path / f"net.{ending}").read_text(encoding="utf-8")
    if ending == "html":
        (packed,) = re.findall(r'<script[^>]*id="code"[^>]*>(.*?)</script>', code, re.DOTALL)
        code = zlib.decompress(base64.b64decode(packed), -zlib.MAX_WBITS).decode()
        assert code.count("await predicting(network, COLUMNS);") == 1
        code = code.replace("await predicting(network, COLUMNS);", "")
    given = {"code": code, "cells": [cells for cells, _ in texts_of.values()]}
    (tmp_path / "given.json").write_text(json.dumps(given), encoding="utf-8")
    (tmp_path / "run.js").write_text(JAVASCRIPT, encoding="utf-8")
    subprocess.run([NODE, "run.js"], cwd=tmp_path, check=True, timeout=300)
    rows = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))
    found = {name: [v if v == REFUSED else float(v) for v in row] for name, row in zip(texts_of, rows, strict=True)}
    asserted(found, texts_of, 60)


@pytest.fixture(scope="module")
def ask_onnx(trained):
    """What the ONNX file answers to a text in a column of categories; REFUSED if the error is that of such a column."""
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    from thalweg.export.onnx import onnx_table_model

    made = onnx_table_model(table_network(trained.model, trained.features))
    quiet = runtime.SessionOptions()
    quiet.log_severity_level, quiet.intra_op_num_threads = 4, 1
    session = runtime.InferenceSession(made.SerializeToString(), quiet, providers=["CPUExecutionProvider"])
    usual = {i.name: np.array([""], object) if "string" in i.type else np.array([np.nan]) for i in session.get_inputs()}

    def answer(name, cell):
        try:
            (found,) = session.run(["y_pred"], usual | {name: np.array([cell], object)})[0].tolist()
        except runtime.capi.onnxruntime_pybind11_state.InvalidArgument as error:
            if f"'{name}: a text that may be a category in a notation" not in str(error):
                raise
            return REFUSED
        return found

    return answer


def test_onnx_answers_texts_of_categories_as_the_run(ask_onnx, texts_of):
    answers, plain = {}, {*MORE, *NAMED, "-", "NA"}
    for name in CATEGORIES:
        asked = [(c, code) for k, (c, code) in enumerate(zip(*texts_of[name], strict=True)) if k % 5 == 0 or c in plain]
        found = [(cell, code, ask_onnx(name, cell)) for cell, code in asked]
        answered = [one for one in found if one[-1] != REFUSED]
        assert len(answered) > (0.25 if name in ("days", "day first") else 0.5) * len(found), (
            "most texts are told apart"
        )
        for cell, code, answer in answered:
            answers.setdefault((name, code), {}).setdefault(answer, []).append(cell)
    for name in CATEGORIES:
        assert {code for of, code in answers if of == name} == {*texts_of[name][1]}, f"each code of {name} is reached"
    assert {key: found for key, found in answers.items() if len(found) > 1} == {}, "a code has one answer"
    for name in ("words", "yes and no", "thousands", "numbers"):
        own = {code: next(iter(found)) for (of, code), found in answers.items() if of == name}
        assert len({*own.values()}) >= len(own) - 1, "and another than other codes, but for what is 0 in all columns"
    for cell, name in ((" yes ", "yes and no"), ("Yes", "yes and no"), ("TRUE", "yes and no"), ("1.0", "one and zero")):
        assert any(cell in found for (of, _), by in answers.items() if of == name for found in by.values())


@pytest.mark.parametrize("text", ["a new shop", "violet", "紫", "new-2", "123456", "2.75", "A14"])
def test_a_text_that_s_new_and_nothing_else_is_no_error_in_onnx(ask_onnx, text):
    refused = [name for name in CATEGORIES if ask_onnx(name, text) == REFUSED]
    assert refused == ["days", "day first"] * (text in ("new-2", "A14"))


@pytest.mark.skipif(GCC is None, reason="needs gcc")
def test_c_takes_the_numbers_that_its_header_tells(trained, texts_of, tmp_path):
    export(trained.model, tmp_path / "net.c", features=trained.features)
    header = (tmp_path / "net.h").read_text(encoding="utf-8")
    library = compiled(tmp_path, "net", (tmp_path / "net.c").read_text(encoding="utf-8"), header)
    columns = trained.features.used
    for name, column in columns.items():
        if name in CATEGORIES:
            told = ", ".join(f"{k} for {text!r}" for k, text in enumerate(column.categories))
            assert f"{name}, {told}, -1 for another, -2 for none" in header.replace("\n * ", " ")
    assert "Cells are read by the caller" in header
    usual = {name: -2.0 if name in CATEGORIES else np.nan for name in columns}
    for name in ("yes and no", "numbers"):
        for code, text in enumerate(columns[name].categories):
            values = [np.array([v]) for v in (usual | {name: float(code)}).values()]
            found = np.zeros(1)
            assert library.net_predict(*map(pointer, values), pointer(found)) == 0
            wanted = trained.predict([dict.fromkeys(columns) | {name: text}])
            np.testing.assert_allclose(found, wanted, rtol=1e-5)
