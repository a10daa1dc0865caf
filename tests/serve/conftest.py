"""Small runs, and a server of them."""

import numpy as np
import pytest

for package in ("httptools", "orjson"):
    pytest.importorskip(package)

from served_runs import Client, running  # noqa: E402 - it imports them

from thalweg.data.tables import read_table  # noqa: E402
from thalweg.runs import image_run, table_training  # noqa: E402
from thalweg.runs.image_options import ImageOptions  # noqa: E402
from thalweg.runs.table_run import TableOptions  # noqa: E402

NET = "- Flatten\n- Dense: {units: 8, activation: relu}\n- Dense: {units: 2, activation: softmax}\n"


def odd_table(rows=120):
    """Columns of many notations: each cell is read as in training."""
    random = np.random.default_rng(0)
    size = random.normal(50, 20, rows)
    return {
        "key": [f"K-{k:04}" for k in range(rows)],
        "size": [None if k % 11 == 3 else float(v) for k, v in enumerate(size)],
        "price": [f"{1000 + 37 * k:,}.5" for k in range(rows)],
        "weight": [f"{k % 40} kg" for k in range(rows)],
        "share": [f"{k % 90}%" for k in range(rows)],
        "colour": [["red", "green", "blue", "7"][k % 4] for k in range(rows)],
        "fresh": [k % 3 == 0 for k in range(rows)],
        "day": [f"{1 + k % 28:02}/{1 + k % 12:02}/{2000 + k % 20}" for k in range(rows)],
        "kind": [["a", "b", "c"][int(v > 40) + int(v > 60)] for v in size],
    }


def trained(folder, target, seed=0, **options):
    table = read_table(odd_table() | {"amount": [1.5 * k for k in range(120)]})
    small = {"trees": False, "members": 1, "layers": (8,), "epochs": 3, "seed": seed, "lanes": 1}
    run = table_training.train(table, TableOptions(target=target, **small, **options))
    run.save(folder, ["thalweg", "train"])
    return folder


@pytest.fixture(scope="session")
def classes(tmp_path_factory):
    """A run that tells three classes apart, whose rows are named by "key"."""
    return trained(tmp_path_factory.mktemp("runs") / "classes", "kind", id="key", ignore=("amount",))


@pytest.fixture(scope="session")
def numbers(tmp_path_factory):
    """A run that predicts a number."""
    return trained(tmp_path_factory.mktemp("runs") / "numbers", "amount", ignore=("key", "kind"))


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    """A run of images."""
    pytest.importorskip("yaml")
    folder = tmp_path_factory.mktemp("pictures")
    (folder / "net.yaml").write_text(NET)
    x = np.random.default_rng(0).integers(0, 256, (60, 6, 6)).astype(np.uint8)
    np.savez(folder / "a.npz", x=x, y=np.arange(60) % 2)
    options = ImageOptions(model=str(folder / "net.yaml"), epochs=1, seed=0, lanes=1)
    image_run.train(image_run.read_images(folder / "a.npz"), options).save(folder / "run", ["thalweg", "train"])
    return folder / "run"


@pytest.fixture(scope="session")
def service(classes):
    with running(classes=classes) as started:
        yield started


@pytest.fixture(scope="session")
def several(classes, numbers, pictures):
    with running(classes=classes, numbers=numbers, pictures=pictures) as started:
        yield started


@pytest.fixture
def client(service):
    with Client(service.port) as opened:
        yield opened


@pytest.fixture
def of_several(several):
    with Client(several.port) as opened:
        yield opened
