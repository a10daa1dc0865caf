"""A wheel's catalogue of kernels has all that thalweg's own names need, as a machine without a compiler runs them."""

from itertools import product

import numpy as np
import pytest
from conformance import ROWS, SHAPES
from harness import Case, Shape
from ops_checks import data, layer_model
from ops_rows import ROWS as OPERATIONS
from pipelines import leave_out

from thalweg import Input, Sequential, ops, optimizers
from thalweg.engine.native.kernels.table import derivation_of, kernel_of
from thalweg.engine.native.runtime import executor
from thalweg.errors import ThalwegError
from thalweg.layers import Dense, Embedding, Flatten, Lambda, PReLU
from thalweg.program.instructions.activations import ElementwiseAdjoint
from wheels.catalogue import MOST, kernels, options

OF_USERS = {f"formula{what}" for what in ("", "_adjoint", "_gradient", "_loss", "_loss_gradient")}
OF_USERS |= {"custom", "custom_adjoint", "columns"}  # the gates of a step are made for each network
IN_PART = {"cumulative_product_adjoint"}  # it depends on how many axes and steps there are
SHARED = ("weight_decay", "clipvalue", "use_ema")  # arguments of all optimizers that are further instructions
DRAWN = 60  # shapes of each instruction whose kernel is made of its reference
CHANGED = 25  # optimizers of each kind, with other arguments


@pytest.fixture(scope="module")
def catalogue():
    return set(kernels())


class Prepared(BaseException):
    """Nothing is compiled or run."""


@pytest.fixture
def missing(catalogue, monkeypatch):
    """What a program of a call asks for that isn't in the catalogue."""

    def stop(asked):
        raise Prepared(asked - catalogue)

    monkeypatch.setattr(executor, "prepare", stop)
    leave_out(monkeypatch, "fuse chains")

    def of(call, *arguments, **named):
        with pytest.raises(Prepared) as ended:
            call(*arguments, **named)
        return {kernel.name.rpartition("_")[0] for kernel in ended.value.args[0]}

    return of


def test_every_instruction_has_a_kernel(catalogue):
    """All rows of the tables of instructions, on several shapes, but those of users' formulas and functions."""
    seen, missing = 0, set()
    for name in ROWS.keys() - OF_USERS - IN_PART - {"reshape", "batch_statistics"}:
        for shape in SHAPES:
            instruction = Case(ROWS[name], shape).instruction
            if isinstance(instruction, ElementwiseAdjoint) and instruction.of.equation.slope == "1":
                continue  # passed on, without a kernel
            seen += 1
            if kernel_of(instruction) not in catalogue:
                missing.add((name, kernel_of(instruction).name))
    assert missing == set()
    assert seen > 3000


def test_a_kernel_of_a_reference_is_there_at_any_shape(catalogue):
    """Whatever is 1, or happens to be equal."""
    draw, missing = np.random.default_rng(0), {}
    drawn = {"rows": (1, 5), "width": (1, 2, 3, 7, 12, 64, 300), "units": (1, 2, 3, 5, 40), "positions": (1, 2, 3)}
    for name in ROWS.keys() - IN_PART - {"reshape", "batch_statistics"}:
        if derivation_of(Case(ROWS[name], Shape()).instruction) is None:
            continue
        for _ in range(DRAWN):
            numbers = {key: int(draw.choice(of)) for key, of in drawn.items()}
            shape = Shape(**numbers, flags=int(draw.integers(256)), seed=int(draw.integers(1000)))
            if kernel_of(Case(ROWS[name], shape).instruction) not in catalogue:
                missing.setdefault(name, shape)
    assert missing == {}


@pytest.mark.parametrize("shared", [(), (1, 2, 3), (1, 3), (2, 4), (4,)])
@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (2, 1, 4, 5), (2, 3, 4, 1)])
def test_slopes_of_volumes_have_their_kernels(shape, shared, missing):
    model = Sequential([Input(shape), Dense(shape[-1]), PReLU(shared_axes=shared), Flatten(), Dense(1)])
    model.compile("sgd", "mse")
    assert missing(model.fit, np.zeros((4, *shape)), np.zeros((4, 1)), verbose=0, lanes=1) == set()


def kinds_of(row):
    """Which operands are rows, weights and arrays: as in `test_ops.py`."""
    rows = ("rows",) * len(row.shapes)
    yield rows
    if row.kinds:
        for place, kind in product(range(len(rows)), ("weight", "array")[: len(rows)]):
            yield (*rows[:place], kind, *rows[place + 1 :])


def test_every_function_of_ops_has_its_kernels(missing):
    """Also those that a table of instructions doesn't have: what is broadcast, and sums of the adjoints of that."""
    lacking = {}
    for row in OPERATIONS:
        for kinds in kinds_of(row):
            values = data(row, kinds)
            x = [
                *(
                    v if kind == "rows" else np.zeros((4, *v.shape[1:]), "f")
                    for v, kind in zip(values, kinds, strict=True)
                )
            ]
            x.append(np.zeros((4, 1), np.float32))
            model = layer_model(row, kinds, values)
            found = missing(model.predict, x, lanes=1)
            if row.slope:
                model.compile("sgd", "mse")
                y = np.zeros((4, *model.output_shape[1:]), np.float32)
                found |= missing(model.fit, x, y, verbose=0, lanes=1)
            if found - OF_USERS - IN_PART:
                lacking[row.name, kinds] = found
    assert lacking == {}


@pytest.mark.parametrize("name", optimizers.CLASSES)
def test_every_optimizer_has_its_kernels(name, missing):
    """With many arguments changed together; the catalogue is made with two at a time. Of weights, and of a table."""
    kind, draw = optimizers.CLASSES[name], np.random.default_rng(0)
    default = kind()
    choices = {a: (getattr(default, a), *options(getattr(default, a))) for a in (*default.arguments, *SHARED)}
    x, y = np.zeros((4, 2)), np.zeros((4, 1))
    lacking, tried = set(), 0
    while tried < CHANGED:
        try:
            optimizer = kind(
                **{a: chosen for a, c in choices.items() if (chosen := c[draw.integers(len(c))]) is not None}
            )
        except ThalwegError:  # a value that it doesn't accept
            continue
        tried += 1
        model = Sequential([Input((2,)), Embedding(5, 3), Flatten(), Dense(1)])
        model.compile(optimizer, "mse")
        lacking |= missing(model.fit, x, y, verbose=0, lanes=1)
    assert lacking == set()


def test_running_products_are_learned_from_without_a_compiler(missing):
    """Of up to two axes, and as many steps as the catalogue says; of more not."""
    lacking = {}
    for shape, axis in [((2,), 1), ((3,), 1), ((MOST,), 1), ((5, 3), 1), ((2, 7), 2), ((MOST + 1,), 1)]:
        model = Sequential([Input(shape), Dense(shape[-1]), Lambda(lambda h, axis=axis: ops.cumprod(h, axis))])
        model.compile("sgd", "mse")
        lacking[shape] = missing(model.fit, np.zeros((4, *shape)), np.zeros((4, *shape)), verbose=0, lanes=1)
    assert {shape for shape, found in lacking.items() if found & IN_PART} == {(MOST + 1,)}
