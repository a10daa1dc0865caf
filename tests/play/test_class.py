"""A class: whose pages these are, what the teacher sees, and how much each pupil may take."""

import json
import threading
from math import inf

import pytest
from page_client import Page, fetch, running, wait_until
from websockets.exceptions import ConnectionClosed

from thalweg.errors import ArgumentError
from thalweg.play import classroom
from thalweg.play.classroom import Classroom, typed_token
from thalweg.play.gate import Gate
from thalweg.play.requests.bounds import CLASS_UPLOAD_BYTES, PUPIL_PAGES
from thalweg.play.requests.refusal import RefusedError
from thalweg.play.rhythm import Turns
from thalweg.play.server import HOST, listening, reachable
from thalweg.play.session import FREED

KEYS = [letter * 20 for letter in "abcd"]


@pytest.fixture
def room():
    with running(classroom=Classroom(seats=2)) as site:
        yield site


def pupil(site, number, name):
    return Page(site, pupil=KEYS[number], name=name)


def listed(site):
    status, answer = fetch(site, "/class/list", token=site.classroom.token)
    assert status == 200
    return json.loads(answer)["pupils"]


def refused(site, **asked):
    with pytest.raises(ConnectionClosed) as error, Page(site, **asked):
        pass
    assert error.value.rcvd.code == 1013
    return error.value.rcvd.reason


def test_the_teacher_sees_who_has_done_what(room):
    with pupil(room, 0, "  Mei   Lin "), pupil(room, 1, "王小明") as second:
        second.say("progress", lesson="one-row", solved=[])
        second.say("progress", lesson="loss", solved=["one-row"])
        second.say("progress", lesson=None, solved=["edges"])  # as after the page was loaded again
        assert wait_until(lambda: listed(room)[1]["solved"] == ["one-row", "edges"])
        nothing = {"lesson": None, "solved": [], "pages": 1}
        assert listed(room) == [
            {"name": "Mei Lin", **nothing},
            {**nothing, "name": "王小明", "solved": ["one-row", "edges"]},
        ]
        assert not any(key in str(listed(room)) for key in KEYS)
    assert wait_until(lambda: [pupil["pages"] for pupil in listed(room)] == [0, 0])


def test_an_unknown_lesson_is_refused(room):
    with pupil(room, 0, "A") as page:
        page.say("progress", lesson="one-rwo", solved=[])
        assert "one-row" in page.until(lambda frame: "error" in frame)["error"]["en"]
        page.say("progress", lesson=None, solved=["nothing"])
        assert "nothing" in page.until(lambda frame: "error" in frame)["error"]["en"]
    assert listed(room)[0]["solved"] == []


def test_a_page_outside_a_class_has_nothing_to_tell(page):
    page.say("progress", lesson=None, solved=[])
    assert "no class" in page.until(lambda frame: "error" in frame)["error"]["en"]


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({}, "a name"),
        ({"pupil": KEYS[0]}, "a name"),
        ({"pupil": KEYS[0], "name": "   "}, "a name"),
        ({"pupil": KEYS[0], "name": "a" * 41}, "a name"),
        ({"pupil": KEYS[0], "name": "a\0b"}, "a name"),
        ({"pupil": "short", "name": "A"}, "key"),
        ({"pupil": "é" * 20, "name": "A"}, "key"),
        ({"pupil": "a" * 65, "name": "A"}, "key"),
    ],
)
def test_a_page_gives_a_name(room, asked, why):
    assert why in refused(room, **asked)
    assert room.classroom.pupils == {}


def names(site):
    return [pupil["name"] for pupil in listed(site)]


def there(site):
    return [pupil["name"] for pupil in listed(site) if pupil["pages"]]


def visit(site, key, name, solved):
    """Opens the page, claims tasks and leaves."""
    with Page(site, pupil=key, name=name) as page:
        page.say("progress", lesson=None, solved=solved)
        assert wait_until(lambda: any(p["pages"] and p["solved"] == solved for p in listed(site)))
    assert wait_until(lambda: there(site) == [])


@pytest.mark.parametrize("own", ["Eve", "Eve {}"], ids=["one name", "a name each time"])
def test_seats_belong_to_who_is_there(room, own):
    visit(room, KEYS[0], "A", ["one-row", "loss"])
    for number in range(5):  # one pupil, who opens the page with another key each time
        visit(room, f"eve{number}" * 5, own.format(number), ["one-row"])
    with pupil(room, 1, "B"), pupil(room, 2, "C"):
        assert there(room) == ["B", "C"]
        assert "2 seats" in refused(room, pupil=KEYS[0], name="A")
    assert names(room) == ["A", "B", "C", *dict.fromkeys(own.format(number) for number in range(5))]
    assert [p["solved"] for p in listed(room)][:2] == [["one-row", "loss"], []]


def test_work_that_is_done_stays_with_the_name(room):
    visit(room, KEYS[0], "A", ["one-row"])
    with pupil(room, 1, " A "):  # at another machine
        assert listed(room) == [{"name": "A", "lesson": None, "solved": ["one-row"], "pages": 1}]
    with pupil(room, 1, "B"):  # the next pupil at this one
        assert [(p["name"], p["solved"]) for p in listed(room)] == [("A", ["one-row"]), ("B", [])]


def test_two_pupils_of_one_name_are_told_apart(room):
    with pupil(room, 0, "Zoé") as first, pupil(room, 1, "Zoe\N{COMBINING ACUTE ACCENT}") as second:
        assert [page.hello["pupil"] for page in (first, second)] == ["Zoé", "Zoé (2)"]
        second.say("progress", lesson=None, solved=["loss"])
        assert wait_until(lambda: [p["solved"] for p in listed(room)] == [[], ["loss"]])
        with pupil(room, 0, "Zoé"), pupil(room, 1, "Zoé") as again:  # loaded again, by its key
            assert again.hello["pupil"] == "Zoé (2)"
    assert wait_until(lambda: there(room) == [])
    with pupil(room, 1, "Zoé") as second, pupil(room, 0, "Zoé") as first:
        assert [page.hello["pupil"] for page in (first, second)] == ["Zoé", "Zoé (2)"]
    assert [(p["name"], p["solved"]) for p in listed(room)] == [("Zoé", []), ("Zoé (2)", ["loss"])]


def freed(site, name, content=b"", **more):
    return fetch(site, "/class/free", content, **{"token": site.classroom.token, "name": name, **more})


def test_the_teacher_frees_a_seat(room):
    with pupil(room, 0, "A") as page, pupil(room, 0, "A") as other, pupil(room, 1, "B"):
        page.say("progress", lesson=None, solved=["one-row"])
        assert wait_until(lambda: listed(room)[0]["solved"])
        assert "2 seats" in refused(room, pupil=KEYS[2], name="C")
        assert freed(room, "A", token=room.token)[0] == 403  # a pupil's
        assert freed(room, "A", headers=[("Origin", "http://evil.example")])[0] == 403
        assert freed(room, "A", content=None)[0] == 405  # a link isn't enough
        assert freed(room, "a")[0] == 404
        assert there(room) == ["A", "B"]
        assert freed(room, "A")[0] == 200
        assert there(room) == ["B"]
        with pupil(room, 2, "C"):
            for one in (page, other):
                with pytest.raises(ConnectionClosed) as error:
                    one.until(lambda frame: False)
                assert error.value.rcvd.code == FREED
            assert [(p["name"], p["solved"]) for p in listed(room)] == [("A", ["one-row"]), ("B", []), ("C", [])]
            assert freed(room, "A")[0] == 200  # who has left goes off the list
            assert names(room) == ["B", "C"]
            assert freed(room, "A")[0] == 404
    assert wait_until(lambda: [p["pages"] for p in listed(room)] == [0, 0])


def test_of_too_many_names_those_are_kept_who_were_there_longest(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(classroom, "monotonic", lambda: clock[0])
    monkeypatch.setattr(classroom, "NAMES", 2)
    room = Classroom(seats=2)

    def stays(name, seconds):
        entered = room.hear(KEYS[0], name, "p", inf)
        entered.progress(None, ["one-row"])
        clock[0] += seconds
        entered.leave("p")

    for name, seconds in (("A", 600), ("B", 1), ("C", 900), ("D", 2), ("A", 1)):
        stays(name, seconds)
    present = room.hear(KEYS[1], "E", "q", inf)
    assert [pupil["name"] for pupil in room.to_json()] == ["A", "C", "E"]
    assert list(present.heard) == ["q"]


def test_a_pupil_has_a_few_pages(room):
    pages = [pupil(room, 0, "A") for _ in range(PUPIL_PAGES)]
    assert "close one" in refused(room, pupil=KEYS[0], name="A")
    pages.pop().close()
    assert wait_until(lambda: listed(room)[0]["pages"] == 1)
    with pupil(room, 0, "A"):
        assert listed(room) == [{"name": "A", "lesson": None, "solved": [], "pages": 2}]
    pages.pop().close()


def test_tables_of_a_class_are_smaller(room):
    with pupil(room, 0, "A") as page:
        assert page.hello["limits"]["upload_bytes"] == CLASS_UPLOAD_BYTES
        line = b"1.25,yes\n"
        most = b"a,target\n" + line * (CLASS_UPLOAD_BYTES // len(line) - 1)
        status, answer = page.upload(most + line)
        assert status == 413
        assert "2 MB" in answer["error"]["en"]
        assert page.upload(most[: most.find(line) + 100 * len(line)])[0] == 200


def test_each_token_opens_its_own(room, site):
    teachers = room.classroom.token
    assert fetch(room, "/class", token=False)[0] == 403
    assert fetch(room, "/class")[0] == 403
    assert fetch(room, "/class/list")[0] == 403
    for path in ("/", "/upload"):
        assert fetch(room, path, token=teachers)[0] == 403
    status, page = fetch(room, "/class", token=teachers)
    assert status == 200
    assert b"teacher.js" in page
    assert b"data-class" in fetch(room, "/")[1]
    assert b"data-class" not in fetch(site, "/")[1]
    assert fetch(site, "/class")[0] == 403
    assert fetch(site, "/class", token="None")[0] == 403


def scope(host, server="192.168.1.5", origin=None, token="right", path="/"):
    headers = [(b"host", host.encode()), *([] if origin is None else [(b"origin", origin.encode())])]
    query = f"token={token}".encode()
    return {"type": "http", "path": path, "headers": headers, "query_string": query, "server": (server, 80)}


@pytest.mark.parametrize(
    ("asked", "passes"),
    [
        (scope("192.168.1.5:8000"), True),
        (scope("192.168.1.5:8000", origin="http://192.168.1.5:8000"), True),
        (scope("evil.example:8000"), False),  # a name that was made to point here
        (scope("127.0.0.1:8000"), False),
        (scope("localhost:8000"), False),
        (scope("192.168.1.5"), False),
        (scope("192.168.1.6:8000"), False),
        (scope("192.168.1.5:8000", origin="http://evil.example:8000"), False),
        (scope("192.168.1.5:8000", token="wrong"), False),
        (scope("127.0.0.1:8000", server="127.0.0.1"), True),
        (scope("192.168.1.5:8000", server="127.0.0.1"), False),
        (scope("192.168.1.5:8000", path="/class"), False),
        (scope("192.168.1.5:8000", path="/class/list", token="teachers"), True),
        (scope("192.168.1.5:8000", path="/classes", token="teachers"), False),
    ],
)
def test_the_gate_knows_the_address_that_was_reached(asked, passes):
    assert (Gate(None, 8000, "right", "teachers").refusal(asked) is None) == passes


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


def test_turns_are_taken_in_their_order():
    turns, order, shares = Turns(1), [], []

    def work(number):
        with turns.taken():
            order.append(number)
            shares.append(turns.share)

    threads = [threading.Thread(target=work, args=[number]) for number in range(4)]
    with turns.taken():
        for number, thread in enumerate(threads, 1):
            thread.start()
            assert wait_until(lambda number=number: len(turns.waiting) == number)
        assert order == []
    for thread in threads:
        thread.join()
    assert order == [0, 1, 2, 3]
    assert shares == [1 / 4, 1 / 3, 1 / 2, 1]
    assert turns.free == 1


def test_a_turn_ends_with_an_error():
    turns = Turns(2)
    with pytest.raises(RefusedError), turns.taken():
        raise RefusedError("no")
    assert turns.free == 2
