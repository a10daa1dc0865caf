"""Loads object code by LLVM's linker alone: a process that finds its kernels compiled imports no compiler."""

from __future__ import annotations

import itertools
import sys
from typing import Any

import llvmlite.binding as binding

from thalweg.engine.native.compiler.system import addresses
from thalweg.support.once import once

_numbers = itertools.count()  # every library has a name of its own
_loaded: list[Any] = []  # LLVM unloads libraries without a reference


@once
def linker() -> Any:
    """LLVM's linker; `load` handles its errors.

    JITLink puts all sections of an object side by side. LLVM's older linker asks the system for a place for each, and
    ends the process if two are more than 2 GiB apart, as beside large mappings; on Windows there is no other.
    """
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    return binding.create_lljit_compiler(suppress_errors=True, use_jit_link=sys.platform != "win32")


def load(symbol: str, code: bytes, known: dict[str, int]) -> int:
    """The address of a symbol of object code.

    known: the addresses of other object code that it calls, by name.
    """
    library = binding.JITLibraryBuilder().add_object_img(code).add_current_process().export_symbol(symbol)
    for name, place in (addresses() | known).items():
        library.import_symbol(name, place)
    _loaded.append(library.link(linker(), f"kernel_{next(_numbers)}"))
    return int(_loaded[-1][symbol])
