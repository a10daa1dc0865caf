"""Trees and linear models in a run folder: a model, as the networks are.

Earlier runs have scikit-learn's, by skops, which tells what a file holds before it makes anything of it. No pickle is
read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from thalweg import layers
from thalweg.errors import ModelFileError
from thalweg.models.functional import Functional
from thalweg.models.loading import load_model
from thalweg.models.model import Model
from thalweg.runs.folder import RUN
from thalweg.support.extras import need
from thalweg.support.untrusted import readable
from thalweg.tabular.beside import Trees, columns_of, trees_of
from thalweg.tabular.features import Features
from thalweg.tabular.forests.conversion import asked_columns
from thalweg.tabular.forests.forest_layer import ForestLayer
from thalweg.tabular.qualities import LINEAR

TREES, OLD_TREES = "trees.safetensors", "trees.skops"
KNOWN = [
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
    "numpy.dtype",
    "functools.partial",
    "sklearn.utils.validation.check_array",
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",  # these skops trusts by itself in later versions
    "sklearn._loss.link.IdentityLink",
    "sklearn._loss.link.Interval",
    "sklearn._loss.link.LogitLink",
    "sklearn._loss.link.MultinomialLogit",
    "sklearn._loss.loss.HalfBinomialLoss",
    "sklearn._loss.loss.HalfMultinomialLoss",
    "sklearn._loss.loss.HalfSquaredError",
    "sklearn.compose._column_transformer._RemainderColsList",
]
"""What scikit-learn's trees consist of besides what skops trusts by itself. The numbers in the first two are checked by
`is_sound`; a partial function of another function than the last would be named as foreign, as that function is."""
MOST_CODES = 1000
"""Of a column of categories; the matrix has no more than 101 columns for one."""


def save_trees(trees: Sequence[Trees], path: Path) -> None:
    """Writes trees as a model with an output for each kind; names and weights are in run.json."""
    x = layers.Input(trees[0].model.input_shape[1:], name="columns")
    Functional(x, [kind.model(x) for kind in trees], name="trees", seed=0).save(path)


def load_trees(folder: Path, features: Features, weights: Mapping[str, float]) -> list[Trees]:
    """The trees in a run folder, for the matrix of these features.

    Args:
        weights: by the names of the kinds, as run.json has them.

    Raises:
        ModelFileError: a file is damaged, holds other things than run.json says, or trees that lead nowhere.
    """
    path, old = folder / TREES, folder / OLD_TREES
    if old.is_file():
        trees = load_fitted(old, features)
    elif path.is_file():
        trees = load_model_of(path, features, weights)
    else:
        trees = []
    if {kind.name: kind.weight for kind in trees} != weights:
        raise ModelFileError(f"{folder}: {RUN} and its trees don't belong together")
    return trees


def load_model_of(path: Path, features: Features, weights: Mapping[str, float]) -> list[Trees]:
    """The trees in a file of `save_trees`."""
    assert features.target is not None
    model = load_model(path, custom_objects={ForestLayer.__name__: ForestLayer})
    kinds = [layer for layer in model.layers if isinstance(layer, Model)]
    shapes = (len(features.feature_names),), (features.target.outputs,)
    if any((kind.row_in, kind.row_out) != shapes for kind in kinds):
        raise ModelFileError(f"{path} and the columns don't belong together")
    with readable(ModelFileError, f"{path} is damaged"):
        check(kinds)
    return [Trees(str(kind.name), kind, weights.get(str(kind.name), 0.0)) for kind in kinds]


def check(models: Sequence[Model]) -> None:
    """Raises ModelFileError for trees that lead nowhere."""
    for model in models:
        for layer in model.inside:
            if isinstance(layer, ForestLayer):
                layer.check()


# --- earlier runs ----------------------------------------------------------------------------------------------------


def load_fitted(path: Path, features: Features) -> list[Trees]:
    """The trees in a file of scikit-learn's estimators, as runs had one before trees became graphs."""
    need("skops", "", "a file of trees")
    import skops.io

    columns = len(features.feature_names), len(columns_of(features))
    with readable(ModelFileError, f"{path} is damaged"):
        foreign = sorted(set(skops.io.get_untrusted_types(file=path)) - set(KNOWN))
        if foreign:
            raise ModelFileError(f"{path} holds {', '.join(foreign[:3])}, which is no part of scikit-learn's trees")
        stored = skops.io.load(path, trusted=KNOWN)
        if not isinstance(stored, list) or not all(is_kind(kind, *columns) for kind in stored):
            raise ModelFileError(f"{path} is damaged: it holds no trees")
        trees = [trees_of(kind["name"], kind["models"], features, kind["weight"]) for kind in stored]
        check([kind.model for kind in trees])
    return trees


def is_kind(value: Any, columns: int, compact: int) -> bool:
    """Whether it is the name, the fitted models and the weight of one kind, for so many columns, or compact ones."""
    return (
        isinstance(value, dict)
        and value.keys() == {"name", "models", "weight"}
        and isinstance(value["name"], str)
        and isinstance(value["weight"], float)
        and 0 <= value["weight"] <= 1
        and isinstance(value["models"], list)
        and all(
            is_line(model, columns) if value["name"] == LINEAR else is_sound(model, compact)
            for model in value["models"]
        )
    )


def is_line(model: Any, columns: int) -> bool:
    """Whether it is a linear model with a weight for each column."""
    return bool(np.shape(getattr(model, "coef_", ()))[-1:] == (columns,))


def is_sound(model: Any, columns: int) -> bool:
    """Whether every step of a model's trees leads to a later node, and asks for a column that there is.

    scikit-learn follows the numbers of the nodes without checking them.
    """
    last = model.steps[-1][1] if hasattr(model, "steps") else model
    if hasattr(last, "_predictors"):
        known = [own for own in asked_columns(last)[1] if own is not None]
        if last.n_features_in_ != columns or any(own.max(initial=0) > MOST_CODES for own in known):
            return False
        predictors = [tree for of_class in last._predictors for tree in of_class]
        return all(
            leads_on(tree.nodes, "left", "right", "feature_idx", columns)
            and knows_sets(tree.nodes, len(tree.raw_left_cat_bitsets))
            for tree in predictors
        )
    found = [tree.tree_.__getstate__()["nodes"] for tree in getattr(last, "estimators_", [])]
    return bool(found) and all(leads_on(nodes, "left_child", "right_child", "feature", columns) for nodes in found)


def knows_sets(nodes: Any, sets: int) -> bool:
    """Whether the set of categories of each node that splits by one is there."""
    asked = nodes["bitset_idx"][nodes["is_categorical"].astype(bool)]
    return bool((asked < sets).all())


def leads_on(nodes: Any, left: str, right: str, feature: str, columns: int) -> bool:
    """Whether the children of each node that splits come after it, and its column is there."""
    place = np.arange(len(nodes))
    leaf = nodes["is_leaf"].astype(bool) if "is_leaf" in nodes.dtype.names else nodes[left].astype(np.int64) < 0
    splits = place[~leaf]
    children = [nodes[side].astype(np.int64)[splits] for side in (left, right)]
    column = nodes[feature].astype(np.int64)[splits]
    return (
        len(nodes) > 0
        and all(bool(((child > splits) & (child < len(nodes))).all()) for child in children)
        and bool(((column >= 0) & (column < columns)).all())
    )
