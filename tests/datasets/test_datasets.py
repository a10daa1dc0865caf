"""Data sets: what they return, where their files are looked for, how they are downloaded, and what they refuse."""

import gzip
import hashlib
import io
import json
import os
import pickle
import struct
import tarfile
import threading
import zipfile
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

import thalweg
from thalweg import datasets
from thalweg.datasets import (
    boston_housing,
    california_housing,
    cifar10,
    cifar100,
    fashion_mnist,
    fetching,
    imdb,
    mnist,
    reuters,
)
from thalweg.datasets.fetching import Source
from thalweg.errors import ArgumentError, DataError, NotFoundError

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "data"
RANDOM = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """An empty home, and no network."""
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    for name in (fetching.VARIABLE, "KERAS_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(
        "urllib.request.urlopen", lambda url, **_: pytest.fail(f"{url} is asked for, though the file is here")
    )
    return tmp_path


# --- small files of the published formats ----------------------------------------------------------------------------


def images(rows, side=28):
    return RANDOM.integers(0, 256, (rows, side, side)).astype(np.uint8)


def labels(rows, classes=10):
    return RANDOM.integers(0, classes, rows).astype(np.uint8)


def objects(rows):
    array = np.empty(len(rows), object)
    array[:] = rows
    return array


DIGITS = {"x_train": images(6), "y_train": labels(6), "x_test": images(3), "y_test": labels(3)}
REVIEWS = [[1, 5, 9], [2, 8], [3, 4, 30, 7], [10, 1]]
TESTS = [[2, 2], [50, 1, 1, 1, 1], [6]]


def idx(array):
    return gzip.compress(struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes())


def write_fashion(folder, made=DIGITS):
    folder.mkdir(parents=True, exist_ok=True)
    for part, prefix in (("train", "train"), ("test", "t10k")):
        (folder / f"{prefix}-images-idx3-ubyte.gz").write_bytes(idx(made[f"x_{part}"]))
        (folder / f"{prefix}-labels-idx1-ubyte.gz").write_bytes(idx(made[f"y_{part}"]))


def batch(pixels, **keyed):
    """A dict as CIFAR's authors pickled it, in Python 2's protocol, with bytes for names."""
    held = {b"data": pixels} | {key.encode(): value for key, value in keyed.items()}
    return pickle.dumps(held, protocol=2)


def write_tar(path, files):
    with tarfile.open(path, "w:gz") as packed:
        for name, content in files.items():
            member = tarfile.TarInfo(f"cifar/{name}")
            member.size = len(content)
            packed.addfile(member, io.BytesIO(content))


def colours(rows):
    return RANDOM.integers(0, 256, (rows, 3072)).astype(np.uint8)


# --- what they return ------------------------------------------------------------------------------------------------


def same(result, *wanted):
    (x_train, y_train), (x_test, y_test) = result
    for array, other in zip((x_train, y_train, x_test, y_test), wanted, strict=True):
        assert array.dtype == other.dtype
        assert np.array_equal(array, other)


def test_all_of_keras_s_are_there():
    names = ["boston_housing", "california_housing", "cifar10", "cifar100", "fashion_mnist", "imdb", "mnist", "reuters"]
    assert datasets.__all__ == names
    assert all(callable(getattr(datasets, name).load_data) for name in names)


def test_mnist(tmp_path):
    np.savez(tmp_path / "mnist.npz", **DIGITS)
    same(mnist.load_data(folder=tmp_path), *DIGITS.values())
    np.savez(tmp_path / "mine.npz", **{name.replace("x", "X"): array for name, array in DIGITS.items()})
    same(mnist.load_data("mine.npz", tmp_path), *DIGITS.values())
    same(mnist.load_data(tmp_path / "mine.npz"), *DIGITS.values())


def test_fashion_mnist(tmp_path):
    write_fashion(tmp_path / "fashion-mnist")
    same(fashion_mnist.load_data(tmp_path), *DIGITS.values())
    other = DIGITS | {"x_train": DIGITS["x_train"][::-1]}
    np.savez(tmp_path / "fashion_mnist.npz", **other)
    same(fashion_mnist.load_data(tmp_path), *other.values())


@pytest.mark.parametrize("packed", [True, False])
def test_cifar10(packed, tmp_path):
    parts = [(colours(2), [k, 9 - k]) for k in range(6)]
    files = {n: batch(x, labels=y) for n, (x, y) in zip(cifar10.BATCHES, parts, strict=True)}
    if packed:
        write_tar(tmp_path / "cifar-10-python.tar.gz", files)
    else:
        (tmp_path / "cifar-10-batches-py").mkdir()
        for name, content in files.items():
            (tmp_path / "cifar-10-batches-py" / name).write_bytes(content)
    x = np.concatenate([x for x, _ in parts]).reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    y = np.array([y for _, y in parts], np.uint8).reshape(-1, 1)
    result = cifar10.load_data(tmp_path)
    same(result, x[:10], y[:10], x[10:], y[10:])
    assert result[0][0].flags.c_contiguous


def test_cifar100(tmp_path):
    train, test = colours(3), colours(2)
    files = {"train": batch(train, fine_labels=[99, 5, 0], coarse_labels=[19, 1, 0]),
             "test": batch(test, fine_labels=[7, 8], coarse_labels=[1, 2])}  # fmt: skip
    write_tar(tmp_path / "cifar-100-python.tar.gz", files)
    (x, fine), (_, _) = cifar100.load_data(folder=tmp_path)
    assert fine.tolist() == [[99], [5], [0]]
    assert np.array_equal(x[1, 4, 7], train[1].reshape(3, 32, 32)[:, 4, 7])
    assert cifar100.load_data("coarse", tmp_path)[1][1].tolist() == [[1], [2]]
    with pytest.raises(ArgumentError, match="unknown label_mode 'both'"):
        cifar100.load_data("both")


def write_imdb(path, **more):
    np.savez(path, x_train=objects(REVIEWS), y_train=np.array([1, 0, 1, 0]), x_test=objects(TESTS),
             y_test=np.array([0, 1, 1]), **more)  # fmt: skip


def plainly(rows, labels, random, **options):
    """Keras's rules for reviews, one at a time."""
    o = {"start_char": 1, "oov_char": 2, "index_from": 3, "skip_top": 0, "num_words": None, "maxlen": None} | options
    order = np.arange(len(rows))
    random.shuffle(order)
    result = []
    for n in order:
        row = [word + (o["index_from"] or 0) for word in rows[n]]
        row = ([o["start_char"]] if o["start_char"] is not None else []) + row
        if o["maxlen"] is None or len(row) < o["maxlen"]:
            result.append((row, labels[n]))
    return result


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"num_words": 10},
        {"num_words": 10, "oov_char": None},
        {"skip_top": 6, "num_words": 30, "seed": 7},
        {"maxlen": 4},
        {"start_char": None, "index_from": 0},
        {"start_char": None, "index_from": 5, "oov_char": 0, "num_words": 12},
    ],
)
def test_imdb(options, tmp_path):
    write_imdb(tmp_path / "imdb.npz")
    result = imdb.load_data(folder=tmp_path, **options)
    random = np.random.RandomState(options.get("seed", 113))
    parts = [plainly(r, l, random, **options) for r, l in ((REVIEWS, [1, 0, 1, 0]), (TESTS, [0, 1, 1]))]
    most = options.get("num_words") or max(max(row) for part in parts for row, _ in part)
    other, low = options.get("oov_char", 2), options.get("skip_top", 0)
    for (x, y), part in zip(result, parts, strict=True):
        rows = [
            [w if low <= w < most else other for w in row if low <= w < most or other is not None] for row, _ in part
        ]
        assert (x.dtype, x.shape) == (object, (len(part),))
        assert x.tolist() == rows
        assert y.tolist() == [label for _, label in part]


def test_reuters(tmp_path):
    np.savez(tmp_path / "reuters.npz", x=objects(REVIEWS + TESTS), y=np.arange(7))
    (x_train, y_train), (x_test, y_test) = reuters.load_data(folder=tmp_path, test_split=0.3, num_words=60)
    part = plainly(REVIEWS + TESTS, range(7), np.random.RandomState(113))
    assert [*x_train.tolist(), *x_test.tolist()] == [row for row, _ in part]
    assert [*y_train.tolist(), *y_test.tolist()] == [label for _, label in part]
    assert len(x_train) == 4
    assert len(reuters.get_label_names()) == 46
    with pytest.raises(ArgumentError, match="test_split"):
        reuters.load_data(test_split=2)


@pytest.mark.parametrize("module", [imdb, reuters])
def test_word_indices(module, tmp_path):
    (tmp_path / module.INDEX.name).write_text(json.dumps({"the": 1, "été": 2}), encoding="utf-8")
    assert module.get_word_index(folder=tmp_path) == {"the": 1, "été": 2}
    (tmp_path / module.INDEX.name).write_text("[1]")
    with pytest.raises(DataError, match="isn't a dict from words to numbers"):
        module.get_word_index(folder=tmp_path)


@pytest.mark.parametrize("module", [california_housing, boston_housing])
def test_houses(module, tmp_path):
    x, y = RANDOM.normal(size=(10, 8)), np.arange(10.0)
    np.savez(tmp_path / module.SOURCE.name, x=x, y=y)
    (x_train, y_train), (x_test, y_test) = module.load_data(folder=tmp_path, seed=5)
    order = np.arange(10)
    np.random.RandomState(5).shuffle(order)
    assert (len(x_train), len(x_test)) == (8, 2)
    assert [*y_train, *y_test] == y[order].tolist()
    assert np.array_equal(np.concatenate([x_train, x_test]), x[order])
    assert len(module.load_data(folder=tmp_path, test_split=0.5)[0][0]) == 5
    with pytest.raises(ArgumentError, match="test_split has to be a number"):
        module.load_data(folder=tmp_path, test_split=1)


def test_the_small_version_of_california_housing(tmp_path):
    np.savez(tmp_path / "california_housing.npz", x=np.zeros((700, 8)), y=np.arange(700.0))
    (_, y_train), (_, y_test) = california_housing.load_data("small", folder=tmp_path)
    assert sorted([*y_train, *y_test]) == list(range(600))
    with pytest.raises(ArgumentError, match="unknown version 'tiny'"):
        california_housing.load_data("tiny")


@pytest.mark.parametrize("module", [mnist, fashion_mnist])
def test_the_real_files(module):
    if not (SHARED / f"{module.__name__.rpartition('.')[2]}.npz").is_file():
        pytest.skip("the data isn't here")
    (x_train, y_train), (x_test, y_test) = module.load_data(folder=SHARED)
    assert (x_train.shape, x_test.shape) == ((60_000, 28, 28), (10_000, 28, 28))
    assert {a.dtype.name for a in (x_train, y_train, x_test, y_test)} == {"uint8"}
    assert np.bincount(y_train).sum() == 60_000
    assert len(np.bincount(y_test)) == 10


# --- where files are looked for --------------------------------------------------------------------------------------


def test_the_folders_in_their_order(home, monkeypatch):
    folders = {"told": home / "told", "ours": home / ".thalweg" / "datasets", "keras": home / ".keras" / "datasets",
               "other": home / "other" / "datasets", "given": home / "given"}  # fmt: skip
    for number, (name, folder) in enumerate(folders.items()):
        folder.mkdir(parents=True)
        np.savez(folder / "mnist.npz", **DIGITS | {"y_test": np.full(3, number, np.uint8)})
        folders[name] = number

    def found(**options):
        return int(mnist.load_data(**options)[1][1][0])

    assert found() == folders["ours"]
    assert found(folder=home / "given") == folders["given"]
    assert found(folder="~/given") == folders["given"]
    (home / ".thalweg" / "datasets" / "mnist.npz").unlink()
    assert found() == folders["keras"]
    monkeypatch.setenv("KERAS_HOME", str(home / "other"))
    assert found() == folders["other"]
    monkeypatch.setenv(fetching.VARIABLE, str(home / "told"))
    assert found() == folders["told"]
    assert found(folder=home / "given") == folders["given"]


# --- downloads -------------------------------------------------------------------------------------------------------

CONTENT = bytes(range(256)) * 20_000  # several chunks


class Answers(BaseHTTPRequestHandler):
    def do_GET(self):
        content, announced = self.server.files.get(self.path, (None, 0))
        if content is None:
            self.send_error(404)
            return
        self.send_response(200)
        if announced is not None:
            self.send_header("Content-Length", str(announced))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    """A server on this machine; `server.serve(name, content)` returns the source of a file on it."""
    monkeypatch.undo()
    made = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    made.files = {}

    def serve(name, content, announced=-1, digest="sha256"):
        made.files["/" + name] = content, len(content) if announced == -1 else announced
        return Source(name, f"http://127.0.0.1:{made.server_port}/{name}", hashlib.new(digest, content).hexdigest())

    made.serve = serve
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def left(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("digest", ["sha256", "md5"])
@pytest.mark.parametrize("announced", [-1, None])
def test_a_download_is_kept(server, tmp_path, digest, announced, capsys):
    source = server.serve("some.bin", CONTENT, announced, digest)
    path = fetching.fetch(source, tmp_path / "new" / "folder")
    assert path == tmp_path / "new" / "folder" / "some.bin"
    assert path.read_bytes() == CONTENT
    server.files.clear()
    assert fetching.fetch(source, tmp_path / "new" / "folder") == path  # without asking again
    assert left(tmp_path) == ["some.bin"]
    assert capsys.readouterr().out == ""


def test_a_data_set_downloads_its_file(server, tmp_path, monkeypatch):
    np.savez(tmp_path / "made.npz", **DIGITS)
    monkeypatch.setattr(mnist, "SOURCE", server.serve("mnist.npz", (tmp_path / "made.npz").read_bytes()))
    monkeypatch.setenv(fetching.VARIABLE, str(tmp_path / "data"))
    same(mnist.load_data(), *DIGITS.values())
    assert left(tmp_path / "data") == ["mnist.npz"]
    write_fashion(tmp_path / "made")
    sources = [
        server.serve(s.name, (tmp_path / "made" / Path(s.name).name).read_bytes()) for s in fashion_mnist.SOURCES
    ]
    monkeypatch.setattr(fashion_mnist, "SOURCES", sources)
    same(fashion_mnist.load_data(), *DIGITS.values())


def test_on_a_terminal_a_line_says_how_far_it_is(server, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(fetching, "interactive", lambda: True)
    fetching.fetch(server.serve("some.bin", CONTENT), tmp_path)
    printed = capsys.readouterr().out
    assert printed.startswith("\rsome.bin: 1.0 of 5.1 MB")
    assert printed.endswith("\rsome.bin: 5.1 of 5.1 MB\n")


def test_another_checksum_leaves_nothing(server, tmp_path):
    source = replace(server.serve("some.bin", CONTENT), digest="0" * 64)
    with pytest.raises(DataError, match="isn't the published file, its checksum is another one") as caught:
        fetching.fetch(source, tmp_path)
    assert str(tmp_path / "some.bin") in str(caught.value)
    assert left(tmp_path) == []


def test_a_connection_that_breaks_leaves_nothing(server, tmp_path):
    with pytest.raises(NotFoundError, match=r"can't be downloaded from http.*: put the file there yourself"):
        fetching.fetch(server.serve("some.bin", CONTENT, len(CONTENT) + 7), tmp_path)
    assert left(tmp_path) == []


def test_a_file_without_end_is_given_up(server, tmp_path, monkeypatch):
    monkeypatch.setattr(fetching, "MOST_BYTES", 1000)
    with pytest.raises(NotFoundError, match="more than 1,000 bytes"):
        fetching.fetch(server.serve("some.bin", CONTENT), tmp_path)
    assert left(tmp_path) == []


def test_a_file_that_the_server_lacks(server, tmp_path):
    source = server.serve("some.bin", CONTENT)
    server.files.clear()
    with pytest.raises(NotFoundError, match=r"some\.bin is missing and can't be downloaded from .*404"):
        fetching.fetch(source, tmp_path)


def test_without_a_network_the_file_and_its_place_are_named(tmp_path, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setenv(fetching.VARIABLE, str(tmp_path))
    monkeypatch.setattr(mnist, "SOURCE", replace(mnist.SOURCE, url="http://127.0.0.1:1/mnist.npz"))
    with pytest.raises(NotFoundError, match=r"mnist\.npz is missing and can't be downloaded") as caught:
        mnist.load_data()
    said = str(caught.value)
    assert said.startswith(str(tmp_path / "mnist.npz"))
    assert "put the file there yourself, or set THALWEG_DATA" in said
    assert "\n" not in said
    assert left(tmp_path) == []


@pytest.mark.skipif(os.name == "nt" or not hasattr(os, "geteuid") or os.geteuid() == 0, reason="may write everywhere")
def test_a_folder_that_cannot_be_written(server, tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(DataError, match="can't be written"):
        fetching.fetch(server.serve("some.bin", CONTENT), tmp_path)
    tmp_path.chmod(0o700)


def test_every_source_is_published_by_https_and_has_a_checksum():
    sources = [s for m in datasets.__all__ for s in vars(getattr(datasets, m)).values() if isinstance(s, Source)]
    sources += fashion_mnist.SOURCES
    assert len(sources) == 13
    for source in sources:
        assert source.url.startswith("https://")
        assert source.url.endswith(Path(source.name).name)
        assert len(source.digest) == (32 if source.name.endswith(".json") else 64)
        int(source.digest, 16)
    assert len({source.digest for source in sources}) == len(sources)


# --- refused ---------------------------------------------------------------------------------------------------------


class Harm:
    """Would make a folder if it were unpickled as usual."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def npz(path, **members):
    """An archive whose members are these bytes."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)


def member(value, shape=(1,)):
    """A member of an archive that says it is an array of objects."""
    stream = io.BytesIO()
    header = {"descr": "|O", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, header)
    return stream.getvalue() + pickle.dumps(value, protocol=2)


def test_nothing_in_a_file_is_run(tmp_path):
    harm = tmp_path / "harm"
    pickle.loads(pickle.dumps(Harm(harm)))
    assert harm.exists()  # the control: pickle itself runs it
    harm.rmdir()
    for content in (member(Harm(harm)), member(objects([[1], Harm(harm)]), (2,))):
        npz(tmp_path / "reuters.npz", x=content, y=member(1))
        with pytest.raises(DataError, match=r"it names (posix|nt)\.mkdir, which data have no need of"):
            reuters.load_data(folder=tmp_path)
    write_tar(tmp_path / "cifar-10-python.tar.gz", dict.fromkeys(cifar10.BATCHES, pickle.dumps(Harm(harm))))
    with pytest.raises(DataError, match="which data have no need of"):
        cifar10.load_data(tmp_path)
    assert not harm.exists()


class Calls:
    """Pickled as a call of a function that the reader knows."""

    def __init__(self, function, *arguments, state=None):
        self.function, self.arguments, self.state = function, arguments, state

    def __reduce__(self):
        return (self.function, self.arguments) if self.state is None else (self.function, self.arguments, self.state)


RECONSTRUCT = np.empty(1, object).__reduce__()[0]
FORGED = {
    "an array of text": np.array(["a"]),
    "an array that is called": Calls(np.ndarray, (10**15,)),
    "something else than an array": Calls(RECONSTRUCT, int, (0,), b"b"),
    "another size": Calls(RECONSTRUCT, np.ndarray, (0,), b"b", state=(1, (10**15,), np.dtype("u1"), False, b"abc")),
    "objects from bytes": Calls(
        RECONSTRUCT, np.ndarray, (0,), b"b", state=(1, (1,), np.dtype("O"), False, b"12345678")
    ),
    "a negative size": Calls(RECONSTRUCT, np.ndarray, (0,), b"b", state=(1, (-1,), np.dtype("u1"), False, b"")),
    "no type": Calls(RECONSTRUCT, np.ndarray, (0,), b"b", state=(1, (1,), None, False, b"a")),
    "no content": Calls(RECONSTRUCT, np.ndarray, (0,), b"b"),
    "a list": [1, 2],
    "another shape": objects([[1], [2], [3]]),
    "a text of floats": objects([[0.5]]),
    "a text of text": objects([["a"]]),
    "a number": objects([7]),
}


@pytest.mark.parametrize("value", FORGED.values(), ids=FORGED)
def test_what_is_no_text_is_refused(value, tmp_path):
    content = io.BytesIO()
    np.save(content, np.zeros(1, np.int64))
    npz(tmp_path / "reuters.npz", x=member(value), y=content.getvalue())
    with pytest.raises(DataError, match=r"reuters\.npz") as caught:
        reuters.load_data(folder=tmp_path)
    assert "\n" not in str(caught.value)
    npz(tmp_path / "reuters.npz", x=member(objects([[1, 2]])), y=content.getvalue())
    assert len(reuters.load_data(folder=tmp_path)[1][0]) == 1  # the control


def test_a_pickle_of_python_2_and_arrays_within(tmp_path):
    """Bytes for text, protocol 0, and word numbers as arrays in another byte order."""
    rows = [np.array([1, 2], ">i4"), np.array([3], "<i8"), [4]]
    content = member(objects(rows), (3,))
    npz(tmp_path / "imdb.npz", x_train=content, x_test=content, y_train=content, y_test=content)
    x = thalweg.datasets.pickled.read_arrays(tmp_path / "imdb.npz", ["x_train"])[0]
    assert [list(map(int, row)) for row in x] == [[1, 2], [3], [4]]
    columns = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    assert np.array_equal(thalweg.datasets.pickled.unpickled(pickle.dumps(columns, protocol=0)), columns)


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


WRONG = {
    "no archive": (lambda f: write(f / "mnist.npz", b"no zip"), mnist.load_data, r"mnist\.npz is not the archive"),
    "an array too few": (
        lambda f: np.savez(f / "mnist.npz", x_train=images(2)), mnist.load_data, "has no array y_train, only x_train"),
    "other rows": (
        lambda f: np.savez(f / "mnist.npz", **DIGITS | {"y_train": labels(5)}), mnist.load_data,
        "no images with a class"),
    "a folder": (lambda f: (f / "mnist.npz").mkdir(), mnist.load_data, "is a folder, not the file"),
    "no path": (lambda f: None, lambda folder: mnist.load_data("", folder), "path is the name of a file"),
    "a truncated file": (
        lambda f: write_fashion(f / "fashion-mnist", DIGITS | {"y_test": images(3)}), fashion_mnist.load_data,
        "no images with a class each"),
    "no packed file": (
        lambda f: write(f / "cifar-10-python.tar.gz", b"no gzip"), cifar10.load_data, "isn't CIFAR's file"),
    "a batch too few": (
        lambda f: write_tar(f / "cifar-100-python.tar.gz", {"train": b""}),
        lambda folder: cifar100.load_data(folder=folder), "has no file test"),
    "other pixels": (
        lambda f: write_tar(f / "cifar-100-python.tar.gz", dict.fromkeys(
            ("train", "test"), batch(np.zeros((2, 9), np.uint8), fine_labels=[1, 2]))),
        lambda folder: cifar100.load_data(folder=folder), "no images with a label each"),
    "no prices": (
        lambda f: np.savez(f / "boston_housing.npz", x=np.zeros((3, 13)), y=np.zeros(2)), boston_housing.load_data,
        "no rows with a price each"),
    "maxlen": (lambda f: write_imdb(f / "imdb.npz"), lambda folder: imdb.load_data(maxlen=1, folder=folder),
               "no text has fewer than maxlen=1 words"),
}  # fmt: skip


@pytest.mark.parametrize(("make", "load", "said"), WRONG.values(), ids=WRONG)
def test_wrong_files(make, load, said, tmp_path):
    make(tmp_path)
    with pytest.raises((DataError, ArgumentError), match=said) as caught:
        load(folder=tmp_path)
    assert "\n" not in str(caught.value)
