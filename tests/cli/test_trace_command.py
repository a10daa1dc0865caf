"""`thalweg trace`: the numbers are those of the run's network, and every wrong turn has its sentence."""

import base64
import json
import re
import zlib
from pathlib import Path

import numpy as np
import pytest

from thalweg.data.tables import read_table
from thalweg.runs import image_run, table_run, table_training
from thalweg.runs.image_run import ImageOptions
from thalweg.runs.table_run import TableOptions
from thalweg.views.web.encoding import decode

ROOT = Path(__file__).parents[2]
PENGUINS = ROOT / "examples" / "penguins.csv"
SCHEMA = json.loads((ROOT / "docs" / "trace.schema.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two small runs: an ensemble for a table, and a network for images."""
    folder = tmp_path_factory.mktemp("runs")
    few = {"trees": False, "layers": (8,), "epochs": 2, "early_stopping": 0, "seed": 0, "lanes": 1}
    table = table_training.train(read_table(PENGUINS), TableOptions(target="target", members=2, **few))
    table.save(folder / "table", ["thalweg", "train"])
    random = np.random.default_rng(0)
    np.savez(folder / "pictures.npz", x=random.integers(0, 255, (40, 8, 8), np.uint8), y=np.arange(40) % 2)
    images = image_run.read_images(folder / "pictures.npz")
    made = image_run.train(images, ImageOptions(model="simple", epochs=1, seed=0, lanes=1))
    made.save(folder / "images", ["thalweg", "train"])
    return folder


def page_document(path):
    """The document in a page, as a browser decodes it."""
    data = re.search(r'id="document">([^<]*)<', Path(path).read_text(encoding="utf-8"))[1]
    return decode(zlib.decompress(base64.b64decode(data), -15))


def test_a_row_of_a_table(run_thalweg, runs):
    code, out, error = run_thalweg(
        "trace", runs / "table", PENGUINS, "--row", "4", "--json", "t.json", "--html", "t.html"
    )
    assert code == 0, error
    lines = [line.split() for line in out.splitlines()]
    assert next(x for x in lines if x[:1] == ["bill_length_mm"])[:3] == ["bill_length_mm", "missing", "bill_length_mm"]
    for part in (
        "row 4 of",
        "the first of 2 networks, whose mean is the answer",
        "One step on 1 row: Adam",
        "loss before",
    ):
        assert part in out
    found = json.loads(Path("t.json").read_text(encoding="utf-8"))
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.validate(found, SCHEMA)
    assert found["given"]["target"] == "Adelie"
    assert "gradient" in found["weights"][-1]
    assert "check" not in found
    (figure,) = page_document("t.html")["sections"][0]["figures"]
    assert [step["title"] for step in figure["steps"]] == [step["title"] for step in found["steps"]]
    assert figure["given"][-1] == {"name": "target", "text": "Adelie"}

    run = table_run.load(runs / "table")
    table = read_table(PENGUINS).take([3])
    x, y = run.features.matrix(table), run.features.targets(table)
    values = {v["name"]: v for step in found["steps"] for v in step["outputs"]}
    np.testing.assert_allclose(values["x"]["values"], x, rtol=1e-6)
    network = run.first_network()
    wanted = network.trace(x, y)
    np.testing.assert_allclose(values["y_pred"]["values"], wanted["y_pred"], rtol=1e-5)
    assert found["loss_before"] == pytest.approx(wanted.loss_before)


def test_several_rows_and_the_check(run_thalweg, runs):
    code, out, error = run_thalweg("trace", runs / "table", PENGUINS, "--rows", "3,200", "--gradient-check")
    assert code == 0, error
    assert "rows 3, 200 of" in out
    assert "One step on 2 rows" in out
    assert "central differences in float64 of" in out


def test_an_image_of_a_source_and_a_picture(run_thalweg, runs):
    code, out, error = run_thalweg("trace", runs / "images", runs / "pictures.npz", "--row", "2")
    assert code == 0, error
    assert "image 2 of" in out
    assert "at the learning rate 0; with this rate the weights stay as they are" in out  # the end of the cosine
    code, out, error = run_thalweg(
        "trace", runs / "images", runs / "pictures.npz", "--learning-rate", "0.5", "--html", "a.html"
    )
    assert code == 0, error
    assert "What the network sees" in page_document("a.html")["sections"][0]["figures"][0]["title"]["en"]
    assert "One step on 1 row: Adam, learning rate 0.5" in out
    assert "conv" in out
    Image = pytest.importorskip("PIL.Image")
    Path("1").mkdir()
    Image.fromarray(np.random.default_rng(1).integers(0, 255, (8, 8), np.uint8)).save("1/a.png")
    code, out, error = run_thalweg("trace", runs / "images", "1/a.png", "--json", "t.json")
    assert code == 0, error
    assert json.loads(Path("t.json").read_text())["given"] == {"picture": "1/a.png", "class": "1"}
    Path("1").rename("elsewhere")
    assert run_thalweg("trace", runs / "images", "elsewhere/a.png")[0] == 2
    code, out, _ = run_thalweg("trace", runs / "images", "elsewhere/a.png", "--label", "0")
    assert code == 0
    assert "elsewhere/a.png: 0" in out


WRONG = {
    "a rate below 0": (["table", PENGUINS, "--learning-rate", "-1"], "--learning-rate"),
    "no such row": (["table", PENGUINS, "--row", "400"], "there is no row 400"),
    "row 0": (["table", PENGUINS, "--row", "0"], "there is no row 0"),
    "both": (["table", PENGUINS, "--row", "1", "--rows", "1,2"], "give one of the two"),
    "no numbers": (["table", PENGUINS, "--rows", "a,b"], "--rows takes row numbers such as 3,5"),
    "twice": (["table", PENGUINS, "--rows", "2,2"], "names a row twice"),
    "a class for a table": (["table", PENGUINS, "--label", "Adelie"], "--label is for images"),
    "no target": (["table", "open.csv"], "no value of 'target'"),
    "an encoding for images": (["images", "pictures.npz", "--encoding", "cp950"], "--encoding is for tables"),
    "no picture": (["images", "none.png"], "there is no picture"),
    "a class for a source": (["images", "pictures.npz", "--label", "1"], "--label is for one picture"),
    "a file that is there": (["table", PENGUINS, "--json", "there.json"], "is not overwritten"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_turns(run_thalweg, runs, case):
    (kind, source, *more), sentence = WRONG[case]
    Path("there.json").write_text("{}")
    lines = PENGUINS.read_text().splitlines()
    Path("open.csv").write_text("\n".join([lines[0], "," * lines[0].count(",")]) + "\n")
    source = runs / source if source == "pictures.npz" else source
    code, out, error = run_thalweg("trace", runs / kind, source, *more)
    assert code in (1, 2), (out, error)
    assert sentence in error
    assert "Traceback" not in error
    assert Path("there.json").read_text() == "{}"
