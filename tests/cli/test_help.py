"""`thalweg --help`: the commands' own words, printed before any of them is imported."""

import inspect
import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import typer

import thalweg
from thalweg.cli import main

ROOT = Path(thalweg.__file__).parents[1]
CALLED = """
import json, sys
from thalweg.cli.main import app
try:
    app({arguments}, prog_name="thalweg")
except SystemExit as end:
    assert not end.code, end.code
names = [name for name in sys.modules if name.startswith("thalweg.") or name in ("numpy", "rich")]
print(json.dumps(names), file=sys.stderr)
"""


def called(*arguments):
    """(what a command prints, the modules of thalweg and NumPy that it has imported) in a fresh process."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", CALLED.format(arguments=list(arguments))],
        capture_output=True, text=True, check=True, env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    return done.stdout, set(json.loads(done.stderr.splitlines()[-1]))


def unframed(text):
    return " ".join(text.replace("│", " ").split())


@pytest.mark.parametrize("name", main.HOMES)
def test_the_list_has_the_first_sentence_of_each_commands_help(name, run_thalweg):
    function = getattr(import_module(main.HOMES[name]), main.function_of(name))
    assert main.docstring(name) == inspect.getdoc(function) == main.command(name).help
    listed, own = (unframed(run_thalweg(*words, "--help")[1]) for words in ((), (name,)))
    first = unframed(inspect.getdoc(function).split("\n\n")[0])
    assert first in own
    assert f"{name} {first}" in listed


def test_the_list_needs_no_command():
    printed, modules = called("--help")
    assert "predict" in printed
    assert not modules & {*main.HOMES.values(), "thalweg.cli.options", "numpy"}
    assert called("--version")[1] < modules | {"rich"}


def test_one_command_needs_no_other():
    homes = set(main.HOMES.values())
    assert called("play", "--help")[1] & homes == {"thalweg.cli.play"}


def test_a_shell_can_complete_commands_and_their_options():
    group = typer.main.get_command(main.app)
    context = group.make_context("thalweg", ["play"], resilient_parsing=True)
    assert [item.value for item in group.shell_complete(context, "tr")] == ["train", "trace"]
    name, command, rest = group.resolve_command(context, ["play", "--p"])
    inner = command.make_context(name, [], parent=context, resilient_parsing=True)
    assert [item.value for item in command.shell_complete(inner, rest[0])] == ["--preset", "--port", "--pupils"]
