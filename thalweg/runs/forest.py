"""Trees and linear models in a run folder: by skops, which tells what a file holds before it makes anything of it.

No pickle is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from thalweg.errors import ModelFileError
from thalweg.support.extras import need
from thalweg.support.untrusted import readable
from thalweg.tabular.qualities import LINEAR
from thalweg.tabular.trees import Trees

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


def save_trees(trees: Sequence[Trees], path: Path) -> None:
    """Writes trees with their names and weights."""
    need("skops", "", "a file of trees")
    import skops.io

    skops.io.dump([kind._asdict() for kind in trees], path)


def load_trees(path: Path, columns: int) -> list[Trees]:
    """The trees in a file, for a matrix of so many columns at most.

    Raises:
        ModelFileError: the file is damaged, holds other types than scikit-learn's, or trees that lead nowhere.
    """
    need("skops", "", "a file of trees")
    import skops.io

    with readable(ModelFileError, f"{path} is damaged"):
        foreign = sorted(set(skops.io.get_untrusted_types(file=path)) - set(KNOWN))
        if foreign:
            raise ModelFileError(f"{path} holds {', '.join(foreign[:3])}, which is no part of scikit-learn's trees")
        stored = skops.io.load(path, trusted=KNOWN)
        if not isinstance(stored, list) or not all(is_kind(kind, columns) for kind in stored):
            raise ModelFileError(f"{path} is damaged: it holds no trees")
        return [Trees(**kind) for kind in stored]


def is_kind(value: Any, columns: int) -> bool:
    """Whether it is the name, the fitted models and the weight of one kind of trees."""
    return (
        isinstance(value, dict)
        and value.keys() == set(Trees._fields)
        and isinstance(value["name"], str)
        and isinstance(value["weight"], float)
        and 0 <= value["weight"] <= 1
        and isinstance(value["models"], list)
        and all((is_line if value["name"] == LINEAR else is_sound)(model, columns) for model in value["models"])
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
