"""Builds the wheels: python -m wheels [SYSTEM …], by default for all systems; they come to build/wheels.

Each brings the kernels of its system's levels, and those of the live page as WebAssembly. Libraries are made in a
process for each level, since a process compiles for one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from thalweg.engine.native.compiler.levels import ARM, WASM, X86
from thalweg.play.webassembly.module import TRIPLE
from thalweg.support.printing import lasting_streams

ROOT = Path(__file__).parents[1]
BUILD = ROOT / "build"


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


def libraries(name: str) -> Path:
    """Makes a system's libraries, and returns the folder that holds them."""
    folder, system = BUILD / "ready" / name, SYSTEMS[name]
    for level, triple in [*((level, system.triple) for level in system.levels), (WASM.name, TRIPLE)]:
        environment = {
            "THALWEG_LEVEL": level,
            "THALWEG_TRIPLE": triple,
            "THALWEG_CACHE_DIR": str(BUILD / "kernels"),
        }
        print(f"{name}, {level}", flush=True)
        command = [sys.executable, "-m", "wheels.libraries", str(folder)]
        subprocess.run(command, cwd=ROOT, env=os.environ | environment, check=True)
    return folder


def wheel(name: str) -> Path:
    """The wheel for a system."""
    environment = {"THALWEG_LIBRARIES": str(libraries(name)), "THALWEG_TAGS": ".".join(SYSTEMS[name].tags)}
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
    for name in names or SYSTEMS:
        path = wheel(name)
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size:,} bytes", flush=True)


if __name__ == "__main__":
    with lasting_streams(ends=True):
        main(sys.argv[1:])
