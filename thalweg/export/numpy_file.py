"""A network as one Python file that needs NumPy alone."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping

import numpy as np

from thalweg.export.expressions import Expressions, listed
from thalweg.export.graph import Value
from thalweg.export.names import identifiers
from thalweg.export.network import Network
from thalweg.export.numpy_functions import FUNCTIONS, source
from thalweg.export.numpy_lines import line
from thalweg.export.statements import Statement
from thalweg.program.ir.instruction import WORKSPACE, Array, Buffer

ARRAY = [
    "def array(text, kind, *shape):",
    '    """An array of its bytes, as base64."""',
    "    return np.frombuffer(base64.b64decode(text), kind).reshape(shape)",
    "",
    "",
]
TAKEN = ("np", "base64", "math", "array", "predict", "rows", *(f.__name__ for f in FUNCTIONS))
READABLE = 100  # elements of an array that is written as numbers; larger ones as base64
WIDTH = 120  # letters of a line


def numpy_file(network: Network, title: str) -> str:
    """The text of the file: a function `predict`, and the weights."""
    names = identifiers((*network.inputs, *network.weights, *computed(network)), TAKEN)
    kept: dict[str, Array] = {}
    body = [line for statement in network.statements for line in written(statement, names, kept)]
    given = ", ".join(names[b] for b in network.inputs)
    shapes = ", ".join(f"{names[b]} {shape_of(b)}" for b in network.inputs)
    results = ", ".join(names[b] for b in network.outputs)
    results_told = ", ".join(f"{names[b]} {shape_of(b)}" for b in network.outputs)
    arrays = {names[b]: a for b, a in network.weights.items()} | kept
    functions = source(body)
    stored_arrays = [f"{name} = {stored(a)}" for name, a in arrays.items()]
    packed = any("array(" in line.replace("np.array(", "") for line in stored_arrays)
    lines = [
        f'"""{title}"""', "",
        *["import base64"] * packed, *["import math"] * any("math." in f for f in functions),
        *[""] * (packed or any("math." in f for f in functions)), "import numpy as np", "", "",
        f"def predict({given}):",
        f'    """{shapes} → {results_told}"""',
        *(f"    {names[b]} = np.asarray({names[b]}, np.float32)" for b in network.inputs),
        f"    rows = len({names[network.inputs[0]]})",
        *(f"    {line}" for line in body),
        f"    return {results}", "", "",
        *(line for f in functions for line in (*f.splitlines(), "", "")),
        *ARRAY * packed,
        *stored_arrays,
    ]  # fmt: skip
    if not any("rows" in line for line in body):
        lines.remove(f"    rows = len({names[network.inputs[0]]})")
    return "\n".join(lines).rstrip() + "\n"


def computed(network: Network) -> Iterator[Buffer]:
    """The arrays that are computed."""
    for statement in network.statements:
        for assignment in statement.assignments:
            yield assignment.buffer


def written(statement: Statement, names: Mapping[Buffer, str], kept: dict[str, Array]) -> Iterator[str]:
    """What an instruction computes: its formula as a comment, then lines."""
    yield f"# {statement.instruction.formula}"
    own = line(statement.instruction, names)
    if own is not None:
        (assignment,) = statement.assignments
        place = "" if assignment.buffer.region == WORKSPACE else "[...]"
        yield (
            f"{names[assignment.buffer]} += {own}" if assignment.adds else f"{names[assignment.buffer]}{place} = {own}"
        )
        return
    adds = {a.buffer: a.adds for a in statement.assignments}
    expressions = Expressions({b: name for b, name in names.items() if b.view_of is None or b not in adds}, kept)
    expressions.names = names
    for target, value in expressions.lines([(a.buffer, a.value) for a in statement.assignments]):
        if isinstance(target, str):
            yield f"{target} = {expressions.text(value)[0]}"
        else:
            yield assignment_of(target, adds[target], value, expressions)


def assignment_of(buffer: Buffer, adds: bool, value: Value, expressions: Expressions) -> str:
    """The line in which an array becomes a value; what lasts is changed in place, as others are views of it."""
    name, (text, _) = expressions.names[buffer], expressions.text(value)
    if buffer.region == WORKSPACE:
        return f"{name} {'+' * adds}= {text}"
    if adds:
        return f"{name} += {text}"
    if value.function in ("add", "subtract") and value not in expressions.known:
        one, other = value.operands
        if one.function == "name" and one.options["buffer"] is buffer:
            sign = "+" if value.function == "add" else "-"
            return f"{name} {sign}= {expressions.text(other)[0]}"
    return f"{name}[...] = {text}"


def shape_of(buffer: Buffer) -> str:
    return f"({', '.join(['rows'] * buffer.per_row + [str(n) for n in buffer.shape])})"


def stored(array: Array) -> str:
    """An array as an expression that makes it, to the bit."""
    if array.size <= READABLE and array.ndim <= 2:
        return readable(array)
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    text = base64.b64encode(little.tobytes()).decode()
    return f'array("{text}", "{little.dtype.str}", {", ".join(map(str, array.shape))})'


def readable(array: Array) -> str:
    """An array as numbers, a row on each line if all don't fit on one."""
    text = f"np.array({listed(array)}, np.{array.dtype.name})"
    if len(text) <= WIDTH or array.ndim < 2:
        return text
    rows = ",\n".join(f"    {listed(row)}" for row in array)
    return f"np.array([\n{rows},\n], np.{array.dtype.name})"
