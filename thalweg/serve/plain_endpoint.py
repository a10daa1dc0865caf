"""The plain endpoint: named columns as JSON, CSV or Arrow, or a picture; predictions in the same form, or as asked."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from operator import methodcaller
from pathlib import Path
from typing import Any

import numpy as np

from thalweg.data.cells import objects
from thalweg.data.formats.arrow_files import table_of
from thalweg.data.numerals import silent
from thalweg.data.tables import Table, read_table, write_table
from thalweg.data.verbatim import Verbatim
from thalweg.errors import DataError, ThalwegError
from thalweg.runs import table_run
from thalweg.runs.run import Cells
from thalweg.serve.answering import Answering, ImageAnswering, Row, TableAnswering
from thalweg.serve.connection import Request
from thalweg.serve.reply import ARROW, CSV, JSON, AnsweredError, Reply, reply_to
from thalweg.serve.row_queue import NOTHING, Job, Outcome, Predicted
from thalweg.serve.served import Limits, Served
from thalweg.support.extras import need
from thalweg.support.files import own_folder
from thalweg.support.untrusted import EXPANSION, readable

FORMS = (JSON, CSV, ARROW)
PICTURES = {"image/png": ".png", "image/jpeg": ".jpg", "image/gif": ".gif", "image/bmp": ".bmp", "image/tiff": ".tiff",
            "image/webp": ".webp"}  # fmt: skip
_LONG = re.compile(rb"[0-9]{19}")
UNKNOWN, BETWEEN = "unknown", "; "
"""The further column of an answer: which columns' cells say nothing; and what is between their names in text."""
SMALL = 32_768
"""Bytes of JSON that are read at once; a thread reads more."""
CHUNK = 4_096
"""Rows that a thread predicts at once."""


class PlainEndpoint:
    """`/v1/predict`.

    Args:
        apart: has a request answered by a function in a thread.
    """

    def __init__(self, apart: Callable[[Request, Callable[[], Reply]], None]) -> None:
        import orjson

        self.apart, self.loads = apart, orjson.loads
        self.short = partial(orjson.dumps, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)

    def predict(self, served: Served, request: Request) -> None:
        """Answers a request with predictions."""
        given, charset = content_type(request)
        wanted = answer_type(request, JSON if given in PICTURES else given)
        model = served.model
        if given in PICTURES:
            self.apart(request, partial(self.picture, model, request, PICTURES[given], wanted))
        elif isinstance(model, ImageAnswering):
            raise AnsweredError(415, "this model takes pictures: send one, as image/png or image/jpeg")
        elif given == JSON and wanted == JSON and len(request.body) <= SMALL:
            rows, form = self.rows_of(request.body, model, served.limits.rows)
            served.batches.put(Job(rows, partial(answer, request, partial(self.records, rows, form))))
        elif given == JSON:
            self.apart(request, partial(self.json, served, request, wanted))
        else:
            self.apart(request, partial(self.table, served, request, given, charset, wanted))

    # --- JSON --------------------------------------------------------------------------------------------------------

    def json_of(self, body: bytes) -> Any:
        """What a body holds; whole numbers with all their digits, of which orjson takes 64 bits."""
        try:
            value = self.loads(body)
            return json.loads(body) if _LONG.search(body) else value
        except (ValueError, RecursionError) as error:
            raise DataError(f"the body is no JSON: {error}") from None

    def dumps(self, value: Any) -> bytes:
        """JSON of it, also of whole numbers beyond 64 bits."""
        try:
            return self.short(value)
        except TypeError:
            return json.dumps(value, default=methodcaller("tolist"), ensure_ascii=False).encode()

    def rows_of(self, body: bytes, model: Answering, most: int) -> tuple[list[Row], str]:
        """The rows, and how they are written: a "record", "records", or "columns"; what the model doesn't use may be
        anything."""
        assert isinstance(model, TableAnswering)
        value = self.json_of(body)
        if type(value) is dict:
            kinds = {type(value[name]) for name in model.used if name in value}
            if list not in kinds:
                return [value], "record"
            return allowed(by_row(value, model), most), "columns"
        if type(value) is not list:
            raise DataError("the body has to be an object, a list of objects, or an object of lists")
        odd = next((k for k, row in enumerate(value, 1) if type(row) is not dict), None)
        if odd is not None:
            raise DataError(f"row {odd} is no object: each row is one, with a cell for each column")
        return allowed(value, most), "records"

    def records(self, rows: Sequence[Row], form: str, predicted: Predicted) -> Reply:
        """The answer to rows, as JSON."""
        return Reply(self.dumps(shaped(predicted, rows, form)))

    def json(self, served: Served, request: Request, wanted: str) -> Reply:
        """The answer to many rows, or in another form."""
        model = served.model
        rows, form = self.rows_of(request.body, model, served.limits.rows)
        firsts = range(0, max(len(rows), 1), CHUNK)
        parts = [predicted_now(model, rows[k : k + CHUNK], k) for k in firsts]
        shares = None if parts[0].shares is None else np.concatenate([part.shares for part in parts])
        unknown = {k + row: names for k, part in zip(firsts, parts, strict=True) for row, names in part.unknown.items()}
        served.noted(len(rows), unknown)
        predicted = Predicted([label for part in parts for label in part.labels], shares, model, unknown)
        if wanted == JSON:
            return self.records(rows, form, predicted)
        ids = {name: np.array([row.get(name) for row in rows], object) for name in ids_in(model, rows)}
        return written(model.columns(predicted, ids), wanted, unknown)

    # --- tables and pictures -----------------------------------------------------------------------------------------

    def table(self, served: Served, request: Request, given: str, charset: str | None, wanted: str) -> Reply:
        """The answer to a table in a file's form, as `thalweg predict` reads and answers it."""
        model = served.model
        assert isinstance(model, TableAnswering)
        run = model.run
        verbatim = [] if run.id is None else [run.id]
        if given == CSV:
            table = read_csv(request.body, charset, model, verbatim)
        else:
            table = read_stream(request.body, model, served.limits)
        if table.rows > served.limits.rows:
            raise too_many(served.limits.rows)
        run.features.check_columns(table)
        with silent():
            columns = table_run.predictions(run, table, ids=[name for name in verbatim if name in table])
        unknown = run.features.unknown(table)
        served.noted(table.rows, unknown)
        return written(columns, wanted, unknown)

    def picture(self, model: Answering, request: Request, ending: str, wanted: str) -> Reply:
        """The answer to a picture."""
        if not isinstance(model, ImageAnswering):
            raise AnsweredError(415, "this model takes rows of a table: send JSON, CSV or an Arrow stream")
        with own_folder("thalweg-") as folder:
            file = folder / f"picture{ending}"
            file.write_bytes(request.body)
            with said_of(file, "the picture"):
                predicted = model.picture(file)
        if wanted == JSON:
            return Reply(self.dumps(shaped(predicted, [{}], "record")))
        return written(model.columns(predicted, {}), wanted)


def by_row(columns: dict[str, Any], model: TableAnswering) -> list[Row]:
    """The rows of columns that are lists."""
    names = [name for name in columns if name in model.used or name == model.run.id]
    model.check_columns(names)
    single = next((name for name in names if type(columns[name]) is not list), None)
    if single is not None:
        raise DataError(f"some columns are lists, and {single!r} isn't: give a list for each, or a cell for each")
    sizes = {name: len(columns[name]) for name in names}
    if len(set(sizes.values())) > 1:
        raise DataError(f"the columns differ in length: {', '.join(f'{n!r}: {size}' for n, size in sizes.items())}")
    return [dict(zip(names, cells, strict=True)) for cells in zip(*(columns[n] for n in names), strict=True)]


def predicted_now(model: Answering, rows: Sequence[Row], first: int) -> Predicted:
    """The prediction of rows, the first of which has that place in its request."""
    (outcome,) = model.predict([Job(rows, lambda _: None, first)])
    if isinstance(outcome, Predicted):
        return outcome
    raise outcome


def answer(request: Request, made: Callable[[Predicted], Reply], outcome: Outcome) -> None:
    """Answers a request with what is made of its predictions, or with what was wrong."""
    try:
        if isinstance(outcome, Exception):
            raise outcome
        reply = made(outcome)
    except Exception as error:  # the request's, not the server's
        reply = reply_to(error)
    request.answer(reply)


def ids_in(model: Answering, rows: Sequence[Row]) -> list[str]:
    """The column that names rows, if the training had one and any of these has it."""
    name = model.run.id if isinstance(model, TableAnswering) else None
    return [] if name is None or not any(name in row for row in rows) else [name]


def shaped(predicted: Predicted, rows: Sequence[Row], form: str) -> Any:
    """Predictions in the form in which the rows came."""
    model, shares = predicted.model, predicted.shares
    ids = ids_in(model, rows)
    if form == "columns":
        columns: dict[str, Any] = {name: [row.get(name) for row in rows] for name in ids}
        columns["prediction"] = predicted.labels
        if shares is not None:
            columns |= dict(zip(model.keys[1:], map(np.ascontiguousarray, shares.T), strict=True))
        return columns | said_of_unknown(columns, len(rows), predicted.unknown)
    keys = model.keys
    if shares is None:
        records = [{"prediction": label} for label in predicted.labels]
    else:
        cells = zip(predicted.labels, *shares.T, strict=True)
        records = [dict(zip(keys, own, strict=True)) for own in cells]
    if ids:
        records = [{name: row.get(name) for name in ids} | record for row, record in zip(rows, records, strict=True)]
    for name, unknown in said_of_unknown(ids, len(rows), predicted.unknown).items():
        records = [record | {name: names} for record, names in zip(records, unknown, strict=True)]
    return records[0] if form == "record" else records


def said_of_unknown(
    beside: Collection[str], rows: int, unknown: Mapping[int, Sequence[str]]
) -> dict[str, list[Sequence[str]]]:
    """A column with the names of each row's columns whose cells say nothing; none if no row has such cells. Its name is
    another one where that is taken by an id."""
    name = f"{UNKNOWN} columns" if UNKNOWN in beside else UNKNOWN
    return {name: [unknown.get(row, ()) for row in range(rows)]} if unknown else {}


def allowed(rows: list[Row], most: int) -> list[Row]:
    """The rows, if they aren't too many."""
    if len(rows) > most:
        raise too_many(most)
    return rows


def too_many(most: int) -> AnsweredError:
    return AnsweredError(413, f"more than {most:,} rows in a request: send them in parts")


def content_type(request: Request) -> tuple[str, str | None]:
    """The form of a request's body, and the encoding that is named for it."""
    if request.headers.get(b"content-type") == b"application/json" and b"content-encoding" not in request.headers:
        return JSON, None
    if request.header(b"content-encoding") not in ("", "identity"):
        raise AnsweredError(415, "the body is compressed: send it as it is")
    kind, _, more = request.header(b"content-type").partition(";")
    kind = kind.strip().lower() or JSON
    if kind not in FORMS and kind not in PICTURES:
        raise AnsweredError(415, f"a body of {kind} can't be read: send {', '.join(FORMS)}, or a picture")
    name, _, value = more.strip().partition("=")
    return kind, value.strip('" ') if name.lower() == "charset" and kind == CSV else None


def answer_type(request: Request, given: str) -> str:
    """The form of the answer: that of the body, unless others are asked for."""
    asked = request.headers.get(b"accept")
    if asked is None or asked == b"*/*":
        return given
    for part in asked.decode("latin-1").lower().split(","):
        kind, _, weight = part.replace(" ", "").partition(";")
        if weight in ("q=0", "q=0.0"):
            continue
        if kind in FORMS:
            return kind
        if kind in ("*/*", f"{given.partition('/')[0]}/*"):
            return given
    raise AnsweredError(406, f"answers are {', '.join(FORMS)}, and none of them is accepted")


def read_csv(body: bytes, charset: str | None, model: TableAnswering, verbatim: Sequence[str]) -> Table:
    """A table of CSV, cells read as those of a file are."""
    with own_folder("thalweg-") as folder:
        file = folder / "rows.csv"
        file.write_bytes(body)
        how: dict[str, Any] = {"text": model.run.features.kept, "verbatim": verbatim, "least_rows": 0}
        with said_of(file, "the CSV"):
            table = read_table(str(file), encoding=charset, **how)
    table.source = "the CSV"
    return table


def read_stream(body: bytes, model: TableAnswering, limits: Limits) -> Table:
    """The columns of an Arrow stream that the model uses. A few bytes may stand for any number of rows, and compressed
    ones for any number of bytes, so both are looked at before anything is made of them."""
    need("pyarrow", "arrow", "a request in Arrow's form")
    import pyarrow as pa

    verbatim = [] if model.run.id is None else [model.run.id]
    most = EXPANSION * limits.request_bytes

    def allow(rows: int, size: int) -> None:
        if rows > limits.rows:
            raise too_many(limits.rows)
        if size > most:
            raise AnsweredError(413, f"the Arrow stream's cells take more than {most:,} bytes: send the rows in parts")

    with readable(DataError, "the body is no Arrow stream"):
        if any(map(is_compressed, pa.ipc.MessageReader.open_stream(body))):
            raise DataError("the Arrow stream is compressed: send it as it is")
        names = pa.ipc.open_stream(body).schema.names
        model.check_columns(names)
        kept = [k for k, name in enumerate(names) if name in model.used or name in verbatim]
        reader = pa.ipc.open_stream(body, options=pa.ipc.IpcReadOptions(included_fields=kept))
        frame = table_of(reader, reader.schema, "the Arrow stream", allow)
    return read_table(frame, text=model.run.features.kept, verbatim=verbatim, least_rows=0)


BATCH, DICTIONARY = 3, 2
"""Kinds of messages in an Arrow stream that hold buffers, by their numbers in Arrow's Message.fbs."""


def is_compressed(message: Any) -> bool:
    """Whether the buffers of an Arrow message are compressed: its flatbuffer's RecordBatch has a `compression`, or its
    metadata say so, as Arrow 0.17 wrote it."""
    data = message.metadata.to_pybytes()

    def field(table: int, number: int) -> int | None:
        """Where a table's field stands, by its vtable; None if it has none."""
        vtable = table - int.from_bytes(data[table : table + 4], "little", signed=True)
        size = int.from_bytes(data[vtable : vtable + 2], "little")
        at = vtable + 4 + 2 * number
        offset = int.from_bytes(data[at : at + 2], "little") if at + 2 <= vtable + size else 0
        return table + offset if offset else None

    def pointed(at: int) -> int:
        return at + int.from_bytes(data[at : at + 4], "little")

    root = pointed(0)
    kind, header = field(root, 1), field(root, 2)
    if kind is None or header is None or data[kind] not in (BATCH, DICTIONARY):
        return False
    batch: int | None = pointed(header)
    if data[kind] == DICTIONARY and batch is not None:
        inner = field(batch, 1)
        batch = None if inner is None else pointed(inner)
    return batch is not None and (field(batch, 3) is not None or b"ARROW:experimental_compression" in data)


@contextmanager
def said_of(file: Path, name: str) -> Iterator[None]:
    """Errors name a file as its sender knows it."""
    try:
        yield
    except ThalwegError as error:
        raise DataError(str(error).replace(str(file), name).replace(file.name, name)) from None


def written(columns: dict[str, Cells], wanted: str, unknown: Mapping[int, Sequence[str]] = NOTHING) -> Reply:
    """Predictions as `thalweg predict` writes them to a file, and which columns' cells say nothing: in CSV as text."""
    for name, lists in said_of_unknown(columns, len(next(iter(columns.values()))), unknown).items():
        cells: Cells = objects(map(list, lists))
        if wanted == CSV:
            cells = objects(BETWEEN.join(names) or None for names in lists)
        elif wanted == JSON:
            cells = Verbatim("JSON", objects(map(json.dumps, lists)))
        columns = columns | {name: cells}
    if wanted == ARROW:
        return Reply(stream_of(columns), ARROW)
    with own_folder("thalweg-") as folder:
        file = folder / ("rows.csv" if wanted == CSV else "rows.json")
        write_table(file, columns)
        kind = f"{CSV}; charset=utf-8; header=present" if wanted == CSV else wanted
        return Reply(file.read_bytes(), kind)


def stream_of(columns: dict[str, Cells]) -> bytes:
    """Predictions as an Arrow stream; ids that were read verbatim are text."""
    need("pyarrow", "arrow", "an answer in Arrow's form")
    import pyarrow as pa

    texts = {name: cells.texts for name, cells in columns.items() if isinstance(cells, Verbatim)}
    arrays = {name: np.asarray(cells) for name, cells in (columns | texts).items()}
    table = pa.table({
        name: pa.array(array.tolist()) if array.dtype.kind in "OU" else pa.array(np.ascontiguousarray(array))
        for name, array in arrays.items()
    })  # fmt: skip
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return bytes(sink.getvalue())
