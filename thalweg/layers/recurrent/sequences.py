"""SimpleRNN, LSTM and GRU: layers with a cell of their own."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Annotated, Any

from thalweg.errors import ArgumentError
from thalweg.layers import kinds
from thalweg.layers.recurrent.cell import GateArguments, Implementation, LSTMArguments, UnitArguments
from thalweg.layers.recurrent.gated import GRUCell, LSTMCell, SimpleRNNCell
from thalweg.layers.recurrent.rnn import Recurrent
from thalweg.support.arguments import Before, Checked, arguments, default

__all__ = ["GRU", "LSTM", "SimpleRNN"]


def without_cudnn(what: str, value: Any) -> Any:
    """Raises for a layer that is to run on a GPU."""
    if value not in ("auto", False):
        raise ArgumentError(f"{kinds.owner(what)} runs on CPUs: use_cudnn is 'auto' or False, got {value!r}")
    return value


CuDNN = Annotated[bool | str, Checked(without_cudnn, kept=False)]


SeedOfDropout = Annotated[kinds.Seed, Before("return_sequences")]


@arguments
class SequenceArguments:
    """Base of layers with a cell of their own: the arguments that the cell doesn't have."""

    activity_regularizer: Annotated[kinds.ActivityRegularizer, Before("kernel_constraint")] = default(None)
    return_sequences: bool = False
    return_state: bool = False
    go_backwards: bool = False
    stateful: bool = False


class Sequence(Recurrent):
    """Base of layers that make their cell from their own arguments."""

    cell_class: Any

    def __post_init__(self) -> None:
        taken = [name for name in self.cell_class.declared_arguments if name != "name"]
        self.cell = self.cell_class(**{name: getattr(self, name) for name in taken})


@arguments
class SimpleRNN(SequenceArguments, UnitArguments, Sequence):
    """h_t = tanh(x_t·W + h_{t−1}·R + b)      x (rows, steps, inputs) → h of the last step (rows, units), or of all

    Elman, "Finding structure in time", 1990. Its gradient fades, or explodes, over some ten steps: `LSTM` and `GRU`
    remember longer.

    Args:
        units: the number of outputs, and of the state h, which begins with 0.
        activation: of h; a name or one of `thalweg.activations`, element by element; None is linear.
        use_bias: whether to add b.
        kernel_initializer: the initial W, (inputs, units). recurrent_initializer: R, (units, units).
            bias_initializer: b, (units,).
        kernel_regularizer, recurrent_regularizer, bias_regularizer: penalties on them.
        activity_regularizer: a penalty on what the layer returns.
        kernel_constraint, recurrent_constraint, bias_constraint: constraints on them after every update.
        dropout: in training, the share of x that is left out: of a row the same in all steps.
        recurrent_dropout: the same of h.
        return_sequences: whether to return h of all steps, (rows, steps, units).
        return_state: whether to return the last h behind that, too.
        go_backwards: whether to begin with the last step; the outputs come in the order in which they are computed.
        stateful: whether row i of a batch begins with the states that row i of the last one has left: see `RNN`.
        unroll: Keras's, which changes no number.
        seed: of dropout.
        zero_output_for_mask: whether the output of a step that is left out is 0, rather than the one before.

    Called as layer(x, initial_state=None, mask=None, training=None); mask (rows, steps) is 0 for the steps that are
    left out: state and output stay as they are.

    >>> from thalweg import Input, Sequential
    >>> model = Sequential([Input((5, 3)), SimpleRNN(4)])
    >>> model.output_shape, model.count_params()
    ((None, 4), 32)
    """

    unroll: bool = False
    seed: kinds.Seed = None
    name: str | None = None
    _: KW_ONLY
    zero_output_for_mask: bool = False

    cell_class = SimpleRNNCell


@arguments
class LSTM(SequenceArguments, LSTMArguments, Sequence):
    """Long short-term memory: of each step,

        i, f, o = sigmoid(x_t·W_ifo + h_{t−1}·R_ifo + b_ifo)
        c_t = f·c_{t−1} + i·tanh(x_t·W_c + h_{t−1}·R_c + b_c)
        h_t = o·tanh(c_t)

    x (rows, steps, inputs) → h of the last step (rows, units), or of all. Hochreiter and Schmidhuber, Neural
    Computation 1997; with the forget gate f of Gers et al., 2000. The state c passes from step to step by a product
    with f only, so that its gradient needn't fade.

    Args:
        units: the number of outputs, and of the states h and c, which begin with 0.
        activation: tanh in the equations. recurrent_activation: sigmoid. Names, or of `thalweg.activations`, element by
            element; None is linear.
        use_bias: whether to add b.
        kernel_initializer: the initial W, (inputs, 4·units), in the order i, f, c, o. recurrent_initializer: R, (units,
            4·units). bias_initializer: b, (4·units,).
        unit_forget_bias: whether the bias of f begins with 1 (Jozefowicz et al., ICML 2015).
        kernel_regularizer, recurrent_regularizer, bias_regularizer: penalties on them.
        activity_regularizer: a penalty on what the layer returns.
        kernel_constraint, recurrent_constraint, bias_constraint: constraints on them after every update.
        dropout: in training, the share of x that is left out: of a row the same in all steps.
        recurrent_dropout: the same of h; then, as in Keras, x and h have a mask for each gate.
        seed: of dropout.
        return_sequences: whether to return h of all steps, (rows, steps, units).
        return_state: whether to return the last h and c behind that, too.
        go_backwards: whether to begin with the last step; the outputs come in the order in which they are computed.
        stateful: whether row i of a batch begins with the states that row i of the last one has left: see `RNN`.
        unroll: Keras's, which changes no number.
        use_cudnn: Keras's; "auto" or False.
        implementation: 1: a mask of dropout for each gate.
        zero_output_for_mask: whether the output of a step that is left out is 0, rather than the one before.

    Called as layer(x, initial_state=None, mask=None, training=None); initial_state is [h, c]; mask (rows, steps) is 0
    for the steps that are left out: states and output stay as they are. PyTorch's LSTM has the order i, f, c, o as
    well, transposed weights, and two biases, which are added.

    >>> from thalweg import Input, Sequential
    >>> model = Sequential([Input((5, 3)), LSTM(4, return_sequences=True)])
    >>> model.output_shape, [w.shape for w in model.weights]
    ((None, 5, 4), [(3, 16), (4, 16), (16,)])
    """

    seed: SeedOfDropout = None
    unroll: bool = False
    use_cudnn: CuDNN = "auto"
    name: str | None = None
    _: KW_ONLY
    implementation: Implementation = 2
    zero_output_for_mask: bool = False

    cell_class = LSTMCell


@arguments
class GRU(SequenceArguments, GateArguments, Sequence):
    """Gated recurrent unit: of each step,

        z, r = sigmoid(x_t·W_zr + b_zr + h_{t−1}·R_zr + d_zr)
        g = tanh(x_t·W_h + b_h + r·(h_{t−1}·R_h + d_h)), or without reset_after tanh(x_t·W_h + b_h + (r·h_{t−1})·R_h)
        h_t = z·h_{t−1} + (1 − z)·g

    x (rows, steps, inputs) → h of the last step (rows, units), or of all. Cho et al., EMNLP 2014: the second form, of
    the paper's first version; the first one is that of cuDNN and PyTorch.

    Args:
        units: the number of outputs, and of the state h, which begins with 0.
        activation: tanh in the equations. recurrent_activation: sigmoid. Names, or of `thalweg.activations`, element by
            element; None is linear.
        use_bias: whether to add b and d.
        kernel_initializer: the initial W, (inputs, 3·units), in the order z, r, h. recurrent_initializer: R, (units,
            3·units). bias_initializer: b and d, (2, 3·units); b alone, (3·units,), unless reset_after.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: penalties on them.
        activity_regularizer: a penalty on what the layer returns.
        kernel_constraint, recurrent_constraint, bias_constraint: constraints on them after every update.
        dropout: in training, the share of x that is left out: of a row the same in all steps.
        recurrent_dropout: the same of h; then, as in Keras, x and h have a mask for each gate.
        seed: of dropout.
        return_sequences: whether to return h of all steps, (rows, steps, units).
        return_state: whether to return the last h behind that, too.
        go_backwards: whether to begin with the last step; the outputs come in the order in which they are computed.
        stateful: whether row i of a batch begins with the states that row i of the last one has left: see `RNN`.
        unroll: Keras's, which changes no number.
        reset_after: whether r is applied after the product with R_h.
        use_cudnn: Keras's; "auto" or False.
        implementation: 1: a mask of dropout for each gate.
        zero_output_for_mask: whether the output of a step that is left out is 0, rather than the one before.

    Called as layer(x, initial_state=None, mask=None, training=None); mask (rows, steps) is 0 for the steps that are
    left out: state and output stay as they are. PyTorch's GRU has the order r, z, h, and transposed weights.

    >>> from thalweg import Input, Sequential
    >>> model = Sequential([Input((5, 3)), GRU(4)])
    >>> model.output_shape, [w.shape for w in model.weights]
    ((None, 4), [(3, 12), (4, 12), (2, 12)])
    """

    seed: SeedOfDropout = None
    unroll: bool = False
    reset_after: bool = True
    use_cudnn: CuDNN = "auto"
    name: str | None = None
    _: KW_ONLY
    implementation: Implementation = 2
    zero_output_for_mask: bool = False

    cell_class = GRUCell
