"""A lesson's lines of NumPy, executed: each has to give the number that stands beside it."""

import copy
import math
import re

import numpy as np
import pytest
from node_page import Course

import thalweg
from thalweg.play.scenes import lessons

LESSONS = lessons()


def sigmoid(h):
    return 1 / (1 + np.exp(-h))


FUNCTIONS = {
    "sigmoid": sigmoid,
    "sigmoid_prime": lambda h: sigmoid(h) * (1 - sigmoid(h)),
    "relu": lambda h: np.maximum(h, 0),
    "tanh": np.tanh,
    "tanh_prime": lambda h: 1 / np.cosh(h) ** 2,
    "gelu": lambda h: h / 2 * (1 + math.erf(h / math.sqrt(2))),
    "gelu_prime": lambda h: (1 + math.erf(h / math.sqrt(2))) / 2 + h * math.exp(-h * h / 2) / math.sqrt(2 * math.pi),
    "sin": np.sin,
    "cos": np.cos,
    "exp": np.exp,
    "loss_prime": lambda y, y_predict: np.tanh(y_predict - y),  # of log-cosh
}
ELSEWHERE = {"six-steps", "convolution", "next-letter", "attention"}
"""Executed below: their lines aren't those of a unit's arithmetic."""
CHANGES = {  # what a learner changes on the way, and must see in the code
    "unit": [{}, {"weights": [[1.2]]}, {"activation": "tanh"}],
    "mountain": [{}, {"weights": [[0.9]]}, {"loss": "mean_squared_error"}],
    "one-row": [{}, {"learning_rate": 0.1}, {"loss": "mean_squared_error"}, {"loss": "log_cosh"}],
    "many-rows": [{}, {"loss": "binary_crossentropy"}],
    "several-outputs": [{}, {"loss": "mean_squared_error"}, {"loss": "binary_crossentropy"}],
    "local-valley": [{}, {"weights": [[1.2]]}, {"activation": "x * exp(-x**2)"}],
    "activation": [{}, *({"activation": name} for name in ("tanh", "gelu", "sigmoid", "x * exp(-x**2)"))],
    "loss": [{}, {"loss": "binary_crossentropy"}, {"loss": "mean_squared_error"}],
    "learning-rate": [{}, {"learning_rate": 0.3}],
    "edges": [{}, {"loss": "sum_squared_error"}],
    "pooling": [{}, {"filters": 3}],
}
CASES = [(name, change) for name, changes in CHANGES.items() for change in changes]


def course_of(name, change):
    state = LESSONS[name]["state"]
    if ("activation" in change and state["layers"]) or "filters" in change:
        state = state | {"layers": [{**state["layers"][0], **change}, *state["layers"][1:]]}
    elif "activation" in change or "weights" in change:
        state = state | {"output": state["output"] | change}
    else:
        state = state | change
    return Course(state)


def chosen(course, unit=0):
    """A unit's numbers for the last row, at which the loops of the lessons end."""
    return course.arithmetic(0, unit, len(course.rows().x) - 1)


def slopes(course, found):
    """What the page itself makes of the sums over all rows."""
    rows = len(course.rows().x)
    return {f"slope_{name}": -found[f"del_{name}"] / rows for name in ("w", "b") if f"del_{name}" in found}


def written(line, found, state):
    """A line as the page writes it."""
    return re.sub(r"\{(\w+)\}", lambda m: str(found["code"].get(m[1], state.get(m[1], ""))), line)


def givens(course, found, unit):
    """What the lines start from."""
    exercise, arrays = course.rows(), course.do("arrays")
    kernel, features, row = arrays[0].astype(float), exercise.x, found["row"]
    given = FUNCTIONS | {"np": np, "learn_rate": found["learning_rate"], "k": unit, "epochs": 1}
    if kernel.ndim == 4:
        layers = course.do("facts")["layers"]
        shape = tuple(layers[0]["shape"][:2])
        y = exercise.y.reshape(len(features), *shape)[row] if len(layers) == 1 else None
        maps = {name: np.zeros(shape) for name in ("h", "y_predict", "error", "error_term")}
        i, j = found["place"]
        return given | maps | {
            "x": features[row].reshape(8, 8), "kernel": kernel[..., 0, unit], "b": found["b"], "y": y, "i": i, "j": j
        }  # fmt: skip
    given |= {"x": features[row], "w": kernel[:, unit].copy(), "b": found["b"], "W": kernel.copy()}
    targets = np.asarray(exercise.y, float).reshape(len(features), -1)
    given |= {"features": features, "targets": targets if targets.shape[1] > 1 else targets[:, 0], "y": found["y"]}
    given |= {f"x{n}": value for n, value in enumerate(features[row], start=1)}
    if "next" in found:
        following = 2 if found["b"] is not None else 1
        given |= {"W_next": arrays[following].astype(float), "error_term_next": found["next"]["error_term"]}
    return given


@pytest.mark.parametrize("steps", [0, 40])
@pytest.mark.parametrize(("name", "change"), CASES, ids=[f"{n} {', '.join(map(str, c.values()))}" for n, c in CASES])
def test_the_lines_give_the_numbers_beside_them(name, change, steps):
    course = course_of(name, change)
    course.run(steps)
    for unit in range(2 if name == "several-outputs" else 1):
        found = chosen(course, unit)
        found |= slopes(course, found)
        lines = [(written(one["line"], found, course.state), one.get("show")) for one in LESSONS[name]["code"]]
        given = givens(course, found, unit)
        if name == "learning-rate":  # its lines begin in the middle
            exec("h = np.dot(x, w) + b\nerror = np.dot(W_next[k], error_term_next)", given)
        exec("\n".join(line for line, _ in lines), given)
        compared = 0
        for line, show in lines:
            if show is None or show == "epoch":
                continue
            loop = re.match(r" *for (\w+), ", line)
            target = loop or re.match(r" *(\w+(?:\[.*?\])?) [+-]?= ", line)
            value = given[loop[1]] if loop else eval(target[1] if target else line.strip(), given)
            assert found[show] is not None, line
            np.testing.assert_allclose(
                np.ravel(value), np.ravel(found[show]), rtol=2e-4, atol=2e-6, err_msg=f"{line}  # {show}"
            )
            compared += 1
        assert compared >= 2


def test_every_lesson_is_executed():
    assert CHANGES.keys() | ELSEWHERE == LESSONS.keys()


def softmax(h):
    powers = np.exp(h - h.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def executed(name, course, given, state):
    """The values of a lesson's lines, and what the page shows beside them."""
    reading = course.do("reading", said="", row=3, iteration=course.iteration)
    lines = LESSONS[name]["code"]
    for one in lines:
        for layer, units in enumerate(state["layers"]):
            one["line"] = one["line"].replace(f"{{layers.{layer}.units}}", str(units.get("units")))
    exec("\n".join(one["line"] for one in lines), given)
    for one in lines:
        if "show" in one:
            target = re.match(r" *(\w+) = ", one["line"])
            yield given[target[1]] if target else eval(one["line"], given), reading[one["show"].partition(".")[2]]


def test_the_next_letters_lines_give_the_numbers_beside_them():
    course = course_of("next-letter", {})
    course.run(60)
    exercise, arrays = course.rows(), course.do("arrays")
    names = dict(zip("EWRbVc", (a.astype(float) for a in arrays), strict=True))
    given = {
        "np": np,
        "softmax": softmax,
        "letters": exercise.x[3].astype(int),
        "alphabet": exercise.vocabulary,
    } | names
    pairs = list(executed("next-letter", course, given, LESSONS["next-letter"]["state"]))
    assert len(pairs) == 3
    for value, shown in pairs[:2]:
        np.testing.assert_allclose(value, shown, rtol=1e-4, atol=1e-6)
    assert pairs[2][0] == pairs[2][1]


def test_the_lines_of_attention_give_the_numbers_beside_them():
    state = copy.deepcopy(LESSONS["attention"]["state"])
    state["layers"].insert(1, {"kind": "attention", "heads": 1, "units": 8})
    course = Course(state)
    course.run(60)
    exercise, arrays = course.rows(), [a.astype(float) for a in course.do("arrays")]
    E, Wq, bq, Wk, bk, Wv, bv, Wo, bo, w, b = (
        a.reshape(a.shape[0], -1) if a.ndim == 3 and n < 7 else a.reshape(-1, a.shape[-1]) if a.ndim == 3 else a.ravel()
        if a.ndim == 2 and n in (2, 4, 6) else a for n, a in enumerate(arrays)
    )  # fmt: skip
    given = {"np": np, "softmax": softmax, "sigmoid": FUNCTIONS["sigmoid"], "words": exercise.x[3].astype(int)}
    given |= {"E": E, "Wq": Wq, "bq": bq, "Wk": Wk, "bk": bk, "Wv": Wv, "bv": bv, "Wo": Wo, "bo": bo, "w": w, "b": b}
    pairs = list(executed("attention", course, given, state))
    assert len(pairs) == 2
    for value, shown in pairs:
        np.testing.assert_allclose(np.ravel(value), np.ravel(shown), rtol=1e-4, atol=1e-6)


def test_the_slopes_are_those_of_the_mountain():
    """The losses a little to either side say the same."""
    course = course_of("mountain", {})
    found = slopes(course, chosen(course))
    for name, nudge in (("w", [1e-2, 0]), ("b", [0, 1e-2])):
        losses = []
        for by in (nudge, [-2 * n for n in nudge]):
            course.do("shift", by=by)
            losses.append(course.loss_now)
        course.do("shift", by=nudge)
        assert found[f"slope_{name}"] == pytest.approx((losses[0] - losses[1]) / 2e-2, rel=2e-2)


def test_the_six_steps_make_the_network_of_the_page():
    course = course_of("six-steps", {})
    epochs, exercise, state = 3, course.rows(), course.state
    course.run(epochs * course.steps_per_epoch)
    names = {"epoch": epochs, "layers.0.units": 1, "layers.0.activation": "tanh"}
    lines = [
        re.sub(r"\{([\w.]+)\}", lambda m: str(names.get(m[1], state.get(m[1], ""))), one["line"])
        for one in LESSONS["six-steps"]["code"]
    ]
    assert state["optimizer"] == "adam"
    assert course.do("facts")["loss"] == "binary_crossentropy"
    data = (exercise.x, exercise.y), (exercise.heldX, exercise.heldY)
    given = {"load_data": lambda: data}
    exec("\n".join(lines), given)
    assert given["keras"] is thalweg
    for ours, theirs in zip(given["model"].get_weights(), course.do("arrays"), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    assert given["accuracy"] == pytest.approx(course.val_metric)
    assert given["y_predict"].shape == (len(exercise.heldX), 1)


def test_the_weights_beside_the_last_line_are_those_after_the_step():
    for name, shown in (
        ("one-row", "w_after"),
        ("many-rows", "w_new"),
        ("several-outputs", "w_new"),
        ("local-valley", "w_new"),
    ):
        course = course_of(name, {})
        for _ in range(3):
            wanted = chosen(course)
            course.run(1)
            after = course.do("arrays")
            np.testing.assert_allclose(after[0][:, 0], wanted[shown], rtol=1e-5)
            if wanted["b"] is not None:
                np.testing.assert_allclose(after[1], [wanted["b_new"]], rtol=1e-5)


@pytest.mark.parametrize(
    "change",
    [{"batch": 2}, {"optimizer": "adam"}, {"l2": 0.1}, {"dropout": 0.5}],
    ids=lambda change: next(iter(change)),
)
def test_no_step_of_all_rows_is_shown_where_none_is_made(change):
    course = course_of("many-rows", change)
    assert not {"del_w", "w_new"} & set(chosen(course))
