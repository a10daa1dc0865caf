"""A document as bytes: JSON whose arrays follow as plain memory. A page's file, a frame of the live page and a
notebook's figure are written so; `decode` in decode.js is the twin of `decode` here.

    uint32, little-endian: n, the length of the JSON · n bytes of JSON in UTF-8 · zeros up to a multiple of 8 · arrays

In the JSON an array is {"$array": [type, shape, offset]}, the offset counted from where the arrays begin. Keys of the
document that begin with $ get a second one, so that no column name can pass for an array.
"""

from __future__ import annotations

import json
import math
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg import words
from thalweg.errors import ArgumentError, DataError
from thalweg.support.untrusted import readable

ALIGNMENT = 8
TYPES = ("float16", "float32", "float64", "int32", "uint8")
KEY = "$array"


def encode(document: Any) -> bytes:
    """The bytes of a document: dicts with text keys, lists, texts, numbers, None, and NumPy arrays anywhere.

    Arrays of floats go as float32, float16 stays; whole numbers go as int32, or as float64 where that is too narrow;
    uint8 and bool as uint8; arrays of texts as lists. NaN and infinity are kept within arrays and are null elsewhere.

    Raises:
        ArgumentError: a value has no such form; the message says where it is.

    >>> import numpy as np
    >>> data = encode({"loss": np.array([0.5, 0.25])})
    >>> data[4:44]
    b'{"loss":{"$array":["float32",[2],0]}}\\x00\\x00\\x00'
    >>> decode(data)
    {'loss': array([0.5 , 0.25], dtype=float32)}
    """
    blob = bytearray()
    text = json.dumps(_plain(document, blob, "document"), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    head = text.encode("utf-8", "replace")  # half a surrogate pair, as in a damaged file name, has no bytes
    head = struct.pack("<I", len(head)) + head
    return head + bytes(-len(head) % ALIGNMENT) + bytes(blob)


def decode(data: bytes) -> Any:
    """The document that `encode` wrote; arrays share the bytes and can't be written to.

    Raises:
        DataError: the bytes aren't a document.
    """
    with readable(DataError, "these bytes aren't a document that encode wrote"):
        (length,) = struct.unpack_from("<I", data)
        if 4 + length > len(data):
            raise DataError(f"a document of {len(data)} bytes can't have a head of {length}: it isn't whole")
        value = json.loads(data[4 : 4 + length].decode("utf-8"))
        return _filled(value, data, -(-(4 + length) // ALIGNMENT) * ALIGNMENT)


def _plain(value: Any, blob: bytearray, where: str) -> Any:
    """The value as JSON can say it; the memory of its arrays is added to `blob`."""
    if isinstance(value, np.ndarray):
        return _array(value, blob, where)
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, words.Said):
        value = value.text
    if isinstance(value, dict):
        return {_key(key, where): _plain(v, blob, f"{where}[{key!r}]") for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v, blob, f"{where}[{n}]") for n, v in enumerate(value)]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise ArgumentError(
        f"{where} is a {type(value).__name__}, which a page can't hold: give dicts, lists, texts, numbers or arrays"
    )


def _key(key: Any, where: str) -> str:
    if not isinstance(key, str):
        raise ArgumentError(f"{where} has the key {key!r}; the keys of a document have to be texts")
    return f"${key}" if key.startswith("$") else key


def _array(array: NDArray[Any], blob: bytearray, where: str) -> Any:
    if array.dtype.kind in "OUST":
        return _plain(array.tolist(), blob, where)
    if array.dtype.kind not in "biuf":
        raise ArgumentError(f"{where} is an array of {array.dtype}, which a page can't hold: make it float or int")
    with np.errstate(over="ignore"):  # beyond float32 is infinity, as in the engine
        memory = np.ascontiguousarray(array, _type(array)).reshape(array.shape)
    blob += bytes(-len(blob) % ALIGNMENT)
    offset = len(blob)
    blob += memory.astype(memory.dtype.newbyteorder("<"), copy=False).tobytes()
    return {KEY: [str(memory.dtype), list(memory.shape), offset]}


def _type(array: NDArray[Any]) -> str:
    if array.dtype.kind == "f":
        return "float16" if array.dtype == np.float16 else "float32"
    if array.dtype in (np.bool_, np.uint8):
        return "uint8"
    limits = np.iinfo(np.int32)
    fits = array.size == 0 or (array.min() >= limits.min and array.max() <= limits.max)
    return "int32" if fits else "float64"


def _filled(value: Any, data: bytes, start: int) -> Any:
    """The decoded JSON with its arrays in place."""
    if isinstance(value, list):
        return [_filled(v, data, start) for v in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {KEY}:
        name, shape, offset = value[KEY]
        if name not in TYPES:
            raise DataError(f"an array of {name!r} isn't one of a document: {', '.join(TYPES)}")
        kind = np.dtype(name).newbyteorder("<")
        return np.frombuffer(data, kind, math.prod(shape), start + offset).reshape(shape)
    return {key[1:] if key.startswith("$$") else key: _filled(v, data, start) for key, v in value.items()}
