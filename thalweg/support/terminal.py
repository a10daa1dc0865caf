"""Whether standard output is a terminal and how wide that is, text in columns as it shows them, and whether somebody
redraws its last line: others would write into it."""

from __future__ import annotations

import os
import shutil
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

LEAST_CUT = 8  # columns of a text that is cut

_redrawing = 0


def interactive(stream: Any = None) -> bool:
    """Whether printed lines can be redrawn. A program may have replaced its output by any object."""
    isatty = getattr(stream or sys.stdout, "isatty", None)
    return isatty is not None and isatty() and os.environ.get("TERM") != "dumb"


def columns() -> int | None:
    """The width of the terminal; None if standard output isn't one."""
    return shutil.get_terminal_size().columns if interactive() else None


def width(text: str) -> int:
    """The columns that a text takes on a terminal: two for wide characters, none for combining ones."""
    wide = (2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text if not unicodedata.combining(c))
    return sum(wide)


def table(
    lines: Sequence[Sequence[str]],
    right: Sequence[int],
    room: int | None = None,
    cut: int = 0,
    fixed: list[int] | None = None,
) -> str:
    """Aligned columns; those in `right` are aligned to the right.

    Column `cut` is shortened if room is short; if `fixed` has the widths of all columns, every text that is longer.
    """
    count = max(len(line) for line in lines)
    widths = fixed or [max((width(line[c]) for line in lines if c < len(line)), default=0) for c in range(count)]
    if fixed is None and room is not None and (over := sum(widths) + 2 * (count - 1) - room) > 0:
        widths[cut] = max(min(LEAST_CUT, widths[cut]), widths[cut] - over)
    texts = []
    for line in lines:
        cells = [
            " " * (widths[c] - width(cell)) + cell if c in right else cell + " " * (widths[c] - width(cell))
            for c, cell in enumerate(shortened(cell, widths[c]) for c, cell in enumerate(line))
        ]
        texts.append("  ".join(cells).rstrip())
    return "\n".join(texts)


def shortened(text: str, most: int) -> str:
    """The text, or its beginning and … if it takes more columns."""
    if width(text) <= most:
        return text
    while width(text) > most - 1:
        text = text[:-1]
    return f"{text}…"


# --- the last line ---------------------------------------------------------------------------------------------------


@contextmanager
def redrawing() -> Iterator[None]:
    """Within it, the line is the caller's."""
    global _redrawing
    _redrawing += 1
    try:
        yield
    finally:
        _redrawing -= 1


def redrawn() -> bool:
    """Whether somebody redraws the line."""
    return _redrawing > 0
