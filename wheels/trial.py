"""Tests an installed wheel: python -m wheels.trial WHEEL [what pytest is told]

In a new virtual environment without llvmlite, with an empty HOME, away from the sources. What needs
them is skipped, with that reason: tests marked `jit`, users' formulas and functions, modules that are compiled. The
tests of the sources themselves are left out: they are all in tests/project.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
COPIED = ("tests", "examples", "docs", "benchmarks", "README.md", "README.zh-TW.md", "CHANGELOG.md", "Makefile")
OF_SOURCES = "tests/project"


def main(wheel: Path, told: list[str]) -> int:
    """The exit status of the tests."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        python = place / "venv" / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
        subprocess.run([sys.executable, "-m", "venv", place / "venv"], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", f"{wheel.absolute()}[test]"], check=True)
        missing = subprocess.run([python, "-c", "import llvmlite"], capture_output=True).returncode
        assert missing, "llvmlite is installed: a wheel has to do without it"
        away = place / "away"
        away.mkdir()
        for name in COPIED:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, away / name)
        (away / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text(encoding="utf-8"), encoding="utf-8")
        if (shared := ROOT.parent / "shared").exists():
            (place / "shared").symlink_to(shared.resolve())
        options = ["-n", "auto", "--dist", "worksteal", f"--ignore={OF_SOURCES}", *told]
        (place / "home").mkdir()
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("THALWEG", "XDG", "PYTHON"))}
        environment = kept | {"HOME": str(place / "home"), "USERPROFILE": str(place / "home")}
        what = [] if told else ["tests", "--pyargs", "thalweg"]
        return subprocess.run([python, "-m", "pytest", *options, *what], cwd=away, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
