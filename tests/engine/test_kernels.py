"""Every native kernel agrees with its reference to 1e-5 of the size of the sum, over many random shapes.

`make soak` tries all shapes, and notes in tests/tables/soaked.txt what each kernel was then: the hash of its code, of
its reference and of its row in the table. While they are the same, a few shapes do.
"""

import inspect
from functools import partial
from pathlib import Path

import harness
import pointwise_rows
import pytest
from amounts import LEAST, soaking
from conformance import ROWS
from conformance_activations import ACTIVATIONS
from conformance_formulas import FORMULAS
from harness import Case, Shape
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from jit import REASON, can_compile

from thalweg.engine.native.compiler.compile import kept
from thalweg.engine.native.compiler.fingerprint import EMITTER, digest, fingerprint, sources
from thalweg.engine.native.compiler.ready import is_ready
from thalweg.engine.native.kernels.table import kernel_of
from thalweg.program.instructions.activations import ElementwiseAdjoint

SHAPES = st.builds(
    Shape,
    rows=st.integers(1, 70),
    width=st.integers(1, 300),
    units=st.integers(1, 300),
    positions=st.sampled_from((1, 1, 1, 2, 3)),
    flags=st.integers(0, 255),
    seed=st.integers(0, 2**32),
)
NOTES = Path(harness.__file__).with_name("soaked.txt")
SOAKED = dict(line.split() for line in NOTES.read_text(encoding="utf-8").splitlines())  # kernel → hash


def state(kernel):
    """A hash of what decides whether a kernel agrees with its reference, but for the compiler and the processor."""
    build, instruction = ROWS[kernel], Case(ROWS[kernel], Shape()).instruction
    row = inspect.getmodule(build.func if isinstance(build, partial) else build)
    tables = [Path(module.__file__).read_text(encoding="utf-8") for module in (harness, row)]
    return digest([fingerprint(kernel_of(instruction)), sources([EMITTER, type(instruction).__module__]), *tables])


@pytest.fixture(scope="module")
def passed():
    """The kernels that have agreed on all shapes are noted at the end."""
    found = {}
    yield found
    if found:
        notes = {name: of for name, of in {**SOAKED, **found}.items() if name in ROWS}
        NOTES.write_text("".join(f"{name} {of}\n" for name, of in sorted(notes.items())), encoding="utf-8")


@pytest.mark.parametrize("kernel", [name for name in ROWS if name not in ("reshape", "batch_statistics")])
def test_kernel_agrees_with_its_reference_over_many_random_shapes(kernel, passed):
    """Three hundred; fewer for activations, which share their loops and differ in a scalar function."""
    tried, examples = 0, 100 if kernel in (*ACTIVATIONS, *FORMULAS, *pointwise_rows.GENERATED) else 300
    if not soaking() and SOAKED.get(kernel) == state(kernel):
        examples = LEAST

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(SHAPES)
    def check(shape):
        nonlocal tried
        tried += 1
        Case(ROWS[kernel], shape).check()

    instruction = Case(ROWS[kernel], Shape()).instruction
    if not can_compile() and isinstance(instruction, ElementwiseAdjoint) and instruction.of.equation.slope == "1":
        pytest.skip(REASON)  # no program has it: an adjoint is passed on
    check()
    assert tried >= examples
    Case(ROWS[kernel], Shape()).check()  # the text of a kernel that is made of its reference may depend on the shape
    made = kernel_of(instruction)
    assert kernel in FORMULAS or is_ready(made) or kept(made)
    if soaking():
        passed[kernel] = state(kernel)


def test_an_edit_of_kernel_reference_or_row_is_seen(monkeypatch):
    before = {kernel: state(kernel) for kernel in ("affine", "relu", "dropout")}
    monkeypatch.setitem(ROWS, "affine", ROWS["max_pooling"])
    assert state("affine") != before["affine"]
    kind = type(Case(ROWS["relu"], Shape()).instruction)
    monkeypatch.setattr(kind, "__module__", "thalweg.program.instructions.elementwise")
    assert state("relu") != before["relu"]
    monkeypatch.setattr(harness, "__file__", __file__)
    assert state("dropout") != before["dropout"]
