"""What standard output is: a terminal, and how wide, or a pipe, a file, a notebook."""

from __future__ import annotations

import os
import shutil
import sys
from typing import Any


def interactive(stream: Any = None) -> bool:
    """Whether a line that was printed can be drawn anew. A program may have put any object in place of its output."""
    isatty = getattr(stream or sys.stdout, "isatty", None)
    return isatty is not None and isatty() and os.environ.get("TERM") != "dumb"


def columns() -> int | None:
    """The width of the terminal that standard output is; None where it isn't one."""
    return shutil.get_terminal_size().columns if interactive() else None
