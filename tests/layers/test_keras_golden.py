"""What Keras's own tests of its layers for sequences expect, in numbers and in what runs, without Keras.

The numbers stand in keras/src/layers/{rnn,attention}/*_test.py of Keras 3.15 (Apache-2.0).
"""

import json

import numpy as np
import pytest

from thalweg import Input, Sequential, initializers, layers, ops
from thalweg.errors import ArgumentError

CONSTANTS = {
    f"{part}_initializer": initializers.Constant(value)
    for part, value in (("kernel", 0.01), ("recurrent", 0.02), ("bias", 0.03))
}
MASK = np.array([[True, True, True, False], [True, True, False, False]])
LATER = np.array([[False, True, True, True], [False, False, True, True]])
STATE = np.arange(4, dtype="f").reshape(2, 2)


def recurrent(name, units, **options):
    return getattr(layers, name)(units, **CONSTANTS, **options)


def sequence(*shape):
    return np.arange(np.prod(shape), dtype="f").reshape(shape)


WHOLE, HALF, LONG = (3, 6, 4), (2, 4, 3), (2, 3, 4)
ROWS = [  # layer, its units and arguments; the sequence's shape; what it is called with; the first unit of every row
    ("SimpleRNN", 4, {}, LONG, {}, [0.405432, 0.73605347]),
    ("SimpleRNN", 4, {"go_backwards": True}, LONG, {}, [0.11144729, 0.5528889]),
    ("LSTM", 3, {}, WHOLE, {}, [0.6288687, 0.86899155, 0.9460773]),
    ("LSTM", 3, {"go_backwards": True}, WHOLE, {}, [0.35622165, 0.74789524, 0.8872726]),
    ("LSTM", 3, {"unroll": True}, WHOLE, {}, [0.6288687, 0.86899155, 0.9460773]),
    ("LSTM", 3, {"unit_forget_bias": False}, WHOLE, {}, [0.57019705, 0.8661914, 0.9459622]),
    ("LSTM", 3, {"use_bias": False}, WHOLE, {}, [0.54986924, 0.86226785, 0.9443936]),
    ("LSTM", 2, {}, HALF, {"initial_state": [STATE, STATE]}, [0.20574439, 0.64930826]),
    ("LSTM", 2, {"go_backwards": True}, HALF, {"initial_state": [STATE, STATE]}, [0.13281618, 0.5839337]),
    ("LSTM", 2, {}, HALF, {"mask": MASK}, [0.11755939, 0.28556206]),
    ("LSTM", 2, {"go_backwards": True}, HALF, {"mask": LATER}, [0.15341201, 0.3844719]),
    ("GRU", 3, {}, WHOLE, {}, [0.5217289, 0.6371659, 0.39384964]),
    ("GRU", 3, {"go_backwards": True}, WHOLE, {}, [0.24406259, 0.611516, 0.3928808]),
    ("GRU", 3, {"reset_after": False}, WHOLE, {}, [0.51447755, 0.6426879, 0.40208298]),
]


@pytest.mark.parametrize(("name", "units", "options", "shape", "named", "first"), ROWS)
def test_recurrent_layers_give_the_numbers_of_keras_s_tests(name, units, options, shape, named, first):
    got = recurrent(name, units, **options)(sequence(*shape), **named)
    np.testing.assert_allclose(got[:, 0], first, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("zero", "last"), [(False, [0.11755939, 0.28556206]), (True, [0, 0])])
def test_outputs_of_steps_left_out(zero, last):
    got = recurrent("LSTM", 2, return_sequences=True, zero_output_for_mask=zero)(sequence(*HALF), mask=MASK)
    np.testing.assert_allclose(got[0, :, 0], [0.0158891, 0.05552048, 0.11755939, last[0]], rtol=1e-5)
    np.testing.assert_allclose(got[1, :, 0], [0.14185596, 0.28556206, last[1], last[1]], rtol=1e-5)


@pytest.mark.parametrize(
    ("merge", "rows"),
    [
        ("concat", [[0.39687276, 0.39687276, 0.10004295, 0.10004295], [0.7237238, 0.7237238, 0.53391594, 0.53391594]]),
        ("ave", [[0.24845785, 0.24845785], [0.6288199, 0.6288199]]),
    ],
)
def test_both_ways(merge, rows):
    got = layers.Bidirectional(recurrent("SimpleRNN", 2), merge_mode=merge)(sequence(*LONG))
    np.testing.assert_allclose(got, rows, rtol=1e-5)


def test_a_convolutional_lstm():
    got = recurrent("ConvLSTM2D", 2, kernel_size=3)(sequence(2, 3, 4, 4, 5) / 100)
    wanted = [[[0.48694518, 0.50237733], [0.5461202, 0.5598283]], [[0.8661607, 0.86909103], [0.8774414, 0.8800861]]]
    np.testing.assert_allclose(got[..., 0], wanted, rtol=1e-5)


@pytest.mark.parametrize(
    ("layer", "output", "scores"),
    [
        (layers.Attention(), [[2.462, 3.462], [1.538, 2.538]], [[0.269, 0.731], [0.731, 0.269]]),
        (layers.Attention(score_mode="concat"), [[1.727, 2.727], [2.272, 3.272]], [[0.636, 0.363], [0.363, 0.636]]),
        (layers.AdditiveAttention(use_scale=False), [[1.727, 2.727], [2.272, 3.272]], [[0.636, 0.363], [0.363, 0.636]]),
    ],
)
def test_attention(layer, output, scores):
    query, key, value = (np.array([v], "f") for v in ([[1, 0], [0, 1]], [[0, 1], [1, 0]], [[1, 2], [3, 4]]))
    got = layer([query, value, key], return_attention_scores=True)
    np.testing.assert_allclose(got[0][0], output, atol=1e-3)
    np.testing.assert_allclose(got[1][0], scores, atol=1e-3)


class Summing(layers.Layer):
    """The cell of Keras's tests: x·1 + h·1."""

    def __init__(self, units, **named):
        super().__init__(**named)
        self.units = self.state_size = units

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], self.units), initializer="ones", name="kernel")
        self.back = self.add_weight(shape=(self.units, self.units), initializer="ones", name="back")

    def call(self, inputs, states):
        output = ops.matmul(inputs, self.kernel) + ops.matmul(states[0], self.back)
        return output, [output]


def test_the_state_of_a_stacked_cell_with_a_single_one_is_no_list():
    layer = layers.RNN([Summing(3), Summing(2)], return_state=True)
    output, first, second = layer(sequence(*LONG))
    np.testing.assert_array_equal(output, [[786, 786], [4386, 4386]])
    np.testing.assert_array_equal(first, [[158] * 3, [782] * 3])
    np.testing.assert_array_equal(second, output)
    again = layer(sequence(*LONG), initial_state=[first, second])[1]
    assert again.shape == (2, 3)
    np.testing.assert_array_equal(again, [[158 + 27 * 158] * 3, [782 + 27 * 782] * 3])


@pytest.mark.parametrize(
    "layer",
    [
        layers.RNN(layers.LSTMCell(3), return_sequences=True),
        layers.RNN([layers.GRUCell(3), layers.SimpleRNNCell(2)]),
        layers.StackedRNNCells([layers.GRUCell(3), layers.SimpleRNNCell(2)]),
        layers.Bidirectional(layers.LSTM(3), merge_mode="sum"),
        layers.Bidirectional(layers.GRU(2), backward_layer=layers.GRU(2, "relu", go_backwards=True)),
        layers.TimeDistributed(layers.Dense(3, "relu")),
        layers.TimeDistributed(layers.TimeDistributed(layers.Dense(3))),
        layers.Parallel([[layers.Dense(2)], [layers.Dense(3), layers.Dense(1)]]),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_a_layer_that_holds_others_is_made_of_its_configuration(layer):
    config = json.loads(json.dumps(layer.get_config()))
    assert type(layer).from_config(config).get_config() == layer.get_config()


@pytest.mark.parametrize("layer", [layers.Identity(), layers.Masking(), layers.Dropout(0.5), layers.Add()])
def test_a_layer_without_weights_is_built_by_its_shape(layer):
    layer.build([(None, 4), (None, 4)] if isinstance(layer, layers.Add) else (None, 4))
    assert layer.built


@pytest.mark.parametrize("layer", [layers.Attention(use_scale=True), layers.AdditiveAttention()])
def test_attention_is_built_by_a_list_of_shapes(layer):
    layer.build([(None, 3, 4), (None, 5, 4)])
    assert len(layer.weights) == 1
    assert layer([Input((3, 4)), Input((5, 4))]).shape == (None, 3, 4)


@pytest.mark.parametrize("layer", [layers.Attention(), layers.AdditiveAttention()])
def test_attention_on_one_tensor_says_that_it_takes_a_list(layer):
    with pytest.raises(ArgumentError, match=r"takes a list of inputs, \[query, value\] or"):
        layer(np.ones((1, 2, 2)))


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_a_product_may_leave_one_number_a_row(engine):
    layer = layers.EinsumDense("ab,b->a", output_shape=(), activation="tanh", kernel_initializer="ones")
    model = Sequential([Input((4,)), layer], engine=engine)
    model.compile("sgd", "mse")
    x = np.linspace(-1, 1, 12, dtype="f").reshape(3, 4)
    np.testing.assert_allclose(model.predict(x), np.tanh(x.sum(1)), rtol=1e-6)
    step = 2 / 3 * 0.01 * ((np.tanh(x.sum(1)) - 1) * (1 - np.tanh(x.sum(1)) ** 2)) @ x
    model.train_on_batch(x, np.ones(3))
    np.testing.assert_allclose(model.get_weights()[0], 1 - step, rtol=1e-5)
