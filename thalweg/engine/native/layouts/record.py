"""Tables of numbers whose places have names: the same for Python, which has an array, and for kernels."""

from __future__ import annotations

from inspect import get_annotations
from typing import Any, ClassVar

LINE = 8  # numbers in a cache line


class Field(int):
    """A place in a table: of a record what stands there, of its class the place itself."""

    def __get__(self, record: Record | None, owner: type[Record]) -> Any:
        return int(self) if record is None else record.numbers[self]

    def __set__(self, record: Record, value: Any) -> None:
        record.numbers[self] = value


class Record:
    """Base of tables' layouts: the fields, all of them whole or all real, in the order of the places.

    A kernel may make one of an address, too. Where each lane has a column of the array, a field is that of all lanes.

    >>> class Pair(Record):
    ...     first: int
    ...     second: int
    >>> numbers = [5, 6]
    >>> Pair(numbers).second += 3
    >>> Pair(numbers).first, numbers, Pair.second
    (5, [5, 9], 1)
    """

    places: ClassVar[dict[str, int]]
    real: ClassVar[bool]
    size: ClassVar[int]  # whole cache lines, so that lanes don't share one

    def __init_subclass__(cls) -> None:
        kinds = get_annotations(cls)
        cls.places = {name: place for place, name in enumerate(kinds)}
        cls.real = not {float, "float"}.isdisjoint(kinds.values())
        cls.size = -(-len(kinds) // LINE) * LINE
        for name, place in cls.places.items():
            setattr(cls, name, Field(place))

    def __init__(self, numbers: Any) -> None:
        self.numbers = numbers
