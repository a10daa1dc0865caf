"""Trees in run folders: they come back as they were, and nothing else does."""

import functools
import os
import pickle
import zipfile

import numpy as np
import pytest
import skops.io
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import thalweg
from thalweg.data.tables import read_table
from thalweg.errors import ModelFileError
from thalweg.runs import table_training
from thalweg.runs.forest import load_trees, save_trees
from thalweg.runs.table_run import TREES, TableOptions
from thalweg.tabular.trees import Trees

RANDOM = np.random.default_rng(0)
X = np.column_stack([RANDOM.normal(size=(200, 3)), RANDOM.integers(0, 4, 200)]).astype(np.float32)
Y = (X[:, 0] + (X[:, 3] > 1) + RANDOM.normal(size=200) > 0.5).astype(int)
SORTS = [False, False, False, True]  # which columns are codes of categories
MODELS = [
    HistGradientBoostingClassifier(max_iter=10, categorical_features=SORTS),
    HistGradientBoostingRegressor(max_iter=10),
    make_pipeline(SimpleImputer(), ExtraTreesClassifier(5, random_state=0)),
]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_trees_come_back_as_they_were(tmp_path, model):
    model.fit(X, Y)
    save_trees([Trees("trees", [model, model], 0.25)], tmp_path / "t.skops")
    (kind,) = load_trees(tmp_path / "t.skops", 4)
    assert (kind.name, kind.weight, len(kind.models)) == ("trees", 0.25, 2)
    assert np.array_equal(kind.models[0].predict(X), model.predict(X))
    with pytest.raises(ModelFileError, match="it holds no trees"):
        load_trees(tmp_path / "t.skops", 2)  # they ask for columns that aren't there


def refused(tmp_path, stored):
    skops.io.dump(stored, tmp_path / "t.skops")
    with pytest.raises(ModelFileError) as caught:
        load_trees(tmp_path / "t.skops", 4)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_other_things_are_refused(tmp_path):
    trees = HistGradientBoostingClassifier(max_iter=3).fit(X, Y)
    kind = {"name": "trees", "models": [trees], "weight": 0.5}
    for wrong in (
        [kind | {"weight": 2.0}],
        [kind | {"models": [LogisticRegression().fit(X, Y)]}],
        [kind | {"more": 1}],
        {"trees": kind},
    ):
        assert "it holds no trees" in refused(tmp_path, wrong)
    assert "holds posix.system, which is no part" in refused(
        tmp_path, [kind | {"name": functools.partial(os.system, "true")}]
    )
    (tmp_path / "t.skops").write_bytes(pickle.dumps([kind]))
    with pytest.raises(ModelFileError, match="is damaged"):
        load_trees(tmp_path / "t.skops", 4)
    with zipfile.ZipFile(tmp_path / "t.skops", "w") as archive:
        archive.writestr("schema.json", "{}")
    with pytest.raises(ModelFileError, match="is damaged"):
        load_trees(tmp_path / "t.skops", 4)


def test_nodes_that_lead_nowhere_are_refused(tmp_path):
    for change in ({"left": 0}, {"right": 10_000}, {"feature_idx": 4}, {"bitset_idx": 10_000}):
        trees = HistGradientBoostingClassifier(max_iter=3, categorical_features=SORTS).fit(X, Y)
        for of_class in trees._predictors:
            for tree in of_class:
                chosen = np.flatnonzero(tree.nodes["is_leaf"] == 0)
                if "bitset_idx" in change:
                    chosen = np.flatnonzero(tree.nodes["is_categorical"])
                for name, value in change.items():
                    tree.nodes[name][chosen[:1]] = value
        assert "it holds no trees" in refused(tmp_path, [{"name": "trees", "models": [trees], "weight": 0.5}])


def test_a_run_with_trees(tmp_path):
    """A step function of two columns, which trees find and one short training doesn't."""
    x = RANDOM.random((600, 2))
    columns = {"a": x[:, 0], "b": x[:, 1], "y": np.floor(6 * x[:, 0]) % 2 * 10 + np.floor(5 * x[:, 1]) % 2}
    options = TableOptions(target="y", task="regression", members=1, layers=(4,), epochs=2, seed=0, lanes=1)
    run = table_training.train(read_table(columns), options)
    assert [kind["name"] for kind in run.facts["trees"]] == ["HistGradientBoosting"]
    assert run.facts["networks"]["R²"] < run.facts["held-out"]["R²"]
    run.save(tmp_path / "run", ["thalweg"])
    again = thalweg.load_run(tmp_path / "run")
    assert np.array_equal(again.predict(columns), run.predict(columns))
    assert again.evaluate(columns)["R²"] > 0.9
    (tmp_path / "run" / TREES).unlink()
    with pytest.raises(ModelFileError, match="don't belong together"):
        thalweg.load_run(tmp_path / "run")
