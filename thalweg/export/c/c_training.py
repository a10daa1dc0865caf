"""A network as C99 that learns: a function more, which does a step of gradient descent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from thalweg.export.c.c_files import (
    FLOAT,
    Function,
    Source,
    by_rows,
    checked,
    computed,
    constant,
    file_of,
    header,
    heads,
    needs,
    prediction,
    shapes_of,
    stored,
    streams_of,
    taken,
    unknown,
    used_by,
)
from thalweg.export.c.c_text import CPrinter
from thalweg.export.exported_network import Network
from thalweg.export.exported_training import Lasting, Training
from thalweg.export.identifiers import identifiers
from thalweg.program.ir.instruction import LOSS, TOTALS, Buffer
from thalweg.program.loops.elements import Storage
from thalweg.program.loops.indices import ZERO
from thalweg.program.loops.nests import (
    GIVEN,
    VECTOR,
    WEIGHT,
    Apply,
    Array,
    Block,
    Element,
    Fail,
    Names,
    Number,
    Store,
    When,
)
from thalweg.program.loops.printer import indented
from thalweg.program.loops.routine import ERROR, blocks_of, routine_of

TRUTH = np.dtype(bool)


def c_training_files(network: Network, training: Training, rows: int, name: str, title: str) -> Source:
    """What `c_files` writes, and `NAME_train_step` for a batch.

    network, training: of the same model, for one row and for `rows` rows.
    """
    checked(name)
    arrays, statics = lasting_arrays(network, training, name)
    predict = prediction(network, name, arrays)
    step, loss = training_step(training, rows, name, arrays)
    printer = CPrinter()
    lines, learns = predict.lines(printer), step.lines(printer)
    weights = [b for b in network.weights if arrays[b].where == VECTOR]
    big = name.upper()
    count = sum(b.size for b in weights)
    told = [
        f"One row: {shapes_of(network)}; numbers along the last axis beside each other.",
        *needs(printer, [predict.routine, step.routine]),
        unknown(name),
        "",
        f"{step.name} does one step of training on a batch of {rows} rows. It returns {big}_UNKNOWN_ID where an id or",
        f"a class isn't one, {big}_NOT_FINITE where the loss isn't a finite number: then the weights stay as they are.",
        f"The learning rate of the model is {training.learning_rate:g}.",
        f"{name}_get_weights writes, and {name}_set_weights reads, {big}_WEIGHTS numbers:",
        ", ".join(f"{b} {b.shape}" for b in weights) + ".",
    ]
    more = [f"#define {big}_NOT_FINITE 2", f"#define {big}_WEIGHTS {count}"]
    others = [*moved(name, [arrays[b] for b in weights]), loss]
    steps = [f"static int64_t steps = {training.iteration};", ""]
    own = [*constants(network, arrays), *(line for a in statics for line in constant(a, "static")), *steps]
    functions = [lines, by_rows(predict), learns, *others]
    return Source(
        file_of(title, name, printer, own, [predict.routine, step.routine], functions),
        header(title, name, told, [*heads(predict), step.head, *(other[0] for other in others)], more),
    )


def constants(network: Network, arrays: Mapping[Buffer, Array]) -> Iterable[str]:
    """The weights that training leaves as they are."""
    for b in network.weights:
        if arrays[b].where == WEIGHT:
            yield from constant(arrays[b])


def lasting_arrays(network: Network, training: Training, name: str) -> tuple[dict[Buffer, Array], list[Array]]:
    """The arrays of weights, gradients, slots and sums; and those of the file, of which they are parts."""
    kept = [b for lasting in training.lasting for b in (lasting.whole, *lasting.parts)]
    totals = [b for b in training.sums if b.region == TOTALS]
    names = identifiers((*kept, *totals, *network.weights), taken(name))
    arrays: dict[Buffer, Array] = {}
    statics = []
    for lasting in training.lasting:
        values = lasting.values.reshape(-1)
        whole = names[lasting.whole]
        for b in (lasting.whole, *lasting.parts):
            place = lasting.place(b)
            arrays[b] = Array(names[b], b.size, FLOAT, VECTOR, region=whole, offset=place.start)
        arrays[lasting.whole].numbers = values
        statics.append(arrays[lasting.whole])
    for b in totals:
        arrays[b] = Array(names[b], b.size, np.dtype(np.float64), VECTOR, np.zeros(b.size), names[b])
        statics.append(arrays[b])
    for b, values in network.weights.items():
        if b not in arrays:
            arrays[b] = within(b, training.lasting, names) or Array(names[b], b.size, FLOAT, WEIGHT, values.reshape(-1))
    return arrays, statics


def within(b: Buffer, every: Iterable[Lasting], names: Mapping[Buffer, str]) -> Array | None:
    """A weight that training knows as a part of something else."""
    for lasting in every:
        place = lasting.place(b)
        if lasting.whole.region == b.region and place.start >= 0 and place.stop <= lasting.whole.size:
            return Array(names[b], b.size, FLOAT, VECTOR, region=names[lasting.whole], offset=place.start)
    return None


def training_step(
    training: Training, rows: int, name: str, arrays: Mapping[Buffer, Array]
) -> tuple[Function, list[str]]:
    """The function of a step, and that which tells its loss."""
    own = [*training.inputs, *training.targets, *computed(training), *training.sums]
    names = identifiers((b for b in own if b not in arrays), {*taken(name), *used_by(arrays)})
    every = dict(arrays)
    known = Names({*names.values(), *used_by(arrays)})
    known.numbers["table_"] = 1000  # the tables of both functions are in one file
    storage = Storage(lambda b: stored(b, every, names, rows), known, rows)
    for b in (*training.inputs, *training.targets):
        every[b] = Array(names[b], b.size * rows, FLOAT, GIVEN)
    sums = [every[b] for b in training.sums if b.region == TOTALS]
    loss = next(every[b] for b in training.sums if b.region == TOTALS and b.offset == LOSS)
    update = [block for s in training.update for block in blocks_of(s, storage)]
    routine = routine_of((*training.forward, *training.backward), storage, sums, [failing(loss), *update])
    begun = [Store(a, ZERO, Number(0.0, a.dtype)) for a in sums]
    routine = type(routine)((Block("", [*begun]), *routine.blocks), routine.arrays, routine.memory)
    streams = sorted({stream for s in training for stream in streams_of(s)})
    first = [
        "const int64_t iteration = steps + 1;",
        "const int64_t update = steps + 1;",
        *(f"const uint64_t key_{k} = key_of({training.seed}u, steps + 1, {k}u);" for k in streams),
    ]
    given = [every[b] for b in (*training.inputs, *training.targets)]
    step = Function(f"{name}_train_step", given, [], routine, ["float learning_rate"], first, ["steps++;"])
    whole = " + ".join(f"{a.name}[0]" for a in sums)
    told = [f"double {name}_loss(void)", "{", f"    return ({whole}) / {rows};", "}"]
    return step, told


def failing(loss: Array) -> Block:
    """Ends the step before anything that lasts has changed, if an id isn't one or the loss isn't finite."""
    found = Element(loss, ZERO)
    difference = Apply("subtract", (found, found), loss.dtype)
    finite = Apply("equal", (difference, Number(0.0, loss.dtype)), TRUTH)
    noted = When(Apply("not_equal", (ERROR, Number(0, ERROR.dtype)), TRUTH), [Fail(ERROR)])
    infinite = When(Apply("logical_not", (finite,), TRUTH), [Fail(Number(2, ERROR.dtype))])
    return Block("", [noted, infinite])


def moved(name: str, weights: list[Array]) -> list[list[str]]:
    """The functions that give the weights away, and that take others."""
    found = []
    for what, operand, way in (("get", "float *weights", "{w} = {a};"), ("set", "const float *weights", "{a} = {w};")):
        lines, place = [], 0
        for a in weights:
            step = way.format(w=f"weights[{place} + i]", a=f"{a.region}[{a.offset} + i]")
            lines += [f"for (int32_t i = 0; i < {a.size}; i++) {{", f"    {step}", "}"]
            place += a.size
        found.append([f"void {name}_{what}_weights({operand})", "{", *indented(lines), "}"])
    return found
