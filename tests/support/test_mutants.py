"""Every parser against damaged files: a mutant is read, or it is refused by one sentence of ours. Nothing else.

The mutations are seeded, so that a failure is found again.
"""

import gzip
import json
import random
import struct

import mutants
import numpy as np
import pytest

import thalweg
from thalweg import Sequential, layers
from thalweg.cli.inspect_run import inspect
from thalweg.data.images import read_images
from thalweg.data.images.picture_files import Reading, read_picture
from thalweg.data.tables import read_table, write_table
from thalweg.errors import ThalwegError
from thalweg.initializers import FromFile
from thalweg.models import model_file as saving
from thalweg.runs import image_run as image_runs
from thalweg.runs import presets, table_training
from thalweg.runs import table_run as runs
from thalweg.runs.folder import is_image_run
from thalweg.tabular import Features, Target

Image = pytest.importorskip("PIL.Image")
pytest.importorskip("yaml")

RANDOM = np.random.default_rng(0)
ROWS = 30
COLUMNS = {
    "age": np.where(np.arange(ROWS) % 7, np.arange(ROWS), np.nan),
    "town": np.array(["Ulm", "Bonn", "a,b", None, 'say "x"'] * 6, object),
    "born": np.datetime64("2020-01-31T10:00", "us") + np.arange(ROWS) * np.timedelta64(100_000, "s"),
    "code": np.arange(ROWS) % 4,
    "kind": np.array(["yes", "no", "no"] * 10, object),
}
PIXELS = RANDOM.integers(0, 256, (6, 5, 4), np.uint8)
YAML = """# a network
- &block {Conv2D: {filters: 4, kernel_size: [3, 3], activation: relu, padding: same}}
- *block
- MaxPooling2D
- Residual:
    layers: [Dense: {units: 4}, LeakyReLU: {negative_slope: 0.1}, Reshape: {target_shape: [4, 4, 4]}]
- Dropout: {rate: 0.5, seed: 3}
- Flatten
- Dense: {units: 0x10, kernel_initializer: he_normal, kernel_regularizer: l2, use_bias: true}
"""


# --- what is read: each makes a file (or several) in a folder, and reads what has become of it -----------------------


def table(ending):
    def make(folder):
        plain = folder / f"table{ending.removesuffix('.gz')}"
        write_table(plain, COLUMNS)
        if ending.endswith(".gz"):
            (folder / f"table{ending}").write_bytes(gzip.compress(plain.read_bytes()))
        return folder / f"table{ending}"

    return make


def learn(path):
    """A table as training takes it."""
    found = read_table(path)
    target = Target.of(found, found.names[-1])
    features = Features.fit(found, target)
    features.describe()
    features.unseen(found)
    Features.from_json(json.loads(json.dumps(features.to_json()))).matrix(found)
    target.decode(np.zeros((2, target.outputs)))


def idx(folder, packed):
    folder.mkdir(exist_ok=True)
    for prefix in ("train", "t10k"):
        for kind, array in (("images-idx3", PIXELS), ("labels-idx1", np.arange(6, dtype=np.uint8) % 3)):
            content = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()
            path = folder / f"{prefix}-{kind}-ubyte{'.gz' * packed}"
            path.write_bytes(gzip.compress(content) if packed else content)
    return folder / f"train-images-idx3-ubyte{'.gz' * packed}"


def npz(save, **arrays):
    def make(folder):
        save(folder / "a.npz", **arrays)
        return folder / "a.npz"

    return make


def picture(ending, mode="RGB"):
    def make(folder):
        path = folder / f"a.{ending}"
        Image.fromarray(RANDOM.integers(0, 256, (12, 9, 3), np.uint8)).convert(mode).save(path)
        return path

    return make


def look(path):
    read_picture(path)
    read_picture(path, Reading((6, 7), 1))


def network(folder):
    (folder / "net.yaml").write_text(YAML)
    return folder / "net.yaml"


def run_on_a_table(name):
    def make(folder):
        options = runs.TableOptions(target="kind", members=2, layers=(4,), epochs=2, batch_size=8, seed=0, lanes=1)
        table_training.train(read_table(COLUMNS), options).save(folder / "run", ["thalweg", "train"])
        return folder / "run" / name

    return make


def run_on_images(name):
    def make(folder):
        (folder / "net.yaml").write_text("- Conv2D: {filters: 2, kernel_size: 3}\n- Flatten\n")
        np.savez(folder / "a.npz", x=PIXELS.repeat(4, axis=0), y=np.arange(24) % 2)
        options = image_runs.ImageOptions(model=str(folder / "net.yaml"), epochs=2, batch_size=8, seed=0)
        run = image_runs.train(read_images(folder / "a.npz"), options)
        run.save(folder / "run", ["thalweg", "train"])
        return folder / "run" / name

    return make


def use(path):
    """A run of any kind, looked at and used."""
    inspect(path.parent)
    if not is_image_run(path.parent):
        run = runs.load(path.parent)
        runs.predictions(run, read_table(COLUMNS))
        run.evaluate(COLUMNS)
    elif not path.name.endswith(".npz"):
        run = image_runs.load(path.parent)
        run.model.predict(PIXELS[:1].astype(float) * run.scale)


def model_file(folder):
    hidden = [
        layers.Conv2D(3, 3, padding="same", use_bias=False, kernel_regularizer="l2"),
        layers.BatchNormalization(),
        layers.Residual([layers.SeparableConv2D(3, 3, padding="same"), layers.LeakyReLU(0.1)]),
        layers.MaxPooling2D(2),
        layers.Flatten(),
        layers.Dense(4, thalweg.activations.formula("max(x, a*x)", parameters={"a": 0.2})),
        layers.Dropout(0.5, seed=3),
    ]
    model = Sequential([layers.Input((4, 4, 1)), *hidden, layers.Dense(2, "softmax", kernel_constraint="max_norm")])
    rate = thalweg.schedules.CosineDecay(0.1, 100)
    model.compile(thalweg.optimizers.SGD(rate, momentum=0.9), thalweg.losses.CenterLoss(), ["accuracy"])
    model.build()
    model.save(folder / "model")
    return folder / "model"


def weights(ending):
    def make(folder):
        path = folder / f"w.{ending}"
        if ending == "npy":
            np.save(path, np.eye(3))
        elif ending == "npz":
            np.savez_compressed(path, w=np.eye(3), other=np.arange(3))
        else:
            from safetensors.numpy import save_file

            save_file({"w": np.eye(3)}, path)
        return path

    return make


PARSERS = {  # by name: what makes the file, how its content is mutated, what reads it, how many mutants a test takes
    "csv": (table(".csv"), mutants.of_bytes, learn, 50),
    "tsv": (table(".tsv"), mutants.of_bytes, learn, 25),
    "csv.gz": (table(".csv.gz"), mutants.of_gzip, learn, 50),
    "parquet": (table(".parquet"), mutants.of_bytes, learn, 50),
    "json": (table(".json"), mutants.of_json_text, learn, 50),
    "jsonl": (table(".jsonl"), mutants.of_bytes, learn, 25),
    "json.gz": (table(".json.gz"), mutants.of_gzip, learn, 25),
    "idx": (lambda folder: idx(folder / "idx", False), mutants.of_bytes, read_images, 300),
    "idx.gz": (lambda folder: idx(folder / "idx", True), mutants.of_gzip, read_images, 300),
    "npz": (npz(np.savez, x=PIXELS, y=np.array(["b", "a"] * 3)), mutants.of_zip, read_images, 300),
    "npz packed": (npz(np.savez_compressed, X=PIXELS / 255, Y=np.arange(6)), mutants.of_zip, read_images, 300),
    "png": (picture("png"), mutants.of_bytes, look, 150),
    "png palette": (picture("png", "P"), mutants.of_bytes, look, 150),
    "jpeg": (picture("jpg"), mutants.of_bytes, look, 150),
    "gif": (picture("gif"), mutants.of_bytes, look, 150),
    "bmp": (picture("bmp"), mutants.of_bytes, look, 150),
    "tiff": (picture("tiff", "RGBA"), mutants.of_bytes, look, 150),
    "webp": (picture("webp"), mutants.of_bytes, look, 150),
    "yaml": (network, mutants.of_bytes, presets.read_layers, 200),
    "history.jsonl": (run_on_a_table("history.jsonl"), mutants.of_lines, use, 20),
    "columns.json": (run_on_a_table("columns.json"), mutants.of_json_text, use, 60),
    "run.json": (run_on_a_table("run.json"), mutants.of_json_text, use, 40),
    "images.json": (run_on_images("images.json"), mutants.of_json_text, use, 20),
    "likeness.npz": (run_on_images("likeness.npz"), mutants.of_zip, use, 20),
    "kernels.npz": (run_on_images("kernels.npz"), mutants.of_zip, use, 20),
    "model": (model_file, mutants.of_bytes, thalweg.load_model, 100),
    "npy weights": (weights("npy"), mutants.of_bytes, lambda path: FromFile(path)((3, 3)), 150),
    "npz weights": (weights("npz"), mutants.of_zip, lambda path: FromFile(path, "w")((3, 3)), 150),
    "safetensors weights": (weights("safetensors"), mutants.of_bytes, lambda path: FromFile(path, "w")((3, 3)), 150),
}


def outcome(read, path):
    """Whether the file was read; where it was refused, in one line."""
    try:
        read(path)
    except ThalwegError as error:
        said = str(error)
    else:
        return True
    assert said.strip()
    assert len(said.splitlines()) == 1
    return False


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, of damaged pictures that it reads
@pytest.mark.parametrize("name", PARSERS)
def test_a_mutant_is_read_or_refused(name, tmp_path):
    make, mutate, read, count = PARSERS[name]
    path = make(tmp_path)
    content = path.read_bytes()
    assert outcome(read, path)
    refused = 0
    for seed in range(count):
        mutant = mutate(random.Random(f"{name} {seed}"), content)
        path.write_bytes(mutant)
        try:
            refused += not outcome(read, path)
        except BaseException as error:
            raise AssertionError(f"{name}, mutant {seed}: {error!r}") from error
    assert refused


def test_a_description_with_a_checksum_that_fits_is_read_or_refused(tmp_path):
    path = model_file(tmp_path)
    arrays, description = saving.read(path)
    refused = 0
    for seed in range(300):
        saving.write(path, arrays, mutants.of_json(random.Random(seed), description), overwrite=True)
        refused += not outcome(thalweg.load_model, path)
    assert refused > 150
