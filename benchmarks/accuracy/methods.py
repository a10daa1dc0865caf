"""The methods, each by its defaults, on one thread. Where a library's guide asks for a setting, it is written here."""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.columns import (
    Preparation,
    categories,
    encoder,
    filled_categories,
    strings,
    texts,
    unchanged,
)

SMALL = ("telco_churn", "wine_quality", "spambase", "breast_cancer", "digits", "wine",
         "reg_cpu_act", "abalone", "diabetes")  # fmt: skip
MINUTES = 5  # for AutoGluon


@dataclass(frozen=True)
class Asked:
    """What a method is made for."""

    train: Any  # the columns of the training rows
    task: str  # "classes" or "numbers"
    seed: int

    def either(self, classifier: Any, regressor: Any) -> Any:
        return classifier if self.task == "classes" else regressor


@dataclass(frozen=True)
class Method:
    """A way to predict a table: estimators with scikit-learn's fit and predict, and what they want as columns.

    `needs` is the module it is in, `package` whose version is noted. A slow method has `tables` and `splits`, those on
    which it runs unless others are asked for.
    """

    name: str
    needs: str
    package: str
    make: Callable[[Asked], Any]
    columns: Preparation = unchanged
    tables: tuple[str, ...] | None = None
    splits: int | None = None

    @property
    def present(self) -> bool:
        try:
            return importlib.util.find_spec(self.needs) is not None
        except ModuleNotFoundError:  # not even the package around it
            return False


class Fitted:
    """A method fitted on the training rows. Predictions are probabilities of the classes 0, 1, …, or numbers."""

    def __init__(self, method: Method, task: str, seed: int, train: Any, y: NDArray[Any]) -> None:
        self.task, self.kinds = task, int(y.max()) + 1 if task == "classes" else 0
        self.columns = method.columns(train)
        columns = self.columns(train)
        self.estimator = method.make(Asked(columns, task, seed))
        self.estimator.fit(columns, y)

    def predict(self, frame: Any) -> NDArray[Any]:
        columns = self.columns(frame)
        if self.task == "numbers":
            return np.asarray(self.estimator.predict(columns), np.float64).ravel()
        found = np.zeros((len(frame), self.kinds))
        found[:, np.asarray(self.estimator.classes_).astype(int)] = self.estimator.predict_proba(columns)
        return found


# --- Baselines and scikit-learn --------------------------------------------------------------------------------------


def majority(asked: Asked) -> Any:
    from sklearn.dummy import DummyClassifier, DummyRegressor

    return asked.either(DummyClassifier, DummyRegressor)()


def linear(asked: Asked) -> Any:
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline

    estimator = LogisticRegression(max_iter=1000) if asked.task == "classes" else Ridge()
    return make_pipeline(encoder(asked.train), estimator)


def scaled(asked: Asked, classifier: Any, regressor: Any) -> Any:
    """A network behind scikit-learn's transformers; the target of a regression is standardised."""
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if asked.task == "classes":
        return make_pipeline(encoder(asked.train), classifier(random_state=asked.seed))
    network = TransformedTargetRegressor(regressor(random_state=asked.seed), transformer=StandardScaler())
    return make_pipeline(encoder(asked.train), network)


def scikit_network(asked: Asked) -> Any:
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    return scaled(asked, MLPClassifier, MLPRegressor)


def histogram_boosting(asked: Asked) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    return asked.either(HistGradientBoostingClassifier, HistGradientBoostingRegressor)(random_state=asked.seed)


# --- Boosted trees ---------------------------------------------------------------------------------------------------


def lightgbm(asked: Asked) -> Any:
    from lightgbm import LGBMClassifier, LGBMRegressor

    return asked.either(LGBMClassifier, LGBMRegressor)(n_jobs=1, random_state=asked.seed, verbosity=-1)


def xgboost(asked: Asked) -> Any:
    from xgboost import XGBClassifier, XGBRegressor

    return asked.either(XGBClassifier, XGBRegressor)(enable_categorical=True, n_jobs=1, random_state=asked.seed)


def catboost(asked: Asked) -> Any:
    from catboost import CatBoostClassifier, CatBoostRegressor

    quiet = {"verbose": False, "allow_writing_files": False}
    return asked.either(CatBoostClassifier, CatBoostRegressor)(
        cat_features=texts(asked.train), thread_count=1, random_seed=asked.seed, **quiet
    )


# --- Networks --------------------------------------------------------------------------------------------------------


def pytabkit(name: str) -> Callable[[Asked], Any]:
    def make(asked: Asked) -> Any:
        import pytabkit as library

        estimator = getattr(library, f"{name}_{asked.either('Classifier', 'Regressor')}")
        return estimator(device="cpu", n_threads=1, random_state=asked.seed)

    return make


class AutoGluon:
    """AutoGluon's predictor as an estimator: its best preset within some minutes, without pretrained models."""

    PRETRAINED = ("MITRA", "NORI", "REALTABPFN-V2", "REALTABPFN-V2.5", "TABDPT", "TABICL", "TABPFN-V2.6", "TABPFNMIX")

    def __init__(self, task: str) -> None:
        from autogluon.tabular import TabularPredictor

        self.task, self.make = task, TabularPredictor

    def fit(self, X: Any, y: NDArray[Any]) -> AutoGluon:
        folder = tempfile.mkdtemp(prefix="autogluon")
        kind = None if self.task == "classes" else "regression"
        self.predictor = self.make("target", problem_type=kind, path=folder, verbosity=0).fit(
            X.assign(target=y),
            time_limit=60 * MINUTES,
            presets="best_quality",
            num_cpus=1,
            excluded_model_types=list(self.PRETRAINED),
        )
        self.classes_ = np.array(self.predictor.class_labels or [])
        return self

    def predict(self, X: Any) -> NDArray[Any]:
        return np.asarray(self.predictor.predict(X))

    def predict_proba(self, X: Any) -> NDArray[Any]:
        return np.asarray(self.predictor.predict_proba(X)[list(self.classes_)])


def autogluon(asked: Asked) -> Any:
    return AutoGluon(asked.task)


def our_network(asked: Asked) -> Any:
    from thalweg.sklearn import MLPClassifier, MLPRegressor

    return scaled(asked, MLPClassifier, MLPRegressor)


def tabular(quality: str, **settings: Any) -> Callable[[Asked], Any]:
    """An estimator for tables; `members="networks"` leaves trees out."""

    def make(asked: Asked) -> Any:
        from thalweg.sklearn import TabularClassifier, TabularRegressor

        estimator = asked.either(TabularClassifier, TabularRegressor)
        return estimator(quality=quality, random_state=asked.seed, n_jobs=1, **settings)

    return make


METHODS = {
    method.name: method
    for method in (
        Method("majority or mean", "sklearn", "scikit-learn", majority),
        Method("linear", "sklearn", "scikit-learn", linear),
        Method("scikit-learn MLP", "sklearn", "scikit-learn", scikit_network),
        Method("HistGradientBoosting", "sklearn", "scikit-learn", histogram_boosting, categories),
        Method("LightGBM", "lightgbm", "lightgbm", lightgbm, categories),
        Method("XGBoost", "xgboost", "xgboost", xgboost, categories),
        Method("CatBoost", "catboost", "catboost", catboost, strings),
        Method("RealMLP-TD-S", "pytabkit", "pytabkit", pytabkit("RealMLP_TD_S"), filled_categories, SMALL, 1),
        Method("RealMLP-TD", "pytabkit", "pytabkit", pytabkit("RealMLP_TD"), filled_categories, SMALL, 1),
        Method("TabM", "pytabkit", "pytabkit", pytabkit("TabM_D"), filled_categories, ("abalone", "telco_churn"), 1),
        Method("AutoGluon", "autogluon", "autogluon.tabular", autogluon, tables=("telco_churn", "abalone"), splits=1),
        Method("thalweg MLP", "thalweg.sklearn", "thalweg", our_network),
        Method("thalweg fast", "thalweg.sklearn", "thalweg", tabular("fast")),
        Method("thalweg balanced", "thalweg.sklearn", "thalweg", tabular("balanced")),
        Method("thalweg best", "thalweg.sklearn", "thalweg", tabular("best")),
        Method("thalweg balanced, networks", "thalweg.sklearn", "thalweg", tabular("balanced", members="networks")),
    )
}
