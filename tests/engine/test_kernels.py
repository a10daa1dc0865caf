"""Every native kernel agrees with its reference to 1e-5 of the size of the sum, over many random shapes."""

import pointwise_rows
import pytest
from conformance import ROWS
from conformance_activations import ACTIVATIONS
from conformance_formulas import FORMULAS
from harness import Case, Shape
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from thalweg.engine.native.compiler.compile import kept
from thalweg.engine.native.kernels.table import kernel_of

SHAPES = st.builds(
    Shape,
    rows=st.integers(1, 70),
    width=st.integers(1, 300),
    units=st.integers(1, 300),
    positions=st.sampled_from((1, 1, 1, 2, 3)),
    flags=st.integers(0, 255),
    seed=st.integers(0, 2**32),
)


@pytest.mark.parametrize("kernel", [name for name in ROWS if name != "reshape"])
def test_kernel_agrees_with_its_reference_over_many_random_shapes(kernel):
    """Three hundred; fewer for activations, which share their loops and differ in a scalar function."""
    tried, examples = 0, 100 if kernel in (*ACTIVATIONS, *FORMULAS, *pointwise_rows.GENERATED) else 300

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

    check()
    assert tried >= examples
    assert kernel in FORMULAS or kept(kernel_of(Case(ROWS[kernel], Shape()).instruction))  # it needs nothing of numba's
