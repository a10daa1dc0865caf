"""The networks of thalweg.applications beside Keras's: layers, weights in Keras's files, predictions."""

import numpy as np
import pytest

from thalweg import Input, applications

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Keras's own, of NumPy 2

SMALL = {"weights": None, "input_shape": (32, 32, 3)}
NETWORKS = {
    "ResNet50": SMALL | {"classes": 7},
    "VGG16": SMALL | {"include_top": False, "pooling": "max"},
    "MobileNetV2": SMALL | {"alpha": 0.35, "classes": 7},
    "EfficientNetB0": SMALL | {"classes": 7, "classifier_activation": None},
    "Xception": SMALL | {"input_shape": (75, 72, 3), "include_top": False, "pooling": "avg"},
}


def shuffled(model):
    """The model with random weights in all arrays, which keep signals at their size."""
    draw = np.random.default_rng(1)
    for layer in model.layers:
        arrays = []
        for array in layer.get_weights():
            if array.ndim > 1:
                depthwise = "depthwise" in layer.name or "dwconv" in layer.name
                inputs = array.shape[:2] if depthwise else array.shape[:-1]
                arrays.append(draw.normal(size=array.shape) * np.sqrt(2 / np.prod(inputs)))
            elif array.ndim == 1:
                arrays.append(draw.uniform(0.8, 1.2, array.shape))
            else:
                arrays.append(array)
        layer.set_weights(arrays)
        if hasattr(layer, "finalize_state"):  # of a Normalization, which keeps what it computes with elsewhere
            layer.finalize_state()
    return model


@pytest.mark.parametrize("name", NETWORKS)
def test_keras_s_weights_give_keras_s_predictions(name, keras, tmp_path):
    options = NETWORKS[name]
    theirs = shuffled(getattr(keras.applications, name)(**options))
    path = tmp_path / "kept.weights.h5"
    theirs.save_weights(path)
    ours = getattr(applications, name)(**options | {"weights": path})
    same_layers(ours, theirs)
    x = np.random.default_rng(2).uniform(0, 1, (2, *options["input_shape"])).astype("f")
    want = np.asarray(theirs(x, training=False))
    assert np.isfinite(want).all()
    assert want.std() > 1e-6
    np.testing.assert_allclose(ours.predict(x), want, rtol=1e-4, atol=1e-4 * abs(want).max())


def same_layers(ours, theirs):
    """The same classes, shapes of weights and names, but for those that Keras counts on through all models."""
    assert ours.name == theirs.name
    assert ours.output_shape == theirs.output_shape
    shapes = [[type(layer).__name__, *(w.shape for w in layer.weights)] for layer in theirs.layers]
    shapes = [of[:3] if of[0] == "Normalization" else of for of in shapes]  # which has a count besides
    assert [[type(layer).__name__, *(w.shape for w in layer.weights)] for layer in ours.layers] == shapes
    counted = ("conv2d", "batch_normalization", "add", "global_", "input_layer", "rescaling", "normalization")
    names = [(one.name, other.name) for one, other in zip(ours.layers, theirs.layers, strict=True)]
    assert all(one == other for one, other in names if not other.startswith(counted)), names


MODULES = {
    "resnet50": "caffe", "resnet": "caffe", "vgg16": "caffe", "vgg19": "caffe", "mobilenet_v2": "tf", "xception": "tf",
    "efficientnet": None,
}  # fmt: skip


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_pixels_are_keras_s(module, dtype, keras):
    x = np.random.default_rng(0).integers(0, 256, (2, 4, 5, 3)).astype(dtype)
    want = getattr(keras.applications, module).preprocess_input(x.copy())
    before = x.copy()
    got = getattr(applications, module).preprocess_input(x)
    np.testing.assert_allclose(got, want, 1e-5, 1e-5)
    assert got.dtype == want.dtype
    assert np.array_equal(x, before)


@pytest.mark.parametrize("mode", ["caffe", "tf", "torch"])
def test_pixels_of_tensors_are_keras_s(mode, keras):
    from thalweg import Model

    x = np.random.default_rng(0).uniform(0, 255, (2, 4, 5, 3)).astype("f")
    image = Input((4, 5, 3))
    model = Model(image, applications.imagenet_utils.preprocess_input(image, mode=mode))
    want = keras.applications.imagenet_utils.preprocess_input(x.copy(), mode=mode)
    np.testing.assert_allclose(model.predict(x), want, 1e-4, 1e-4)
