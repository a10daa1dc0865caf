"""A network on a table as a NumPy file: it reads the columns' cells, too."""

from __future__ import annotations

from collections.abc import Mapping

from thalweg.data.notations.quantities import DECIMAL_COMMA, POINTS, SPACES_AND_COMMA
from thalweg.export.exported_tables import Column, TableNetwork
from thalweg.export.expressions import one_line
from thalweg.export.numpy_file import numpy_file
from thalweg.program.ir.instruction import Buffer

NOUN = {"number": "number", "boolean": "yes or no", "date": "date such as 2024-05-31", "category": "category"}
COMMA_DECIMAL = (DECIMAL_COMMA, POINTS, SPACES_AND_COMMA)
"""How columns write numbers in which a comma, not a point, begins the decimals."""


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


def read(column: Column) -> str:
    """What reads a column's values."""
    meaning, missing = meaning_of(column), "np.nan"
    if meaning == "category":
        meaning, missing = f"category({list(column.fitted.categories)})", "-2, -1"
    return f"read(table, {column.name!r}, {NOUN[column.kind]!r}, {meaning}, {missing})"


def meaning_of(column: Column) -> str:
    """The name of the function that says what a cell means; of categories, that makes such a one."""
    if column.kind == "number":
        return "decimal_comma" if column.fitted.notation in COMMA_DECIMAL else "number"
    return {"boolean": "truth", "date": "moment", "category": "category"}[column.kind]


def described(column: Column) -> str:
    """A column for people."""
    unit = getattr(column.fitted, "unit", "")
    return f"{column.name}: {NOUN[column.kind]}{f' in {unit}' if unit else ''}; {column.fitted.understood}"
