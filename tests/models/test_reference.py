"""The reference pages: every public name has an entry, and every field of it is filled."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest

from thalweg import activations, constraints, initializers, layers, losses, metrics, optimizers, regularizers, schedules

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


@pytest.mark.parametrize(("section", "name"), ENTRIES)
def test_every_field_is_filled(section, name):
    page = SECTIONS[section]
    thing = page.things[name]
    for which in page.facts:
        assert generate.fact(thing, which).strip(), f"{section}: {name} has no {which}"
    for which in ("title_zh", "summary_zh"):
        assert generate.fact(thing, which).strip(), f"{section}: {name} has no {which}"
    summary = generate.fact(thing, "summary_zh")
    assert CHINESE.search(summary), f"{section}: the Chinese summary of {name} is {summary!r}"
    if page.facts == ():
        assert generate.text_of(thing)[0], f"{section}: {name} has no docstring"


def test_the_pages_are_written(tmp_path):
    paths = generate.write(tmp_path / "pages")
    assert {path.stem for path in paths} == set(SECTIONS)
    for path in paths:
        text = path.read_text(encoding="utf-8")
        for name in SECTIONS[path.stem].things:
            assert f"\n## {name} " in text
            assert f"](#{name.lower()})" in text
        for picture in re.findall(r"!\[\w+\]\((.+?)\)", text):
            assert (path.parent / picture).read_text(encoding="utf-8").startswith("<?xml")
    drawn = len(list((tmp_path / "pages").glob("*.svg")))
    assert drawn >= len(activations.NAMES) + len(losses.CLASSES)
    assert "`W ~ U ±√(6/(fan_in + fan_out))`" in (tmp_path / "pages" / "initializers.md").read_text(encoding="utf-8")
