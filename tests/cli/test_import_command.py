"""`thalweg import`: another library's file becomes a model file, and what is refused, in a sentence."""

import pickle

import numpy as np
import pytest

from thalweg import Sequential, layers
from thalweg.models import load_model

pytest.importorskip("h5py")


@pytest.fixture
def model():
    return Sequential([layers.Input((3,)), layers.Dense(2, "relu"), layers.Dense(1)], seed=0)


def test_a_file_of_keras_s_becomes_one_of_thalweg_s(model, run_thalweg, tmp_path):
    model.export(tmp_path / "net.keras")
    code, out, _ = run_thalweg("import", "net.keras", "--out", "mine.safetensors")
    assert code == 0
    assert out.startswith("mine.safetensors: 11 weights in 2 layers, ")
    again = load_model(tmp_path / "mine.safetensors")
    for one, other in zip(again.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert run_thalweg("import", "net.keras")[1].startswith("net.safetensors: 11 weights")


def test_nothing_is_overwritten_unless_forced(model, run_thalweg, tmp_path):
    model.export(tmp_path / "net.keras")
    (tmp_path / "net.safetensors").write_text("mine", encoding="utf-8")
    code, _, error = run_thalweg("import", "net.keras")
    assert code == 2
    assert "net.safetensors exists already and is not overwritten: give another --out, or --force" in error
    assert (tmp_path / "net.safetensors").read_text(encoding="utf-8") == "mine"
    assert run_thalweg("import", "net.keras", "--force")[0] == 0
    assert load_model(tmp_path / "net.safetensors").count_params() == 11


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("mlp.bin", pickle.dumps([1]), "mlp.bin is a pickle, which runs what is in it: where you trust it, load it"),
        ("net.pt", b"PK\x03\x04", "net.pt is a pickle"),
        ("net.keras", b"PK\x03\x04 and no more", "net.keras"),
        ("net.h5", b"hello", "net.h5 is no file of Keras's, .keras or .h5, by what is in it"),
        (None, b"", "there is no model file none.keras"),
    ],
)
def test_what_is_no_model_is_refused(name, content, said, run_thalweg, tmp_path):
    if name is not None:
        (tmp_path / name).write_bytes(content)
    code, _, error = run_thalweg("import", name or "none.keras")
    assert code in (1, 2)
    assert said in error
    assert error.count("\n") == 1
    assert not list(tmp_path.glob("*.safetensors"))
