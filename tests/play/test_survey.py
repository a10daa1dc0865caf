"""The landscape follows a ball that leaves it, and weights without bound have none."""

import numpy as np
import pytest

from thalweg.errors import ThalwegError
from thalweg.play import survey
from thalweg.play.exercises.uploads import Uploads
from thalweg.play.requests.page_state import State
from thalweg.play.training.ball import valley
from thalweg.play.training.journey import Course


def test_a_ball_that_leaves_its_landscape_gets_another(page, site, monkeypatch):
    monkeypatch.setattr(survey, "AGAIN", 0.0)
    page.until(lambda f: f.get("reset"))
    page.say("want", what=["landscape"])
    first = page.until(lambda f: "loss" in f.get("landscape", {}))
    side = site.sessions[page.hello["session"]].sides[0]
    with side.still() as course:
        model = course.network.model
        model.set_weights([weights + 50 for weights in model.get_weights()])
    page.say("step")
    again = page.until(lambda f: "loss" in f.get("landscape", {}))
    assert again["frame"] > first["frame"]
    a, b, _ = again["ball"]
    assert again["landscape"]["a"][0] <= a <= again["landscape"]["a"][-1]
    assert again["landscape"]["b"][0] <= b <= again["landscape"]["b"][-1]


def test_weights_without_bound_have_no_landscape():
    course = Course(State.of({"data": {"name": "plane"}}), Uploads())
    model, exercise = course.network.model, course.network.exercise
    model.set_weights([np.full_like(weights, 1e25) for weights in model.get_weights()])
    with pytest.raises(ThalwegError, match="too large for a landscape"):
        valley(model, exercise.x, course.network.y, [], 32, True)


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
