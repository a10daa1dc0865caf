"""What kernels are compiled for: a level of processors, not this very one, so that all of that level compute the same
bits with the same code, whether it came ready in a wheel or was compiled here.

Tuning for the very processor gains about 1 %, 2 at most (docs/measurements.md). Levels of x86-64 are those of its
psABI; each holds all instructions of the one below.
"""

from __future__ import annotations

import importlib
import os
import platform
from importlib.util import find_spec
from typing import NamedTuple

from thalweg.errors import ArgumentError


class Level(NamedTuple):
    """A set of instructions that many processors have."""

    name: str
    width: int  # floats in a vector register
    processor: str  # LLVM's name of one that has these instructions and no others
    features: str = ""  # what else LLVM is told
    needs: tuple[tuple[str, ...], ...] = ()  # NumPy's names of what the processor must have, by one version or another


# LLVM would use half of a register of AVX-512, as older processors clocked down for whole ones; they do that for the
# products anyway.
X86 = (
    Level("x86-64-v4", 16, "x86-64-v4", "-prefer-256-bit", (("X86_V4",), ("AVX512_SKX", "AVX2", "FMA3", "F16C"))),
    Level("x86-64-v3", 8, "x86-64-v3", "", (("X86_V3",), ("AVX2", "FMA3", "F16C"))),
    Level("x86-64-v2", 4, "x86-64-v2", "", (("X86_V2",), ("SSE42", "POPCNT", "SSSE3"))),
)
ARM = (Level("arm64", 4, "generic", "+neon", ((),)),)
WASM = Level("wasm32", 4, "generic", "+simd128,+bulk-memory,+nontrapping-fptoint,+sign-ext,+mutable-globals")  # pages
LEVELS = {level.name: level for level in (*X86, *ARM, WASM)}
OTHER = Level("generic", 4, "generic")  # of another architecture, for which no wheel has kernels


def possible() -> tuple[Level, ...]:
    """The levels of this machine, best first."""
    machine = platform.machine().lower()
    if machine in ("aarch64", "arm64"):
        return ARM
    if machine not in ("x86_64", "amd64"):
        return (OTHER,)
    core = "numpy._core" if find_spec("numpy._core") else "numpy.core"
    present = importlib.import_module(f"{core}._multiarray_umath").__cpu_features__
    return tuple(x for x in X86 if any(all(present.get(name) for name in names) for names in x.needs)) or (OTHER,)


def chosen() -> tuple[Level, ...]:
    """The levels to use, best first: from that of THALWEG_LEVEL downwards, if it is set.

    To make kernels for another machine, THALWEG_TRIPLE, LLVM's name of its system, is set too.
    """
    told = os.environ.get("THALWEG_LEVEL", "")
    levels = tuple(LEVELS.values()) if os.environ.get("THALWEG_TRIPLE") else possible()
    if not told:
        return levels
    names = [level.name for level in levels]
    if told not in names:
        raise ArgumentError(f"THALWEG_LEVEL is {told!r}; here it can be {' or '.join(names)}")
    return levels[names.index(told) :]


USABLE = chosen()
LEVEL = USABLE[0]
VW = LEVEL.width
