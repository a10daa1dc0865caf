"""Every instruction has a row in the table, a correct adjoint, a cost and a formula; a missing row fails."""

import importlib
import pkgutil
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from itertools import product

import numpy as np
import pointwise_rows
import pytest
from amounts import soaking
from conformance import EVERY, PLAIN, ROWS
from conformance_activations import EQUATIONS
from conformance_formulas import FORMULAS
from harness import IN_PLACE, Case, Dot, Shape, run
from hypothesis import given, settings
from hypothesis import strategies as st
from loss_rows import EQUATIONS as LOSSES

import thalweg.program
from thalweg import activations
from thalweg.engine.native import instructions as variants
from thalweg.engine.native import passes
from thalweg.engine.native.instructions.normalization import BatchMoments, NativeBatchNormalization
from thalweg.engine.native.kernels.generated import formulas
from thalweg.engine.native.kernels.names import name_of
from thalweg.engine.native.kernels.table import KERNELS, derivation_of, kernel_of, parameters_of
from thalweg.engine.native.runtime.table_rows import several
from thalweg.engine.native.scheduling.traits import in_place
from thalweg.program.autodiff import can_be_differentiated, derive
from thalweg.program.instructions import convolution, elementwise, linear, normalization
from thalweg.program.instructions.losses import penalties
from thalweg.program.instructions.losses.row_losses import RowLoss
from thalweg.program.instructions.recurrence.scan import Scan
from thalweg.program.ir.instruction import TOTALS, WORKSPACE, Buffer, Instruction


def is_row_loss(i: Instruction) -> bool:
    """Whether it is a loss of whole rows, or one with its gradient."""
    return isinstance(getattr(i, "of", i), RowLoss)


MADE = {*FORMULAS, *EQUATIONS, *LOSSES, *(f"{e}_adjoint" for e in EQUATIONS), *(f"{e}_gradient" for e in LOSSES)}
MADE |= {*pointwise_rows.GENERATED, "columns"}
MADE |= {  # of their references
    "cumulative_product", "cumulative_product_adjoint", "rescale", "alpha_dropout", "alpha_dropout_adjoint",
    "random_uniform", "random_bernoulli", "spatial_dropout", "add", "copy", "prelu", "prelu_adjoint_of_h",
    "prelu_adjoint_of_alpha", "upsampling", "upsampling_adjoint", "channel_scale", "channel_scale_gradient",
    "row_value", "row_value_gradient", "center_distance", "center_distance_gradient", "random_flip", "random_contrast",
    "random_brightness", "row_correlations", "squares_and_targets",
}  # fmt: skip
MADE |= {f"{on}penalty{of}" for on in ("", "activity_") for of in ("", "_gradient")}
CLASSES = {name: type(Case(build, Shape()).instruction) for name, build in ROWS.items()}
MADE |= {name for name in CLASSES if is_row_loss(Case(ROWS[name], Shape()).instruction)}
WITH_ADJOINT = [name for name, kind in CLASSES.items() if kind.adjoint is not Instruction.adjoint]
CASES = {name: Case(ROWS[name], Shape()).instruction for name in WITH_ADJOINT}
STOPPING = [name for name, i in CASES.items() if not i.differentiable() and i.outputs[0].region != TOTALS]
WITH_SLOPE = [name for name in WITH_ADJOINT if name not in STOPPING]


def subclasses(kind: type) -> Iterator[type]:
    for child in kind.__subclasses__():
        yield child
        yield from subclasses(child)


def instructions() -> set[type[Instruction]]:
    """Every concrete instruction of the package: the abstract ones have no name."""
    for package in (thalweg.program, variants, passes):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    places, graphs = ("thalweg.program.", "thalweg.engine."), "thalweg.program.graphs."
    found = {c for c in subclasses(Instruction) if c.__module__.startswith(places) and hasattr(c, "name")}
    return {c for c in found if not c.__module__.startswith(graphs)}  # what exports add to a program is part of none


@cache
def built() -> set[type[Instruction]]:
    """The classes that the rows build: of some, the program's own form and the native variant."""
    shapes = [Shape(flags=flags, seed=seed) for flags in (0, 255, *(1 << bit for bit in range(8))) for seed in range(3)]
    return {type(Case(build, shape).instruction) for build in EVERY.values() for shape in shapes}


# --- the table is complete -----------------------------------------------------------------------------------------


@pytest.mark.jit
def test_every_instruction_has_a_row():
    missing = {kind.__name__ for kind in instructions() - built()}
    assert not missing, f"give these instructions a row in tests/tables/conformance.py: {sorted(missing)}"


def test_every_kernel_has_a_row_and_every_row_a_kernel():
    wrong = set(KERNELS) ^ (set(ROWS) - {"reshape", "batch_statistics"} - MADE)
    assert not wrong, f"kernels without a row in tests/tables/conformance.py, or rows without a kernel: {sorted(wrong)}"


def test_a_row_builds_the_instruction_that_its_kernel_is_named_after():
    for name, build in (*ROWS.items(), *PLAIN.items()):
        assert name_of(Case(build, Shape()).instruction) == name


@pytest.mark.jit
def test_an_instruction_without_a_row_is_noticed(monkeypatch):
    class Forgotten(Instruction):
        name = "forgotten"

    Forgotten.__module__ = "thalweg.program.instructions.elementwise"
    try:
        with pytest.raises(AssertionError, match="Forgotten"):
            test_every_instruction_has_a_row()
    finally:
        Forgotten.__module__ = "tests"
    monkeypatch.delitem(KERNELS, "dropout")
    with pytest.raises(AssertionError):
        test_every_kernel_has_a_row_and_every_row_a_kernel()


def test_every_number_of_an_instruction_is_taken_by_a_kernel_of_it():
    """Kernels of one instruction, and of its native variant, may differ: those by columns take no strides."""
    given, taken = defaultdict(set), defaultdict(set)
    for build in ROWS.values():
        for flags in (0, 255):
            i = Case(build, Shape(flags=flags)).instruction
            if isinstance(i, elementwise.Reshape | normalization.BatchStatistics):  # which have no kernel
                continue
            asked = parameters_of(kernel_of(i))
            if derivation_of(i) is None:  # its kernel wasn't made of its reference, which takes what it needs
                given[type(i)] |= {*i.sizes, *i.constants}
                taken[type(i)] |= {p.name for p in (*asked.words, *asked.reals)} | {asked.rest}
    unused = {kind: given[kind].difference(*(taken[base] for base in kind.__mro__)) for kind in [*given]}
    assert {kind.__name__: names for kind, names in unused.items() if names} == {}


# --- a wrong kernel is found ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kernel", "wrong"),
    [
        ("categorical_matches", "equal_matches"),
        ("softmax", "log_softmax"),
    ],
)
def test_the_harness_finds_a_wrong_kernel(kernel, wrong, monkeypatch):
    Case(ROWS[kernel], Shape(rows=3, width=5, seed=3)).check()
    monkeypatch.setitem(KERNELS, kernel, KERNELS[wrong])
    with pytest.raises(AssertionError, match=r"the reference says|writes beside"):
        Case(ROWS[kernel], Shape(rows=3, width=5, seed=3)).check()


def test_a_kernel_of_other_operands_is_refused(monkeypatch):
    monkeypatch.setitem(KERNELS, "softmax", KERNELS["dropout_adjoint"])
    with pytest.raises(
        LookupError, match="the kernel softmax asks for 'da', which the instruction 'softmax' doesn't have"
    ):
        Case(ROWS["softmax"], Shape(rows=3, width=5, seed=3)).check()


def forget_kernels(i):
    """Those of equations, which are made once, and that of an instruction, which is kept with it."""
    vars(i).pop("native kernel", None)
    for made in (formulas.activation_kernel, formulas.loss_kernel):
        made.cache_clear()


@pytest.mark.jit
@pytest.mark.parametrize("kernel", ["relu", "tanh_adjoint", "squared_error_gradient"])
def test_the_harness_finds_a_wrong_equation(kernel, monkeypatch):
    """The kernel's alone; where reference and kernel share it, tests/program/test_damage.py says who notices."""
    case = Case(ROWS[kernel], Shape(rows=3, width=5, seed=3))
    case.check()
    of = getattr(case.instruction, "of", case.instruction)
    wrong = replace(of.equation, value=f"2 * ({of.equation.value})", slope=f"2 * ({of.equation.slope})")
    native = case.native
    with monkeypatch.context() as patch:
        for field in ("value", "slope"):
            patch.setitem(of.equation.__dict__, field, getattr(wrong, field))
        forget_kernels(case.instruction)
        got = native()
    forget_kernels(case.instruction)
    monkeypatch.setattr(case, "native", lambda: got)
    with pytest.raises(AssertionError, match="the reference says"):
        case.check()


def test_the_harness_finds_an_error_of_one_part_in_fifty_thousand(monkeypatch):
    case = Case(ROWS["affine"], Shape(rows=3, width=50, seed=3))
    right = case.native()
    monkeypatch.setattr(
        case, "native", lambda: {"h": right["h"] + 2e-5 * case.magnitudes["h"](case.memory(np.float64))}
    )
    with pytest.raises(AssertionError, match="the reference says"):
        case.check()


def test_the_harness_finds_a_kernel_that_writes_beside_its_output(monkeypatch):
    case = Case(ROWS["relu"], Shape(rows=3, width=5))
    call = case.call

    def overrun(i, places, arena, totals):
        call(i, places, arena, totals)
        arena[places[i.a].stop] = 0

    monkeypatch.setattr(case, "call", overrun)
    with pytest.raises(AssertionError, match="relu writes beside its outputs"):
        case.check()


@pytest.mark.parametrize("kernel", ["softmax", "sparse_categorical_crossentropy_logits_gradient", "forest"])
def test_more_rows_than_a_vector_holds(kernel):
    for rows, width in product((16, 17, 64, 65, 150), (2, 3, 15, 16, 40)):
        Case(ROWS[kernel], Shape(rows, width)).check()


# --- adjoints ------------------------------------------------------------------------------------------------------


def program(case: Case) -> list[Instruction]:
    """The instruction, pulled at by a random covector; a loss is its own end."""
    tested = case.instruction
    if isinstance(tested, (penalties.Penalty, penalties.OrthogonalPenalty)):
        # adds to a gradient that something else has written
        W = tested.inputs[0]
        x, h = case.normal("x", W.shape[:1]), Buffer("h", W.shape[1:])
        return [linear.Affine(x, W, None, h), Dot(h, case.normal("c", h.shape), case.sums("s")), tested]
    output = tested.outputs[0]
    if isinstance(tested, normalization.BatchNormalization):  # whose statistics depend on x, too
        pulled = Dot(output, case.normal("c", output.shape), case.sums("s"))
        if isinstance(tested, NativeBatchNormalization):
            return [BatchMoments(tested.x, tested.parts), tested, pulled]
        return [normalization.BatchStatistics(tested.x, tested.mean, tested.variance), tested, pulled]
    if isinstance(tested, convolution.TransposedConvolution):  # which reads the kernel turned around
        flip = convolution.Flip(tested.W, tested.flipped, tested.window.strides)
        return [flip, tested, Dot(output, case.normal("c", output.shape), case.sums("s"))]
    if output.region == TOTALS:
        return [tested]
    outputs = tested.outputs if isinstance(tested, Scan) else [output]  # a scan's steps and its last states
    pulled = [Dot(o, case.normal(f"c{k}", o.shape, per_row=o.per_row), case.sums("s")) for k, o in enumerate(outputs)]
    return [tested, *pulled]


@settings(max_examples=40, deadline=None, database=None, derandomize=True)
@given(
    st.builds(
        Shape,
        rows=st.integers(1, 6),
        width=st.integers(1, 9),
        units=st.integers(1, 5),
        positions=st.sampled_from((1, 2)),
        flags=st.sampled_from([flag & ~2 for flag in range(256)]),  # nothing was there to be added to
        seed=st.integers(0, 2**32),
    )
)
def adjoint_agrees_with_a_central_difference(name, shape):
    case = Case(ROWS[name], shape, smooth=True)
    forward = program(case)
    written = {o for i in forward for o in i.outputs}
    values = [v for v in dict.fromkeys(v for i in forward for v in i.differentiable()) if v not in written]
    gradients = {v: Buffer(f"d{v}", v.shape, WORKSPACE, v.per_row) for v in values}
    m = case.memory(np.float64)
    run([*forward, *derive(forward, gradients)], m)
    directions = {v: case.random.normal(size=m[v].shape) for v in values}
    adjoint = sum(float((m[gradients[v]] * directions[v]).sum()) for v in values)

    def moved(step: float) -> float:
        there = case.memory(np.float64)
        for v in values:
            there[v] = there[v] + step * directions[v]
        return run(forward, there)

    difference = (moved(1e-5) - moved(-1e-5)) / 2e-5
    assert abs(adjoint - difference) <= 1e-6 * max(1, abs(difference)), (
        f"{case.instruction.title} at {shape}: the adjoint gives {adjoint:.12g}, a central difference {difference:.12g}"
    )


def test_a_wrong_adjoint_is_found(monkeypatch):
    monkeypatch.setitem(activations.tanh.kind.__dict__, "slope", "1 - a")
    with pytest.raises(AssertionError, match=r"the adjoint gives .*, a central difference"):
        adjoint_agrees_with_a_central_difference.hypothesis.inner_test("tanh", Shape(seed=5))


def test_metrics_updates_and_adjoints_have_no_adjoint():
    for name, kind in CLASSES.items():
        instruction = Case(ROWS[name], Shape()).instruction
        assert can_be_differentiated(instruction) == (name in WITH_ADJOINT)
        if name not in WITH_ADJOINT:
            with pytest.raises(NotImplementedError, match=re.escape(instruction.title)):
                next(iter(instruction.adjoint(None)))
        assert kind.__doc__


def derivative_is_0(name):
    """They may follow weights; nothing flows back. The adjoints of pointwise operations are such operations, too."""
    assert not list(Case(ROWS[name], Shape()).instruction.adjoint(None))


# --- cost and formula ----------------------------------------------------------------------------------------------


def cost_is_a_whole_number_that_grows_with_the_rows(name):
    pairs = {1 << one | 1 << other for one in range(8) for other in range(8)}
    for flags in range(256) if soaking() else (0, *pairs, 255):
        i = Case(EVERY[name], Shape(width=7, units=2, positions=2, flags=flags)).instruction
        for cost in (i.flops, i.bytes):
            assert all(type(cost(rows)) is int for rows in (0, 1, 64))
            assert 0 <= cost(1) <= cost(64)
        if i.per_row and name != "reshape":
            assert i.bytes(64) > i.bytes(1)


def formula_names_every_operand(name):
    for flags in (0, 1, 255):
        i = Case(EVERY[name], Shape(width=7, units=2, positions=2, flags=flags)).instruction
        for operand in i.operands:
            assert operand is None or operand.name in i.formula, f"{i.title} hides {operand} in {i.formula!r}"


def operands_are_read_or_written(name):
    case = Case(EVERY[name], Shape(flags=1 | IN_PLACE))
    i = case.instruction
    assert {*i.inputs, *i.outputs} == {b for b in i.operands if b is not None}
    assert all(isinstance(n, int) for size in i.sizes.values() for n in several(size))
    assert all(isinstance(k, float) for constant in i.constants.values() for k in several(constant))
    if pair := in_place(i):
        assert pair[0] in i.inputs
        assert pair[1] in i.outputs
