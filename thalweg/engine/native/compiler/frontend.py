"""numba's way from a Python function to LLVM IR, without what it does again and again.

While one of our kernels is compiled, some of numba's functions are replaced by others that return the same in less
time; what they leave out would only matter to whoever edits a kernel while it is compiled. numba's own compiling, of
users' functions, isn't touched: all of it happens under numba's lock.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any

from numba.core import ir
from numba.core.base import BaseContext
from numba.core.inline_closurecall import InlineWorker
from numba.core.registry import cpu_target

PACKAGE = __name__.partition(".")[0] + "."

_inlined: dict[Any, Any] = {}  # numba's IR of functions that are inlined, which it would make for each of their calls
_sizes: dict[str, int] = {}  # bytes of LLVM's types, for each of which numba asks LLVM by a module of its own


@contextmanager
def sooner() -> Iterator[None]:
    """Within it, numba compiles faster. The caller holds numba's lock."""
    replaced = [
        (cpu_target.typing_context, "resolve_function_type", resolver()),
        (InlineWorker, "run_untyped_passes", untyped),
        (BaseContext, "get_abi_sizeof", size_of),
        (ir.Inst, "_rec_list_vars", variables),
        (ir.Scope, "__deepcopy__", copy_of_scope),
        (ir.Loc, "__deepcopy__", lambda place, memo: place),  # nobody changes one
    ]
    before = [(owner, name, vars(owner).get(name)) for owner, name, _ in replaced]
    try:
        for owner, name, function in replaced:
            setattr(owner, name, function)
        yield
    finally:
        for owner, name, function in before:
            if function is None:
                delattr(owner, name)
            else:
                setattr(owner, name, function)


def resolver() -> Callable[..., Any]:
    """What finds the signature of a call, by the types of its arguments: once for each, for one kernel.

    numba goes through some twenty candidates for each + and −, and again whenever it has learnt of other types.
    """
    real = cpu_target.typing_context.resolve_function_type
    found: dict[Hashable, Any] = {}

    def resolve(function: Any, arguments: tuple[Any, ...], named: Any) -> Any:
        try:
            known = not named and found.get((function, arguments))
        except TypeError:  # an index that is a slice
            return real(function, arguments, named)
        signature = known or real(function, arguments, named)
        if signature is not None and not named:
            found[function, arguments] = signature
        return signature

    return resolve


_untyped = InlineWorker.run_untyped_passes


def untyped(worker: Any, function: Any, enable_ssa: bool = False) -> Any:
    """numba's IR of a function to be inlined. Whoever inlines it copies it."""
    if enable_ssa or not function.__module__.startswith(PACKAGE):
        return _untyped(worker, function, enable_ssa)
    if function not in _inlined:
        _inlined[function] = _untyped(worker, function, enable_ssa)
    return _inlined[function]


_size_of = BaseContext.get_abi_sizeof


def size_of(context: Any, kind: Any) -> int:
    """The bytes of an LLVM type on the target."""
    name = str(kind)
    if name not in _sizes:
        _sizes[name] = _size_of(context, kind)
    return _sizes[name]


def variables(_: Any, value: Any) -> list[Any]:
    """The variables in a value of numba's IR, in order."""
    found: list[Any] = []
    collect(value, found)
    return found


def collect(value: Any, found: list[Any]) -> None:
    """Appends the variables in a value."""
    how = COLLECT.get(type(value))
    if how is None:
        bases = [base for base in (ir.Var, ir.Inst, list, tuple, dict) if isinstance(value, base)]
        how = COLLECT[type(value)] = COLLECT[bases[0]] if bases else nothing
    how(value, found)


def nothing(value: Any, found: list[Any]) -> None:
    """Most values are names and places, in which there are none."""


def collect_each(values: Any, found: list[Any]) -> None:
    for value in values:
        collect(value, found)


COLLECT: dict[type, Callable[[Any, list[Any]], None]] = {
    ir.Var: lambda value, found: found.append(value),
    ir.Inst: lambda value, found: found.extend(value.list_vars()),
    list: collect_each,
    tuple: collect_each,
    dict: lambda values, found: collect_each(values.values(), found),
}


def copy_of_scope(scope: Any, memo: dict[int, Any]) -> Any:
    """A copy of a scope and its variables. numba makes one for each block of a function that is inlined."""
    memo[id(scope)] = copied = ir.Scope(scope.parent, scope.loc)
    copied.redefined.update(scope.redefined)
    copied.var_redefinitions.update((name, set(names)) for name, names in scope.var_redefinitions.items())
    for name, variable in scope.localvars._con.items():
        memo[id(variable)] = copied.localvars._con[name] = ir.Var(copied, variable.name, variable.loc)
    return copied
