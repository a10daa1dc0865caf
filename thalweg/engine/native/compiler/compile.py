"""Kernels are compiled when first used and kept on disk (cache.py).

An edit in a source file they depend on, another version of llvmlite, or another level of processors causes them to be
compiled again. Ready kernels (ready.py) come before all that.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable

from thalweg.engine.native.compiler.cache import announce, keep, kept
from thalweg.engine.native.compiler.kernel import Function, Kernel, family_of, symbol_of
from thalweg.engine.native.compiler.on_demand import counter
from thalweg.engine.native.compiler.ready import is_ready, ready_address
from thalweg.errors import MissingPackageError
from thalweg.support.extras import can_compile
from thalweg.support.once import once
from thalweg.support.stopwatch import compiling

SHOWN = 3  # kernels that an error names


def need_compiler(kernels: Iterable[Kernel]) -> None:
    """Raises unless kernels that aren't ready can be compiled."""
    if not can_compile():
        names = sorted({readable(kernel) for kernel in kernels})
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        raise MissingPackageError(
            f"thalweg has no ready code for {', '.join(names[:SHOWN])}{more} on this machine, and llvmlite, which "
            "makes it, isn't installed: pip install 'thalweg[jit]', or take engine=\"reference\""
        )


def readable(kernel: Kernel) -> str:
    """A kernel's name without the hash of its text."""
    name = kernel.name.rpartition("_")[0] if kernel.text else kernel.name
    return name.replace("_", " ")


def make(kernel: Kernel) -> bytes:
    """Compiles a kernel, or what a family is made of, now, and keeps and returns its content: a line with the names of
    the families that it calls, then object code.
    """
    from thalweg.engine.native.compiler import emit

    code, families = emit.object_code(kernel)
    content = " ".join(families).encode() + b"\n" + code
    keep(kernel, content)
    return content


def families_of(content: bytes) -> list[str]:
    """The names in the first line of the content."""
    return content.partition(b"\n")[0].decode().split()


def linked(kernel: Kernel, content: bytes) -> int:
    """The address of the kernel in its content, linked with the families that it calls."""
    from thalweg.engine.native.compiler.loader import load

    code, called = content.partition(b"\n")[2], families_of(content)
    families = {symbol: address_of(family_of(symbol)) for symbol in called}
    return load(symbol_of(kernel), code, families | counter(address_of))


@once
def prepare(kernels: frozenset[Kernel]) -> None:
    """Raises if kernels of a program can't be had."""
    missing = [kernel for kernel in kernels if not is_ready(kernel)]
    if missing:
        need_compiler(missing)


@once
def address_of(kernel: Kernel) -> int:
    """The address of the compiled kernel, which is loaded or compiled on the first call."""
    if ready := ready_address(kernel):
        return ready
    need_compiler([kernel])
    content = kept(kernel)
    if content is None:
        if not kernel.member:  # that takes hundredths of a second
            announce()
        with compiling:
            content = make(kernel)
    return linked(kernel, content)


def callable_of(kernel: Kernel) -> Function:
    """The compiled kernel, callable from Python with four addresses; it runs without the global interpreter lock."""
    return ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 4)(address_of(kernel))
