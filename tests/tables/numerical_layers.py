"""Rows of the layers' table: layers for columns of numbers."""

from thalweg.layers import ElementwiseScale, Layer, PeriodicEmbedding, PiecewiseLinearEncoding

NUMERICAL_LAYERS: dict[type[Layer], list] = {
    ElementwiseScale: [
        (lambda: ElementwiseScale(), (3,), (3,), 3),
        (lambda: ElementwiseScale("random_normal", "l2", "non_neg"), (4, 3), (4, 3), 3),
    ],
    PeriodicEmbedding: [
        (lambda: PeriodicEmbedding(), (2,), (6,), 2 * (16 * 5 + 3)),
        (lambda: PeriodicEmbedding(5, 4, 0.5, "tanh", kernel_regularizer="l2"), (3,), (12,), 3 * (5 * 6 + 4)),
        (lambda: PeriodicEmbedding(2, 1, activation="relu", phase_initializer="zeros"), (1,), (1,), 7),
    ],
    PiecewiseLinearEncoding: [
        (lambda: PiecewiseLinearEncoding([[-0.4, 0, 0.5, 2], [], [0, 1], [-1, -0.2, 1]]), (4,), (5,), 0),
        (lambda: PiecewiseLinearEncoding([[-2, 0.1, 2]], steps=True), (1,), (2,), 0),
    ],
}
