"""Whether references can be traced, by their text alone: what can't be is refused with its line and what to write.

Names are followed from the operands on, into functions that take `xp` or stand in the same file. What isn't known
counts as no array unless it is made with `xp`: what gets by is refused when it is first traced.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import math
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import reduce
from types import ModuleType
from typing import Any, NoReturn

import numpy as np

from thalweg.errors import ThalwegError
from thalweg.program.ir.traced_names import (
    ARRAY,
    KNOWN,
    MADE,
    METHODS,
    OWN,
    PLAIN,
    SELF,
    STATE,
    STEP,
    XP,
    Inner,
    Kind,
    Many,
    advice,
    either,
    element,
    known,
    level,
    several,
)

WHERE = "write xp.where(condition, a, b)"
NEW = "an array that is given never changes: "
DECIDES = "numbers that aren't there yet can't decide; "


def check(kind: type) -> None:
    """Refuses a class whose reference can't be traced. One whose text isn't kept, as where it was typed at a prompt
    that keeps none, is checked when it is first traced, as are functions that are written below the class.

    Raises:
        ThalwegError: file, line, what stands there and what to write.
    """
    reference = kind.reference  # type: ignore[attr-defined]
    if inspect.isfunction(reference):
        fields = vars(kind)["__dataclass_fields__"]
        names = list(inspect.signature(reference).parameters)[2:]
        several = {n for n in names if n in fields and "tuple" in str(fields[n].type).lower()}
        given = [STATE if n == "step" else Many(ARRAY) if n in several else ARRAY for n in names]
        Reader(kind, {}).of(reference, [SELF, XP, *given], {})


class Reader:
    """Reads a function whose arguments are known by kind. kind: the instruction's class."""

    def __init__(self, kind: type, seen: dict[Any, Kind]) -> None:
        self.cls, self.seen = kind, seen
        self.names: dict[str, Kind] = {}
        self.returned: list[Kind] = []
        self.active: list[ast.AST] = []

    def of(self, function: Any, arguments: Sequence[Kind], named: dict[str, Kind]) -> Kind:
        """What a function returns; where its text isn't kept, what it is given."""
        key = function, repr((arguments, named))
        if key in self.seen:
            return self.seen[key]
        self.seen[key] = PLAIN  # where it calls itself
        try:
            lines, first = inspect.getsourcelines(function)
            (node,) = ast.parse(textwrap.dedent("".join(lines))).body
        except (OSError, TypeError, ValueError, SyntaxError):
            return level((*arguments, *named.values()))
        if not isinstance(node, ast.FunctionDef):
            return level((*arguments, *named.values()))
        self.function, self.file = function, inspect.getsourcefile(function)
        ast.increment_lineno(node, first - 1)
        self.seen[key] = self.called(node, arguments, named)
        return self.seen[key]

    def refuse(self, node: Any, why: str) -> NoReturn:
        raise ThalwegError(
            f"{self.file}, line {node.lineno}: {self.cls.__name__}.reference can't be traced at "
            f"`{ast.unparse(node).splitlines()[0]}`: {why}"
        )

    def decide(self, test: ast.expr, at: Any = None, write: str = WHERE) -> None:
        """A value that decides which way to go."""
        if self.kind(test) == ARRAY:
            self.refuse(at or test, f"{DECIDES}{write}")

    @contextmanager
    def scope(self) -> Iterator[None]:
        """Names given within go again."""
        names, self.names = self.names, {**self.names}
        yield
        self.names = names

    def called(self, node: Any, arguments: Sequence[Kind], named: dict[str, Kind]) -> Kind:
        """What a function of this text returns."""
        if node in self.active:
            return PLAIN
        self.active.append(node)
        a, returned, self.returned = node.args, self.returned, []
        with self.scope():
            parameters = [p.arg for p in (*a.posonlyargs, *a.args)]
            self.names |= dict.fromkeys([*parameters, *(p.arg for p in a.kwonlyargs)], PLAIN) | named
            self.names |= dict(zip(parameters, arguments, strict=False))
            if a.vararg:
                self.names[a.vararg.arg] = tuple(arguments[len(parameters) :])
            if isinstance(node, ast.Lambda):
                self.returned.append(self.kind(node.body))
            else:
                self.run(node.body)
        self.active.pop()
        found, self.returned = reduce(either, self.returned, PLAIN), returned
        return found

    # --- statements ---

    def run(self, body: Sequence[ast.stmt]) -> None:
        for s in body:
            self.statement(s)

    def join(self, names: dict[str, Kind]) -> None:
        """The other way's names: afterwards each may be what either makes of it."""
        self.names = {n: either(self.names.get(n, PLAIN), names.get(n, PLAIN)) for n in {**self.names, **names}}

    def told(self, test: ast.expr) -> None:
        """Where isinstance says what a name is, it may be a number."""
        for call in ast.walk(test):
            if isinstance(call, ast.Call) and ast.unparse(call.func) == "isinstance":
                self.names |= {a.id: PLAIN for a in call.args[:1] if isinstance(a, ast.Name)}

    def again(self, body: Sequence[ast.stmt]) -> None:
        """Any number of times."""
        for _ in range(2):
            before = self.names
            self.names = {**before}
            self.run(body)
            self.join(before)

    def statement(self, s: ast.stmt) -> None:
        match s:
            case ast.Assign(targets, value):
                found = self.kind(value)
                for target in targets:
                    self.bind(target, found, s)
            case ast.AnnAssign(target, _, ast.expr() as value):
                self.bind(target, self.kind(value), s)
            case ast.AugAssign(target, op, value):
                before, found = self.kind(target), self.kind(value)
                if before == ARRAY:
                    operation = ast.unparse(ast.BinOp(target, op, value))
                    self.refuse(s, f"{NEW}write {ast.unparse(target)} = {operation}")
                self.bind(target, either(before, found), s)
            case ast.For(target, iterated, body):
                self.bind(target, element(self.kind(iterated)), s)
                self.again([*body, *s.orelse])
            case ast.While(test, body):
                self.decide(test)
                self.again([*body, *s.orelse])
                self.decide(test)
            case ast.If(test, body, other):
                self.decide(test)
                with self.scope():
                    self.told(test)
                    self.run(body)
                    after = self.names
                self.run(other)
                if not isinstance(body[-1], ast.Return | ast.Raise):
                    self.join(after)
            case ast.Match(subject, cases):
                self.decide(subject)
                for c in cases:
                    self.run(c.body)
            case ast.Return(ast.expr() as value):
                self.returned.append(self.kind(value))
            case ast.Assert(test):
                self.decide(test, write="leave it out, or ask for its shape")
            case ast.FunctionDef(name):
                self.names[name] = Inner(s)
            case _:
                for part in ast.iter_child_nodes(s):
                    if isinstance(part, ast.expr):
                        self.kind(part)
                for body in (getattr(s, name, []) for name in ("body", "orelse", "finalbody")):
                    self.run(body)

    def bind(self, target: ast.expr, found: Kind, at: Any) -> None:
        """What a name, or several, become."""
        match target:
            case ast.Name(name):
                self.names[name] = found
            case ast.Tuple(parts) | ast.List(parts):
                exact = isinstance(found, tuple) and len(found) == len(parts)
                for k, part in enumerate(parts):
                    self.bind(part, found[k] if exact else element(found), at)
            case ast.Starred(value):
                self.bind(value, Many(found), at)
            case ast.Subscript(value):
                whole = self.kind(value)
                if whole in (ARRAY, MADE):
                    write = f"write {ast.unparse(value)} = xp.where(places, new, {ast.unparse(value)})"
                    self.refuse(at, f"{NEW}{write}, or make it of parts by xp.concatenate or xp.stack")
                if isinstance(value, ast.Name):
                    self.names[value.id] = Many(either(element(whole), found)) if several(whole) else whole

    # --- expressions ---

    def kind(self, e: ast.expr) -> Kind:
        match e:
            case ast.Name(name):
                return self.names.get(name, PLAIN)
            case ast.Attribute(value, name):
                of = self.kind(value)
                if of == STATE:
                    return ARRAY if name in STEP else PLAIN
                return PLAIN if name in KNOWN else level(of)
            case ast.Tuple(parts) if not any(isinstance(p, ast.Starred) for p in parts):
                return tuple(map(self.kind, parts))
            case ast.Tuple(parts) | ast.List(parts) | ast.Set(parts):
                found = [element(self.kind(p.value)) if isinstance(p, ast.Starred) else self.kind(p) for p in parts]
                return Many(reduce(either, found, PLAIN))
            case ast.Dict(_, values):
                return Many(reduce(either, map(self.kind, values), PLAIN))
            case ast.Compare(left, ops, others):
                return self.compared(e, [left, *others], ops)
            case ast.BoolOp(op, values):
                write = f"write xp.logical_{'and' if isinstance(op, ast.And) else 'or'}(a, b)"
                for value in values[:-1]:
                    self.decide(value, e, write)
                return reduce(either, map(self.kind, values))
            case ast.UnaryOp(ast.Not(), value):
                self.decide(value, e, "write xp.logical_not(a)")
                return PLAIN
            case ast.IfExp(test, one, other):
                self.decide(test, e)
                with self.scope():
                    self.told(test)
                    found = self.kind(one)
                return either(found, self.kind(other))
            case ast.Subscript(value, place):
                return self.part(self.kind(value), place)
            case ast.BinOp(left, _, right):
                both = self.kind(left), self.kind(right)
                holders = [k for k in both if several(k)]
                return Many(reduce(either, map(element, holders))) if holders and ARRAY not in both else level(both)
            case ast.NamedExpr(target, value):
                self.bind(target, found := self.kind(value), e)
                return found
            case ast.Lambda():
                return Inner(e)
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
                with self.scope():
                    for loop in e.generators:
                        self.bind(loop.target, element(self.kind(loop.iter)), e)
                        for test in loop.ifs:
                            self.decide(test, e)
                    return Many(self.kind(e.value if isinstance(e, ast.DictComp) else e.elt))
            case ast.Call():
                return self.call(e)
            case ast.Yield(ast.expr() as value):
                self.returned.append(Many(self.kind(value)))
                return PLAIN
        return level(tuple(self.kind(part) for part in ast.iter_child_nodes(e) if isinstance(part, ast.expr)))

    def compared(self, e: ast.expr, values: Sequence[ast.expr], ops: Sequence[ast.cmpop]) -> Kind:
        kinds = [self.kind(v) for v in values]
        if all(isinstance(op, ast.Is | ast.IsNot) for op in ops):
            return PLAIN
        if isinstance(ops[0], ast.In | ast.NotIn):
            if ARRAY in kinds:
                self.refuse(e, f"{DECIDES}write xp.any(x == number)")
            return PLAIN
        if len(ops) > 1 and ARRAY in kinds:
            self.refuse(e, "of two comparisons the first decides; write xp.logical_and(a < x, x < b)")
        return PLAIN if any(map(several, kinds)) and ARRAY not in kinds else level(tuple(kinds))

    def part(self, of: Kind, place: ast.expr) -> Kind:
        self.kind(place)
        if not several(of):
            return level(of)
        if isinstance(place, ast.Slice):
            return Many(element(of))
        if isinstance(place, ast.Constant) and isinstance(of, tuple) and place.value in range(len(of)):
            return of[place.value]  # type: ignore[index]
        return element(of)

    # --- calls ---

    def call(self, e: ast.Call) -> Kind:
        unpacked = any(isinstance(a, ast.Starred) for a in e.args) or any(k.arg is None for k in e.keywords)
        given = [self.kind(a.value if isinstance(a, ast.Starred) else a) for a in e.args]
        named = {k.arg or "": self.kind(k.value) for k in e.keywords}
        touched, f = level((*given, *named.values())), e.func
        if isinstance(f, ast.Attribute) and (path := self.library(f)):
            return self.numpy(e, path, touched)
        on = self.kind(f.value) if isinstance(f, ast.Attribute) else PLAIN
        if isinstance(f, ast.Attribute) and on in (ARRAY, MADE):
            return self.method(e, f, max(on, touched))
        if isinstance(f, ast.Attribute) and several(on):
            return self.held(f, on, given)
        if isinstance(f, ast.Attribute) and on == STATE:
            return ARRAY if f.attr == "drawn" else PLAIN
        if isinstance(f, ast.Name) and isinstance(inner := self.names.get(f.id), Inner):
            return (ARRAY if touched else PLAIN) if unpacked else self.called(inner.node, given, named)
        found = inspect.getattr_static(self.cls, f.attr, None) if on == SELF else self.object(f)  # type: ignore[attr-defined]
        called = str(getattr(found, "__name__", ""))
        if found is not None and getattr(builtins, called, None) is found:
            return self.builtin(e, called, given, named)
        if isinstance(found, np.ufunc) or str(getattr(found, "__module__", "")).partition(".")[0] == "numpy":
            return self.numpy(e, f"np.{called}", touched) if not isinstance(found, type) else touched
        if touched == ARRAY and found is not None and getattr(math, called, None) is found:
            self.refuse(e, f"it takes one number; write xp.{called}" if known(called) else WHERE)
        if on == SELF and inspect.isfunction(found):
            given = [SELF, *given]
        found = getattr(found, "__func__", found)
        with_xp = XP in given or XP in named.values()
        near = getattr(found, "__module__", "") == self.function.__module__
        if inspect.isfunction(found) and not unpacked and (with_xp or (touched == ARRAY and near)):
            return Reader(self.cls, self.seen).of(inspect.unwrap(found), given, named)
        return touched if with_xp else PLAIN

    def object(self, f: ast.expr) -> Any:
        """What stands outside the function under a name; None if it isn't known."""
        if isinstance(f, ast.Attribute):
            home = self.object(f.value)
            return getattr(home, f.attr, None) if isinstance(home, ModuleType | type) else None
        if not isinstance(f, ast.Name) or f.id in self.names:
            return None
        cells = zip(self.function.__code__.co_freevars, self.function.__closure__ or (), strict=True)
        for name, cell in cells:
            if name == f.id:
                try:
                    return cell.cell_contents
                except ValueError:  # what is still to come
                    return None
        return self.function.__globals__.get(f.id, getattr(builtins, f.id, None))

    def library(self, f: ast.expr) -> str:
        """A function of NumPy's, as "xp.linalg.norm", or "np.linalg.norm" if it isn't that of `xp`; "" for others."""
        if isinstance(f, ast.Attribute):
            home = self.library(f.value)
            return home and f"{home}.{f.attr}"
        if not isinstance(f, ast.Name):
            return ""
        return "xp" if self.kind(f) == XP else "np" if self.object(f) is np else ""

    def numpy(self, e: ast.Call, path: str, touched: int) -> Kind:
        home, _, name = path.partition(".")
        if name.startswith("random."):
            self.refuse(e, "what it draws would be a constant; write step.drawn(xp, self.stream, shape)")
        if touched != ARRAY:
            return MADE if home == "xp" else PLAIN
        self.check_out(e)
        if isinstance(getattr(np, name, None), type):
            self.refuse(e, f"write x.astype({path})")
        if name in OWN and home != "xp":
            self.refuse(e, f"write xp.{name}")
        if not known(name) and name not in OWN:
            self.refuse(e, f"{path} has no rule; {advice(name)}")
        return PLAIN if name in KNOWN else Many(ARRAY) if name == "split" else ARRAY

    def method(self, e: ast.Call, f: ast.Attribute, touched: int) -> Kind:
        if touched != ARRAY:
            return MADE
        self.check_out(e)
        if f.attr in ("item", "tolist"):
            self.refuse(e, f"its numbers aren't there yet; compute with {ast.unparse(f.value)} itself")
        if f.attr not in METHODS and hasattr(np.ndarray, f.attr):
            write = f"write xp.{f.attr}(x, …)" if known(f.attr) else advice(f.attr, "x")
            self.refuse(e, f"x.{f.attr} has no rule; {write}")
        return ARRAY

    def check_out(self, e: ast.Call) -> None:
        if any(k.arg == "out" for k in e.keywords):
            self.refuse(e, f"{NEW}leave out= away, and take what is returned")

    def held(self, f: ast.Attribute, on: Kind, given: Sequence[Kind]) -> Kind:
        """A method of a list or a dict."""
        if f.attr in ("append", "insert", "add", "extend", "update", "setdefault") and isinstance(f.value, ast.Name):
            new = element(given[-1]) if f.attr in ("extend", "update") else given[-1]
            self.names[f.value.id] = Many(either(element(on), new))
        if f.attr == "items":
            return Many((PLAIN, element(on)))
        return {"values": Many(element(on)), "copy": on}.get(f.attr, element(on) if f.attr in ("pop", "get") else PLAIN)

    def builtin(self, e: ast.Call, name: str, given: Sequence[Kind], named: dict[str, Kind]) -> Kind:
        first = given[0] if given else PLAIN
        if name in ("float", "int", "bool", "complex") and first == ARRAY:
            write = "xp.trunc(x)" if name == "int" else "x.astype(dtype), or x itself"
            self.refuse(e, f"its numbers aren't there yet; write {write}")
        if name == "range" and ARRAY in given:
            self.refuse(e, f"{DECIDES}go on for as long as may be, and {WHERE}")
        compared = [element(first)] if len(given) == 1 else given
        if name in ("max", "min", "any", "all", "sorted") and ARRAY in compared and "key" not in named:
            own = {"max": "xp.maximum(a, b), or xp.max", "min": "xp.minimum(a, b), or xp.min", "sorted": "xp.sort"}
            self.refuse(e, f"{DECIDES}write {own.get(name, f'xp.{name}')}")
        if name == "round" and first == ARRAY:
            self.refuse(e, "it takes one number; write xp.rint(x)")
        if name == "enumerate":
            return Many((PLAIN, element(first)))
        if name == "zip":
            exact = not any(isinstance(a, ast.Starred) for a in e.args)
            return Many(tuple(map(element, given)) if exact else Many(element(element(first))))
        if name in ("list", "tuple", "reversed", "set", "iter", "sorted"):
            return Many(element(first))
        if name in ("next", "sum", "max", "min"):
            return reduce(either, compared, PLAIN)
        if name == "dict":
            return Many(reduce(either, [*named.values(), element(first)]))
        return Many(level(tuple(given))) if name in ("map", "filter") else first if name in ("abs", "pow") else PLAIN
