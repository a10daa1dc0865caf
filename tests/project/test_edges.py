"""The example of edges: by hand, and learned from photographs."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("PIL")  # scikit-learn reads its photographs with it


@pytest.fixture(scope="module")
def edges():
    spec = importlib.util.spec_from_file_location("edges", Path(__file__).parents[2] / "examples" / "edges.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_bright_to_dark_gives_thirty(edges):
    *_, answer = edges.by_hand()
    assert np.array_equal(answer, [[0, 30, 30, 0]] * 4)


def test_a_convolution_finds_sobel_s_kernel(edges):
    learned, sobel = edges.learn()
    assert np.array_equal(sobel, [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    assert np.corrcoef(learned.ravel(), sobel.ravel())[0, 1] >= 0.99
    untrained, _ = edges.learn(epochs=0)
    assert np.corrcoef(untrained.ravel(), sobel.ravel())[0, 1] < 0.9  # the control
