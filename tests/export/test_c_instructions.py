"""Every instruction's loops in C against its reference."""

import ctypes

import numpy as np
import pytest
from c_files import GCC, compiled, pointer
from conformance import EVERY, SHAPES
from harness import TOLERANCE, Case

from thalweg.export.c.c_files import Function, constant, declarations, memory_name, memory_of
from thalweg.export.c.c_text import CPrinter, type_of
from thalweg.program.graphs.traced_program import Arrays, statement
from thalweg.program.ir.instruction import PARAMETERS
from thalweg.program.loops.elements import Storage
from thalweg.program.loops.nests import GIVEN, Array, Names
from thalweg.program.loops.routine import routine_of

NATIVE = ("winograd", "share", "affine_sum", "by_columns")  # what native passes make, which no export sees
OTHERS = ("custom", "custom_adjoint", "store", "gather", "gather_bytes", "random_warp")  # Python; rows; vectors
KNOWN = " with known tables"  # trees that belong to the network: they have better loops
NAMES = [name for name in EVERY if not any(part in name for part in NATIVE) and name not in OTHERS]
NAMES.append("forest" + KNOWN)
STEP = ["int64_t iteration", "int64_t update", "double learning_rate", "double penalties", "uint64_t seed"]


class Written:
    """The function of one case."""

    def __init__(self, name, shape, number, printer):
        self.case = case = Case(EVERY[name.removesuffix(KNOWN)], shape)
        rows = case.batch_rows = case.shape.rows  # of which a row may have made others
        case.first_row = 0
        self.instruction = case.instruction
        buffers = dict.fromkeys(b.storage for b in self.instruction.operands if b is not None)
        self.arrays = {}
        names = Names(f"v{n}" for n in range(len(buffers)))
        storage = Storage(lambda b: self.arrays[b], names, rows)
        memory = case.memory(np.float32)
        memory.update({b: b.values for b in buffers if hasattr(b, "values")})
        self.given = {b: np.ascontiguousarray(memory[b]) for b in buffers}
        for n, (b, array) in enumerate(self.given.items()):
            numbers = array.reshape(-1) if name.endswith(KNOWN) and b.region == PARAMETERS else None
            self.arrays[b] = Array(f"v{n}", array.size, array.dtype, GIVEN, numbers)
        made = statement(self.instruction, Arrays(rows, np.float32, case.data_rows))
        results = [self.arrays[a.buffer.storage] for a in made.assignments]
        self.routine = routine_of([made], storage, results)
        for table in self.routine.tables:
            table.name = f"{table.name}_{number}"
        operands = [f"{type_of(a.dtype)} *{a.name}" for a in self.arrays.values()]
        streams = [f"const uint64_t key_{s} = key_of(seed, iteration, {s});" for s in self.instruction.streams]
        self.function = Function(f"f{number}", [], [], self.routine, [*operands, *STEP], streams)
        head, brace, *rest = self.function.lines(printer)
        names = [*(a.name for a in self.arrays.values()), "iteration", "update", "learning_rate", "penalties", "seed"]
        self.lines = [f"{head};", head, brace, *(f"(void){name};" for name in names), *rest, ""]

    def check(self, library):
        step = self.case.memory(np.float32).step
        arrays = {b: a.copy() for b, a in self.given.items()}
        called = getattr(library, self.function.name)
        called(
            *map(pointer, arrays.values()), ctypes.c_int64(step.iteration), ctypes.c_int64(step.update),
            ctypes.c_double(step.learning_rate), ctypes.c_double(step.penalties), ctypes.c_uint64(step.seed),
        )  # fmt: skip
        wanted, memory = self.case.reference(), self.case.memory(np.float64)
        for field, b in self.case.outputs().items():
            found = arrays[b.storage].reshape(wanted[field].shape)
            size = self.case.magnitudes[field](memory) if field in self.case.magnitudes else abs(wanted[field])
            with np.errstate(all="ignore"):
                bad = ~((abs(found - wanted[field]) <= TOLERANCE * size + 2e-7) | (found == wanted[field]))
            bad &= ~(np.isnan(found) & np.isnan(wanted[field]))
            assert not bad.any(), (
                f"{self.case.shape}: {field} is {found[bad][0]}, the reference says {wanted[field][bad][0]}"
            )


def library(folder):
    """All instructions in one file: a library, and the functions by name and shape."""
    printer, functions = CPrinter(), {}
    for name in NAMES:
        for shape in SHAPES:
            functions[name, shape] = Written(name, shape, len(functions), printer)
    memory = memory_of(one.routine for one in functions.values())
    lines = ["#include <stddef.h>", "#include <stdint.h>", *declarations(printer)]
    lines += [f"static {type_of(dtype)} {memory_name(dtype)}[{count}];" for dtype, count in memory.items()]
    lines += [line for one in functions.values() for table in one.routine.tables for line in constant(table)]
    lines += [line for one in functions.values() for line in one.lines]
    return compiled(folder, "instructions", "\n".join(lines), optimised="-O0"), functions


@pytest.mark.skipif(GCC is None, reason="needs gcc")
def test_instructions_are_computed_as_their_references_say(tmp_path):
    made, functions = library(tmp_path)
    errors = []
    for (name, _), function in functions.items():
        try:
            function.check(made)
        except AssertionError as error:
            error.add_note(name)
            errors.append(error)
    if errors:
        raise ExceptionGroup("instructions whose C is wrong", errors)
