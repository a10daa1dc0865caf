"""A table of one's own: the page's worker makes of it the rows that thalweg makes, and refuses what it can't take."""

import base64
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from node_page import Course, Page, PageError, call

from thalweg.data.tables import Table, read_table
from thalweg.play import bounds
from thalweg.play.page_table import PageTable

PENGUINS = Path(__file__).parents[2] / "examples" / "penguins.csv"


def table(rows, seed):
    """Numbers, some missing, words, rare words, truth values, an identifier and a constant; several targets."""
    draw = np.random.default_rng(seed)
    lines = ["size,age,colour,town,wet,id,same,grade,yes,score,kind,when"]
    for row in range(rows):
        size, age = draw.normal(20, 5), draw.integers(1, 90)
        cells = [
            f"{size:.3f}", "" if draw.random() < 0.1 else age, draw.choice(["red", "green", "blue"]),
            draw.choice(["Taipei", "Tainan", "NA"]), draw.choice(["true", "False"]), "abcdefghij"[row % 10] * (row + 1),
            5, draw.integers(0, 3), draw.choice([0, 1]), f"{size * 2 + age:.2f}", draw.choice(["a", "b"]),
            f"2024-0{1 + row % 9}-11",
        ]  # fmt: skip
        lines.append(",".join(map(str, cells)))
    return "\n".join(lines) + "\n"


TEXTS = [(PENGUINS.read_text("utf-8"), 344), (table(60, 0), 60), (table(1300, 1), 1300)]
SPELLED = "x,y\n" + "".join(f"{n % 7},{('1', '1.0', '2')[n % 3]}\n" for n in range(40))
ASKED = [
    {"target": "grade"}, {"target": "yes", "seed": 7}, {"target": "score", "share": 0.4},
    {"target": "kind", "share": 0}, {"target": "grade", "task": "numbers", "seed": 3},
    {"target": "wet", "columns": ["size", "age", "town"]},
]  # fmt: skip


def moments(row):
    """A date, maybe a moment, an amount, a share, maybe a word for truth, maybe a number, a class, a letter."""
    when = "" if row % 9 == 4 else f"2024-02-{1 + row % 29:02} {row % 24:02}:30"
    cells = [f"{1 + row % 28}/{1 + row % 12}/{1899 + row % 7 * 30}", when, f'"NT${row * 37 % 5000:,}"', f"{row % 100}%"]
    cells += [("yes", "no", "")[row % 3], "?" if row % 11 == 3 else row * 1.5, row % 80, row % 5, "ab"[row % 2]]
    return ",".join(map(str, cells)) + "\n"


MOMENTS = "day,moment,weight,share,sure,size,age,y,kind\n" + "".join(map(moments, range(400)))


def course_of(state, table):
    return Course({"data": {"name": "table", "source": "a", **state.pop("data")}} | state, table)


def check(course):
    """The worker's rows are those of the exported program, which reads the file in this folder with thalweg."""
    given = {"__name__": "exported", "print": lambda *_: None}
    exec(compile(course.exported("python").decode().split("# The network and")[0], "exported", "exec"), given)
    found, features, target = course.rows(), given["features"], given["features"].target
    numbers = target.task == "regression"
    assert found.inputs == features.feature_names
    assert (found.task, found.targets) == ("numbers" if numbers else target.task, [given["target"].name])
    assert found.classes == (None if numbers else [str(label) for label in target.classes])
    assert found.targetScale == (pytest.approx((target.mean, target.scale), rel=1e-12) if numbers else None)
    for mine, name in ((found.x, "x"), (found.y, "y"), (found.heldX, "x_held"), (found.heldY, "y_held")):
        assert np.allclose(mine.ravel(), np.asarray(given[name], float).ravel(), rtol=0, atol=2e-7), name
    part = given["table"].take(given["train"])
    sight = course.do("frame", wanted=["surface"]).get("surface")
    if sight is not None:
        names = sight["names"]
        assert np.allclose(found.seen, seen(features, part, names).ravel(), atol=2e-7)
        assert np.allclose(found.points, np.stack([part[n] for n in names], 1).ravel().astype(float), equal_nan=True)
        for name, (low, high) in zip(names, found.ranges, strict=True):
            inner = np.nanpercentile(part[name].astype(float), [1, 99])
            room = 0.08 * (inner[1] - inner[0]) or 1.0
            assert (low, high) == pytest.approx((inner[0] - room, inner[1] + room), abs=1e-9)


def seen(features, table, names):
    """The rows for two points of the plane; other columns stay at the median, or at what is most frequent."""
    points, cells = np.array([[0.5, -1.0], [3.0, 200.0]]), {}
    for name in (column.name for column in features.columns if column.features):
        column = table.column(name)
        present = np.flatnonzero(~column.missing())
        if column.kind in ("number", "integer", "date"):
            row = present[np.argsort(column.values[present], kind="stable")[(len(present) - 1) // 2]]
        else:
            _, first, counts = np.unique(column.values[present].astype(str), return_index=True, return_counts=True)
            row = present[first[counts.argmax()]]
        cells[name] = column.take(np.full(2, row))
    for place, name in enumerate(names):
        cells[name] = replace(cells[name], values=points[:, place], text=None)
    return features.matrix(Table(cells, table.source))


@pytest.mark.parametrize(("text", "count"), TEXTS, ids=["penguins", "short", "long"])
def test_tables_that_the_page_reads_alone(text, count, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a.csv").write_text(text, "utf-8")
    shown, table = call("table", text=text), read_table("a.csv")
    assert (shown["rows"], shown["name"]) == (count, "a.csv")
    for column in shown["columns"]:
        if column["name"] == "when":  # dates, which the page leaves to thalweg
            assert not column["usable"]
            continue
        cells = table.column(column["name"])
        assert column["missing"] == cells.missing().sum()
        assert column["distinct"] == len(set(cells.values[~cells.missing()].tolist()))
        assert column["usable"] == (column["name"] not in ("id", "same")) or count == 1300
    states = [{"data": {}}, {"data": {"columns": ["bill_depth_mm", "body_mass_g", "sex"], "seed": 5}}]
    if "island" not in text:
        columns = [name for name in table.names if name != "when"]
        states = [{"data": {"columns": columns, **data}} for data in ASKED]
    states[0]["plane"] = ["body_mass_g", "bill_depth_mm"] if "island" in text else ["age", "size"]
    for state in states:
        check(course_of(state, {"text": text, "name": "a.csv"}))


def test_tables_that_the_server_has_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a.csv").write_text(MOMENTS, "utf-8")
    sent = {"sent": base64.b64encode(PageTable.of_source("a.csv").encoded()).decode()}
    shown = call("table", **sent)
    assert (shown["rows"], shown["of"], shown["target"]) == (400, 400, "y")
    assert [(c["name"], c["kind"], c["usable"]) for c in shown["columns"]] == [
        ("day", "date", True), ("moment", "date", True), ("weight", "number", True), ("share", "number", True),
        ("sure", "category", True), ("size", "number", True), ("age", "number", True), ("y", "number", True),
        ("kind", "category", True),
    ]  # fmt: skip
    asked = [{"target": "y"}, {"target": "weight"}, {"target": "sure", "seed": 2}]
    asked.append({"target": "kind", "columns": ["moment", "size", "age", "weight"], "share": 0.4})
    for data in asked:
        check(course_of({"data": data, "plane": ["size", "age"]}, sent))


def test_classes_of_several_spellings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a.csv").write_text(SPELLED, "utf-8")
    check(course_of({"data": {"task": "classes"}}, {"text": SPELLED, "name": "a.csv"}))


@pytest.mark.parametrize("how", [{"encoding": "cp950"}, {"quote": ""}], ids=str)
def test_how_the_table_was_read_stands_in_the_program(how, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = "".join(f'"{n % 3},{n},{n % 2}\n' if "quote" in how else f"{n % 3},{n},{n % 2}\n" for n in range(40))
    Path("坪.csv").write_bytes(f"坪數,b,y\n{rows}".encode(how.get("encoding", "utf-8")))
    source = PageTable.of_source("坪.csv", **how)
    course = course_of({"data": {"target": "y"}}, {"sent": base64.b64encode(source.encoded()).decode()})
    ((option, value),) = how.items()
    assert f"read_table('坪.csv', {option}={value!r})" in course.exported("python").decode()
    check(course)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n", "has no rows below its header"),
        ("a,a\n1,2\n", "needs a name for each column"),
        ("a,b\n1,2\n3\n", "row 2 of a.csv has 1 cells, and the header 2"),
        ("", "a.csv"),
    ],
)
def test_files_that_are_refused(text, said):
    with pytest.raises(PageError, match=said) as caught:
        call("table", text=text)
    assert caught.value.text["zh"]


ROWS = "".join(f"{n},{'abc'[n % 3]},1,2024-01-1{n % 9},k{n}\n" for n in range(30))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"target": "one"}, "one value only"),
        ({"target": "word", "task": "numbers"}, "no numbers"),
        ({"target": "date"}, "thalweg play"),
        ({"target": "n", "task": "classes"}, "too many"),
        ({"target": "none"}, "unknown"),
        ({"target": "n", "columns": ["word", "nothing"]}, "unknown"),
        ({"target": "n", "columns": []}, "besides the target"),
        ({"target": "n", "columns": ["n"]}, "besides the target"),
        ({"target": "id"}, "thalweg play reads more"),
    ],
)
def test_targets_and_columns_that_are_refused(data, said):
    with pytest.raises(PageError, match=said) as caught:
        course_of({"data": data}, {"text": f"n,word,one,date,id\n{ROWS}", "name": "a.csv"})
    assert caught.value.text["zh"] != caught.value.text["en"]


TOWNS = ("Ulm", "Köln", "台北")
HOMES = "sqm,rooms,town,built,id,price\n" + "".join(
    f"{30 + n % 70},{1 + n % 5},{TOWNS[n % 3]},{1950 + n % 60},k{n},{30_000 + n % 70 * 1000 + n % 11}\n"
    for n in range(200)
)


def test_an_uploaded_table_is_learned(page):
    page.until(lambda f: f.get("reset"))
    table = page.upload(HOMES.encode(), "homes & gardens.csv")["table"]
    assert (table["name"], table["rows"], table["target"]) == ("homes & gardens.csv", 200, "price")
    kinds = {c["name"]: (c["kind"], c["usable"]) for c in table["columns"]}
    assert (kinds["sqm"], kinds["town"], kinds["id"]) == (("number", True), ("category", True), ("other", False))
    assert table["first"][0][:3] == ["30", "1", "Ulm"]
    data = {"name": "table", "source": table["id"], "target": "price", "columns": ["sqm", "rooms", "town"]}
    first = page.set({"data": data})
    assert first["facts"]["inputs"] == ["sqm", "rooms", "town=Köln", "town=Ulm", "town=台北"]
    assert first["surface"]["names"] == ["sqm", "rooms"]
    assert first["surface"]["points"].shape == (150, 2)
    page.say("play")
    assert page.until(lambda f: f.get("epoch", 0) > 100)["val_mae"] < 0.2


def test_the_plane_can_be_chosen(page):
    page.until(lambda f: f.get("reset"))
    table = page.upload(HOMES.encode())["table"]
    data = {"name": "table", "source": table["id"], "target": "price", "columns": ["sqm", "rooms", "built", "town"]}
    page.set({"data": data})
    page.say("step")
    before = page.until(lambda f: f["iteration"] == 1)
    chosen = page.set({"data": data, "plane": ["built", "sqm"]} | {"l2": 0.0})
    while chosen["state"]["plane"] is None:
        chosen = page.until(lambda f: "state" in f)
    assert chosen["iteration"] == before["iteration"]
    assert chosen["surface"]["names"] == ["built", "sqm"]
    assert chosen["surface"]["x1"][0] < 35
    page.say("state", state={"data": data, "plane": ["town", "sqm"]})
    assert "column of numbers" in page.until(lambda f: "error" in f)["error"]["en"]


def test_only_the_newest_tables_are_kept(page):
    page.until(lambda f: f.get("reset"))
    ids = [page.upload(HOMES.encode())["table"]["id"] for _ in range(bounds.UPLOADS + 1)]
    assert "error" not in page.set({"data": {"name": "table", "source": ids[1]}})
    assert "no longer here" in page.set({"data": {"name": "table", "source": ids[0]}})["error"]["en"]


def test_the_command_lines_table(tmp_path):
    (tmp_path / "homes.csv").write_text(HOMES)
    source = PageTable.of_source(str(tmp_path / "homes.csv"))
    with Page(source.encoded(), states=[{"data": {"name": "table"}}]) as page:
        assert page.hello["source"]["name"] == "homes.csv"
        assert page.until(lambda f: f.get("reset"))["facts"]["targets"] == ["price"]
