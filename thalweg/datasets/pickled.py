"""Arrays from files that hold pickles, read without running anything: known are NumPy's arrays, lists, numbers, text.

A pickle is a program that may call any function it names. Here the few names that arrays need stand for classes of
this file, which check what they are given; every other name raises.
"""

from __future__ import annotations

import io
import math
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg.errors import DataError
from thalweg.support.untrusted import Npz, read_exactly, read_npy, readable

Array = NDArray[Any]


def text(value: Any) -> str:
    """Text, which Python 2 wrote as bytes."""
    return value.decode("latin1") if isinstance(value, bytes) else str(value)


class Kind:
    """Stands for numpy.dtype: numbers, or objects."""

    def __init__(self, code: Any, *_: Any) -> None:
        if not re.fullmatch(r"[|<>=]?([biuf][1248]|O8?)", text(code)):
            raise pickle.UnpicklingError(f"an array of {text(code)!r}")
        self.dtype = np.dtype(text(code).replace("O8", "O"))

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if self.dtype.kind != "O" and text(state[1]) in ("<", ">"):
            self.dtype = self.dtype.newbyteorder("<" if text(state[1]) == "<" else ">")


class Rebuilt:
    """Stands for an array: made empty, then given its content."""

    array: Array

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, kind, by_columns, content = state
        size = math.prod(shape)
        if not isinstance(kind, Kind) or min(shape, default=0) < 0:
            raise pickle.UnpicklingError("an array without type or shape")
        if kind.dtype.kind == "O":
            if not isinstance(content, list) or len(content) != size:
                raise pickle.UnpicklingError("an array of objects that isn't a list")
            flat = np.empty(size, object)
            flat[:] = [plain(value) for value in content]
        else:
            if not isinstance(content, bytes) or len(content) != size * kind.dtype.itemsize:
                raise pickle.UnpicklingError("an array of another size than its shape says")
            flat = np.frombuffer(content, kind.dtype)
        self.array = flat.reshape(shape[::-1]).T if by_columns else flat.reshape(shape)


class ArrayClass:
    """Stands for numpy.ndarray, which is only named, not called."""

    def __init__(self, *_: Any) -> None:
        raise pickle.UnpicklingError("an array that is called")


def rebuilt(kind: Any, shape: Any, code: Any) -> Rebuilt:
    """Stands for NumPy's function that makes an empty array."""
    if kind is not ArrayClass:
        raise pickle.UnpicklingError("something that isn't an array")
    return Rebuilt()


def encoded(letters: str, code: str) -> bytes:
    """Stands for the function by which Python 3 writes bytes for Python 2."""
    return letters.encode("latin1")


KNOWN: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): ArrayClass,
    ("numpy", "dtype"): Kind,
    ("numpy.core.multiarray", "_reconstruct"): rebuilt,
    ("numpy._core.multiarray", "_reconstruct"): rebuilt,
    ("_codecs", "encode"): encoded,
}


class Reader(pickle.Unpickler):
    """Reads a pickle in which no other name occurs."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in KNOWN:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which data have no need of")
        return KNOWN[module, name]


def plain(value: Any) -> Any:
    """What was read, with arrays as arrays and the keys of a dict as text."""
    if isinstance(value, Rebuilt):
        return value.array
    if isinstance(value, dict):
        return {text(key): plain(inner) for key, inner in value.items()}
    return value


def unpickled(content: bytes) -> Any:
    """The value of a pickle."""
    return plain(Reader(io.BytesIO(content), encoding="bytes").load())


def read_arrays(path: Path, names: list[str]) -> list[Array]:
    """Arrays of an .npz archive by name, in capitals or not; arrays of objects too."""
    problem = f"{path} is not the archive of arrays that it should be, or it is damaged"
    with readable(DataError, problem), Npz(path) as archive:
        held = {name.lower(): name for name in archive.members}
        missing = [name for name in names if name not in held]
        if missing:
            raise DataError(f"{path} has no array {missing[0]}, only {', '.join(archive.members) or 'nothing'}")
        return [of_member(archive, held[name]) for name in names]


def of_member(archive: Npz, name: str) -> Array:
    """An array of the archive."""
    with archive.opened(name) as packed:
        content = bytes(read_exactly(packed, archive.members[name].file_size))
    stream = io.BytesIO(content)
    version = np.lib.format.read_magic(stream)
    header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = header(stream)
    if not dtype.hasobject:
        stream.seek(0)
        return read_npy(stream, len(content))
    array = unpickled(content[stream.tell() :])
    if not isinstance(array, np.ndarray) or array.shape != shape:
        raise pickle.UnpicklingError(f"its pickle isn't the array of shape {shape} that the header announces")
    return array
