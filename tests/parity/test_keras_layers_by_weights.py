"""Layers that Keras has, with Keras's weights: the same outputs."""

import numpy as np
import pytest

import thalweg

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Keras's own get_weights

LAYERS = {
    "causal": (lambda k: k.layers.Conv1D(4, 3, padding="causal", dilation_rate=2, groups=2), (7, 4)),
    "causal with strides": (lambda k: k.layers.Conv1D(3, 4, strides=3, padding="causal"), (7, 2)),
    "causal in capitals": (lambda k: k.layers.Conv1D(3, 2, padding="CAUSAL"), (7, 2)),
    "depthwise": (lambda k: k.layers.DepthwiseConv1D(3, 2, "same", depth_multiplier=2), (7, 3)),
    "repeat": (lambda k: k.layers.RepeatVector(4), (3,)),
    "identity": (lambda k: k.layers.Identity(), (3, 2)),
    "unit": (lambda k: k.layers.UnitNormalization(), (4, 3)),
    "unit by two": (lambda k: k.layers.UnitNormalization(axis=[1, 2]), (4, 3)),
    "rms": (lambda k: k.layers.RMSNormalization(), (4, 3)),
    **{
        text: (lambda k, text=text, out=out, bias=bias: k.layers.EinsumDense(text, out, "tanh", bias), shape)
        for text, out, bias, shape in (
            ("ab,bc->ac", 4, "c", (3,)),
            ("abc,cd->abd", (None, 4), "d", (2, 3)),
            ("abc,cde->abde", (None, 4, 5), "de", (2, 3)),
            ("abc,cde->abde", (None, 4, 5), "d", (2, 3)),
            ("abcd,cde->abe", (None, 5), "e", (2, 3, 4)),
            ("abc,cd->adb", (4, 2), "db", (2, 3)),
            ("...x,xy->...y", 4, "y", (2, 5, 3)),
            ("...xy,yz->...zx", (4, 2), "z", (5, 2, 3)),
            ("ab...,bc->ac...", 4, "c", (3, 2, 2)),
            ("abc,bde->aced", (3, 5, 4), None, (2, 3)),
        )
    },
}


@pytest.mark.parametrize("name", LAYERS)
def test_with_keras_s_weights_it_gives_keras_s_outputs(name, keras):
    make, shape = LAYERS[name]
    theirs = keras.Sequential([keras.Input(shape), make(keras)])
    ours = thalweg.Sequential([thalweg.Input(shape), make(thalweg)])
    draw = np.random.default_rng(5)
    weights = [draw.normal(size=w.shape).astype("f") for w in theirs.get_weights()]
    theirs.set_weights(weights)
    ours.set_weights(weights)
    x = draw.normal(size=(6, *shape)).astype("f")
    np.testing.assert_allclose(ours.predict(x), np.asarray(theirs(x)), 1e-4, 1e-5)


@pytest.mark.parametrize(
    ("text", "shape", "out"), [("abc,cde->abde", (2, 30), (None, 10, 20)), ("ab,bc->ac", (30,), 9)]
)
def test_kernels_start_as_wide_as_keras_s(text, shape, out, keras):
    spread = []
    for k in (keras, thalweg):
        layer = k.layers.EinsumDense(text, out)
        k.Sequential([k.Input(shape), layer]).build()
        spread.append(np.std(layer.get_weights()[0]))
    assert spread[1] == pytest.approx(spread[0], rel=0.1)


REFUSED = {
    "no causal images": lambda k: k.layers.Conv2D(3, 3, padding="causal"),
    "no causal separable": lambda k: k.layers.SeparableConv1D(3, 3, padding="causal"),
    "no causal depthwise": lambda k: k.layers.DepthwiseConv1D(3, padding="causal"),
    "no steps": lambda k: k.layers.RepeatVector(0),
    "half a step": lambda k: k.layers.RepeatVector(1.5),
    "no axis": lambda k: k.layers.UnitNormalization(axis="last"),
    "no such axis": lambda k: k.layers.UnitNormalization(axis=3)(k.Input((2,))),
    "no layer": lambda k: k.layers.Wrapper("Dense"),
    "no equation": lambda k: k.layers.EinsumDense("abc", 3)(k.Input((2, 3))),
    "no such bias": lambda k: k.layers.EinsumDense("ab,bc->ac", 3, bias_axes="d")(k.Input((2,))),
    "an unknown axis": lambda k: k.layers.EinsumDense("ab,cd->ad", 3)(k.Input((2,))),
    "another length": lambda k: k.layers.EinsumDense("abc,cd->abd", (5, 3))(k.Input((4, 2))),
}


@pytest.mark.parametrize("name", REFUSED)
def test_both_refuse(name, keras):
    for library in (keras, thalweg):
        with pytest.raises((ValueError, TypeError)):
            REFUSED[name](library)
