"""Output in encodings that lack our signs: spelled, never an error."""

import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import thalweg
from thalweg import Sequential, layers
from thalweg.support.printing import out, spelled, tolerate

ROOT = Path(thalweg.__file__).parent.parent


@pytest.mark.parametrize("encoding", ["cp950", "ascii"])
def test_the_command_line_prints_in_any_encoding(encoding, tmp_path):
    """Column names and classes are the user's, in any script."""
    rows = "".join(f"{k},{'größer' if k % 2 else '−水'},{k % 3}\n" for k in range(40))
    (tmp_path / "a.csv").write_text("σ²,stadt ≤,y\n" + rows, encoding="utf-8")
    environment = os.environ | {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0", "PYTHONPATH": str(ROOT)}
    program = "import sys; from thalweg.cli.main import main; sys.argv[0] = 'thalweg'; main()"
    train = ["train", "a.csv", "--target", "y", "--epochs", "1", "--layers", "2", "--seed", "0", "--out", "run"]
    for arguments in (train, ["inspect", "run"], ["--help"], ["train", "nöwhere−.csv", "--target", "y"]):
        result = subprocess.run(
            [sys.executable, "-c", program, *arguments], cwd=tmp_path, env=environment, capture_output=True
        )
        text, error = result.stdout.decode(encoding), result.stderr.decode(encoding)
        assert "Traceback" not in error
        assert result.returncode == (2 if "nöwhere−.csv" in arguments else 0), error
        if arguments[0] == "inspect":
            assert "sigma" in text or "σ" in text
            assert "max(" in text


@pytest.mark.parametrize("encoding", ["cp950", "ascii", "utf-8"])
def test_the_library_prints_in_any_encoding_and_leaves_the_stream_as_it_is(encoding, monkeypatch):
    written = io.BytesIO()
    stream = io.TextIOWrapper(written, encoding=encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    model = Sequential([layers.Input((2,)), layers.Dense(1, name="größe−")], seed=0)
    model.compile("sgd", "mse")
    model.summary()
    model.fit(np.eye(2), [0.0, 1.0], verbose=0, callbacks=[thalweg.callbacks.ReduceLROnPlateau("loss", verbose=1)])
    out("ŷ = σ(h)²")
    stream.flush()
    assert stream.errors == "strict"
    text = written.getvalue().decode(encoding)
    assert "Total params: 3" in text
    assert {"ascii": "grosse-", "utf-8": "größe−"}.get(encoding, "-") in text
    assert text.rstrip().endswith({"ascii": "y = sigma(h)^2", "utf-8": "ŷ = σ(h)²"}.get(encoding, "y = σ(h)^2"))


def test_every_sign_that_we_print_has_a_spelling():
    """All signs in the package's strings but Chinese ones, and arrows that nobody has named."""
    signs = {c for path in (ROOT / "thalweg").rglob("*.py") for c in path.read_text("utf-8") if not c.isascii()}
    lost = {c for c in signs if "?" in spelled(c) and not ("⺀" <= c <= "鿿" or "\u3000" <= c <= "\u30ff" or c >= "＀")}
    assert not lost


def test_a_stream_that_tolerates_keeps_what_it_can():
    written = io.BytesIO()
    stream = io.TextIOWrapper(written, encoding="cp950")
    tolerate(stream)
    stream.write("中文 −1 é \udcff")
    stream.flush()
    assert written.getvalue().decode("cp950") == "中文 -1 e ?"
    tolerate(io.StringIO())  # has no encoding
