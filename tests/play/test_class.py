"""A class: whose pages these are, what the teacher sees, and who has a seat."""

import json

import pytest
from served_client import fetch, serving, told

from thalweg.errors import ArgumentError
from thalweg.play import classroom
from thalweg.play.bounds import CLASS_UPLOAD_BYTES
from thalweg.play.classroom import Classroom, typed_token
from thalweg.play.pages.server import HOST, listening, reachable

KEYS = [letter * 20 for letter in "abcd"]


@pytest.fixture
def room():
    with serving(classroom=Classroom(seats=2)) as site:
        yield site


def heard(site, key, name, page="p", solved=(), **more):
    """A page says that it is there; the server's answer."""
    key = KEYS[key] if isinstance(key, int) else key
    content = {"pupil": key, "name": name, "page": page, "lesson": None, "solved": list(solved)} | more
    return told(site, "/class/progress", json.dumps(content).encode())


def listed(site):
    return told(site, "/class/list", token=site.classroom.token)[1]["pupils"]


def names(site):
    return [pupil["name"] for pupil in listed(site)]


def there(site):
    return [pupil["name"] for pupil in listed(site) if pupil["pages"]]


def visit(site, key, name, solved):
    """Opens the page, claims tasks and leaves."""
    assert heard(site, key, name, solved=solved)[0] == 200
    assert heard(site, key, name, leaves=True) == (200, {})


def test_the_teacher_sees_who_has_solved_what(room):
    assert heard(room, 0, "  Mei   Lin ") == (200, {"pupil": "Mei Lin"})
    heard(room, 1, "王小明", solved=["one-row"], lesson="loss")
    heard(room, 1, "王小明", solved=["edges"], lesson="loss")  # as after the page was loaded again
    assert listed(room) == [
        {"name": "Mei Lin", "lesson": None, "solved": [], "pages": 1},
        {"name": "王小明", "lesson": "loss", "solved": ["one-row", "edges"], "pages": 1},
    ]
    assert not any(key in str(listed(room)) for key in KEYS)
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


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"name": None}, "name has to be a text"), ({"name": "   "}, "name has to be a text"),
        ({"name": "a" * 41}, "a name"),
        ({"name": "a\0b"}, "a name"), ({"pupil": "short"}, "key"), ({"pupil": "é" * 20}, "key"),
        ({"pupil": "a" * 65}, "key"), ({"pupil": 3}, "pupil has to be a text"), ({"solved": "loss"}, "a list"),
        ({"solved": ["nothing"]}, "nothing"), ({"solved": [1]}, "a text"), ({"lesson": "one-rwo"}, "one-row"),
    ],
)  # fmt: skip
def test_what_pupils_send_is_checked(room, asked, why):
    status, answer = told(
        room, "/class/progress",
        json.dumps({"pupil": KEYS[0], "name": "A", "page": "p", "lesson": None, "solved": [], **asked}).encode(),
    )  # fmt: skip
    assert status == 409
    assert why in answer["error"]["en"]
    assert answer["error"]["zh"] != answer["error"]["en"]
    assert all(pupil.solved == [] and pupil.lesson is None for pupil in room.classroom.pupils.values())


@pytest.mark.parametrize(("content", "why"), [(b"[", "JSON"), (b"[]", "an object"), (b"[" * 100_000, "JSON")])
def test_what_is_no_message_is_said(room, content, why):
    status, answer = told(room, "/class/progress", content)
    assert (status, why in answer["error"]["en"]) == (409, True)


@pytest.mark.parametrize("own", ["Eve", "Eve {}"], ids=["one name", "a name each time"])
def test_seats_belong_to_who_is_there(room, own):
    visit(room, 0, "A", ["one-row", "loss"])
    for number in range(5):  # one pupil, who opens the page with another key each time
        visit(room, f"eve{number}" * 5, own.format(number), ["one-row"])
    heard(room, 1, "B")
    heard(room, 2, "C")
    assert there(room) == ["B", "C"]
    assert "2 seats" in heard(room, 0, "A")[1]["error"]["en"]
    assert names(room) == ["A", "B", "C", *dict.fromkeys(own.format(number) for number in range(5))]
    assert [p["solved"] for p in listed(room)][:2] == [["one-row", "loss"], []]


def test_work_that_is_done_stays_with_the_name(room):
    visit(room, 0, "A", ["one-row"])
    heard(room, 1, " A ")  # at another machine
    assert listed(room) == [{"name": "A", "lesson": None, "solved": ["one-row"], "pages": 1}]
    heard(room, 1, "A", leaves=True)
    heard(room, 1, "B")  # the next pupil at this one
    assert [(p["name"], p["solved"]) for p in listed(room)] == [("A", ["one-row"]), ("B", [])]


def test_two_pupils_of_one_name_are_told_apart(room):
    assert heard(room, 0, "Zoé")[1] == {"pupil": "Zoé"}
    combined = "Zoe\N{COMBINING ACUTE ACCENT}"
    assert heard(room, 1, combined, solved=["loss"])[1] == {"pupil": "Zoé (2)"}
    assert heard(room, 1, "Zoé", page="again")[1] == {"pupil": "Zoé (2)"}, "by its key"
    for number, page in ((0, "p"), (1, "p"), (1, "again")):
        heard(room, number, "Zoé", page, leaves=True)
    assert there(room) == []
    assert [heard(room, number, "Zoé")[1]["pupil"] for number in (1, 0)] == ["Zoé (2)", "Zoé"]
    assert [(p["name"], p["solved"]) for p in listed(room)] == [("Zoé", []), ("Zoé (2)", ["loss"])]


def freed(site, name, content=b"", **more):
    return fetch(site, "/class/free", content, **{"token": site.classroom.token, "name": name, **more})[0]


def test_the_teacher_frees_a_seat(room):
    heard(room, 0, "A", "first", solved=["one-row"])
    heard(room, 0, "A", "other")
    heard(room, 1, "B")
    assert "2 seats" in heard(room, 2, "C")[1]["error"]["en"]
    assert freed(room, "A", token=room.token) == 403  # a pupil's
    assert freed(room, "A", headers=[("Origin", "http://evil.example")]) == 403
    assert freed(room, "A", content=None) == 405  # a link isn't enough
    assert freed(room, "a") == 404
    assert there(room) == ["A", "B"]
    assert freed(room, "A") == 200
    assert there(room) == ["B"]
    for page in ("first", "other"):
        status, answer = heard(room, 0, "A", page)
        assert (status, answer["error"]["en"]) == (409, "the teacher has freed this seat")
    heard(room, 2, "C")
    assert [(p["name"], p["solved"]) for p in listed(room)] == [("A", ["one-row"]), ("B", []), ("C", [])]
    assert freed(room, "A") == 200  # who has left goes off the list
    assert names(room) == ["B", "C"]
    assert freed(room, "A") == 404
    heard(room, 2, "C", leaves=True)
    assert heard(room, 0, "A", "loaded again")[0] == 200


def test_of_too_many_names_those_are_kept_who_were_there_longest(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(classroom, "monotonic", lambda: clock[0])
    monkeypatch.setattr(classroom, "NAMES", 2)
    room = Classroom(seats=2)

    def stays(name, seconds):
        entered = room.hear(KEYS[0], name, "p")
        entered.progress(None, ["one-row"])
        clock[0] += seconds
        entered.leave("p")

    for name, seconds in (("A", 600), ("B", 1), ("C", 900), ("D", 2), ("A", 1)):
        stays(name, seconds)
    present = room.hear(KEYS[1], "E", "q")
    assert [pupil["name"] for pupil in room.to_json()] == ["A", "C", "E"]
    assert list(present.heard) == ["q"]


def test_tables_of_a_class_are_smaller(room):
    assert told(room, "/begin.json")[1]["upload_bytes"] == CLASS_UPLOAD_BYTES
    line = b"1.25,yes\n"
    most = b"a,target\n" + line * (CLASS_UPLOAD_BYTES // len(line) - 1)
    status, answer = told(room, "/upload", most + line)
    assert status == 413
    assert "2 MB" in answer["error"]["en"]
    assert fetch(room, "/upload", most[: most.find(line) + 100 * len(line)])[0] == 200


def test_each_token_opens_its_own(room, site):
    teachers = room.classroom.token
    for path in ("/class", "/class/list"):
        assert fetch(room, path, token=False)[0] == 403
        assert fetch(room, path)[0] == 403
    for path in ("/", "/upload"):
        assert fetch(room, path, token=teachers)[0] == 403
    assert fetch(room, "/class/progress", b"{}", token=teachers)[0] == 403
    status, page = fetch(room, "/class", token=teachers)
    assert status == 200
    assert b"class.js" in page
    assert fetch(room, "/class.js", token=False)[0] == 200
    assert told(room, "/begin.json")[1]["class"]
    assert not told(site, "/begin.json")[1]["class"]
    assert fetch(site, "/class.js", token=False)[0] == 403
    assert fetch(site, "/class/progress", b"{}")[0] == 404
    assert fetch(site, "/class")[0] == 403
    assert fetch(site, "/class", token="None")[0] == 403


def test_where_a_server_listens():
    for host, why in (("192.0.2.77", "no address of this machine"), ("here", "an IPv4 address"), ("::1", "an IPv4")):
        with pytest.raises(ArgumentError, match=why):
            listening(0, host)
    with listening(0) as made:
        assert made.getsockname()[0] == HOST
    with listening(0, "0.0.0.0") as made:
        assert made.getsockname()[0] == "0.0.0.0"
    assert reachable("0.0.0.0") != "0.0.0.0"
    assert len({typed_token() for _ in range(100)}) == 100
