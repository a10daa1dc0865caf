"""What the command line prints with: text and tables, by rich."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from thalweg.errors import first_of
from thalweg.support.terminal import width

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

FOLDED = 16  # the least width of a text column, or all that the text needs


def say(*things: Any, stream: TextIO | None = None) -> None:
    """Prints to standard output, or to another stream, as wide as the text needs when it isn't a terminal.

    Column names, classes and paths are the user's: nothing in them is markup, and "[kg]" is printed as it is.
    """
    from rich.console import Console

    stream = sys.stdout if stream is None else stream
    width = None if stream.isatty() else 10_000
    console = Console(file=stream, markup=False, emoji=False, highlight=False, width=width)
    for thing in things:
        console.print(thing, soft_wrap=isinstance(thing, str))  # a path broken by rich couldn't be copied


def folded(text: str, indent: int = 0) -> Padding:
    """A sentence that is broken between words where a terminal's line ends; all its lines are indented."""
    from rich.padding import Padding
    from rich.text import Text

    return Padding(Text(text), (0, 0, 0, indent), expand=False)


def in_options(text: str) -> str:
    """A message with arguments spelled as options: task="multiclass" becomes --task multiclass."""
    return re.sub(r"""\btask=["'](\w+)["']""", r"--task \1", text).replace("time_limit=", "--time-limit ")


def say_skipped(problems: Sequence[str], stream: TextIO | None = None) -> None:
    """Prints how much was left out, and the first three reasons."""
    if problems:
        say(f"skipped {len(problems):,}: {first_of(problems)}", stream=stream)


class Grid:
    """A table for people; columns of numbers are aligned to the right and never broken over lines.

    Columns that don't fit side by side are printed in further blocks, each beginning with the first column.
    """

    def __init__(self, title: str, header: list[str], rows: list[list[str]]) -> None:
        self.title, self.header, self.rows = title, header, rows
        self.numbers = [all(is_number(row[place]) for row in rows if row[place]) for place in range(len(header))]
        cells = [[header[place], *(row[place] for row in rows)] for place in range(len(header))]
        self.widths = [  # texts may be folded
            max(map(width, column)) if numbers else min(FOLDED, max(map(width, column)))
            for column, numbers in zip(cells, self.numbers, strict=True)
        ]

    def blocks(self, room: int) -> Iterator[list[int]]:
        """The columns of each block."""
        block = [0]
        for place in range(1, len(self.header)):
            if sum(self.widths[c] + 2 for c in [*block, place]) - 2 > room and len(block) > 1:
                yield block
                block = [0]
            block.append(place)
        yield block

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Table | Text]:
        from rich.table import Table
        from rich.text import Text

        for number, block in enumerate(self.blocks(options.max_width)):
            yield Text("" if number else self.title, "bold")
            table = Table(box=None, pad_edge=False)
            for place in block:
                numbers = bool(self.rows) and self.numbers[place]
                table.add_column(
                    self.header[place], justify="right" if numbers else "left", overflow="fold", no_wrap=numbers
                )
            for row in self.rows:
                table.add_row(*(Text(row[place]) for place in block))
            yield table


def is_number(text: str) -> bool:
    """Whether the text is a number: digits and their signs."""
    return text.rstrip("%").replace(",", "").replace(".", "").lstrip("-").isdigit()
