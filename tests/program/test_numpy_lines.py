"""Networks as NumPy files: each instruction's lines against its reference, and whole files against the engine."""

import dataclasses

import numpy as np
from conformance import EVERY, SHAPES
from harness import Case

from thalweg.export.identifiers import identifiers
from thalweg.export.numpy_functions import source
from thalweg.export.numpy_statements import written
from thalweg.program.graphs.sizes import ROWS
from thalweg.program.graphs.traced_program import Arrays, statement
from thalweg.program.ir.instruction import DATA
from thalweg.program.ir.references import compute

NATIVE = ("winograd", "share", "affine_sum", "by_columns")  # what native passes make, which no export sees
OTHERS = (
    "custom",
    "random_warp",
    "store",
)  # Python functions of users; products of vectors, in training only; files don't


EXPORTED = [name for name in EVERY if not any(part in name for part in (*NATIVE, *OTHERS))]


def numpy_lines_compute_it(name):
    for shape in SHAPES:
        case = Case(EVERY[name], shape)
        case.batch_rows, case.first_row, case.update = shape.rows, 0, case.iteration
        memory, instruction = case.memory(np.float64), case.instruction
        data = {b for b in instruction.inputs if b.region == DATA}
        arrays = Arrays(ROWS if not data else shape.rows, np.float64, case.data_rows)
        made = statement(instruction, arrays)
        names = identifiers((*instruction.inputs, *instruction.outputs, *(b.storage for b in instruction.inputs)))
        kept = {}
        lines = list(written(made, names, kept))
        given = {n: np.array(memory[b]) for b, n in names.items()} | kept
        step = {f.name: getattr(memory.step, f.name) for f in dataclasses.fields(memory.step)}
        step["SEED"] = memory.step.seed
        with np.errstate(all="ignore"):
            expected = [v for v in compute(instruction, case.memory(np.float64)) if v is not None]
        space = {"np": np, **step, **{n: a.copy() for n, a in given.items()}}
        with np.errstate(all="ignore"):
            exec("import math\n" + "\n".join([*source(lines), *lines]), space)
        for assignment, value in zip(made.assignments, expected, strict=True):
            before = given[names[assignment.buffer]] if assignment.adds else 0
            found = space[names[assignment.buffer]]
            wanted = np.broadcast_to(before + np.asarray(value), np.shape(found))
            np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=2e-7, err_msg=str(lines))
