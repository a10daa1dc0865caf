"""What reports are made of: each figure's numbers against scikit-learn's or counted by hand, times, sizes, gaps."""

import json
import re
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn import metrics
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.inspection import partial_dependence, permutation_importance

from thalweg import Sequential, layers
from thalweg.errors import ArgumentError, DivergedError
from thalweg.models.inspection import steps_of
from thalweg.optimizers import SGD
from thalweg.recordings import Recording
from thalweg.views.report import class_judgement, influence, number_judgement
from thalweg.views.report.document import MOST_BYTES, report_document, size_of, within
from thalweg.views.report.of_model import subject_of
from thalweg.views.report.overview import score_table
from thalweg.views.report.picture_insides import picture_insides
from thalweg.views.report.several import comparison_document
from thalweg.views.report.subject import Clock, ColumnInputs, Held, Network, PictureInputs, Score, Subject, thinned
from thalweg.views.report.training_curves import learning_rates
from thalweg.views.report.worst_rows import worst_of
from thalweg.views.web.page import page_html

RNG = np.random.default_rng(3)
TRUTH = RNG.integers(0, 3, 400)
LOGITS = RNG.normal(size=(400, 3)) + 1.5 * np.eye(3)[TRUTH]
SHARES = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)
NAMES = ("ant", "bee", "cat")


def held(truth, predicted, of=None):
    return Held(rows=np.arange(1, len(truth) + 1), truth=truth, predicted=predicted, of=of or len(truth))


def of_kind(section, kind):
    return [figure for figure in section["figures"] if figure["kind"] == kind]


def english(text):
    return text if isinstance(text, str) else text["en"]


def texts(value):
    """Every text of a document in two languages."""
    if isinstance(value, dict):
        if value.keys() == {"en", "zh"}:
            yield value
        else:
            for part in value.values():
                yield from texts(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from texts(part)


# --- judgements ------------------------------------------------------------------------------------------------------


def classes_section(truth=TRUTH, shares=SHARES, names=NAMES, of=None):
    task = "binary" if len(names) == 2 else "multiclass"
    return class_judgement.class_judgement(Subject(name="s", task=task, classes=names, held=held(truth, shares, of)))


def test_the_confusion_matrix_is_scikit_learns():
    (matrix,) = of_kind(classes_section(), "matrix")
    assert np.array_equal(matrix["values"], metrics.confusion_matrix(TRUTH, SHARES.argmax(axis=1)))
    assert list(matrix["rows"]) == list(NAMES)


def test_roc_and_precision_recall_are_scikit_learns():
    roc, recall = of_kind(classes_section(), "curves")[:2]
    for k, name in enumerate(NAMES):
        area = metrics.roc_auc_score(k == TRUTH, SHARES[:, k])
        average = metrics.average_precision_score(k == TRUTH, SHARES[:, k])
        assert roc["series"][k]["name"] == f"{name} (AUC {area:.3f})"
        assert recall["series"][k]["name"] == f"{name} (AP {average:.3f})"
        assert np.interp(0.5, roc["series"][k]["x"], roc["series"][k]["y"]) > 0.5
    assert [english(series["name"]) for series in roc["series"]][-1] == "guessing"


def test_curves_say_of_which_classes_they_are():
    assert all("note" not in figure for figure in of_kind(classes_section(), "curves")[:2])
    truth = np.repeat(np.arange(10), np.arange(10, 20))
    shares = np.full((len(truth), 10), 0.1)
    for figure in of_kind(classes_section(truth, shares, [f"k{k}" for k in range(10)]), "curves")[:2]:
        assert english(figure["note"]) == "Of 6 of the 10 classes, the most frequent ones, each against the rest."
    missing = of_kind(classes_section(TRUTH[TRUTH > 0], SHARES[TRUTH > 0]), "curves")[0]
    assert english(missing["note"]).startswith("Of 2 of the 3 classes")


def test_unknown_scores_are_dashes_and_no_column_is_empty():
    scores = [Score(name="accuracy", value=0.5, others={"always x": 0.4}), Score(name="AUC", value=np.nan)]
    table = score_table(Subject(name="s", scores=scores))
    assert [english(title) for title in table["columns"]] == ["score", "this run", "always x"]
    assert table["rows"] == [["accuracy", "0.5", "0.4"], ["AUC", "—", "—"]]
    assert len(table["numeric"]) == 3
    scores[0] = Score(name="accuracy", value=0.5, low=0.4, high=0.6)
    assert score_table(Subject(name="s", scores=scores))["rows"] == [["accuracy", "0.5", "0.4 – 0.6"], ["AUC", "—", ""]]


def test_the_learning_rate_is_drawn_with_its_peak():
    steps = np.arange(20_000)
    rates = np.where(steps == 777, 3.0, 1 + steps / 1e5)
    recording = Recording(batch_losses=rates, batch_iterations=steps, batch_rates=rates)
    (chart,) = learning_rates(recording)
    (curve,) = chart.curves
    assert len(curve.x) < 1100
    assert curve.y.max() == 3.0
    assert curve.x[curve.y.argmax()] == 777
    assert "note" not in chart.figure()
    old = Recording(iterations=steps[:4], learning_rates=rates[:4])
    assert english(learning_rates(old)[0].note).startswith("Known at 4 steps")


def pictures_section(seconds, size=6):
    """What a network on pictures of three classes looks at."""
    model = Sequential([layers.Conv2D(2, 3, activation="relu"), layers.Flatten(), layers.Dense(3, "softmax")], seed=0)
    x = RNG.random((30, size, size, 1)).astype(np.float32)
    model.compile("adam", "sparse_categorical_crossentropy")
    model.predict(x, verbose=0)
    truth = np.arange(30) % 3
    subject = Subject(name="s", task="multiclass", classes=NAMES, held=held(truth, model.predict(x, verbose=0)))
    subject.inputs = PictureInputs(at=np.arange(30), random=30, x=x)
    subject.network = Network(model=model, nodes=[])
    clock = Clock(seconds)
    return picture_insides(subject, clock), clock, subject


def test_saliency_is_captioned_with_truth_prediction_and_probability():
    section, _, subject = pictures_section(100.0)
    figure = next(f for f in section["figures"] if "overlay" in f)
    places = [0, 1, 2]  # the first of each class
    guesses, sure = subject.held.guesses[places], subject.held.predicted[places].max(axis=1)
    assert figure["captions"] == [
        f"{NAMES[k]} → {NAMES[g]} ({s:.0%})" for k, g, s in zip(places, guesses, sure, strict=True)
    ]
    assert "what it was taken for" in english(figure["note"])


def test_saliency_that_would_take_too_long_is_named(monkeypatch):
    monkeypatch.setattr("thalweg.views.report.picture_insides.BACKWARD", 1e6)
    section, clock, _ = pictures_section(5.0)
    assert not any("overlay" in f for f in section["figures"])
    assert [english(what) for what in clock.left_out] == ["saliency"]


def test_thresholds_count_hits_and_errors():
    positive, share = TRUTH == 1, SHARES[:, 1]
    figure = class_judgement.thresholds(positive, share, "bee")
    for place in (0, 30, 50, 99, 100):
        taken = share >= figure["thresholds"][place]
        counted = [(taken & positive).sum(), (taken & ~positive).sum(), (~taken & positive).sum()]
        assert [figure[name][place] for name in ("tp", "fp", "fn")] == counted
        assert figure["tn"][place] == (~taken & ~positive).sum()
    assert of_kind(
        classes_section(TRUTH % 2, SHARES[:, :2] / SHARES[:, :2].sum(axis=1, keepdims=True), NAMES[:2]), "thresholds"
    )


def test_sure_answers_are_counted():
    figure = class_judgement.sureness(TRUTH, SHARES)[0]
    right, answered = figure["series"]
    place = len(answered["x"]) // 2
    taken = SHARES.max(axis=1) >= answered["x"][place]
    assert answered["y"][place] == pytest.approx(taken.mean())
    assert right["y"][place] == pytest.approx((SHARES.argmax(axis=1) == TRUTH)[taken].mean())


def test_of_many_classes_the_rare_ones_stand_together():
    truth = np.concatenate([np.arange(60), np.repeat(np.arange(20), 5)])
    shares = np.full((len(truth), 60), 1e-3)
    shares[np.arange(len(truth)), truth] = 1
    (matrix,) = of_kind(classes_section(truth, shares, [f"c{k}" for k in range(60)]), "matrix")
    assert matrix["values"].shape == (30, 30)
    assert matrix["values"].sum() == len(truth)
    assert english(matrix["rows"][-1]) == "31 others"


def test_a_part_of_the_rows_is_said():
    assert "400 of the 9,000" in english(classes_section(of=9000)["text"][0])
    assert classes_section()["text"] == []


def test_numbers_are_drawn_against_the_truth():
    truth = RNG.normal(size=3000) * 100
    guess = truth + RNG.normal(size=3000)
    section = number_judgement.number_judgement(Subject(name="s", task="regression", held=held(truth, guess)))
    against, residual = of_kind(section, "scatter")
    assert len(against["x"]) == number_judgement.MOST_POINTS
    assert np.allclose(against["x"] - against["y"], residual["y"])
    assert of_kind(section, "bars")[0]["values"].sum() == 3000
    assert sum(int(row[1]) for row in of_kind(section, "table")[0]["rows"]) == 3000


def test_the_worst_rows_are_the_wrong_ones_the_surest_first():
    worst = worst_of(held(TRUTH, SHARES))
    assert (SHARES[worst].argmax(axis=1) != TRUTH[worst]).all()
    assert np.all(np.diff(SHARES[worst, TRUTH[worst]]) >= 0)
    assert worst_of(held(np.arange(5.0), np.array([0, 1, 2, 9, 4.0])), 1).tolist() == [3]


# --- importance and dependence ---------------------------------------------------------------------------------------


class Sum(RegressorMixin, BaseEstimator):
    """y = 3·x0 + x1², as a model of ours and as scikit-learn's."""

    def fit(self, x, y):
        self.fitted_ = True
        return self

    def predict(self, x):
        return 3 * x[:, 0] + x[:, 1] ** 2


def columns(x, predict, cells=None, places=None, names=None, numeric=None):
    count = x.shape[1] if places is None else len(places)
    return ColumnInputs(
        at=np.arange(len(x)),
        random=len(x),
        names=names or [f"x{k}" for k in range(count)],
        numeric=numeric or [True] * count,
        cells=cells or [x[:, k] for k in range(count)],
        places=places or [slice(k, k + 1) for k in range(count)],
        x=x,
        predict=predict,
    )


def test_importance_is_that_of_scikit_learn():
    x = RNG.normal(size=(800, 3))
    y = Sum().predict(x) + RNG.normal(size=800)
    ours = influence.importance(columns(x, Sum().predict), held(y, Sum().predict(x)), 10.0)
    theirs = permutation_importance(Sum(), x, y, scoring="neg_root_mean_squared_error", n_repeats=20, random_state=0)
    assert ours.order[:2] == [0, 1]
    assert ours.rounds == influence.REPEATS
    assert np.allclose(ours.mean, theirs.importances_mean, atol=0.15)
    assert ours.mean[2] == 0


def test_importance_moves_all_columns_of_a_category_together():
    codes = RNG.integers(0, 3, 500)
    x = np.eye(3)[codes]
    moved = []

    def predict(rows):
        moved.append(rows)
        return rows @ [0.0, 1.0, 2.0]

    inputs = columns(x, predict, [np.array(NAMES, object)[codes]], [slice(0, 3)], ["animal"], [False])
    found = influence.importance(inputs, held(codes.astype(float), codes.astype(float)), 5.0)
    assert found.mean[0] > 0.5
    assert all((rows.sum(axis=1) == 1).all() for rows in moved)


def test_importance_ends_with_its_time_and_says_so(monkeypatch):
    x, passed = RNG.normal(size=(1000, 200)), [0.0]

    def slow(rows):
        passed[0] += 0.0005 * len(rows)
        return rows[:, 0]

    monkeypatch.setattr(influence, "time", SimpleNamespace(perf_counter=lambda: passed[0]))
    found = influence.importance(columns(x, slow), held(x[:, 0], x[:, 0]), 0.3)
    assert passed[0] < 0.9
    assert 0 < found.looked < 200
    note = english(influence.importance_bars(found, Subject(name="s"))["note"])
    assert f"There was time for the first {found.looked} of 200 columns." in note
    assert found.looked <= influence.SHOWN or f"The 20 most important of {found.looked}." in note


def test_dependence_is_that_of_scikit_learn():
    x = RNG.normal(size=(150, 3))
    figure = influence.dependence(columns(x, Sum().predict), 1, Subject(name="s", task="regression"))
    (series,) = figure["series"]
    theirs = partial_dependence(Sum().fit(x, 0), x, [1], custom_values={1: series["x"]}, kind="average")
    assert np.allclose(series["y"], theirs["average"][0])
    assert (series["band"][0] <= series["y"]).all()


def test_dependence_on_a_category_has_its_names():
    codes = RNG.integers(0, 3, 90)
    cells = np.array(NAMES, object)[codes]
    cells[codes == 2] = None
    inputs = columns(np.eye(3)[codes], lambda x: x @ [0, 1, 2], [cells], [slice(0, 3)], ["animal"], [False])
    figure = influence.dependence(inputs, 0, Subject(name="s", task="regression"))
    assert dict(zip(map(english, figure["labels"]), figure["values"].tolist(), strict=True)) == {
        "ant": 0,
        "bee": 1,
        "missing": 2,
    }


# --- documents -------------------------------------------------------------------------------------------------------


def small(outputs=3, activation="softmax", loss="sparse_categorical_crossentropy", name="small", **fit):
    model = Sequential(
        [layers.Input((4,)), layers.Dense(8, "relu"), layers.Dense(outputs, activation)], seed=0, name=name
    )
    model.compile(SGD(0.1), loss)
    x = RNG.normal(size=(120, 4)).astype(np.float32)
    y = TRUTH[:120] if outputs == 3 else x[:, :1] * 2
    model.fit(x, y, epochs=3, verbose=0, lanes=1, **fit)
    return model, x, y


def document(model, *data, **more):
    return report_document(subject_of(model, steps_of(model._weights.graph), *data), **more)


def ids(made):
    return [section["id"] for section in made["sections"]]


def test_a_report_of_a_recorded_training_has_every_section():
    model, _, _ = small(record=True, validation_split=0.25)
    made = document(model)
    wanted = {"overview", "course", "judgement", "mistakes", "influence", "network", "layers", "landscape", "program"}
    assert wanted | {"reproduction"} <= set(ids(made))
    landscape = made["sections"][ids(made).index("landscape")]
    assert [english(figure["title"]) for figure in landscape["figures"]] == [
        "The path of descent", "Around the solution", "Local valleys",
    ]  # fmt: skip
    assert page_html(made).startswith("<!doctype html>")


def test_without_a_recording_and_rows_it_says_what_is_missing():
    model, _, _ = small()
    made = document(model)
    assert "judgement" not in ids(made)
    missing = " ".join(english(text) for text in made["sections"][-1]["text"])
    assert "record=True" in missing
    assert "no rows to judge it by" in missing


def test_without_time_the_rest_is_there_and_the_gaps_are_named():
    model, x, y = small(record=True, validation_split=0.25)
    made = document(model, x, y, seconds=0.0)
    assert {"overview", "judgement", "network", "program"} <= set(ids(made))
    assert not {"influence", "landscape"} & set(ids(made))
    assert "There was no time for: importance" in " ".join(english(t) for t in made["sections"][-1]["text"])


def test_all_texts_are_in_both_languages():
    model, x, y = small(record=True)
    for text in texts(document(model, x, y)):
        assert text["en"].strip() == text["en"]
        assert bool(text["zh"]) == bool(text["en"])
        assert len(re.findall(r"\d[\d,.]*", text["zh"])) >= len(re.findall(r"\d{3}[\d,.]*", text["en"])), text


def test_the_code_makes_the_same_model():
    model, x, y = small()
    made = document(model, x, y)
    code = next(f["text"] for s in made["sections"] for f in s["figures"] if f.get("language") == "python")
    names = {"x": x, "y": y}
    exec(code, names)
    again = names["model"]
    assert again.count_params() == model.count_params()
    assert np.array_equal(again.predict(x), model.predict(x))


def test_a_failed_training_has_a_report(tmp_path):
    model = Sequential([layers.Input((4,)), layers.Dense(8, "relu"), layers.Dense(1)], seed=0)
    model.compile(SGD(0.9), "mse")
    x = 100 * RNG.normal(size=(64, 4))
    with pytest.raises(DivergedError):
        model.fit(x, x[:, :1] ** 2, epochs=5, verbose=0, record=True)
    made = document(model)
    assert english(made["sections"][0]["text"][0]).startswith("The training failed: training stopped in epoch")
    model.report(tmp_path / "failed.html", language="zh")
    assert '<html lang="zh-Hant-TW">' in (tmp_path / "failed.html").read_text("utf-8")


def test_several_inputs_have_the_sections_that_need_no_rows():
    import thalweg

    a, b = layers.Input((2,)), layers.Input((3,))
    model = thalweg.Model([a, b], layers.Dense(1)(layers.Concatenate()([a, b])))
    model.compile("sgd", "mse")
    data = [np.ones((20, 2)), np.ones((20, 3))]
    model.fit(data, np.ones(20), verbose=0, record=True)
    made = document(model, data, np.ones(20))
    assert {"overview", "course", "network", "program"} <= set(ids(made))
    graph = next(f for s in made["sections"] for f in s["figures"] if f["kind"] == "graph")
    assert {edge[1] for edge in graph["edges"]} >= {node["id"] for node in graph["nodes"]} - {a.name, b.name}


@pytest.mark.parametrize(
    ("arguments", "message"), [((np.ones((3, 4)),), "x and y together"), ((), "compiled and whose shapes are known")]
)
def test_wrong_arguments_are_refused(arguments, message, tmp_path):
    model = small()[0] if arguments else Sequential([layers.Dense(1)])
    with pytest.raises(ArgumentError, match=message):
        model.report(tmp_path / "r.html", *arguments)
    assert not list(tmp_path.iterdir())


# --- size ------------------------------------------------------------------------------------------------------------


def test_a_report_never_gets_too_large():
    big = {"kind": "scatter", "title": "big", "x": np.zeros(900_000), "y": np.zeros(1)}
    pictures = {"kind": "images", "title": "p", "images": np.zeros((32, 600, 600, 3), np.uint8), "captions": ["c"] * 32}
    sections, dropped = within([{"id": "a", "title": "A", "figures": [big, big | {"title": "other"}, pictures]}])
    assert [figure["title"] for figure in sections[0]["figures"]] == ["big", "p"] or len(dropped) == 2
    assert size_of(sections) < MOST_BYTES + 10_000
    assert any("too large for this file" in english(text) for text in dropped)
    shown = sections[0]["figures"][-1]
    assert shown["images"].size <= 400_000
    assert len(shown["captions"]) == len(shown["images"])


@pytest.mark.parametrize("kind", ["wide", "classes", "convnet"])
def test_wide_tables_many_classes_and_large_convnets_stay_below_6_mb(kind):
    classes, shape, hidden = {
        "wide": (2, (1500,), [layers.Dense(64, "relu")]),
        "classes": (600, (6,), [layers.Dense(32, "relu")]),
        "convnet": (5, (96, 96, 3), [layers.Conv2D(64, 3, 2, activation="relu"), layers.GlobalAveragePooling2D()]),
    }[kind]
    model = Sequential([layers.Input(shape), *hidden, layers.Dense(classes, "softmax")], seed=0)
    model.compile("adam", "sparse_categorical_crossentropy")
    rows = 60 if kind == "convnet" else 1500
    x = RNG.normal(size=(rows, *shape)).astype(np.float32)
    y = np.arange(rows) % classes
    model.fit(x, y, epochs=1, verbose=0, validation_split=0.3, record=True)
    page = page_html(document(model, x, y, seconds=3.0))
    print(f"{kind}: {len(page) / 1e6:.2f} MB")
    assert len(page) < 3_000_000


# --- comparisons -----------------------------------------------------------------------------------------------------


def run(name, value, **settings):
    history = [{"epoch": k, "loss": 1 / (k + 1)} for k in range(3)]
    score = Score(name="accuracy", value=value, low=value - 0.1, high=value + 0.05)
    return Subject(name=name, scores=[score], history=history, settings=settings, sizes={"weights": 10.0})


def test_a_comparison_shows_scores_curves_and_settings_that_differ():
    made = comparison_document([run("a", 0.8, seed="1", lanes="2"), run("b", 0.9, seed="1", lanes="4")], ["a", "b"])
    assert ids(made) == ["scores", "course", "settings"]
    table, bars = made["sections"][0]["figures"]
    assert table["rows"] == [["accuracy", "0.8 (0.7 – 0.85)", "0.9 (0.8 – 0.95)"]]
    assert np.allclose(bars["low"], [0.7, 0.8])
    assert [s["name"] for s in made["sections"][1]["figures"][0]["series"]] == ["a", "b"]
    unlike, sizes = made["sections"][2]["figures"]
    assert unlike["rows"] == [["lanes", "2", "4"]]
    assert [english(row[0]) for row in sizes["rows"]] == ["weights"]
    json.dumps(made, default=list)


def test_a_clock_notes_what_it_leaves_out():
    clock = Clock(5.0)
    part = clock.part(0.1)
    assert part.left < 0.51
    assert not part.has(1.0, "slow things")
    assert clock.left_out == ["slow things"]
    assert clock.has(1.0, "quick things")
    assert thinned(1_000_000, 3).tolist() == [0, 500_000, 999_999] or len(thinned(1_000_000, 3)) == 3


@pytest.mark.parametrize("seconds", [-3, float("nan"), "3"])
def test_seconds_that_are_none_are_refused(tmp_path, seconds):
    model = Sequential([layers.Input((2,)), layers.Dense(1)], seed=0)
    model.compile("sgd", "mse")
    with pytest.raises(ArgumentError, match="seconds has to be a number"):
        model.report(tmp_path / "report.html", seconds=seconds)
    assert list(tmp_path.iterdir()) == []
