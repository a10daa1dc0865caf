"""The parameters of kernels by name: what a kernel asks for, and where its arguments hold it.

A kernel reads like its formula:

    @kernel
    def rescale(x, z, size, scale: float, offset: float, *, rows): ...

Its parameters are the addresses of the instruction's operands (0 for one that is absent) and its whole numbers, its
real numbers (annotated `float`) and, after the star, the state of the step (`layouts/state.py`). A
default stands for a field that only the instruction's native variant has. A starred parameter, `*axes` or `*fill:
float`, stands for any number of them. The words of an instruction's row are in the order of its kernel's signature, and
so are its constants.

Nothing here needs llvmlite, so that a process that finds its kernels compiled can link them.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from thalweg.engine.native.layouts.state import Reals, State

SIGNATURE = re.compile(r"^@kernel\ndef (\w+)\(([^)]*)\):", re.M)
PARAMETER = re.compile(r"(\**)(\w*)\s*(:\s*float)?\s*(?:=\s*(\S+))?")
WHOLE, REALS = State.places, Reals.places
POINTERS = {"state": "s", "reals": "f"}  # the whole of it, to be handed on to other kernels


class Parameter(NamedTuple):
    """What a kernel asks for by name."""

    name: str
    default: float | None = None


class Parameters(NamedTuple):
    """A kernel's signature. The starred parameter, which is `whole` or real, follows the others of its kind."""

    words: tuple[Parameter, ...]  # operands and whole numbers
    reals: tuple[Parameter, ...]
    rest: str = ""
    whole: bool = True
    state: tuple[str, ...] = ()


@lru_cache(maxsize=512)
def parameters(signature: str) -> Parameters:
    """The parameters in the text between a signature's parentheses."""
    words: list[Parameter] = []
    reals: list[Parameter] = []
    rest, whole, after, asked = "", True, False, []
    for text in filter(None, map(str.strip, signature.split(","))):
        found = PARAMETER.fullmatch(text)
        if found is None:
            raise TypeError(f"{text!r} can't be a parameter of a kernel: write n, n: float, n=0 or *n")
        star, name, real, default = found.groups()
        if star:
            rest, whole, after = name, not real, True
        elif after:
            if name not in WHOLE and name not in REALS and name not in POINTERS:
                raise TypeError(f"the state of a step has no {name}; it has: {', '.join((*WHOLE, *REALS))}")
            asked.append(name)
        else:
            (reals if real else words).append(Parameter(name, None if default is None else float(default)))
    return Parameters(tuple(words), tuple(reals), rest, whole, tuple(asked))
