"""A network on a table as a NumPy file: it reads the columns' cells, too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from thalweg.data.notations.patterns import date_patterns, number_pattern
from thalweg.data.notations.quantities import GROUPING, PLAIN_OR_TIMES, SHARES, Style
from thalweg.data.reading import TIMES
from thalweg.export.exported_tables import Column, TableNetwork
from thalweg.export.expressions import one_line
from thalweg.export.numpy_file import numpy_file
from thalweg.program.ir.instruction import Buffer

NOUN = {"number": "number", "boolean": "yes or no", "date": "date such as 2024-05-31", "category": "category"}
USUAL = {"power": 0, "group": "", "plain": True}
"""The options of `quantity` by default."""


def numpy_table_file(table: TableNetwork, title: str) -> str:
    """The text of the file: `predict` and, for classes, `predict_proba`, of tables; and `python FILE ROWS.csv`."""

    def functions(names: Mapping[Buffer, str], body: list[str]) -> list[list[str]]:
        answer = names[table.network.outputs[0]]
        reading = [f"    {names[c.value]} = {read(c)}" for c in table.columns]
        told = ["", *(f"    {one_line(described(c))}" for c in table.columns)]
        rows = [f"    rows = len({names[table.columns[0].value]})"]
        given = "table: a dict or frame of columns, or a list of rows, each a dict. Cells may be None where missing:"
        whole = [*reading, *rows, *body, f"    return {answer}"]
        if table.target.task == "regression":
            head = [
                "def predict(table):",
                f'    """{one_line(table.target.name)} of each row.',
                "",
                f"    {given}",
                *told,
                '    """',
            ]
            return [[*head, *whole]]
        classes = list(table.target.classes)
        return [
            [
                "def predict(table):",
                f'    """The likeliest {one_line(table.target.name)} of each row."""',
                f"    return [{classes}[place] for place in predict_proba(table).argmax(axis=1)]",
            ],
            [
                "def predict_proba(table):",
                f'    """The probabilities of {one_line(", ".join(map(str, classes)))}, (rows, {len(classes)}).',
                "",
                f"    {given}",
                *told,
                '    """',
                *whole,
            ],
        ]

    return numpy_file(table.network, title, table=functions)


@dataclass(frozen=True)
class Reading:
    """A call of what makes the function that says what a cell means; where it has no operands, that function itself.

    Attributes:
        options: by name, in order, all of them.
    """

    function: str
    operands: tuple[Any, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        told = [f"{name}={value!r}" for name, value in self.options.items() if value != USUAL[name]]
        operands = ", ".join([*map(repr, self.operands), *told])
        return f"{self.function}({operands})" if operands else self.function


def read(column: Column) -> str:
    """What reads a column's values."""
    missing = {"category": "-2, -1"}.get(column.kind, "np.nan, np.nan" if takes_odd_cells(column) else "np.nan")
    return f"read(table, {column.name!r}, {noun(column)!r}, {meaning(column)}, {missing})"


def takes_odd_cells(column: Column) -> bool:
    """Whether what is no number is missing, too."""
    return column.kind == "number" and column.fitted.forgiving


def noun(column: Column) -> str:
    """What a cell has to be."""
    if column.kind != "number":
        return NOUN[column.kind]
    style = Style(column.fitted.notation, column.fitted.unit)
    return "number" + (f" written as {style.notation or '1234.5'}" + f" with {style.unit}" * bool(style.unit)) * (
        style not in (Style(), Style(PLAIN_OR_TIMES))
    )


def meaning(column: Column) -> Reading:
    """What says what a cell means."""
    fitted = column.fitted
    if column.kind == "category":
        return Reading("category", (list(fitted.categories),))
    if column.kind == "boolean":
        return Reading("truth")
    if column.kind == "date":
        return Reading("date", date_patterns(fitted.notation, fitted.by_digits_of_minguo))
    return number_reading(Style(fitted.notation, fitted.unit))


def number_reading(style: Style) -> Reading:
    """What reads numbers as a column writes them."""
    if style.notation == TIMES:
        return Reading("clock")
    if style in (Style(), Style(PLAIN_OR_TIMES)):
        return Reading("number")
    power = next((SHARES[unit] for unit in style.units if unit in SHARES), 0)
    group = style.base[1] if style.base in GROUPING else ""
    return Reading("quantity", (number_pattern(style),), {"power": power, "group": group, "plain": style.takes_plain})


def described(column: Column) -> str:
    """A column for people."""
    unit = getattr(column.fitted, "unit", "")
    return f"{column.name}: {NOUN[column.kind]}{f' in {unit}' if unit else ''}; {column.fitted.understood}"
