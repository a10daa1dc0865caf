"""Each extra of users is tried alone, from a wheel: wheels/extras.py. Here: that none is forgotten, nor its row."""

import re
from pathlib import Path

import pytest

from wheels import extras
from wheels.demonstrations import DONE

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("readme", ["README.md", "README.zh-TW.md"])
def test_every_extra_has_its_row_and_its_demonstration(readme):
    text = (ROOT / readme).read_text(encoding="utf-8")
    rows = re.findall(r"^\| (?:`(\w+)`|–) \| \w[\w, -]* \|", text, re.MULTILINE)
    assert sorted(rows) == sorted(extras.extras()) == sorted(DONE)


def test_an_extra_that_is_not_what_it_says_is_told(tmp_path, monkeypatch, capfd):
    """In environments without anything, which lack all."""
    monkeypatch.setattr(extras.Environment, "install", lambda self, *wanted: None)
    assert extras.main(tmp_path / "no.whl", []) == 1
    said = capfd.readouterr()
    assert "–           FAILS" in said.out
    assert "No module named" in said.err
