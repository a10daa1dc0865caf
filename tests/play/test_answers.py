"""Every state that a page sends is answered, with its number: an older answer is never taken for the newest."""

import pytest
from page_client import Page

from thalweg.play.exercises.uploads import Uploads
from thalweg.play.requests.page_state import State
from thalweg.play.training.journey import Course

TABLE = "a,b,c,y\n" + "".join(f"{n},{n * n % 17},{n % 5},{n / 3}\n" for n in range(40))


def answered(page, serial, state):
    page.say("state", state=state, serial=serial)
    return page.until(lambda f: f["serial"] == serial)


def test_every_state_is_answered_with_its_number(page):
    assert page.until(lambda f: f.get("reset"))["serial"] == 0  # the server's own
    assert answered(page, 1, {"learning_rate": 0.1})["state"]["learning_rate"] == 0.1
    assert "state" not in answered(page, 2, {"learning_rate": 0.1})  # nothing is new, but it is answered
    assert "error" in answered(page, 3, {"learning_rate": -1})
    found = answered(page, 4, {"seed": 2})
    assert (found["state"]["seed"], found["epoch"], found.get("error")) == (2, 0, None)
    page.say("reset", serial=5)
    assert page.until(lambda f: f["serial"] == 5)["reset"]


def test_the_newest_of_several_states_is_the_one_that_is_answered(page):
    page.until(lambda f: f.get("reset"))
    for serial, rows in enumerate(range(100, 110), start=1):
        page.say("state", state={"data": {"name": "moons", "rows": rows}}, serial=serial)
    found = page.until(lambda f: f["serial"] == 10)
    told = [f["state"] for f in page.frames if "state" in f and f["serial"] == 10]
    assert told[0]["data"]["rows"] == 109
    assert found is page.frames[-1]


def test_a_refused_state_is_forgotten_when_the_next_fits(page):
    first = page.until(lambda f: f.get("reset"))
    page.say("reset")
    last = page.read()  # not acknowledged: nothing is told until it is
    page.say("state", state={"learning_rate": -1}, serial=1)
    page.say("state", state={"learning_rate": 0.5, "batch": 16}, serial=2)
    page.say("ack", frame=last["frame"])
    found = page.until(lambda f: f["serial"] == 2)
    assert first["state"]["batch"] == 32
    assert found["state"]["batch"] == 16
    assert "error" not in found


@pytest.mark.jit
def test_a_change_is_kept_when_the_epoch_before_it_diverges(site):
    """The page finishes a short epoch first; that it diverges is no reason to lose what may be the remedy."""
    with Page(site) as page:
        page.until(lambda f: f.get("reset"))
        side = site.sessions[page.hello["session"]].sides[0]
        answered(page, 1, {"data": {"name": "plane"}, "optimizer": "sgd", "output": {"activation": "x**3"}})
        with side.still() as course:
            course.run(1)
            side.playing, side.pace.step_seconds = True, 1e-4
            course.network.model.optimizer.learning_rate = 1e6
            side.set_state({**course.state.to_json(), "learning_rate": 1e-3})
            assert course.state.learning_rate == 1e-3
            assert course.diverged
            assert side.frame.status == "diverged"


def test_another_plane_is_drawn_when_something_else_changes_with_it():
    uploads = Uploads()
    data = {"name": "table", "source": uploads.add(TABLE.encode(), "t.csv").id, "target": "y"}
    course = Course(State.of({"data": data}), uploads)
    assert course.responses.surface(True)["names"] == ["a", "b"]
    course.run(3)
    before = course.network.model.get_weights()
    course.change(State.of({"data": data, "plane": ["c", "a"], "l2": 0.01}))
    assert course.responses.surface(True)["names"] == ["c", "a"]
    assert all((old == new).all() for old, new in zip(before, course.network.model.get_weights(), strict=True))
