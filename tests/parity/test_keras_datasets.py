"""Files, labels, splits and pictures as Keras has them, in what of it needs no TensorFlow."""

import numpy as np
import pytest
from PIL import Image

from thalweg import utils


@pytest.fixture
def folder(tmp_path):
    for name, count in (("b", 7), ("a", 9), ("A", 3)):
        (tmp_path / name / "inner").mkdir(parents=True)
        for k in range(count):
            pixels = np.random.default_rng(k).integers(0, 256, (5, 7, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / ("inner" if k % 3 == 2 else "") / f"{k}.PNG")
    return tmp_path


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("subset", [None, "training", "validation"])
def test_files_come_in_keras_s_order(keras, folder, shuffle, subset):
    dataset_utils = pytest.importorskip("keras.src.utils.dataset_utils")

    theirs, labels, names = dataset_utils.index_directory(
        str(folder), "inferred", (".png",), shuffle=shuffle, seed=11, verbose=False
    )
    split = None if subset is None else 0.3
    theirs, labels = dataset_utils.get_training_or_validation_split(theirs, labels, split, subset)
    ours = utils.image_dataset_from_directory(
        folder, seed=11, shuffle=shuffle, validation_split=split, subset=subset, verbose=False
    )
    assert [str(p) for p in ours.file_paths] == theirs
    assert ours.class_names == names
    assert len(ours) == -(-len(labels) // 32)
    if not shuffle:
        assert np.concatenate([y for _, y in ours]).tolist() == labels.tolist()


@pytest.mark.parametrize("more", [{}, {"crop_to_aspect_ratio": True}])
@pytest.mark.parametrize("size", [(3, 9), (10, 4), (5, 7)])
@pytest.mark.parametrize("interpolation", ["bilinear", "nearest", "bicubic", "lanczos3"])
def test_pictures_are_keras_s(keras, folder, more, size, interpolation):
    ours = utils.image_dataset_from_directory(
        folder, labels=None, image_size=size, shuffle=False, interpolation=interpolation, verbose=False, **more
    )
    x = next(iter(ours))
    loaded = np.stack([keras.utils.img_to_array(keras.utils.load_img(path)) for path in ours.file_paths])
    theirs = np.asarray(keras.layers.Resizing(*size, interpolation=interpolation, **more)(loaded))
    assert np.allclose(x, theirs, atol=2e-3)


@pytest.mark.parametrize("more", [{}, {"sampling_rate": 3}, {"sequence_stride": 4, "start_index": 5, "end_index": 40}])
def test_windows_are_those_of_keras_s_rule(keras, more):
    theirs = pytest.importorskip("keras.src.utils.timeseries_dataset_utils")

    data = np.random.default_rng(0).normal(size=(50, 2))

    class Source(list):
        """What Keras asks of grain, as lists."""

        source = classmethod(lambda cls, items: cls(items))
        to_iter_dataset = lambda self: self  # noqa: E731

    class Grain:
        MapDataset = Source

        class experimental:
            ZipMapDataset = staticmethod(lambda parts: Source(zip(*parts, strict=True)))

    before, theirs.grain = theirs.grain, Grain
    try:
        pairs = theirs.timeseries_dataset_from_array(data, data[4:, 0], 4, batch_size=None, format="grain", **more)
    finally:
        theirs.grain = before
    ours = utils.timeseries_dataset_from_array(data, data[4:, 0], 4, batch_size=None, **more)
    assert len(ours) == len(pairs) > 3
    for (x, y), (a, b) in zip(ours, pairs, strict=True):
        assert np.array_equal(x, a)
        assert y == b


CALLS = [
    "utils.img_to_array(utils.load_img(path, color_mode='grayscale', target_size=(3, 4), interpolation='bilinear'))",
    "utils.img_to_array(utils.load_img(path, target_size=(3, 4), keep_aspect_ratio=True, interpolation='hamming'))",
    "utils.img_to_array(utils.load_img(path, 'rgba'), data_format='channels_first', dtype='float64')",
    "utils.img_to_array(utils.array_to_img(X))",
    "utils.img_to_array(utils.array_to_img(X[..., :1], scale=False))",
    "utils.img_to_array(utils.array_to_img(300 * X[..., :1], scale=False))",
    "utils.img_to_array(utils.array_to_img(X.transpose(2, 0, 1), 'channels_first'))",
]


@pytest.mark.parametrize("call", CALLS)
def test_functions_of_pictures_give_keras_s_numbers(keras, folder, call):
    path = folder / "a" / "0.PNG"
    pixels = np.random.default_rng(1).uniform(0, 100, (4, 5, 3))
    ours, theirs = (eval(call, {"utils": u, "path": path, "X": pixels}) for u in (utils, keras.utils))
    assert ours.dtype == theirs.dtype
    assert np.array_equal(ours, theirs)
