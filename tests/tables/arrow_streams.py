"""Damaged streams of Arrow's, and a program that reads them as the server does: `arrow_streams.py RUN FIRST COUNT`.

Each stream lies within a sign that none of them holds: one of it in the text of an answer was read beyond their ends.
"""

import collections
import random
import struct
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
from pyarrow.ipc import IpcWriteOptions, MetadataVersion

ROWS = {
    "key": ["K-1", "K-22", None], "size": [12.5, None, 40.0], "price": ["1,234.5", None, "12"],
    "weight": ["7 kg", "1 kg", None], "share": ["45%", None, "7%"], "colour": ["red", "blue", None],
    "fresh": [True, False, None], "day": ["05/06/2011", None, "31/12/1999"],
}  # fmt: skip
BEYOND = "~"
WALL = BEYOND.encode() * 160_000
NUMBERS = (0, 1, 2, 7, 8, 9, 13, 40, 255, 2**15, 2**16, 2**31 - 1, -(2**31), -1, 100_000, 100_000_000)
LONG_ONES = (*NUMBERS, 2**33, 2**40, 2**62, 2**63 - 1, -(2**63))


def written(*tables, custom=None, **options):
    """The bytes of a stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, tables[0].schema, options=IpcWriteOptions(**options)) as stream:
        for table in tables:
            for batch in table.to_batches():
                stream.write_batch(batch, custom_metadata=custom)
    return bytes(sink.getvalue())


def columns():
    """Columns of all types, each with the one whose place it takes."""
    three = np.array([1, 2, 3])
    codes, lists = pa.array([0, None, 0], pa.int8()), pa.array([["a"], None, ["b", "c"]])
    long = pa.array(["T" * 30, None, "D"], pa.string_view())
    texts = [
        *(pa.array(["red", None, "blue"], kind) for kind in (pa.string_view(), pa.large_string(), pa.binary())),
        *(
            long,
            pa.nulls(3),
            lists,
            pa.array(lists.to_pylist(), pa.list_view(pa.string())),
            pa.array([{"a": "x"}, None, {"a": "y"}]),
        ),
        *(pa.array([[1, 2], None, [3, 4]], kind) for kind in (pa.list_(pa.int8(), 2), pa.large_list(pa.int64()))),
        pa.array([[("a", "b")], None, []], pa.map_(pa.string(), pa.string())),
        pa.UnionArray.from_sparse(pa.array([0, 1, 0], pa.int8()), [pa.array(["a", "b", "c"]), pa.array(three)]),
        pa.UnionArray.from_dense(
            pa.array([0, 1, 0], pa.int8()), pa.array([0, 0, 1], pa.int32()), [pa.array(["a", "b"]), pa.array([1])]
        ),
        pa.RunEndEncodedArray.from_arrays([2, 3], pa.array(["red", "blue"])),
        *(pa.DictionaryArray.from_arrays(codes, values) for values in (pa.nulls(1), lists, long, pa.array(["red"]))),
    ]
    kinds = (pa.decimal128(30, 2), pa.decimal256(60, 2), pa.uint64(), pa.float32())
    numbers = [
        *(pa.array(three).cast(kind) for kind in kinds),
        *(pa.array([1, None, 0], kind) for kind in (pa.date32(), pa.time64("us"), pa.duration("ms"))),
        *(
            pa.array([True, None, False]),
            pa.array(three.astype(np.float16)),
            pa.array([86_400_000, None, 0], pa.date64()),
        ),
        pa.array([1, None, 2], pa.timestamp("us", "Asia/Taipei")),
        pa.array([(1, 2, 3), None, (1, 2, 3)], pa.month_day_nano_interval()),
        pa.FixedShapeTensorArray.from_numpy_ndarray(three.reshape(3, 1)),
    ]
    return [*(("colour", array) for array in texts), *(("size", array) for array in numbers)]


def streams():
    """Streams of a few rows, whose columns have all types; two of them are compressed, and one says that it is."""
    plain = pa.table(ROWS)
    places = {name: k for k, name in enumerate(ROWS)}
    coded = plain
    for name in ("key", "colour"):
        coded = coded.set_column(places[name], name, coded[name].dictionary_encode())
    more = coded.set_column(places["colour"], "colour", pa.array(["red", "blue", "violet"]).dictionary_encode())
    return [
        *(written(plain.slice(0, 1)), written(plain), written(coded), written(coded, more)),
        written(coded, more, emit_dictionary_deltas=True),
        *(written(table, compression="lz4") for table in (plain, coded)),
        written(plain, custom={"ARROW:experimental_compression": "ZSTD"}, metadata_version=MetadataVersion.V4),
        *(written(plain.set_column(places[name], name, array)) for name, array in columns()),
    ]


def damaged(random, stream):
    """A stream with one to three of its places changed: a bit, a byte, a number, something left out, twice or moved."""
    changed = bytearray(stream)
    schema = struct.unpack("<i", stream[4:8])[0] + 8
    body = schema + struct.unpack("<i", stream[schema + 4 : schema + 8])[0] + 8
    least = min(random.choice((0, schema, schema, body)), len(stream) - 8)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        at, some = random.randrange(min(least, len(changed) - 8), len(changed)), random.choice((1, 4, 8, 64))
        kind = random.randrange(7)
        if kind == 0:
            changed[at] ^= 1 << random.randrange(8)
        elif kind == 1:
            changed[at] = random.choice((0, 1, 2, 3, 4, 5, 8, 9, 16, 20, 24, 26, 127, 128, 255))
        elif kind == 2:
            changed[at - at % 4 : at - at % 4 + 4] = struct.pack("<i", random.choice(NUMBERS))
        elif kind == 3:
            changed[at - at % 8 : at - at % 8 + 8] = struct.pack("<q", random.choice(LONG_ONES))
        elif kind == 4:
            del changed[at : at + some]
        elif kind == 5:
            changed[at:at] = changed[at : at + some]
        else:
            other = random.randrange(len(changed))
            changed[at : at + some] = changed[other : other + some]
    return bytes(changed)


def text_of(reply):
    """The text in an answer: all of a refusal; the ids and labels of predictions, whose numbers may be any bytes."""
    if reply.status != 200:
        return reply.body.decode()
    found = pa.ipc.open_stream(reply.body).read_all()
    return " ".join(str(found[name].to_pylist()) for name in found.column_names if "probability" not in name)


def reading(run, first, count):
    """Reads streams, those without damage first, as the endpoint does; what is wrong is said on standard error."""
    from thalweg.serve.counters import Counters
    from thalweg.serve.plain_endpoint import PlainEndpoint
    from thalweg.serve.reply import ARROW, reply_to
    from thalweg.serve.served import Limits, Served

    statuses, whole = collections.Counter(), streams()
    with ThreadPoolExecutor(1) as executor:
        served, endpoint = Served("run", Path(run), Limits(lanes=1), executor, Counters()), PlainEndpoint(None)
        for number in range(first, first + count):
            stream = whole[number % len(whole)]
            if number >= len(whole):
                stream = damaged(random.Random(number), stream)
            print(number, flush=True)  # the last of these is the one that ended it
            body = memoryview(WALL + stream + WALL)[len(WALL) : -len(WALL)]
            try:
                reply = endpoint.table(served, SimpleNamespace(body=body), ARROW, None, ARROW)
            except Exception as error:
                reply = reply_to(error)
            statuses[reply.status] += 1
            beyond = BEYOND in text_of(reply) and BEYOND.encode() not in stream
            if reply.status not in (200, 400, 413) or beyond:
                print(f"stream {number}: {reply.status} {reply.body[:300]!r}", file=sys.stderr)
    print(dict(statuses))


if __name__ == "__main__":
    reading(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
