"""The table of layers for sequences; see `layer_rows`. Cells are in the layers that go through the steps with them."""

from typing import Any

from thalweg import ops
from thalweg.layers import (
    GRU,
    LSTM,
    RNN,
    Bidirectional,
    Conv1D,
    ConvLSTM1D,
    ConvLSTM2D,
    ConvLSTM3D,
    Dense,
    GRUCell,
    Layer,
    LSTMCell,
    SimpleRNN,
    SimpleRNNCell,
    StackedRNNCells,
    TimeDistributed,
)
from thalweg.saving import register_keras_serializable
from thalweg.support.arguments import arguments


@register_keras_serializable("tests")
@arguments
class Leaky(Layer):
    """A user's cell with a weight: h′ = tanh(x·W + w∘h), and twice that as its output."""

    units: int
    name: str | None = None

    @property
    def state_size(self) -> int:
        return self.units

    def build(self, input_shape: Any) -> None:
        self.W = self.add_weight((input_shape[-1], self.units), name="W")
        self.w = self.add_weight((self.units,), "ones", name="w")

    def call(self, inputs: Any, states: Any) -> Any:
        h = ops.tanh(ops.matmul(inputs, self.W) + self.w * states[0])
        return 2 * h, [h]


RECURRENT_LAYERS: dict[type[Layer], list[Any]] = {
    SimpleRNN: [
        (lambda: SimpleRNN(3), (3, 2), (3,), 18),
        (lambda: SimpleRNN(2, "relu", False, recurrent_regularizer="l2", go_backwards=True), (2, 3), (2,), 10),
    ],
    LSTM: [
        (lambda: LSTM(2, return_sequences=True), (3, 2), (3, 2), 40),
        (lambda: LSTM(2, dropout=0.2, recurrent_dropout=0.3, activity_regularizer="l2", seed=3), (2, 3), (2,), 48),
    ],
    GRU: [
        (lambda: GRU(2), (3, 2), (2,), 36),
        (lambda: GRU(2, reset_after=False, bias_constraint="non_neg"), (2, 3), (2,), 36),
    ],
    ConvLSTM1D: [
        (lambda: ConvLSTM1D(2, 2), (3, 4, 1), (3, 2), 2 * 8 + 2 * 16 + 8),
        (
            lambda: ConvLSTM1D(1, 2, 2, "same", dropout=0.2, recurrent_dropout=0.3, return_sequences=True, seed=3),
            (2, 3, 2), (2, 2, 1), 16 + 8 + 4,
        ),
    ],
    ConvLSTM2D: [
        (lambda: ConvLSTM2D(1, 2, padding="same", bias_constraint="non_neg"), (2, 2, 3, 2), (2, 3, 1), 32 + 16 + 4),
        (
            lambda: ConvLSTM2D(1, (1, 2), dilation_rate=2, use_bias=False, kernel_regularizer="l2", go_backwards=True),
            (2, 3, 3, 1), (3, 1, 1), 8 + 8,
        ),
    ],
    ConvLSTM3D: [
        (lambda: ConvLSTM3D(1, (1, 2, 2)), (2, 2, 2, 2, 1), (2, 1, 1, 1), 16 + 16 + 4),
        (
            lambda: ConvLSTM3D(1, 2, 2, "same", activation="relu", unit_forget_bias=False, return_sequences=True),
            (2, 2, 2, 3, 1), (2, 1, 1, 2, 1), 32 + 32 + 4,
        ),
    ],
    RNN: [
        (lambda: RNN(Leaky(2)), (3, 2), (2,), 6),
        (lambda: RNN([LSTMCell(2), GRUCell(3)], return_sequences=True), (2, 3), (2, 3), 111),
    ],
    Bidirectional: [
        (lambda: Bidirectional(GRU(2, return_sequences=True)), (2, 3), (2, 4), 84),
        (lambda: Bidirectional(SimpleRNN(2), "mul"), (3, 2), (2,), 20),
    ],
    TimeDistributed: [
        (lambda: TimeDistributed(Dense(2, "tanh")), (3, 2), (3, 2), 6),
        (lambda: TimeDistributed(Conv1D(2, 2)), (2, 3, 2), (2, 2, 2), 10),
    ],
    SimpleRNNCell: [(lambda: RNN(SimpleRNNCell(2, "relu")), (2, 3), (2,), 12)],
    LSTMCell: [(lambda: RNN(LSTMCell(2, unit_forget_bias=False)), (2, 3), (2,), 48)],
    GRUCell: [(lambda: RNN(GRUCell(2, use_bias=False)), (2, 3), (2,), 30)],
    StackedRNNCells: [(lambda: RNN(StackedRNNCells([Leaky(2), SimpleRNNCell(2)])), (2, 3), (2,), 18)],
}  # fmt: skip
