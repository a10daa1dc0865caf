"""The page without a server: its frames, losses, arithmetic and landscapes are those of the page with one."""

import contextlib
import json
import re

import numpy as np
import pytest
from twins import NODE, ran

from thalweg.doctor.examination import RULES
from thalweg.errors import DivergedError
from thalweg.play import scenes
from thalweg.play.exercises.uploads import Uploads
from thalweg.play.frame import Frame
from thalweg.play.requests.page_state import State
from thalweg.play.training import ball
from thalweg.play.training.arithmetic import Choice, arithmetic
from thalweg.play.training.checkup import Checkup
from thalweg.play.training.journey import Course
from thalweg.views.web.encoding import decode, encode

pytestmark = pytest.mark.skipif(NODE is None, reason="needs node")
STEPS = 20
SCENES = [
    s for listed in (scenes.lessons(), scenes.presets()) for scene in listed.values() for s in scenes.states_of(scene)
]  # fmt: skip
TYPED = {
    "data": {"name": "plane"},
    "layers": [{"activation": "x / (1 + abs(x))"}],
    "loss": "log(cosh(y_pred - y_true))",
}
OTHERS = [
    {"data": {"name": "digits"}, "layers": [{"kind": "conv2d", "activation": "tanh"}, {"kind": "batch_norm"}, {}]},
    {"data": {"name": "digits"}, "layers": [{"kind": "conv2d", "kernel_size": 2}, {"kind": "max_pool"}, {}]},
    {
        "data": {"name": "blobs", "classes": 3},
        "layers": [{"activation": "gelu"}, {"activation": "softmax"}],
        "l2": 0.01,
    },
    {"data": {"name": "blobs", "classes": 4}, "loss": "kl_divergence", "optimizer": "rmsprop", "schedule": "one_cycle"},
    {"data": {"name": "moons"}, "loss": "hinge", "layers": [{}]},
    {"data": {"name": "line"}, "loss": "huber", "dropout": 0.2},
    {"data": {"name": "digits", "digits": [3, 8], "rows": 90}, "layers": []},
    TYPED,
]
READ = [{"kind": "embedding"}, {"kind": "attention", "heads": 2, "units": 3}]
TEXTS = [
    {"data": {"name": "text", "share": 0.2}, "layers": [*READ, {"kind": "recurrent", "cell": "gru"}], "l2": 0.001},
    {"data": {"name": "text", "text": "床前明月光 疑是地上霜 舉頭望明月 低頭思故鄉", "window": 3}, "layers": [{}]},
    {"data": {"name": "sentences"}, "layers": [*READ, {"kind": "average"}], "initializer": "he_normal"},
    {
        "data": {"name": "sentences"},
        "layers": [{"kind": "recurrent", "cell": cell, "units": 40} for cell in ("lstm", "simple_rnn")],
        "optimizer": "sgd",
        "learning_rate": 0.1,
    },
    {"data": {"name": "sentences"}, "layers": [{"kind": "recurrent", "cell": "lstm"}, {}], "dropout": 0.3},
]
STATES = [*SCENES, *OTHERS, *TEXTS]
CHOICES = [{"layer": 0, "unit": 1, "row": 3}, {"layer": -1, "unit": 0, "row": 1}]
WANTED = {"surface", "units", "weights", "arithmetic", "reading"}
MAPS = ("units", "input_maps")
"""In half precision: the last bit is 1/1024 of a number."""


def same(one, other, tolerance, path="frame", least=None):
    """Asserts that two documents are the same but for rounding."""
    least = tolerance if least is None else least
    if isinstance(one, np.ndarray):
        assert one.dtype == other.dtype, path
        assert one.shape == other.shape, path
        assert np.allclose(one, other, rtol=tolerance, atol=least, equal_nan=True), (path, one, other)
    elif isinstance(one, dict):
        assert set(one) == set(other), path
        for key, value in one.items():
            half = key in MAPS
            same(value, other[key], 2e-3 if half else tolerance, f"{path}.{key}", None if half else least)
    elif isinstance(one, list):
        assert len(one) == len(other), path
        for place, (a, b) in enumerate(zip(one, other, strict=True)):
            same(a, b, tolerance, f"{path}[{place}]", least)
    elif isinstance(one, float):
        assert other == pytest.approx(one, rel=tolerance, abs=least), path
    else:
        assert one == other, path


def test_frames_losses_and_arithmetic(tmp_path):
    work = [{"do": "course", "state": state, "steps": STEPS, "choices": CHOICES} for state in STATES]
    found = ran(tmp_path, work, trains=True)
    for number, (given, answer) in enumerate(zip(STATES, found, strict=True)):
        course = Course(State.of(given), Uploads())
        frame = Frame(0)
        frame.reset(course)
        made = decode(encode(frame.made(course, WANTED, Choice(), 0.0)))
        other = found.document(number, "frame")
        same(made, other, 1e-5)
        for weights, theirs in zip(course.network.model.get_weights(), answer["weights"], strict=True):
            assert np.array_equal(weights.ravel(), np.asarray(theirs, np.float32)), given
        if given["data"]["name"] == "digits":
            drawn = np.add.outer(np.arange(8), np.arange(8)) / 14
            same(decode(encode(course.responses.drawing(drawn))), found.document(number, "drawing"), 1e-5)
        losses = []
        try:
            for _ in range(STEPS):
                course.one_step()
                losses.append(course.loss_now())
        except DivergedError:
            assert answer["diverged"].startswith("NaN: ")
        else:
            assert answer["diverged"] is None
            numbers = decode(encode([arithmetic(course.network, Choice(**c), course.step) for c in CHOICES]))
            theirs = found.document(number, "arithmetic")
            if given is TYPED:  # a derivative may be written otherwise
                numbers, theirs = ([one | {"code": {}} for one in listed] for listed in (numbers, theirs))
            same(numbers, theirs, 1e-3, f"arithmetic of {given}", 2e-6)
        same([None if loss is None else float(loss) for loss in losses], answer["losses"], 1e-5, f"losses of {given}")


ILL = [
    *[(scenes.states_of(scenes.presets()[name])[place], 60) for name, place in
      (("dead-relus", 1), ("symmetry", 0), ("vanishing-sigmoids", 0), ("learning-rate-too-high", 1), ("digits", 0))],
    *[(scenes.states_of(scenes.lessons()[name])[0], 60) for name in ("many-rows", "activation")],
    ({"data": {"name": "circles", "noise": 1.2, "rows": 60, "share": 0.5}, "layers": [{"units": 64}] * 2,
      "learning_rate": 0.03}, 120),
    ({"data": {"name": "plane", "noise": 0.3}, "layers": [{"units": 8}], "learning_rate": 0.5, "batch": 8}, 30),
    ({"data": {"name": "circles"}, "layers": [{"units": 6, "activation": "sigmoid"}] * 8, "optimizer": "sgd"}, 12),
    ({"data": {"name": "hills"}, "layers": [{"units": 8}], "optimizer": "sgd", "learning_rate": 30, "batch": 140}, 9),
    ({"data": {"name": "given", "x": [[100.0 * n, 1] for n in range(30)], "y": [n % 7 for n in range(30)]},
      "layers": [{}], "optimizer": "sgd", "learning_rate": 1e-9}, 6),
    ({"data": {"name": "hills"}, "layers": [{}], "output": {"activation": "sigmoid"}}, 9),
    ({"data": {"name": "moons"}, "layers": [{}], "output": {"activation": "tanh"}, "learning_rate": 1e-6}, 9),
    ({"data": {"name": "circles"}, "initializer": {"name": "random_normal", "stddev": 3}, "optimizer": "sgd",
      "layers": [{"units": 16, "activation": "linear"}] * 6, "learning_rate": 1e-9}, 6),
    ({"data": {"name": "moons"}, "optimizer": "sgd", "learning_rate": 1e-8, "layers": [{}] * 3}, 20),
    ({"data": {"name": "plane", "noise": 0.05}, "layers": [], "optimizer": "sgd", "learning_rate": 0.35,
      "batch": 400}, 25),
    ({"data": {"name": "spiral"}, "initializer": {"name": "random_normal", "stddev": 40}, "learning_rate": 1e-4,
      "layers": [{"activation": "tanh"}] * 2}, 12),
    ({"data": {"name": "blobs", "classes": 3, "rows": 40}, "layers": [{}], "l2": 0.5, "optimizer": "sgd"}, 12),
    ({"data": {"name": "text"}, "layers": [{"kind": "recurrent"}], "learning_rate": 2, "optimizer": "sgd"}, 12),
    ({"data": {"name": "sentences"}, "layers": [{"kind": "recurrent", "cell": "gru"}] * 2, "learning_rate": 1e-7}, 9),
    ({"data": {"name": "sentences"}, "layers": [*READ, {"kind": "average"}], "optimizer": "sgd"}, 30),
]  # fmt: skip
"""States in which something goes wrong, and for how many epochs they are trained."""
NUMBER = re.compile(r"(?<![\w^])\d+(?:\.\d+)?(?:e[+-]\d+)?")


def numbered(finding):
    """A finding as its text without numbers, and these: some of the trainings enlarge the last bit."""
    text = json.dumps(finding, sort_keys=True, ensure_ascii=False)
    return [NUMBER.sub("#", text), [float(number) for number in NUMBER.findall(text)]]


def test_findings(tmp_path, monkeypatch):
    monkeypatch.setattr(Checkup, "due", lambda checkup, steps: setattr(checkup, "taken", checkup.taken + 1) or True)
    monkeypatch.setattr("thalweg.play.training.checkup.AGAIN", 0)
    found = ran(tmp_path, [{"do": "doctor", "state": s, "epochs": n} for s, n in ILL], trains=True)
    named = set()
    for (given, epochs), theirs in zip(ILL, found, strict=True):
        course = Course(State.of(given), Uploads())
        with contextlib.suppress(DivergedError):
            for _ in range(epochs):
                course.run(course.bursts.steps_per_epoch)
        expected = course.findings()
        assert [f["rule"] for f in theirs] == [f["rule"] for f in expected], given
        for one, other in zip(expected, theirs, strict=True):
            named.add(one["rule"])
            if one["rule"] != "not finite":  # whose error says more in Python
                same(numbered(one), numbered(other), 2e-3)
    assert named == {name for name, rule in RULES.items() if not rule.thorough and "yardsticks" not in rule.needs}


def test_landscapes(tmp_path, monkeypatch):
    monkeypatch.setattr(ball, "SECONDS", 1e9)
    monkeypatch.setattr("thalweg.landscapes.planes.affordable", lambda terrain, size, seconds: size)
    many_rows, local_valley = (scenes.states_of(scenes.lessons()[name])[0] for name in ("many-rows", "local-valley"))
    small = {"data": {"name": "moons", "rows": 60}, "layers": [{"units": 3}], "optimizer": "sgd", "batch": 1000}
    looks = {"data": {"name": "sentences"}, "layers": [*READ, {"kind": "average"}], "optimizer": "sgd", "batch": 1000}
    asked = [(many_rows, 150), (local_valley, 0), (small, 0), (looks, 20)]  # after 150 epochs half of the path is left
    found = ran(tmp_path, [{"do": "landscape", "state": s, "steps": n} for s, n in asked], trains=True)
    for number, ((given, steps), answer) in enumerate(zip(asked, found, strict=True)):
        course = Course(State.of(given), Uploads())
        for _ in range(steps):
            course.run(1)
        state, network = course.state, course.network
        model = ball.copied(network.model)
        made = ball.valley(model, network.exercise.x, network.y, course.path, state.batch, state.shuffle)
        figure, theirs = decode(encode(made.figure)), found.document(number, "figure")
        turned = mirrored(figure, theirs)
        same(figure, turned, 1e-3 if given is small else 1e-5, "landscape")
        place = made.ball(network.model.vector, 0.0)
        assert np.abs(answer["ball"]) == pytest.approx(np.abs(place), abs=1e-4)


def mirrored(figure, other):
    """The other figure with its axes' signs, which are left open by the directions in which a way spreads most."""
    for axis, place in (("a", 0), ("b", 1)):
        if not np.allclose(figure[axis], other[axis], atol=1e-3 * np.ptp(figure[axis])):
            other[axis] = -other[axis][::-1]
            other["loss"] = np.flip(other["loss"], place)
            other["path"] = other["path"] * np.where(np.arange(2) == place, -1, 1).astype(np.float32)
    other["points"] = [p | {"a": abs(p["a"]), "b": abs(p["b"])} for p in other["points"]]
    return other


def test_a_session(tmp_path):
    """Messages are answered as the server does: refusals, steps, another state, a second side."""
    state = {"data": {"name": "xor", "rows": 40}, "layers": [{"units": 2}]}
    messages = [
        {"do": "state", "state": state, "serial": 1}, {"do": "step"}, {"do": "epoch", "side": 0}, {"do": "nonsense"},
        {"do": "state", "state": {"batch": 0}, "serial": 2}, {"do": "step", "serial": 3},
        {"do": "state", "side": 1, "state": state, "serial": 4}, {"do": "state", "side": 0, "state": None},
    ]  # fmt: skip
    (frames,) = ran(tmp_path, [{"do": "session", "messages": messages}], trains=True)
    hello, *told = frames
    assert {"version", "choices", "limits", "initial", "session", "lesson", "preset", "source"} == set(hello["hello"])
    assert [f["frame"] for f in told] == sorted({f["frame"] for f in told})
    errors = [f["error"]["en"] for f in told if f.get("error")]
    assert errors[0].startswith("unknown message 'nonsense'. Choose from: ack, draw,")
    assert errors[1] == "batch has to be a whole number from 1 to 1,000,000, got 0"
    assert errors[2] == errors[1], "a step isn't done while the state that is shown can't be"
    assert errors[3] == "only the second side can be taken away"
    steps = [f["iteration"] for f in told if f["side"] == 0 and "iteration" in f]
    assert sorted(set(steps)) == [0, 1, 2], "a step, which was the whole epoch of 28 rows, and another epoch"
    assert any(f["side"] == 1 and f.get("reset") for f in told)
