"""A network with attention predicts the same elsewhere, and in other engines, as on the native one."""

import runpy

import numpy as np
import pytest

import thalweg
from thalweg import Input, Model, layers, ops

X = np.random.default_rng(0).normal(size=(20, 6, 8)).astype("f")


def network(engine=None):
    """Projected weights are views of weights of three axes; a mask of the steps, and a causal one."""
    x = Input((6, 8))
    h = layers.MultiHeadAttention(2, 4, dropout=0.1)(x, x, use_causal_mask=True)
    h = layers.GroupQueryAttention(4, 4, 2)(h, h, attention_mask=np.tri(6)[None])
    model = Model(x, layers.Dense(1)(layers.Flatten()(h)), seed=1, **({"engine": engine} if engine else {}))
    model.compile("adam", "mse")
    return model


def test_as_a_file_of_numpy_s(tmp_path):
    model = network()
    model.export(tmp_path / "net.py")
    predict = runpy.run_path(str(tmp_path / "net.py"))["predict"]
    np.testing.assert_allclose(predict(X), model.predict(X), atol=1e-5)


def test_as_an_onnx_model(tmp_path):
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    model = network()
    model.export(tmp_path / "net.onnx")
    session = runtime.InferenceSession(str(tmp_path / "net.onnx"))
    (found,) = session.run(None, {session.get_inputs()[0].name: X})
    np.testing.assert_allclose(found, model.predict(X), atol=1e-5)


def test_jax_trains_to_the_same_place():
    pytest.importorskip("jax")
    one, other = network(), network("jax")
    for model in (one, other):
        model.fit(X, X[:, 0, :1], epochs=2, verbose=0)
    np.testing.assert_allclose(one.predict(X), other.predict(X), atol=1e-4)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("steps", [5, 90])
def test_pytorch_s_attention_is_the_same(causal, steps):
    torch = pytest.importorskip("torch")
    draw = np.random.default_rng(steps)
    values = [draw.normal(size=(3, steps, 4, 16)).astype("f") for _ in range(3)]
    inputs = [Input(x.shape[1:]) for x in values]
    found = Model(inputs, ops.dot_product_attention(*inputs, is_causal=causal)).predict(values)
    theirs = torch.nn.functional.scaled_dot_product_attention(
        *(torch.from_numpy(x).transpose(1, 2) for x in values), is_causal=causal
    )
    np.testing.assert_allclose(found, theirs.transpose(1, 2).numpy(), atol=1e-5)
    assert thalweg.ops.dot_product_attention(*values, is_causal=causal).shape == found.shape
