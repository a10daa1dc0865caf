"""examples/char_rnn.py learns a text by heart and writes it."""

import gzip
import runpy
from pathlib import Path

import pytest

FILE = Path(__file__).parents[2] / "examples" / "char_rnn.py"


@pytest.fixture(scope="module")
def program():
    return runpy.run_path(str(FILE))


def test_it_is_short():
    assert len(FILE.read_text(encoding="utf-8").splitlines()) <= 90


def test_it_learns_and_goes_on(program, tmp_path, capsys):
    text = "the quick brown fox jumps over the lazy dog\n" * 200
    path = tmp_path / "text.gz"
    path.write_bytes(gzip.compress(text.encode()))
    program["main"](str(path), "60")
    said, written = capsys.readouterr().out.split("\n\n", 1)
    assert "8,800 letters, 28 different: loss" in said
    assert len(written) > 400
    assert "jumps over the lazy dog\nthe quick brown fox" in written


def test_its_two_networks_are_one(program):
    """What the one-step network says, letter after letter, is what the whole one says."""
    import numpy as np

    writer = program["Writer"]("abcd" * 20)
    ids = writer.ids[: program["STEPS"]]
    whole = writer.model.predict(ids[None])[0]
    state = [np.zeros((1, program["UNITS"]), "f")] * 2
    for k in range(5):
        shares, *state = writer.stepper.predict([[[ids[k]]], *state])
        np.testing.assert_allclose(shares[0, 0], whole[k], rtol=1e-4, atol=1e-6)
