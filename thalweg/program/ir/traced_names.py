"""What a reference may call when it is traced, by name, and what values in it are, as far as its text tells."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np

FUNCTIONS = frozenset({
    "amax", "amin", "concatenate", "stack", "split", "pad", "take", "take_along_axis", "moveaxis", "flip", "einsum",
    "clip", "broadcast_to", "repeat", "sort", "argsort", "lexsort", "bincount", "mean", "transpose", "swapaxes",
    "reshape", "ravel", "ndim", "shape", "cumsum", "cumprod", "ones_like", "zeros_like", "full_like", "result_type",
    "expand_dims", "sum", "max", "min", "prod", "all", "any", "argmax", "argmin", "where",
})  # fmt: skip
"""NumPy's functions for which graphs have a rule, besides elementwise ones: `graphs/value_functions.py` has them."""
OWN = frozenset({"asarray", "full", "ones", "zeros", "arange"})
"""Those that only `xp` itself has for what is traced."""
METHODS = frozenset({
    "reshape", "transpose", "swapaxes", "astype", "copy", "ravel", "cumsum", "repeat", "sum", "mean", "max", "min",
    "prod", "all", "any", "argmax",
})  # fmt: skip
"""What an array that is traced can be asked to do: `graphs/traced_values.py`."""
KNOWN = ("ndim", "shape", "size", "dtype", "result_type")  # of an array, before there are numbers
STEP = ("iteration", "update", "learning_rate", "penalties", "order")  # of a step, not before
INSTEAD = {
    "array": "xp.asarray(x), or xp.stack of several", "dot": "x @ y", "inner": "xp.einsum", "tensordot": "xp.einsum",
    "outer": "x[:, None] * y", "var": "xp.mean((x - xp.mean(x)) ** 2)", "squeeze": "x.reshape(…)",
    "std": "xp.sqrt(xp.mean((x - xp.mean(x)) ** 2))", "round": "xp.rint(x)", "tile": "xp.repeat, or xp.concatenate",
    "roll": "xp.concatenate of two parts", "linalg.norm": "xp.sqrt((x * x).sum())", "vstack": "xp.concatenate",
    "nan_to_num": "xp.where(x == x, x, 0)", "hstack": "xp.concatenate(…, axis=1)", "flatten": "x.ravel()",
}  # fmt: skip


def advice(name: str, home: str = "xp") -> str:
    """What to write for a name without a rule: what does the same, or the nearest name, of `xp` or of an array, "x"."""
    if name in INSTEAD:
        return f"write {INSTEAD[name]}"
    import difflib

    names = METHODS if home == "x" else {*OWN, *filter(known, dir(np))} - {"amax", "amin"}
    near = difflib.get_close_matches(name.rpartition(".")[2], sorted(names), n=1)
    every = ", ".join(sorted(FUNCTIONS))
    return f"did you mean {home}.{near[0]}?" if near else f"write it by elementwise functions of xp and its {every}"


def known(name: str) -> bool:
    """Whether graphs have a rule for a function of NumPy's, by its name."""
    f = getattr(np, name, None)
    return name in FUNCTIONS or (isinstance(f, np.ufunc) and f.nout == 1 and (not f.signature or name == "matmul"))


@dataclass(frozen=True)
class Many:
    """Several values one by one: a list, a generator, a dict's values."""

    of: Any


@dataclass(frozen=True)
class Inner:
    """A function within a function."""

    node: Any


Kind = Any
"""What a value is: PLAIN, MADE, ARRAY, one for each of a tuple, Many or Inner; or XP, STATE, SELF."""
PLAIN, MADE, ARRAY = 0, 1, 2  # no array, one that depends on no operand, one that does
XP, STATE, SELF = "xp", "step", "self"


def level(kind: Kind) -> int:
    """The highest of a value and its parts."""
    if isinstance(kind, Many):
        return level(kind.of)
    if isinstance(kind, tuple):
        return max(map(level, kind), default=PLAIN)
    return kind if isinstance(kind, int) else PLAIN


def element(kind: Kind) -> Kind:
    """What each of several values is."""
    if isinstance(kind, Many):
        return kind.of
    return reduce(either, kind, PLAIN) if several(kind) else level(kind)


def several(kind: Kind) -> bool:
    return isinstance(kind, tuple | Many)


def either(one: Kind, other: Kind) -> Kind:
    """What a value is that may be one or the other; None and numbers leave it open."""
    if one == other or other == PLAIN:
        return one
    if one == PLAIN:
        return other
    if several(one) and several(other):
        if isinstance(one, tuple) and isinstance(other, tuple) and len(one) == len(other):
            return tuple(map(either, one, other))
        return Many(either(element(one), element(other)))
    return max(level(one), level(other))
