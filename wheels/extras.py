"""Tries each extra alone, from a wheel: python -m wheels.extras [WHEEL [EXTRA …]]

Without a wheel it takes one with this machine's ready kernels, as `make library` has made them. What an extra is for,
by the README, is done by wheels/demonstrations.py, with an empty HOME, away from the sources, in an environment that
has the wheel and what this extra brings. What the wheel brings by itself is installed once, and seen from all.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
import tomllib
from collections.abc import Iterable
from pathlib import Path

from thalweg.support.printing import lasting_streams

ROOT = Path(__file__).parents[1]
FOR_DEVELOPERS = {"bench", "dev", "docs", "pages", "parity", "test", "wheels"}
BESIDE = {"mpi": ["mpich"], "notebook": ["ipykernel", "nbclient"]}
"""What an extra is for isn't there without these, which the user has: an MPI, a notebook."""


def extras() -> list[str]:
    """Those of users; "" is none."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return ["", *(extra for extra in project["optional-dependencies"] if extra not in FOR_DEVELOPERS)]


def own_wheel(folder: Path) -> Path:
    """A wheel of a copy of this checkout, with the kernels that are ready here."""
    (copy := folder / "sources").mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    shutil.copytree(ROOT / "wheels", copy / "wheels")
    shutil.copytree(ROOT / "thalweg", copy / "thalweg", ignore=shutil.ignore_patterns("__pycache__", "ready"))
    shutil.copytree(ROOT / "thalweg" / "engine" / "native" / "ready", libraries := folder / "ready")
    tag = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    environment = os.environ | {"THALWEG_LIBRARIES": str(libraries), "THALWEG_TAGS": tag}
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=copy, env=environment, check=True, stdout=subprocess.DEVNULL)
    return next(folder.glob("*.whl"))


class Environment:
    """A virtual environment, which sees the packages of another one, too."""

    def __init__(self, place: Path, base: Environment | None = None) -> None:
        bare = [] if base is None else ["--without-pip"]
        subprocess.run([sys.executable, "-m", "venv", *bare, place], check=True)
        self.python = place / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
        self.base = base
        if base is not None:
            (self.packages / "base.pth").write_text(f"{base.packages}\n", encoding="utf-8")

    @property
    def packages(self) -> Path:
        code = "import sysconfig; print(sysconfig.get_path('purelib'))"
        return Path(
            subprocess.run([self.python, "-c", code], check=True, capture_output=True, text=True).stdout.strip()
        )

    def install(self, *wanted: str) -> None:
        pip = self.python if self.base is None else self.base.python
        where = [] if self.base is None else ["--python", str(self.python)]
        subprocess.run([str(pip), "-m", "pip", *where, "install", "--quiet", *wanted], check=True)


def tried(extra: str, python: Path, place: Path) -> bool:
    """Whether what an extra is for is there."""
    folder, home = place / f"tried {extra}", place / "home"
    home.mkdir(exist_ok=True)
    folder.mkdir()
    for path in (ROOT / "wheels" / "demonstrations.py", ROOT / "examples" / "penguins.csv"):
        shutil.copy(path, folder)
    if extra:
        shutil.copytree(place / "tried " / "run", folder / "run")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("THALWEG", "XDG", "PYTHON"))}
    programs = f"{python.parent}{os.pathsep}{kept['PATH']}"
    environment = kept | {"HOME": str(home), "USERPROFILE": str(home), "PATH": programs}
    return subprocess.run([python, "demonstrations.py", extra], cwd=folder, env=environment).returncode == 0


def main(wheel: Path | None, wanted: Iterable[str]) -> int:
    """How many extras aren't for what the README says; "" is tried first, as it makes the run that others take."""
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        wheel = own_wheel(place) if wheel is None else wheel.absolute()
        base = Environment(place / "base")
        base.install(str(wheel))
        for extra in dict.fromkeys(["", *wanted]):
            begin, of = time.monotonic(), base
            if extra:
                of = Environment(place / extra, base)
                of.install(f"{wheel}[{extra}]", *BESIDE.get(extra, []))
            works = tried(extra, of.python, place)
            print(f"{extra or '–':12}{'works' if works else 'FAILS':8}{time.monotonic() - begin:6.0f} s", flush=True)
            failed += not works
    return failed


if __name__ == "__main__":
    with lasting_streams(ends=True):
        sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else None, sys.argv[2:] or extras()))
