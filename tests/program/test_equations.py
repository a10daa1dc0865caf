"""The derivatives that are kept as texts, against SymPy's, and that every equation is tried."""

import conformance_activations
import loss_rows
import pytest
from equation_checks import OF_LOSSES, activations, check_activation, check_losses, check_slope

from thalweg.activations import NAMES

ACTIVATIONS = list(activations())


@pytest.mark.parametrize(("name", "equation", "numbers"), ACTIVATIONS, ids=[f"{n}{v or ''}" for n, _, v in ACTIVATIONS])
def test_the_slope_of_an_activation_is_sympys_derivative(name, equation, numbers):
    check_slope(equation, numbers)


@pytest.mark.parametrize("equation", OF_LOSSES, ids=lambda e: e.name)
def test_the_slope_of_a_loss_is_sympys_derivative(equation):
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
