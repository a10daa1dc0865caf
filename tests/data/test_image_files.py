"""Images from folders, IDX files and archives, and one clear sentence for every kind of bad one."""

import gzip
import struct

import numpy as np
import pytest

from thalweg.data.images import image_sources as module
from thalweg.data.images import read_images
from thalweg.data.images.picture_files import read_picture
from thalweg.errors import ArgumentError, DataError, NotFoundError

Image = pytest.importorskip("PIL.Image")
RANDOM = np.random.default_rng(0)


def picture(path, size=(8, 6), channels=3, value=None):
    """A file of random pixels, height × width, or of one value."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = size if channels == 1 else (*size, channels)
    pixels = RANDOM.integers(0, 256, shape, np.uint8) if value is None else np.full(shape, value, np.uint8)
    Image.fromarray(pixels).save(path)
    return pixels.reshape(*size, channels)


@pytest.fixture
def photos(tmp_path):
    """Two classes of two pictures."""
    for name in ("cat", "dog"):
        for number in range(2):
            picture(tmp_path / "photos" / name / f"{number}.png")
    return tmp_path / "photos"


def idx(array, packed=False):
    kind = {"uint8": 8, "float32": 13}[array.dtype.name]
    content = struct.pack(f">BBBB{array.ndim}I", 0, 0, kind, array.ndim, *array.shape)
    content += array.astype(array.dtype.newbyteorder(">")).tobytes()
    return gzip.compress(content) if packed else content


@pytest.fixture
def mnist(tmp_path):
    """MNIST's four files, two of them packed."""
    folder = tmp_path / "mnist"
    folder.mkdir()
    for prefix, rows in (("train", 6), ("t10k", 4)):
        x = RANDOM.integers(0, 256, (rows, 5, 4), np.uint8)
        (folder / f"{prefix}-images-idx3-ubyte.gz").write_bytes(idx(x, packed=True))
        (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(idx(np.arange(rows, dtype=np.uint8) % 3))
    return folder


# --- what is read ----------------------------------------------------------------------------------------------------


def test_a_folder_of_class_folders(photos):
    first = picture(photos / "cat" / "0.png")
    (photos / ".hidden").write_text("no picture")
    (photos / "cat" / ".DS_Store").write_text("no picture")
    images = read_images(photos)
    assert images.x.shape == (4, 8, 6, 3)
    assert images.x.dtype == np.uint8
    assert np.array_equal(images.x[0], first)
    assert images.classes == ("cat", "dog")
    assert images.y.tolist() == [0, 0, 1, 1]
    assert images.test is None


def test_train_and_test_folders(photos, tmp_path):
    photos.rename(tmp_path / "train")
    (tmp_path / "both").mkdir()
    (tmp_path / "train").rename(tmp_path / "both" / "train")
    picture(tmp_path / "both" / "test" / "dog" / "0.png")
    picture(tmp_path / "both" / "test" / "cat" / "0.png")
    images = read_images(tmp_path / "both")
    assert images.test is not None
    assert (len(images.y), images.test.y.tolist()) == (4, [0, 1])


def test_pictures_are_resized_and_made_grey_where_that_is_asked(photos):
    picture(photos / "cat" / "0.png", (30, 20), 1, value=77)
    images = read_images(photos, size=(12, 10), channels=1)
    assert images.x.shape == (4, 12, 10, 1)
    assert (images.x[0] == 77).all()


def test_a_photograph_is_turned_upright(tmp_path):
    pixels = picture(tmp_path / "a.png", (8, 6), 3)
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held on its side
    Image.fromarray(pixels).save(tmp_path / "b.png", exif=exif)
    assert np.array_equal(read_picture(tmp_path / "b.png")[0], np.rot90(pixels, -1))


def test_mnist_s_four_files(mnist):
    for path in (mnist, mnist / "train-images-idx3-ubyte.gz"):
        images = read_images(path)
        assert images.shape == (5, 4, 1)
        assert images.classes == ("0", "1", "2")
        assert images.y.tolist() == [0, 1, 2, 0, 1, 2]
        assert images.test is not None
        assert len(images.test.y) == 4


def test_archives(tmp_path):
    x = RANDOM.integers(0, 256, (6, 5, 4), np.uint8)
    np.savez(tmp_path / "a.npz", x=x, y=np.array(["b", "a"] * 3))
    images = read_images(tmp_path / "a.npz")
    assert images.classes == ("a", "b")
    assert images.y.tolist() == [1, 0] * 3
    assert np.array_equal(images.x[..., 0], x)
    np.savez(tmp_path / "b.npz", x=x / 255, y=[[3], [5]] * 3)
    floats = read_images(tmp_path / "b.npz")
    assert floats.x.dtype == np.float32
    assert floats.classes == ("3", "5")


# --- what is refused -------------------------------------------------------------------------------------------------


def spoil_kind(photos):
    (photos / "dog" / "1.png").write_text("not a picture")


def spoil_end(photos):
    content = (photos / "dog" / "1.png").read_bytes()
    (photos / "dog" / "1.png").write_bytes(content[: len(content) // 2])


def spoil_class(photos):
    for file in (photos / "dog").iterdir():
        file.unlink()
    (photos / "dog").rmdir()


def spoil_all(photos):
    spoil_class(photos)
    (photos / "cat").rename(photos.parent / "elsewhere")


def spoil_content(photos):
    for file in (photos / "dog").iterdir():
        file.unlink()


FOLDERS = [
    (spoil_kind, r"dog/1.png is not an image"),
    (spoil_end, r"dog/1.png is (a damaged image|not an image)"),
    (spoil_class, r"photos needs .* at least two classes, it has only one, 'cat'"),
    (spoil_all, r"photos needs .* at least two classes, it has none"),
    (spoil_content, r"dog is a class folder without images"),
    (
        lambda photos: picture(photos / "dog" / "1.png", (9, 9)),
        r"differ in height × width: 3 of 8×6 \(.*0.png\), 1 of 9×9 \(.*dog/1.png\): give a size .*--size 64",
    ),
]


@pytest.mark.parametrize(("spoil", "said"), FOLDERS)
def test_a_bad_folder_is_named(photos, spoil, said):
    spoil(photos)
    with pytest.raises(DataError, match=said):
        read_images(photos)


IDX = [
    (lambda f: f.write_bytes(f.read_bytes()[:-2]), r"train-labels-idx1-ubyte is truncated: 12 bytes of 14"),
    (lambda f: f.write_bytes(f.read_bytes()[:6]), r"train-labels-idx1-ubyte is truncated"),
    (lambda f: f.write_bytes(f.read_bytes() + b"x"), r"train-labels-idx1-ubyte has 1 bytes more than its header says"),
    (lambda f: f.write_bytes(b"hello world"), r"train-labels-idx1-ubyte is not an IDX file"),
    (lambda f: f.unlink(), r"no IDX file of train labels"),
    (lambda f: f.write_bytes(idx(np.zeros(5, np.uint8))), r"6 images but 5 labels"),
    (lambda f: f.write_bytes(idx(np.zeros(6, np.float32))), r"y has to be one class a row"),
]


@pytest.mark.parametrize(("spoil", "said"), IDX)
def test_a_bad_idx_file_is_named(mnist, spoil, said):
    spoil(mnist / "train-labels-idx1-ubyte")
    with pytest.raises(DataError, match=said):
        read_images(mnist)


def test_a_truncated_packed_file_is_named(mnist):
    file = mnist / "train-images-idx3-ubyte.gz"
    file.write_bytes(file.read_bytes()[:-12])
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte.gz can't be unpacked"):
        read_images(mnist)


PIXELS = np.zeros((4, 3, 3), np.float32)
PIXELS[2, 1, 0] = np.nan
ARCHIVES = [
    ({"x": PIXELS, "y": [0, 1, 0, 1]}, r"a.npz: image 2 .* holds nan at pixel \(1, 0, 0\)"),
    ({"x": PIXELS[:2], "y": [1, 1]}, r"a.npz has only one class, 1"),
    ({"x": PIXELS[:2], "y": [0, 1, 1]}, r"a.npz has 2 images but 3 labels"),
    ({"x": np.zeros((4, 9)), "y": [0, 1, 0, 1]}, r"x has to be images, .*, not 4×9 of float64"),
    ({"x": PIXELS[:2], "y": [0.5, 1]}, r"y has to be one class a row"),
    ({"a": PIXELS}, r"a.npz needs x_train and y_train, or x and y; it has a"),
    (
        {"x_train": PIXELS[:2], "y_train": [0, 1], "x_test": np.zeros((2, 4, 4)), "y_test": [0, 1]},
        r"training and for testing differ in shape",
    ),
]


@pytest.mark.parametrize(("arrays", "said"), ARCHIVES)
def test_a_bad_archive_is_named(tmp_path, arrays, said):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(DataError, match=said):
        read_images(tmp_path / "a.npz")


def test_other_wrong_calls(tmp_path, photos, mnist):
    (tmp_path / "b.npz").write_text("no archive")
    with pytest.raises(DataError, match=r"b.npz is not an .npz archive"):
        read_images(tmp_path / "b.npz")
    with pytest.raises(NotFoundError, match="there is no file or folder"):
        read_images(tmp_path / "nothing")
    with pytest.raises(ArgumentError, match="channels is 1, 3 or 4"):
        read_images(photos, channels=2)
    with pytest.raises(ArgumentError, match="taken as they are"):
        read_images(mnist, size=(8, 8))
    with pytest.raises(NotFoundError, match="there is no file"):
        read_picture(tmp_path / "nothing.png")


def test_what_is_taken_for_images(tmp_path):
    (tmp_path / "rows.csv").touch()
    assert not module.is_image_source(tmp_path)
    (tmp_path / "cat").mkdir()
    assert module.is_image_source(tmp_path)
    assert module.is_image_source("mnist.npz")
    assert module.is_image_source("t10k-labels-idx1-ubyte.gz")
    assert module.is_image_source(".")
    assert not module.is_image_source("penguins.csv")
    assert not module.is_image_source("SELECT * FROM 'a.csv'")
