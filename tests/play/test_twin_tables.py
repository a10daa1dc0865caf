"""The page without a server: a table of one's own becomes the rows that it becomes with one."""

import base64
from pathlib import Path

import numpy as np
import pytest
from twins import NODE, ran

from thalweg.data.tables import read_table
from thalweg.play.exercises.page_table import PageTable
from thalweg.play.exercises.table_exercise import tabular
from thalweg.play.exercises.uploads import Upload
from thalweg.play.requests.page_state import State

pytestmark = pytest.mark.skipif(NODE is None, reason="needs node")
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


@pytest.mark.parametrize(("text", "count"), TEXTS, ids=["penguins", "short", "long"])
def test_tables(text, count, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(text, "utf-8")
    upload = Upload("a", "a.csv", "a.csv", read_table(path))
    asked = [{}, {"columns": ["bill_depth_mm", "body_mass_g", "sex"], "seed": 5}] if "island" in text else ASKED
    left_out = {"when"}  # dates, which the page leaves to thalweg
    given = [{"data": {"name": "table", "source": "a", **data}} for data in asked]
    for state in given[:1]:
        state["plane"] = ["body_mass_g", "bill_depth_mm"] if "island" in text else ["age", "size"]
    if "island" not in text:
        for state in given:
            names = state["data"].setdefault("columns", [n for n in upload.table.names if n != "when"])
            state["data"]["columns"] = [n for n in names if n != "when"]
    (found,) = ran(tmp_path, [{"do": "table", "text": text, "states": given}])
    expected = upload.to_json()
    shown = found["shown"]
    assert (shown["rows"], shown["name"]) == (count, "a.csv")
    for one, other in zip(expected["columns"], shown["columns"], strict=True):
        assert other == one or one["name"] in left_out
    assert [c["usable"] for c in shown["columns"] if c["name"] in left_out] == [False] * ("when" in text)
    check_exercises(given, found["exercises"], upload)


def check_exercises(given, found, upload):
    """The exercises that JavaScript makes of states are those of Python."""
    for state, theirs in zip(given, found, strict=True):
        exercise = tabular(State.of(state), upload)
        for key in ("task", "inputs", "targets", "classes", "held"):
            assert theirs[key] == getattr(exercise, key), (state, key)
        pairs = [("x", exercise.x), ("y", exercise.y), ("heldX", exercise.held_x), ("heldY", exercise.held_y)]
        for key, array in pairs:
            assert np.allclose(theirs[key], array.astype(float).ravel(), rtol=0, atol=2e-7), (state, key)
        scale = exercise.target_scale
        assert theirs["targetScale"] == (None if scale is None else pytest.approx(scale, rel=1e-12))
        sight = exercise.sight
        assert np.allclose(theirs["ranges"], sight.ranges, atol=1e-9)
        assert np.allclose(np.asarray(theirs["points"], float), sight.points.ravel().astype(float), equal_nan=True)
        assert np.allclose(theirs["seen"], sight.rows(np.array([[0.5, -1], [3, 200]])).ravel(), atol=2e-7)


def moments(row):
    """A date, maybe a moment, an amount, a share, maybe a word for truth, maybe a number, a class, a letter."""
    when = "" if row % 9 == 4 else f"2024-02-{1 + row % 29:02} {row % 24:02}:30"
    cells = [f"{1 + row % 28}/{1 + row % 12}/{1899 + row % 7 * 30}", when, f'"NT${row * 37 % 5000:,}"', f"{row % 100}%"]
    cells += [("yes", "no", "")[row % 3], "?" if row % 11 == 3 else row * 1.5, row % 80, row % 5, "ab"[row % 2]]
    return ",".join(map(str, cells)) + "\n"


MOMENTS = "day,moment,weight,share,sure,size,age,y,kind\n" + "".join(map(moments, range(400)))


def test_tables_that_the_server_has_read(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(MOMENTS, "utf-8")
    sent = PageTable.of_source(str(path))
    asked = [{"target": "y"}, {"target": "weight"}, {"target": "sure", "seed": 2}]
    asked.append({"target": "kind", "columns": ["moment", "size", "age", "weight"], "share": 0.4})
    given = [{"data": {"name": "table", "source": "a", **data}, "plane": ["size", "age"]} for data in asked]
    work = [{"do": "table", "sent": base64.b64encode(sent.encoded()).decode(), "states": given}]
    (found,) = ran(tmp_path, work)
    upload = Upload("a", "a.csv", "a.csv", sent.table)
    assert found["shown"] == {**upload.to_json(), "of": 400}
    check_exercises(given, found["exercises"], upload)


def test_classes_of_several_spellings(tmp_path):
    (tmp_path / "a.csv").write_text(SPELLED, "utf-8")
    state = {"data": {"name": "table", "source": "a", "task": "classes"}}
    (found,) = ran(tmp_path, [{"do": "table", "text": SPELLED, "states": [state]}])
    upload = Upload("a", "a.csv", "a.csv", read_table(tmp_path / "a.csv"))
    assert found["exercises"][0]["classes"] == tabular(State.of(state), upload).classes


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n", "has no rows below its header"),
        ("a,a\n1,2\n", "needs a name for each column"),
        ("a,b\n1,2\n3\n", "row 2 of a.csv has 1 cells, and the header 2"),
    ],
)
def test_files_that_are_refused(text, said, tmp_path):
    (found,) = ran(tmp_path, [{"do": "table", "text": text, "states": []}])
    assert said in found["refused"]["en"]
    assert found["refused"]["zh"]


def test_targets_that_are_refused(tmp_path):
    text = "n,word,one,date\n" + "".join(f"{n},{'abc'[n % 3]},1,2024-01-1{n % 9}\n" for n in range(30))
    asked = [("one", None), ("word", "numbers"), ("date", None), ("n", "classes"), ("none", None)]
    states = [{"data": {"name": "table", "source": "a", "target": name, "task": task}} for name, task in asked]
    work = [{"do": "table", "text": text, "states": []}, *({"do": "exercise", "state": s} for s in states)]
    _, *found = ran(tmp_path, work)
    for one, said in zip(found, ("one value only", "no numbers", "thalweg play", "too many", "unknown"), strict=True):
        assert said in one["refused"]["en"]
