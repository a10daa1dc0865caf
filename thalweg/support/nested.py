"""Lists, tuples and dicts of values, nested in each other: what Keras calls a structure; and the parts of a batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

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
