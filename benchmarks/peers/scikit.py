"""scikit-learn's MLPClassifier: `partial_fit`, an epoch at a time; many networks with joblib on all cores."""

from __future__ import annotations

from typing import Any

import numpy as np
from joblib import Parallel, delayed
from joblib.externals.loky import get_reusable_executor
from sklearn.neural_network import MLPClassifier

from benchmarks.convolutions import Convolution
from benchmarks.graphs import Graph
from benchmarks.images import Images
from benchmarks.peers.base import EPSILON, Arrays, Prediction, Training
from benchmarks.workloads import Workload


def network(work: Workload, x: Any, y: Any, number: int = 0) -> Any:
    """The classifier with its initial weights and a fresh optimizer, both of which it makes in its first step."""
    rows = slice(0, work.batch)
    net = MLPClassifier(
        work.sizes[1:-1],
        activation=work.activation,
        alpha=0.0,
        batch_size=work.batch,
        learning_rate_init=work.learning_rate,
        epsilon=EPSILON,
    )
    net.partial_fit(x[rows], y[rows], classes=np.arange(work.sizes[-1]))
    arrays = work.weights(number)
    for own, array in zip([*net.coefs_, *net.intercepts_], [*arrays[::2], *arrays[1::2]], strict=True):
        own[...] = array
    optimizer = net._optimizer
    optimizer.t = 0
    for slot in (*optimizer.ms, *optimizer.vs):
        slot[...] = 0
    return net


def trained(net: Any, x: Any, y: Any, epochs: int, shuffle: bool) -> Any:
    net.shuffle = shuffle
    for _ in range(epochs):
        net.partial_fit(x, y)
    return net


class Fit(Training):
    def make(self) -> None:
        self.start()

    def start(self) -> None:
        self.nets = [network(self.work, self.x, self.y, n) for n in range(self.work.networks)]

    def train(self, x: Any, y: Any, epochs: int, shuffle: bool) -> None:
        trained(self.nets[0], x, y, epochs, shuffle)

    def weights(self, network: int) -> Arrays:
        net = self.nets[network]
        return [array for pair in zip(net.coefs_, net.intercepts_, strict=True) for array in pair]


class FitMany(Fit):
    """In worker processes, which joblib keeps."""

    def train(self, x: Any, y: Any, epochs: int, shuffle: bool) -> None:
        tasks = (delayed(trained)(net, x, y, epochs, shuffle) for net in self.nets)
        self.nets = Parallel(n_jobs=-1)(tasks)

    def close(self) -> None:
        get_reusable_executor().shutdown()  # otherwise joblib's processes would outlive this one by minutes


class Predict(Prediction):
    def make(self) -> None:
        work = self.work
        x = np.zeros((work.sizes[-1], work.sizes[0]), np.float32)
        self.net = network(work, x, np.arange(work.sizes[-1]))

    def predict(self, x: Any) -> Any:
        return self.net.predict_proba(x)


def variants(work: Workload) -> dict[str, Any]:
    if isinstance(work, Images | Convolution | Graph):
        return {}
    if work.task != "classes":
        return {}  # its regressor has no sigmoid output
    if work.does == "fit many":
        return {"joblib": FitMany}
    return {"": {"fit": Fit, "predict": Predict}[work.does]}
