"""Arrow's data may be damaged wherever they come in: refused in a sentence, and never read beyond their ends."""

import os
import re
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
from served_runs import SECONDS, Client

pa = pytest.importorskip("pyarrow")

import arrow_entrances  # noqa: E402 - it imports pyarrow
import arrow_streams  # noqa: E402
import pyarrow.dataset as ds  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402

from thalweg.data.formats.arrow_files import as_cells  # noqa: E402
from thalweg.data.tables import read_table  # noqa: E402
from thalweg.errors import DataError  # noqa: E402
from thalweg.serve.answering import opened  # noqa: E402
from thalweg.serve.plain_endpoint import read_stream  # noqa: E402
from thalweg.serve.reply import ARROW, AnsweredError  # noqa: E402
from thalweg.serve.served import Limits  # noqa: E402
from thalweg.sklearn.table_sources import read_whole  # noqa: E402
from thalweg.support.frames import checked  # noqa: E402

ROOT = Path(__file__).parents[2]
ENDS = (13, 40, 1_000, 100_000, 100_000_000)
STREAMS = 10_000


def child(*words):
    """A program of the tests' tables, started."""
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "tables")])
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, *map(str, words)], **pipes, env=os.environ | {"PYTHONPATH": paths})


@contextmanager
def ending(server):
    """Ends it, which has said nothing of what went wrong."""
    try:
        yield
    finally:
        server.terminate()
        _, wrong = server.communicate(timeout=SECONDS)
        assert (server.returncode, wrong) == (0, "")


def test_no_damaged_stream_ends_what_reads_it(classes):
    """Nor is it answered with an error of the server's, or with what wasn't sent."""
    reader = child(arrow_streams.__file__, classes, 0, STREAMS)
    said, wrong = reader.communicate()
    *_, last = said.splitlines() or [""]
    assert (reader.returncode, wrong[:3000]) == (0, ""), f"the last one that began: {last}"
    statuses = {status: int(count) for status, count in re.findall(r"(\d+): (\d+)", last)}
    assert (set(statuses), sum(statuses.values())) == ({"200", "400", "413"}, STREAMS)
    assert statuses["200"] > STREAMS // 50


def test_arrow_data_is_checked_wherever_it_comes_in(classes):
    reader = child(arrow_entrances.__file__, classes)
    said, wrong = reader.communicate()
    found = dict(line.split(": ", 1) for line in said.splitlines())
    assert set(found.values()) == {"refused"}, (found, wrong[-3000:])
    assert (reader.returncode, len(found)) == (0, 31)


@pytest.mark.parametrize("read", [arrow_entrances.large, read_whole])
def test_damaged_parquet_is_read_or_refused(read, tmp_path):
    pq.write_table(pa.table(arrow_streams.ROWS), tmp_path / "a.parquet", compression="none")
    whole, found = (tmp_path / "a.parquet").read_bytes(), []
    draw = np.random.default_rng(0)
    while len(found) < 100:
        changed = bytearray(whole)
        changed[draw.integers(4, len(whole) - 8)] = draw.integers(256)
        (tmp_path / "a.parquet").write_bytes(changed)
        with suppress(pa.ArrowException, OSError):  # of pyarrow's own, which makes no dataset of it
            dataset = ds.dataset(str(tmp_path / "a.parquet"), format="parquet")
            found.append(is_read(read, dataset))
    assert 10 < sum(found) < 90


def is_read(read, dataset):
    """Whether it is read, or refused in a sentence."""
    try:
        read(dataset)
    except DataError:
        return False
    return True


def test_the_server_survives_damaged_streams(classes):
    """Over HTTP: offsets beyond the buffers, and some dozens of other damages; nothing of them is in its log."""
    server = child("-c", "from thalweg.cli.main import main; main()", "serve", classes, "--port", 0)
    with ending(server), Client(int(server.stdout.readline().rpartition(":")[2])) as client:

        def ask(stream):
            return client.ask("/v1/predict", stream, kind=ARROW, Accept="application/json")

        for end in ENDS:
            said = ask(arrow_entrances.ending_at(end)).error
            assert said.startswith("the Arrow stream is damaged (Column 0"), said
            assert f"({end})" in said
        whole = arrow_streams.streams()
        damaged = [arrow_streams.damaged(arrow_streams.random.Random(k), stream) for k, stream in enumerate(whole)]
        assert {ask(stream).status for stream in damaged} == {200, 400}
        assert ask(whole[0]).json[0]["key"] == "K-1"


def test_a_dictionary_of_nothing_is_missing_cells():
    """pyarrow ends the process if it is asked which cells of one are missing."""
    column = pa.chunked_array([pa.DictionaryArray.from_arrays(pa.array([0, None], pa.int8()), pa.nulls(1))])
    assert as_cells(checked(column)).type == pa.null()
    assert read_table(pa.table({"c": column, "x": [1, 2]}))["c"].tolist() == [None, None]


class Wrapped(pa.ExtensionType):
    """Small integers, as a type of one's own."""

    def __init__(self):
        super().__init__(pa.int8(), "wrapped")

    def __arrow_ext_serialize__(self):
        return b""

    @classmethod
    def __arrow_ext_deserialize__(cls, storage, serialized):
        return cls()


@pytest.mark.parametrize(
    ("array", "kind", "cells"),
    [
        (pa.array([[1], None]), "other", [None, None]),
        (pa.array([b"a", None]), "other", [None, None]),
        (pa.UnionArray.from_sparse(pa.array([0, 0], pa.int8()), [pa.array(["a", "b"])]), "other", [None, None]),
        (pa.RunEndEncodedArray.from_arrays([2], pa.array(["a"])), "text", ["a", "a"]),
        (
            pa.ExtensionArray.from_storage(Wrapped(), pa.array([1, 2], pa.int8())),
            "integer",
            [1, 2],
        ),
        (pa.array(["a" * 30, None], pa.string_view()), "text", ["a" * 30, None]),
    ],
)
def test_columns_of_types_that_are_no_cells_are_read_and_not_used(array, kind, cells):
    column = read_table(pa.table({"x": array})).column("x")
    assert (column.kind, column.values.tolist()) == (kind, cells)


# --- small streams that stand for much -------------------------------------------------------------------------------


def columns(key, **others):
    """A table of the model's columns with these keys."""
    rows = len(key)
    return pa.table({"key": key, **{n: others.get(n, pa.nulls(rows)) for n in arrow_streams.ROWS if n != "key"}})


def repeated(text, rows):
    """A view of one text in all rows."""
    view = pa.array([text], pa.string_view())
    views = np.frombuffer(view.buffers()[1], np.uint8).tobytes() * rows
    return pa.Array.from_buffers(pa.string_view(), rows, [None, pa.py_buffer(views), view.buffers()[2]])


ROWS, LONG = 20_000, "x" * 10_000
SMALL = {
    "a dictionary": lambda: columns(pa.DictionaryArray.from_arrays(pa.nulls(ROWS, pa.int32()).fill_null(0), [LONG])),
    "a dictionary of views": lambda: columns(
        pa.DictionaryArray.from_arrays(pa.nulls(ROWS, pa.int32()).fill_null(0), repeated(LONG, 1))
    ),
    "views": lambda: columns(repeated(LONG, ROWS)),
    "runs": lambda: columns(pa.RunEndEncodedArray.from_arrays([ROWS], pa.array([LONG]))),
    "nothing": lambda: columns(pa.nulls(10 * ROWS)),
}


@pytest.mark.parametrize("name", SMALL)
def test_a_small_stream_that_stands_for_much_is_refused(classes, name):
    stream, limits = arrow_streams.written(SMALL[name]()), Limits(request_bytes=1_000_000)
    assert len(stream) < limits.request_bytes
    with pytest.raises(AnsweredError, match="cells take more than 10,000,000 bytes") as found:
        read_stream(stream, opened(classes, 1), limits)
    assert found.value.reply.status == 413


def test_a_dictionary_that_many_batches_share_counts_for_each(classes):
    """It would be checked for each."""
    key = pa.DictionaryArray.from_arrays(pa.array([0], pa.int32()), [f"K-{k}" for k in range(10_000)])
    stream = arrow_streams.written(*[columns(key)] * 300)
    with pytest.raises(AnsweredError, match="cells take more than 10,000,000 bytes"):
        read_stream(stream, opened(classes, 1), Limits(request_bytes=1_000_000))
    assert read_stream(stream, opened(classes, 1), Limits()).rows == 300


def test_a_stream_that_is_compressed_as_arrow_once_did_is_refused(classes):
    (stream,) = (one for one in arrow_streams.streams() if b"experimental_compression" in one)
    with pytest.raises(DataError, match="the Arrow stream is compressed: send it as it is"):
        read_stream(stream, opened(classes, 1), Limits())
