"""Lists, tuples and dicts of values, nested in each other: what Keras calls a structure; and the parts of a batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any

import numpy as np

from thalweg.errors import ArgumentError


def leaves(structure: Any) -> Iterator[Any]:
    """Every value that is no list, tuple or dict, in order; None is left out.

    >>> list(leaves([1, {"b": (2, 3)}, None]))
    [1, 2, 3]
    """
    if isinstance(structure, dict):
        structure = list(structure.values())
    if isinstance(structure, (list, tuple)):
        for inner in structure:
            yield from leaves(inner)
    elif structure is not None:
        yield structure


def mapped(structure: Any, change: Callable[[Any], Any]) -> Any:
    """The same structure with every value changed; None stays.

    >>> mapped([1, {"b": (2, 3)}], lambda n: n * 10)
    [10, {'b': (20, 30)}]
    """
    if isinstance(structure, dict):
        return {key: mapped(inner, change) for key, inner in structure.items()}
    if isinstance(structure, (list, tuple)):
        changed = [mapped(inner, change) for inner in structure]
        return changed if isinstance(structure, list) else tuple(changed)
    return structure if structure is None else change(structure)


TUPLE = "__tuple__"  # as in Keras's files


def for_json(structure: Any, where: str = "") -> Any:
    """A copy for JSON that `of_json` turns back into an equal one, tuples included.

    Raises:
        ArgumentError: a value in it that JSON can't hold; where: the class or name to which it belongs.

    >>> for_json({"size": (2, 3)}), of_json(for_json({"size": (2, 3)}))
    ({'size': {'class_name': '__tuple__', 'items': [2, 3]}}, {'size': (2, 3)})
    """
    if isinstance(structure, np.generic):
        structure = structure.item()
    if isinstance(structure, list) or type(structure) is tuple:
        items = [for_json(inner, where) for inner in structure]
        return items if isinstance(structure, list) else {"class_name": TUPLE, "items": items}
    if isinstance(structure, dict) and all(isinstance(key, str) for key in structure):
        where = structure.get("class_name", where)
        return {
            key: for_json(inner, f"{where}'s {key}" if where and key != "config" else where or key)
            for key, inner in structure.items()
        }
    if structure is None or (isinstance(structure, (int, float, str)) and not isinstance(structure, Enum)):
        return structure
    raise ArgumentError(
        f"a file can't hold {where}, of the type {type(structure).__name__}: it holds numbers, texts, None, and lists, "
        "tuples and dicts of them, by texts"
    )


def of_json(structure: Any) -> Any:
    """What `for_json` was given."""
    if isinstance(structure, list):
        return [of_json(inner) for inner in structure]
    if isinstance(structure, dict) and structure.get("class_name") == TUPLE:
        return tuple(of_json(inner) for inner in structure["items"])
    return {k: of_json(inner) for k, inner in structure.items()} if isinstance(structure, dict) else structure


def pack_x_y_sample_weight(x: Any, y: Any = None, sample_weight: Any = None) -> Any:
    """x, (x, y) or (x, y, sample_weight); an x alone that is a list or tuple becomes (x,).

    >>> pack_x_y_sample_weight(1, 2)
    (1, 2)
    """
    if sample_weight is not None:
        return x, y, sample_weight
    if y is not None:
        return x, y
    return (x,) if isinstance(x, (list, tuple)) else x


def unpack_x_y_sample_weight(data: Any) -> tuple[Any, Any, Any]:
    """(x, y, sample_weight) of what a `train_step` gets, with None for what isn't there.

    Raises:
        ArgumentError: more than three parts.

    >>> unpack_x_y_sample_weight((1, 2))
    (1, 2, None)
    """
    parts = tuple(data) if isinstance(data, (list, tuple)) else (data,)
    if not 1 <= len(parts) <= 3:
        raise ArgumentError(f"a batch is x, (x, y) or (x, y, sample_weight), got {len(parts)} parts")
    x, y, sample_weight = (*parts, None, None)[:3]
    return x, y, sample_weight
