"""The READMEs' Python runs as it stands there, and is the same in both languages."""

import re
from pathlib import Path

import numpy as np
import pytest

import thalweg

ROOT = Path(__file__).parents[2]
READMES = {name: (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.zh-TW.md")}
BLOCKS = {name: re.findall(r"```python\n(.*?)```", text, re.DOTALL) for name, text in READMES.items()}


def without_comments(block):
    return [re.sub(r"\s*(#.*)?$", "", line) for line in block.splitlines()]


def test_both_readmes_show_the_same_code():
    english, chinese = ([without_comments(block) for block in blocks] for blocks in BLOCKS.values())
    assert english == chinese


def test_the_picture_of_the_terminal_shows_its_last_line_whole():
    picture = (ROOT / "docs" / "train.svg").read_text(encoding="utf-8")
    seen = float(re.search(r'clip-terminal">\s*<rect [^>]*height="([\d.]+)"', picture)[1])
    lines = [
        float(y) for y, text in re.findall(r'<text [^>]* y="([\d.]+)"[^>]*>([^<]*)</text>', picture) if text.strip()
    ]
    assert max(lines) + 10 < seen  # a letter's part below the baseline is a quarter of 20 pixels
    assert "predict" in picture


@pytest.mark.parametrize("name", READMES)
def test_the_six_steps(name, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    data = tuple((rng.normal(size=(rows, 784)), rng.integers(0, 10, rows)) for rows in (200, 20))
    code = next(block for block in BLOCKS[name] if "validation_split" in block)
    namespace = {"data": data}
    exec(re.sub(r"(y_test\) = )\.\.\.", r"\1data", code), namespace)
    assert "Total params: 101,770" in capsys.readouterr().out
    x = data[1][0]
    assert np.array_equal(namespace["again"].predict(x), namespace["model"].predict(x))


@pytest.mark.parametrize("name", READMES)
def test_a_table(name, monkeypatch):
    monkeypatch.chdir(ROOT)
    estimated, code = [block for block in BLOCKS[name] if "read_table" in block]
    known = {}
    exec(estimated, known)
    assert (known["estimator"].predict(known["table"]) == known["species"]).mean() > 0.9
    assert known["estimator"].validation_score_ < 0.5
    namespace = {"keras": thalweg}
    thalweg.utils.set_random_seed(0)
    exec(code, namespace)
    assert set(namespace["answers"]) <= {"Adelie", "Chinstrap", "Gentoo"}
    assert (namespace["answers"] == namespace["test"]["target"]).mean() > 0.9


@pytest.mark.parametrize("name", READMES)
def test_a_look_inside(name, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    x = np.random.default_rng(0).normal(size=(64, 3))
    model = thalweg.Sequential([thalweg.Input((3,)), thalweg.layers.Dense(1)], seed=0)
    model.compile("sgd", "mse")
    code = next(block for block in BLOCKS[name] if "diagnose" in block)
    exec(code, {"model": model, "x": x, "y": x[:, :1]})
    printed = capsys.readouterr().out
    assert "One step on 1 row: SGD" in printed
    assert (tmp_path / "report.html").stat().st_size > 10_000
