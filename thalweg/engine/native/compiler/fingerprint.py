"""A hash of what compiled code depends on: the sources that its module imports, the compiler, the processor.

A kernel is compiled again after an edit in its own module or in one that this imports, directly or indirectly, but not
after an edit elsewhere.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from thalweg.engine.native.compiler.kernel import HOME, Kernel
from thalweg.engine.native.compiler.levels import LEVEL
from thalweg.support.once import once

PACKAGE = HOME.partition(".")[0]
ROOT = Path(__file__).parents[len(HOME.split(".")) + 1]  # the folder that contains the package
EMITTER = f"{HOME}.compiler.emit"  # generates the code of all kernels
IMPORT = re.compile(
    rf"^[ \t]*(?:from[ \t]+({PACKAGE}[\w.]*)[ \t]+import[ \t]+(\([^)]*\)|[^\n]*)|import[ \t]+({PACKAGE}[\w.]*))", re.M
)


@once
def environment() -> str:
    """A hash of what all compiled code depends on: versions, the processor, and the generator of object code."""
    system = os.environ.get("THALWEG_TRIPLE", "")
    parts = [system, version_of("llvmlite"), *map(str, LEVEL), sys.version, sources([EMITTER])]
    return digest(parts)


@cache
def fingerprint(kernel: Kernel) -> str:
    """A hash of the sources that define a kernel or a family of micro-kernels."""
    if kernel.text:
        return digest([kernel.text, sources(imported(kernel.text))])
    return sources([f"{HOME}.{kernel.module}"])


def digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def sources(modules: Iterable[str]) -> str:
    """A hash of these modules and of all modules of this package that they import."""
    found: set[str] = set()
    waiting = [*modules]
    while waiting:
        module = waiting.pop()
        if module not in found:
            found.add(module)
            waiting += module_of(module)[1]
    return digest(f"{module} {module_of(module)[0]}" for module in sorted(found))


@cache
def module_of(name: str) -> tuple[str, tuple[str, ...]]:
    """A hash of a module's text, and the modules of this package that it imports."""
    text = source(name) or ""
    return digest([text]), tuple(imported(text))


@cache
def source(module: str) -> str | None:
    """The text of a module or of a package's __init__; None if there is neither."""
    path = ROOT.joinpath(*module.split("."))
    for file in (path.with_suffix(".py"), path / "__init__.py"):
        if file.is_file():
            return file.read_text(encoding="utf-8")
    return None


def imported(text: str) -> Iterator[str]:
    """The modules of this package that a text imports, anywhere in it."""
    for package, names, module in IMPORT.findall(text):
        if module:
            yield module
            continue
        parts = [f"{package}.{name}" for name in re.findall(r"\w+", names)]
        inner = [part for part in parts if source(part) is not None]
        yield from inner
        if not inner:
            yield package


def version_of(package: str) -> str:
    """The text that identifies a package's version, read without importing it (importlib.metadata takes 20 ms)."""
    spec = find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).with_name("_version.py").read_text(encoding="utf-8")
