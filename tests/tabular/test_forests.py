"""scikit-learn's fitted models as graphs: the same predictions, for every kind of tree, target and cell."""

import warnings
from threading import Barrier

import numpy as np
import pytest
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline

from thalweg import Input
from thalweg.data.tables import Table
from thalweg.experiments.population import _libraries, one_thread, side_by_side
from thalweg.export.exported_network import network_of
from thalweg.models.functional import Functional
from thalweg.program.graphs.evaluated import evaluated
from thalweg.program.graphs.trial import settled
from thalweg.program.instructions.forest import Forest
from thalweg.program.instructions.linear import Affine
from thalweg.program.ir.instruction import StepState
from thalweg.tabular.beside import columns_of, joined, trees_of
from thalweg.tabular.features import Features
from thalweg.tabular.forests.conversion import Grown, of_boosting, of_trees, rounded_down
from thalweg.tabular.forests.forest_layer import ForestLayer
from thalweg.tabular.qualities import LINEAR
from thalweg.tabular.trees import compact, predictions, steady_warnings

ROWS = 700
TASKS = ("binary", "multiclass", "regression")


def cells(random):
    numbers = random.normal(size=(ROWS, 3))
    words = random.choice([f"w{k:02}" for k in range(40)], ROWS, p=np.arange(40, 0, -1) / 820)
    few = random.choice(["x", "y", "z"], ROWS)
    score = numbers[:, 0] + (words < "w05") - (few == "x") * numbers[:, 1] + random.normal(size=ROWS) / 3
    columns = {f"n{k}": column.tolist() for k, column in enumerate(numbers.T)} | {"words": words, "few": few}
    columns |= {"n0": [None if k % 9 == 0 else n for k, n in enumerate(columns["n0"])]}
    return columns | {"few": [None if k % 11 == 0 else w for k, w in enumerate(few)]}, score


def table_of(task, seed=0):
    columns, score = cells(np.random.default_rng(seed))
    named = np.digitize(score, [-1.0, 0.0, 1.0])
    y = {"regression": score * 30 + 5, "binary": np.where(score > 0, "yes", "no"), "multiclass": [*map(str, named)]}
    return Table.of(columns | {"target": y[task]})


def ready(task):
    """Features, their matrix, the numbers of the target, and sorts of the compact matrix."""
    table = table_of(task)
    features = Features.fit(table, "target", task)
    y = features.targets(table).ravel()
    return features, features.matrix(table), y if task == "regression" else y.astype(int)


def fitted(kind, task, z, y, coded, number, **more):
    regression = task == "regression"
    if kind == LINEAR:
        model = (Ridge(3.0) if regression else LogisticRegression(max_iter=500)).fit(z.astype(float), y, **more)
        if regression:
            model.range_ = (float(np.quantile(y, 0.1)), float(np.quantile(y, 0.9)))
        return model
    if kind == "HistGradientBoosting":
        own = HistGradientBoostingRegressor if regression else HistGradientBoostingClassifier
        return own(max_iter=12, random_state=number, categorical_features=coded, early_stopping=False).fit(z, y, **more)
    own = ExtraTreesRegressor if regression else ExtraTreesClassifier
    chained = make_pipeline(SimpleImputer(strategy="constant", fill_value=-1.0), own(7, random_state=number))
    return chained.fit(z, y, **{f"{chained.steps[-1][0]}__{name}": value for name, value in more.items()})


def several(kind, task, seen=None, weighted=False):
    """Three fits to parts of the rows, or to those of some classes, with what they predict."""
    features, x, y = ready(task)
    z = x if kind == LINEAR else compact(features, x)
    coded = [len(own) > 1 for own in columns_of(features)]
    chosen = np.random.default_rng(1).permutation(len(x))
    parts = [np.sort(chosen[k::2]) for k in range(2)]
    if seen is not None:
        parts.append(np.flatnonzero(np.isin(y, seen)))
    weights = np.random.default_rng(2).random(len(x))
    models = [
        fitted(kind, task, z[rows], y[rows], coded, k, **({"sample_weight": weights[rows]} if weighted else {}))
        for k, rows in enumerate(parts)
    ]
    return features, x, trees_of(kind, models, features, 0.4), predictions(models, features, z)


def in_words(features, outputs):
    """The outputs of a graph as `predictions` gives them."""
    if features.target.task == "regression":
        return features.decode(outputs)
    return np.column_stack(list(features.probabilities(outputs).values()))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("kind", ["HistGradientBoosting", "ExtraTrees", LINEAR])
def test_a_graph_predicts_what_scikit_learn_does(kind, task, weighted):
    features, x, trees, wanted = several(kind, task, weighted=weighted)
    got = in_words(features, trees.model.predict(x))
    error = 1e-6 * (features.target.scale if task == "regression" else 1)
    np.testing.assert_allclose(got, wanted, rtol=1e-6, atol=error)
    if task != "regression":
        assert np.array_equal(got.argmax(axis=1), wanted.argmax(axis=1))
    alone = np.concatenate([trees.model.predict(x[k : k + 1]) for k in range(40)])
    np.testing.assert_allclose(in_words(features, alone), got[:40], rtol=1e-6, atol=error)
    for rows in (2, 7, 63, 65):
        np.testing.assert_allclose(trees.model.predict(x[:rows]), trees.model.predict(x)[:rows], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("seen", [[0, 1, 3], [1, 2]])
@pytest.mark.parametrize("kind", ["HistGradientBoosting", "ExtraTrees", LINEAR])
def test_a_fit_may_lack_classes(kind, seen):
    features, x, trees, wanted = several(kind, "multiclass", seen)
    np.testing.assert_allclose(in_words(features, trees.model.predict(x)), wanted, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_both_engines_agree(engine):
    features, x, trees, wanted = several("HistGradientBoosting", "multiclass")
    again = Functional(trees.model.input, trees.model.output, engine=engine)
    np.testing.assert_allclose(in_words(features, again.predict(x[:100])), wanted[:100], rtol=1e-6, atol=1e-6)


def test_networks_and_trees_in_one_graph():
    _, x, trees, _ = several("HistGradientBoosting", "binary")
    _, _, other, _ = several("ExtraTrees", "binary")
    networks = Functional(columns := Input(x.shape[1:]), other.model(columns), name="networks")
    both = joined(networks, [trees, other._replace(weight=0.1)])
    each = [model.predict(x) for model in (networks, trees.model, other.model)]
    np.testing.assert_allclose(both.predict(x), 0.5 * each[0] + 0.4 * each[1] + 0.1 * each[2], atol=1e-6)
    assert joined(networks, []) is networks
    assert "forest" in str(both.program("inference"))


def graph(tables, count):
    """A model of a forest alone."""
    x = Input((count,))
    layer = ForestLayer.of(tables, [[k] for k in range(count)], "forest")
    model = Functional(x, layer(x))
    layer.filled(tables)
    return model


def boosted_graph(model, count):
    (grown,) = of_boosting(model)
    return graph(grown.tables(np.zeros(len(grown.roots)), model._baseline_prediction.ravel()), count)


def test_missing_values_go_where_they_went():
    """To either side, and also where a node asks nothing but whether the value is there."""
    random = np.random.default_rng(0)
    x = random.normal(size=(600, 3)).astype(np.float32)
    x[random.random(x.shape) < 0.3] = np.nan
    y = np.where(np.isnan(x[:, 0]), 3.0, np.nan_to_num(x[:, 0])) + np.isnan(x[:, 1]) + np.nan_to_num(x[:, 2]) ** 2
    model = HistGradientBoostingRegressor(max_iter=20).fit(x, y)
    trees = [tree.nodes for (tree,) in model._predictors]
    assert any(np.isinf(nodes["num_threshold"][nodes["is_leaf"] == 0]).any() for nodes in trees)
    x[::50, 1] = np.inf
    x[1::50, 0] = -np.inf
    np.testing.assert_allclose(boosted_graph(model, 3).predict(x)[:, 0], model.predict(x), rtol=1e-6, atol=1e-6)


def test_codes_that_no_fit_has_seen():
    """They count as missing, as negative ones do."""
    random = np.random.default_rng(0)
    x = np.column_stack([random.choice([0, 3, 4, 30, 70], 500), random.normal(size=500)]).astype(np.float32)
    x[random.random(500) < 0.2, 0] = np.nan
    y = np.isin(x[:, 0], [3, 70]) * 4.0 + np.isnan(x[:, 0]) * 2 + x[:, 1]
    model = HistGradientBoostingRegressor(max_iter=15, categorical_features=[True, False]).fit(x, y)
    asked = np.column_stack(
        [np.tile([-1, 0, 1, 3, 4, 5, 29, 30, 31, 70, 71, 200, np.nan], 50), np.arange(650) / 325 - 1]
    )
    got = boosted_graph(model, 2).predict(asked.astype(np.float32))[:, 0]
    np.testing.assert_allclose(got, model.predict(asked.astype(np.float32)), rtol=1e-6, atol=1e-6)


def test_thresholds_that_are_no_float32_numbers():
    """A row that is a float32 neighbour of the threshold goes as in float64: the other way, were it rounded up."""
    thresholds = np.array([0.1, 0.3, 1 / 3, -0.1, 1e300, -1e300, 2.0, np.inf, 1 + 2**-30])
    low = rounded_down(thresholds)
    assert low.dtype == np.float32
    with np.errstate(over="ignore"):
        near = np.concatenate([low, *(np.nextafter(low, np.float32(end)) for end in (np.inf, -np.inf))])
    for x in near:
        assert np.array_equal(x <= low, np.float64(x) <= thresholds)
    x = np.repeat(np.float32([0.1, 0.2, 0.3]), 30)[:, None]
    x = np.concatenate([x, np.nextafter(x, np.float32(1))])
    y = np.arange(len(x)) // 30 % 7.0
    model = HistGradientBoostingRegressor(max_iter=5, min_samples_leaf=1).fit(x, y)
    np.testing.assert_allclose(boosted_graph(model, 1).predict(x)[:, 0], model.predict(x), rtol=1e-6, atol=1e-6)


def test_trees_of_one_leaf():
    x, y = np.zeros((50, 2), np.float32), np.linspace(0, 1, 50)
    model = HistGradientBoostingRegressor(max_iter=3).fit(x, y)
    assert {len(tree.nodes) for (tree,) in model._predictors} == {1}
    for rows in (1, 30):
        np.testing.assert_allclose(boosted_graph(model, 2).predict(x[:rows])[:, 0], model.predict(x[:rows]), atol=1e-6)


def test_trees_of_many_leaves():
    """They are too large for a word of bits, and their nodes aren't in preorder."""
    random = np.random.default_rng(0)
    x, y = random.normal(size=(900, 4)).astype(np.float32), random.normal(size=900)
    for most in (31, 32, 33, 34, 200):
        model = HistGradientBoostingRegressor(max_iter=4, max_leaf_nodes=most, min_samples_leaf=1).fit(x, y)
        assert {(len(tree.nodes) + 1) // 2 for (tree,) in model._predictors} == {most}
        np.testing.assert_allclose(boosted_graph(model, 4).predict(x)[:, 0], model.predict(x), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("most", [None, 20])
def test_decision_trees(most):
    """Also those that grow by their best leaf, which lie in another order."""
    random = np.random.default_rng(0)
    x, y = random.normal(size=(400, 130)).astype(np.float32), random.normal(size=400)
    forest = ExtraTreesRegressor(5, max_leaf_nodes=most, random_state=0).fit(x, y)
    values = [one.tree_.value[:, 0] / 5 for one in forest.estimators_]
    tables = of_trees(forest.estimators_, values, None).tables(np.zeros(5), np.zeros(1))
    assert tables.depth == max(one.get_depth() for one in forest.estimators_)
    np.testing.assert_allclose(graph(tables, 130).predict(x)[:, 0], forest.predict(x), rtol=1e-6, atol=1e-6)


def test_forests_together_keep_their_own_places():
    random = np.random.default_rng(0)
    x = np.column_stack([random.integers(0, 30, 300), random.normal(size=300)]).astype(np.float32)
    models = [
        HistGradientBoostingRegressor(max_iter=5, categorical_features=sorts).fit(x, random.normal(size=300))
        for sorts in ([True, False], None, [True, False])
    ]
    parts = [of_boosting(model)[0] for model in models]
    base = [model._baseline_prediction.item() for model in models]
    tables = Grown.together(parts).tables(np.repeat([0, 1, 2], 5), base)
    wanted = np.stack([model.predict(x) for model in models], axis=1)
    np.testing.assert_allclose(graph(tables, 2).predict(x), wanted, rtol=1e-6, atol=1e-6)


def test_an_export_sees_networks_and_trees():
    """Its statements, computed with NumPy, give the prediction."""
    _, x, trees, _ = several("HistGradientBoosting", "multiclass")
    _, _, other, _ = several("ExtraTrees", "multiclass")
    _, _, line, _ = several(LINEAR, "multiclass")
    networks = Functional(columns := Input(x.shape[1:]), line.model(columns), name="networks")
    both = joined(networks, [trees, other])
    network = network_of(both, rows=7)
    given = network.weights | {network.inputs[0]: x[:7]}
    for statement in network.statements:
        for assignment in statement.assignments:
            (given[assignment.buffer],) = evaluated(settled([assignment.value], {"rows": 7}), given, StepState(), np)
    np.testing.assert_allclose(given[network.outputs[0]], both.predict(x[:7]), rtol=1e-5, atol=1e-6)
    assert {type(statement.instruction) for statement in network.statements} >= {Forest, Affine}


def test_fits_side_by_side_leave_the_filters_of_warnings():
    """Two threads leave their `catch_warnings` in the order in which they entered, as scikit-learn's do by chance."""
    step = Barrier(2)

    def first():
        with warnings.catch_warnings():
            step.wait()
            step.wait()
        step.wait()

    def second():
        step.wait()
        with warnings.catch_warnings():
            step.wait()
            step.wait()
            warnings.resetwarnings()
            warnings.warn("`sklearn.utils.parallel.delayed` should be used with `Parallel`", UserWarning, stacklevel=1)
            warnings.warn("not converged", ConvergenceWarning, stacklevel=1)
            warnings.warn("of another kind", UserWarning, stacklevel=1)

    before = list(warnings.filters)
    with pytest.warns(UserWarning, match="of another kind") as told, steady_warnings():
        side_by_side([first, second], 2, print)
    assert len(told) == 1
    assert list(warnings.filters) == before
    with pytest.raises(UserWarning, match="of another kind"), steady_warnings():
        side_by_side([first, second], 2, print)
    assert list(warnings.filters) == before


def test_libraries_with_threads_compute_with_one_and_have_theirs_back():
    """Those that scikit-learn brings: they are looked for once."""

    def threads():
        return {(one["user_api"], one["num_threads"]) for one in _libraries().info()}

    with _libraries().limit(limits=2, user_api="openmp"):
        assert ("openmp", 2) in threads()
        for kind in ("openmp", None):
            with one_thread(kind):
                assert ("openmp", 1) in threads()
                assert ("openmp", 2) not in threads()
        assert ("openmp", 2) in threads()
