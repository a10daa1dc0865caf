"""Tensors of the Open Inference Protocol: as JSON, and as bytes behind it (Triton's binary tensor extension)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg.errors import DataError
from thalweg.support.naming import choose

Array = NDArray[Any]
TYPES: Mapping[str, Any] = {
    "BOOL": np.bool_, "UINT8": np.uint8, "UINT16": np.uint16, "UINT32": np.uint32, "UINT64": np.uint64,
    "INT8": np.int8, "INT16": np.int16, "INT32": np.int32, "INT64": np.int64,
    "FP16": np.float16, "FP32": np.float32, "FP64": np.float64, "BYTES": object,
}  # fmt: skip
MOST_AXES = 16


@dataclass(frozen=True, slots=True)
class Tensor:
    """An array by name, (shape); of text and missing cells: objects."""

    name: str
    datatype: str
    array: Array


def read_tensor(given: Any, binary: bytes, at: int) -> tuple[Tensor, int]:
    """An input of a request, and where the bytes of the next one begin.

    Raises:
        DataError: it isn't what its shape and type say.
    """
    if not isinstance(given, dict) or not isinstance(given.get("name"), str):
        raise DataError("each of the inputs is an object with name, shape, datatype and data")
    name = given["name"]
    shape = given.get("shape")
    if not isinstance(shape, list) or not 0 < len(shape) <= MOST_AXES or not all(map(is_size, shape)):
        raise DataError(f"the shape of the input {name!r} has to be a list of sizes, such as [1]")
    datatype = given.get("datatype")
    if not isinstance(datatype, str):
        raise DataError(f"the datatype of the input {name!r} is missing: give {', '.join(TYPES)}")
    choose("datatype", datatype, TYPES)
    parameters = checked_parameters(given, ("binary_data_size",), f"the input {name!r}")
    size = parameters.get("binary_data_size")
    count = math.prod(shape)
    if size is None:
        cells = flat(given.get("data"), name)
        if len(cells) != count:
            raise DataError(f"the input {name!r} has {len(cells):,} numbers or texts, and its shape is {shape}")
        return Tensor(name, datatype, of_cells(cells, datatype, name).reshape(shape)), at
    if "data" in given:
        raise DataError(f"the input {name!r} has data in the JSON and binary_data_size: give one of them")
    if not is_size(size) or at + size > len(binary):
        raise DataError(
            f"the binary_data_size of the input {name!r} is {size!r}, and {len(binary) - at:,} bytes follow"
        )
    part = memoryview(binary)[at : at + size]
    return Tensor(name, datatype, of_bytes(part, datatype, count, name).reshape(shape)), at + size


def is_size(value: Any) -> bool:
    """Whether it is a whole number from 0 that may be one axis's."""
    return type(value) is int and 0 <= value < 2**31


def checked_parameters(given: Mapping[str, Any], known: Sequence[str], what: str) -> dict[str, Any]:
    """The parameters of a part of a request, all of which are known here."""
    parameters = given.get("parameters")
    if parameters is None:
        return {}
    if not isinstance(parameters, dict):
        raise DataError(f"the parameters of {what} have to be an object")
    odd = next((name for name in parameters if name not in known), None)
    if odd is not None:
        here = f"; known is {', '.join(known)}" if known else ""
        raise DataError(f"{what} has the parameter {odd!r}, which isn't supported{here}")
    return parameters


def flat(data: Any, name: str) -> list[Any]:
    """The cells of data, which may be nested as its shape is."""
    if not isinstance(data, list):
        raise DataError(f"the input {name!r} has no data: give a list")
    for _ in range(MOST_AXES):
        if not any(type(part) is list for part in data):
            return list(data)
        if not all(type(part) is list for part in data):
            break
        data = [cell for part in data for cell in part]
    raise DataError(f"the data of the input {name!r} is nested unevenly, or too deeply")


def of_cells(cells: list[Any], datatype: str, name: str) -> Array:
    """An array (cells,) of JSON's values; null is a missing cell, which makes it one of objects."""
    kind = np.dtype(TYPES[datatype])
    wanted: tuple[type, ...] = {"O": (str,), "b": (bool,), "f": (float, int)}.get(kind.kind, (int,))
    odd = next((c for c in cells if c is not None and (type(c) not in wanted)), None)
    if odd is not None:
        raise DataError(f"the input {name!r} is of {datatype}, and its data has {shown(odd)}")
    array = np.empty(len(cells), object)
    array[:] = cells
    if kind.kind == "O" or None in cells:
        return array
    if kind.kind in "iu" and cells and not np.iinfo(kind).min <= min(cells) <= max(cells) <= np.iinfo(kind).max:
        raise DataError(f"the input {name!r} has numbers that {datatype} can't hold")
    with np.errstate(over="ignore"):
        return array.astype(kind)


def shown(value: Any) -> str:
    """A value in a message."""
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}…"


def of_bytes(part: memoryview, datatype: str, count: int, name: str) -> Array:
    """An array (count,) of the bytes of a tensor; texts have their lengths before them."""
    if datatype != "BYTES":
        kind = np.dtype(TYPES[datatype]).newbyteorder("<")
        if len(part) != count * kind.itemsize:
            raise DataError(
                f"the input {name!r} has {len(part):,} bytes, and its shape means {count * kind.itemsize:,}"
            )
        return np.frombuffer(part, kind).astype(TYPES[datatype])
    texts: list[str] = []
    at = 0
    while at < len(part):
        end = at + 4 + int.from_bytes(part[at : at + 4], "little")
        if end > len(part) or at + 4 > len(part):
            raise DataError(f"the texts of the input {name!r} are longer than its bytes")
        try:
            texts.append(str(part[at + 4 : end], "utf-8"))
        except UnicodeDecodeError:
            raise DataError(f"text {len(texts) + 1} of the input {name!r} is not in UTF-8") from None
        at = end
    if len(texts) != count:
        raise DataError(f"the input {name!r} has {len(texts):,} texts, and its shape means {count:,}")
    array = np.empty(count, object)
    array[:] = texts
    return array


def type_of(array: Array) -> str:
    """The datatype of an output's array."""
    return next((name for name, kind in TYPES.items() if array.dtype == kind), "BYTES")


def to_bytes(array: Array) -> bytes:
    """The bytes of an output."""
    if array.dtype != object:
        return np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()
    texts = [str(cell).encode() for cell in array.ravel().tolist()]
    return b"".join(len(text).to_bytes(4, "little") + text for text in texts)
