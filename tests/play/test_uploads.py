"""One's own table: uploaded or named on the command line, its columns chosen, its plane."""

import numpy as np
import pytest
from page_client import Page, running

from thalweg.errors import ThalwegError
from thalweg.play.exercises import page_table
from thalweg.play.exercises import uploads as module
from thalweg.play.exercises.uploads import Uploads, of_source
from thalweg.play.requests.page_state import State
from thalweg.play.training.journey import Course

TOWNS = ("Ulm", "Köln", "台北")
ROWS = "sqm,rooms,town,built,id,price\n" + "".join(
    f"{30 + n % 70},{1 + n % 5},{TOWNS[n % 3]},{1950 + n % 60},k{n},{30_000 + n % 70 * 1000 + n % 11}\n"
    for n in range(200)
)


def test_an_uploaded_table_is_learned(page):
    page.until(lambda f: f.get("reset"))
    status, answer = page.upload(ROWS.encode(), "homes & gardens.csv")
    assert status == 200
    table = answer["table"]
    assert table["name"] == "homes & gardens.csv"
    assert table["rows"] == 200
    assert table["target"] == "price"
    kinds = {c["name"]: (c["kind"], c["usable"]) for c in table["columns"]}
    assert kinds["sqm"] == ("number", True)
    assert kinds["town"] == ("category", True)
    assert kinds["id"] == ("category", False)
    assert table["first"][0][:3] == ["30", "1", "Ulm"]
    columns = ["sqm", "rooms", "town"]
    first = page.set({"data": {"name": "table", "source": table["id"], "target": "price", "columns": columns}})
    assert first["facts"]["task"] == "numbers"
    assert first["facts"]["inputs"] == ["sqm", "rooms", "town=Köln", "town=Ulm", "town=台北"]
    assert first["surface"]["names"] == ["sqm", "rooms"]
    assert first["surface"]["points"].shape == (150, 2)
    mean, scale = first["facts"]["target_scale"]
    assert 50_000 < mean < 80_000
    assert scale > 1000
    page.say("play")
    assert page.until(lambda f: f.get("epoch", 0) > 100)["val_mae"] < 0.2


def test_the_plane_can_be_chosen_and_others_stay_at_the_median(page):
    page.until(lambda f: f.get("reset"))
    table = page.upload(ROWS.encode())[1]["table"]
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


def test_classes_can_be_asked_for(page):
    page.until(lambda f: f.get("reset"))
    table = page.upload(ROWS.encode())[1]["table"]
    first = page.set({"data": {"name": "table", "source": table["id"], "target": "town"}})
    assert first["facts"]["classes"] == ["Köln", "Ulm", "台北"]
    first = page.set(
        {"data": {"name": "table", "source": table["id"], "target": "rooms", "task": "numbers"}, "seed": 2}
    )
    assert first["facts"]["task"] == "numbers"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00\x01\x02\xff" * 100,
        b"a,b\n",
        b"only text without a table" * 3,
        "價,錢\n".encode("utf-16"),
        b"a,a\n1,2\n",
    ],
    ids=["empty", "bytes", "no rows", "a line", "another encoding", "twice a name"],
)
def test_a_broken_file_is_refused_in_a_sentence(page, content):
    page.until(lambda f: f.get("reset"))
    status, answer = page.upload(content)
    if status == 200:  # a table of text: it can be read, and learned from only if there is something to learn
        assert answer["table"]["columns"]
        return
    assert status == 400
    assert 5 < len(answer["error"]["en"]) < 600
    assert "Traceback" not in answer["error"]["en"]
    assert "/tmp" not in answer["error"]["en"]
    page.say("step")
    assert page.until(lambda f: f["iteration"] == 1)


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "a\x00b.csv", "x" * 5000, "", "..", "上傳.csv"])
def test_a_name_never_becomes_a_path(page, name):
    page.until(lambda f: f.get("reset"))
    status, answer = page.upload(b"a,b\n1,2\n3,4\n", name)
    assert status == 200
    assert "/" not in answer["table"]["name"]
    assert len(answer["table"]["name"]) <= 80


@pytest.mark.parametrize(
    "data",
    [
        {"target": "prise"},
        {"target": "price", "columns": ["sqm", "nothing"]},
        {"target": "price", "columns": []},
        {"target": "price", "columns": ["price"]},
        {"target": "id"},
        {"target": "town", "task": "numbers"},
    ],
)
def test_wrong_columns_are_refused(data):
    uploads = Uploads()
    source = uploads.add(ROWS.encode(), "homes.csv").id
    with pytest.raises(ThalwegError) as error:
        Course(State.of({"data": {"name": "table", "source": source} | data}), uploads)
    assert len(str(error.value)) < 600


def test_only_the_newest_tables_are_kept(monkeypatch):
    monkeypatch.setattr(module, "UPLOADS", 2)
    uploads = Uploads()
    ids = [uploads.add(b"a,b\n1,2\n3,4\n", "t.csv").id for _ in range(3)]
    with pytest.raises(ThalwegError, match="no longer here"):
        uploads.find(ids[0])
    assert len(uploads.find(ids[2]).table) == 2


def test_a_long_table_is_refused(monkeypatch):
    monkeypatch.setattr(module, "TABLE_ROWS", 10)
    with pytest.raises(ThalwegError, match="200 rows"):
        Uploads().add(ROWS.encode(), "homes.csv")


def test_a_tables_response_is_its_networks_answer():
    """The surface at a point is the prediction for the row that it stands for."""
    uploads = Uploads()
    source = uploads.add(ROWS.encode(), "homes.csv").id
    data = {"name": "table", "source": source, "target": "price", "columns": ["sqm", "rooms", "town"]}
    course = Course(State.of({"data": data}), uploads)
    sight = course.network.exercise.sight
    x = course.network.exercise.x
    table = uploads.find(source).table
    row = next(r for r in range(200) if table["town"][r] == "Ulm")
    rows = sight.rows(np.array([[table["sqm"][row], table["rooms"][row]]]))
    assert any(np.allclose(rows[0, :2], train[:2]) for train in x)
    assert rows[0, 2:].sum() == 1


def test_the_command_lines_table(tmp_path):
    path = tmp_path / "homes.csv"
    path.write_text(ROWS)
    states = [{"data": {"name": "table"}}]
    with running(source=of_source(str(path)), states=states) as site, Page(site) as page:
        assert page.hello["source"]["name"] == "homes.csv"
        first = page.until(lambda f: f.get("reset"))
        assert first["facts"]["targets"] == ["price"]


@pytest.mark.parametrize("encoding", ["cp950", "utf-16"])
def test_another_encoding_is_named_with_what_can_be_done(encoding):
    text = "坪數,房間數,價格\n" + "".join(f"{n},{n % 4},{n * 30}\n" for n in range(40))
    with pytest.raises(ThalwegError, match=f"looks like {encoding}: save it as UTF-8, or start with thalweg play FILE"):
        Uploads().add(text.encode(encoding), "房價.csv")


def test_the_command_lines_quote_is_the_programs_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = "".join(f'"{n % 3},{n},{n % 2}\n' for n in range(40))
    (tmp_path / "q.csv").write_text("a,b,y\n" + rows)
    with pytest.raises(ThalwegError, match="--quote"):
        of_source("q.csv")
    source = of_source("q.csv", quote="")
    assert sorted(set(source.table["a"])) == ['"0', '"1', '"2']
    course = Course(State.of({"data": {"name": "table", "source": "source", "target": "y"}}), Uploads(source))
    assert "read_table('q.csv', quote='')" in course.network.exercise.code


def test_the_command_lines_encoding_is_the_programs_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "房價.csv").write_bytes(("坪數,價格\n" + "".join(f"{n},{n * 30}\n" for n in range(40))).encode("cp950"))
    source = of_source("房價.csv", "cp950")
    course = Course(State.of({"data": {"name": "table", "target": "價格"}}), Uploads(source))
    assert course.network.exercise.inputs == ["坪數"]
    assert "read_table('房價.csv', encoding='cp950')" in course.network.exercise.code


def test_a_wide_file_is_refused_by_its_header_before_it_is_read(monkeypatch, page):
    header = ",".join(f'"c,{n}"' if n % 2 else f"c{n}" for n in range(page_table.TABLE_FEATURES))
    row = "1," * (page_table.TABLE_FEATURES - 1) + "2\n"
    monkeypatch.setattr(page_table, "read_table", lambda path: pytest.fail("it was read"))
    for separator, wide in ((",", header + ",one more"), (";", header.replace(",", ";") + ";one more")):
        status, answer = page.upload((wide + "\n" + row).encode(), "wide.csv")
        assert status == 400
        assert f"wide.csv has {page_table.TABLE_FEATURES + 1:,} columns" in answer["error"]["en"]
        assert "2,001 欄" in answer["error"]["zh"]
        assert separator in wide
    monkeypatch.undo()
    assert page.upload((header + "\n" + row * 3).encode(), "wide.csv")[0] == 200
