"""The landscape follows a ball that leaves it, and weights without bound have none."""

import time

from node_page import Course, call


def test_a_ball_that_leaves_its_landscape_gets_another(page):
    page.until(lambda f: f.get("reset"))
    page.say("want", what=["landscape"])
    first = page.until(lambda f: "loss" in f.get("landscape", {}))
    call("shift", page=page.number, by=50)
    page.say("step")
    outside = page.until(lambda f: f["iteration"] == 1)
    assert "landscape" not in outside
    assert not inside(outside["ball"], first["landscape"])
    page.say("pace", epochs=60)
    end = time.monotonic() + 60
    while time.monotonic() < end and "loss" not in (again := page.next()).get("landscape", {}):
        page.say("pace", epochs=60)  # for whatever the page says, a frame follows
    assert inside(again["ball"], again["landscape"])


def inside(ball, figure):
    return all(axis[0] <= at <= axis[-1] for at, axis in zip(ball, (figure["a"], figure["b"]), strict=False))


def test_weights_without_bound_have_no_landscape():
    course = Course({"data": {"name": "plane"}})
    course.do("shift", by=1e25)
    found = course.do("landscape")
    assert "figure" not in found
    assert "too large for a landscape" in found["error"]["en"]
    assert found["error"]["zh"]


def test_a_training_that_has_diverged_is_not_called_paused(page):
    page.until(lambda f: f.get("reset"))
    page.set({"data": {"name": "plane"}, "optimizer": "sgd", "learning_rate": 1e4})
    page.say("play")
    page.until(lambda f: f["status"] == "diverged")
    page.say("pause", serial=1)
    assert page.until(lambda f: f["serial"] == 1)["status"] == "diverged"
    page.say("reset")
    assert page.until(lambda f: f.get("reset"))["status"] == "paused"
    page.say("step")
    assert page.until(lambda f: f["iteration"] == 1)["status"] == "paused"
