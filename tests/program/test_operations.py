"""The operations of `operations.py`: their values are NumPy's; their derivatives are tested by table."""

import pytest
from operation_statements import check_operation

from thalweg.program.formula.operations import BINARY, UNARY


@pytest.mark.parametrize("name", [*BINARY, *UNARY])
def test_an_operation_has_the_values_of_the_function_of_its_name(name):
    check_operation(name)
