"""What the page draws, against the model that it gives away: units, surfaces, landscapes; what its doctor says."""

import re
from contextlib import nullcontext

import numpy as np
import pytest
from node_page import Course, PageError

from thalweg.doctor.examination import RULES
from thalweg.models.functional import Functional
from thalweg.models.loading import load_model
from thalweg.play import planar, scenes

READ = [{"kind": "embedding"}, {"kind": "attention", "heads": 2, "units": 3}]
STATES = {
    "the default": {},
    "three classes": {"data": {"name": "blobs", "classes": 3}, "layers": [{"activation": "gelu"}, {}], "l2": 0.01},
    "a line": {"data": {"name": "line"}, "loss": "huber", "inputs": ["x0", "sin x0", "x0²"]},
    "more inputs": {"data": {"name": "hills"}, "inputs": ["x0·x1", "sin x1", "x0"], "layers": [{"units": 3}]},
    "rows of one's own": {
        "data": {"name": "given", "x": [[1, 20], [3, -4], [0.5, 11], [2, 7]], "y": [1, 2, 0, 1], "share": 0.25},
        "layers": [{"units": 5}],
    },
    "a formula": {"data": {"name": "plane"}, "layers": [{"activation": "x / (1 + abs(x))"}]},
    "digits": {
        "data": {"name": "digits", "rows": 200},
        "layers": [{"kind": "conv2d", "activation": "tanh"}, {"kind": "batch_norm"}, {"kind": "max_pool"}, {}],
    },
    "edges": {
        "data": {"name": "edges", "rows": 60},
        "layers": [{"kind": "conv2d", "filters": 1, "padding": "valid"}],
        "output": None,
    },
    "a text": {"data": {"name": "text"}, "layers": [*READ, {"kind": "recurrent", "cell": "gru"}]},
}


def model_of(course, folder):
    """The model that the page gives away."""
    path = folder / "model.safetensors"
    path.write_bytes(course.exported("model"))
    return load_model(path)


def grid(ranges, side):
    """Points in rows of equal x1, the lowest first; on a line one after the other."""
    axes = [np.linspace(low, high, side) for low, high in ranges]
    return np.stack([axis.ravel() for axis in np.meshgrid(*axes)], axis=1)


@pytest.mark.parametrize("name", STATES)
def test_pictures_are_those_of_the_model(name, tmp_path):
    course = Course(STATES[name])
    course.run(2 * course.steps_per_epoch)
    model, rows, facts = model_of(course, tmp_path), course.rows(), course.do("facts")
    frame = course.do("frame", wanted=["surface", "units", "weights"])
    kernels = [layer.get_weights() for layer in model.layers if type(layer).__name__ in ("Dense", "Conv2D")]
    assert [w.shape for w in frame["weights"]] == [kernel[0].shape for kernel in kernels]
    assert all(np.allclose(w, kernel[0], rtol=1e-6) for w, kernel in zip(frame["weights"], kernels, strict=True))
    assert facts["parameters"] == model.count_params()
    shown = [type(layer).__name__ for layer in model.layers if type(layer).__name__ != "InputLayer"]
    assert [layer["kind"] for layer in facts["layers"]] == shown
    each = Functional(model.inputs, [layer.output for layer in model.layers if type(layer).__name__ != "InputLayer"])
    names, ranges = facts["inputs"], rows.ranges

    def inputs(points):
        return points.astype(np.float32) if "own" in name else planar.expanded(points, names)

    x = rows.x[:1].reshape(1, *facts["shape"]) if ranges is None else inputs(grid(ranges, 24))
    outputs = each.predict(x, verbose=0)
    assert frame["units"] or name == "a text"
    for units in frame["units"]:
        wanted = outputs[units["layer"]]
        wanted = np.moveaxis(wanted[0], -1, 0) if ranges is None else wanted.T
        assert np.allclose(units["maps"].reshape(wanted.shape), wanted, rtol=2e-3, atol=2e-3)
    if ranges is not None and len(ranges) == 2:
        wanted = model.predict(inputs(grid(ranges, 48)), verbose=0)
        assert np.allclose(frame["surface"]["values"].reshape(wanted.shape), wanted, rtol=1e-4, atol=1e-5)
        assert np.allclose(frame["surface"]["points"].ravel(), rows.points, atol=1e-6)
    elif ranges is not None:
        x = grid(ranges, 121)
        assert np.allclose(frame["line"]["x"], x.ravel(), atol=1e-6)
        assert np.allclose(frame["line"]["y_pred"], model.predict(inputs(x), verbose=0), rtol=1e-4, atol=1e-5)


SGD = {"optimizer": "sgd", "batch": 1000}
LANDSCAPES = {
    "a way": (scenes.lessons()["many-rows"]["state"], 150),  # after which half of the way is remembered
    "one weight": (scenes.lessons()["local-valley"]["state"], 0),
    "at the beginning": ({"data": {"name": "moons", "rows": 60}, "layers": [{"units": 3}], **SGD}, 0),
    "attention": ({"data": {"name": "sentences"}, "layers": [*READ, {"kind": "average"}], **SGD}, 20),
}


@pytest.mark.parametrize("name", LANDSCAPES)
def test_a_landscape_has_the_losses_of_the_models_on_its_plane(name, tmp_path):
    state, steps = LANDSCAPES[name]
    course = Course(state)
    for _ in range(steps):
        course.run(1)
    model, found, rows = model_of(course, tmp_path), course.do("landscape"), course.rows()
    figure, axes = found["figure"], np.linalg.pinv(np.stack(found["onto"]))
    x, y = rows.x.reshape(-1, *course.do("facts")["shape"]).astype(np.float32), rows.y.reshape(len(rows.x), -1)

    def loss(a, b):
        vector = found["origin"] + axes @ [a, b]
        arrays = [vector[at : at + np.prod(shape)].reshape(shape) for at, shape in found["places"]]
        model.set_weights([array.astype(np.float32) for array in arrays])
        return float(np.ravel(model.evaluate(x, y, verbose=0))[0])

    for i, j in ((0, 0), (3, -1), (len(figure["a"]) // 2, len(figure["b"]) // 2), (-1, 0)):
        assert figure["loss"][i, j] == pytest.approx(loss(figure["a"][i], figure["b"][j]), rel=2e-3, abs=1e-5)
    a, b, _ = found["ball"]
    assert loss(a, b) == pytest.approx(course.loss_now, rel=2e-3, abs=1e-6)
    assert figure["a"][0] <= a <= figure["a"][-1]
    assert np.allclose(figure["path"][-1], [a, b], atol=1e-3 * np.ptp(figure["a"]))
    if name == "a way":
        assert 1 < len(figure["path"]) <= 64


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
SAID = [
    {"answers the majority": [100, 1, 53, 0.7236, 0.6917], "learning rate too high": [10, 1, 10, 3, 0.7236, 0.6917],
     "dead units": [100, 0, 0.7236, 0.6917]},
    {"answers the majority": [100, 0, 55, 0.6881, 0.6874], "symmetry": [100, 0.6881, 0.6874]},
    {"answers the majority": [100, 1, 53, 0.6951, 0.6917], "stalled": [12, 0.03, 0.6951, 0.6917]},
    {"not finite": [1, 4], "learning rate too high": [10, 5, 10, 3]},
    {},
    {"too few rows": [6]},
    {"stalled": [12, 0.27, 0.6972, 0.6917]},
    {"overfitting": [0.4606, 11, 2.235, 0.05144], "too few rows": [30, 2, 30, 2.235, 0.6909]},
    {"oscillation": [20, 8, 58, 0.2847, 0.2118], "dead units": [100, 0, 0.3078, 0.2522]},
    {"answers the majority": [100, 0, 54, 0.6961, 0.6901], "vanishing gradients": [8e-07, 0.6961, 0.6901]},
    {"not finite": [2, 2], "learning rate too high": [10, 9, 10, 3]},
    {"bad start": [467500.0, 4.139, 6, 6], "exploding gradients": [1970000.0, 422800.0, 4.139],
     "unscaled inputs": [0, 1690.0, 1, 422800.0, 4.139]},
    {"loss that doesn't fit": [0, 1, 44, 0.1777, 0.197]},
    {"loss that doesn't fit": [6.008, 0.6901], "answers the majority": [100, 0, 54, 6.008, 0.6901],
     "bad start": [6.733, 0.6901, 9, 9], "learning rate too low": [10, 5.8, 10, 3, 6.008, 0.6901]},
    {"bad start": [5447000.0, 0.6901, 6, 6], "exploding gradients": [173000.0, 3938000.0, 0.6901],
     "learning rate too low": [10, 4.6, 10, 3, 3938000.0, 0.6901]},
    {"learning rate too low": [10, 9.7, 10, 3, 0.739, 0.6901]},
    {"diverging": [3783000.0, 4.145, 1, 0.169], "bad start": [4.145, 0.169, 25, 25],
     "learning rate too high": [10, 4, 10, 3, 3783000.0, 0.169]},
    {"bad start": [61.39, 0.6901, 12, 12], "saturated units": [93, 5, 46.2, 0.6901]},
    {"answers the majority": [100, 2, 36, 1.238, 1.097], "too few rows": [28, 3, 12, 8]},
    {"too few rows": [358, 23]},
    {"learning rate too low": [10, 6.8, 10, 3, 0.693, 0.6916]},
    {"answers the majority": [100, 1, 53, 0.692, 0.6916], "stalled": [6, 0.01, 0.692, 0.6916]},
]  # fmt: skip
"""What is said of them: each rule, and the numbers of its sentence and its evidence."""
NUMBER = re.compile(r"(?<![\w^])\d+(?:\.\d+)?(?:e[+-]\d+)?")


@pytest.mark.parametrize(("given", "said"), list(zip(ILL, SAID, strict=True)), ids=range(len(ILL)))
def test_what_the_doctor_says(given, said):
    state, epochs = given
    course = Course(state, again=True)
    with pytest.raises(PageError) if "not finite" in said else nullcontext():
        for _ in range(epochs):
            course.run(course.steps_per_epoch)
    found = {one["rule"]: one for one in course.do("findings")}
    assert list(found) == list(said)
    for rule, numbers in said.items():
        english = f"{found[rule]['sentence']['en']} {found[rule]['evidence']['en']}"
        for mine, wanted in zip(NUMBER.findall(english), numbers, strict=True):  # some trainings enlarge the last bit
            assert float(mine) == pytest.approx(wanted, abs=1 if isinstance(wanted, int) else 0.02 * wanted), rule
        assert all(found[rule][part]["zh"] for part in ("title", "sentence", "evidence", "remedy"))


def test_every_rule_of_the_page_is_tried():
    named = {rule for said in SAID for rule in said}
    assert named == {name for name, rule in RULES.items() if not rule.thorough and "yardsticks" not in rule.needs}
