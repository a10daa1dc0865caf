"""Reports on sequences: states, gates and attention's weights against the layers' equations, written out here."""

import numpy as np
import pytest

from thalweg import Input, Model, Sequential, layers
from thalweg.models.inspection import steps_of
from thalweg.views.insides.forward_pass import passed
from thalweg.views.insides.unrolled import looked, unrolled
from thalweg.views.report.document import report_document
from thalweg.views.report.of_model import subject_of
from thalweg.views.report.sequence_insides import MOST_STEPS, sequence_insides
from thalweg.views.report.subject import Clock

X = np.random.default_rng(4).normal(size=(3, 6, 5)).astype(np.float32)


def sigmoid(h):
    return 1 / (1 + np.exp(-h))


def compiled(model):
    model.compile("adam", "mse")
    return model


def by_hand(kind, weights, x):
    """The gates by name, and the states, in each step."""
    W, R, *b = (w.astype(np.float64) for w in weights)
    units, found, h = len(R), [], np.zeros((len(x), len(R)))
    c = h
    for t in range(x.shape[1]):
        xs, hs = x[:, t] @ W, h @ R
        if kind == "LSTM":
            i, f, g, o = np.split(xs + hs + b[0], 4, axis=1)
            gates = [sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)]
            c = gates[1] * c + gates[0] * gates[2]
            h = gates[3] * np.tanh(c)
        else:
            xz, xr, xh = np.split(xs + b[0][0], 3, axis=1)
            hz, hr, hh = np.split(hs + b[0][1], 3, axis=1)
            z, r = sigmoid(xz + hz), sigmoid(xr + hr)
            g = np.tanh(xh + r * hh)
            h, gates = z * h + (1 - z) * g, [z, r, g]
        found.append([*gates, h, c])
    assert h.shape[1] == units
    return [np.stack(values, axis=1) for values in zip(*found, strict=True)]


NAMES = {
    "LSTM": ["Input gate", "Forget gate", "Candidate", "Output gate"],
    "GRU": ["Update gate", "Reset gate", "Candidate"],
}


@pytest.mark.parametrize("kind", NAMES)
def test_gates_and_states_are_those_of_the_equations(kind):
    layer = (
        getattr(layers, kind)(4, bias_initializer="random_normal", unit_forget_bias=False, name="memory")
        if (kind == "LSTM")
        else layers.GRU(4, bias_initializer="random_normal", name="memory")
    )
    model = compiled(Sequential([Input((6, 5)), layer, layers.Dense(1)], seed=3))
    (found,) = unrolled(model, passed(model, X))
    *gates, h, c = by_hand(kind, layer.get_weights(), X)
    assert found.layer == "memory"
    assert [name["en"] for name, _, _ in found.named_gates()] == NAMES[kind]
    assert [name["en"] for name, signed, _ in found.named_gates() if signed] == ["Candidate"]
    for (_, _, values), expected in zip(found.named_gates(), gates, strict=True):
        np.testing.assert_allclose(values, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found.states, h, rtol=1e-5, atol=1e-6)
    if kind == "LSTM":
        np.testing.assert_allclose(found.memory, c, rtol=1e-5, atol=1e-6)
    else:
        assert found.memory is None


class Own(layers.Layer):
    """A cell with four slices that are no gates of an LSTM."""

    state_size = 3

    def build(self, input_shape):
        self.W = self.add_weight((3, 12), "glorot_uniform", name="W")

    def call(self, inputs, states):
        from thalweg import ops

        a, b, c, d = ops.split(ops.matmul(states[0], self.W), 4, -1)
        h = ops.tanh(a) + ops.sigmoid(b) * c + d + inputs[:, :3]
        return h, [h]


def test_other_loops_have_states_and_no_gates():
    both = layers.Bidirectional(layers.SimpleRNN(3, return_sequences=True))
    model = compiled(Sequential([Input((6, 5)), both, layers.RNN(Own()), layers.Dense(1)], seed=3))
    there, back, own = unrolled(model, passed(model, X))
    assert [there.layer, back.layer] == ["bidirectional/forward_simple_rnn", "bidirectional/backward_simple_rnn"]
    assert own.layer == "scan 3"
    outputs = Model(model.inputs, both.output).predict(X, verbose=0)
    np.testing.assert_allclose(np.concatenate([there.states, back.states], -1), outputs, rtol=1e-5, atol=1e-6)
    assert not own.gates
    assert not there.gates


def attentive(told=False):
    x = Input((6, 5))
    heads = layers.MultiHeadAttention(2, 4, name="looks")
    h = heads(x, x, use_causal_mask=True, return_attention_scores=told)
    weights = h[1] if told else None
    h = layers.AdditiveAttention(name="adds")([x, h[0] if told else h])
    outputs = layers.Dense(1)(h)
    return compiled(Model(x, outputs, seed=3)), weights


@pytest.mark.parametrize("told", [False, True])
def test_attention_is_what_the_layer_returns(told):
    model, _ = attentive(told)
    other, weights = attentive(True)
    other.set_weights(model.get_weights())
    first, second = looked(model, passed(model, X))
    expected = Model(other.inputs, weights).predict(X, verbose=0)
    assert first.layer == "looks"
    np.testing.assert_allclose(first.weights, expected, rtol=1e-4, atol=1e-6)
    assert second.weights.shape == (3, 1, 6, 6)
    np.testing.assert_allclose(second.weights.sum(axis=-1), 1, rtol=1e-5)


def section_of(model, x):
    subject = subject_of(model, steps_of(model._weights.graph), x, np.zeros((len(x), *model.output_shape[1:])))
    return sequence_insides(subject, Clock(10.0))


def test_the_section_has_each_head_and_each_gate():
    model, _ = attentive()
    titles = [figure["title"]["en"] for figure in section_of(model, X)["figures"]]
    assert titles == [
        "Attention of looks, mean of 2 heads, row 1", "Attention of looks, head 1 of 2, row 1",
        "Attention of looks, head 2 of 2, row 1", "Attention of looks, mean of 2 heads, row 2",
        "Attention of adds, row 1", "Attention of adds, row 2",
    ]  # fmt: skip
    recurrent = compiled(Sequential([Input((6, 5)), layers.GRU(4), layers.Dense(1)], seed=3))
    titles = [figure["title"]["zh"] for figure in section_of(recurrent, X)["figures"]]
    assert titles == [
        "gru 的狀態，第 1 列", "gru 的更新閘，第 1 列", "gru 的重設閘，第 1 列", "gru 的候選值，第 1 列",
        "gru 的狀態，第 2 列",
    ]  # fmt: skip


def test_long_rows_are_cut_and_others_have_no_section():
    steps = MOST_STEPS + 4
    model = compiled(Sequential([Input((steps, 1)), layers.SimpleRNN(2), layers.Dense(1)], seed=3))
    figure = section_of(model, np.ones((2, steps, 1), np.float32))["figures"][0]
    assert figure["values"].shape == (2, MOST_STEPS) == (2, len(figure["columns"]))
    assert figure["note"]["en"].endswith(f" The first 2×{MOST_STEPS} of 2×{steps}.")
    plain = compiled(Sequential([Input((3,)), layers.Dense(4, "softmax")], seed=3))
    assert section_of(plain, np.ones((2, 3), np.float32)) is None


@pytest.mark.parametrize("given", [False, True])
def test_words_stand_beside_the_steps(given):
    texts = np.array(["the film was good", "not good", "the soup was bad", "bad film"] * 4)
    words = layers.TextVectorization(12, output_sequence_length=4)
    words.adapt(texts)
    x = Input((), dtype="string")
    h = layers.Embedding(12, 3, mask_zero=True)(words(x))
    model = Model(x, layers.Dense(1)(layers.LSTM(2)(layers.MultiHeadAttention(1, 2)(h, h))), seed=3)
    model.compile("adam", "mse")
    y = np.arange(16) % 2
    model.fit(texts, y, epochs=2, record=True, verbose=0, shuffle=False)
    rows = (texts, y) if given else (None, None)
    document = report_document(subject_of(model, steps_of(model._weights.graph), *rows))
    (section,) = (s for s in document["sections"] if s["id"] == "sequences")
    by_title = {figure["title"]["en"]: figure for figure in section["figures"]}
    figure = by_title["Attention of multi_head_attention, row 2"]
    assert sorted(figure["rows"]) == sorted(figure["columns"])
    state = by_title["State of lstm, row 1"]
    for shown in (figure["columns"], state["columns"]):
        assert len(shown) == 4
        assert set(shown) <= {"the", "film", "was", "good", "not", "soup", "bad", "·"}
    assert any("look-ups" in str(part) for s in document["sections"] if s["id"] == "missing" for part in s["text"]) is (
        not given
    )
