"""Builds the wheels: python -m wheels [SYSTEM …], by default for all systems; they come to build/wheels.

Each brings the kernels of its system's levels, and those of the live page as WebAssembly. Libraries are made in a
process for each level, since a process compiles for one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from thalweg.engine.lanes import cores
from thalweg.engine.native.compiler.levels import ARM, WASM, X86
from thalweg.play.webassembly.module import TRIPLE
from thalweg.support.printing import lasting_streams

ROOT = Path(__file__).parents[1]
BUILD = ROOT / "build"
READY = BUILD / "ready"


class System(NamedTuple):
    """What a wheel is for: its platform tags, LLVM's name of the system, and the levels of its processors."""

    tags: tuple[str, ...]
    triple: str
    levels: tuple[str, ...]


X86_LEVELS, ARM_LEVELS = (tuple(level.name for level in levels) for levels in (X86, ARM))
SYSTEMS = {
    "linux-x86_64": System(("manylinux_2_17_x86_64", "manylinux2014_x86_64"), "x86_64-unknown-linux-gnu", X86_LEVELS),
    "linux-arm64": System(("manylinux_2_17_aarch64", "manylinux2014_aarch64"), "aarch64-unknown-linux-gnu", ARM_LEVELS),
    "macos-arm64": System(("macosx_11_0_arm64",), "aarch64-apple-macosx11.0.0", ARM_LEVELS),
    "macos-x86_64": System(("macosx_11_0_x86_64",), "x86_64-apple-macosx11.0.0", X86_LEVELS),
    "windows-x86_64": System(("win_amd64",), "x86_64-pc-windows-gnu", X86_LEVELS),
    "windows-arm64": System(("win_arm64",), "aarch64-pc-windows-gnu", ARM_LEVELS),
}


class Made(NamedTuple):
    """A library to make: in which folder, of which level, for LLVM's name of a system."""

    folder: Path
    level: str
    triple: str

    def make(self) -> None:
        environment = {
            "THALWEG_LEVEL": self.level,
            "THALWEG_TRIPLE": self.triple,
            "THALWEG_CACHE_DIR": str(BUILD / "kernels"),
        }
        print(f"{self.folder.name}, {self.level}", flush=True)
        command = [sys.executable, "-m", "wheels.libraries", str(self.folder)]
        subprocess.run(command, cwd=ROOT, env=os.environ | environment, check=True)


def make_libraries(names: Sequence[str]) -> None:
    """Makes the libraries of some systems, as many at once as there are cores. Pages' is the same for all."""
    pages = Made(READY / WASM.name, WASM.name, TRIPLE)
    own = [Made(READY / name, level, SYSTEMS[name].triple) for name in names for level in SYSTEMS[name].levels]
    with ThreadPoolExecutor(cores()) as pool:
        list(pool.map(Made.make, [pages, *own]))
    for name in names:
        for file in pages.folder.iterdir():
            shutil.copy2(file, READY / name)


def wheel(name: str) -> Path:
    """The wheel for a system, whose libraries are made."""
    environment = {"THALWEG_LIBRARIES": str(READY / name), "THALWEG_TAGS": ".".join(SYSTEMS[name].tags)}
    before = set(made())
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(BUILD / "wheels")],
        cwd=ROOT,
        env=os.environ | environment,
        check=True,
    )
    (new,) = set(made()) - before
    return new


def made() -> Iterator[Path]:
    return (BUILD / "wheels").glob("*.whl")


def main(names: list[str]) -> None:
    if unknown := [name for name in names if name not in SYSTEMS]:
        sys.exit(f"there is no system {unknown[0]}; there are {', '.join(SYSTEMS)}")
    shutil.rmtree(BUILD / "wheels", ignore_errors=True)
    make_libraries(names := names or [*SYSTEMS])
    for name in names:
        path = wheel(name)
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size:,} bytes", flush=True)


if __name__ == "__main__":
    with lasting_streams(ends=True):
        main(sys.argv[1:])
