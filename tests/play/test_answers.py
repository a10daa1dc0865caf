"""Every state that a page sends is answered, with its number: an older answer is never taken for the newest."""

from node_page import Course, table

TABLE = "a,b,c,y\n" + "".join(f"{n},{n * n % 17},{n % 5},{n / 3}\n" for n in range(40))


def answered(page, serial, state):
    page.say("state", state=state, serial=serial)
    return page.until(lambda f: f["serial"] == serial)


def test_every_state_is_answered_with_its_number(page):
    assert page.until(lambda f: f.get("reset"))["serial"] == 0  # the page's own beginning
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


def test_a_change_is_kept_when_the_epoch_before_it_diverges(page):
    """The page finishes a short epoch first; that it diverges is no reason to lose what may be the remedy."""
    page.until(lambda f: f.get("reset"))
    state = {"data": {"name": "plane"}, "optimizer": "sgd", "output": {"activation": "x**3"}, "learning_rate": 1e-6}
    answered(page, 1, state)
    page.say("pace", epochs=0.1)  # the next step of its own would be due after a second
    page.say("step", serial=2)
    assert page.until(lambda f: f["serial"] == 2)["batch"] == 1
    answered(page, 3, {**state, "learning_rate": 1e6})
    page.say("play")
    page.say("state", state={**state, "learning_rate": 1e-3}, serial=4)
    found = page.until(lambda f: f["serial"] == 4)
    assert found["state"]["learning_rate"] == 1e-3
    assert found["status"] == "diverged"
    assert "no longer finite" in found["error"]["en"]


def test_another_plane_is_drawn_when_something_else_changes_with_it():
    data = {"name": "table", "source": "a", "target": "y"}
    course = Course({"data": data}, table(TABLE))

    def drawn():
        return course.do("frame", wanted=["surface"])["surface"]["names"]

    assert drawn() == ["a", "b"]
    course.run(3)
    before = course.do("arrays")
    course.change({"data": data, "plane": ["c", "a"], "l2": 0.01})
    assert drawn() == ["c", "a"]
    assert all((old == new).all() for old, new in zip(before, course.do("arrays"), strict=True))
