"""Layers → forward instructions. A layer's `forward` calls these methods; each appends one instruction."""

from __future__ import annotations

from thalweg.errors import ShapeError
from thalweg.program.activations import Elementwise
from thalweg.program.convolution import Convolution, Window
from thalweg.program.counter import key
from thalweg.program.elementwise import Add, Dropout, Reshape
from thalweg.program.instruction import Buffer, Instruction
from thalweg.program.linear import Affine
from thalweg.program.pooling import AveragePooling, MaxPooling
from thalweg.program.rowwise import Rowwise


class Builder:
    """Collects the forward instructions of a network and names their values: h1 = x·W1 + b1, a1 = max(h1, 0), …"""

    def __init__(self, training: bool) -> None:
        self.training = training  # whether layers such as Dropout act
        self.instructions: list[Instruction] = []
        self.names: set[str] = set()
        self.number = ""  # of the layer at work: that of its weights
        self.streams = 0  # of random numbers handed out

    def value(self, name: str, shape: tuple[int, ...]) -> Buffer:
        """A new per-row value, its name made unique by primes."""
        name += self.number
        while name in self.names:
            name += "′"
        self.names.add(name)
        return Buffer(name, shape)

    def append(self, instruction: Instruction) -> Buffer:
        """Adds an instruction and returns what it writes."""
        self.instructions.append(instruction)
        return instruction.outputs[0]

    def affine(self, x: Buffer, W: Buffer, b: Buffer | None = None) -> Buffer:
        """h = x·W + b over the last axis of x."""
        if x.shape[-1] != W.shape[0]:
            raise ShapeError(f"{x} has {x.shape[-1]} columns but {W} has {W.shape[0]} rows: x·W needs them equal")
        self.number = W.name.lstrip("W")
        return self.append(Affine(x, W, b, self.value("h", (*x.shape[:-1], W.shape[1]))))

    def convolution(self, x: Buffer, W: Buffer, b: Buffer | None, window: Window, groups: int = 1) -> Buffer:
        """h = x ∗ W + b for x (rows, height, width, channels)."""
        self.number = W.name.lstrip("W")
        outputs = (*self.places(x, window), W.shape[-1])
        return self.append(Convolution(x, W, b, self.value("h", outputs), window, groups))

    def pooling(self, kind: type[MaxPooling] | type[AveragePooling], x: Buffer, window: Window) -> Buffer:
        """The largest element, or the mean, of each window."""
        return self.append(kind(x, self.value("p", (*self.places(x, window), x.shape[-1])), window))

    def places(self, x: Buffer, window: Window) -> tuple[int, int]:
        """How many places a window takes on an image."""
        if len(x.shape) != 3:
            raise ShapeError(f"images of shape (height, width, channels) are needed, {x} has the shape {x.shape}")
        places = window.outputs(*x.shape[:2])
        if min(places) < 1:
            raise ShapeError(f"a window that spans {window.span} is larger than an image of {x.shape[:2]}")
        return places

    def elementwise(self, kind: type[Elementwise], h: Buffer, *constants: float) -> Buffer:
        """a = f(h), element by element."""
        return self.append(kind(h, self.value("a", h.shape), *constants))

    def rowwise(self, kind: type[Rowwise], h: Buffer) -> Buffer:
        """a = f(h) over the last axis: softmax and its relatives."""
        return self.append(kind(h, self.value("a", kind.output_shape(h.shape))))

    def add(self, x: Buffer, y: Buffer) -> Buffer:
        """z = x + y"""
        if x.shape != y.shape:
            raise ShapeError(f"{x} of shape {x.shape} and {y} of shape {y.shape} can't be added: the shapes differ")
        return self.append(Add(x, y, self.value("z", x.shape)))

    def reshape(self, x: Buffer, shape: tuple[int, ...]) -> Buffer:
        """The same memory under another shape."""
        z = self.value("f", shape)
        if z.size != x.size:
            raise ShapeError(f"{x} of shape {x.shape} can't take the shape {shape}: {x.size} and {z.size} elements")
        z.view_of = x
        return self.append(Reshape(x, z))

    def dropout(self, x: Buffer, rate: float, seed: int | None = None) -> Buffer:
        """Zeroes elements with probability `rate` in training, scales the rest; nothing otherwise."""
        self.streams += 1  # counted in any case: a stream's number is the layer's place among the dropouts
        if not self.training or rate == 0:
            return x
        stream = self.streams if seed is None else key(seed, 0, self.streams) >> 1  # fits a signed integer
        return self.append(Dropout(x, self.value("r", x.shape), rate, stream))
