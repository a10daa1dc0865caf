"""thalweg.wasm: a wheel brings it; in a checkout it is made when it is first asked for, and kept with compiled kernels.

It is made in a process of its own, as a process compiles for one target. As a program, this makes it in a folder:
python -m thalweg.play.webassembly.module FOLDER
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zlib
from pathlib import Path

from thalweg.engine.native.compiler.cache import candidates, check, make
from thalweg.engine.native.compiler.levels import WASM
from thalweg.engine.native.compiler.ready import folder_of, is_current
from thalweg.errors import MissingPackageError, ThalwegError
from thalweg.play.webassembly.kernel_catalogue import Catalogue
from thalweg.support.extras import need

TRIPLE = "wasm32-unknown-wasi"
CHECKOUT = Path(__file__).parents[3]
KEPT = "webassembly"  # the folder beside those of compiled kernels


def webassembly(catalogue: Catalogue) -> bytes:
    """The module with the catalogue's kernels, compiled now if there is none of these sources.

    Raises:
        MissingPackageError: it isn't there, and what compiles it isn't installed.
    """
    wanted = catalogue.wanted()
    for folder in (folder_of(), kept()):
        if is_current(folder, wanted, WASM) and (code := whole(folder)) is not None:
            return code
    for path in kept().glob(f"{WASM.name}.*"):  # damaged, or of other sources
        path.unlink()
    compile_into(kept())
    made = whole(kept())
    assert made is not None
    return made


def whole(folder: Path) -> bytes | None:
    """A folder's module; None if it isn't the one that its contents describe."""
    contents = json.loads((folder / f"{WASM.name}.json").read_text(encoding="utf-8"))
    path = folder / contents["file"]
    code = path.read_bytes() if path.exists() else b""
    return code if (len(code), zlib.crc32(code)) == (contents["bytes"], contents["crc32"]) else None


def kept() -> Path:
    """Where a checkout's module is kept: in the first folder for compiled code that is this user's."""
    problems = []
    for parent in candidates():
        try:
            make(parent / KEPT)
            check(parent / KEPT)
        except OSError as error:
            problems.append(f"{parent} ({error.strerror or error})")
            continue
        return parent / KEPT
    tried = ", ".join(problems)
    raise ThalwegError(f"there is no folder for compiled code: {tried}; set THALWEG_CACHE_DIR to a folder of yours")


def compile_into(folder: Path) -> None:
    """Makes the module in a folder."""
    if not (CHECKOUT / "wheels").is_dir():
        raise MissingPackageError(
            "this installation of thalweg has no WebAssembly module: install one of its wheels, or a checkout with "
            "pip install -e '.[jit,wheels]'"
        )
    for package, extra in (("llvmlite", "jit"), ("ziglang", "wheels")):
        need(package, extra, "the page's engine")
    environment = os.environ | {"THALWEG_LEVEL": WASM.name, "THALWEG_TRIPLE": TRIPLE}
    command = [sys.executable, "-m", "wheels.libraries", str(folder)]
    done = subprocess.run(command, cwd=CHECKOUT, env=environment, stdout=sys.stderr, check=False)
    if done.returncode:
        raise ThalwegError("thalweg's kernels couldn't be compiled to WebAssembly; what was printed above says why")


if __name__ == "__main__":
    compile_into(Path(sys.argv[1]).absolute())
