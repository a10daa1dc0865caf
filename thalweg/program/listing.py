"""A program as a table: number, name, formula with the real names, shape, FLOPs, bytes, and the measured time."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from thalweg.program.gradients import Reduce
from thalweg.program.instruction import Instruction
from thalweg.program.program import Program


@dataclass(frozen=True)
class Row:
    """One instruction of a listing. Times are seconds of one step; None before they are measured."""

    number: int
    section: str
    name: str
    formula: str
    shape: tuple[int, ...]
    flops: int
    bytes: int
    seconds: float | None = None
    share: float | None = None


class Listing(Sequence[Row]):
    """The rows of a program for a batch of `rows`; printing it shows the table."""

    def __init__(self, program: Program, rows: int, seconds: Sequence[float] | None = None, lanes: int = 1) -> None:
        sections = {id(i): "backward" for i in program.backward} | {id(i): "update" for i in program.update}
        order = sorted(program, key=lambda i: ["forward", "backward", "update"].index(sections.get(id(i), "forward")))
        measured = dict(zip((id(i) for i in program), seconds, strict=True)) if seconds is not None else {}
        total = sum(measured.values())
        self.batch = rows
        self.rows = [
            Row(
                number,
                sections.get(id(whole), "forward"),
                i.title,
                i.formula,
                shape_of(i, rows),
                i.flops(rows),
                i.bytes(rows),
                measured.get(id(whole)),
                measured[id(whole)] / total if total else None,
            )
            for number, (whole, i) in enumerate(seen(order, program, rows, lanes), start=1)
        ]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, place: Any) -> Any:
        return self.rows[place]

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def records(self) -> list[dict[str, Any]]:
        """The rows as plain dicts."""
        return [asdict(row) for row in self.rows]

    def __str__(self) -> str:
        timed = any(row.seconds is not None for row in self.rows)
        header = ["#", "instruction", "formula", "shape", "FLOPs", "bytes"] + ["time", "share"] * timed
        lines: list[list[str]] = []
        section = ""
        for row in self.rows:
            if row.section != section:
                section = row.section
                lines.append(["", section])
            cells = [str(row.number), row.name, row.formula, str(row.shape), f"{row.flops:,}", f"{row.bytes:,}"]
            if timed:
                cells += [f"{(row.seconds or 0) * 1e6:,.1f} µs", f"{(row.share or 0):.1%}"]
            lines.append(cells)
        last = ["", "one step", "", "", f"{sum(r.flops for r in self.rows):,}", f"{sum(r.bytes for r in self.rows):,}"]
        if timed:
            last += [f"{sum(r.seconds or 0 for r in self.rows) * 1e6:,.1f} µs", ""]
        return table([header, *lines, last])

    __repr__ = __str__


def seen(
    order: Sequence[Instruction], program: Program, rows: int, lanes: int
) -> Iterator[tuple[Instruction, Instruction]]:
    """What that many lanes do, each beside the instruction that it is (a part of).

    One lane has nothing to sum, and gradients that lanes share need no sum.
    """
    wide = program.wide if program.shares(rows, lanes) else []
    for i in order:
        if not isinstance(i, Reduce):
            yield i, i
        elif lanes > 1:
            yield from ((i, part) for part in i.without(wide))


def shape_of(instruction: Instruction, rows: int) -> tuple[int, ...]:
    """The shape of what an instruction writes."""
    output = instruction.outputs[0]
    return (rows, *output.shape) if output.per_row else output.shape


def width(text: str) -> int:
    """Columns that the text takes on a terminal: wide characters two, combining ones none."""
    wide = (2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text if not unicodedata.combining(c))
    return sum(wide)


def table(lines: Sequence[Sequence[str]], right: Sequence[int] = (0, 4, 5, 6, 7)) -> str:
    """Aligned columns; those in `right` are aligned to the right."""
    columns = max(len(line) for line in lines)
    widths = [max((width(line[c]) for line in lines if c < len(line)), default=0) for c in range(columns)]
    texts = []
    for line in lines:
        cells = [
            " " * (widths[c] - width(cell)) + cell if c in right else cell + " " * (widths[c] - width(cell))
            for c, cell in enumerate(line)
        ]
        texts.append("  ".join(cells).rstrip())
    return "\n".join(texts)
