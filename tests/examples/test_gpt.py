"""examples/gpt.py learns a text by heart and writes it."""

import gzip
import runpy
from pathlib import Path

import numpy as np
import pytest

FILE = Path(__file__).parents[2] / "examples" / "gpt.py"


@pytest.fixture(scope="module")
def program():
    return runpy.run_path(str(FILE))


def test_it_is_short():
    assert len(FILE.read_text(encoding="utf-8").splitlines()) <= 120


def test_it_learns_and_goes_on(program, tmp_path, capsys):
    text = "the quick brown fox jumps over the lazy dog\n" * 60
    path = tmp_path / "text.gz"
    path.write_bytes(gzip.compress(text.encode()))
    program["main"](str(path), "150")
    said, written = capsys.readouterr().out.split("\n\n", 1)
    assert "2,640 letters, 28 different" in said
    assert "letters a second" in said
    assert "jumps over the lazy dog\nthe quick brown fox" in written


def test_no_place_looks_at_those_behind_it(program):
    writer = program["Writer"]("abcd" * 40)
    x = writer.ids[None, : program["CONTEXT"]]
    other = x.copy()
    other[0, 40:] = 0
    one, two = writer.model.predict(x), writer.model.predict(other)
    np.testing.assert_allclose(one[0, :40], two[0, :40], atol=1e-5)
    assert abs(one[0, 41:] - two[0, 41:]).max() > 1e-3
