"""Text files whose lines end in several ways: copied to a temporary file in which all end in a line feed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from thalweg.data.formats.encodings import copied
from thalweg.errors import DataError
from thalweg.support.untrusted import CHUNK, read_exactly, readable, too_large, unpacked


def ends_vary(file: Path) -> bool:
    """Whether lines end in different ways; line breaks in quoted cells count, too."""
    found: set[bytes] = set()
    with readable(DataError, f"can't read {file}"), unpacked(file) as stream:
        rest = b""
        while (chunk := stream.read(CHUNK)) and len(found) < 2:
            text = rest + chunk
            rest = b"\r" if text.endswith(b"\r") else b""  # it may be half of an end
            found.update(re.findall(rb"\r\n|\n|\r", text.removesuffix(b"\r")))
        found.update([rest] if rest else [])
    return len(found) > 1


@contextmanager
def one_line_end(files: Sequence[Path], delimiter: str, quote: str) -> Iterator[list[Path]]:
    """Copies of the files in which all lines end alike, as `copied` has them; quoted cells stay as they are."""
    before, mark = re.escape(f"{delimiter}\r\n".encode()), re.escape(quote.encode())
    quoted = b"(?<![^%b])%b(?:[^%b]|%b%b)*+%b|" % (before, *[mark] * 5) if quote else b""
    pattern = re.compile(quoted + rb"\r\n?")

    def write(file: Path, copy: Path, limit: int) -> int:
        with readable(DataError, f"can't read {file}"), unpacked(file) as stream:
            content = bytes(read_exactly(stream, limit + 1))
        if len(content) > limit:
            raise too_large(str(file), limit)
        ended = pattern.sub(lambda found: b"\n" if found[0][:1] == b"\r" else found[0], content)
        copy.write_bytes(ended)
        return len(ended)

    with copied(files, write) as copies:
        yield copies
