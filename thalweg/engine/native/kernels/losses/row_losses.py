"""The kernels of losses of whole rows, and of the losses with their gradients; see `row_functions.py`."""

from thalweg.engine.native.compiler.named import kernel
from thalweg.engine.native.kernels.losses.loss_loops import F32, rows_of_classes
from thalweg.engine.native.kernels.losses.row_functions import (
    cosine,
    crossentropy,
    dice_of,
    focal,
    gaussian,
    gaussian_logarithm,
    generalized,
    hinge_of_classes,
    softmax_crossentropy,
    softmax_focal,
    tversky_of,
)


@kernel
def categorical_crossentropy(
    p, y, weight, sums, size, classes, columns, total, coefficient: float, label_smoothing: float, *, rows, batch_rows
):
    rows_of_classes(
        crossentropy, (F32(label_smoothing),), False, p, y, weight, sums, 0, 0, size, classes, columns, total,
        coefficient, rows, batch_rows,
    )  # fmt: skip


@kernel
def categorical_crossentropy_gradient(
    p, y, weight, sums, dp, a, size, classes, columns, total, coefficient: float, label_smoothing: float,
    *, rows, batch_rows,
):  # fmt: skip
    rows_of_classes(
        crossentropy, (F32(label_smoothing),), False, p, y, weight, sums, dp, a, size, classes, columns, total,
        coefficient, rows, batch_rows,
    )  # fmt: skip


@kernel
def sparse_categorical_crossentropy(
    p, y, weight, sums, size, classes, total, coefficient: float, label_smoothing: float, *, rows, batch_rows
):
    rows_of_classes(
        crossentropy, (F32(label_smoothing),), True, p, y, weight, sums, 0, 0, size, classes, 1, total, coefficient,
        rows, batch_rows,
    )  # fmt: skip


@kernel
def sparse_categorical_crossentropy_gradient(
    p, y, weight, sums, dp, a, size, classes, total, coefficient: float, label_smoothing: float, *, rows, batch_rows
):
    rows_of_classes(
        crossentropy, (F32(label_smoothing),), True, p, y, weight, sums, dp, a, size, classes, 1, total, coefficient,
        rows, batch_rows,
    )  # fmt: skip


@kernel
def categorical_crossentropy_logits(
    p, y, weight, sums, size, classes, columns, total, coefficient: float, label_smoothing: float, *, rows, batch_rows
):
    rows_of_classes(
        softmax_crossentropy, (F32(label_smoothing),), False, p, y, weight, sums, 0, 0, size, classes, columns, total,
        coefficient, rows, batch_rows,
    )  # fmt: skip


@kernel
def categorical_crossentropy_logits_gradient(
    p, y, weight, sums, dp, a, size, classes, columns, total, coefficient: float, label_smoothing: float,
    *, rows, batch_rows,
):  # fmt: skip
    rows_of_classes(
        softmax_crossentropy, (F32(label_smoothing),), False, p, y, weight, sums, dp, a, size, classes, columns,
        total, coefficient, rows, batch_rows,
    )  # fmt: skip


@kernel
def sparse_categorical_crossentropy_logits(
    p, y, weight, sums, size, classes, total, coefficient: float, label_smoothing: float, *, rows, batch_rows
):
    rows_of_classes(
        softmax_crossentropy, (F32(label_smoothing),), True, p, y, weight, sums, 0, 0, size, classes, 1, total,
        coefficient, rows, batch_rows,
    )  # fmt: skip


@kernel
def sparse_categorical_crossentropy_logits_gradient(
    p, y, weight, sums, dp, a, size, classes, total, coefficient: float, label_smoothing: float, *, rows, batch_rows
):
    rows_of_classes(
        softmax_crossentropy, (F32(label_smoothing),), True, p, y, weight, sums, dp, a, size, classes, 1, total,
        coefficient, rows, batch_rows,
    )  # fmt: skip


@kernel
def categorical_focal_crossentropy(
    p, y, weight, sums, size, classes, columns, total, coefficient: float, label_smoothing: float, gamma: float,
    alpha: float,
    *, rows, batch_rows,
):  # fmt: skip
    rows_of_classes(
        focal, (F32(label_smoothing), F32(gamma), F32(alpha)), False, p, y, weight, sums, 0, 0, size, classes,
        columns, total, coefficient, rows, batch_rows,
    )  # fmt: skip


@kernel
def categorical_focal_crossentropy_gradient(
    p, y, weight, sums, dp, a, size, classes, columns, total, coefficient: float, label_smoothing: float, gamma:
    float, alpha: float,
    *, rows, batch_rows,
):  # fmt: skip
    rows_of_classes(
        focal, (F32(label_smoothing), F32(gamma), F32(alpha)), False, p, y, weight, sums, dp, a, size, classes,
        columns, total, coefficient, rows, batch_rows,
    )  # fmt: skip


@kernel
def categorical_focal_crossentropy_logits(
    p, y, weight, sums, size, classes, columns, total, coefficient: float, label_smoothing: float, gamma: float,
    alpha: float,
    *, rows, batch_rows,
):  # fmt: skip
    rows_of_classes(
        softmax_focal, (F32(label_smoothing), F32(gamma), F32(alpha)), False, p, y, weight, sums, 0, 0, size, classes,
        columns, total, coefficient, rows, batch_rows,
    )  # fmt: skip


@kernel
def categorical_focal_crossentropy_logits_gradient(
    p, y, weight, sums, dp, a, size, classes, columns, total, coefficient: float, label_smoothing: float, gamma:
    float, alpha: float,
    *, rows, batch_rows,
):  # fmt: skip
    rows_of_classes(
        softmax_focal, (F32(label_smoothing), F32(gamma), F32(alpha)), False, p, y, weight, sums, dp, a, size,
        classes, columns, total, coefficient, rows, batch_rows,
    )  # fmt: skip


@kernel
def generalized_cross_entropy(
    p, y, weight, sums, size, classes, total, coefficient: float, q: float, *, rows, batch_rows
):
    rows_of_classes(
        generalized, (F32(q),), True, p, y, weight, sums, 0, 0, size, classes, 1, total, coefficient, rows, batch_rows,
    )  # fmt: skip


@kernel
def generalized_cross_entropy_gradient(
    p, y, weight, sums, dp, a, size, classes, total, coefficient: float, q: float, *, rows, batch_rows
):
    rows_of_classes(
        generalized, (F32(q),), True, p, y, weight, sums, dp, a, size, classes, 1, total, coefficient, rows,
        batch_rows,
    )  # fmt: skip


@kernel
def categorical_hinge(p, y, weight, sums, size, classes, columns, total, coefficient: float, *, rows, batch_rows):
    rows_of_classes(
        hinge_of_classes, (), False, p, y, weight, sums, 0, 0, size, classes, columns, total, coefficient, rows,
        batch_rows,
    )  # fmt: skip


@kernel
def categorical_hinge_gradient(
    p, y, weight, sums, dp, a, size, classes, columns, total, coefficient: float, *, rows, batch_rows
):
    rows_of_classes(
        hinge_of_classes, (), False, p, y, weight, sums, dp, a, size, classes, columns, total, coefficient, rows,
        batch_rows,
    )  # fmt: skip


@kernel
def cosine_similarity(p, y, weight, sums, size, classes, columns, total, coefficient: float, *, rows, batch_rows):
    rows_of_classes(
        cosine, (), False, p, y, weight, sums, 0, 0, size, classes, columns, total, coefficient, rows, batch_rows,
    )  # fmt: skip


@kernel
def cosine_similarity_gradient(
    p, y, weight, sums, dp, a, size, classes, columns, total, coefficient: float, *, rows, batch_rows
):
    rows_of_classes(
        cosine, (), False, p, y, weight, sums, dp, a, size, classes, columns, total, coefficient, rows, batch_rows,
    )  # fmt: skip


@kernel
def dice(p, y, weight, sums, size, classes, columns, total, coefficient: float, *, rows, batch_rows):
    rows_of_classes(
        dice_of, (), False, p, y, weight, sums, 0, 0, size, classes, columns, total, coefficient, rows, batch_rows,
    )  # fmt: skip


@kernel
def dice_gradient(p, y, weight, sums, dp, a, size, classes, columns, total, coefficient: float, *, rows, batch_rows):
    rows_of_classes(
        dice_of, (), False, p, y, weight, sums, dp, a, size, classes, columns, total, coefficient, rows, batch_rows,
    )  # fmt: skip


@kernel
def tversky(
    p, y, weight, sums, size, classes, columns, total, coefficient: float, alpha: float, beta: float,
    *, rows, batch_rows,
):  # fmt: skip
    rows_of_classes(
        tversky_of, (F32(alpha), F32(beta)), False, p, y, weight, sums, 0, 0, size, classes, columns, total,
        coefficient, rows, batch_rows,
    )  # fmt: skip


@kernel
def tversky_gradient(
    p, y, weight, sums, dp, a, size, classes, columns, total, coefficient: float, alpha: float, beta: float,
    *, rows, batch_rows,
):  # fmt: skip
    rows_of_classes(
        tversky_of, (F32(alpha), F32(beta)), False, p, y, weight, sums, dp, a, size, classes, columns, total,
        coefficient, rows, batch_rows,
    )  # fmt: skip


@kernel
def gaussian_nll(
    p, y, weight, sums, size, classes, columns, total, coefficient: float, eps: float, *, rows, batch_rows
):
    rows_of_classes(
        gaussian, (F32(eps),), False, p, y, weight, sums, 0, 0, size, classes, columns, total, coefficient, rows,
        batch_rows,
    )  # fmt: skip


@kernel
def gaussian_nll_gradient(
    p, y, weight, sums, dp, a, size, classes, columns, total, coefficient: float, eps: float, *, rows, batch_rows
):
    rows_of_classes(
        gaussian, (F32(eps),), False, p, y, weight, sums, dp, a, size, classes, columns, total, coefficient, rows,
        batch_rows,
    )  # fmt: skip


@kernel
def gaussian_nll_logarithm(
    p, y, weight, sums, size, classes, columns, total, coefficient: float, eps: float, *, rows, batch_rows
):
    rows_of_classes(
        gaussian_logarithm, (F32(eps),), False, p, y, weight, sums, 0, 0, size, classes, columns, total, coefficient,
        rows, batch_rows,
    )  # fmt: skip


@kernel
def gaussian_nll_logarithm_gradient(
    p, y, weight, sums, dp, a, size, classes, columns, total, coefficient: float, eps: float, *, rows, batch_rows
):
    rows_of_classes(
        gaussian_logarithm, (F32(eps),), False, p, y, weight, sums, dp, a, size, classes, columns, total, coefficient,
        rows, batch_rows,
    )  # fmt: skip
