"""Linear algebra and segments, on arrays: what Keras gives."""

import numpy as np
import pytest

import thalweg

DRAW = np.random.default_rng(1)
A = DRAW.normal(size=(2, 4, 4)).astype("f")
B = DRAW.normal(size=(2, 4, 3)).astype("f")
S = A @ A.swapaxes(1, 2) + np.eye(4, dtype="f")
IDS = np.array([1, 0, 1, 3])


def pair(*parts):
    """Arrays beside each other, in one row."""
    return np.concatenate([np.asarray(part).ravel() for part in parts])


CASES = {
    "solve": lambda o: o.solve(A, B),
    "solve of vectors": lambda o: o.linalg.solve(A[0], B[0, :, 0]),
    "inv": lambda o: o.inv(A),
    "det": lambda o: o.linalg.det(A),
    "solve_triangular": lambda o: o.solve_triangular(S, B),
    "solve_triangular below": lambda o: o.solve_triangular(S[0], B[0, :, 1], lower=True),
    "cholesky": lambda o: o.cholesky(S),
    "cholesky above": lambda o: o.linalg.cholesky(S, upper=True),
    "qr": lambda o: pair(*o.qr(B)),
    "qr of both sizes": lambda o: pair(*o.linalg.qr(B.swapaxes(1, 2), mode="complete")),
    "lstsq": lambda o: o.lstsq(B[0], A[0]),
    "lstsq of vectors": lambda o: o.linalg.lstsq(B[0].T, A[0, 0, :3]),
    "lstsq of dependent columns": lambda o: o.lstsq(np.ones((3, 2), "f"), B[0, :3]),
    "eigh": lambda o: pair(*(np.asarray(part) ** k for k, part in enumerate(o.eigh(S), 1))),
    "svd": lambda o: pair(*(np.asarray(part) ** 2 for part in o.svd(B, full_matrices=False))),
    "singular values": lambda o: o.linalg.svd(B, compute_uv=False),
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
        lambda o: o.eigh(B),
        lambda o: o.qr(A, mode="r"),
        lambda o: o.segment_sum(B[0], IDS[:3], 4),
        lambda o: o.segment_max(B[0], B[0], 4),
    ],
)
def test_both_refuse(keras, wrong):
    for library in (keras, thalweg):
        with pytest.raises((ValueError, np.linalg.LinAlgError)):
            wrong(library.ops)
