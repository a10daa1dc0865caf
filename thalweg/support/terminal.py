"""Whether standard output is a terminal, and how wide that is."""

from __future__ import annotations

import os
import shutil
import sys
from typing import Any


def interactive(stream: Any = None) -> bool:
    """Whether printed lines can be redrawn. A program may have replaced its output by any object."""
    isatty = getattr(stream or sys.stdout, "isatty", None)
    return isatty is not None and isatty() and os.environ.get("TERM") != "dumb"


def columns() -> int | None:
    """The width of the terminal; None if standard output isn't one."""
    return shutil.get_terminal_size().columns if interactive() else None
