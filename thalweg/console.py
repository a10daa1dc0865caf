"""What the command line prints with: text and tables, by rich."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from thalweg.errors import first_of


def say(*things: Any) -> None:
    """Prints to standard output, as wide as the text needs when it isn't a terminal.

    Column names, classes and paths are the user's: nothing in them is markup, "[kg]" stays what it is.
    """
    from rich.console import Console

    console = Console(markup=False, emoji=False, highlight=False, width=None if sys.stdout.isatty() else 10_000)
    for thing in things:
        console.print(thing, soft_wrap=isinstance(thing, str))  # a path that rich broke could not be copied


def say_skipped(problems: Sequence[str]) -> None:
    """How much was left out, and the first three reasons."""
    if problems:
        say(f"skipped {len(problems):,}: {first_of(problems)}")


def grid(title: str, header: list[str], rows: list[list[str]]) -> Any:
    """A table for people; columns of numbers are aligned to the right."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for place, name in enumerate(header):
        numbers = all(
            row[place].rstrip("%").replace(",", "").replace(".", "").lstrip("-").isdigit() for row in rows if row[place]
        )
        table.add_column(name, justify="right" if rows and numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table
