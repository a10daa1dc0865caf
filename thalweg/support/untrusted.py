"""Files from elsewhere, which may be damaged or larger than they look: any problem becomes one sentence.

A file may unpack to 2 GiB, or to ten times its own size; the environment variable THALWEG_MAX_BYTES allows more.
Nothing larger is allocated because a header says so.
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from thalweg.errors import ArgumentError, DataError, ThalwegError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

VARIABLE = "THALWEG_MAX_BYTES"
MAX_BYTES = 2 << 30
EXPANSION = 10
"""Packed text and pictures seldom unpack to more than ten times their size: a large file needs no permission."""
CHUNK = 1 << 20
LONGEST = 200
"""Letters of another library's message that are passed on."""


@contextmanager
def readable(kind: type[ThalwegError], problem: str) -> Iterator[None]:
    """Turns whatever a parser raises into `kind`, with `problem` and its reason; errors of ours pass as they are.

    zlib, zipfile, struct, NumPy's headers, PyYAML, Pillow, …: what they raise on damaged content is undocumented, and
    no list of it was ever complete.

    >>> with readable(ArgumentError, "sizes.txt is damaged"):
    ...     int("1O")
    Traceback (most recent call last):
    thalweg.errors.ArgumentError: sizes.txt is damaged (invalid literal for int() with base 10: '1O')
    """
    try:
        yield
    except ThalwegError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.filename is not None:  # it can't be opened, which isn't damage
            raise kind(f"{error.filename}: {error.strerror}") from error
        raise kind(f"{problem} ({reason(error)})") from error


def reason(error: BaseException) -> str:
    """An error's message as part of one line."""
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, MemoryError):
        return "not enough memory"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = " ".join(str(error).split()) or type(error).__name__
    text = f"it lacks {text}" if isinstance(error, KeyError) else text
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"


# --- size limits -----------------------------------------------------------------------------------------------------


def given_max_bytes() -> int | None:
    """What THALWEG_MAX_BYTES allows, if it is set."""
    text = os.environ.get(VARIABLE, "").strip()
    if not text:
        return None
    if not text.isascii() or not text.isdecimal() or len(text) > 18 or not int(text):
        raise ArgumentError(f"{VARIABLE} has to be a number of bytes such as 8000000000, got {text!r}")
    return int(text)


def allowed(*files: Path) -> int:
    """How many bytes these files together may unpack to."""
    return max(given_max_bytes() or MAX_BYTES, EXPANSION * sum(file.stat().st_size for file in files))


def too_large(what: str, limit: int, needed: int | None = None, instead: str = "") -> DataError:
    """The error for content of more than `limit` bytes; `instead` is another remedy."""
    size = "more" if needed is None else f"{needed:,} bytes, more"
    value = "a larger number" if needed is None else str(needed)
    return DataError(
        f"{what} takes {size} than the {limit:,} bytes allowed: {instead}if you trust it, set {VARIABLE} to {value}"
    )


# --- parsers ---------------------------------------------------------------------------------------------------------


@contextmanager
def unpacked(file: Path) -> Iterator[IO[bytes]]:
    """The file's content as a stream, which unpacks a .gz file as it is read."""
    with file.open("rb") as packed:
        if not file.name.lower().endswith(".gz"):
            yield packed
            return
        import gzip

        with gzip.open(packed) as stream:
            yield stream  # type: ignore[misc]


def read_exactly(stream: IO[bytes], size: int) -> bytearray:
    """The next `size` bytes, or as many as there are."""
    content = bytearray()
    while len(content) < size and (chunk := stream.read(min(CHUNK, size - len(content)))):
        content += chunk
    return content


def read_json(path: Path, kind: type[ThalwegError], text: str | None = None) -> Any:
    """A JSON file, or a text that was in it."""
    with readable(kind, f"{path} is damaged"):
        return json.loads(path.read_text("utf-8") if text is None else text)


class Npz:
    """The arrays of an .npz archive, by name, each read on request. Objects (pickles) are never read.

    NumPy itself allocates what an array's header says before it looks at the archive.
    """

    def __init__(self, path: Path) -> None:
        import zipfile

        self.file = zipfile.ZipFile(path)
        self.left = self.limit = allowed(path)
        self.path = path
        members = self.file.infolist()
        self.members = {m.filename.removesuffix(".npy"): m for m in members if m.filename.endswith(".npy")}

    def __enter__(self) -> Npz:
        return self

    def __exit__(self, *error: object) -> None:
        self.file.close()

    def __getitem__(self, name: str) -> Array:
        with self.opened(name) as stream:
            return read_npy(stream, self.members[name].file_size)

    def opened(self, name: str) -> IO[bytes]:
        """The array's file, as a stream."""
        member = self.members[name]
        self.left -= member.file_size
        if self.left < 0:
            raise too_large(f"{self.path}, unpacked,", self.limit, sum(m.file_size for m in self.members.values()))
        return self.file.open(member)


def read_npy(stream: IO[bytes], size: int) -> Array:
    """An array in NumPy's format, of `size` bytes with its header."""
    import numpy as np  # which the command line's help does without

    version = np.lib.format.read_magic(stream)
    headers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in headers:
        raise ValueError(f"version {version} of NumPy's format is for records, not for plain arrays")
    shape, by_columns, dtype = headers[version](stream)
    if dtype.hasobject or dtype.names:
        raise ValueError("it holds objects or records, not plain numbers or text")
    count, start = math.prod(shape), stream.tell()
    if min(shape, default=0) < 0 or count * dtype.itemsize != size - start:
        raise ValueError(f"its header says shape {shape} of {dtype}, but {size - start:,} bytes follow")
    content = read_exactly(stream, size - start)
    if len(content) < size - start:
        raise EOFError(f"{len(content):,} bytes of {size - start:,}")
    if dtype.kind == "U":  # NumPy takes any four bytes for a letter, and fails when that is read
        letters = np.frombuffer(content, np.dtype("u4").newbyteorder(dtype.byteorder))
        if letters.max(initial=0) > sys.maxunicode:
            raise ValueError("it holds text that is no Unicode")
    flat = np.frombuffer(content, dtype, count)
    return flat.reshape(shape[::-1]).T if by_columns else flat.reshape(shape)
