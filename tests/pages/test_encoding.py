"""Documents as bytes: what goes in comes out, in Python; the browser's half is tested in test_gallery.py."""

import json
import struct

import numpy as np
import pytest

from thalweg.errors import ArgumentError, DataError
from thalweg.views.web.encoding import decode, encode

ARRAYS = {
    "float64": (np.array([0.1, np.nan, -np.inf, 1e300]), np.float32),
    "float32": (np.ones((2, 3), np.float32), np.float32),
    "float16": (np.array([0.5, 65504, 6e-8], np.float16), np.float16),
    "int64": (np.array([[-5, 7]]), np.int32),
    "wide": (np.array([2**40, -1]), np.float64),
    "uint32": (np.array([2**32 - 1], np.uint32), np.float64),
    "int8": (np.array([-128], np.int8), np.int32),
    "bool": (np.array([True, False, True]), np.uint8),
    "uint8": (np.arange(5, dtype=np.uint8), np.uint8),
    "empty": (np.zeros((0, 3)), np.float32),
    "empty whole": (np.zeros(0, int), np.int32),
    "scalar": (np.array(2.5), np.float32),
    "strided": (np.arange(12.0).reshape(3, 4).T[::2], np.float32),
    "big-endian": (np.array([1.5, -2.0], ">f4"), np.float32),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_keep_shape_and_values(name):
    array, kind = ARRAYS[name]
    found = decode(encode({"before": np.ones(3, np.uint8), "it": array}))["it"]
    assert found.dtype == kind
    assert found.shape == array.shape
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(found, array.astype(kind))


def test_arrays_begin_where_they_can_be_read_in_place():
    data = encode([np.ones(3, np.uint8), np.ones(2), np.ones(1, np.uint8), np.array([2**40])])
    (length,) = struct.unpack_from("<I", data)
    offsets = [entry["$array"][2] for entry in json.loads(data[4 : 4 + length])]
    assert [offset % 8 for offset in offsets] == [0, 0, 0, 0]
    assert len(set(offsets)) == 4


def test_plain_values_stay_as_they_are():
    value = {"text": "層 </script>", "none": None, "yes": True, "n": [1, 2.5, [-3]], "nested": {"a": {"b": "c"}}}
    assert decode(encode(value)) == value
    assert decode(encode((1, np.int64(2), np.float32(0.5), float("nan"), np.float64("inf")))) == [1, 2, 0.5, None, None]
    assert decode(encode(np.array(["a", "層"]))) == ["a", "層"]
    assert decode(encode(np.array([1, "x", None], object))) == [1, "x", None]


def test_a_columns_name_cannot_pass_for_an_array():
    value = {"$array": ["float32", [1], 0], "$": 1, "$$b": 2, "c$": 3}
    assert decode(encode(value)) == value


def test_half_a_surrogate_pair_does_not_break_a_page():
    assert decode(encode({"file": "a\udc80.png"})) == {"file": "a?.png"}


@pytest.mark.parametrize(
    ("value", "where"),
    [
        ({"a": [1, {2, 3}]}, r"document\['a'\]\[1\] is a set"),
        ({"a": {1: 2}}, r"document\['a'\] has the key 1"),
        ([np.array([1j])], r"document\[0\] is an array of complex128"),
        ({"when": np.array(["2020-01-01"], "datetime64[D]")}, r"document\['when'\] is an array of datetime64"),
    ],
)
def test_what_a_page_cannot_hold_is_named(value, where):
    with pytest.raises(ArgumentError, match=where):
        encode(value)


@pytest.mark.parametrize("data", [b"", b"\xff\xff\xff\xff{}", encode({"a": np.ones(9)})[:-1], b"\x02\0\0\0[]"[:5]])
def test_damaged_bytes_are_refused(data):
    with pytest.raises(DataError, match=r"aren't a document|isn't whole"):
        decode(data)


def test_an_unknown_type_is_refused():
    with pytest.raises(DataError, match="'float31'"):
        decode(encode({"a": np.ones(2)}).replace(b"float32", b"float31"))
