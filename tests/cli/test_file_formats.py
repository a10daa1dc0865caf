"""Files that aren't read as usual: --encoding and --sheet, and text that looks like numbers, from the command line."""

import re
import warnings
from pathlib import Path

import numpy as np
import pytest

from thalweg.cli.main import note
from thalweg.data.formats import workbooks
from thalweg.data.tables import read_table
from thalweg.errors import ThalwegWarning

ROWS = [
    f'{["台北", "高雄"][n % 2]},民國109年{1 + n % 12}月{1 + n % 28}日,"NT${n * 997:,}",{"是" if n % 2 else "否"}'
    for n in range(90)
]
TEXT = "\n".join(["城市,日期,價格,賣出", *ROWS]) + "\n"
QUICK = (
    "--target",
    "賣出",
    "--members",
    "1",
    "--epochs",
    "2",
    "--layers",
    "4",
    "--seed",
    "0",
    "--no-trees",
    "--no-report",
)


def test_a_table_in_big5(run_thalweg):
    Path("t.csv").write_text(TEXT, encoding="cp950")
    code, _, error = run_thalweg("train", "t.csv", *QUICK)
    assert (code, error) == (
        1,
        "thalweg: can't read t.csv: it isn't UTF-8; it looks like cp950: give encoding=\"cp950\" (--encoding cp950), "
        "or save it as UTF-8\n",
    )
    code, out, error = run_thalweg("train", "t.csv", *QUICK, "--encoding", "big5", "--out", "run")
    assert code == 0, error
    assert ": day, season, weekday" in out
    assert "written as 1,234.5 with NT$" in out
    code, out, error = run_thalweg("evaluate", "run", "t.csv", "--encoding", "cp950")
    assert (code, error.count("these are the rows of the training, and 72 of 90 were learned from")) == (0, 1)
    code, _, error = run_thalweg("predict", "run", "t.csv", "--encoding", "cp950", "--out", "p.csv")
    assert code == 0, error
    assert read_table("p.csv").rows == 90
    code, _, error = run_thalweg("predict", "run", "t.csv", "--encoding", "big6", "--out", "q.csv")
    assert (code, "no encoding of text that Python knows" in error) == (2, True)
    code, _, error = run_thalweg("evaluate", "run", "t.csv", "--encoding", "cp950", "--sheet", "2")
    assert (code, error) == (2, "thalweg: sheet='2' is for workbooks; t.csv has no sheets\n")


def test_a_sheet_of_a_workbook(run_thalweg, monkeypatch):
    fastexcel = pytest.importorskip("fastexcel")
    polars = pytest.importorskip("polars")
    Path("t.csv").write_text(TEXT, encoding="utf-8")
    Path("t.xlsx").write_bytes(b"PK")

    class Book:
        sheet_names = ("First", "2020")

        def load_sheet(self, name, **options):
            columns = {
                name: array.tolist()
                for name, array in ((n, read_table("t.csv").column(n).as_text()) for n in ("城市", "價格", "賣出"))
            }
            frame = polars.DataFrame(columns if name == "2020" else {"a": [1]})
            return type("Sheet", (), {"to_polars": lambda self: frame})()

    monkeypatch.setattr(fastexcel, "read_excel", lambda path: Book())
    monkeypatch.setattr(workbooks, "_check_size", lambda path: None)
    code, out, error = run_thalweg("train", "t.xlsx", *QUICK, "--sheet", "2020")
    assert code == 0, error
    assert re.search(r"價格 +number", out)
    code, _, error = run_thalweg("train", "t.xlsx", *QUICK)
    assert (code, "has no column '賣出'; it has the column a" in error) == (2, True)


def test_a_warning_is_a_note(run_thalweg, capsys):
    cells = [*(f"{n * 37:,}" for n in range(100, 180)), *(f"unknown {n}" for n in range(12))]
    lines = [f'"{cell}",{n},{n % 2}' for n, cell in enumerate(cells)]
    Path("t.csv").write_text("\n".join(["x,z,賣出", *lines]) + "\n", encoding="utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        code, out, error = run_thalweg("train", "t.csv", *QUICK)
    assert code == 0, error
    assert "note: the column 'x' looks like numbers, but is taken as text: " in error
    assert "ThalwegWarning" not in error
    assert "values differ, as in an id or free text" in out
    note("it is old", DeprecationWarning, "file.py", 3)
    note("it is odd", ThalwegWarning, "file.py", 3, line=None)
    assert capsys.readouterr().err == "note: DeprecationWarning: it is old\nnote: it is odd\n"


def test_numbers_written_by_hand(run_thalweg):
    """A column and a target of numbers, some with their unit, whose odd cells are counted; --number takes more so."""
    by_hand = [f'{n}.{n % 10}坪,{n % 7}/9,"{4000 + 97 * n:,}元"' for n in range(60)]
    rows = [*by_hand, *(f"{n},{n % 7}樓,{n}.5萬" for n in range(4, 34)), "面議,5,5000", "7,5,面議"]
    Path("t.csv").write_text("\n".join(["坪數,樓層,租金", *rows]) + "\n", encoding="utf-8")
    quick = ["--members", "1", "--epochs", "2", "--layers", "4", "--seed", "0", "--no-trees", "--target", "租金"]
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        code, out, error = run_thalweg("train", "t.csv", *quick, "--number", "樓層", "--out", "run")
        assert code == 0, error
        assert re.search(r"坪數 +number .*written as 1234.5 with 坪", out)
        assert re.search(r"樓層 +number .*with 樓; [0-9]+ odd cells taken as missing +[0-9]+", out)
        assert "target 租金: regression" in out
        assert "1 rows without a target are left out" in out
        assert re.search("note: [0-9]+ cells of the column '樓層' aren't numbers written as 1234.5 with 樓", error)
        assert (
            "note: 1 cell of the column '租金' isn't a number written as 1,234.5k with 元 and counts as missing"
            in error
        )
        Path("one.csv").write_text("坪數,樓層\n約25坪,3\n", encoding="utf-8")
        assert run_thalweg("predict", "run", "one.csv", "--out", "p.csv")[0] == 0
        Path("odd.csv").write_text("坪數,樓層\n25 kg,3\n", encoding="utf-8")
        code, _, error = run_thalweg("predict", "run", "odd.csv", "--out", "q.csv")
        assert (code, "'25 kg'" in error) == (0, True)
        code, _, error = run_thalweg("train", "t.csv", *quick, "--number", "樓層", "--category", "樓層")
        assert (code, "the column '樓層' can't be a number and a category: give one of them" in error) == (2, True)
        code, _, error = run_thalweg("train", "t.csv", *quick, "--number", "樓", "--out", "no")
        assert "no column '樓'" in error


def test_pictures_have_neither(run_thalweg):
    np.savez("t.npz", x=np.zeros((20, 8, 8), np.uint8), y=np.arange(20) % 2)
    for option in ("--encoding", "--sheet"):
        code, _, error = run_thalweg("train", "t.npz", option, "x")
        assert (code, error) == (2, f"thalweg: {option} is for tables; t.npz holds images (see --model)\n")
