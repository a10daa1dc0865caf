"""A network as one Python file that needs NumPy alone; its training, too, as a tutorial would write it."""

from __future__ import annotations

import ast
import base64
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from textwrap import wrap

import numpy as np

from thalweg.export.exported_network import Network
from thalweg.export.exported_training import Lasting, Training
from thalweg.export.expressions import listed, one_line
from thalweg.export.identifiers import identifiers
from thalweg.export.numpy_cells import CELLS, GAPS, MISSING
from thalweg.export.numpy_functions import FUNCTIONS, source
from thalweg.export.numpy_statements import sums_to_one, written
from thalweg.program.graphs.sizes import ROWS
from thalweg.program.graphs.traced_program import Statement
from thalweg.program.ir.instruction import TOTALS, Array, Buffer

TAKEN = (
    "np", "base64", "math", "array", "predict", "step", "train", "rows", "iteration", "learning_rate", "order", "SEED",
    "csv", "sys", "re", "datetime", "table", "CLASSES", "predict_proba", "MISSING", "GAPS",
    *(f.__name__ for f in (*FUNCTIONS, *CELLS)),
)  # fmt: skip
MAIN = """

if __name__ == "__main__":  # python FILE ROWS.csv: the answers as CSV
    if len(sys.argv) != 2:
        sys.exit(f"usage: python {sys.argv[0]} ROWS.csv")
    try:
        with open(sys.argv[1], encoding="utf-8-sig", newline="") as file:
            answers = predict(list(csv.DictReader(file)))
    except (OSError, ValueError, csv.Error) as error:
        sys.exit(f"{sys.argv[1]}: {error}")
    try:
        with open(1, "w", encoding="utf-8", newline="", closefd=False) as out:
            csv.writer(out).writerows([["prediction"], *([answer] for answer in answers)])
    except BrokenPipeError:  # whoever read the answers has gone, as `head` does
        sys.exit(141)
    except OSError as error:
        sys.exit(f"standard output: {error.strerror}")
""".splitlines()
VIEWS = "# All weights lie in one vector, so that one line updates them: each is a part of it, at a multiple of 16."
Table = Callable[[Mapping[Buffer, str], list[str]], list[list[str]]]
READABLE = 100  # elements of an array that is written as numbers; larger ones as base64
WIDTH = 120  # letters of a line


def numpy_file(
    network: Network,
    title: str,
    training: Training | None = None,
    table: Table | None = None,
    classes: Sequence[str] = (),
) -> str:
    """The text of the file: a function `predict`, and the weights; with a training `step` and `train`, too.

    table: makes the functions that read a table, for a network of its columns' values. classes: those whose
    probabilities the network gives, in order.
    """
    lasting = training.lasting if training is not None else ()
    kept: dict[str, Array] = {}
    parts, wholes = [b for l in lasting for b in l.parts], [l.whole for l in lasting]
    common = identifiers((*parts, *wholes, *network.weights), TAKEN, ascii=False)
    names = local((*network.inputs, *written_by(network.statements)), common)
    functions = (
        [predict(network, names, kept)] if table is None else table(names, body_of(network.statements, names, kept))
    )
    if training is not None:
        names = local((*training.inputs, *training.targets, *training.sums, *written_by(training)), common)
        functions += [step(training, names, kept), train(training, names)]
    helpers = source((line for function in functions for line in function), (*CELLS, *FUNCTIONS))
    arrays = [VIEWS] * any(l.parts for l in lasting) + [line for l in lasting for line in defined(l, common)]
    arrays += [f"{common[b]} = {stored(a)}" for b, a in network.weights.items() if b not in (*parts, *wholes)]
    arrays += [f"{name} = {stored(a)}" for name, a in kept.items()]
    packed = any(" = array(" in line for line in arrays)
    tabular = table is not None
    used = {"base64": packed, "csv": tabular, "datetime": False, "math": False, "re": False, "sys": tabular}
    used |= {name: any(f"{name}." in f for f in helpers) for name in ("datetime", "math", "re")}
    numbers = [f"SEED = {training.seed}  # of the order of the rows, and of random numbers"] if training else []
    if classes:
        numbers.append(f"CLASSES = {list(map(str, classes))}  # of the answer's columns, in order")
    if tabular:
        for name, texts in (("MISSING", MISSING), ("GAPS", sorted(GAPS))):
            numbers += [f"{name} = (", *(f"    {line}" for line in wrap(f"{str(texts)[1:-1]},", WIDTH - 4)), ")"]
    modules = [module for module, needed in used.items() if needed]
    return "\n".join([
        f'"""{one_line(title)}"""', "",
        *(f"import {m}" for m in modules), *[""] * bool(modules), "import numpy as np", "",
        *numbers, *[""] * bool(numbers), "",
        *(line for function in functions for line in (*function, "", "")),
        *(line for f in helpers for line in (*f.splitlines(), "", "")),
        *(ARRAY if packed else []),
        *arrays,
        *(MAIN if tabular else []),
    ]).rstrip() + "\n"  # fmt: skip


def local(buffers: Iterable[Buffer], common: Mapping[Buffer, str]) -> dict[Buffer, str]:
    """The names in a function: those of its own arrays, and those that all functions see."""
    own = [b for b in buffers if b not in common]
    return {**common, **identifiers(own, (*TAKEN, *common.values()), ascii=False)}


ARRAY = [
    "def array(text, kind, *shape):",
    '    """An array of its bytes, as base64."""',
    "    return np.frombuffer(base64.b64decode(text), kind).reshape(shape).copy()",
    "",
    "",
]


def written_by(statements: Iterable[Statement]) -> Iterator[Buffer]:
    """The arrays that are computed."""
    for statement in statements:
        for assignment in statement.assignments:
            yield assignment.buffer


def body_of(statements: Iterable[Statement], names: Mapping[Buffer, str], kept: dict[str, Array]) -> list[str]:
    return [f"    {line}" for statement in statements for line in written(statement, names, kept)]


def predict(network: Network, names: Mapping[Buffer, str], kept: dict[str, Array]) -> list[str]:
    """The function that predicts."""
    body = body_of(network.statements, names, kept)
    shapes, results = (", ".join(f"{names[b]} {shape_of(b)}" for b in of) for of in (network.inputs, network.outputs))
    return [
        f"def predict({', '.join(names[b] for b in network.inputs)}):",
        f'    """{shapes} → {results}"""',
        *converted(network.inputs, names),
        *counted(body, names[network.inputs[0]]),
        *body,
        f"    return {', '.join(names[b] for b in network.outputs)}",
    ]


def step(training: Training, names: Mapping[Buffer, str], kept: dict[str, Array]) -> list[str]:
    """The function that does a step of training."""
    given = (*training.inputs, *training.targets)
    shapes = ", ".join(f"{names[b]} {shape_of(b)}" for b in given)
    body = []
    for title, part in (("forward", training.forward), ("backward", training.backward), ("update", training.update)):
        body += ["", f"    # --- {title}", *body_of(part, names, kept)]
    body, sums, told = summed(body, training.sums, names)
    return [
        f"def step({', '.join(names[b] for b in given)}, iteration, learning_rate={training.learning_rate:g}):",
        f'    """Changes the weights by a batch, {shapes}; returns its loss.',
        "",
        "    iteration: steps with this one, from 1.",
        '    """',
        *shared(body, training, names),
        f"    rows = len({names[given[0]]})",
        *sums,
        *body,
        "",
        f"    return {told}",
    ]


def summed(body: list[str], sums: Sequence[Buffer], names: Mapping[Buffer, str]) -> tuple[list[str], list[str], str]:
    """(the body, the lines before it that begin sums, the loss). A loss that is one sum is written as one line."""
    totals = [names[b] for b in sums if b.region == TOTALS]
    name, begin = totals[0], f"    {totals[0]} += "
    code = [line.partition("#")[0] for line in body]
    read = sum(len(re.findall(rf"\b{name}\b", line)) for line in code)
    if len(totals) == read == sum(line.startswith(begin) for line in code) == 1:
        begun = [f"    {names[b]} = np.zeros({b.size})" for b in sums if names[b] != name]
        return [averaged(line, name, begin) if line.startswith(begin) else line for line in body], begun, name
    loss = " + ".join(f"{name}[0]" for name in totals)
    return (
        body,
        [f"    {names[b]} = np.zeros({b.size})" for b in sums],
        f"{f'({loss})' if '+' in loss else loss} / rows",
    )


def averaged(line: str, name: str, begin: str) -> str:
    """A line that adds to a sum as one that makes a mean of it."""
    text = line.removeprefix(begin)
    outer = ast.parse(text, mode="eval").body
    binds = not isinstance(outer, ast.BinOp) or isinstance(outer.op, ast.Mult | ast.Div)
    return f"    {name} = {text if binds else f'({text})'} / rows"


def shared(body: Iterable[str], training: Training, names: Mapping[Buffer, str]) -> list[str]:
    """The line that says that arrays which change by += belong to the file, not to the function."""
    lasting = {names[b] for l in training.lasting for b in (l.whole, *l.parts)}
    changed = (line.split()[0] for line in body if line.split()[1:2] in (["+="], ["-="]))
    found = sorted(lasting.intersection(changed))
    return [f"    global {', '.join(found)}"] * bool(found)


def train(training: Training, names: Mapping[Buffer, str]) -> list[str]:
    """The function that trains for some epochs."""
    given = (*training.inputs, *training.targets)
    wholes = [sums_to_one(s.instruction, names) for s in training]
    batch, rate = ", ".join(f"{names[b]}[batch]" for b in given), f"learning_rate={training.learning_rate:g}"
    return [
        f"def train({', '.join(names[b] for b in given)}, epochs, batch_size=32, {rate}):",
        '    """Trains on rows in another order in each epoch; prints the mean loss of its steps."""',
        *converted(given, names),
        *(line for y in dict.fromkeys(wholes) if y for line in probabilities(y)),
        f"    rows, iteration = len({names[given[0]]}), {training.iteration}",
        f"    for epoch in range({f'{training.epoch}, {training.epoch} + epochs' if training.epoch else 'epochs'}):",
        "        order, total = permutation(SEED, epoch, rows), 0.0",
        "        for first in range(0, rows, batch_size):",
        "            iteration += 1",
        "            batch = order[first : first + batch_size]",
        f"            total += len(batch) * step({batch}, iteration, learning_rate)",
        '        print(f"epoch {epoch + 1}: loss {total / rows:.6f}")',
    ]


def probabilities(y: str) -> list[str]:
    """Lines that refuse targets of which a row isn't the probabilities of the classes."""
    return [
        f"    if not np.allclose({y}.sum(axis=-1), 1, atol=1e-3):",
        f'        raise ValueError("a row of {y} has to be the probabilities of the classes, whose sum is 1")',
    ]


def converted(buffers: Sequence[Buffer], names: Mapping[Buffer, str]) -> list[str]:
    """Lines that make float32 arrays of what is given."""
    shapes = {b: ", ".join(["-1", *map(str, b.shape)]) for b in buffers}
    return [f"    {names[b]} = np.asarray({names[b]}, np.float32).reshape({shapes[b]})" for b in buffers]


def counted(body: Sequence[str], x: str) -> list[str]:
    """The number of rows, if a line needs it."""
    return [f"    rows = len({x})"] if any("rows" in line.partition("#")[0] for line in body) else []


def shape_of(buffer: Buffer) -> str:
    """The shape of an array, for people."""
    return f"({', '.join(str(n) for n in (*[ROWS] * buffer.per_row, *buffer.shape))})"


def defined(lasting: Lasting, names: Mapping[Buffer, str]) -> Iterator[str]:
    """Lines that make an array, and the views that are its parts; where there are few elements, part by part."""
    whole, parts = names[lasting.whole], []
    for b in lasting.parts:
        place = lasting.place(b)
        shaped = "" if len(b.shape) == 1 else f".reshape{b.shape}"
        parts.append(f"{names[b]} = {whole}[{place.start}:{place.stop}]{shaped}")
    if not lasting.parts or lasting.values.size > READABLE or not lasting.values.any():
        yield f"{whole} = {stored(lasting.values)}"
        yield from parts
        return
    yield f"{whole} = np.zeros({lasting.values.size}, np.float32)"
    yield from parts
    for b in lasting.parts:
        values = lasting.values[lasting.place(b)].reshape(b.shape)
        if values.any():
            yield f"{names[b]}[...] = {readable(values).removeprefix('np.array(').removesuffix(', np.float32)')}"


def stored(array: Array) -> str:
    """An array as an expression that makes it, to the bit."""
    if not array.any() and not np.signbit(array).any():
        return f"np.zeros({array.shape if array.ndim > 1 else array.size}, np.{array.dtype.name})"
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
