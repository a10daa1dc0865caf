"""Trees in run folders: they come back as they were, also those of earlier runs, and nothing else does."""

import functools
import os
import pickle
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import skops.io
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline

import thalweg
from thalweg.data.tables import Table, read_table
from thalweg.errors import ModelFileError
from thalweg.runs import table_training
from thalweg.runs.stored_trees import OLD_TREES, TREES, load_trees, save_trees
from thalweg.runs.table_run import TableOptions
from thalweg.tabular.beside import trees_of
from thalweg.tabular.features import Features
from thalweg.tabular.qualities import LINEAR
from thalweg.tabular.trees import compact, predictions

RANDOM = np.random.default_rng(0)
CELLS = {name: RANDOM.normal(size=200).tolist() for name in "abc"} | {"d": RANDOM.choice([*"klmn"], 200).tolist()}
CELLS["y"] = [str(a > 0 or d in "kl") for a, d in zip(CELLS["a"], CELLS["d"], strict=True)]
TABLE = Table.of(CELLS)
FEATURES = Features.fit(TABLE, "y")
X, Y = FEATURES.matrix(TABLE), FEATURES.targets(TABLE)[:, 0].astype(int)
Z = compact(FEATURES, X)
SORTS = [False, False, False, True]  # which columns are codes of categories


def grown():
    return HistGradientBoostingClassifier(max_iter=5, categorical_features=SORTS).fit(Z, Y)


MODELS = {
    "HistGradientBoosting": (grown(), Z),
    "ExtraTrees": (
        make_pipeline(SimpleImputer(strategy="constant", fill_value=-1.0), ExtraTreesClassifier(5, random_state=0)).fit(
            Z, Y
        ),
        Z,
    ),
    LINEAR: (LogisticRegression().fit(X, Y), X),
}


@pytest.mark.parametrize("name", MODELS)
def test_trees_come_back_as_they_were(tmp_path, name):
    model, _ = MODELS[name]
    kind = trees_of(name, [model, model], FEATURES, 0.25)
    save_trees([kind], tmp_path / TREES)
    (again,) = load_trees(tmp_path, FEATURES, {name: 0.25})
    assert (again.name, again.weight) == (name, 0.25)
    assert np.array_equal(again.model.predict(X), kind.model.predict(X))


@pytest.mark.parametrize("name", MODELS)
def test_trees_of_earlier_runs(tmp_path, name):
    model, z = MODELS[name]
    skops.io.dump([{"name": name, "models": [model, model], "weight": 0.25}], tmp_path / OLD_TREES)
    (kind,) = load_trees(tmp_path, FEATURES, {name: 0.25})
    wanted = predictions([model], FEATURES, z)[:, 1:]
    np.testing.assert_allclose(kind.model.predict(X), wanted, atol=1e-6)
    with pytest.raises(ModelFileError, match="its trees don't belong together"):
        load_trees(tmp_path, FEATURES, {name: 0.5})
    smaller = Features.fit(TABLE.take(np.arange(200)), "y", ignore=["a", "b"])
    with pytest.raises(ModelFileError, match="it holds no trees"):
        load_trees(tmp_path, smaller, {name: 0.25})  # they ask for columns that aren't there


def test_trees_of_other_columns_are_refused(tmp_path):
    save_trees([trees_of("HistGradientBoosting", [grown()], FEATURES, 0.25)], tmp_path / TREES)
    smaller = Features.fit(TABLE, "y", ignore=["a", "b"])
    with pytest.raises(ModelFileError, match="and the columns don't belong together"):
        load_trees(tmp_path, smaller, {"HistGradientBoosting": 0.25})


def refused(tmp_path, stored):
    skops.io.dump(stored, tmp_path / OLD_TREES)
    with pytest.raises(ModelFileError) as caught:
        load_trees(tmp_path, FEATURES, {"trees": 0.5})
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_other_things_are_refused(tmp_path):
    kind = {"name": "trees", "models": [grown()], "weight": 0.5}
    for wrong in (
        [kind | {"weight": 2.0}],
        [kind | {"models": [Ridge().fit(X, Y)]}],
        [kind | {"more": 1}],
        {"trees": kind},
    ):
        assert "it holds no trees" in refused(tmp_path, wrong)
    assert "holds posix.system, which is no part" in refused(
        tmp_path, [kind | {"name": functools.partial(os.system, "true")}]
    )
    (tmp_path / OLD_TREES).write_bytes(pickle.dumps([kind]))
    with pytest.raises(ModelFileError, match="is damaged"):
        load_trees(tmp_path, FEATURES, {"trees": 0.5})
    with zipfile.ZipFile(tmp_path / OLD_TREES, "w") as archive:
        archive.writestr("schema.json", "{}")
    with pytest.raises(ModelFileError, match="is damaged"):
        load_trees(tmp_path, FEATURES, {"trees": 0.5})


def test_nodes_of_earlier_runs_that_lead_nowhere_are_refused(tmp_path):
    for change in ({"left": 0}, {"right": 10_000}, {"feature_idx": 4}, {"bitset_idx": 10_000}):
        trees = grown()
        for of_class in trees._predictors:
            for tree in of_class:
                chosen = np.flatnonzero(tree.nodes["is_leaf"] == 0)
                if "bitset_idx" in change:
                    chosen = np.flatnonzero(tree.nodes["is_categorical"])
                for name, value in change.items():
                    tree.nodes[name][chosen[:1]] = value
        assert "it holds no trees" in refused(tmp_path, [{"name": "trees", "models": [trees], "weight": 0.5}])
    trees = grown()
    trees._preprocessor.named_transformers_["encoder"].categories_ = [np.array([0.0, 1e9])]
    assert "it holds no trees" in refused(tmp_path, [{"name": "trees", "models": [trees], "weight": 0.5}])


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("nodes", 0, 99), ("nodes", 0, -99), ("nodes", 0, np.nan), ("nodes", 1, 99), ("nodes", 1, np.nan),
        ("nodes", 2, 1), ("nodes", 2, 0), ("nodes", 2, 1e6), ("nodes", 2, -1), ("nodes", 2, np.inf),
        ("trees", 0, 5), ("trees", 1, 7), ("trees", 1, np.nan), ("sets", 0, -1), ("sets", 0, 2**24),
    ],
)  # fmt: skip
def test_tables_that_lead_nowhere_are_refused(tmp_path, table, column, value):
    kind = trees_of("HistGradientBoosting", [grown()], FEATURES, 0.25)
    (layer,) = (layer for layer in kind.model.inside if "Forest" in type(layer).__name__)
    weights = [w.copy() for w in layer.get_weights()]
    of = weights[["nodes", "trees", "values", "base", "sets"].index(table)]
    rows = np.arange(len(of))
    if table == "nodes":
        rows = np.flatnonzero(of[:, 0] < 0 if column == 1 else of[:, 2] > 0)  # those of categories, or that split
    of[rows[len(rows) // 2], column] = value
    layer.set_weights(weights)
    save_trees([kind], tmp_path / TREES)
    with pytest.raises(ModelFileError, match="it holds trees that lead nowhere"):
        load_trees(tmp_path, FEATURES, {"HistGradientBoosting": 0.25})


def step_run():
    """A step function of two columns, which trees find and one short training doesn't."""
    x = RANDOM.random((600, 2))
    columns = {"a": x[:, 0], "b": x[:, 1], "y": np.floor(6 * x[:, 0]) % 2 * 10 + np.floor(5 * x[:, 1]) % 2}
    options = TableOptions(target="y", task="regression", members=1, layers=(4,), epochs=2, seed=0, lanes=1)
    return columns, table_training.train(read_table(columns), options)


def test_a_run_with_trees(tmp_path):
    columns, run = step_run()
    assert [kind["name"] for kind in run.facts["trees"]] == ["HistGradientBoosting"]
    assert run.facts["networks"]["R²"] < run.facts["held-out"]["R²"]
    run.save(tmp_path / "run", ["thalweg"])
    again = thalweg.load_run(tmp_path / "run")
    assert np.array_equal(again.predict(columns), run.predict(columns))
    assert again.evaluate(columns)["R²"] > 0.9
    alone = [again.predict({name: [cells[k]] for name, cells in columns.items()})[0] for k in range(20)]
    np.testing.assert_allclose(alone, run.predict(columns)[:20], rtol=1e-6, atol=1e-6)
    (tmp_path / "run" / TREES).unlink()
    with pytest.raises(ModelFileError, match="don't belong together"):
        thalweg.load_run(tmp_path / "run")


def test_a_run_predicts_without_scikit_learn(tmp_path):
    _, run = step_run()
    run.save(tmp_path / "run", ["thalweg"])
    program = (
        "import sys, thalweg\n"
        f"run = thalweg.load_run({str(tmp_path / 'run')!r})\n"
        "print(run.predict({'a': [0.5], 'b': [0.5]}), {'sklearn', 'skops'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("set()\n")
