"""The derivatives that are kept as texts, against those by rule, and that every equation is tried."""

import conformance_activations
import loss_rows
import numpy as np
import pytest
from equation_checks import OF_LOSSES, activations, check_activation, check_losses, check_slope

from thalweg.activations import NAMES
from thalweg.program.formula.statements import run, shown_step

ACTIVATIONS = list(activations())


@pytest.mark.parametrize(("name", "equation", "numbers"), ACTIVATIONS, ids=[f"{n}{v or ''}" for n, _, v in ACTIVATIONS])
def test_the_slope_of_an_activation_is_the_derivative(name, equation, numbers):
    check_slope(equation, numbers)


@pytest.mark.parametrize("equation", OF_LOSSES, ids=lambda e: e.name)
def test_the_slope_of_a_loss_is_the_derivative(equation):
    for numbers in OF_LOSSES[equation]:
        check_slope(equation, numbers)


@pytest.mark.parametrize("name", NAMES)
def test_the_reference_is_the_independent_statement(name):
    check_activation(name)


@pytest.mark.parametrize("equation", OF_LOSSES, ids=lambda e: e.name)
def test_the_reference_of_a_loss_is_the_independent_statement(equation):
    check_losses(equation)


def test_every_equation_is_tried():
    assert {e for _, e, _ in ACTIVATIONS} == set(conformance_activations.EQUATIONS.values())
    assert set(OF_LOSSES) == set(loss_rows.EQUATIONS.values())


@pytest.mark.parametrize(
    "text",
    ["n = 9\nk = n**n\nj = k**k\nw -= j", "w -= (t + 8)**((t + 8)**(t + 8))", "w -= w * rate**(-999999 * rate)"],
)
def test_a_power_of_numbers_never_takes_all_memory(text):
    """A step's text may come from a file. Whole numbers of Python have any number of digits."""
    after = run(text, {"w": np.ones(2), "t": 3, "rate": 0.001}, np)
    assert np.isinf(after["w"]).all()
    assert shown_step(text, {"rate": 0.001}, {"w": "w", "t": "t"})
