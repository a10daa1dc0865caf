"""What a report says of unusual models: rows it was trained on, own layers and losses, several outputs, code."""

import numpy as np
import pytest
from sklearn import metrics

import thalweg
from thalweg import Sequential, layers, losses, ops, optimizers
from thalweg.models.inspection import steps_of
from thalweg.views.report import class_judgement, influence
from thalweg.views.report.document import report_document
from thalweg.views.report.of_model import subject_of
from thalweg.views.web.page import page_html

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 4)).astype(np.float32)
Y = X[:, :1] ** 2


class Stretch(layers.Layer):
    """A layer of one's own."""

    def build(self, shape):
        self.w = self.add_weight(shape=(shape[-1], 5), initializer="glorot_uniform", name="w")

    def call(self, x):
        return ops.tanh(ops.matmul(x, self.w))


class Halving(optimizers.schedules.LearningRateSchedule):
    """A schedule of one's own: it can't be saved."""

    def __call__(self, step):
        return 0.1 / (1 + step)


def chain(*middle, outputs=1, activation=None):
    return Sequential([layers.Input((4,)), *middle, layers.Dense(outputs, activation)], seed=0)


def fitted(model, y=Y, loss="mse", optimizer="adam", **more):
    model.compile(optimizer, loss)
    model.fit(X, y, epochs=2, verbose=0, lanes=1, **more)
    return model


def report(model, *data):
    made = report_document(subject_of(model, steps_of(model._weights.graph), *data))
    assert page_html(made).startswith("<!doctype html>")
    return {section["id"]: section for section in made["sections"]}


def titles(section):
    return [f["title"]["en"] for f in section["figures"]]


def said(section):
    return " ".join(text if isinstance(text, str) else text["en"] for text in section["text"])


def code(made):
    return next(f["text"] for f in made["reproduction"]["figures"] if f.get("language") == "python")


@pytest.mark.parametrize(("given", "name"), [((), "training rows"), ((X, Y), "given rows")])
def test_rows_are_called_what_they_are(given, name):
    made = report(fitted(chain(layers.Dense(4, "relu")), record=True), *given)
    assert f"Scores on {name}" in titles(made["overview"])
    assert f"Measured on {name}" in said(made["influence"])
    assert said(made["mistakes"]).startswith(name.capitalize())
    assert "held" not in str(made).replace("threshold", "")
    (table,) = made["mistakes"]["figures"]
    assert (table["columns"][0]["en"] == "row") == bool(given)  # a sample's numbers mean nothing


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(lambda: fitted(chain(layers.Lambda(lambda x: x * 2))), id="lambda"),
        pytest.param(lambda: fitted(chain(), optimizer=optimizers.Adam(Halving())), id="schedule"),
        pytest.param(lambda: fitted(chain(), loss=lambda t, p: ops.mean(ops.square(t - p))), id="loss"),
    ],
)
def test_what_has_no_description_has_a_report(model):
    made = report(model(), X, Y)
    assert {"judgement", "landscape", "program", "reproduction"} <= made.keys()


def test_own_layers_are_trained_again_from_other_weights():
    made = report(fitted(chain(Stretch()), record=True, validation_split=0.25))
    assert titles(made["landscape"]) == ["The path of descent", "Around the solution", "Local valleys"]
    assert "custom_objects={'Stretch': Stretch}" in code(made)


def test_solutions_that_are_equal_leave_the_other_planes():
    model = Sequential(
        [layers.Input((4,)), layers.Dense(8, "relu", kernel_initializer="zeros"), layers.Dense(1)], seed=0
    )
    for layer in model.layers:
        layer.kernel_initializer = layers.Dense(1, kernel_initializer="zeros").kernel_initializer
    made = report(fitted(model), X, Y)
    assert titles(made["landscape"]) == ["Around the solution"]
    assert "Local valleys: the three solutions lie on a line" in said(made["missing"])


def test_several_inputs_are_judged_and_have_a_landscape():
    a, b = layers.Input((2,)), layers.Input((2,))
    model = thalweg.Model([a, b], layers.Dense(1)(layers.Concatenate()([a, layers.Dense(3, "tanh")(b)])), seed=0)
    model.compile("adam", "mse")
    data = [X[:, :2], X[:, 2:]]
    model.fit(data, Y, epochs=2, verbose=0, lanes=1)
    made = report(model, data, Y)
    assert {"judgement", "mistakes", "landscape"} <= made.keys()
    assert titles(made["landscape"]) == ["Around the solution", "Local valleys"]


def test_what_is_neither_class_nor_number_is_said():
    made = report(fitted(chain(outputs=3, activation="sigmoid"), X[:, :3] > 0, "binary_crossentropy"), X, X[:, :3] > 0)
    assert "judgement" not in made
    assert "neither one class nor one number" in said(made["missing"])


def test_smoothed_labels_are_classes():
    y = (X[:, :1] > 0) * 0.8 + 0.1
    model = fitted(chain(activation="sigmoid"), y, "binary_crossentropy", record=True)
    model.diagnose()  # a linear model and a forest learn the classes, too
    subject = subject_of(model, steps_of(model._weights.graph), X, y)
    assert np.array_equal(subject.held.truth, X[:, 0] > 0)


@pytest.mark.parametrize(
    ("optimizer", "loss", "layer"),
    [
        (
            optimizers.SGD(0.1, momentum=0.9, nesterov=True),
            losses.BinaryCrossentropy(from_logits=True),
            layers.Dense(3),
        ),
        (
            optimizers.AdamW(optimizers.schedules.ExponentialDecay(0.01, 10, 0.9)),
            losses.Huber(0.5),
            layers.Dense(3, kernel_regularizer="l2"),
        ),
        (optimizers.Adam(0.01), "mse", layers.Residual([layers.Dense(4)])),
    ],
)
def test_the_code_makes_the_same_training(optimizer, loss, layer):
    y = (Y > 0.5).astype(np.float32)
    model = fitted(chain(layer), y, loss, optimizer, record=True, shuffle=False, validation_split=0.25)
    names = {"x": X[:90], "y": y[:90], "x_validation": X[90:], "y_validation": y[90:]}
    exec(code(report(model)), names)
    again = names["model"]
    assert optimizers.serialize(again.optimizer) == optimizers.serialize(model.optimizer)
    assert str(again.loss) == str(model.loss)
    assert np.allclose(again.predict(X, verbose=0), model.predict(X, verbose=0), atol=1e-5)


def test_of_two_classes_both_have_precision_and_recall():
    truth = (RNG.random(3000) < 0.01).astype(int)
    share = np.clip(0.3 * truth + RNG.random(3000) * 0.7, 0, 1)
    roc, recall = class_judgement.ranking(truth, np.stack([1 - share, share], axis=1), ("ok", "fraud"), [0, 1])
    rare = metrics.average_precision_score(truth, share)
    usual = metrics.average_precision_score(1 - truth, 1 - share)
    assert [s["name"] for s in recall["series"]] == [f"ok (AP {usual:.3f})", f"fraud (AP {rare:.3f})"]
    assert roc["series"][0]["name"] == f"fraud (AUC {metrics.roc_auc_score(truth, share):.3f})"
    false, true, _ = metrics.roc_curve(truth, share)  # thinned, no corner is lost
    x, y = roc["series"][0]["x"], roc["series"][0]["y"]
    assert set(zip(x, y, strict=True)) <= set(zip(false, true, strict=True))
    assert metrics.auc(x, y) == pytest.approx(metrics.auc(false, true), abs=1e-12)


def test_dependence_on_dates_is_in_their_order():
    days = np.array([None, *(f"2023-{month:02d}-{day:02d}" for month in range(1, 13) for day in range(1, 29))], object)
    cells = days[RNG.permutation(len(days))]
    labels, rows = influence.grid(cells, numeric=False)
    assert labels[:-1] == sorted(labels[:-1])
    assert (labels[0], labels[-2], labels[-1]["en"]) == ("2023-01-01", "2023-12-28", "missing")
    assert len(labels) == influence.VALUES + 1
    assert cells[rows[:-1]].tolist() == labels[:-1]
