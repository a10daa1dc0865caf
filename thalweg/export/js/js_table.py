"""A network on a table as JavaScript: it reads the columns' cells, too, as the NumPy file does."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from thalweg.data.cells import EXACT
from thalweg.data.labels import Label
from thalweg.export.exported_tables import Column, TableNetwork
from thalweg.export.js.js_files import NEXT, js_file
from thalweg.export.numpy_cells import GAPS, MISSING
from thalweg.export.numpy_table import Meaning, described, forgives, meaning_of, noun

CELLS = Path(__file__).parent / "cells.js"
"""The module that reads cells."""
UNSAFE = re.compile("[<\u2028\u2029\ud800-\udfff]")


def js_table_file(table: TableNetwork, title: str, int8: bool = False, module: bool = False) -> str:
    """The text of the file: `predict` and, for classes, `predict_proba`, of a row of cells by the columns' names.

    table: of `table_network(model, features, 1)`.
    """
    name, classes = table.target.name, [_exactly(label) for label in table.target.classes]
    told = [title, "A row is an object of cells by the columns' names, null where missing:"]
    told += [f"    {described(column)}" for column in table.columns]
    told += [
        f"The answer is {name}." if not classes else f"The answers are those of {name}: {', '.join(map(str, classes))}."
    ]
    of = "answer(...meanings(COLUMNS, row, place).map((value) => [value]))"
    head = ["/* The cells of a row, whose number errors tell, become the answer. */"]
    if classes:
        functions = [
            f"const CLASSES = {literal(classes)};", "", *head, "function predict_proba(row, place = 1) {",
            f"    return Array.from({of});", "}", "",
            "/* The likeliest class. */", "function predict(row, place = 1) {",
            "    const shares = predict_proba(row, place);",
            "    return CLASSES[shares.indexOf(Math.max(...shares))];", "}",
        ]  # fmt: skip
    else:
        functions = [*head, "function predict(row, place = 1) {", f"    return {of}[0];", "}"]
    cells = re.sub("^export ", "", CELLS.read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines = ["", *markers(), "", *cells.split("\n"), *columns_read(table), *functions]
    gives = "predict, predict_proba" if classes else "predict"
    return js_file(table.network, NEXT.join(told), int8, module, lines, gives)


def _exactly(label: Label) -> Label:
    """A label as JavaScript tells it from others: whole numbers from 2^53 on are text."""
    return str(label) if isinstance(label, int) and abs(label) > EXACT else label


def markers() -> list[str]:
    """The constants that the module needs."""
    texts = {"MISSING": list(MISSING), "GAPS": sorted(GAPS)}
    return [f"const {name} = {literal(value)};" for name, value in texts.items()]


def columns_read(table: TableNetwork) -> list[str]:
    """The lines that say how the columns are read."""
    return ["const COLUMNS = [", *(f"    {entry(column)}," for column in table.columns), "];"]


def entry(column: Column) -> str:
    """What reads a column's cells."""
    parts = [
        f"name: {literal(column.name)}",
        f"noun: {literal(noun(column))}",
        f"meaning: {called(meaning_of(column))}",
    ]
    if column.kind == "category":
        parts += [f"categories: {literal(list(column.fitted.categories))}", "missing: -2"]
    if forgives(column):
        parts.append("unknown: NaN")
    return f"{{ {', '.join(parts)} }}"


def called(meaning: Meaning) -> str:
    """The function that says what a cell means, or the call that makes it; options are an object."""
    options = [f"{name}: {spelled(value)}" for name, value in meaning.options.items()]
    operands = [*map(spelled, meaning.arguments), *[f"{{ {', '.join(options)} }}"] * bool(options)]
    return f"{meaning.function}({', '.join(operands)})" if operands else meaning.function


def spelled(operand: Any) -> str:
    """An argument; a pattern names its groups as JavaScript does."""
    if isinstance(operand, str):
        operand = operand.replace("(?P<", "(?<").replace("(?P=mark)", r"\k<mark>")
    return literal(operand)


def literal(value: Any) -> str:
    """A value as JavaScript writes it, wherever the text of the program may stand."""
    text = json.dumps(value, ensure_ascii=False)
    return UNSAFE.sub(lambda sign: f"\\u{ord(sign[0]):04x}", text)
