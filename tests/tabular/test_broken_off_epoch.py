"""Which epoch of a member is kept, and what it is called."""

from types import SimpleNamespace

import numpy as np
import pytest

from thalweg.tabular.clock import Clock
from thalweg.tabular.training import BestEpoch


@pytest.mark.parametrize(("broken_off", "best"), [(0.5, 2), (4.0, 4), (None, 2)])
def test_an_epoch_that_is_broken_off_has_the_number_after_the_whole_ones(broken_off, best):
    """It is kept if it is the best, but no loss is noted for it, as for no epoch that hasn't ended."""
    scores = iter([1.0, 3.0, 2.0, broken_off])
    network = SimpleNamespace(vector=np.zeros(1), optimizer=SimpleNamespace(iterations=0), stop_training=False)
    bare = SimpleNamespace(predict=lambda x, verbose, lanes: network.vector.copy())
    watcher = BestEpoch(
        bare, np.zeros((1, 1)), np.zeros(1, int), lambda rows, outputs: (next(scores),), Clock(None), object(), 1,
        patience=0, loss=lambda outputs: 0.0,
    )  # fmt: skip
    watcher.set_model(network)
    watcher.on_train_begin()
    for epoch in range(3):
        network.optimizer.iterations += 2
        network.vector[0] = epoch + 1
        watcher.on_epoch_end(epoch)
    if broken_off is not None:
        network.optimizer.iterations += 1
        network.vector[0] = 4
    watcher.on_train_end()
    assert (watcher.best_epoch, network.vector[0], len(watcher.losses)) == (best, best, 3)
