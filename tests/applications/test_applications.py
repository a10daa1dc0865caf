"""Networks for images: what they take and refuse, that they train, and the names of classes."""

import json

import numpy as np
import pytest

from thalweg import Input, Model, applications, layers
from thalweg.applications import MobileNetV2, ResNet50, imagenet_utils
from thalweg.errors import ThalwegError

SMALL = {"weights": None, "alpha": 0.35, "include_top": False, "pooling": "avg"}


def test_it_trains_on_a_tensor_inside_another_network(tmp_path):
    draw = np.random.default_rng(0)
    image = Input((32, 32, 3), name="photo")
    features = MobileNetV2(input_tensor=layers.Rescaling(2.0, -1.0)(image), **SMALL)
    assert features.inputs == [image]
    model = Model(image, layers.Dense(2, "softmax")(features.output), seed=1)
    model.compile("adam", "sparse_categorical_crossentropy")
    x, y = draw.uniform(size=(8, 32, 32, 3)), np.arange(8) % 2
    before = model.evaluate(x, y, verbose=0)
    model.fit(x, y, epochs=1, verbose=0)
    assert model.evaluate(x, y, verbose=0) != before


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda path: ResNet50(), "would have to be downloaded"),
        (lambda path: ResNet50(weights=path / "nothing.h5"), "there is no"),
        (lambda path: ResNet50(weights=path, classifier_activation="relu"), "None or 'softmax'"),
        (lambda path: ResNet50(weights=None, include_top=False), "needs an input_shape"),
        (lambda path: ResNet50(weights=None, input_shape=(31, 32, 3)), "at least 32 × 32"),
        (lambda path: ResNet50(weights=None, input_shape=(32, None, 3)), "height, width, channels"),
        (lambda path: ResNet50(weights=None, input_tensor=np.ones((1, 32, 32, 3))), "input_tensor is a tensor"),
        (lambda path: ResNet50(weights=None, input_tensor=Input((32, 32, 3)), input_shape=(64,) * 3), "input_shape is"),
        (lambda path: ResNet50(False, None, input_shape=(32, 32, 3), pooling="mean"), "pooling"),
        (lambda path: MobileNetV2((32, 32, 3), -1.0, weights=None), "alpha"),
        (lambda path: imagenet_utils.preprocess_input(np.ones((2, 2, 4))), "three channels"),
        (lambda path: imagenet_utils.preprocess_input(np.ones((2, 2, 3)), "channels_first"), "channels_last"),
        (lambda path: imagenet_utils.preprocess_input(np.ones((2, 2, 3)), mode="rgb"), "mode"),
        (lambda path: applications.vgg16.decode_predictions(np.ones((1, 1000))), "aren't shipped"),
        (lambda path: applications.vgg16.decode_predictions(np.ones((1, 10))), r"\(rows, 1000\)"),
    ],
)  # fmt: skip
def test_what_is_refused(call, told, tmp_path):
    with pytest.raises(ThalwegError, match=told):
        call(tmp_path)


def test_names_of_classes_come_out_of_a_file(tmp_path):
    path = tmp_path / "imagenet_class_index.json"
    path.write_text(json.dumps({str(k): [f"n{k:08}", f"thing_{k}"] for k in range(1000)}))
    preds = np.zeros((2, 1000), "f")
    preds[0, [3, 999]] = 0.25, 0.75
    preds[1, 5] = 1
    found = applications.resnet50.decode_predictions(preds, top=2, class_index=path)
    assert found[0] == [("n00000999", "thing_999", 0.75), ("n00000003", "thing_3", 0.25)]
    assert found[1][0] == ("n00000005", "thing_5", 1.0)


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("ResNet50", 25_636_712), ("ResNet101", 44_707_176), ("ResNet152", 60_419_944), ("MobileNetV2", 3_538_984),
        ("Xception", 22_910_480), ("EfficientNetB0", 5_330_571 - 1), ("EfficientNetB3", 12_320_535 - 1),
    ],
)  # fmt: skip
def test_they_have_as_many_weights_as_keras_says(name, count):
    """As printed by Keras's summary; its Normalization has a count of rows besides."""
    size = 71 if name == "Xception" else 32
    model = getattr(applications, name)(weights=None, input_shape=(size, size, 3))
    assert model.count_params() == count
