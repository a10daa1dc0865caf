"""tests/lowest.txt, with which the suite is run once on the oldest packages, says what pyproject.toml allows."""

import re
import tomllib
from pathlib import Path

from test_packages import requirements

import thalweg

ROOT = Path(thalweg.__file__).parents[1]
EXTRAS = ("images", "plot", "tensorboard", "dev")
NEEDED = ["pyparsing==3.1"]  # by those, in versions of their time


def test_the_constraints_are_the_lower_bounds():
    wanted = list(map(str, requirements(*EXTRAS)))
    lines = (ROOT / "tests" / "lowest.txt").read_text(encoding="utf-8").splitlines()
    pinned = [line for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[\w-]+>=[\d.]+", requirement) for requirement in wanted)
    assert pinned == [*sorted({requirement.replace(">=", "==") for requirement in wanted}), *NEEDED]


def test_every_version_of_python_that_is_named_is_allowed():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = re.findall(r"Programming Language :: Python :: 3\.(\d+)", "\n".join(project["classifiers"]))
    assert [int(minor) for minor in named] == list(range(11, 11 + len(named)))
    assert project["requires-python"] == ">=3.11"
