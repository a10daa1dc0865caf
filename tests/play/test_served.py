"""What `thalweg play` answers: files without a token, how the page begins, tables that it reads, a class's progress."""

import json

import numpy as np
import pytest
from page_client import fetch
from served_client import serving, told

from thalweg.errors import MissingPackageError
from thalweg.play import classroom
from thalweg.play.classroom import Classroom
from thalweg.play.exercises import page_table
from thalweg.play.exercises.page_table import PageTable
from thalweg.play.requests.bounds import CLASS_UPLOAD_BYTES
from thalweg.play.static.site import files
from thalweg.views.web.encoding import decode

KEYS = [letter * 20 for letter in "abcd"]
ODD = "when,weight,town,sure,price\n" + "".join(
    f"{1 + n % 28}/{1 + n % 12}/2020,{40 + n % 9} kg,{('Ulm', 'Köln')[n % 2]},{('TRUE', 'FALSE')[n % 2]},{n}\n"
    for n in range(60)
)


@pytest.fixture(scope="module", autouse=True)
def engine():
    try:
        files()
    except MissingPackageError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def served():
    with serving(states=[{"data": {"name": "moons"}}], lesson="loss") as site:
        yield site


@pytest.fixture
def room():
    with serving(classroom=Classroom(seats=2)) as site:
        yield site


def test_the_sites_files_are_given_without_a_token(served):
    for name, content in files().items():
        expected = (200, content) if name != "index.html" else (403, b"")
        status, given = fetch(served, f"/{name}", token=False)
        assert (status, given if status == 200 else b"") == expected


def test_the_rest_needs_the_token(served):
    for path in ("/", "/begin.json", "/table", "/upload"):
        assert fetch(served, path, token=False)[0] == 403
        assert fetch(served, path, token="wrong")[0] == 403
    assert b'name="thalweg-begins" content="begin.json"' in fetch(served, "/")[1]
    assert b"thalweg-begins" not in files()["index.html"]
    assert fetch(served, "/begin.json", headers=[("Origin", "http://evil.example")])[0] == 403


def test_how_the_page_begins(served):
    assert told(served, "/begin.json") == (
        200,
        {"lesson": "loss", "preset": None, "states": [{"data": {"name": "moons"}}], "table": False, "class": False,
         "upload_bytes": 20_000_000},
    )  # fmt: skip
    assert fetch(served, "/table")[0] == 404


def columns_of(sent):
    return {column["name"]: column for column in sent["columns"]}


def numbers(column):
    return column["numbers"].view("<f8")


def test_a_table_is_read_as_for_any_run(served):
    status, answer = fetch(served, "/upload", ODD.encode(), name="../odd.csv")
    sent = decode(answer)
    assert (status, sent["name"], sent["rows"], sent["of"]) == (200, "odd.csv", 60, 60)
    found = columns_of(sent)
    assert {name: column["kind"] for name, column in found.items()} == {
        "when": "date", "weight": "integer", "town": "text", "sure": "boolean", "price": "integer",
    }  # fmt: skip
    assert numbers(found["weight"])[:3].tolist() == [40, 41, 42]
    assert numbers(found["when"])[0] == np.datetime64("2020-01-01").astype("datetime64[s]").astype(int)
    assert found["town"]["words"] == ["Ulm", "Köln"]
    assert found["town"]["codes"][:3].tolist() == [0, 1, 0]
    assert found["sure"]["written"] == [[1, "TRUE"], [0, "FALSE"]]
    assert found["weight"]["first"][0] == "40 kg"


def test_a_long_table_is_a_sample(tmp_path, monkeypatch):
    monkeypatch.setattr(page_table, "TABLE_ROWS", 10)
    (tmp_path / "a.csv").write_text(ODD)
    with serving(source=PageTable.of_source(str(tmp_path / "a.csv"))) as site:
        assert told(site, "/begin.json")[1]["table"] is True
        sent = decode(fetch(site, "/table")[1])
    prices = numbers(columns_of(sent)["price"]).tolist()
    assert (sent["rows"], sent["of"], len(prices)) == (10, 60, 10)
    assert prices == sorted(set(prices))
    assert prices != list(range(10))


def test_what_cannot_be_read_is_said(served):
    status, answer = told(served, "/upload", b"a,b\n", name="x.csv")
    assert status == 400
    assert "x.csv" in answer["error"]["en"]
    texts = b"a,b\n" + b"".join(b"%d,%s\n" % (n, f"my {n} good words of a long text {n}".encode()) for n in range(90))
    assert columns_of(decode(fetch(served, "/upload", texts)[1]))["b"] == {
        "name": "b", "kind": "other", "why": "it differs in nearly every row",
    }  # fmt: skip


def heard(site, number, name, page="p", solved=(), **more):
    content = {"pupil": KEYS[number], "name": name, "page": page, "lesson": None, "solved": list(solved)} | more
    return told(site, "/class/progress", json.dumps(content).encode())


def listed(site):
    return told(site, "/class/list", token=site.classroom.token)[1]["pupils"]


def test_the_teacher_sees_who_has_solved_what(room):
    assert heard(room, 0, "  Mei   Lin ") == (200, {"pupil": "Mei Lin"})
    assert heard(room, 1, "Mei Lin", lesson="loss")[1] == {"pupil": "Mei Lin (2)"}
    heard(room, 1, "Mei Lin", solved=["one-row"], lesson="loss")
    heard(room, 1, "Mei Lin", solved=["edges"], lesson="loss")  # as after the page was loaded again
    assert listed(room) == [
        {"name": "Mei Lin", "lesson": None, "solved": [], "pages": 1},
        {"name": "Mei Lin (2)", "lesson": "loss", "solved": ["one-row", "edges"], "pages": 1},
    ]
    status, answer = heard(room, 2, "Chen")
    assert status == 409
    assert "all 2 seats" in answer["error"]["en"]
    assert heard(room, 0, "Mei Lin", leaves=True)[0] == 200
    assert [pupil["pages"] for pupil in listed(room)] == [0, 1]
    assert heard(room, 2, "Chen")[0] == 200


def test_who_is_not_heard_of_has_left(room, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(classroom, "monotonic", lambda: clock[0])
    heard(room, 0, "A", solved=["loss"])
    clock[0] += classroom.PATIENCE - 1
    assert listed(room)[0]["pages"] == 1
    clock[0] += 2
    assert listed(room)[0] == {"name": "A", "lesson": None, "solved": ["loss"], "pages": 0}
    assert heard(room, 0, "A")[0] == 200
    assert listed(room)[0] == {"name": "A", "lesson": None, "solved": ["loss"], "pages": 1}


def test_a_freed_seat_stays_free_until_the_page_is_loaded_again(room):
    heard(room, 0, "A", "first")
    assert fetch(room, "/class/free", b"", name="A")[0] == 403  # a pupil's token
    assert fetch(room, "/class/free", b"", name="A", token=room.classroom.token)[0] == 200
    status, answer = heard(room, 0, "A", "first")
    assert (status, answer["error"]["en"]) == (409, "the teacher has freed this seat")
    assert heard(room, 0, "A", "second")[0] == 200
    assert fetch(room, "/class/free", b"", name="B", token=room.classroom.token)[0] == 404


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"[", "JSON"),
        (b"[]", "an object"),
        (b'{"pupil": "x", "name": "A", "page": "p", "solved": []}', "key"),
        (json.dumps({"pupil": KEYS[0], "name": "a" * 41, "page": "p", "solved": []}).encode(), "a name"),
        (json.dumps({"pupil": KEYS[0], "name": "A", "page": "p", "solved": ["nothing"]}).encode(), "nothing"),
    ],
)
def test_what_pupils_send_is_checked(room, content, why):
    status, answer = told(room, "/class/progress", content)
    assert status == 409
    assert why in answer["error"]["en"]


def test_a_class_has_its_own_files_and_tokens(room, served):
    assert b"class.js" in fetch(room, "/class", token=room.classroom.token)[1]
    assert fetch(room, "/class")[0] == 403
    assert fetch(room, "/class/progress", b"{}", token=room.classroom.token)[0] == 403
    assert fetch(room, "/class.js", token=False)[0] == 200
    assert fetch(served, "/class.js", token=False)[0] == 403
    assert fetch(served, "/class/progress", b"{}")[0] == 404
    assert told(room, "/begin.json")[1]["upload_bytes"] == CLASS_UPLOAD_BYTES
