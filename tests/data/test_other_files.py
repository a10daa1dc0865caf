"""Workbooks, Arrow files, text in other encodings: the tables that CSV gives, one sentence for what is damaged."""

import contextlib
import datetime
import gzip
import io
import random
import re
import zipfile

import mutants
import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from thalweg.data import Table, read_table
from thalweg.data.formats.encodings import codec, likely_encoding
from thalweg.errors import ArgumentError, DataError, MissingPackageError, ThalwegError

ROWS = "id,城市,日期,n\n1,台北,民國109年12月31日,5\n2,高雄市,109年1月2日,\n3,台中,民國110年3月4日,7\n"
TEXTS = {
    "utf-16": ROWS,
    "utf-16-le": ROWS,
    "utf-16-be": ROWS,
    "utf-8-sig": ROWS,
    "cp950": ROWS * 3,
    "big5": ROWS,
    "gb18030": "名称,数量\n北京市朝阳区的图书馆,5\n上海的学校有很多学生,7\n",
    "latin-1": "town,n\nKöln,5\nMünchen,7\ncafé,8\n",
    "cp1252": "town,n\nKöln,5\n“Café” – 5 €,7\n",
}


def said(source, **options):
    with pytest.raises(ThalwegError) as caught:
        read_table(source, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def equal(one: Table, other: Table):
    assert one.names == other.names
    for name in one.names:
        assert one.column(name).kind == other.column(name).kind, name
        if one.column(name).kind == "date":  # text keeps how it wrote them
            assert np.array_equal(one[name], other[name], equal_nan=True)
        else:
            assert [*one.column(name).as_text()] == [*other.column(name).as_text()], name


# ------------------------------------------------------------------------------------------------------- encodings


@pytest.mark.parametrize("encoding", TEXTS)
def test_text_in_an_encoding_reads_as_in_utf8(encoding, tmp_path):
    plain, coded = tmp_path / "plain.csv", tmp_path / "coded.csv"
    plain.write_text(TEXTS[encoding], encoding="utf-8")
    coded.write_text(TEXTS[encoding], encoding=encoding)
    expected = read_table(plain)
    equal(read_table(coded, encoding=encoding), expected)
    (tmp_path / "packed.csv.gz").write_bytes(gzip.compress(coded.read_bytes()))
    equal(read_table(tmp_path / "packed.csv.gz", encoding=encoding), expected)
    if encoding == "utf-8-sig":
        equal(read_table(coded), expected)
        return
    likely = likely_encoding(coded)
    assert coded.read_bytes().decode(likely) == TEXTS[encoding] or encoding == "utf-16", likely
    message = said(coded)
    assert message == (
        f"can't read {coded}: it isn't UTF-8; it looks like {likely}: give encoding=\"{likely}\" "
        f"(--encoding {likely}), or save it as UTF-8"
    )
    equal(read_table(coded, encoding=likely), expected)


def test_a_query_names_the_encoding_too(tmp_path):
    path = tmp_path / "big5.csv"
    path.write_text(ROWS, encoding="cp950")
    assert "it looks like cp950" in said(f"FROM '{path}'")
    path.with_suffix(".json").write_text('[{"城市": "台北市中正區"}]', encoding="cp950")
    assert "it looks like cp950" in said(path.with_suffix(".json"))
    assert read_table(path.with_suffix(".json"), encoding="big5")["城市"].tolist() == ["台北市中正區"]


def test_what_an_encoding_is_not(tmp_path, monkeypatch):
    path = tmp_path / "t.csv"
    path.write_bytes(b"a,b\n1,2\n3,\xff\xff\n")
    assert said(path, encoding="cp950").startswith(f"can't read {path}: near line 3 it isn't text in cp950")
    assert "no encoding of text that Python knows; try one of utf-8" in said(path, encoding="big6")
    assert "no encoding of text" in said(path, encoding="rot13")
    assert "3 cells, and the header has 2" in said(
        _written(tmp_path / "ragged.csv", "a,b\n1,2,é\n", "latin-1"), encoding="latin-1"
    )
    assert str(tmp_path / "ragged.csv") in said(tmp_path / "ragged.csv", encoding="latin-1")
    assert "is for files; a dict has none" in said({"a": [1]}, encoding="latin-1")
    assert "is for files; a query has none" in said("SELECT 1", encoding="latin-1")
    pl.DataFrame({"a": [1]}).write_parquet(tmp_path / "t.parquet")
    assert "encoding='latin-1' is for text files" in said(tmp_path / "t.parquet", encoding="latin-1")
    monkeypatch.setenv("THALWEG_MAX_BYTES", "1000")
    monkeypatch.setattr("thalweg.support.untrusted.EXPANSION", 0)
    assert "than the 1,000 bytes allowed" in said(
        _written(tmp_path / "long.csv", "a\n" + "é\n" * 900, "latin-1"), encoding="latin-1"
    )


def test_names_of_encodings():
    assert (codec("UTF-8"), codec("BIG5")) == ("utf-8", "big5")
    with pytest.raises(ArgumentError):
        codec("base64")


def _written(path, text, encoding):
    path.write_text(text, encoding=encoding)
    return path


# --------------------------------------------------------------------------------------------------- Arrow's files


COLUMNS = {
    "i": [1, None, 3],
    "x": [1.5, 0.1, None],
    "s": ["red", None, "?"],
    "b": [True, None, False],
    "d": [datetime.datetime(2020, 1, 31, 3, 4, 5, 678000), None, datetime.datetime(2021, 12, 1)],
    "price": ["NT$1,234", "NT$5", "-"],
}


def arrow_file(path, streamed=False, compression=None):
    table = pa.table(COLUMNS)
    options = pa.ipc.IpcWriteOptions(compression=compression)
    make = pa.ipc.new_stream if streamed else pa.ipc.new_file
    with make(str(path), table.schema, options=options) as writer:
        for start in range(3):
            writer.write_table(table.slice(start, 1))
    return path


def test_arrows_files_are_tables(tmp_path):
    expected = read_table(pa.table(COLUMNS))
    assert expected["price"].tolist()[:2] == [1234, 5]
    for number, (streamed, compression) in enumerate([(False, None), (True, None), (False, "zstd"), (False, "lz4")]):
        ending = ("arrow", "ipc", "feather", "arrow")[number]
        equal(read_table(arrow_file(tmp_path / f"{number}.{ending}", streamed, compression)), expected)
    pl.DataFrame(COLUMNS).write_ipc(tmp_path / "p.feather", compression="lz4")
    equal(read_table(tmp_path / "p.feather"), expected)


def test_without_pyarrow_they_are_not_read(tmp_path, monkeypatch):
    """Polars could, but ends the process at some that are damaged."""
    path = arrow_file(tmp_path / "a.arrow")
    monkeypatch.setattr("thalweg.support.extras.find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match=r"needs pyarrow: pip install 'thalweg\[arrow\]'"):
        read_table(path)


def test_damaged_arrow_files(tmp_path, monkeypatch):
    for streamed in (False, True):
        path = arrow_file(tmp_path / "t.arrow", streamed)
        content = path.read_bytes()
        assert "it is no Arrow file, or is damaged" in said(_bytes(tmp_path / "x.arrow", b"garbage" * 20))
        survive(random.Random(1), tmp_path / "m.arrow", content, 150)
    monkeypatch.setenv("THALWEG_MAX_BYTES", "10")
    monkeypatch.setattr("thalweg.support.untrusted.EXPANSION", 0)
    assert "than the 10 bytes allowed" in said(path)
    assert "sheet=1 is for workbooks; t.arrow has no sheets" in said(path, sheet=1)
    assert "is for text files" in said(path, encoding="latin-1")


def survive(seeded, path, content, times):
    for _ in range(times):
        path.write_bytes(mutants.of_bytes(seeded, content))
        with contextlib.suppress(ThalwegError):
            read_table(path)


def _bytes(path, content):
    path.write_bytes(content)
    return path


# -------------------------------------------------------------------------------------------------------- workbooks


SPACE = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
RELATED = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
FAR = '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'


def cell(place, value):
    """The XML of a cell: a number, a truth value, a date, text, or an error such as #N/A."""
    if isinstance(value, bool):
        return f'<c r="{place}" t="b"><v>{int(value)}</v></c>'
    if isinstance(value, int | float):
        return f'<c r="{place}"><v>{value!r}</v></c>'
    if isinstance(value, datetime.date):
        return f'<c r="{place}" s="1"><v>{(value - datetime.date(1899, 12, 30)).days}</v></c>'
    if value.startswith("#"):
        return f'<c r="{place}" t="e"><v>{value}</v></c>'
    return f'<c r="{place}" t="inlineStr"><is><t>{value}</t></is></c>'


def body(rows):
    """The XML of rows of cells; None is no cell."""
    if isinstance(rows, str):
        return rows
    cells = [
        [cell(f"{chr(65 + c)}{r}", v) for c, v in enumerate(row) if v is not None] for r, row in enumerate(rows, 1)
    ]
    return "".join(f'<row r="{r}">{"".join(row)}</row>' for r, row in enumerate(cells, 1))


def workbook(path, sheets):
    """A small .xlsx of rows of cells, by sheet."""
    listed, related = "", f'<Relationship Id="s" Type="{RELATED}/styles" Target="styles.xml"/>'
    for number, name in enumerate(sheets, start=1):
        listed += f'<sheet name="{name}" sheetId="{number}" r:id="r{number}"/>'
        related += f'<Relationship Id="r{number}" Type="{RELATED}/worksheet" Target="worksheets/{number}.xml"/>'
    styles = '<cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs>'
    root = f'<Relationship Id="a" Type="{RELATED}/officeDocument" Target="xl/workbook.xml"/>'
    parts = {
        f"xl/worksheets/{number}.xml": f"<worksheet {SPACE}><sheetData>{body(rows)}</sheetData></worksheet>"
        for number, rows in enumerate(sheets.values(), start=1)
    } | {
        "xl/workbook.xml": f'<workbook {SPACE} xmlns:r="{RELATED}"><sheets>{listed}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}/relationships">{related}</Relationships>',
        "xl/styles.xml": f"<styleSheet {SPACE}>{styles}</styleSheet>",
        "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types"/>',
        "_rels/.rels": f'<Relationships xmlns="{PACKAGE}/relationships">{root}</Relationships>',
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, text in parts.items():
            file.writestr(name, text)
    return path


CELLS = [
    ["i", "x", "s", "b", "d", "code", "price"],
    [1, 1 / 3, "red", True, datetime.date(2020, 1, 31), "007", "NT$1,234"],
    [None, 0.1, None, False, None, "010", "-"],
    [3, 1e20, "?", None, datetime.date(2021, 12, 1), "NA", "NT$5"],
]
fastexcel = pytest.importorskip("fastexcel")


def test_a_workbook_is_a_table(tmp_path):
    path = workbook(tmp_path / "t.xlsx", {"First": CELLS, "Zweites": [["a"], [5]]})
    csv = tmp_path / "t.csv"
    lines = ((("" if c is None else f'"{c}"' if isinstance(c, str) else str(c).lower()) for c in row) for row in CELLS)
    csv.write_text("\n".join(map(",".join, lines)))
    table = read_table(path)
    equal(table, read_table(csv))
    assert [table.column(name).kind for name in table.names] == [
        "integer", "number", "text", "boolean", "date", "text", "integer"
    ]  # fmt: skip
    assert table["x"][0] == 1 / 3
    for sheet in ("Zweites", 2):
        assert read_table(path, sheet=sheet)["a"].tolist() == [5]
    assert "unknown sheet 'Zweite'; did you mean 'Zweites'?" in said(path, sheet="Zweite")
    assert "has 2 sheets, numbered from 1; there is no sheet 3" in said(path, sheet=3)
    assert "sheet='a' is for workbooks" in said(csv, sheet="a")
    assert "sheet=1 is for files; a dict has none" in said({"a": [1]}, sheet=1)
    assert "a query can't read" in said(f"FROM '{path}'")
    workbook(tmp_path / "u.xlsx", {"First": CELLS})
    assert "matches 2 files" in said(tmp_path / "*.xlsx")


def test_errors_and_empty_sheets(tmp_path):
    path = workbook(tmp_path / "t.xlsx", {"a": [["x", "y"], [1, "#N/A"], [2.5, 7]], "nothing": [], "header": [["x"]]})
    assert np.isnan(read_table(path)["y"]).tolist() == [True, False]
    assert re.search("no columns|no rows", said(path, sheet="nothing"))
    assert "has the column x but no rows" in said(path, sheet="header")


def test_damaged_workbooks(tmp_path, monkeypatch):
    path = workbook(tmp_path / "t.xlsx", {"a": CELLS})
    assert "it is no workbook, or is damaged" in said(_bytes(tmp_path / "x.xlsx", b"PK" * 9))
    assert "it is no workbook, or is damaged" in said(_bytes(tmp_path / "x.xls", b"PK" * 9))
    survive(random.Random(2), tmp_path / "m.xlsx", path.read_bytes(), 60)
    seeded = random.Random(3)
    for _ in range(60):  # what is packed is changed: the archive's checksums are right
        changed = io.BytesIO()
        with zipfile.ZipFile(path) as old, zipfile.ZipFile(changed, "w") as new:
            for member in old.namelist():
                content = old.read(member)
                new.writestr(member, mutants.of_bytes(seeded, content) if "1.xml" in member else content)
        survive(random.Random(4), _bytes(tmp_path / "m.xlsx", changed.getvalue()), changed.getvalue(), 1)
    assert "a sheet of 1,048,576 rows and 16,384 columns, takes" in said(workbook(tmp_path / "f.xlsx", {"a": FAR}))
    monkeypatch.setenv("THALWEG_MAX_BYTES", "500")
    monkeypatch.setattr("thalweg.support.untrusted.EXPANSION", 0)
    assert "unpacked, takes more than the 500 bytes allowed" in said(path)


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    path = workbook(tmp_path / "t.xlsx", {"a": CELLS})
    monkeypatch.setattr("thalweg.support.extras.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"reading .xlsx files needs fastexcel: pip install 'thalweg\[excel\]'"):
        read_table(path)
    assert isinstance(DataError(""), ThalwegError)
