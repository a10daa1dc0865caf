"""Kernels of pointwise instructions on parts of rows: one loop, in which each number is read and written once."""

from __future__ import annotations

from collections.abc import Iterator

from thalweg.engine.native.compiler.kernel import Kernel
from thalweg.engine.native.instructions.gates import Columns
from thalweg.engine.native.kernels.generated.code import Code, literal
from thalweg.engine.native.kernels.generated.formulas import generated
from thalweg.engine.native.passes.chains import pointwise
from thalweg.program.instructions.elementwise import Copy, Rescale
from thalweg.program.instructions.shapes import Concatenation, Placement, Slice
from thalweg.program.ir.instruction import Buffer, Constant, Instruction

KERNEL = """

@kernel
def {name}({operands}, units, *, rows):
    for r in range(rows):
{begin}
        for j in independent(units):
{body}
"""


class Writer:
    """The code of one number of each part. parts: its name there, by value and number of the part."""

    def __init__(self, i: Columns) -> None:
        self.units, self.code = i.units, Code({})
        self.operands = (*i.read, *i.written)
        self.parts: dict[tuple[Buffer, int], str] = {}
        self.loads: dict[bool, list[str]] = {True: [], False: []}  # by whether it is one number a row
        for member in i.members:
            self.write(member)

    def count(self, b: Buffer) -> int:
        """How many parts a value has."""
        return max(1, b.size // self.units)

    def part(self, b: Buffer, k: int) -> str:
        """The name of a number of a part; one a row is the same for all parts."""
        k = k if self.count(b) > 1 else 0
        if isinstance(b, Constant) and b.shape == ():
            return literal(float(b.values))
        if (b, k) not in self.parts:
            n, once = self.operands.index(b), b.size == 1
            name = f"x{n}_{k}"
            self.loads[once].append(f"{name} = load_f32(a{n}, {'0' if once else f'j + {k} * units'})")
            self.parts[b, k] = name
        return self.parts[b, k]

    def write(self, i: Instruction) -> None:
        """Computes each part of what an instruction writes."""
        (z,) = i.outputs
        for k in range(self.count(z)):
            self.parts[z, k] = self.value(i, k)

    def value(self, i: Instruction, k: int) -> str:
        """The name of a number in the k-th part of what an instruction writes."""
        match i:
            case Slice():
                return self.part(i.x, k + i.starts[0] // self.units)
            case Placement():
                first = k - i.starts[0] // self.units
                return self.part(i.x, first) if 0 <= first < self.count(i.x) else literal(i.value)
            case Concatenation():
                places = [(part, n) for part in i.parts for n in range(self.count(part))]
                return self.part(*places[k])
            case Copy():
                return self.part(i.x, k)
            case Rescale():
                self.code.symbols = {"x": self.part(i.x, k), "scale": literal(i.scale), "offset": literal(i.offset)}
                return self.code.of("scale * x + offset")
        operation = pointwise(i)
        assert operation is not None
        numbers = map(literal, operation.arguments)
        self.code.symbols = {name: self.part(b, k) for name, b in operation.named.items()}
        self.code.symbols |= dict(zip(operation.operation.arguments, numbers, strict=True))
        return self.code.of(operation.operation.value)

    def stores(self, i: Columns) -> Iterator[str]:
        for n, b in enumerate(i.written, start=len(i.read)):
            for k in range(self.count(b)):
                place = "0" if b.size == 1 else f"j + {k} * units"
                yield f"store_f32(a{n}, {place}, {self.parts[b, k]})"


def kernel_of_columns(i: Columns) -> Kernel:
    """The kernel, for any number of units."""
    writer = Writer(i)
    body = [*writer.loads[False], *writer.code.lines, *writer.stores(i)]
    names = [*(f"v{n}" for n in range(len(i.read))), *(f"z{n}" for n in range(len(i.written)))]
    begin = [*starts(writer, names), *writer.loads[True]]
    text = KERNEL.format(
        name="{name}",
        operands=", ".join(names),
        begin="\n".join(f"        {line}" for line in begin),
        body="\n".join(f"            {line}" for line in body),
    )
    return generated("columns", text)


def starts(writer: Writer, names: list[str]) -> Iterator[str]:
    """Where a row of each operand begins."""
    for n, (b, name) in enumerate(zip(writer.operands, names, strict=True)):
        width = "1" if b.size == 1 else f"{writer.count(b)} * units"
        yield f"a{n} = {name} + 4 * r * {width}" if b.per_row else f"a{n} = {name}"
