"""Makes the library of ready kernels for one level: python -m wheels.libraries FOLDER

The level is THALWEG_LEVEL's, by default this machine's best; THALWEG_TRIPLE names another system than this one. A
library that is up to date is left as it is. That of the level wasm32 has the kernels of a page's networks.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
import zlib
from collections.abc import Iterable
from pathlib import Path

import llvmlite.binding as binding

from thalweg.engine.native.compiler.cache import kept
from thalweg.engine.native.compiler.compile import families_of, make
from thalweg.engine.native.compiler.fingerprint import fingerprint
from thalweg.engine.native.compiler.kernel import WHOLE, Kernel, family_of, symbol_of
from thalweg.engine.native.compiler.levels import LEVEL, WASM
from thalweg.engine.native.compiler.llvm import triple
from thalweg.engine.native.compiler.ready import is_current
from thalweg.play.webassembly.kernel_catalogue import Catalogue
from thalweg.support.printing import lasting_streams
from thalweg.version import __version__
from wheels.catalogue import kernels
from wheels.linking import hooks, link, stand_ins

SUFFIXES = {"windows": ".dll", "macos": ".dylib", "linux": ".so", "wasm32": ".wasm"}


def suffix() -> str:
    """How the names of the system's shared libraries end."""
    return next(end for system, end in SUFFIXES.items() if system in triple())


def objects(wanted: Iterable[Kernel], folder: Path) -> dict[Kernel, Path]:
    """The object code of kernels and of the families that they call, in files."""
    waiting, found = [*wanted], dict[Kernel, Path]()
    while waiting:
        kernel = waiting.pop()
        if kernel in found:
            continue
        whole = kernel._replace(member=WHOLE) if hasattr(kernel.function(), "emit") else kernel
        content = kept(whole) or make(whole)
        waiting += [family_of(symbol) for symbol in families_of(content)]
        found[kernel] = folder / f"{symbol_of(kernel)}.o"
        found[kernel].write_bytes(content.partition(b"\n")[2])
    return found


def make_library(folder: Path, wanted: Iterable[Kernel]) -> Path:
    """Makes this level's library of some kernels, and its contents, in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    library = folder / f"{LEVEL.name}{suffix()}"
    with tempfile.TemporaryDirectory() as own:
        made = objects(wanted, Path(own))
        (own_hooks := Path(own) / "hooks.o").write_bytes(stand_ins() if LEVEL is WASM else hooks())
        new = Path(own) / library.name
        link([*made.values(), own_hooks], map(symbol_of, wanted if LEVEL is WASM else made), new)
        code = new.read_bytes()
        shutil.copyfile(new, unfinished := library.with_suffix(".new"))
    unfinished.replace(library)  # at once: another process may be using the old one
    contents = {
        "version": __version__,
        "file": library.name,
        "llvm": binding.llvm_version_info,
        "bytes": len(code),
        "crc32": zlib.crc32(code),
        "kernels": {symbol_of(kernel): fingerprint(kernel) for kernel in sorted(made)},
    }
    library.with_suffix(".json").write_text(json.dumps(contents, indent=0), encoding="utf-8")
    return library


def main(folder: Path) -> None:
    begin, wanted = time.perf_counter(), Catalogue().wanted() if LEVEL is WASM else kernels()
    if is_current(folder, wanted, LEVEL):
        return
    library = make_library(folder, wanted)
    seconds = time.perf_counter() - begin
    print(f"{library}: {len(wanted)} kernels, {library.stat().st_size:,} bytes, {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    with lasting_streams():
        main(Path(sys.argv[1]).absolute())
