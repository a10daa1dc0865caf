"""`thalweg export`: a run or a model file in another form, and what is said of wrong calls."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from thalweg import Sequential, layers
from thalweg.data import read_table
from thalweg.runs import table_training
from thalweg.runs.stored import load_run
from thalweg.runs.table_run import TableOptions

PENGUINS = Path(__file__).parents[2] / "examples" / "penguins.csv"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A run of a table, and a file of a network."""
    folder = tmp_path_factory.mktemp("export")
    options = TableOptions(target="target", members=1, layers=(8,), epochs=3, seed=0, lanes=1, trees=False)
    table_training.train(read_table(PENGUINS), options).save(folder / "birds", ["thalweg", "train"])
    model = Sequential([layers.Input((3,)), layers.Dense(1)], seed=0)
    model.compile("sgd", "mse")
    model.save(folder / "net.safetensors")
    return folder


def test_a_run_answers_a_table_without_thalweg(place, run_thalweg, tmp_path):
    code, out, _ = run_thalweg("export", place / "birds", "--to", "numpy")
    assert code == 0
    assert out.startswith("birds.py: ")
    command = [sys.executable, str(tmp_path / "birds.py"), str(PENGUINS)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split()[1:] == list(load_run(place / "birds").predict(PENGUINS))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "usage: python birds.py ROWS.csv"),
        (["nowhere.csv"], "nowhere.csv: [Errno 2] No such file or directory"),
        (["short.csv"], "short.csv: the table lacks 'bill_length_mm', which the model was trained with"),
        (["odd.csv"], "odd.csv: row 1 of the column 'bill_length_mm' holds 'long', which is no number"),
        (["none.csv"], ""),
    ],
)
def test_an_exported_file_says_what_is_wrong_in_a_sentence(given, said, place, run_thalweg, tmp_path):
    run_thalweg("export", place / "birds", "--to", "numpy")
    head = "island,bill_length_mm,bill_depth_mm,flipper_length_mm,body_mass_g,sex\n"
    for name, text in (("short", "island\nDream\n"), ("odd", f"{head}Dream,long,19,200,3000,MALE\n"), ("none", head)):
        (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")
    done = subprocess.run([sys.executable, "birds.py", *given], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == bool(said)
    assert done.stderr.startswith(said)
    assert done.stderr.count("\n") == bool(said)
    assert done.stdout == ("" if said else "prediction\n")


def test_a_model_file_leaves_with_its_training(place, run_thalweg, tmp_path):
    arguments = ("--out", "net.c", "--train", "--batch-size", "4")
    assert run_thalweg("export", place / "net.safetensors", *arguments)[0] == 0
    assert "net_train_step" in (tmp_path / "net.h").read_text(encoding="utf-8")


def test_what_eight_bits_cost_is_measured_or_said_not_to_be(place, run_thalweg, tmp_path):
    code, out, _ = run_thalweg("export", place / "birds", "--to", "c", "--int8")
    assert code == 0
    assert "weights of eight bits, on 69 rows held out: accuracy " in " ".join(out.split())
    old = tmp_path / "old"
    shutil.copytree(place / "birds", old, ignore=shutil.ignore_patterns("evidence.*"))
    code, out, _ = run_thalweg("export", old, "--to", "c", "--int8")
    assert code == 0
    assert "keeps no rows on which to measure" in " ".join(out.split())
    code, out, _ = run_thalweg("export", place / "net.safetensors", "--to", "c", "--int8")
    assert code == 0
    assert "what weights of eight bits cost wasn't measured" in " ".join(out.split())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("net.safetensors",),
            "say the form: --to numpy, onnx, c, javascript, html, keras, torch; or a file with its ending",
        ),
        (("net.safetensors", "--to", "cobol"), "unknown format 'cobol'"),
        (("none", "--to", "numpy"), "there is no "),
        (("birds", "--to", "keras"), "the format 'keras' can't say how a table's columns are read; numpy, onnx, c, "),
        (
            ("birds", "--to", "numpy", "--train"),
            "the training on a table, of several networks and trees, isn't exported",
        ),
        (("net.safetensors", "--out", "net.safetensors"), "net.safetensors doesn't say in which format to export"),
    ],
)
def test_a_wrong_call_is_explained(arguments, said, place, run_thalweg, tmp_path):
    code, _, error = run_thalweg("export", place / arguments[0], *arguments[1:])
    assert code in (1, 2)
    assert said in error
    assert not list(tmp_path.iterdir())


def test_nothing_is_overwritten_unless_forced(place, run_thalweg, tmp_path):
    (tmp_path / "net.py").write_text("mine", encoding="utf-8")
    arguments = ("export", place / "net.safetensors", "--out", tmp_path / "net.py")
    code, _, error = run_thalweg(*arguments)
    assert code == 2
    assert "net.py exists already and is not overwritten: give another --out, or --force" in error
    assert (tmp_path / "net.py").read_text(encoding="utf-8") == "mine"
    assert run_thalweg(*arguments, "--force")[0] == 0
    assert "def predict" in (tmp_path / "net.py").read_text(encoding="utf-8")


def test_a_run_on_pictures_says_its_classes(run_thalweg, tmp_path):
    pytest.importorskip("yaml")
    draw = np.random.default_rng(0)
    names = ["貓", "dog */", "x\ny"]
    np.savez(tmp_path / "tiny.npz", x=draw.integers(0, 255, (60, 6, 6)).astype(np.uint8), y=np.arange(60) % 3)
    Path("small.yaml").write_text("- Flatten\n- Dense: {units: 4}\n", encoding="utf-8")
    told = ("--model", "small.yaml", "--epochs", "1", "--out", "run", "--seed", "0")
    code, _, error = run_thalweg("train", "tiny.npz", *told)
    assert code == 0, error
    about = Path("run/images.json")
    about.write_text(json.dumps(json.loads(about.read_text(encoding="utf-8")) | {"classes": names}), encoding="utf-8")
    for ending in ("c", "js", "py"):
        code, _, error = run_thalweg("export", "run", "--out", f"net.{ending}")
        assert code == 0, error
    for ending in ("h", "js"):
        text = (tmp_path / f"net.{ending}").read_text(encoding="utf-8")
        assert " * The answer is the probabilities of 貓, dog * /, x\ny." in text
        assert "Black is 0 in a picture, white 255." in text
    space: dict = {}
    exec((tmp_path / "net.py").read_text(encoding="utf-8"), space)
    assert space["CLASSES"] == names
    assert "Black is 0 in a picture, white 255." in space["__doc__"]
    pytest.importorskip("onnx")
    assert run_thalweg("export", "run", "--to", "onnx")[0] == 0
    import onnx

    (said,) = onnx.load(tmp_path / "run.onnx").metadata_props
    assert (said.key, json.loads(said.value)) == ("classes", names)
