import numpy as np
import pytest

from thalweg.models.functional import Functional
from thalweg.series import global_network
from thalweg.sklearn import Forecaster
from thalweg.tabular.clock import Clock


@pytest.fixture
def quick():
    """A forecaster of four steps that takes a moment."""
    return lambda horizon=4, **given: Forecaster(horizon, **{"networks": 1, "epochs": 2, "random_state": 0, **given})


class Counted(Clock):
    """A clock on which only what is said to takes time."""

    seconds = 0.0

    @property
    def passed(self):
        return self.seconds


@pytest.fixture
def counted(monkeypatch):
    """Makes such a clock, with a limit, on a machine with one core: an epoch takes a second."""

    def with_limit(limit, page=0.0):
        clock, fit = Counted(limit, page=page), Functional.fit

        def an_epoch(*given, **more):
            clock.seconds += 1
            return fit(*given, **more)

        monkeypatch.setattr(Functional, "fit", an_epoch)
        monkeypatch.setattr(global_network, "cores", lambda: 1)
        return clock

    return with_limit


@pytest.fixture
def wave():
    """80 values with a season of 7."""
    return 10 + np.sin(np.arange(80) * 2 * np.pi / 7)
