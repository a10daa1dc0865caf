"""Kernels ask for operands and numbers by name: signatures as the table reads them, and rows linked by them."""

import ast
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from thalweg.engine.native.compiler.compile import make
from thalweg.engine.native.compiler.kernel import HOME, Kernel
from thalweg.engine.native.compiler.parameters import REALS, WHOLE, Parameter, parameters
from thalweg.engine.native.instructions.variants import VARIANTS
from thalweg.engine.native.kernels import table
from thalweg.engine.native.language.rules import LanguageError
from thalweg.engine.native.layouts import job as m
from thalweg.engine.native.runtime.table_rows import cells, row
from thalweg.program.instructions.elementwise import Rescale
from thalweg.program.instructions.shapes import Concatenation
from thalweg.program.ir.instruction import Buffer, Instruction

PACKAGE = Path(table.__file__).parents[len(HOME.split(".")) + 1]
X, Y, Z = (Buffer(name, (3,), offset=offset) for name, offset in (("x", 5), ("y", 6), ("z", 7)))
ADDRESSES = {None: 0, X: 100, Y: 200, Z: 300}
PLACES = SimpleNamespace(address=ADDRESSES.get, weights=lambda gradient: 44, far=lambda data: True)


def asked(function: ast.FunctionDef):
    """The parameters, by Python's own parser: (words, reals, starred, whether it is whole, state)."""
    arguments = function.args
    defaults = [None] * (len(arguments.args) - len(arguments.defaults)) + [d.value for d in arguments.defaults]
    both = [(a.annotation, Parameter(a.arg, d)) for a, d in zip(arguments.args, defaults, strict=True)]
    star = arguments.vararg
    return (
        tuple(p for real, p in both if not real),
        tuple(p for real, p in both if real),
        star.arg if star else "",
        not (star and star.annotation),
        tuple(a.arg for a in arguments.kwonlyargs),
    )


def test_the_table_reads_signatures_as_python_does():
    found = set()
    for module in {kernel.module for kernel in table.SIGNATURES}:
        text = PACKAGE.joinpath(*HOME.split("."), *module.split(".")).with_suffix(".py").read_text(encoding="utf-8")
        for node in ast.parse(text).body:
            if isinstance(node, ast.FunctionDef) and any(ast.unparse(d) == "kernel" for d in node.decorator_list):
                found.add(node.name)
                assert table.parameters_of(Kernel(module, node.name)) == asked(node), node.name
    assert found == set(table.KERNELS)


def test_the_table_needs_no_compiler():
    script = (
        "import sys; from thalweg.engine.native.kernels import table;"
        "[table.parameters_of(k) for k in table.SIGNATURES]; print({'llvmlite'} & set(sys.modules))"
    )
    out = subprocess.run([sys.executable, "-c", script], cwd=PACKAGE, capture_output=True, text=True, check=True)
    assert out.stdout == "set()\n"


def test_parameters_are_operands_numbers_reals_and_state():
    found = parameters("x, z, size, scale: float, relu=0, slope: float=0.5, *axes, rows, learning_rate,")
    assert [p.name for p in found.words] == ["x", "z", "size", "relu"]
    assert found.reals == (Parameter("scale"), Parameter("slope", 0.5))
    assert (found.rest, found.whole, found.state) == ("axes", True, ("rows", "learning_rate"))
    assert not parameters("x, *fill: float").whole


def test_state_that_there_is_not_is_named():
    with pytest.raises(TypeError, match="the state of a step has no row; it has: rows, first_row"):
        parameters("x, *, row")
    assert len(set(WHOLE.values())) == len(WHOLE)
    assert len(set(REALS.values())) == len(REALS)


def test_what_cannot_be_a_parameter_is_named():
    with pytest.raises(TypeError, match="'x: int' can't be a parameter of a kernel: write n, n: float"):
        parameters("x: int")


# --- rows ----------------------------------------------------------------------------------------------------------


class Own(Instruction):
    """An instruction whose kernel the tests write."""

    x: Buffer
    z: Buffer
    b: Buffer | None = None
    sizes = {"size": 3, "axes": (8, 9)}  # noqa: RUF012
    constants = {"scale": 0.5, "fill": (1.0, 2.0)}  # noqa: RUF012

    name = "own"
    writes = ("z",)


class NativeOwn(Own):
    """Its native variant, which has more fields."""

    relu: bool = False
    slope: float = 0.0


@pytest.fixture
def signature(monkeypatch):
    monkeypatch.setitem(VARIANTS, Own, NativeOwn)
    for kind in (Own, NativeOwn):
        monkeypatch.setattr(kind, "__module__", "thalweg.own")  # others' instructions have no kernels by hand

    def give(text):
        kernel = Kernel("own", "own", f"@kernel\ndef own({text}):\n    pass\n")
        monkeypatch.setitem(table.KERNELS, "own", kernel)

    return give


@pytest.mark.parametrize(
    ("text", "words", "reals"),
    [
        ("x, z, size, scale: float, *, rows", [100, 300, 3], [0.5]),
        ("z, size, x", [300, 3, 100], []),  # in the order of the signature
        ("b, x", [0, 100], []),  # an absent operand
        ("x, relu=1, slope: float = 0.25", [100, 1], [0.25]),  # of the native variant
        ("x, size=7, scale: float = 9.0", [100, 3], [0.5]),  # not needed
        ("x, *axes, rows", [100, 8, 9], []),
        ("x, scale: float, *fill: float, rows", [100], [0.5, 1.0, 2.0]),
        ("z_offset, x_by_columns, z_weights, x_far", [7, 0, 44, 1], []),
    ],
)
def test_a_row_is_laid_out_by_the_signature(text, words, reals, signature):
    signature(text)
    assert row(Own(X, Z), PLACES) == (words, reals)


@pytest.mark.parametrize("scale", [1, 0.5, np.float32(0.5), np.int64(2), True])
def test_a_real_number_may_be_of_any_type(scale, signature, monkeypatch):
    signature("x, scale: float")
    monkeypatch.setattr(Own, "constants", {"scale": scale})
    assert row(Own(X, Z), PLACES) == ([100], [float(scale)])


def test_a_whole_number_is_not_rounded(signature, monkeypatch):
    signature("x, size")
    monkeypatch.setattr(Own, "sizes", {"size": np.int64(3)})
    assert row(Own(X, Z), PLACES) == ([100, 3], [])
    monkeypatch.setattr(Own, "sizes", {"size": 2.5})
    with pytest.raises(TypeError):
        row(Own(X, Z), PLACES)


@pytest.mark.parametrize("text", ["x, z, width, size", "x, y_offset", "x, b_offset"])
def test_what_an_instruction_lacks_is_named(text, signature):
    signature(text)
    name = next(p for p in ("width", "y_offset", "b_offset") if p in text)
    with pytest.raises(
        LookupError, match=f"the kernel own asks for '{name}', which the instruction 'own' doesn't have"
    ):
        row(Own(X, Z), PLACES)


@pytest.mark.parametrize("text", ["x, rleu=0", "x, sizw=0", "x, relu_=1", "x, slop: float = 0.5"])
def test_a_default_does_not_hide_a_misspelt_name(text, signature):
    signature(text)
    with pytest.raises(LookupError, match="which the instruction 'own' doesn't have"):
        row(Own(X, Z), PLACES)


def test_only_an_instruction_with_a_native_variant_takes_defaults(signature, monkeypatch):
    signature("x, relu=0")
    monkeypatch.delitem(VARIANTS, Own)
    with pytest.raises(LookupError, match="asks for 'relu'"):
        row(Own(X, Z), PLACES)


def test_a_real_number_that_it_lacks_is_named(signature):
    signature("x, slope: float")
    with pytest.raises(LookupError, match=r"asks for 'slope'.*it has: scale, fill"):
        row(Own(X, Z), PLACES)


def test_the_lines_that_a_missing_kernel_lacks_are_named():
    with pytest.raises(KeyError, match=r"there is no kernel for own: no lines `@kernel` and `def own\(…\):` in native"):
        table.kernel_of(Own(X, Z))


@pytest.mark.parametrize(("text", "right"), [("x, scale", "scale: float"), ("x, size: float", "size")])
def test_a_number_of_the_other_type_is_told_from_a_missing_one(text, right, signature):
    signature(text)
    with pytest.raises(LookupError, match=f"of another type in the instruction 'own': write `{right}`"):
        row(Own(X, Z), PLACES)


@pytest.mark.parametrize("text", ["x, *axes", "x, *fill: float"])
def test_a_row_holds_so_many_numbers(text, signature, monkeypatch):
    signature(text)
    many = {"sizes": {"axes": (0,) * (m.ROW_WIDTH - 2)}, "constants": {"fill": (0.0,) * m.CONSTANTS}}
    for name, numbers in many.items():
        monkeypatch.setattr(Own, name, numbers)
    row(Own(X, Z), PLACES)
    for name, numbers in many.items():
        monkeypatch.setattr(Own, name, {key: (*n, 0) for key, n in numbers.items()})
    with pytest.raises(OverflowError, match="own has more numbers than a row of the table"):
        row(Own(X, Z), PLACES)


def test_the_cells_of_operands_are_where_their_addresses_are():
    for i in (Rescale(X, Z, 2.0, 1.0), Concatenation((X, Y), Z, 0)):
        words, _ = row(i, PLACES)
        assert {b.name: words[column - 1] for column, b in cells(i)} == {b.name: ADDRESSES[b] for b in i.operands}


# --- kernels -------------------------------------------------------------------------------------------------------


WRONG = """from thalweg.engine.native.compiler.named import kernel


@kernel
def wrong(x, size, *, rows):
    n = rows * size
    n.nowhere(x)
"""


@pytest.mark.jit
def test_an_error_names_the_line_of_the_kernel():
    with pytest.raises(LanguageError, match=r"^<wrong>:7: there is no 'nowhere' here"):
        make(Kernel("own", "wrong", WRONG))


RIGHT = """import numpy as np

from thalweg.engine.native.compiler.llvm import floats
from thalweg.engine.native.compiler.named import kernel


@kernel
def right(z, first_of_all, scale: float, slope: float, *numbers, iteration, penalties, rows):
    z = floats(z, 7)
    if first_of_all:
        z[0], z[1], z[2], z[3] = scale, slope, iteration, penalties
        z[4], z[5], z[6] = rows, numbers[0], numbers[1]
        return
    z[0] = np.float32(1)
"""


@pytest.mark.jit
def test_every_parameter_is_read_from_its_place():
    from thalweg.engine.native.compiler.compile import callable_of
    from thalweg.engine.native.layouts.state import Reals, State

    z = np.zeros(7, np.float32)
    o, c = np.array([z.ctypes.data, 1, 40, 41]), np.array([0.5, 0.25])
    s, f = np.arange(State.size) + 10, np.arange(Reals.size) + 0.75
    callable_of(Kernel("own", "right", RIGHT))(*(a.ctypes.data for a in (o, c, s, f)))
    assert z.tolist() == [0.5, 0.25, 10 + State.iteration, 0.75 + Reals.penalties, 10 + State.rows, 40, 41]
