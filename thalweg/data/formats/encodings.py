"""Text files in other encodings than UTF-8: decoded into a temporary file; and what a file's encoding may be."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from thalweg.errors import ArgumentError, DataError
from thalweg.support.files import own_folder
from thalweg.support.untrusted import CHUNK, allowed, readable, too_large, unpacked

KNOWN = ("utf-8", "utf-16", "cp950", "big5", "gb18030", "latin-1", "cp1252", "shift_jis")
"""Encodings to suggest; any of Python's may be given."""
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_SAMPLE = 1 << 20
_COMMON = 0.6  # of the letters of a text are among the common ones, or it is another encoding


def codec(encoding: str) -> str:
    """Python's name of a text encoding; ArgumentError for an unknown one.

    >>> codec("Big5"), codec("UTF8"), codec("latin1")
    ('big5', 'utf-8', 'iso8859-1')
    """
    try:
        found = codecs.lookup(encoding)
        "a".encode(found.name)  # rot13 and base64 are no encodings of text
    except (LookupError, TypeError, ValueError):
        raise ArgumentError(
            f"encoding={encoding!r} is no encoding of text that Python knows; try one of {', '.join(KNOWN)}"
        ) from None
    return found.name


@contextmanager
def decoded(files: Sequence[Path], encoding: str) -> Iterator[list[Path]]:
    """Copies of the files in UTF-8, as `copied` has them.

    Raises:
        DataError: a file isn't text in this encoding, or is larger than is allowed.
    """
    name = codec(encoding)
    with copied(files, lambda file, copy, limit: _decode(file, copy, name, limit)) as copies:
        yield copies


@contextmanager
def copied(files: Sequence[Path], write: Callable[[Path, Path, int], int]) -> Iterator[list[Path]]:
    """Changed copies of the files, which are gone afterwards; messages about them name the originals. `write` makes one
    of at most so many bytes, and returns how many there are."""
    limit = allowed(*files)
    with own_folder("thalweg-text-") as folder:
        copies = [folder / f"{number}-{file.name.removesuffix('.gz')}" for number, file in enumerate(files)]
        for file, copy in zip(files, copies, strict=True):
            limit -= write(file, copy, limit)
        try:
            yield copies
        except DataError as error:
            text = str(error)
            for file, copy in zip(files, copies, strict=True):
                text = text.replace(str(copy), str(file))
            raise type(error)(text) from None


def _decode(file: Path, copy: Path, encoding: str, limit: int) -> int:
    """Writes the file's text as UTF-8; returns how many bytes that are."""
    decoder, written, lines = codecs.getincrementaldecoder(encoding)(), 0, 1
    with readable(DataError, f"can't read {file}"), unpacked(file) as stream, copy.open("wb") as out:
        while True:
            chunk = stream.read(CHUNK)
            try:
                text = decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                line = lines + chunk[: error.start].count(b"\n")
                raise DataError(
                    f"can't read {file}: near line {line} it isn't text in {encoding}{_hint(file)}"
                ) from None
            content = text.removeprefix("\ufeff").encode() if not written else text.encode()
            written, lines = written + len(content), lines + text.count("\n")
            if written > limit:
                raise too_large(f"{file}, as text,", limit)
            out.write(content)
            if not chunk:
                return written


def not_utf8(file: Path) -> str | None:
    """What is wrong with a text file that isn't UTF-8, and the encoding that it is likely in; None if it is UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with readable(DataError, f"can't read {file}"), unpacked(file) as stream:
        head = chunk = stream.read(CHUNK)
        if not _is_utf16(head):
            try:
                while chunk:
                    decoder.decode(chunk)
                    chunk = stream.read(CHUNK)
                decoder.decode(b"", final=True)
            except UnicodeDecodeError:
                pass
            else:
                return None
    return f"it isn't UTF-8{_hint(file)}"


def _hint(file: Path) -> str:
    likely = likely_encoding(file)
    if likely is None:
        return f'; give its encoding, such as encoding="{KNOWN[2]}" (--encoding {KNOWN[2]}), or save it as UTF-8'
    return f'; it looks like {likely}: give encoding="{likely}" (--encoding {likely}), or save it as UTF-8'


def likely_encoding(file: Path) -> str | None:
    """The encoding that a file of text is likely in, by its first megabyte; None if none fits.

    UTF-16 shows in its first bytes or in many zeros. Big5 and GB 18030 are told apart by how many of the letters that
    they make are common ones: both put these first. Anything else is a Western encoding of one byte each.
    """
    with readable(DataError, f"can't read {file}"), unpacked(file) as stream:
        sample = stream.read(_SAMPLE)
    if len(sample) == _SAMPLE:
        sample = sample[: sample.rfind(b"\n") + 1] or sample
    for mark, name in _MARKS:
        if sample.startswith(mark):
            return name
    if _is_utf16(sample):
        return "utf-16-le" if sample[1::2].count(0) > sample[::2].count(0) else "utf-16-be"
    if _fits(sample, "utf-8"):
        return "utf-8"
    shares = {name: _common(sample, name) for name in ("cp950", "big5hkscs", "gb18030", "shift_jis")}
    best = max(shares, key=lambda name: shares[name])
    if shares[best] >= _COMMON:
        return best
    western = "cp1252" if any(0x80 <= byte < 0xA0 for byte in sample) else "latin-1"
    return western if _fits(sample, western) else None


def _is_utf16(sample: bytes) -> bool:
    """Whether the bytes begin as UTF-16 does, or every other one tends to be zero, as in its Western letters."""
    if sample.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return True
    zeros = sample[::2].count(0), sample[1::2].count(0)
    return len(sample) >= 4 and max(zeros) > 0.2 * len(sample) and min(zeros) < 0.01 * len(sample)


def _fits(sample: bytes, encoding: str) -> bool:
    try:
        sample.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _common(sample: bytes, encoding: str) -> float:
    """The share of common letters among those beyond ASCII; 0 if the sample isn't in this encoding."""
    try:
        letters = [letter for letter in sample.decode(encoding) if letter > "\x7f"]
    except UnicodeDecodeError:
        return 0.0
    return sum(_is_common(letter.encode(encoding), encoding) for letter in letters) / max(1, len(letters))


def _is_common(code: bytes, encoding: str) -> bool:
    """Whether a letter is in the part of the encoding that holds marks and the most frequent characters."""
    if len(code) != 2:
        return False
    place = code[0] << 8 | code[1]
    if encoding in ("cp950", "big5hkscs"):
        return 0xA140 <= place <= 0xC67E
    if encoding == "shift_jis":
        return 0x8140 <= place <= 0x9872
    return code[1] >= 0xA1 and (0xA1 <= code[0] <= 0xA3 or 0xB0 <= code[0] <= 0xD7)
