"""Native kernels against their references, to 1e-5 of the size of the sum, over random shapes."""

import pointwise_rows
from amounts import examples
from conformance import ROWS
from conformance_activations import ACTIVATIONS
from conformance_formulas import FORMULAS
from harness import Case, Shape
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from jit import can_compile

from thalweg.engine.native.compiler.compile import kept
from thalweg.engine.native.compiler.ready import is_ready
from thalweg.engine.native.kernels.table import kernel_of
from thalweg.program.instructions.activations import ElementwiseAdjoint

KERNELS = [name for name in ROWS if name not in ("reshape", "batch_statistics")]
ALIKE = {*ACTIVATIONS, *FORMULAS, *pointwise_rows.GENERATED}
"""They share their loops, and differ in a scalar function."""
SHAPES = st.builds(
    Shape,
    rows=st.integers(1, 70),
    width=st.integers(1, 300),
    units=st.integers(1, 300),
    positions=st.sampled_from((1, 1, 1, 2, 3)),
    flags=st.integers(0, 255),
    seed=st.integers(0, 2**32),
)


def kernel_agrees_with_its_reference(name):
    instruction = Case(ROWS[name], Shape()).instruction
    if not can_compile() and isinstance(instruction, ElementwiseAdjoint) and instruction.of.equation.slope == "1":
        return  # no program has it: an adjoint is passed on
    tried, asked = 0, examples(100 if name in ALIKE else 300)

    @settings(
        max_examples=asked,
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
        Case(ROWS[name], shape).check()

    check()
    assert tried >= asked
    Case(ROWS[name], Shape()).check()  # the text of a kernel that is made of its reference may depend on the shape
    made = kernel_of(instruction)
    assert name in FORMULAS or is_ready(made) or kept(made)
