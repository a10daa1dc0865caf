"""A program as a table: number, name, shape, FLOPs, bytes, measured time, and the formula with the buffers' names."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from thalweg.engine.contract import Plan
from thalweg.errors import ThalwegError
from thalweg.program.interchange.writing import to_json
from thalweg.program.ir.instruction import Instruction
from thalweg.program.ir.program import Program
from thalweg.support.terminal import columns, table, width
from thalweg.views.web.html_parts import block
from thalweg.views.web.html_parts import table as html_table

SECTIONS = ("forward", "backward", "update")
LEAST_FORMULA = 24  # columns; with less room, a formula gets lines of its own


@dataclass(frozen=True)
class Inner:
    """An instruction that another one runs itself, as a scan does in each of its steps; its cost is that one's.

    depth: 1 for what an instruction of the listing runs, 2 for what that one runs, …
    """

    depth: int
    name: str
    formula: str
    shape: tuple[int, ...]

    @property
    def indent(self) -> str:
        """The space in front of its name and its formula."""
        return "  " * self.depth


@dataclass(frozen=True)
class Row:
    """One instruction of a listing. Times are seconds of one step; None before they are measured.

    heading: the formula, without those of the `inner` ones that it runs itself.
    kernel: how what computes it is made, and why so; "" unless that is asked for.
    """

    number: int
    section: str
    name: str
    formula: str
    shape: tuple[int, ...]
    flops: int
    bytes: int
    seconds: float | None = None
    share: float | None = None
    phase: str = ""  # of a schedule
    heading: str = ""
    inner: tuple[Inner, ...] = ()
    kernel: str = ""

    @property
    def part(self) -> str:
        """The part of the table in which it is printed."""
        return self.phase or self.section


class Listing(Sequence[Row]):
    """The rows of a program for a batch of `rows`, or of a schedule; printing it shows the table.

    seconds: the time of each instruction. plan: how an engine runs the program; its rows are in the order of execution.
    origin: how what computes an instruction is made, where a schedule says that.
    """

    def __init__(
        self,
        program: Program,
        rows: int,
        seconds: Sequence[float] | None = None,
        plan: Plan | None = None,
        origin: Callable[[Instruction], str] | None = None,
    ) -> None:
        sections = dict.fromkeys(program.backward, "backward") | dict.fromkeys(program.update, "update")
        order = sorted(program, key=lambda i: SECTIONS.index(sections.get(i, "forward")))
        executed = [("", i) for i in order] if plan is None else plan.instructions
        measured = dict(zip(program, seconds, strict=True)) if seconds is not None else {}
        total = sum(measured.values())
        self.program, self.scheduled = program, plan is not None
        self.batch, self.numbers = rows, {} if plan is None else plan.numbers
        self.rows = [
            Row(
                number,
                sections.get(i, "forward"),
                i.title,
                i.formula,
                shape_of(i, rows),
                i.flops(rows),
                i.bytes(rows),
                measured.get(i),
                measured.get(i, 0.0) / total if total else None,
                phase,
                i.heading,
                tuple(inner_of(i, rows)),
                "" if origin is None else origin(i),
            )
            for number, (phase, i) in enumerate(executed, start=1)
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

    def to_json(self) -> dict[str, Any]:
        """The program as JSON, whole, for other tools: values, operations with their attributes, and equations.

        The schema is `program.schema.json` in `thalweg/program/interchange`, whose `from_json` reads it back: see "A
        program as JSON" on the page on the architecture.

        Raises:
            ThalwegError: this is a schedule, or the program holds a Python function.

        >>> import thalweg
        >>> model = thalweg.Sequential([thalweg.Input((2,)), thalweg.layers.Dense(1, "tanh")])
        >>> document = model.program("inference").to_json()
        >>> [i["operation"] for i in document["forward"]]
        ['gather_floats', 'affine', 'elementwise', 'store']
        >>> document["forward"][2]["equation"]["text"]
        'a = tanh(h)'
        """
        if self.scheduled:
            raise ThalwegError("a schedule is one machine's: write the program, model.program(…).to_json()")
        return to_json(self.program)

    @property
    def timed(self) -> bool:
        """Whether the instructions were measured."""
        return any(row.seconds is not None for row in self.rows)

    @staticmethod
    def header(timed: bool) -> list[str]:
        return ["#", "instruction", "shape", "FLOPs", "bytes"] + ["time", "share"] * timed

    @staticmethod
    def cells(row: Row, timed: bool) -> list[str]:
        cells = [str(row.number), row.name, str(row.shape), f"{row.flops:,}", f"{row.bytes:,}"]
        return [*cells, f"{(row.seconds or 0) * 1e6:,.1f} µs", f"{(row.share or 0):.1%}"] if timed else cells

    @staticmethod
    def inner_cells(part: Inner, timed: bool) -> list[str]:
        return ["", part.indent + part.name, str(part.shape), "", ""] + ["", ""] * timed

    def sums(self, timed: bool) -> list[str]:
        """The last line: the whole step."""
        sums = ["", "one step", "", f"{sum(r.flops for r in self.rows):,}", f"{sum(r.bytes for r in self.rows):,}"]
        return [*sums, f"{sum(r.seconds or 0 for r in self.rows) * 1e6:,.1f} µs", ""] if timed else sums

    def _repr_html_(self) -> str:
        """The table, for notebooks."""
        timed, section = self.timed, ""
        rows: list[list[str]] = []
        for row in self.rows:
            if row.part != section:
                section = row.part
                rows.append([section])
            rows.append([*self.cells(row, timed), row.heading])
            if row.kernel:
                rows.append(["", "kernel", *[""] * (len(rows[-1]) - 3), row.kernel])
            for part in row.inner:
                number, name, *cells = self.inner_cells(part, timed)
                name = name.replace(" " * 2, "\N{NO-BREAK SPACE}" * 2)  # which HTML keeps
                rows.append([number, name, *cells, part.indent + part.formula])
        rows.append([*self.sums(timed), ""])
        header = [*self.header(timed), "formula"]
        return block(html_table(header, rows, right=(0, 3, 4, 5, 6) if timed else (0, 3, 4), mono=(len(header) - 1,)))

    def __str__(self) -> str:
        """The table, as wide as the terminal. Formulas come last, so that long lines never cut a number."""
        timed = self.timed
        header = self.header(timed)
        lines, formulas, section = [header], ["formula"], ""
        for row in self.rows:
            if row.part != section:
                section = row.part
                lines.append(["", section])
                formulas.append("")
            lines.append(self.cells(row, timed))
            formulas.append(row.heading)
            if row.kernel:
                lines.append(["", "  kernel", *[""] * (len(header) - 2)])
                formulas.append(f"  {row.kernel}")
            lines += [self.inner_cells(part, timed) for part in row.inner]
            formulas += [part.indent + part.formula for part in row.inner]
        last = self.sums(timed)
        room = columns()
        above = "".join(f"{name}: {number:,}\n" for name, number in self.numbers.items())
        return above + beside(table([*lines, last], (0, 3, 4, 5, 6), room, cut=1), [*formulas, ""], room)

    __repr__ = __str__


def inner_of(instruction: Instruction, rows: int, depth: int = 1) -> Iterator[Inner]:
    """What an instruction runs itself, in order, each with what that one runs behind it."""
    for i in instruction.runs:
        yield Inner(depth, i.title, i.heading, shape_of(i, rows))
        yield from inner_of(i, rows, depth + 1)


def shape_of(instruction: Instruction, rows: int) -> tuple[int, ...]:
    """The shape of what an instruction writes."""
    output = instruction.outputs[0]
    return (rows, *output.shape) if output.per_row else output.shape


def beside(text: str, formulas: Sequence[str], room: int | None) -> str:
    """The lines of a table, each with its formula: to the right, wrapped to the available width, or below."""
    lines = text.splitlines()
    indent = max(map(width, lines)) + 2
    if room is not None and room - indent < LEAST_FORMULA < max(map(width, formulas)):
        indent = 4
    texts = []
    for line, formula in zip(lines, formulas, strict=True):
        folded = [formula]
        if room is not None:
            inner = formula[: len(formula) - len(formula.lstrip())]
            folded = textwrap.wrap(formula, room - indent, subsequent_indent=inner, break_on_hyphens=False)
        if folded and width(line) < indent - 1:
            line += " " * (indent - width(line)) + folded.pop(0)
        texts += [line.rstrip(), *(" " * indent + part for part in folded)]
    return "\n".join(texts)
