"""What the README says of each extra ("What is installed"), done: python demonstrations.py EXTRA

`wheels.extras` runs it where that extra alone is installed, in a folder with penguins.csv and the folder `run` that a
training has written. The extra "" is thalweg without any.
"""

from __future__ import annotations

import importlib
import json
import math
import subprocess
import sys
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from thalweg import Input, Sequential, layers, load_model

SPACE = "http://schemas.openxmlformats.org"
TABLE = ("penguins.csv", "--target", "target", "--seed", "1")
SEARCH = ("--trials", "2", "--seeds", "1", "--folds", "2")


def thalweg(*arguments: str) -> str:
    """What a command prints."""
    command = [sys.executable, "-m", "thalweg", *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def predicted(table: str) -> str:
    """What the run predicts of a table, as CSV."""
    return thalweg("predict", "run", table, "--out", "-")


def network(activation: Any = "relu", loss: Any = "sparse_categorical_crossentropy", **options: Any) -> Any:
    """A network that has learned for two epochs."""
    x = np.random.default_rng(0).normal(size=(64, 4)).astype("f")
    y = (x[:, 0] > 0).astype(int)
    ending = layers.Dense(2, "softmax") if loss == "sparse_categorical_crossentropy" else layers.Dense(1)
    model = Sequential([Input((4,)), layers.Dense(8, activation), ending], seed=0, **options)
    model.compile("adam", loss)
    assert all(math.isfinite(value) for value in model.fit(x, y, epochs=2, verbose=0).history["loss"])
    return model


def nothing() -> None:
    """Networks on arrays, tables, estimators, the command."""
    network()
    thalweg("train", *TABLE, "--members", "1", "--no-trees", "--layers", "8", "--epochs", "2", "--out", "run")
    assert predicted("penguins.csv").startswith("prediction,")
    from thalweg.sklearn import TabularClassifier

    x = np.arange(60.0).reshape(30, 2)
    assert len(TabularClassifier(members=1, epochs=2).fit(x, np.arange(30) % 2).predict(x)) == 30


def jax() -> None:
    """A training by JAX."""
    network(engine="jax")


def jit() -> None:
    """A formula as activation and loss, a function of one's own, a chain of operations."""
    from thalweg import activations, ops

    network("x * sigmoid(1.5 * x)", "(y_pred - y_true)**4")
    network(activations.custom("doubled", doubled, slope))

    class Chain(layers.Layer):
        def call(self, h: Any) -> Any:
            return ops.tanh(h) * 2.0 + ops.square(h)

    Sequential([Input((4,)), Chain(), layers.Dense(1)], seed=0).predict(np.ones((3, 4), "f"), verbose=0)


def doubled(h: float) -> float:
    return h + h


def slope(h: float) -> float:
    return 2.0


def arrow() -> None:
    import pyarrow as pa
    from pyarrow import csv

    from thalweg.runs.anywhere.batch_predictor import BatchPredictor

    (batch,) = csv.read_csv("penguins.csv").combine_chunks().to_batches()
    assert BatchPredictor("run")(batch).num_rows == batch.num_rows
    with pa.OSFile("penguins.arrow", "wb") as file, pa.ipc.new_file(file, batch.schema) as writer:
        writer.write_batch(batch)
    assert predicted("penguins.arrow") == predicted("penguins.csv")


def excel() -> None:
    """A workbook is predicted as the CSV is."""
    import polars

    frame = polars.read_csv("penguins.csv", infer_schema=False)
    workbook(Path("penguins.xlsx"), [frame.columns, *frame.iter_rows()])
    assert predicted("penguins.xlsx") == predicted("penguins.csv")


def workbook(path: Path, rows: list[Any]) -> None:
    """A sheet of texts and numbers."""
    cells = ("".join(map(cell, row)) for row in rows)
    body = "".join(f'<row r="{r}">{row}</row>' for r, row in enumerate(cells, 1))
    related = f"{SPACE}/officeDocument/2006/relationships"
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{SPACE}/package/2006/content-types"/>',
        "_rels/.rels": relation("officeDocument", "xl/workbook.xml"),
        "xl/_rels/workbook.xml.rels": relation("worksheet", "sheet.xml"),
        "xl/workbook.xml": f'<workbook xmlns="{SPACE}/spreadsheetml/2006/main" xmlns:r="{related}">'
        '<sheets><sheet name="one" sheetId="1" r:id="r"/></sheets></workbook>',
        "xl/sheet.xml": f'<worksheet xmlns="{SPACE}/spreadsheetml/2006/main"><sheetData>{body}</sheetData></worksheet>',
    }
    with zipfile.ZipFile(path, "w") as file:
        for name, text in parts.items():
            file.writestr(name, text)


def cell(value: str | None) -> str:
    try:
        return f"<c><v>{float(value or '')}</v></c>"
    except ValueError:
        return f'<c t="inlineStr"><is><t>{value}</t></is></c>' if value else "<c/>"


def relation(kind: str, target: str) -> str:
    of = f"{SPACE}/officeDocument/2006/relationships/{kind}"
    one = f'<Relationship Id="r" Type="{of}" Target="{target}"/>'
    return f'<Relationships xmlns="{SPACE}/package/2006/relationships">{one}</Relationships>'


def keras() -> None:
    """A model to a .keras file and back."""
    model = network()
    model.save("model.keras")
    x = np.ones((3, 4), "f")
    assert np.array_equal(load_model("model.keras").predict(x), model.predict(x))


def mpi() -> None:
    """Two processes; `wheels.extras` installs an MPI beside the extra."""
    code = "from thalweg.distributed import Ranks\nwith Ranks() as ranks:\n    assert ranks.size == 2"
    launcher = Path(sys.executable).with_name("mpiexec")
    subprocess.run([launcher, "-n", "2", sys.executable, "-c", code], check=True)


def images() -> None:
    """A training on a folder of pictures, with layers from a YAML file."""
    pictures(Path("photos"))
    Path("layers.yaml").write_text("- Conv2D: {filters: 2, kernel_size: 3}\n- Flatten\n", encoding="utf-8")
    thalweg("train", "photos", "--model", "layers.yaml", "--epochs", "1", "--out", "run of pictures")


def pictures(folder: Path) -> None:
    """Two classes of ten pictures."""
    from PIL import Image

    for label, shade in (("dark", 40), ("light", 200)):
        (folder / label).mkdir(parents=True, exist_ok=True)
        for number in range(10):
            pixels = np.random.default_rng(number).integers(shade - 20, shade + 20, (8, 8), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / label / f"{number}.png")


def notebook() -> None:
    """A fit's cell holds the picture of a live figure; `wheels.extras` installs a notebook beside the extra."""
    nbformat: Any = importlib.import_module("nbformat")
    nbclient: Any = importlib.import_module("nbclient")
    lines = ["from demonstrations import network, np", "x, y = np.ones((64, 4), 'f'), np.zeros(64, int)"]
    lines += ["network().fit(x, y, epochs=2000)"]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("\n".join(lines))])
    (cell,) = nbclient.NotebookClient(book, kernel_name="python3").execute().cells
    assert any("image/svg+xml" in output.get("data", {}) for output in cell.outputs), cell.outputs


def onnx() -> None:
    import onnx

    thalweg("export", "run", "--to", "onnx", "--out", "run.onnx")
    onnx.checker.check_model("run.onnx")


def play() -> None:
    """The page as files, and on a server, which reads tables for it."""
    thalweg("play", "--static", "site")
    thalweg("play", "--static", "page.html")
    command = [sys.executable, "-u", "-m", "thalweg", "play", "penguins.csv", "--no-open"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        address = server.stdout.readline().strip()
        sent = Path("penguins.csv").read_bytes()
        try:
            for path in ("", "worker.js", "thalweg.wasm", "begin.json", "table", "upload"):
                place = address.replace("/?", f"/{path}?")
                with urllib.request.urlopen(place, sent if path == "upload" else None, timeout=60) as answer:
                    assert answer.read(), path
        finally:
            server.terminate()


def plot() -> None:
    """Pictures as files, the commands `filters` and `features`."""
    pictures(Path("photos"))  # Matplotlib brings Pillow
    thalweg("train", "photos", "--epochs", "1", "--out", "run of pictures")
    thalweg("filters", "run of pictures", "--out", "filters.png")
    thalweg("features", "run of pictures", "photos/dark/0.png", "--out", "features.svg")
    assert Path("filters.png").stat().st_size
    assert Path("features.svg").stat().st_size


def postgresql() -> None:
    """A search that SQLAlchemy keeps; no PostgreSQL is here, but its driver is loaded for one."""
    from sqlalchemy import create_engine

    from thalweg.experiments.trial_storage import TrialStorage

    thalweg("tune", *TABLE, *SEARCH, "--storage", "sqlite:///trials.db", "--out", "tuned")
    assert create_engine(TrialStorage("postgresql://ann@host/trials").url).driver == "psycopg"


def serve() -> None:
    """A prediction over HTTP."""
    command = [sys.executable, "-u", "-m", "thalweg", "serve", "run", "--port", "0"]
    row = Path("penguins.csv").read_text(encoding="utf-8").splitlines()[:2]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        address = server.stdout.readline().strip()
        try:
            asked = urllib.request.Request(
                f"{address}/v1/predict",
                "\n".join(row).encode(),
                {"Content-Type": "text/csv", "Accept": "application/json"},
            )
            with urllib.request.urlopen(asked, timeout=60) as answer:
                assert "prediction" in json.load(answer)[0]
        finally:
            server.terminate()


def tensorboard() -> None:
    from thalweg import callbacks

    x = np.ones((8, 4), "f")
    network().fit(x, np.zeros(8, int), epochs=1, verbose=0, callbacks=[callbacks.TensorBoard("logs")])
    assert any("tfevents" in path.name for path in Path("logs").rglob("*"))


def tune() -> None:
    """In Python and as a command."""
    thalweg("tune", *TABLE, *SEARCH, "--out", "tuned")


DONE: dict[str, Callable[[], None]] = {
    "": nothing, "jax": jax, "jit": jit, "arrow": arrow, "excel": excel, "keras": keras, "mpi": mpi, "images": images,
    "notebook": notebook, "onnx": onnx, "play": play, "plot": plot, "postgresql": postgresql, "serve": serve,
    "tensorboard": tensorboard, "tune": tune,
}  # fmt: skip

if __name__ == "__main__":
    DONE[sys.argv[1]]()
