"""Printing where the encoding lacks our signs: a Taiwanese Windows console (cp950) has no −, a C locale no σ.

Signs that can't be encoded are written in ASCII: - for −, ^2 for ², sigma for σ, ? for those without a spelling.
"""

from __future__ import annotations

import codecs
import errno
import io
import os
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

HANDLER = "thalweg-ascii"
READER_GONE = 141  # the exit code that a shell gives to what SIGPIPE has ended
SPELLINGS = {
    "−": "-", "–": "-", "—": "-", "×": "x", "·": "*", "…": "...", "→": "->", "←": "<-", "≤": "<=", "≥": ">=",
    "≠": "!=", "≈": "~", "±": "+-", "√": "sqrt", "∑": "sum", "∏": "prod", "∂": "d", "∇": "grad", "∞": "inf",
    "∈": "in", "µ": "u", "‖": "||", "⌊": "floor(", "⌋": ")", "′": "'", "“": '"', "”": '"', "‘": "'", "’": "'",
    "│": "|", "┃": "|", "█": "#", "ß": "ss", "°": "deg", "↔": "<->", "∗": "*", "⊙": "*", "∪": "or", "∫": "integral",
    "⌈": "ceil(", "⌉": ")", "€": "EUR", "£": "GBP", "¥": "JPY", "₹": "INR", "₩": "KRW", "₽": "RUB", "₫": "VND",
    "₺": "TRY", "₴": "UAH", "₱": "PHP", "฿": "THB", "‰": "per mille", "ł": "l", "⋮": ":", "⁄": "/",  # ½ is 1⁄2
}  # fmt: skip


def spelled(sign: str) -> str:
    """A sign in ASCII.

    >>> "".join(map(spelled, "ŷ = σ(W·x − b)² µs")), spelled("水")
    ('y = sigma(W*x - b)^2 us', '?')
    """
    if sign.isascii():
        return sign
    if sign in SPELLINGS:
        return SPELLINGS[sign]
    if unicodedata.combining(sign):  # the letter before it loses its accent
        return ""
    name = unicodedata.name(sign, "")
    if name.startswith("GREEK "):
        letter = name.rpartition("LETTER ")[2].partition(" ")[0].lower()
        return letter.capitalize() if "CAPITAL" in name else letter
    if name.startswith("BOX DRAWINGS"):
        return "+" if " AND " in name else "-"
    raised = "^" if name.startswith(("SUPERSCRIPT", "MODIFIER LETTER")) else ""
    parts = unicodedata.normalize("NFKD", sign)
    return raised + "".join(map(spelled, parts)) if parts != sign else "?"


def spell_error(error: UnicodeError) -> tuple[str, int]:
    """The handler of an encoding error: the signs in question in ASCII, and where to continue."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(spelled, error.object[error.start : error.end])), error.end


codecs.register_error(HANDLER, spell_error)


def tolerate(stream: Any) -> None:
    """Makes a stream spell out what it can't encode instead of raising; for the command line's own streams."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors=HANDLER)


class Lasting:
    """A stream that outlives its reader: from the first write that fails on, what is written goes nowhere.

    A program whose output is of less worth than its work goes on when `head` has read enough, the terminal is closed,
    or the disk behind the stream is full. `ends`: one that has nothing to do but to print ends then, as `cat` does.
    """

    def __init__(self, stream: Any, ends: bool = False) -> None:
        self.stream, self.ends = stream, ends
        self.leaving = {errno.EPIPE, errno.EIO} if stream.isatty() else {errno.EPIPE}  # what a reader's end is called
        self.error: OSError | None = None  # the first

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        """Writes, if there is still somewhere to write to."""
        try:
            self.stream.write(text)
        except OSError as error:
            self.give_up(error)
        return len(text)

    def flush(self) -> None:
        """Writes what waits."""
        try:
            self.stream.flush()
        except OSError as error:
            self.give_up(error)

    def give_up(self, error: OSError) -> None:
        """Sends the rest nowhere, with what still waits in the stream: Python would try it once more at its end."""
        self.error = self.error or error
        with suppress(OSError):  # of a stream that is no file
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.stream.fileno())
            os.close(nowhere)
        if self.ends:
            sys.exit(f"the output can't be written: {self.lost}" if self.lost else READER_GONE)

    @property
    def lost(self) -> str:
        """Why something couldn't be written; "" if all was, or if its reader has gone."""
        return "" if self.error is None or self.error.errno in self.leaving else self.error.strerror or str(self.error)


@contextmanager
def lasting_streams(ends: bool = False) -> Iterator[Lasting]:
    """Standard output, which is yielded, and standard error: they spell out what they can't encode, and outlive their
    readers; `ends`: but of standard output. A stream that was closed before the program began, as by `>&-`, is one that
    goes nowhere.
    """
    before = sys.stdout, sys.stderr
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        lasting = [Lasting(before[0] or nowhere, ends), Lasting(before[1] or nowhere)]
        for stream in lasting:
            tolerate(stream.stream)
        sys.stdout, sys.stderr = lasting
        try:
            yield lasting[0]
        finally:
            for stream in lasting:
                stream.flush()
            sys.stdout, sys.stderr = before


def out(text: str) -> None:
    """`print` for a library: spells out what sys.stdout can't encode, without changing sys.stdout."""
    encoding = getattr(sys.stdout, "encoding", None)
    print(text.encode(encoding, HANDLER).decode(encoding) if encoding else text, flush=True)
