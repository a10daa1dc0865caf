"""The native kernel of every instruction, by the instruction's name."""

from __future__ import annotations

from thalweg.engine.native import batches, elementwise, linear, losses, metrics, updates
from thalweg.engine.native.compile import Function

KERNELS: dict[str, Function] = {
    function.__name__: function
    for function in (
        batches.gather,
        batches.store,
        linear.affine,
        linear.weight_gradient,
        linear.bias_gradient,
        linear.transpose,
        linear.input_gradient,
        elementwise.sigmoid,
        elementwise.sigmoid_adjoint,
        elementwise.tanh,
        elementwise.tanh_adjoint,
        elementwise.relu,
        elementwise.relu_adjoint,
        elementwise.leaky_relu,
        elementwise.leaky_relu_adjoint,
        elementwise.softmax,
        elementwise.softmax_adjoint,
        elementwise.add,
        elementwise.copy,
        elementwise.dropout,
        losses.squared_error,
        losses.squared_error_gradient,
        losses.absolute_error,
        losses.absolute_error_gradient,
        losses.binary_crossentropy,
        losses.binary_crossentropy_gradient,
        losses.binary_crossentropy_logits,
        losses.binary_crossentropy_logits_gradient,
        losses.categorical_crossentropy,
        losses.categorical_crossentropy_gradient,
        losses.categorical_crossentropy_logits,
        losses.categorical_crossentropy_logits_gradient,
        losses.sparse_categorical_crossentropy,
        losses.sparse_categorical_crossentropy_gradient,
        losses.sparse_categorical_crossentropy_logits,
        losses.sparse_categorical_crossentropy_logits_gradient,
        losses.penalty,
        losses.penalty_gradient,
        metrics.squared_errors,
        metrics.absolute_errors,
        metrics.equal_matches,
        metrics.binary_matches,
        metrics.categorical_matches,
        metrics.sparse_matches,
        metrics.squares_and_targets,
        updates.gradient_descent,
        updates.momentum,
        updates.nesterov,
        updates.adam,
    )
}
