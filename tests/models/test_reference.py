"""The reference pages: every public name has an entry, and every field of it is filled."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest

from thalweg import (
    activations,
    callbacks,
    constraints,
    data,
    initializers,
    layers,
    losses,
    metrics,
    optimizers,
    regularizers,
    schedules,
    sklearn,
    tabular,
)

pytest.importorskip("matplotlib")
HERE = Path(__file__).parents[2] / "docs" / "reference"


def load():
    """docs/reference/generate.py, which is a script and no package."""
    spec = importlib.util.spec_from_file_location("generate", HERE / "generate.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["generate"] = module
    spec.loader.exec_module(module)
    return module


generate = load()
SECTIONS = {section.name: section for section in generate.sections()}
ENTRIES = [(s.name, name) for s in SECTIONS.values() for name in s.things]
CHINESE = re.compile("[\u4e00-\u9fff]")


def test_every_public_name_has_an_entry():
    for module in (losses, optimizers, schedules, initializers, regularizers, constraints, metrics, layers):
        section = SECTIONS[module.__name__.rpartition(".")[2]]
        held = module.CLASSES
        names = set(held) if isinstance(held, dict) else {c.__name__ for c in held}
        names |= getattr(module, "BY_THEMSELVES", {}).keys()
        assert names == set(section.things)
    assert set(activations.NAMES) == set(SECTIONS["activations"].things)
    assert set(callbacks.__all__) - {"Logs"} == set(SECTIONS["callbacks"].things)  # Logs is a type of arguments
    assert {*sklearn.__all__, *tabular.__all__, *data.__all__} == set(SECTIONS["estimators"].things)
    assert {"Sequential", "Model", "Model.fit", "Model.compile", "Model.predict"} <= set(SECTIONS["models"].things)


@pytest.mark.parametrize(("section", "name"), ENTRIES)
def test_every_field_is_filled(section, name):
    page = SECTIONS[section]
    thing = page.things[name]
    for which in page.facts:
        assert generate.fact(thing, which).strip(), f"{section}: {name} has no {which}"
    summary = generate.fact_zh(page, name, "summary")
    assert CHINESE.search(summary), f"{section}: the Chinese summary of {name} is {summary!r}"
    if page.facts == ():
        assert generate.text_of(thing)[0], f"{section}: {name} has no docstring"


def test_a_title_does_not_repeat_the_name():
    assert generate.heading("Adadelta", "Adadelta（自適應增量）") == "Adadelta（自適應增量）"
    assert generate.heading("mish", "Mish") == "mish"
    assert generate.heading("relu", "線性整流") == "relu 線性整流"


def test_a_docstring_becomes_markdown():
    text = """Trains. It has *stars* and `code_with_lines`.

y = f(x)      x (rows, inputs)

Args:
    x: rows, `None` or
        more. y: targets. shuffle: whether to.
    z, w, …: as in
        `Dense`.

Raises:
    DivergedError: a_b.

>>> 1 + 1
2"""
    names = ["x", "y", "shuffle", "z", "w"]
    assert (
        generate.markdown(text, names)
        == r"""Trains. It has \*stars\* and `code_with_lines`.

```text
y = f(x)      x (rows, inputs)
```

**Args**

- `x`: rows, `None` or more.
- `y`: targets.
- `shuffle`: whether to.
- `z, w, …`: as in `Dense`.

**Raises**

- `DivergedError`: a\_b.

```pycon
>>> 1 + 1
2
```"""
    )
