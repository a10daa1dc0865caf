"""All forms by one method and one command: which file becomes which form, and what is refused, in a sentence."""

import re

import numpy as np
import pytest

from thalweg import Sequential, layers
from thalweg.errors import ArgumentError, ThalwegError
from thalweg.exchange.targets import TARGETS
from thalweg.sklearn import TabularClassifier

PACKAGES = {"onnx": "onnx", "keras": "h5py"}


@pytest.fixture
def model():
    made = Sequential([layers.Input((4,)), layers.Dense(3, "relu"), layers.Dense(2, "softmax")], seed=0)
    made.compile("adam", "sparse_categorical_crossentropy")
    return made


@pytest.mark.parametrize("target", [t for t in TARGETS if not t.nearest], ids=lambda target: target.name)
def test_a_form_writes_its_files(target, model, tmp_path):
    if target.name in PACKAGES:
        pytest.importorskip(PACKAGES[target.name])
    path = tmp_path / f"net{target.endings[0]}"
    model.export(path, target.name)
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(f"net{ending}" for ending in target.endings)
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    with pytest.raises(ArgumentError, match=r"net\.\w+ exists already and is not overwritten: give another"):
        model.export(path, target.name)
    model.set_weights([w + 1 for w in model.get_weights()])
    model.export(path, target.name, overwrite=True)
    assert any(file.read_bytes() != content for file, content in before.items())


def test_the_ending_says_the_form(model, tmp_path):
    model.export(tmp_path / "net.c")
    assert (tmp_path / "net.h").exists()
    with pytest.raises(ArgumentError, match=re.escape("give a format, or an ending: .py for numpy, .onnx for onnx")):
        model.export(tmp_path / "net.doc")


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"format": "numpi"}, "unknown format 'numpi'; did you mean 'numpy'"),
        ({"format": "keras", "train": True}, "the format 'keras' takes no train; numpy, c can"),
        ({"format": "c", "opset": 17}, "the format 'c' takes no opset; onnx can"),
        ({"format": "numpy", "batch_size": 8}, "the format 'numpy' takes no batch_size; c can"),
        ({"format": "c", "batch_size": 8}, "batch_size is that of the training: it goes with train"),
        ({"format": "c", "train": True, "batch_size": 0}, "batch_size"),
        ({"format": "onnx", "int8": True}, "the format 'onnx' takes no int8; c, javascript, html can"),
        ({"format": "html"}, "the format 'html' shows a table's columns, and this is a network alone; javascript can"),
    ],
)
def test_a_wish_that_can_t_be_granted_is_named(told, said, model, tmp_path):
    with pytest.raises(ArgumentError, match=re.escape(said)):
        model.export(tmp_path / "net", **told)
    assert not list(tmp_path.iterdir())


def test_what_the_program_lacks_is_refused(tmp_path):
    words = layers.StringLookup(vocabulary=["a"])
    looked_up = Sequential([layers.Input((1,), dtype="string"), words, layers.Embedding(2, 2), layers.Flatten()])
    with pytest.raises(ArgumentError, match="'string_lookup' works before the program begins, and the format 'numpy'"):
        looked_up.export(tmp_path / "net.py")
    double = Sequential([layers.Input((2,)), layers.Dense(1)], engine="reference", dtype="float64")
    with pytest.raises(ThalwegError, match=r"exports compute in float32, and 'sequential\w*' in float64"):
        double.export(tmp_path / "net.c")
    assert not list(tmp_path.iterdir())


def test_an_estimator_leaves_with_its_columns(tmp_path):
    draw = np.random.default_rng(0)
    rows = {"a": draw.normal(size=90).tolist(), "b": draw.choice(["x", "y", "z"], 90).tolist()}
    y = ["yes" if a > 0 else "no" for a in rows["a"]]
    fitted = TabularClassifier(quality="fast", random_state=0, members=1, epochs=3, n_jobs=1).fit(rows, y)
    fitted.export(tmp_path / "net.py")
    space = {"__name__": "net"}
    exec((tmp_path / "net.py").read_text(encoding="utf-8"), space)
    np.testing.assert_allclose(space["predict_proba"](rows), fitted.predict_proba(rows), rtol=1e-5, atol=1e-6)
    with pytest.raises(ArgumentError, match="how a table's columns are read; numpy, onnx, c, javascript, html can"):
        fitted.export(tmp_path / "other", "torch")
    fitted.export(tmp_path / "small.c", int8=True)
    assert "static const int8_t" in (tmp_path / "small.c").read_text(encoding="utf-8")
    with pytest.raises(ArgumentError, match="the format 'c' takes no opset; onnx can"):
        fitted.export(tmp_path / "other.c", opset=17)
    fitted.export(tmp_path / "values.c")
    text = (tmp_path / "values.h").read_text(encoding="utf-8")
    assert " * b: b, 0 for 'x', 1 for 'y', 2 for 'z', -1 for another, -2 for none\n" in text
    assert " * a: a, a number, NaN for none\n" in text
    assert " * The answer is the probabilities of no, yes." in text
    fitted.export(tmp_path / "rows.js")
    text = (tmp_path / "rows.js").read_text(encoding="utf-8")
    assert " *     b: category; 3 categories: x, y, z\n" in text
    assert " * The answers are those of target: no, yes. */" in text
    fitted.export(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "default-src 'none'; script-src 'sha256-" in page
    assert "http" not in re.sub(r"<script[^>]*>.*?</script>", "", page, flags=re.DOTALL).replace("http-equiv", "")
