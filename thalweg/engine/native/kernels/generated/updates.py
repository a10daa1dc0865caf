"""Kernels of steps as texts: loops over the vectors that read every element once and write it once."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from thalweg.engine.native.compiler.kernel import Kernel
from thalweg.engine.native.instructions.updates import NativeTableUpdate
from thalweg.engine.native.kernels.generated.code import Code
from thalweg.engine.native.kernels.generated.formulas import generated, reals
from thalweg.engine.native.kernels.names import name_of
from thalweg.program.formula.language import CONSTANTS, names_in
from thalweg.program.formula.statements import elementwise, replaced, statements, target, value
from thalweg.program.instructions.updates.updates import Statements

KERNEL = """

@kernel
def {name}({given}learning_rate, update, iteration):
    {part}
    scalar_learning_rate, scalar_t, scalar_iteration = learning_rate * factor, float(update), float(iteration)
"""


class Scalars(ast.NodeTransformer):
    """A scalar formula as code of kernels in float64."""

    def __init__(self, symbols: Mapping[str, str]) -> None:
        self.symbols = symbols

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id in self.symbols:
            return ast.Name(self.symbols[node.id], ast.Load())
        return ast.Constant(CONSTANTS[node.id])

    def visit_Call(self, node: ast.Call) -> ast.expr:
        assert isinstance(node.func, ast.Name)
        arguments = [self.visit(a) for a in node.args]
        match node.func.id:
            case "where":
                return ast.IfExp(*arguments)
            case "min" | "max" | "abs" as name:
                return ast.Call(ast.Name(name, ast.Load()), arguments, [])
            case "pochhammer" as name:
                home = "maths"
            case name:
                home = "math"
        return ast.Call(ast.Attribute(ast.Name(home, ast.Load()), name, ast.Load()), arguments, [])


class Writer:
    """Writes the body of a kernel. Names of scalars begin with scalar_, so that they don't clash with others."""

    def __init__(self, text: str, vectors: Sequence[str], numbers: Sequence[str], on_rows: bool) -> None:
        self.vectors, self.on_rows = vectors, on_rows
        self.every = elementwise(text, frozenset(vectors))
        self.scalars = {name: f"scalar_{name}" for name in ("learning_rate", "t", "iteration")}
        self.scalars |= {name: f"scalar_{name}" for name in numbers}

    def scalar(self, e: ast.expr) -> str:
        return ast.unparse(ast.fix_missing_locations(Scalars(self.scalars).visit(copy.deepcopy(e))))

    def block(self, body: Sequence[ast.stmt]) -> Iterator[str]:
        """The lines of some statements; consecutive ones that work on elements share a loop."""
        loop: list[ast.stmt] = []
        for s in body:
            if not isinstance(s, ast.If) and target(s) in self.every:
                loop.append(s)
                continue
            yield from self.loop(loop)
            loop = []
            if isinstance(s, ast.If):
                yield f"if {self.scalar(s.test)}:"
                yield from (f"    {line}" for line in self.block(s.body))
                if s.orelse:
                    yield "else:"
                    yield from (f"    {line}" for line in self.block(s.orelse))
            else:
                name = f"scalar_{target(s)}"
                yield f"{name} = {self.scalar(value(s))}"
                self.scalars[target(s)] = name
        yield from self.loop(loop)

    def loop(self, body: Sequence[ast.stmt]) -> Iterator[str]:
        """A loop that reads every element before its first use and writes it at the end."""
        if not body:
            return
        code = Code({})
        constants: dict[str, str] = {}
        loads: list[str] = []

        def prepared(e: ast.expr) -> ast.expr | None:
            """The name of a scalar, computed before the loop as float32; notes a vector that has to be read."""
            names = names_in(e)
            if names and not names & self.every:
                text = f"F32({self.scalar(e)})"
                name = constants.setdefault(text, f"k{len(constants)}")
                code.symbols[name] = name
                code.numbers.add(name)
                return ast.Name(name, ast.Load())
            if isinstance(e, ast.Name) and e.id in self.vectors and e.id not in code.symbols:
                loads.append(f"    {e.id}_before = load_f32(vector_{e.id}, i)")
                code.symbols[e.id] = f"{e.id}_before"
            return None

        for s in body:
            code.symbols[target(s)] = code.of(replaced(value(s), prepared))
        yield from (f"{name} = {text}" for text, name in constants.items())
        lines = ["for i in independent(first, after):", *loads, *(f"    {line}" for line in code.lines)]
        written = [name for name in dict.fromkeys(map(target, body)) if name in self.vectors]
        lines += [f"    store_f32(vector_{name}, i, {code.symbols[name]})" for name in written]
        if self.on_rows:
            yield "for k in range(1, 1 + np.int64(load_f32(own, 0))):"
            yield "    first = np.int64(load_f32(own, k)) * columns"
            yield "    after = first + columns"
            lines = [f"    {line}" for line in lines]
        yield from lines


def kernel_of_statements(i: Statements) -> Kernel:
    """The kernel, not yet compiled. Its numbers are constants of the instruction, so that it works for any numbers."""
    return step_kernel(name_of(i), i.text, i.names, tuple(i.numbers), isinstance(i, NativeTableUpdate))


@lru_cache(maxsize=256)
def step_kernel(
    kernel: str, text: str, vectors: tuple[str, ...], numbers: tuple[str, ...], on_rows: bool = False
) -> Kernel:
    writer = Writer(text, vectors, numbers, on_rows)
    names, declared = [f"vector_{name}" for name in vectors], reals(["factor", *(f"scalar_{name}" for name in numbers)])
    if on_rows:  # of a table, which are listed at `own`
        part, given = "", f"{', '.join(names)}, own, columns{declared}, *, "
    else:
        part = f"first, after = stretch(size, {names[0]}_offset, first, after)"
        given = f"{', '.join(names)}, size, {names[0]}_offset{declared}, *, first, after, "
    body = "".join(f"    {line}\n" for line in writer.block(statements(text)))
    return generated(kernel.replace("-", "_"), KERNEL.format(name="{name}", given=given, part=part) + body)
