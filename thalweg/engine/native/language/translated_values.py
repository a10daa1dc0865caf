"""Expressions of the kernels' language, in LLVM's code.

Each name has a place on the stack, which LLVM makes a register of; another one for another type in the same block of
statements. In an inner block, a name may be given a number of a wider type: then the function is translated once more,
with that type from the beginning.
"""

from __future__ import annotations

import ast
import builtins
import inspect
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llvmlite import ir

from thalweg.engine.native.language.callables import Compiled, Emitted, Special, View, recorded
from thalweg.engine.native.language.known_functions import KNOWN, LIBRARY, converted
from thalweg.engine.native.language.number_operators import (
    cast,
    compared,
    negated,
    number,
    of_truth,
    operated,
    told,
    truth,
)
from thalweg.engine.native.language.rules import Broken, Source
from thalweg.engine.native.language.things import Known, Thing, Value, computed, known, of_type, parts, type_of
from thalweg.engine.native.language.types import Array, Number, Type, boolean, codes, common, int64
from thalweg.engine.native.layouts.record import Record

if TYPE_CHECKING:
    from thalweg.engine.native.language.unit import Unit

INSTEAD = {
    ast.ListComp: "write a loop", ast.GeneratorExp: "write a loop", ast.Dict: "use a tuple, or arguments",
    ast.List: "use a tuple, or an array over an address", ast.Lambda: "define a function",
    ast.JoinedStr: "a kernel has no texts", ast.Try: "a kernel raises nothing", ast.Raise: "a kernel raises nothing",
    ast.With: "a kernel has no contexts", ast.Delete: "leave it out", ast.Global: "give it as an argument",
    ast.FunctionDef: "define it outside", ast.ClassDef: "define it outside", ast.Import: "import it outside",
}  # fmt: skip


class Widened(Exception):
    """A name, or the result, has a wider type than it was translated with."""


@dataclass
class Place:
    """Where a name's value is; in how many loops, and in which block of statements, it came there."""

    type: Type
    slots: list[ir.Value]
    loops: int
    block: int


class Expressions(ABC):
    """What a function's expressions become. Its statements are `Translation`'s.

    Attributes:
        b: writes code at the place that is reached.
        names: what each name stands for. types: by name and version, those of numbers, which may become wider.
        assigned: the names that have a value on every path that leads here. versions: how often a name has had another
            type in the block of statements in which it got its value. here: the number of this block.
        loops: how many there are around this place. depth: of blocks that may not be reached.
    """

    unit: Unit
    function: Callable[..., Any]
    source: Source
    b: ir.IRBuilder
    entry: ir.Block
    names: dict[str, Place | Thing]
    types: dict[tuple[str, int], Type]
    versions: Counter[str]
    here: int
    assigned: set[str]
    loops: list[Any]
    depth: int

    @abstractmethod
    def block(self, body: Sequence[ast.stmt]) -> None:
        """Statements, up to one after which nothing is reached."""

    def slot(self, code: ir.Type) -> ir.Value:
        """A place on the stack."""
        return ir.IRBuilder(self.entry).alloca(code)

    # --- names -------------------------------------------------------------------------------------------------------

    def assign(self, name: str, thing: Thing) -> None:
        """name = thing"""
        thing = computed(thing)
        place = self.names.get(name)
        self.assigned.add(name)
        if not is_value(thing):
            if self.depth and isinstance(place, Place):
                raise Broken("types", name=name, first=shown(place.type), second=told(thing))
            self.names[name] = thing
            return
        kind = type_of(thing)
        if isinstance(place, Place) and place.block == self.here and place.type != kind:  # it is read no more
            self.versions[name] += 1
            del self.names[name]
        version = (name, self.versions[name])
        before = self.types.get(version)
        if before is None:
            self.types[version] = before = kind
        elif before != kind:
            joint = met(before, kind)
            if joint is None:  # as an address, and then the array there
                if isinstance(place, Place) and len(self.loops) > place.loops:
                    raise Broken("types", name=name, first=shown(before), second=shown(kind))
                self.names[name], before = self.placed(kind), kind
            else:
                if joint != before:
                    self.types[version] = joint
                    raise Widened
                thing, before = self.cast(thing, joint), joint
        if not isinstance(self.names.get(name), Place):
            self.names[name] = self.placed(before)
        place = self.names[name]
        assert isinstance(place, Place)
        for slot, part in zip(place.slots, parts(thing), strict=True):
            self.b.store(part, slot)

    def placed(self, kind: Type) -> Place:
        return Place(kind, [self.slot(code) for code in codes(kind)], len(self.loops), self.here)

    def name(self, name: str) -> Thing:
        """What a name stands for."""
        if name in self.names:
            place = self.names[name]
            if name not in self.assigned:
                raise Broken("unassigned", name=name)
            return of_type(place.type, map(self.b.load, place.slots)) if isinstance(place, Place) else place
        code, held = self.function.__code__, self.function.__globals__
        if name in code.co_varnames:
            raise Broken("unassigned", name=name)
        if name in code.co_freevars:
            assert self.function.__closure__ is not None
            return known(self.function.__closure__[code.co_freevars.index(name)].cell_contents)
        for names in (held, vars(builtins)):
            if name in names:
                return known(names[name])
        raise Broken("name", name=name)

    def cast(self, thing: Thing, to: Type) -> Thing:
        """A thing as one of another type: numbers are converted, within tuples too."""
        if isinstance(to, tuple):
            assert isinstance(thing, tuple)
            return tuple(map(self.cast, thing, to))
        return Value(to, (cast(self.b, thing, to),)) if isinstance(to, Number) else thing

    # --- expressions -------------------------------------------------------------------------------------------------

    def value(self, node: ast.expr) -> Thing:
        """The value of an expression."""
        try:
            return self.of(node)
        except Broken as broken:
            raise self.source.error(node, broken) from None

    def of(self, node: ast.expr) -> Thing:
        match node:
            case ast.Constant(value=value):
                return Known(value)
            case ast.Name(id=name):
                return self.name(name)
            case ast.Tuple(elts=several):
                return self.several(several)
            case ast.Attribute(value=inner, attr=name):
                return self.attribute(self.value(inner), name)
            case ast.BinOp(left=left, op=op, right=right):
                return operated(self.b, op, self.value(left), self.value(right))
            case ast.UnaryOp(op=op, operand=operand):
                return negated(self.b, op, self.value(operand))
            case ast.Compare():
                return self.comparison(node)
            case ast.IfExp(test=test, body=body, orelse=other):
                return self.either(self.value(test), lambda: self.value(body), lambda: self.value(other))
            case ast.BoolOp(op=op, values=values):
                return self.joined(isinstance(op, ast.And), values)
            case ast.Subscript(value=inner, slice=index):
                return self.subscript(self.value(inner), index)
            case ast.Call(func=function, args=arguments, keywords=named):
                things = {k.arg or "": self.value(k.value) for k in named}
                return self.call(self.value(function), self.several(arguments), things)
        raise self.construct(node)

    def construct(self, node: ast.AST) -> Broken:
        """What to say of a construct that isn't in the language."""
        return Broken("construct", what=f"{type(node).__name__} ({ast.unparse(node).partition(chr(10))[0]})",
                      instead=INSTEAD.get(type(node), "write it otherwise"))  # fmt: skip

    def several(self, nodes: Sequence[ast.expr]) -> tuple[Thing, ...]:
        """The values of expressions, of which *one stands for several."""
        found: list[Thing] = []
        for node in nodes:
            thing = self.value(node.value if isinstance(node, ast.Starred) else node)
            if isinstance(node, ast.Starred):
                if not isinstance(thing, tuple):
                    raise Broken("value", what=told(thing))
                found += thing
            else:
                found.append(thing)
        return tuple(found)

    def attribute(self, thing: Thing, name: str) -> Thing:
        """thing.name: of a record a field, of an array its size and shape."""
        if record := record_of(thing):
            item, place = self.field(thing, record, name)
            return Value(item, (self.load(item, place),))
        if isinstance(thing, Value) and isinstance(thing.type, Array) and name in ("size", "shape"):
            sizes = tuple(Value(int64, (part,)) for part in thing.parts[1:])
            return sizes if name == "shape" else sizes[0] if len(sizes) == 1 else operated(self.b, ast.Mult(), *sizes)
        if not isinstance(thing, Known) or not hasattr(thing.value, name):
            raise Broken("name", name=name)
        return known(getattr(thing.value, name))

    def comparison(self, node: ast.Compare) -> Thing:
        """x < y ≤ z: all of them are computed."""
        left, found = self.value(node.left), None
        for op, comparator in zip(node.ops, node.comparators, strict=True):
            right = self.value(comparator)
            one = compared(self.b, op, left, right)
            found = one if found is None else of_truth(self.b.and_(found.parts[0], one.parts[0]))
            left = right
        assert found is not None
        return found

    def joined(self, by_and: bool, values: Sequence[ast.expr]) -> Thing:
        """x and y, or x or y, a truth value; y is computed only if it matters."""
        first = of_truth(truth(self.b, self.value(values[0])))
        if len(values) == 1:
            return first
        rest, decided = lambda: self.joined(by_and, values[1:]), lambda: of_truth(ir.Constant(boolean.code, not by_and))
        return self.either(first, rest, decided) if by_and else self.either(first, decided, rest)

    def either(self, test: Thing, yes: Callable[[], Thing], no: Callable[[], Thing]) -> Thing:
        """The value of one of two expressions, in the type in which they meet."""
        b, condition = self.b, truth(self.b, test)
        if isinstance(condition, ir.Constant):
            return (yes if condition.constant else no)()
        blocks = [b.append_basic_block(name) for name in ("then", "else", "join")]
        b.cbranch(condition, *blocks[:2])
        found, ends = [], []
        for block, make in zip(blocks, (yes, no), strict=False):
            b.position_at_end(block)
            found.append(computed(make()))
            ends.append(b.block)
        if not all(map(is_value, found)) or (kind := met(*map(type_of, found))) is None:
            raise Broken("operands", what="a choice", first=told(found[0]), second=told(found[1]))
        coming = []
        for end, thing in zip(ends, found, strict=True):
            b.position_at_end(end)
            coming.append(parts(self.cast(thing, kind)))
            b.branch(blocks[2])
        b.position_at_end(blocks[2])
        joint = []
        for pair in zip(*coming, strict=True):
            joint.append(b.phi(pair[0].type))
            for part, end in zip(pair, ends, strict=True):
                joint[-1].add_incoming(part, end)
        return of_type(kind, iter(joint))

    # --- arrays and tuples -------------------------------------------------------------------------------------------

    def subscript(self, thing: Thing, index: ast.expr) -> Thing:
        """thing[index]"""
        if isinstance(thing, Value) and isinstance(index, ast.Slice):
            return self.part_of(thing, index)
        at = self.value(index)
        if isinstance(thing, tuple):
            return self.element(thing, at)
        if isinstance(thing, Known):
            if not isinstance(at, Known):
                raise Broken("index", what=f"an index of {told(thing)} that isn't known")
            return known(thing.value[at.value])
        if isinstance(thing.type, Array) and thing.type.axes == 2 and not isinstance(at, tuple):
            begin = self.b.mul(self.position(at), thing.parts[2])
            return Value(Array(thing.type.item), (self.b.gep(thing.parts[0], [begin], inbounds=True), thing.parts[2]))
        item, place = self.place(thing, at)
        return Value(item, (self.load(item, place),))

    def part_of(self, thing: Value, index: ast.Slice) -> Value:
        """x[i:j]"""
        if not isinstance(thing.type, Array) or thing.type.axes != 1 or index.step is not None:
            raise Broken("index", what=f"a part of {told(thing)}")
        low, high = (None if end is None else self.position(self.value(end)) for end in (index.lower, index.upper))
        low, high = low or ir.Constant(int64.code, 0), high or thing.parts[1]
        return Value(thing.type, (self.b.gep(thing.parts[0], [low], inbounds=True), self.b.sub(high, low)))

    def element(self, several: tuple[Thing, ...], at: Thing) -> Thing:
        """One of a tuple; the place may be a number of the code if all are numbers of one type."""
        if isinstance(at, Known):
            if not isinstance(at.value, int) or not -len(several) <= at.value < len(several):
                raise Broken("index", what=f"{at.value!r} of a tuple of {len(several)}")
            return several[at.value]
        place, found = cast(self.b, at, int64), number(several[-1])
        for k in range(len(several) - 2, -1, -1):
            one = number(several[k])
            if one.type != found.type:
                raise Broken("operands", what="a choice", first=one.type, second=found.type)
            here = self.b.icmp_signed("==", place, ir.Constant(int64.code, k))
            found = Value(one.type, (self.b.select(here, one.parts[0], found.parts[0]),))
        return found

    def place(self, thing: Thing, at: Thing) -> tuple[Number, ir.Value]:
        """The type of an array's element, and where it is."""
        if not isinstance(thing, Value) or not isinstance(thing.type, Array):
            raise Broken("value", what=told(thing))
        indices = at if isinstance(at, tuple) else (at,)
        if len(indices) != thing.type.axes:
            raise Broken("index", what=f"{len(indices)} of {thing.type}")
        where, *others = map(self.position, indices)
        for column in others:
            where = self.b.add(self.b.mul(where, thing.parts[2]), column)
        return thing.type.item, self.b.gep(thing.parts[0], [where], inbounds=True)

    def position(self, index: Thing) -> ir.Value:
        """An index, from 0 on."""
        if isinstance(index, Known) and index.is_number and index.value < 0:
            raise Broken("negative", value=index.value, back=-index.value)
        if number(index).type.kind == "f":
            raise Broken("index", what=told(index))
        return cast(self.b, index, int64)

    def field(self, thing: Thing, record: type[Record], name: str) -> tuple[Number, ir.Value]:
        """The type of a record's field, and where it is."""
        if name not in record.places:
            raise Broken("field", record=record.__name__, name=name, fields=", ".join(record.places))
        return self.place(thing, Known(record.places[name]))

    def target_place(self, target: ast.expr) -> tuple[Number, ir.Value]:
        """The type of an element or a field that stands on the left, and where it is."""
        match target:
            case ast.Subscript(value=inner, slice=index) if not isinstance(index, ast.Slice):
                return self.place(self.value(inner), self.value(index))
            case ast.Attribute(value=inner, attr=name) if record := record_of(thing := self.value(inner)):
                return self.field(thing, record, name)
        raise self.construct(target)

    def load(self, item: Number, place: ir.Value) -> ir.Value:
        found = self.b.load(place)
        found.align = item.bytes
        return found

    def store(self, item: Number, thing: Thing, place: ir.Value) -> None:
        self.b.store(cast(self.b, thing, item), place).align = item.bytes

    # --- calls -------------------------------------------------------------------------------------------------------

    def call(self, called: Thing, arguments: tuple[Thing, ...], named: dict[str, Thing]) -> Thing:
        """The value of a call."""
        function = called.value if isinstance(called, Known) else None
        if isinstance(function, Compiled):
            return self.call_compiled(function, arguments, named)
        if named:
            raise Broken("construct", what=f"an argument by name, {next(iter(named))}", instead="give it by its place")
        if isinstance(function, Number):
            return converted(function).call(self.b, arguments)
        if isinstance(function, type) and issubclass(function, Record):
            return recorded(self.b, function, arguments)
        if isinstance(function, Emitted | View | Special):
            return function.call(self.b, arguments)
        if callable(function) and function in LIBRARY:
            return LIBRARY[function].call(self.b, arguments)
        raise Broken("call", called=told(called), known=KNOWN)

    def call_compiled(self, made: Compiled, arguments: tuple[Thing, ...], named: dict[str, Thing]) -> Thing:
        """The value of a call of a function of kernels."""
        function = made.function
        try:
            bound = inspect.signature(function).bind(*arguments, **named)
        except TypeError:
            count = len(arguments) + len(named)
            taken = len(inspect.signature(function).parameters)
            raise Broken("arguments", called=function.__name__, count=count, taken=taken) from None
        bound.apply_defaults()
        things = [x if isinstance(x, Value | Known | tuple) else known(x) for x in bound.arguments.values()]
        given = tuple(computed(x) for x in things)
        code, kind = self.unit.function(function, given, made.inline)
        found = self.b.call(code, parts(given))
        count = len(codes(kind))
        several = [found] if count == 1 else [self.b.extract_value(found, k) for k in range(count)]
        return of_type(kind, iter(several))


def is_value(thing: Thing) -> bool:
    """Whether a thing has parts alone, and can have a place."""
    return all(map(is_value, thing)) if isinstance(thing, tuple) else isinstance(thing, Value)


def record_of(thing: Thing) -> type[Record] | None:
    """What names the places of a thing, if they have names."""
    return thing.type.record if isinstance(thing, Value) and isinstance(thing.type, Array) else None


def met(x: Type, y: Type) -> Type:
    """The type in which two meet; None if there is none."""
    if x == y:
        return x
    if isinstance(x, tuple) and isinstance(y, tuple) and len(x) == len(y):
        inner = tuple(map(met, x, y))
        return None if None in inner else inner
    return common(x, y) if isinstance(x, Number) and isinstance(y, Number) else None


def shown(kind: Type) -> str:
    """A type, for people."""
    return "a tuple" if isinstance(kind, tuple) else repr(kind)
