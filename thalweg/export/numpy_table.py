"""A network on a table as a NumPy file: it reads the columns' cells, too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from thalweg.data.notations.patterns import date_patterns, number_pattern
from thalweg.data.notations.quantities import GROUPING, PLAIN_OR_TIMES, SHARES, Style
from thalweg.data.reading import TIMES
from thalweg.export.exported_tables import Column, TableNetwork
from thalweg.export.expressions import one_line
from thalweg.export.numpy_file import numpy_file
from thalweg.export.spellings import spellings
from thalweg.program.ir.instruction import Buffer

NOUN = {"number": "number", "boolean": "yes or no", "date": "date such as 2024-05-31", "category": "category"}


def numpy_table_file(table: TableNetwork, title: str) -> str:
    """The text of the file: `predict` and, for classes, `predict_proba`, of tables; and `python FILE ROWS.csv`."""

    def functions(names: Mapping[Buffer, str], body: list[str]) -> list[list[str]]:
        answer = names[table.network.outputs[0]]
        reading = [f"    {names[c.value]} = {read(c)}" for c in table.columns]
        told = ["", *(f"    {one_line(described(c))}" for c in table.columns)]
        rows = [f"    rows = len({names[table.columns[0].value]})"]
        given = "table: a dict or frame of columns, or a list of rows, each a dict. Cells may be None where missing:"
        whole = ["", f"    {given}", *told, '    """', *reading, *rows, *body, f"    return {answer}"]
        if table.target.task == "regression":
            return [["def predict(table):", f'    """{one_line(table.target.name)} of each row.', *whole]]
        classes = list(table.target.classes)
        likeliest = [
            "def predict(table):", f'    """The likeliest {one_line(table.target.name)} of each row."""',
            f"    return [{classes}[place] for place in predict_proba(table).argmax(axis=1)]",
        ]  # fmt: skip
        told_of = f'    """The probabilities of {one_line(", ".join(map(str, classes)))}, (rows, {len(classes)}).'
        return [likeliest, ["def predict_proba(table):", told_of, *whole]]

    return numpy_file(table.network, title, table=functions)


def read(column: Column) -> str:
    """What reads a column's values."""
    missing = "-2" if column.kind == "category" else "np.nan"
    if forgives(column):
        missing = "np.nan, np.nan"
    return f"read(table, {column.name!r}, {noun(column)!r}, {meaning_of(column)}, {missing})"


def forgives(column: Column) -> bool:
    """Whether what is no number is missing."""
    return column.kind == "number" and bool(column.fitted.forgiving)


def noun(column: Column) -> str:
    """What a cell has to be."""
    if column.kind != "number":
        return NOUN[column.kind] + " written as in training" * (column.kind == "category")
    style = Style(column.fitted.notation, column.fitted.unit)
    if style in (Style(), Style(PLAIN_OR_TIMES)):
        return "number"
    return f"number written as {style.notation or '1234.5'}" + f" with {style.unit}" * bool(style.unit)


class Meaning(NamedTuple):
    """The function of `numpy_cells` that says what a cell means: itself, or what it makes of arguments."""

    function: str
    arguments: tuple[Any, ...] = ()
    options: Mapping[str, Any] = {}  # that aren't the usual ones

    def __str__(self) -> str:
        options = [f"{name}={value!r}" for name, value in self.options.items()]
        given = ", ".join([*map(repr, self.arguments), *options])
        return f"{self.function}({given})" if given else self.function


def meaning_of(column: Column) -> Meaning:
    """What says what the cells of a column mean."""
    fitted = column.fitted
    if column.kind == "category":
        return meaning_of_categories(fitted.categories)
    if column.kind == "boolean":
        return meaning_of_truths()
    if column.kind == "date":
        return Meaning("date", date_patterns(fitted.notation, fitted.by_digits_of_minguo))
    return meaning_of_numbers(Style(fitted.notation, fitted.unit))


def meaning_of_categories(categories: Sequence[str]) -> Meaning:
    """What says which of the categories a cell is."""
    found = spellings(categories)
    numbers = [(int(value) if value.is_integer() else value, place) for value, place in found.numbers.items()]
    told = {"numbers": numbers, "words": found.words, "odd": found.odd}
    return Meaning("category", (list(categories),), {name: value for name, value in told.items() if value})


def meaning_of_truths() -> Meaning:
    """What says whether a cell is true, 1, or false, 0."""
    truths = meaning_of_categories(("false", "true"))
    return truths._replace(
        options={"numbers": truths.options["numbers"], "words": truths.options["words"], "other": None}
    )


def meaning_of_numbers(style: Style) -> Meaning:
    """What says what numbers mean that are written in a style."""
    if style.notation == TIMES:
        return Meaning("clock")
    if style in (Style(), Style(PLAIN_OR_TIMES)):
        return Meaning("number")
    told = {
        "power": next((SHARES[unit] for unit in style.units if unit in SHARES), 0),
        "group": style.base[1] if style.base in GROUPING else "",
        "plain": style.takes_plain,
    }
    usual = {"power": 0, "group": "", "plain": True}
    others = {name: value for name, value in told.items() if value != usual[name]}
    return Meaning("quantity", (number_pattern(style),), others)


def described(column: Column) -> str:
    """A column for people."""
    unit = getattr(column.fitted, "unit", "")
    return f"{column.name}: {NOUN[column.kind]}{f' in {unit}' if unit else ''}; {column.fitted.understood}"
