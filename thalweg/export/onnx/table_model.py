"""A table's network as an ONNX model: cells in, texts of categories among them, and the answer out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from thalweg.export.exported_tables import Column, TableNetwork
from thalweg.export.onnx.proto import proto, written
from thalweg.export.onnx.writer import Writer
from thalweg.export.spellings import listed
from thalweg.program.ir.instruction import Buffer
from thalweg.support.extras import need

if TYPE_CHECKING:
    import onnx

GIVEN = {
    "number": "a number, NaN if it is missing",
    "boolean": "1 for yes, 0 for no, NaN if it is missing",
    "date": "the seconds since 1970-01-01T00:00, NaN if it is missing",
    "category": "the text of the category in a notation that this file lists, empty if it is missing; what may be one "
    "in another notation is an error",
}
"""What a cell of each kind is given as."""


def onnx_table_model(table: TableNetwork, opset: int | None = None) -> onnx.ModelProto:
    """A table's network, which takes the cells of each column as an input of the column's name: see `onnx_model`.

    Categories are texts: the model lists what people and programs write for each, and a text that may be one in another
    notation is an error, of a node whose name says so. All else is float64, since ONNX can't read how people write
    numbers and dates. Each input's documentation says which column it is and how its cells are given. The output
    `y_pred` is the number, or the probabilities of the classes beside the likeliest one, `label`, as a text.
    """
    need("onnx", "onnx", "an ONNX model")
    texts = {c.value: listed(c.fitted.categories) for c in table.columns if c.kind == "category"}
    classes = [str(label) for label in table.target.classes]

    def write(version: int) -> Writer:
        writer = Writer(table.network, version, texts, names_of(table.columns))
        return labelled(writer, classes) if classes else writer

    model: Any = proto(*written(write, opset), table.network)
    for column, place in zip(table.columns, model.graph.input, strict=True):
        place.doc_string = f"{column.name}: {GIVEN[column.kind]}. {column.fitted.understood}"
    return model


def names_of(columns: Iterable[Column]) -> dict[Buffer, str]:
    """The columns' own names, as ONNX takes any text but an empty one."""
    names = {c.value: c.name for c in columns}
    for value, name in names.items():
        if not name:
            names[value] = unlike("unnamed", names.values())
    return names


def unlike(name: str, taken: Iterable[str]) -> str:
    """The name, made longer until it is none of the others."""
    others = set(taken)
    while name in others:
        name += "_"
    return name


def labelled(writer: Writer, classes: list[str]) -> Writer:
    """With the likeliest class as another output."""
    nodes, (shares,) = writer.nodes, writer.outputs
    place = nodes.add("ArgMax", [shares], np.int64, axis=1, keepdims=0)
    label = nodes.add("LabelEncoder", [place], object, keys_int64s=list(range(len(classes))), values_strings=classes)
    label.name = unlike("label", writer.names.values())
    writer.outputs.append(label)
    return writer
