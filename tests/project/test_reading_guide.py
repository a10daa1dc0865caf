"""The reading guide names functions that exist, in the files it names, in the order in which they call each other."""

import ast
import inspect
import re
from pathlib import Path

import numpy as np
import pytest

import thalweg
from thalweg import Sequential
from thalweg.engine.reference import ReferenceExecutor
from thalweg.layers import Dense

PACKAGE = Path(thalweg.__file__).parent
GUIDE = (PACKAGE.parent / "docs" / "reading-guide.md").read_text(encoding="utf-8")
STATIONS = re.findall(r"^\d\. \*\*`([\w.]+)`\*\*(?:, `([\w/.]+)`)?", GUIDE, re.MULTILINE)


def defined(path):
    """The functions of a file, those of classes as Class.function."""
    tree = ast.parse((PACKAGE / path).read_text(encoding="utf-8"))
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    methods = {f"{c.name}.{f.name}" for c in classes for f in c.body if isinstance(f, ast.FunctionDef)}
    return methods | {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_the_way_of_fit_is_short_and_every_function_is_where_the_guide_says():
    assert 6 <= len(STATIONS) <= 8
    file = None
    for name, path in STATIONS:
        file = path or file  # "same file"
        assert name in defined(file), f"{file} has no {name}"


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`((?:\w+/)+\w+\.py)`", GUIDE))))
def test_the_files_that_it_names_exist(path):
    assert list(PACKAGE.rglob(path))


def test_they_call_each_other_in_this_order(monkeypatch):
    chains, run = [], ReferenceExecutor.run

    def seen(self, chunk):
        chains.append([frame.function for frame in inspect.stack(0)])
        return run(self, chunk)

    monkeypatch.setattr(ReferenceExecutor, "run", seen)
    model = Sequential([Dense(1)], engine="reference")
    model.compile("sgd", "mse")
    model.fit(np.eye(2), [0.0, 1.0], verbose=0)
    names = [name.rpartition(".")[2] for name, _ in STATIONS]
    way = [name for name in names[: names.index("chunk") + 1] if name != "__init__"]  # which has returned by then
    assert chains[0][1 : 1 + len(way)] == way[::-1]
