"""MLPClassifier and MLPRegressor beside scikit-learn's: first the same loss curve, then the time of a whole `fit`.

scikit-learn is timed with one thread and with all; its faster one counts. thalweg is timed as it comes. Both get
float64 arrays, as scikit-learn's users have them.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import neural_network as theirs
from sklearn.datasets import load_iris, make_classification, make_regression

from thalweg import sklearn as ours

Array = NDArray[Any]
MNIST = Path(__file__).parents[2] / "shared" / "data" / "mnist.npz"
AGREE = 1e-4  # the largest difference of two loss curves over the first 10 epochs


@dataclass(frozen=True)
class Case:
    """An estimator with its data; epochs are fixed: nothing stops early."""

    name: str
    estimator: str
    data: Callable[[], tuple[Any, Array]]
    parameters: dict[str, Any]
    epochs: int
    least: float = 0.0  # the ratio that is asked for

    def made(self, module: Any) -> Any:
        more = {} if self.parameters.get("solver") == "lbfgs" else {"tol": 0.0, "n_iter_no_change": np.inf}
        return getattr(module, self.estimator)(random_state=0, max_iter=self.epochs, **more, **self.parameters)


def table() -> tuple[Array, Array]:
    X, y = make_classification(20_000, 30, n_informative=15, n_classes=3, random_state=0)
    return X, y


def numbers() -> tuple[Array, Array]:
    X, y = make_regression(20_000, 30, random_state=0)
    return X, y / y.std()


def digits() -> tuple[Array, Array]:
    """MNIST's training images, or random ones where the file is missing: the arithmetic is the same."""
    if MNIST.exists():
        with np.load(MNIST) as file:
            return file["X_train"].reshape(-1, 784) / 255.0, file["y_train"].astype(int)
    random = np.random.default_rng(0)
    return random.random((60_000, 784)), random.integers(0, 10, 60_000)


def words() -> tuple[Any, Array]:
    from scipy import sparse

    X = sparse.random(5_000, 10_000, 0.005, random_state=0, format="csr")
    return X, np.random.default_rng(0).integers(0, 4, 5_000)


CASES = [
    Case("table 20,000×30, (64, 64), Adam", "MLPClassifier", table, {"hidden_layer_sizes": (64, 64)}, 10, 5.0),
    Case("numbers 20,000×30, (64, 64), Adam", "MLPRegressor", numbers, {"hidden_layer_sizes": (64, 64)}, 10, 5.0),
    Case("MNIST, (128,), Adam", "MLPClassifier", digits, {"hidden_layer_sizes": (128,)}, 3, 3.0),
    Case("table, early stopping", "MLPClassifier", table, {"hidden_layer_sizes": (64, 64), "early_stopping": True}, 10),
    Case("iris, (100,), 200 epochs, float64", "MLPClassifier", lambda: load_iris(return_X_y=True), {}, 200),
    Case("iris, (100,), 200 epochs, float32", "MLPClassifier", lambda: load_iris(return_X_y=True), {}, 200),
    Case("table, L-BFGS, 20 iterations", "MLPClassifier", table, {"solver": "lbfgs"}, 20),
    Case("words 5,000×10,000, sparse, (100,)", "MLPClassifier", words, {}, 2),
]


def fitted(case: Case, module: Any, X: Any, y: Array) -> tuple[Any, float]:
    """The estimator after its fit, and the seconds that took."""
    estimator = case.made(module)
    if module is ours and "float32" in case.name:
        estimator.set_params(dtype="float32")
    begin = time.perf_counter()
    estimator.fit(X, y)
    return estimator, time.perf_counter() - begin


def in_type_of(case: Case, X: Any) -> Any:
    """X in the float type in which thalweg computes: scikit-learn computes in that of X, and after a thousand steps
    its own two curves differ by more than AGREE."""
    small = "float64" in case.name or case.parameters.get("solver") == "lbfgs"
    return X if small else X.astype(np.float32)


def threads(count: int | None) -> AbstractContextManager[Any]:
    from threadpoolctl import threadpool_limits

    return nullcontext() if count is None else threadpool_limits(count)


def difference(one: Any, other: Any) -> float:
    """The largest difference of the two loss curves over 10 epochs; of L-BFGS, of the losses at the end."""
    curves = [np.array(getattr(e, "loss_curve_", [e.loss_])[:10]) for e in (one, other)]
    return float(np.abs(curves[0] - curves[1]).max())


def estimators(only: str | None, rounds: int) -> None:
    """Prints a line for each case: difference, seconds, ratio."""
    warnings.simplefilter("ignore")
    for case in CASES:
        if only is not None and only not in case.name:
            continue
        X, y = case.data()
        apart = difference(fitted(case, ours, X, y)[0], fitted(case, theirs, in_type_of(case, X), y)[0])
        if apart > AGREE:
            raise SystemExit(f"{case.name}: the loss curves differ by {apart:.1e}, at most {AGREE:g} is allowed")
        seconds: dict[str, list[float]] = {"thalweg": [], "one thread": [], "all threads": []}
        for _ in range(rounds):
            seconds["thalweg"].append(fitted(case, ours, X, y)[1])
            for name, count in (("one thread", 1), ("all threads", None)):
                with threads(count):
                    seconds[name].append(fitted(case, theirs, X, y)[1])
        us, one, every = (median(values) for values in seconds.values())
        ratio = min(one, every) / us
        wanted = f", wanted {case.least:g}" if case.least else ""
        print(
            f"{case.name}: curves differ by {apart:.0e}; thalweg {us:.3f} s, scikit-learn {one:.3f} s with one thread, "
            f"{every:.3f} s with all; {ratio:.1f} times as fast{wanted}",
            flush=True,
        )
