"""Linear algebra and segments, on arrays: what Keras gives."""

import numpy as np
import pytest

import thalweg

DRAW = np.random.default_rng(1)
A = DRAW.normal(size=(2, 4, 4)).astype("f")
B = DRAW.normal(size=(2, 4, 3)).astype("f")
S = A @ A.swapaxes(1, 2) + np.eye(4, dtype="f")
IDS = np.array([1, 0, 1, 3])

CASES = {
    "solve": lambda o: o.solve(A, B),
    "solve of vectors": lambda o: o.linalg.solve(A[0], B[0, :, 0]),
    "inv": lambda o: o.inv(A),
    "det": lambda o: o.linalg.det(A),
    "solve_triangular": lambda o: o.solve_triangular(S, B),
    "solve_triangular below": lambda o: o.solve_triangular(S[0], B[0, :, 1], lower=True),
    "cholesky": lambda o: o.cholesky(S),
    "cholesky above": lambda o: o.linalg.cholesky(S, upper=True),
    "segment_sum": lambda o: o.segment_sum(B[0], IDS, 4),
    "segment_sum of some": lambda o: o.segment_sum(B[0], IDS, 2),
    "segment_max": lambda o: o.segment_max(B[0], IDS, 5),
    "segment_max of whole numbers": lambda o: o.segment_max(np.array([3, -1, 4, 1], "int32"), IDS, 3, sorted=False),
}


@pytest.mark.parametrize("name", CASES)
def test_values(keras, name):
    found, wanted = np.asarray(CASES[name](thalweg.ops)), np.asarray(CASES[name](keras.ops))
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda o: o.solve(B, B),
        lambda o: o.det(B),
        lambda o: o.inv(B),
        lambda o: o.cholesky(B),
        lambda o: o.segment_sum(B[0], IDS[:3], 4),
        lambda o: o.segment_max(B[0], B[0], 4),
    ],
)
def test_both_refuse(keras, wrong):
    for library in (keras, thalweg):
        with pytest.raises((ValueError, np.linalg.LinAlgError)):
            wrong(library.ops)
