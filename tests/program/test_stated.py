"""What instructions state in the language of formulas is what their references compute: see `Stated`."""

import numpy as np
from conformance import EVERY, SHAPES
from harness import Case

from thalweg.program.formula.language import names_in
from thalweg.program.formula.statements import flat, run, statements, targets, value
from thalweg.program.interchange.operation_names import operations
from thalweg.program.ir.instruction import Stated
from thalweg.program.ir.references import compute


def own(name, shape):
    """A row's case, if it builds an instruction of the program that states what it computes; not a native form."""
    case = Case(EVERY[name], shape)
    return case if type(case.instruction) in operations().values() and case.instruction.stated is not None else None


STATED = [name for name in EVERY if any(own(name, shape) for shape in SHAPES)]
STEP = ("t", "iteration", "learning_rate", "rows", "batch_rows", "penalties")


def fitted(array, rank, per_row):
    """The axes of a row aligned at the end of `rank` axes, behind the one of the rows."""
    rows, row = array.shape[:per_row], array.shape[per_row:]
    return array.reshape(*(rows or (1,)), *(1,) * (rank - len(row)), *row)


def combined(result, b, combine):
    """The result along the axes of a value."""
    leading = 0 if b.per_row else 1
    shape = (1,) * (result.ndim - 1 - len(b.shape)) + b.shape
    axes = [0] * leading + [k for k, n in enumerate(shape, 1) if result.shape[k] != n]
    return getattr(np, combine)(result, axis=tuple(axes), keepdims=True).reshape(*(len(result),) * b.per_row, *b.shape)


def as_stated(stated: Stated, m):
    """The new values of the names among its values."""
    rank = max(len(b.shape) for b in stated.values.values())
    per_row = any(b.per_row for b in stated.values.values())
    arrays = {n: fitted(m[b], rank, b.per_row) for n, b in stated.values.items()}
    space = np.broadcast_shapes(*(a.shape for a in arrays.values()), (m.step.rows if per_row else 1, *(1,) * rank))
    s = m.step
    step = dict(zip(STEP, (s.update, s.iteration, s.learning_rate, s.rows, s.batch_rows, s.penalties), strict=True))
    after = run(stated.text, {**step, **arrays, **stated.numbers}, np)
    changed = [n for n in targets(stated.text) if n in stated.values]
    return {n: combined(np.broadcast_to(after[n], space), stated.values[n], stated.combine) for n in changed}


def what_is_stated_is_what_the_reference_computes(name):
    for case in filter(None, (own(name, shape) for shape in SHAPES)):
        i, m = case.instruction, case.memory(np.float64)
        with np.errstate(all="ignore"):
            wanted = zip(i.results, compute(i, m), strict=True)
            found = {i.stated.values[n]: v for n, v in as_stated(i.stated, m).items()}
        wanted = {b: np.asarray(v).reshape(found[b].shape) for b, v in wanted if v is not None}
        assert found.keys() == wanted.keys()
        for b, v in wanted.items():
            np.testing.assert_allclose(found[b], v, 1e-12, 1e-12 * np.abs(v).max(initial=1), err_msg=f"{b} of {name}")


def statement_names_what_it_uses(name):
    stated = next(case.instruction.stated for shape in reversed(SHAPES) if (case := own(name, shape)))
    used = {n for s in flat(statements(stated.text)) for n in names_in(value(s))}
    assert used <= {*stated.values, *stated.numbers, *targets(stated.text), *STEP}
    assert set(stated.values) <= used | set(targets(stated.text))


def test_most_instructions_are_stated():
    assert len(STATED) > len(EVERY) / 2
