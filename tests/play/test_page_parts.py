"""The parts of the page's worker, each beside NumPy or thalweg's own."""

import inspect

import numpy as np
import pytest
from node_page import call, facts

from thalweg import activations, initializers, losses
from thalweg.play.choices import HALVED, SCHEDULES, USUAL, choices

SEEDS = (0, 1, 2, 7, 123456789, 2**31 - 1, 5 * 10**9)
INITIALIZERS = [name for name in initializers.NAMES if name != "identity"]
INITIALIZERS += [{"name": "variance_scaling", "mode": "fan_out", "distribution": "untruncated_normal", "scale": 3}]
INITIALIZERS += [{"name": "random_normal", "mean": 1, "stddev": 0.3}, {"name": "orthogonal", "gain": -2}]
SHAPES = [(one, shape) for one in INITIALIZERS for shape in ((2, 8), (5, 3), (3, 3, 2, 4))] + [("identity", (2, 3))]
CHANGED = [{"name": "cosine_decay", "warmup_target": 0.2, "warmup_steps": 100}]
CHANGED += [{"name": "polynomial_decay", "cycle": True}, {"name": "cosine_decay_restarts", "t_mul": 1.0}]
CHANGED += [{"name": name, "staircase": True} for name in ("exponential_decay", "inverse_time_decay")]
DRAW = np.random.default_rng(0)
IMAGES = [np.zeros((28, 28)), DRAW.random((8, 8)), np.pad(DRAW.random((11, 6)), ((3, 14), (20, 2)))]


@pytest.mark.parametrize("seed", SEEDS)
def test_random_numbers_are_numpys(seed):
    draw = np.random.default_rng(seed)
    expected = [draw.random(5), draw.normal(size=3000), draw.uniform(-3, 2, 5), draw.permutation(200)]
    expected += [draw.permutation(33), draw.normal(size=3)]
    for rows in (1797, 20_000):  # by two methods
        expected.append(np.sort(np.random.default_rng(seed).choice(rows, 512, replace=False)))
    for numbers, same in zip(call("numbers", seed=seed), expected, strict=True):  # bit for bit
        assert numbers.tolist() == same.tolist()


@pytest.mark.parametrize(("given", "shape"), SHAPES, ids=str)
def test_initial_weights(given, shape):
    name, arguments = (given, {}) if isinstance(given, str) else (given["name"], {**given})
    arguments.pop("name", None)
    same = initializers.NAMES[initializers.ALIASES.get(name, name)](**arguments)(shape, np.random.default_rng(3))
    found = call("weights", given=given, shape=shape, seed=3)
    assert np.allclose(found, same.ravel(), rtol=0, atol=0 if name != "orthogonal" else 1e-14)


@pytest.mark.parametrize("name", [a["name"] for a in choices()["activations"]])
def test_activations_and_their_slopes(name):
    h, step, function = np.array([-4.0, -1.3, -0.4, 0.2, 0.7, 1.9, 5.0]), 1e-6, activations.get(name)
    found = call("activation", name=name, h=h.tolist())
    assert np.allclose(found["a"], function(h), atol=1e-12)
    moved = (function(h + step) - function(h - step)) / (2 * step)
    expected = [None] * len(h) if function.rowwise else pytest.approx(moved, abs=1e-6)
    assert found["slopes"] == expected


@pytest.mark.parametrize("name", facts()["losses"])
def test_losses_and_their_slopes(name):
    p, y = [0.2, 0.7, 0.3], [0.0, 1.0, 0.0] if "categorical" in name else [0.1, 1.0, 0.5]
    y = [1.0] if facts()["losses"][name]["sparse"] else y
    loss = losses.SumSquaredError(half=True) if name in HALVED else losses.get(name)
    found = call("loss", name=name, y=y, p=p)
    assert found["value"] == pytest.approx(float(loss(np.array([y]), np.array([p]))), abs=1e-9)
    steps = 1e-6 * np.eye(3)
    moved = [loss(np.array([y]), p + step) - loss(np.array([y]), p - step) for step in steps[:, None]]
    assert np.allclose(found["slope"], np.array(moved) / 2e-6, atol=1e-5)


@pytest.mark.parametrize("given", [*choices()["schedules"], *CHANGED], ids=str)
def test_learning_rates(given):
    name, arguments = (given, {}) if isinstance(given, str) else (given["name"], {**given})
    arguments.pop("name", None)
    (first, *others), steps = inspect.signature(SCHEDULES[name]).parameters, [0, 1, 99, 500, 999, 1000, 2500]
    usual = {key: USUAL[key] for key in others if key in USUAL}
    rate = SCHEDULES[name](**{first: 0.1} | usual | arguments)
    found = call("rates", state={"learning_rate": 0.1, "schedule": given}, steps=steps)
    assert found == pytest.approx([rate(step) for step in steps], rel=1e-12)


@pytest.mark.parametrize("image", IMAGES, ids=["nothing", "small", "in a corner"])
def test_drawings_are_cut_centred_and_averaged(image):
    wanted = image
    if image.shape != (8, 8):
        drawn = np.argwhere(image > 0.1)
        if len(drawn):
            (top, left), (bottom, right) = drawn.min(axis=0), drawn.max(axis=0) + 1
            side = max(bottom - top, right - left)
            wanted = np.zeros((side, side))
            y, x = (side - (bottom - top)) // 2, (side - (right - left)) // 2
            wanted[y : y + bottom - top, x : x + right - left] = image[top:bottom, left:right]
        fine = np.kron(wanted, np.ones((8, 8)))
        blocks = fine.reshape(8, len(wanted), 8, len(wanted)).mean(axis=(1, 3))
        wanted = np.clip(blocks / max(blocks.max(), 1e-6), 0, 1)
    assert np.allclose(call("drawing", image=image.tolist()), wanted.ravel(), atol=1e-6)


def test_steps_are_due_as_time_passes():
    acts = [["steps", 10], ["pass", 0.25], ["steps", 10], ["done", 5, 0.001, 10], ["steps", 10], ["wait", 10]]
    first, second, _, third, wait = call("pace", epochs=2.0, acts=acts)
    assert (first, second, third) == (0, 5, 0)
    assert 0 < wait <= 1 / 20


def test_what_was_missed_is_not_made_up_for():
    acts = [["pass", 0.4], ["steps", 10], ["pass", 60], ["steps", 10], ["done", 1, 0.001, 10], ["pass", 0.1]]
    found = call("pace", epochs=2.0, acts=[*acts, ["steps", 10]])
    assert found == [8, 1, None, 2], "a short delay is made up for, a long one is not"
