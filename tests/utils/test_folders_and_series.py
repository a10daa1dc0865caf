"""Batches from folders of pictures and texts and from series: what is in them, and that models take them."""

import io

import numpy as np
import pytest
from PIL import Image

from thalweg import Sequential, layers, preprocessing, utils
from thalweg.errors import ArgumentError, DataError, NotFoundError, ShapeError, ThalwegWarning

RANDOM = np.random.default_rng(0)


@pytest.fixture
def pictures(tmp_path):
    """Dark ones and bright ones, and their pixels by name."""
    pixels = {}
    for name, level, count in (("dark", 40, 14), ("light", 200, 10)):
        (tmp_path / name).mkdir()
        for k in range(count):
            path = tmp_path / name / f"{k}.png"
            pixels[str(path)] = np.clip(RANDOM.normal(level, 20, (6, 8, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels[str(path)]).save(path)
    (tmp_path / "dark" / "notes.md").write_text("not a picture")
    (tmp_path / ".hidden").mkdir()
    return tmp_path, pixels


@pytest.fixture
def texts(tmp_path):
    for name, words in (("bad", "dull awful"), ("good", "fine lovely grün")):
        (tmp_path / name).mkdir()
        for k in range(6):
            (tmp_path / name / f"{k}.txt").write_text(f"{words} {k}", encoding="utf-8")
    return tmp_path


def quiet(*arguments, **named):
    return utils.image_dataset_from_directory(*arguments, verbose=False, **named)


def test_pictures_come_with_their_labels_and_paths(pictures, capsys):
    folder, pixels = pictures
    batches = utils.image_dataset_from_directory(folder, image_size=(6, 8), batch_size=7, shuffle=False)
    assert capsys.readouterr().out == "Found 24 files belonging to 2 classes.\n"
    assert (batches.class_names, len(batches)) == (["dark", "light"], 4)
    x, y = (np.concatenate(part) for part in zip(*batches, strict=True))
    assert (x.dtype, y.dtype) == (np.float32, np.int32)
    assert np.array_equal(x, np.stack([pixels[path] for path in batches.file_paths]))
    assert y.tolist() == [0] * 14 + [1] * 10
    assert [len(x) for x, _ in batches] == [7, 7, 7, 3]


def test_each_pass_is_shuffled_anew_and_a_seed_fixes_them_all(pictures):
    first, again = (quiet(pictures[0], image_size=4, seed=3, batch_size=None) for _ in range(2))
    passes = [np.stack([x for x, _ in first]) for _ in range(2)]
    assert not np.array_equal(*passes)
    assert np.array_equal(np.sort(passes[0].sum(axis=(1, 2, 3))), np.sort(passes[1].sum(axis=(1, 2, 3))))
    assert np.array_equal(passes[0], np.stack([x for x, _ in again]))
    x, y = next(iter(first))
    assert (x.shape, y.shape) == ((4, 4, 3), ())


@pytest.mark.parametrize("shuffle", [True, False])
def test_a_split_shares_no_file(pictures, shuffle):
    options = {"validation_split": 0.25, "seed": 5, "shuffle": shuffle}
    training, validation = (set(quiet(pictures[0], subset=s, **options).file_paths) for s in ("training", "validation"))
    assert (len(training), len(validation), training & validation) == (18, 6, set())
    both = quiet(pictures[0], subset="both", **options)
    assert [set(part.file_paths) for part in both] == [training, validation]


def test_labels_in_every_form(pictures):
    folder = pictures[0]
    modes = {m: next(iter(quiet(folder, label_mode=m, shuffle=False)))[1] for m in ("int", "binary", "categorical")}
    assert {m: (y.shape, y.dtype.name) for m, y in modes.items()} == {
        "int": ((24,), "int32"), "binary": ((24, 1), "float32"), "categorical": ((24, 2), "float32"),
    }  # fmt: skip
    assert np.array_equal(modes["categorical"].argmax(1), modes["int"])
    assert np.array_equal(modes["binary"][:, 0], modes["int"])
    assert next(iter(quiet(folder, label_mode=None))).shape == (24, 256, 256, 3)
    assert next(iter(quiet(folder, labels=None))).shape == (24, 256, 256, 3)
    turned = quiet(folder, class_names=["light", "dark"], shuffle=False)
    assert next(iter(turned))[1].tolist() == [0] * 10 + [1] * 14
    own = quiet(folder, labels=list(range(20, 44)), shuffle=False)
    assert next(iter(own))[1].tolist() == list(range(20, 44))
    assert own.class_names[:2] == ["20", "21"]


def test_sizes_and_colours(pictures):
    folder = pictures[0]
    wide = next(iter(quiet(folder, labels=None, image_size=(6, 6), pad_to_aspect_ratio=True, shuffle=False)))
    assert not wide[:, 0].any()
    assert not wide[:, -1].any()
    assert wide[:, 1:-1].all()
    plain = next(iter(quiet(folder, labels=None, image_size=(6, 8), shuffle=False)))
    cut = next(iter(quiet(folder, labels=None, image_size=(6, 6), crop_to_aspect_ratio=True, shuffle=False)))
    assert np.array_equal(cut, plain[:, :, 1:7])
    sizes = {"grayscale": 1, "rgb": 3, "rgba": 4}
    assert {m: next(iter(quiet(folder, labels=None, color_mode=m))).shape[-1] for m in sizes} == sizes
    for interpolation in ("bilinear", "nearest", "bicubic", "lanczos3", "lanczos5"):
        small = next(iter(quiet(folder, labels=None, image_size=(4, 5), interpolation=interpolation, shuffle=False)))
        assert np.allclose(small, layers.Resizing(4, 5, interpolation)(plain), atol=1e-3)


def test_of_16_bits_the_upper_8_count(tmp_path):
    (tmp_path / "a").mkdir()
    Image.fromarray(np.array([[0, 65535, 256]], np.uint16)).save(tmp_path / "a" / "x.png")
    x = next(iter(quiet(tmp_path, labels=None, image_size=(1, 3), color_mode="grayscale")))
    assert x.ravel().tolist() == [0, 255, 1]


def test_a_network_takes_them_everywhere(pictures):
    training, validation = quiet(
        pictures[0], image_size=(6, 8), batch_size=5, validation_split=0.25, subset="both", seed=1
    )
    model = Sequential(
        [layers.Input((6, 8, 3)), layers.Normalization(), layers.Flatten(), layers.Dense(2, activation="softmax")],
        seed=0,
    )
    model.layers[0].adapt(training.map(lambda x, y: x))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(training, validation_data=validation, epochs=20, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
    x, _ = next(iter(validation.take(1).cache()))
    assert np.allclose(model.evaluate(validation, verbose=0), history["val_loss"][-1:] + history["val_accuracy"][-1:])
    assert np.allclose(model.predict(validation)[: len(x)], model.predict(x), atol=1e-6)


def test_texts_become_strings(texts):
    batches = utils.text_dataset_from_directory(texts, shuffle=False, batch_size=6, verbose=False)
    x, y = next(iter(batches))
    assert (x[0], x.shape, y.tolist(), batches.class_names) == ("dull awful 0", (6,), [0] * 6, ["bad", "good"])
    short = utils.text_dataset_from_directory(texts, shuffle=False, label_mode=None, max_length=15, verbose=False)
    assert set(next(iter(short))) == {*(f"dull awful {k}" for k in range(6)), "fine lovely gr"}
    lookup = layers.StringLookup()
    lookup.adapt(batches.map(lambda x, y: x))
    assert lookup.vocabulary_size() == 13


def test_windows_over_a_series():
    series = np.arange(20.0)
    batches = utils.timeseries_dataset_from_array(
        series, series * 10, 3, sequence_stride=2, sampling_rate=3, batch_size=4, start_index=1, end_index=16
    )
    x, y = (np.concatenate(part) for part in zip(*batches, strict=True))
    assert x.tolist() == [[s, s + 3, s + 6] for s in (1.0, 3.0, 5.0, 7.0, 9.0)]
    assert y.tolist() == [10.0, 30.0, 50.0, 70.0, 90.0]
    shuffled = utils.timeseries_dataset_from_array(series[:, None], None, 5, batch_size=None, shuffle=True, seed=1)
    passes = [np.stack(list(shuffled)) for _ in range(2)]
    assert passes[0].shape == (16, 5, 1)
    assert not np.array_equal(*passes)
    assert np.array_equal(*(np.sort(p[:, 0, 0]) for p in passes))


def test_a_network_learns_from_windows():
    wave = np.sin(np.arange(200) * 0.3).astype("f")
    batches = utils.timeseries_dataset_from_array(wave[:-8], wave[8:], 8, batch_size=32, shuffle=True, seed=0)
    model = Sequential([layers.Input((8,)), layers.Dense(1)], seed=0)
    model.compile("adam", "mse")
    losses = model.fit(batches, epochs=30, verbose=0).history["loss"]
    assert losses[-1] < 0.1 * losses[0]


def test_pictures_from_and_to_files(tmp_path):
    pixels = RANDOM.integers(0, 256, (4, 6, 3)).astype("f")
    utils.save_img(tmp_path / "a.png", pixels, scale=False)
    assert np.array_equal(utils.img_to_array(utils.load_img(tmp_path / "a.png")), pixels)
    assert utils.img_to_array(utils.load_img(str(tmp_path / "a.png"), "grayscale", (2, 3), "box")).shape == (2, 3, 1)
    assert utils.load_img(tmp_path / "a.png", "rgba", (2, 2), keep_aspect_ratio=True).size == (2, 2)
    first = utils.img_to_array(utils.array_to_img(pixels.transpose(2, 0, 1), "channels_first"), "channels_first")
    assert first.shape == (3, 4, 6)
    assert first.max() == 255
    with pytest.warns(ThalwegWarning, match="no transparency"):
        utils.save_img(tmp_path / "b.jpg", np.zeros((2, 2, 4)))
    assert preprocessing.image.load_img is utils.load_img


def test_batches_are_mapped_taken_and_kept():
    made = []
    batches = utils.timeseries_dataset_from_array(np.arange(10.0), None, 2, batch_size=2)
    kept = batches.map(lambda x: made.append(1) or x * 2).cache().prefetch(-1)
    assert sum(len(x) for x in kept) == sum(len(x) for x in kept) == 9
    assert len(made) == 5
    assert [x[0, 0] for x in kept.skip(3)] == [12.0, 16.0]
    assert len(kept.skip(3)) == 2
    assert len(list(kept.take(2).as_numpy_iterator())) == len(kept.take(2)) == 2
    assert len(kept.take(-1)) == 5


WRONG = [
    (lambda p: quiet(p / "no"), NotFoundError, "there is no folder"),
    (lambda p: quiet(p), DataError, r"no files that end in \.bmp"),
    (lambda p: quiet(p, label_mode="ints"), ArgumentError, "unknown label_mode 'ints'; did you mean 'int'"),
    (lambda p: quiet(p, interpolation="area"), ArgumentError, "unknown interpolation 'area'"),
    (lambda p: quiet(p, color_mode="bgr"), ArgumentError, "unknown color_mode 'bgr'"),
    (lambda p: quiet(p, labels="all"), ArgumentError, "labels is 'inferred', None or a list"),
    (lambda p: quiet(p, labels=[1]), DataError, "labels has 1 numbers"),
    (lambda p: quiet(p, labels=None, class_names=["a"]), ArgumentError, "class_names belong to"),
    (lambda p: quiet(p, class_names=["a"]), ArgumentError, "class_names has 'a'"),
    (lambda p: quiet(p, format="grain"), ArgumentError, "format='grain' isn't there"),
    (lambda p: quiet(p, image_size=(3, 4, 5)), ArgumentError, "image_size is"),
    (lambda p: quiet(p, data_format="channels_first"), ArgumentError, "data_format is None"),
    (lambda p: quiet(p, crop_to_aspect_ratio=True, pad_to_aspect_ratio=True), ArgumentError, "not both"),
    (lambda p: quiet(p, validation_split=0.2), ArgumentError, "needs a subset"),
    (lambda p: quiet(p, subset="training"), ArgumentError, "needs a validation_split"),
    (lambda p: quiet(p, validation_split=1.0, subset="both"), ArgumentError, "validation_split has to be"),
    (lambda p: quiet(p, validation_split=0.2, subset="training"), ArgumentError, "needs a seed"),
    (lambda p: utils.load_img(p / "no.png"), NotFoundError, "there is no file"),
    (lambda p: utils.load_img(io.BytesIO(b"no")), DataError, "can't be read as a picture"),
    (lambda p: utils.array_to_img(np.zeros((2, 2))), ShapeError, "three axes"),
    (lambda p: utils.array_to_img(np.zeros((2, 2, 2))), ShapeError, "1, 3 or 4 channels, got 2"),
    (lambda p: utils.img_to_array(np.zeros(2)), ShapeError, "two or three axes"),
    (lambda p: utils.save_img(io.BytesIO(), np.zeros((2, 2, 1))), ArgumentError, "needs its file_format"),
    (lambda p: utils.timeseries_dataset_from_array([1.0, 2.0], None, 3), DataError, "too few for a window of 3"),
    (lambda p: utils.timeseries_dataset_from_array([1.0, 2.0], None, 2, 2), ArgumentError, "sequence_stride has to be"),
    (
        lambda p: utils.timeseries_dataset_from_array([1.0, 2.0], None, 2, end_index=3),
        ArgumentError,
        "has to be a part",
    ),
]


@pytest.mark.parametrize(("make", "kind", "words"), WRONG)
def test_what_cannot_be_is_said_in_a_sentence(tmp_path, make, kind, words):
    with pytest.raises(kind, match=words):
        make(tmp_path)


def test_a_damaged_picture_and_a_text_of_another_encoding_are_named(pictures, texts):
    (pictures[0] / "dark" / "0.png").write_bytes(b"\x89PNG")
    with pytest.raises(DataError, match=r"0\.png can't be read as a picture"):
        list(quiet(pictures[0]))
    (texts / "bad" / "0.txt").write_bytes("grün".encode("latin-1"))
    with pytest.raises(DataError, match=r"0\.txt isn't UTF-8"):
        list(utils.text_dataset_from_directory(texts, verbose=False))
