import numpy as np
import pytest

from thalweg.sklearn import Forecaster


@pytest.fixture
def quick():
    """A forecaster of four steps that takes a moment."""
    return lambda horizon=4, **given: Forecaster(horizon, **{"networks": 1, "epochs": 2, "random_state": 0, **given})


@pytest.fixture
def wave():
    """80 values with a season of 7."""
    return 10 + np.sin(np.arange(80) * 2 * np.pi / 7)
