"""What gives steps a position: by the equations of keras_hub's layers, in other words."""

import numpy as np
import pytest

from thalweg import Input
from thalweg.errors import ArgumentError, ShapeError
from thalweg.layers import PositionEmbedding, RotaryEmbedding, SinePositionEncoding, TokenAndPositionEmbedding

X = np.random.default_rng(0).normal(size=(3, 5, 6)).astype("f")


def test_positions_are_rows_of_a_table():
    layer = PositionEmbedding(8)
    z = layer(X)
    (table,) = layer.get_weights()
    assert table.shape == (8, 6)
    np.testing.assert_array_equal(z, np.broadcast_to(table[:5], X.shape))
    with pytest.raises(ShapeError, match="has 4 positions, but its input 5 steps"):
        PositionEmbedding(4)(Input((5, 6)))


def test_tokens_and_positions_are_added():
    layer, ids = TokenAndPositionEmbedding(9, 7, 4), np.array([[1, 8, 0], [2, 2, 2]])
    h = layer(ids)
    tokens, places = layer.get_weights()
    np.testing.assert_allclose(h, tokens[ids] + places[:3], atol=1e-7)
    with pytest.raises(ArgumentError, match="mask_zero"):
        TokenAndPositionEmbedding(9, 7, 4, mask_zero=True)


def test_waves_alternate():
    z = SinePositionEncoding(100.0)(X)
    for position in range(5):
        for i in range(3):
            angle = position / 100.0 ** (2 * i / 6)
            np.testing.assert_allclose(z[0, position, 2 * i : 2 * i + 2], [np.sin(angle), np.cos(angle)], atol=1e-6)


@pytest.mark.parametrize("heads", [False, True])
def test_pairs_are_turned_as_complex_numbers(heads):
    x = np.stack([X, 2 * X], axis=2) if heads else X
    z = RotaryEmbedding(100.0, 2.0)(x)
    angles = np.arange(5)[:, None] / 2 * 100.0 ** (-np.arange(0, 6, 2) / 6)
    turned = (x[..., :3] + 1j * x[..., 3:]) * np.exp(1j * (angles[:, None] if heads else angles))
    np.testing.assert_allclose(z, np.concatenate([turned.real, turned.imag], axis=-1), atol=1e-6)


def test_turned_products_depend_on_the_distance_alone():
    q, k = (RotaryEmbedding()(np.broadcast_to(X[0, n], (1, 5, 6))) for n in (0, 1))
    products = q[0] @ k[0].T
    for distance in range(4):
        np.testing.assert_allclose(np.diagonal(products, distance), products[0, distance], atol=1e-5)


def test_other_axes_are_refused():
    with pytest.raises(ArgumentError, match="sequence_axis"):
        RotaryEmbedding(sequence_axis=2)
    with pytest.raises(ShapeError, match="even"):
        RotaryEmbedding()(Input((5, 3)))
