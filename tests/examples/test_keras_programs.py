"""The programs of examples/keras run with thalweg, and with Keras where installed; docs/keras-programs.md lists them.

Each ends with assertions about what it learnt, so a program that runs to its end has shown it.
"""

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAMS = sorted((ROOT / "examples" / "keras").glob("*.py"))
PAGE = (ROOT / "docs" / "keras-programs.md").read_text(encoding="utf-8")
CHANGES = (  # what makes a program of Keras of one of thalweg
    ("import thalweg as keras", "import keras"),
    ("from thalweg import ", "from keras import "),
    (".safetensors", ".keras"),
)
each = pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)


def run(path, *options, **variables):
    """What a program prints, in a process of its own."""
    command = [sys.executable, *options, str(path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    done = subprocess.run(
        command, cwd=path.parent, env=environment, capture_output=True, encoding="utf-8", timeout=500, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def in_keras(program):
    """The program's text for Keras."""
    text = program.read_text(encoding="utf-8")
    for ours, theirs in CHANGES:
        text = text.replace(ours, theirs)
    return text


@each
def test_it_runs_with_thalweg(program):
    assert len(run(program, "-W", "error").splitlines()) == 1


@each
def test_it_runs_with_keras(program, keras, tmp_path):
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    copy = tmp_path / "examples" / "keras" / program.name
    copy.write_text(in_keras(program), encoding="utf-8")
    assert len(run(copy, KERAS_BACKEND="jax").splitlines()) == 1


@each
def test_it_is_a_short_program_of_keras_that_asserts(program):
    tree = ast.parse(program.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)
    assert 25 <= len(program.read_text(encoding="utf-8").splitlines()) <= 80
    assert any(isinstance(statement, ast.Assert) for statement in tree.body[-12:])
    assert "thalweg" not in in_keras(program), "nothing but the imports and a file's ending change"
    ast.parse(in_keras(program))


def test_the_page_lists_every_program():
    linked = re.findall(r"^\| \[(\w+)\]\(\S*examples/keras/(\w+)\.py\)", PAGE, re.MULTILINE)
    assert all(name == path for name, path in linked)
    assert sorted(name for name, _ in linked) == [path.stem for path in PROGRAMS]
