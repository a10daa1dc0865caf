"""Derivatives of texts: of every slope there is, beside differences."""

import numpy as np
import pytest

from thalweg import activations
from thalweg.errors import ThalwegError
from thalweg.program.formula.derivatives import derivative
from thalweg.program.formula.language import evaluate, names_in
from thalweg.program.formula.operations import BINARY, UNARY, adjoint

KINDS = {name: getattr(function, "kind", None) for name, function in activations.NAMES.items()} | UNARY
SLOPES = [
    (name, kind, v)
    for name, kind in KINDS.items()
    for v in ("h", "a")
    if getattr(kind, "slope", "") and v in names_in(kind.slope) and name != "mish"
]
AT = np.linspace(0.05, 0.95, 19) + 0.0123
AT = np.concatenate([AT, -AT])


def compared(text, name, others):
    """The derivative of a text by a name, and the difference of its values."""

    def value(text, at):
        with np.errstate(all="ignore"):
            return evaluate(text, {**others, name: at}, np) + 0 * at

    wanted = (value(text, AT + 1e-5) - value(text, AT - 1e-5)) / 2e-5
    found = value(derivative(text, name) or "0", AT)
    known = np.isfinite(wanted)
    assert known.any()
    np.testing.assert_allclose(found[known], wanted[known], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("name", "kind", "v"), SLOPES, ids=lambda part: part if isinstance(part, str) else "")
def test_the_derivative_of_a_slope_is_that_of_differences(name, kind, v):
    compared(kind.slope, v, {key: 0.3 if value is None else value for key, value in kind.arguments.items()})


@pytest.mark.parametrize("name", [name for name, kind in BINARY.items() if any(kind.slopes.values())])
def test_adjoints_of_operations_are_derived_by_each_operand(name):
    for operand, slope in BINARY[name].slopes.items():
        if slope is not None:
            of = adjoint(BINARY[name], operand)
            for by in of.slopes:
                compared(of.value, by, {other: 0.7 for other in of.slopes if other != by})


def test_what_a_text_names_hides_and_what_is_unknown_is_told():
    assert derivative("x = h * h\nx * x + 1", "h") == "x = h * h\nx_slope = h + h\nx_slope * x + x * x_slope"
    assert derivative("h = 3\nh * 2", "h") is None
    assert derivative("mish_gate_slope(3) * h", "h") == "mish_gate_slope(3)"
    with pytest.raises(ThalwegError, match=r"mish_gate_slope\(h\) isn't known"):
        derivative("mish_gate_slope(h)", "h")
