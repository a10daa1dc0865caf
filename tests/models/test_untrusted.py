"""Files that are larger than they look, or whose headers lie: refused before there is memory for them."""

import contextlib
import gzip
import io
import json
import struct
import threading
import zipfile
import zlib

import numpy as np
import pytest

import thalweg
from thalweg import Sequential, layers
from thalweg.data import database
from thalweg.data.images import read_images
from thalweg.data.images.picture_files import read_picture
from thalweg.data.tables import read_table
from thalweg.errors import ArgumentError, DataError, ModelFileError
from thalweg.initializers import FromFile
from thalweg.models import model_file as saving
from thalweg.runs import presets
from thalweg.support import untrusted
from thalweg.tabular import Features, Target

Image = pytest.importorskip("PIL.Image")
pytest.importorskip("yaml")


def said(kind, call):
    """The message of the error that is raised: one line."""
    with pytest.raises(kind) as caught:
        call()
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def limit(monkeypatch, size):
    """As if the default were so small."""
    monkeypatch.setattr(untrusted, "MAX_BYTES", size)


# --- caps ------------------------------------------------------------------------------------------------------------


def npz(path):
    np.savez_compressed(path / "a.npz", x=np.zeros((200, 100, 100), np.uint8), y=np.arange(200) % 2)
    return path / "a.npz", "a.npz, unpacked, takes 2,001,856 bytes, more than the 1,000,000 bytes allowed"


def idx(path):
    for kind, array in (("images-idx3", np.zeros((200, 100, 100), np.uint8)), ("labels-idx1", np.arange(200) % 2)):
        content = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
        (path / f"train-{kind}-ubyte.gz").write_bytes(gzip.compress(content + array.astype(np.uint8).tobytes()))
    return path / "train-labels-idx1-ubyte.gz", r"images-idx3-ubyte.gz, unpacked, takes 2,000,000 bytes, more than"


def folder(path):
    for number in range(40):
        (path / "photos" / "ab"[number % 2]).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (150, 100)).save(path / "photos" / "ab"[number % 2] / f"{number}.png")
    return path / "photos", r"40 pictures of 100×150×3 bytes takes? 1,800,000 bytes, .*give a smaller --size, or, if"


@pytest.mark.parametrize("make", [npz, idx, folder])
def test_what_unpacks_to_more_than_allowed_is_refused_and_can_be_allowed(make, tmp_path, monkeypatch):
    path, words = make(tmp_path)
    assert len(read_images(path).y) in (40, 200)  # the control
    limit(monkeypatch, 1_000_000)
    with pytest.raises(DataError, match=words):
        read_images(path)
    monkeypatch.setenv("THALWEG_MAX_BYTES", said(DataError, lambda: read_images(path)).rpartition(" ")[2])
    assert len(read_images(path).y) in (40, 200)


def test_a_table_s_cells_are_counted_before_they_are_handed_over(tmp_path, monkeypatch):
    file = tmp_path / "a.csv.gz"
    file.write_bytes(gzip.compress(b"a\n" + b"1\n" * 100_000))
    assert read_table(file).rows == 100_000
    monkeypatch.setenv("THALWEG_MAX_BYTES", str(2_599_999))
    monkeypatch.setattr(database, "confine", lambda connection, memory: None)  # DuckDB itself may take what it likes
    words = said(DataError, lambda: read_table(file))
    assert "a.csv.gz, 100,000 rows and 1 columns, takes 2,600,000 bytes, more than the 2,599,999" in words
    monkeypatch.setenv("THALWEG_MAX_BYTES", words.rpartition(" ")[2])
    assert read_table(file).rows == 100_000


def test_duckdb_takes_no_more_memory_than_allowed(tmp_path, monkeypatch):
    monkeypatch.setenv("THALWEG_MAX_BYTES", str(30 << 20))
    words = said(DataError, lambda: read_table("SELECT range::VARCHAR || repeat('x', 90) a FROM range(1000000)"))
    assert "the query takes more than the 31,457,280 bytes allowed" in words


def test_a_large_file_needs_no_permission(tmp_path, monkeypatch):
    limit(monkeypatch, 1000)
    np.savez(tmp_path / "a.npz", x=np.zeros((20, 10, 10), np.uint8), y=np.arange(20) % 2)  # not packed
    assert len(read_images(tmp_path / "a.npz").y) == 20


@pytest.mark.parametrize("text", ["8GB", "-1", "0", "1e9", "٣", "9" * 30])
def test_the_variable_is_a_number_of_bytes(text, tmp_path, monkeypatch):
    monkeypatch.setenv("THALWEG_MAX_BYTES", text)
    words = said(ArgumentError, lambda: read_images(npz(tmp_path)[0]))
    assert f"THALWEG_MAX_BYTES has to be a number of bytes such as 8000000000, got {text!r}" in words


def test_a_picture_s_pixels_are_limited_too(tmp_path, monkeypatch):
    Image.new("L", (200, 100)).save(tmp_path / "a.png")
    before = Image.MAX_IMAGE_PIXELS
    monkeypatch.setenv("THALWEG_MAX_BYTES", str(24 * 20_000))
    assert read_picture(tmp_path / "a.png")[0].shape == (100, 200, 1)
    monkeypatch.setenv("THALWEG_MAX_BYTES", str(24 * 19_999))
    assert "a.png has more than 19,999 pixels: if you trust it, set THALWEG_MAX_BYTES" in said(
        DataError, lambda: read_picture(tmp_path / "a.png")
    )
    assert before == Image.MAX_IMAGE_PIXELS  # which other code relies on


# --- headers that lie ------------------------------------------------------------------------------------------------


def header(shape, descr="|u1"):
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": descr, "fortran_order": False, "shape": shape})
    return stream.getvalue()


@pytest.mark.parametrize(
    ("member", "words"),
    [
        (
            header((10**6, 10**6, 10**6)),
            "(its header says shape (1000000, 1000000, 1000000) of uint8, but 0 bytes follow)",
        ),
        (header((4, -1, 1)) + bytes(4), "(its header says shape (4, -1, 1) of uint8, but 4 bytes follow)"),
        (header((4,)) + bytes(3), "(its header says shape (4,) of uint8, but 3 bytes follow)"),
        (header((2, 2, 2), "|O") + bytes(64), "(it holds objects or records, not plain numbers or text)"),
        (header((1,), "<U1") + b"\xff\xff\xff\x7f", "(it holds text that is no Unicode)"),
        (b"\x93NUMPY", "(EOF"),
    ],
)
def test_an_array_is_what_follows_its_header(member, words, tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("x.npy", member)
        archive.writestr("y.npy", header((4,)) + bytes([0, 1, 0, 1]))
    error = said(DataError, lambda: read_images(tmp_path / "a.npz"))
    assert f"a.npz is not an .npz archive of plain arrays, or it is damaged {words}" in error
    (tmp_path / "w.npy").write_bytes(member)
    error = said(ModelFileError, lambda: FromFile(tmp_path / "w.npy")((4,)))
    assert f"w.npy can't be read as weights {words}" in error


def test_an_archive_packed_in_a_way_that_python_lacks(tmp_path):
    path, _ = npz(tmp_path)
    content = bytearray(path.read_bytes())
    for sign, place in ((b"PK\3\4", 8), (b"PK\1\2", 10)):
        start = content.index(sign) + place
        content[start : start + 2] = struct.pack("<H", 98)  # PPMd
    path.write_bytes(content)
    assert "a.npz is not an .npz archive of plain arrays" in said(DataError, lambda: read_images(path))


def test_fortran_order_and_text_come_back(tmp_path):
    x, y = np.asfortranarray(np.arange(120, dtype=np.int64).reshape(5, 4, 6)), np.array(list("abcab"))
    np.savez_compressed(tmp_path / "a.npz", x=x, y=y)
    with untrusted.Npz(tmp_path / "a.npz") as archive:
        assert np.array_equal(archive["x"], x)
        assert np.array_equal(archive["y"], y)


@pytest.mark.parametrize("axes", [5, 65, 255])
def test_an_idx_file_of_many_axes(axes, tmp_path):
    (tmp_path / "train-images-idx3-ubyte").write_bytes(bytes([0, 0, 8, axes]) + bytes([0, 0, 0, 1]) * axes + b"x")
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 1, 0]))
    assert f"has {axes} axes: images have 4 at most" in said(DataError, lambda: read_images(tmp_path))


def test_damaged_gzip_of_every_kind(tmp_path):
    packed = bytearray(gzip.compress(b"a,b\n1,2\n" * 1000))
    for place in (0, 3, 8, 12, 20, len(packed) - 5):
        damaged = bytearray(packed)
        damaged[place] ^= 0xFF
        (tmp_path / "a.csv.gz").write_bytes(damaged)
        with contextlib.suppress(DataError):  # a wrong time of packing is no damage
            read_table(tmp_path / "a.csv.gz")
    (tmp_path / "a.csv.gz").write_bytes(packed[:10] + zlib.compress(b"a,b\n")[2:])
    assert "can't read" in said(DataError, lambda: read_table(tmp_path / "a.csv.gz"))


# --- models and networks ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("units", [10**9, 2**62])
def test_no_memory_is_taken_on_the_word_of_a_description(units, tmp_path, monkeypatch):
    model = Sequential([layers.Input((3,)), layers.Dense(4), layers.Dense(2)], seed=0)
    model.compile("adam", "mse")
    model.save(tmp_path / "model")
    arrays, description = saving.read(tmp_path / "model")
    description["layers"][0]["config"]["units"] = units
    saving.write(tmp_path / "model", arrays, description, overwrite=True)
    largest = []
    monkeypatch.setattr(
        "thalweg.models.weights.aligned", lambda size, dtype: largest.append(size) or np.zeros(size, dtype)
    )
    words = said(ModelFileError, lambda: thalweg.load_model(tmp_path / "model"))
    assert f"doesn't fit the model: dense/W has the shape (3, {units}), in the file (3, 4)" in words
    assert not largest


BOMB = "- &a [ReLU, ReLU, ReLU, ReLU, ReLU, ReLU, ReLU, ReLU, ReLU]\n" + "".join(
    f"- &{name} [{', '.join(['*' + before] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
MERGED = "- &a {x: 1}\n" + "".join(
    f"- &{name} {{<<: [{', '.join(['*' + before] * 9)}]}}\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (BOMB, "net.yaml stands for 4.9e+08 names and numbers, and may have 100,000"),
        (MERGED, "names and numbers, and may have 100,000"),
        ("- &a [*a]", "stands for inf names and numbers"),
        ("[" * 3000, "is not YAML (nested too deeply)"),
        ("- Residual: {layers: [" + "[" * 150 + "]" * 150 + "]}", "nested too deeply"),
        ("- Dense: {units: 2024-05-31}", "Dense's units has to be a whole number, got datetime.date(2024, 5, 31)"),
        ("- Dense: {units: 2024-13-41}", "is not YAML (month must be in 1..12)"),
        ("- Dense: {units: !!int x}", "is not YAML"),
        ("- Dense: {units: 3, kernel_initializer: {class_name: Zeros}}", "Dense: it lacks 'config'"),
        ("#" * 1_000_001, "more than 1,000,000 bytes"),
    ],
)
def test_yaml_of_every_bad_kind(text, words, tmp_path):
    (tmp_path / "net.yaml").write_text(text)
    assert words in said(ArgumentError, lambda: presets.read_layers(tmp_path / "net.yaml"))


def test_aliases_are_followed_where_they_are_few(tmp_path):
    (tmp_path / "net.yaml").write_text("- &block {Dense: {units: 4}}\n- ReLU\n- *block\n")
    assert [type(layer).__name__ for layer in presets.read_layers(tmp_path / "net.yaml")] == ["Dense", "ReLU", "Dense"]


# --- others ----------------------------------------------------------------------------------------------------------


def test_features_take_a_frame_as_it_is():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"age": [31.0, 22.0, 45.0, 19.0], "town": ["a", "b", "a", "b"], "y": ["n", "y", "y", "n"]})
    features = Features.fit(frame, Target.of(frame, "y"))
    assert np.array_equal(features.matrix(frame), features.matrix(read_table(frame)))
    assert features.targets(frame).ravel().tolist() == [0, 1, 1, 0]
    assert features.unseen(frame.assign(town="c")) == {"town": ["c"]}
    assert "can't read a table from" in said(DataError, lambda: features.matrix(3))


def test_a_population_needs_no_threads(monkeypatch):
    def refused(*_):
        raise RuntimeError("can't start new thread")

    def histories():
        models = [Sequential([layers.Input((2,)), layers.Dense(1)], seed=seed) for seed in range(3)]
        for model in models:
            model.compile("sgd", "mse")
        return [h.history for h in thalweg.fit_many(models, np.eye(2), [0.0, 1.0], epochs=2, lanes=2)]

    before = histories()
    monkeypatch.setattr(threading.Thread, "start", refused)
    assert histories() == before


def test_a_run_s_files_are_checked(tmp_path):
    """What the mutants can't show: that the message names the file and the place."""
    from thalweg.runs import table_run as runs
    from thalweg.runs import table_training

    table = {"x": np.arange(30.0), "y": ["a", "b", "b"] * 10}
    options = runs.TableOptions(target="y", trees=False, members=1, layers=(2,), epochs=2, seed=0)
    table_training.train(read_table(table), options).save(tmp_path / "run", ["thalweg"])
    for name, old, new, words in (
        ("history.jsonl", '"epoch": 1', '"epoch": "1"', "history.jsonl is damaged: line 2 is no record of an epoch"),
        ("history.jsonl", '"loss"', '"lost"', None),
        (
            "run.json",
            '"counts": [',
            '"counts": [[1], ',
            "run.json is damaged: 'mistakes' is not what a training writes",
        ),
        ("run.json", '"best epoch": 2', '"best epoch": -2', "run.json is damaged: 'members' is not what a training"),
        ("run.json", '"optimizer": null', '"optimizer": 3', "run.json is damaged: 'options' is not what a training"),
        ("run.json", '"lanes": null', '"lanes": 0', "run.json is damaged: 'options' is not what a training writes"),
        ("columns.json", '"kind": "number"', '"kind": []', "columns.json is damaged (unhashable type: 'list')"),
        ("columns.json", "{", "[" * 100_000, "columns.json is damaged (nested too deeply)"),
    ):
        file = tmp_path / "run" / name
        text = file.read_text("utf-8")
        assert old in text
        file.write_text(text.replace(old, new), encoding="utf-8")
        if words is None:
            assert [set(record) >= {"epoch", "lost"} for record in runs.load(tmp_path / "run").history] == [True] * 2
        else:
            assert words in said(ModelFileError, lambda: runs.load(tmp_path / "run"))
        file.write_text(text, encoding="utf-8")
    assert json.loads((tmp_path / "run" / "run.json").read_text("utf-8"))["rows"]["skipped"] == 0
