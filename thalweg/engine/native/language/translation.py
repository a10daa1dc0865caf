"""From a function's syntax tree to LLVM's code, for arguments of certain types: its statements."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from llvmlite import ir

from thalweg.engine.native.language.number_operators import cast, operated, told, truth
from thalweg.engine.native.language.rules import Broken, source_of
from thalweg.engine.native.language.things import Known, Thing, Value, computed, known, like, parts, type_of
from thalweg.engine.native.language.translated_values import Expressions, Place, Widened, is_value, met, shown
from thalweg.engine.native.language.types import Array, Type, codes, int64
from thalweg.engine.native.language.unit import Made, Unit

MEMORY = ("load", "store", "call")


class Distinct(ir.values.MDValue):  # type: ignore[misc]
    """Metadata that equals no other."""

    def __init__(self, module: ir.Module, *told: ir.Value) -> None:
        super().__init__(module, told, str(len(module.metadata)))

    def descr(self, buf: list[str]) -> None:
        buf.append("distinct ")
        super().descr(buf)


@dataclass
class Loop:
    """A loop: where it goes on and where it ends, and whether it may end by a break."""

    following: ir.Block
    end: ir.Block
    broken: bool = False


class Translation(Expressions):
    """A function for arguments of certain types."""

    def __init__(self, unit: Unit, function: Callable[..., Any], arguments: tuple[Thing, ...], inline: bool) -> None:
        self.unit, self.function, self.arguments, self.inline = unit, function, arguments, inline
        self.source = source_of(function)
        self.types: dict[tuple[str, int], Type] = {}
        self.result: Type = None

    def made(self) -> Made:
        """The function's code, and the type of its result."""
        while True:
            try:
                self.translate()
            except Widened:
                self.unit.forget(self.code)
            except RecursionError:
                raise self.source.error(self.source.tree, Broken("depth", function=self.function.__name__)) from None
            else:
                return self.code, self.result

    def translate(self) -> None:
        """Makes the code, with what is known of the types so far."""
        given, results = parts(self.arguments), codes(self.result)
        whole = ir.VoidType() if not results else results[0] if len(results) == 1 else ir.LiteralStructType(results)
        kind = ir.FunctionType(whole, [part.type for part in given])
        self.code = ir.Function(self.unit.module, kind, self.unit.name(self.function))
        self.code.linkage = "internal"
        for attribute in ("nounwind", *["alwaysinline"] * self.inline):
            self.code.attributes.add(attribute)
        self.entry, body, self.exit = map(self.code.append_basic_block, ("entry", "body", "exit"))
        self.b = ir.IRBuilder(body)
        self.names: dict[str, Place | Thing] = {}
        self.assigned: set[str] = set()
        self.versions: Counter[str] = Counter()
        self.here = self.blocks = 0
        self.loops: list[Loop] = []
        self.depth = 0  # of blocks that may not be reached
        self.returned = [self.slot(code) for code in results]
        values = iter(self.code.args)
        for name, argument in zip(parameters(self.source.tree), self.arguments, strict=True):
            self.assign(name, like(argument, values))
        self.block(self.source.tree.body)
        if not self.b.block.is_terminated:
            if self.result is not None:
                raise self.source.error(self.source.tree.body[-1], Broken("return", function=self.function.__name__))
            self.b.branch(self.exit)
        ir.IRBuilder(self.entry).branch(body)
        self.leave(whole)

    def leave(self, whole: ir.Type) -> None:
        """Returns what was noted as the result."""
        b = ir.IRBuilder(self.exit)
        found = [b.load(slot) for slot in self.returned]
        if len(found) == 1:
            b.ret(found[0])
        elif found:
            together = ir.Constant(whole, ir.Undefined)
            for place, part in enumerate(found):
                together = b.insert_value(together, part, place)
            b.ret(together)
        else:
            b.ret_void()

    # --- statements --------------------------------------------------------------------------------------------------

    def block(self, body: Sequence[ast.stmt]) -> None:
        """Statements, up to one after which nothing is reached."""
        for node in body:
            if self.b.block.is_terminated:
                return
            try:
                self.statement(node)
            except Broken as broken:
                raise self.source.error(node, broken) from None

    def statement(self, node: ast.stmt) -> None:
        match node:
            case ast.Expr(value=value):
                if not isinstance(value, ast.Constant):
                    self.value(value)
            case ast.Pass() | ast.Assert():
                pass
            case ast.Assign(targets=targets, value=value):
                thing = computed(self.value(value))
                for target in targets:
                    self.target(target, thing)
            case ast.AugAssign(target=target, op=op, value=value):
                self.changed(target, op, value)
            case ast.Return(value=value):
                self.give(Known(None) if value is None else self.value(value))
            case ast.If():
                self.choice(node)
            case ast.While(test=test, body=body, orelse=[]):
                self.repeat(test, body)
            case ast.For(target=target, iter=over, body=body, orelse=[]):
                self.go_through(target, over, body)
            case ast.Break():
                self.loops[-1].broken = True
                self.b.branch(self.loops[-1].end)
            case ast.Continue():
                self.b.branch(self.loops[-1].following)
            case _:
                raise self.construct(node)

    def target(self, target: ast.expr, thing: Thing) -> None:
        """Gives a value to what stands on the left."""
        match target:
            case ast.Name(id=name):
                self.assign(name, thing)
            case ast.Tuple(elts=several):
                if not isinstance(thing, tuple) or len(thing) != len(several):
                    count = len(thing) if isinstance(thing, tuple) else 1
                    raise Broken("unpacking", count=count, taken=len(several))
                for inner, one in zip(several, thing, strict=True):
                    self.target(inner, one)
            case ast.Subscript(value=inner, slice=ast.Slice()):
                self.fill(self.subscript(self.value(inner), target.slice), thing)
            case _:
                item, place = self.target_place(target)
                self.store(item, thing, place)

    def changed(self, target: ast.expr, op: ast.operator, value: ast.expr) -> None:
        """target op= value; the place of an element is computed once."""
        if isinstance(target, ast.Name):
            return self.assign(target.id, operated(self.b, op, self.name(target.id), self.value(value)))
        item, place = self.target_place(target)
        old = Value(item, (self.load(item, place),))
        return self.store(item, operated(self.b, op, old, self.value(value)), place)

    def give(self, thing: Thing) -> None:
        """return thing"""
        if not (isinstance(thing, Known) and thing.value is None):
            thing = computed(thing)
            if not is_value(thing):
                raise Broken("value", what=told(thing))
            kind = type_of(thing)
            joint = kind if self.result is None else met(self.result, kind)
            if joint is None:
                raise Broken("operands", what="results", first=shown(self.result), second=shown(kind))
            if joint != self.result:
                self.result = joint
                raise Widened
            for slot, part in zip(self.returned, parts(self.cast(thing, joint)), strict=True):
                self.b.store(part, slot)
        elif self.result is not None:
            raise Broken("return", function=self.function.__name__)
        self.b.branch(self.exit)

    @contextmanager
    def inside(self) -> Iterator[None]:
        """A block that may not be reached: what is known in it, or is of another kind, ends with it."""
        before, outside = dict(self.names), self.here
        self.depth += 1
        self.blocks += 1
        self.here = self.blocks
        yield
        self.depth -= 1
        self.here = outside
        for name, thing in list(self.names.items()):
            if thing is not before.get(name, thing if isinstance(thing, Place) else None):
                self.assigned.discard(name)
                if name in before:
                    self.names[name] = before[name]

    def choice(self, node: ast.If) -> None:
        """if …: … else: …"""
        b, condition = self.b, truth(self.b, self.value(node.test))
        if isinstance(condition, ir.Constant):
            return self.block(node.body if condition.constant else node.orelse)
        then, other, join = (b.append_basic_block(name) for name in ("then", "else", "join"))
        b.cbranch(condition, then, other)
        before, after = self.assigned, []
        for begin, body in ((then, node.body), (other, node.orelse)):
            b.position_at_end(begin)
            self.assigned = {*before}
            with self.inside():
                self.block(body)
            if not b.block.is_terminated:
                b.branch(join)
                after.append(self.assigned)
        self.assigned = set.intersection(*after) if after else before
        b.position_at_end(join)
        if not after:
            b.unreachable()
        return None

    def repeat(self, test: ast.expr, body: Sequence[ast.stmt]) -> None:
        """while …: …"""
        b = self.b
        head, do, end = (b.append_basic_block(name) for name in ("while", "do", "end"))
        b.branch(head)
        b.position_at_end(head)
        condition = truth(b, self.value(test))
        endless = isinstance(condition, ir.Constant) and condition.constant
        b.cbranch(condition, do, end)
        b.position_at_end(do)
        before = {*self.assigned}
        self.loops.append(Loop(head, end))
        with self.inside():
            self.block(body)
        loop = self.loops.pop()
        self.assigned = before
        if not b.block.is_terminated:
            b.branch(head)
        b.position_at_end(end)
        if endless and not loop.broken:
            b.unreachable()

    def go_through(self, target: ast.expr, over: ast.expr, body: Sequence[ast.stmt]) -> None:
        """for … in range(…): …, or once for each of what is known."""
        if isinstance(over, ast.Call) and isinstance(over.func, ast.Name) and over.func.id in ("range", "independent"):
            ends = [cast(self.b, self.value(end), int64) for end in over.args]
            zero, one = (ir.Constant(int64.code, n) for n in (0, 1))
            if not 1 <= len(ends) <= 3:
                raise Broken("loop")
            start, stop, step = (zero, ends[0], one) if len(ends) == 1 else (*ends, one)[:3]
            if isinstance(step, ir.Constant) and step.constant == 0:
                raise Broken("known", what="a range", error="its step is 0")

            def each(i: ir.Value) -> None:
                self.target(target, Value(int64, (i,)))
                with self.inside():
                    self.block(body)

            return self.loop(start, stop, step, each, over.func.id == "independent")
        several = self.value(over)
        if isinstance(several, Known) and isinstance(several.value, range):
            several = known(tuple(several.value))
        if not isinstance(several, tuple):
            raise Broken("loop")
        if any(map(leaves, body)):
            raise Broken("unrolled")
        for thing in several:
            if not self.b.block.is_terminated:
                self.target(target, thing)
                self.block(body)
        return None

    def loop(
        self, start: ir.Value, stop: ir.Value, step: ir.Value, body: Callable[[ir.Value], None], apart: bool = False
    ) -> None:
        """Counts from start to before stop. apart: no time needs what another writes."""
        b, slot = self.b, self.slot(int64.code)
        b.store(start, slot)
        head, do, following, end = (b.append_basic_block(name) for name in ("for", "do", "next", "end"))
        b.branch(head)
        b.position_at_end(head)
        i = b.load(slot)
        if isinstance(step, ir.Constant):
            goes_on = b.icmp_signed("<" if step.constant > 0 else ">", i, stop)
        else:
            rises = b.icmp_signed(">", step, ir.Constant(int64.code, 0))
            goes_on = b.select(rises, b.icmp_signed("<", i, stop), b.icmp_signed(">", i, stop))
        b.cbranch(goes_on, do, end)
        b.position_at_end(do)
        before = {*self.assigned}
        self.loops.append(Loop(following, end))
        body(i)
        self.loops.pop()
        self.assigned = before
        if not b.block.is_terminated:
            b.branch(following)
        b.position_at_end(following)
        b.store(b.add(i, step, flags=("nsw",)), slot)
        again = b.branch(head)
        if apart:
            self.promise(again, (do, *self.code.blocks[self.code.blocks.index(end) + 1 :]), (end, self.exit))
        b.position_at_end(end)

    def promise(self, again: ir.Instruction, body: Sequence[ir.Block], outside: Sequence[ir.Block]) -> None:
        """Tells LLVM that no time around the loop of these blocks needs what another writes: it needs no check of that
        to make vectors of them. A function that is called becomes part of the loop, with the call's group."""
        group = Distinct(self.unit.module)
        for block in body:
            if any(place in outside for place in block.terminator.operands):
                raise Broken("independent")
            for each in block.instructions:
                reached = each.operands[-1] if each.opname in ("load", "store") else None
                if each.opname in MEMORY and not isinstance(reached, ir.AllocaInstr):
                    each.metadata.setdefault("llvm.access.group", group)
        word, loop = ir.MetaDataString(self.unit.module, "llvm.loop.parallel_accesses"), Distinct(self.unit.module)
        loop.operands = (loop, Distinct(self.unit.module, word, group))
        again.set_metadata("llvm.loop", loop)

    def fill(self, array: Thing, thing: Thing) -> None:
        """x[i:j] = a number, or the elements of another array."""
        assert isinstance(array, Value)
        item = array.type.item
        of_array = isinstance(thing, Value) and isinstance(thing.type, Array)
        same = None if of_array else cast(self.b, thing, item)

        def write(i: ir.Value) -> None:
            found = same
            if found is None:
                assert isinstance(thing, Value)
                each = self.b.load(self.b.gep(thing.parts[0], [i], inbounds=True))
                found = cast(self.b, Value(thing.type.item, (each,)), item)
            self.b.store(found, self.b.gep(array.parts[0], [i], inbounds=True))

        zero, one = (ir.Constant(int64.code, n) for n in (0, 1))
        self.loop(zero, array.parts[1], one, write)


def leaves(node: ast.AST) -> bool:
    """Whether a break or continue in it is that of a loop around it."""
    inner = isinstance(node, ast.For | ast.While)
    return isinstance(node, ast.Break | ast.Continue) or (not inner and any(map(leaves, ast.iter_child_nodes(node))))


def parameters(tree: ast.FunctionDef) -> list[str]:
    """The names of a function's parameters, in Python's order."""
    given = tree.args
    starred = [given.vararg] if given.vararg else []
    return [each.arg for each in (*given.posonlyargs, *given.args, *starred, *given.kwonlyargs)]


def translated(unit: Unit, function: Callable[..., Any], arguments: tuple[Thing, ...], inline: bool) -> Made:
    """A function's code for these arguments, and the type of its result."""
    return Translation(unit, function, arguments, inline).made()
