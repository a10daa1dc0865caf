"""The page without a server: what its JavaScript makes of a state is what Python makes of it."""

import numpy as np
import pytest
from twins import NODE, described, ran

from thalweg import activations, initializers, losses, words
from thalweg.play.choices import choices
from thalweg.play.exercises.uploads import Uploads
from thalweg.play.requests.page_state import DATA, INPUTS, State
from thalweg.play.training import knobs
from thalweg.play.training.journey import posed
from thalweg.play.training.responses import shrunk

pytestmark = pytest.mark.skipif(NODE is None, reason="needs node")
SEEDS = (0, 1, 2, 7, 123456789, 2**31 - 1, 5 * 10**9)
KINDS = ["blobs", "moons", "circles", "spiral", "xor", "plane", "hills", "line", "digits", "edges", "given",
         "text", "sentences"]  # fmt: skip

TEXTS_OF_ANY_LANGUAGE = [
    "床前明月光 疑是地上霜",
    "a 𝔟\uffeec d𝔟 a",
    "It is what it is, is it?",
]  # two are sorted by code points


def states():
    """Random states of every kind of data that a page makes by itself."""
    draw = np.random.default_rng(3)
    for number, name in enumerate(KINDS * 4):
        data = {"name": name, "seed": int(draw.integers(2**31)), "share": float(draw.choice([0, 0.1, 0.25, 0.5, 0.8]))}
        if "noise" in DATA[name]:
            data |= {"noise": float(2 * draw.random()), "rows": int(draw.integers(2, 900))}
        if "classes" in DATA[name]:
            data["classes"] = int(draw.integers(2, 7))
        if name == "digits":
            data |= {
                "rows": int(draw.integers(200, 700)),
                "digits": sorted(set(draw.integers(0, 10, 4).tolist()) | {3}),
            }
        if name == "edges":
            data |= {"kernel": "horizontal" if number % 2 else [[1, 2], [-0.5, 0.25]], "rows": 20}
        if name == "text":
            data |= {"text": draw.choice(TEXTS_OF_ANY_LANGUAGE), "window": int(draw.integers(1, 9))}
            del data["seed"]
        if name == "given":
            data |= {"x": draw.normal(size=(30, 2)).tolist(), "y": draw.integers(0, 2, 30).tolist(), "task": "classes"}
        without = name == "edges" and number < len(KINDS)
        yield {"data": data, "inputs": draw.permutation(INPUTS)[:3].tolist(), "output": None if without else {}}


def test_random_numbers_are_numpys(tmp_path):
    for seed, found in zip(SEEDS, ran(tmp_path, [{"do": "numbers", "seed": seed} for seed in SEEDS]), strict=True):
        draw = np.random.default_rng(seed)
        expected = [draw.random(5), draw.normal(size=3000), draw.uniform(-3, 2, 5), draw.permutation(200)]
        expected += [draw.permutation(33), draw.normal(size=3)]
        for rows in (1797, 20_000):  # by two methods
            expected.append(np.sort(np.random.default_rng(seed).choice(rows, 512, replace=False)))
        for numbers, same in zip(found, expected, strict=True):  # bit for bit
            assert numbers == same.tolist()


def test_exercises_are_those_of_python(tmp_path):
    asked = list(states())
    for given, found in zip(asked, ran(tmp_path, [{"do": "exercise", "state": s} for s in asked]), strict=True):
        state = State.of(given)
        exercise = posed(state, Uploads())
        assert found["state"] == state.to_json()
        for key in ("task", "inputs", "targets", "classes", "held", "vocabulary"):
            assert found.get(key) == getattr(exercise, key), key
        assert found["shape"] == list(exercise.x.shape[1:])
        pairs = [("x", exercise.x), ("y", exercise.y), ("heldX", exercise.held_x), ("heldY", exercise.held_y)]
        for key, array in pairs:  # as float32; a sine's last bit may differ before
            assert np.array_equal(np.asarray(found[key], np.float32), array.astype(np.float32).ravel()), (given, key)
        if exercise.sight is not None:
            assert np.allclose(found["points"], exercise.sight.points.ravel(), rtol=0, atol=1e-12)
            assert np.allclose(found["ranges"], exercise.sight.ranges, rtol=0, atol=1e-12)


def test_wrong_states_are_refused_in_the_same_words(tmp_path):
    wrong = [
        {"batch": 0}, {"batch": 1.5}, {"learning_rate": "fast"}, {"data": {"name": "spiral", "rows": 10**6}},
        {"layers": [{}] * 13}, {"loss": ""}, {"output": 3}, {"data": {"name": "given", "x": [[1, 2], [3]]}},
        {"data": {"name": "given", "x": [[1]], "y": [0, 1]}}, {"shuffle": 1}, {"optimizer": {"lr": 1}},
        {"data": {"name": "digits", "digits": [1]}}, {"data": {"name": "given", "x": [[[[[[1]]]]]]}},
        {"data": {"name": "given", "y": [1, 2], "task": "classes"}}, {"inputs": "x0"},
        {"data": {"name": "text", "text": " "}}, {"data": {"name": "text", "text": "x" * 5000}},
        {"data": {"name": "text", "text": "abcabc", "window": 6}}, {"data": {"name": "text", "text": "aabbaabbabab"}},
    ]  # fmt: skip
    for given, found in zip(wrong, ran(tmp_path, [{"do": "exercise", "state": s} for s in wrong]), strict=True):
        with pytest.raises(ValueError, match=r".") as caught:
            posed(State.of(given), Uploads())
        said = words.Said.of(caught.value)
        assert found["refused"] == said.text, given


def test_initial_weights_are_those_of_python(tmp_path):
    given = [name for name in initializers.NAMES if name != "identity"]
    given += [{"name": "variance_scaling", "mode": "fan_out", "distribution": "untruncated_normal", "scale": 3}]
    given += [{"name": "random_normal", "mean": 1, "stddev": 0.3}, {"name": "orthogonal", "gain": -2}]
    asked = [(g, shape, n) for n, g in enumerate(given) for shape in ((2, 8), (5, 3), (3, 3, 2, 4))]
    asked += [("identity", (2, 3), 0)]
    work = [{"do": "weights", "given": g, "shape": shape, "seed": seed} for g, shape, seed in asked]
    for (one, shape, seed), found in zip(asked, ran(tmp_path, work), strict=True):
        same = knobs.initializer(one)(shape, np.random.default_rng(seed)).ravel()
        assert np.allclose(found, same, rtol=0, atol=0 if "orthogonal" not in str(one) else 1e-14), one


def test_activations_and_their_slopes(tmp_path):
    names = [a["name"] for a in choices()["activations"]]
    h, step = np.array([-4.0, -1.3, -0.4, 0.2, 0.7, 1.9, 5.0]), 1e-6
    work = [{"do": "activation", "name": name, "h": h.tolist()} for name in names]
    for name, found in zip(names, ran(tmp_path, work), strict=True):
        function = activations.get(name)
        assert np.allclose(found["a"], function(h), atol=1e-12), name
        moved = (function(h + step) - function(h - step)) / (2 * step)
        assert (
            found["slopes"] == [None] * len(h) if function.rowwise else np.allclose(found["slopes"], moved, atol=1e-6)
        )


def test_losses_and_their_slopes(tmp_path):
    p, numbers, one_hot = [0.2, 0.7, 0.3], [0.1, 1.0, 0.5], [0.0, 1.0, 0.0]
    names = list(described()["site"]["losses"])
    sparse = {name: described()["site"]["losses"][name]["sparse"] for name in names}
    rows = [[1.0] if sparse[n] else one_hot if "categorical" in n else numbers for n in names]
    work = [{"do": "loss", "name": name, "y": y, "p": p} for name, y in zip(names, rows, strict=True)]
    for name, y, found in zip(names, rows, ran(tmp_path, work), strict=True):
        loss = losses.SumSquaredError(half=True) if name in knobs.HALVED else losses.get(name)
        assert found["value"] == pytest.approx(float(loss(np.array([y]), np.array([p]))), abs=1e-9), name
        steps = 1e-6 * np.eye(3)
        moved = [loss(np.array([y]), p + step) - loss(np.array([y]), p - step) for step in steps[:, None]]
        assert np.allclose(found["slope"], np.array(moved) / 2e-6, atol=1e-5), name


def test_learning_rates(tmp_path):
    schedules = [*choices()["schedules"], {"name": "cosine_decay", "warmup_target": 0.2, "warmup_steps": 100}]
    schedules += [{"name": "polynomial_decay", "cycle": True}, {"name": "cosine_decay_restarts", "t_mul": 1.0}]
    schedules += [{"name": name, "staircase": True} for name in ("exponential_decay", "inverse_time_decay")]
    steps = [0, 1, 99, 500, 999, 1000, 2500]
    work = [{"do": "rates", "state": {"learning_rate": 0.1, "schedule": s}, "steps": steps} for s in schedules]
    for schedule, found in zip(schedules, ran(tmp_path, work), strict=True):
        rate = knobs.rate(State.of({"learning_rate": 0.1, "schedule": schedule}))
        assert found == pytest.approx([rate(step) for step in steps], rel=1e-12), schedule


def test_drawings_are_shrunk_alike(tmp_path):
    draw = np.random.default_rng(0)
    images = [np.zeros((28, 28)), draw.random((8, 8)), np.pad(draw.random((11, 6)), ((3, 14), (20, 2)))]
    for image, found in zip(
        images, ran(tmp_path, [{"do": "drawing", "image": i.tolist()} for i in images]), strict=True
    ):
        assert np.allclose(found, shrunk(image).ravel(), atol=1e-6)
