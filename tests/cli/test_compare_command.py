"""What `thalweg compare` is told to try."""

import pytest

from thalweg.cli.compare import split_entries
from thalweg.errors import ArgumentError


def test_learning_rates_are_numbers_and_other_entries_names():
    assert split_entries("learning_rate", "0.1, 0.01,") == [0.1, 0.01]
    assert split_entries("activation", " relu,tanh") == ["relu", "tanh"]
    with pytest.raises(ArgumentError, match=r"numbers such as 0\.001,0\.01 for learning_rate, got 'fast'"):
        split_entries("learning_rate", "fast")
