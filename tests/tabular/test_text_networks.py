"""Networks on tables with free text: what they learn from it, beside other columns and alone."""

import numpy as np
import pandas as pd
import pytest

from thalweg.data.columns import TextColumn
from thalweg.data.notations.texts import WIDTH
from thalweg.data.tables import Table
from thalweg.errors import ArgumentError, ThalwegWarning
from thalweg.export.exported_tables import table_network
from thalweg.sklearn import TabularClassifier, TabularRegressor
from thalweg.tabular.beside import columns_of
from thalweg.tabular.blueprint import TEXT_RATE
from thalweg.tabular.design import design
from thalweg.tabular.features import Features
from thalweg.tabular.qualities import settings_of

WORDS = ["the", "train", "was", "late", "again", "and", "we", "had", "to", "wait", "for", "it", "at", "night"]
QUICK = {"members": 1, "layers": 16, "random_state": 0}


def reviews(rows=400, seed=0):
    """Sentences, one word of which says how the day was, beside a number that says where."""
    random = np.random.default_rng(seed)
    good = random.integers(0, 2, rows)
    said = [" ".join([*random.choice(WORDS, 8), ("awful", "lovely")[k], *random.choice(WORDS, 3)]) for k in good]
    return pd.DataFrame({"said": said, "x": random.normal(size=rows)}), good


@pytest.mark.parametrize("alone", [True, False])
def test_words_are_learned_from(alone):
    frame, good = reviews()
    more, truth = reviews(200, seed=1)
    y = good if alone else good * 2 + (frame.x > 0)
    truth = truth if alone else truth * 2 + (more.x > 0)
    given = [f[["said"]] if alone else f for f in (frame, more)]
    model = TabularClassifier("fast", **QUICK).fit(given[0], y)
    assert model.score(given[1], truth) > 0.9
    row = given[1].iloc[5].to_dict()
    assert (model.predict_proba(row) == model.predict_proba(given[1].iloc[5:6])).all()
    np.testing.assert_allclose(model.predict_proba(row)[0], model.predict_proba(given[1])[5], atol=1e-5)
    with pytest.warns(ThalwegWarning, match="'said' lacks 1 values, and no training row did"):
        model.predict_proba({**row, "said": None})


def test_few_rows_and_regression():
    """Of few rows, a linear model has the text, too; of trees nothing but what is missing."""
    frame, good = reviews(100)
    frame.loc[3, "said"] = None
    more, truth = reviews(100, seed=1)
    model = TabularRegressor("fast", random_state=0, epochs=8, members=2, layers=16).fit(frame[["said"]], 10.0 * good)
    assert np.corrcoef(model.predict(more[["said"]]), truth)[0, 1] > 0.6
    assert columns_of(model.features_) == [[WIDTH]]
    assert set(model.shares_) <= {"networks", "linear model", "HistGradientBoosting"}


def test_the_blueprint():
    frame, good = reviews(100)
    table = Table.of({"a": frame.x, "said": frame.said, "c": ["red", "blue"] * 50, "y": good})
    features = Features.fit(table, "y")
    assert isinstance(features.used["said"], TextColumn)
    x = features.matrix(table)
    found = design(features, x, good, settings_of("fast", layers=8), None, 0)
    assert found.texts == tuple(range(1, 1 + WIDTH))
    assert found.numbers == (0,)
    model, bare = found.member(0, 0, 10)
    kernels = {layer.name: [w.shape for w in layer.get_weights()] for layer in model.layers if layer.weighted}
    assert kernels["member_1_texts"] == [(WIDTH, 8)]
    assert kernels["member_1_hidden_1"][1] == (8,)
    assert kernels["member_1_hidden_1"][0][0] < 60
    factors = found.factors(model)
    assert factors["member_1_texts/W"] == pytest.approx(TEXT_RATE / WIDTH**0.5)
    assert "member_1_texts/b" not in factors
    # The kernel of the texts sees nothing else, and the other one everything else.
    changed = x.copy()
    changed[:, 0] += 1
    texts = bare.get_layer("member_1_texts").get_weights()[0]
    bare.get_layer("member_1_texts").set_weights([np.zeros_like(texts)])
    without = x.copy()
    without[:, 1 : 1 + WIDTH] = 0
    assert (bare.predict(x, verbose=0) == bare.predict(without, verbose=0)).all()


def test_batch_normalization_comes_after_both_kernels():
    frame, good = reviews(60)
    features = Features.fit(Table.of({"a": frame.x, "said": frame.said, "y": good}), "y")
    x = features.matrix(Table.of({"a": frame.x, "said": frame.said}))
    settings = settings_of("fast", layers=8, batch_normalization=True)
    model, _ = design(features, x, good, settings, None, 0).member(0, 0, 10)
    names = [layer.name.removeprefix("member_1_") for layer in model.layers if layer.weighted]
    assert names[-4:] == ["hidden_1", "texts", "normalized_1", "output"]


def test_exports_name_the_column():
    frame, good = reviews(60)
    model = TabularClassifier("fast", **QUICK, epochs=1).fit(frame, good)
    with pytest.raises(ArgumentError, match="the column 'said' is free text, which only thalweg itself can read"):
        table_network(model.ensemble_, model.features_)
