"""The passport of each instruction: one test takes it through all that it has to pass, from its reference to exports.

A new instruction needs a row in tests/tables/conformance.py, and is then asked at every station. C is compiled at once
for all of them (tests/export/test_c_instructions.py); JAX, ONNX and PyTorch are asked where they are installed.
"""

from collections.abc import Callable, Collection

import pytest
import test_array_libraries as libraries
import test_conformance as conformance
import test_interchange as interchange
import test_kernels as kernels
import test_numpy_exporter as exporter
import test_numpy_lines as numpy_lines
import test_printed_formulas as printed
import test_reverse_mode as reverse_mode
import test_stated as stated
from conformance import EVERY, ROWS

Station = Callable[[str], None]

STATIONS: list[tuple[Station, Collection[str]]] = [
    (conformance.cost_is_a_whole_number_that_grows_with_the_rows, EVERY),
    (conformance.formula_names_every_operand, EVERY),
    (conformance.operands_are_read_or_written, EVERY),
    (printed.printed_formula_is_the_reference, ROWS),
    (stated.what_is_stated_is_what_the_reference_computes, stated.STATED),
    (stated.statement_names_what_it_uses, stated.STATED),
    (libraries.reference_writes_to_no_array, EVERY),
    (libraries.reference_gives_arrays_to_no_other_library_and_takes_no_number_out, libraries.PURE),
    (conformance.adjoint_agrees_with_a_central_difference, conformance.WITH_SLOPE),
    (conformance.derivative_is_0, conformance.STOPPING),
    (reverse_mode.derived_adjoint_agrees_with_a_central_difference, reverse_mode.DERIVED),
    (interchange.comes_back_from_json, EVERY),
    (interchange.keeps_to_the_schema, EVERY),
    (exporter.json_is_enough_to_compute_it, EVERY),
    (numpy_lines.numpy_lines_compute_it, numpy_lines.EXPORTED),
    (kernels.kernel_agrees_with_its_reference, kernels.KERNELS),
]
"""What is asked, and of which instructions."""


def refusals(name: str) -> list[Exception]:
    """What is wrong with an instruction, by every station."""
    found = []
    for station, names in STATIONS:
        if name in names:
            try:
                station(name)
            except ImportError:  # for want of a compiler: conftest.py skips the test
                raise
            except Exception as error:
                error.add_note(f"{name}: {station.__name__}")
                found.append(error)
    return found


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # what isn't finite is compared, too
@pytest.mark.parametrize("name", EVERY)
def test_an_instruction_passes(name):
    if found := refusals(name):
        raise ExceptionGroup(f"{name} is refused", found)


def test_a_wrong_instruction_is_refused_at_each_station_that_looks(monkeypatch):
    """The mean of what is to be added, written into its operand."""
    kind = conformance.CLASSES["add"]

    def wrong(self, xp, x, y):
        if x is not y and isinstance(x, conformance.np.ndarray):
            x *= 0.5
        return x - y

    monkeypatch.setattr(kind, "reference", wrong)
    noted = {note for error in refusals("add") for note in error.__notes__}
    assert {note.removeprefix("add: ") for note in noted} >= {
        "reference_writes_to_no_array", "printed_formula_is_the_reference", "kernel_agrees_with_its_reference",
        "adjoint_agrees_with_a_central_difference",
    }  # fmt: skip


def test_every_station_is_known_and_asks_somebody():
    assert all(names and set(names) <= set(EVERY) for _, names in STATIONS)
    assert len({station for station, _ in STATIONS}) == len(STATIONS)
