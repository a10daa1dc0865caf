"""The plain endpoint answers what `thalweg predict` writes, in whichever form rows come."""

import csv
import io
import json

import numpy as np
import pytest
from conftest import odd_table
from served_runs import Client, request, running

import thalweg
from thalweg.runs import table_run
from thalweg.serve.plain_endpoint import SMALL
from thalweg.serve.served import Limits

TABLE = {name: cells for name, cells in odd_table().items() if name != "kind"}
ROWS = [dict(zip(TABLE, cells, strict=True)) for cells in zip(*TABLE.values(), strict=True)]
NAMES = ("size", "price", "weight", "share", "colour", "fresh", "day")
CELLS = [
    ("12.5", "1,234.5", "7 kg", "45%", "unknown", "TRUE", "05/06/2011"),
    (3.0, None, None, None, 7.0, None, "-"),
    ("?", "1e3", "5", "?", "", "false", "1/2/2003"),
    (None, "12", "1 kg", "", "x" * 300, "", ""),
    (2, "12", "1 kg", "45%", "x" * 300, True, "05/06/2011"),
    (3, "99.0", "3", 0.45, 7, 1, None),
    (True, " 7.25 ", " 12 kg", "7 %", True, False, "31/12/1999"),
    (1, "12", "1 kg", 0.5, "red", True, 20110605),
]
ODD = [dict(zip(NAMES, cells, strict=True)) for cells in CELLS]
IN_FILES = ODD[:5]  # as text, the others hold cells that are no numbers: True, and 0.45 among 45%
KEYS = ["prediction", "probability of a", "probability of b", "probability of c"]


def written(run, rows):
    """What `thalweg predict` writes of rows."""
    columns = table_run.predictions(run, run.read(rows, least_rows=0))
    return [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]


def alike(found, wanted):
    assert [row["prediction"] for row in found] == [row["prediction"] for row in wanted]
    for key in KEYS[1:]:
        assert [row[key] for row in found] == pytest.approx([row[key] for row in wanted], abs=1e-6)


@pytest.fixture(scope="module")
def run(classes):
    return thalweg.load_run(classes)


def test_a_row_is_answered_as_predict_does(client, run):
    answer = client.ask("/v1/predict", ROWS[5])
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert list(answer.json) == ["key", *KEYS]
    assert answer.json["key"] == "K-0005"
    alike([answer.json], written(run, ROWS[5:6]))


def test_odd_cells_mean_the_same_alone_and_among_others(client, run):
    """Every row by itself, all in one request, by columns, among a thousand others, and in a file."""
    alone = [client.ask("/v1/predict", row).json for row in ODD]
    together = client.ask("/v1/predict", ODD).json
    by_column = client.ask("/v1/predict", {name: [row[name] for row in ODD] for name in ODD[0]}).json
    among = client.ask("/v1/predict", ROWS * 9 + ODD).json
    assert [list(row) for row in alone] == [[*KEYS, "unknown"] if k in (0, 3, 4, 6) else KEYS for k in range(len(ODD))]
    alike(together, alone)
    alike([dict(zip(by_column, cells, strict=True)) for cells in zip(*by_column.values(), strict=True)], alone)
    assert len(among) == 9 * len(ROWS) + len(ODD)
    alike(among[-len(ODD) :], alone)
    for row, found in zip(ODD, alone, strict=True):
        alike([found], written(run, [row]))


def test_rows_in_a_batch_are_answered_as_alone(client, run):
    rows = ROWS + [{**row, "key": None} for row in ODD]
    client.socket.sendall(b"".join(request(client.port, "/v1/predict", row) for row in rows))
    found = [client.read().json for _ in rows]
    assert [row["key"] for row in found] == [row["key"] for row in rows]
    with Client(client.port) as other:
        alike(found, [other.ask("/v1/predict", row).json for row in rows])


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_csv_is_answered_with_csv(client, run, tmp_path, delimiter):
    text = io.StringIO()
    rows = csv.DictWriter(text, list(ODD[0]), delimiter=delimiter)
    rows.writeheader()
    rows.writerows({name: "" if cell is None else cell for name, cell in row.items()} for row in IN_FILES)
    path = tmp_path / "rows.csv"
    path.write_text(text.getvalue())
    answer = client.ask("/v1/predict", text.getvalue().encode(), kind="text/csv; charset=utf-8")
    assert answer.headers.get("content-type").startswith("text/csv"), answer.body
    table_run_columns = table_run.predictions(run, run.read(str(path)))
    found = list(csv.DictReader(io.StringIO(answer.body.decode())))
    assert [row["prediction"] for row in found] == table_run_columns["prediction"].tolist()
    for key in KEYS[1:]:  # to the bit: the same digits
        assert [np.float32(row[key]) for row in found] == table_run_columns[key].tolist()


def test_a_table_keeps_the_ids_of_its_rows(client):
    head = ",".join(TABLE)
    cells = ['"1,000.5"' if name == "price" else "007" if name == "key" else "" for name in TABLE]
    answer = client.ask(
        "/v1/predict", f"{head}\n{','.join(cells)}\n".encode(), kind="text/csv", Accept="application/json"
    )
    assert answer.json[0]["key"] == "007"


@pytest.mark.parametrize("digits", [16, 20, 40])
def test_a_row_keeps_all_digits_of_its_id(client, digits):
    """Of which a JSON library of 64 bits would make a float64."""
    key = int("9" * digits)
    assert client.ask("/v1/predict", {**ROWS[0], "key": key}).json["key"] == key
    row = client.ask("/v1/predict", {**ROWS[0], "key": f"{key}"}).json
    assert row["key"] == f"{key}"


def test_csv_in_another_encoding(client):
    text = "size,price,weight,share,colour,fresh,day\n1,2,3,,紅,true,\n"
    answers = [
        client.ask("/v1/predict", text.encode(code), kind=f"text/csv; charset={code}").body
        for code in ("utf-8", "cp950")
    ]
    assert answers[0] == answers[1]
    assert "UTF-8" in client.ask("/v1/predict", text.encode("cp950"), kind="text/csv").error


def test_arrow_is_answered_with_arrow(client, run):
    pa = pytest.importorskip("pyarrow")
    frame = pa.table(TABLE)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, frame.schema) as stream:
        stream.write_table(frame)
    kind = "application/vnd.apache.arrow.stream"
    answer = client.ask("/v1/predict", bytes(sink.getvalue()), kind=kind)
    found = pa.ipc.open_stream(answer.body).read_all()
    assert found.column_names == ["key", *KEYS]
    assert found["prediction"].to_pylist() == run.predict(frame).tolist()
    assert np.array_equal(np.column_stack([found[key] for key in KEYS[1:]]), run.predict_proba(frame))
    as_json = client.ask("/v1/predict", bytes(sink.getvalue()), kind=kind, Accept="application/json").json
    assert [row["key"] for row in as_json] == TABLE["key"]
    assert "Arrow stream" in client.ask("/v1/predict", b"ARROW1", kind=kind).error


@pytest.mark.parametrize("compression", ["lz4", "zstd"])
@pytest.mark.parametrize("column", ["size", "colour"])
def test_a_compressed_arrow_stream_is_refused(client, compression, column):
    """It could unpack to any size."""
    pa = pytest.importorskip("pyarrow")
    frame = pa.table(TABLE)
    frame = frame.set_column(0, column, frame[column].dictionary_encode())
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, frame.schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as stream:
        stream.write_table(frame)
    answer = client.ask("/v1/predict", bytes(sink.getvalue()), kind="application/vnd.apache.arrow.stream")
    assert (answer.status, answer.error) == (400, "the Arrow stream is compressed: send it as it is")


def test_rows_that_take_no_bytes_are_counted_before_they_are_made(classes):
    pa = pytest.importorskip("pyarrow")
    columns = {name: pa.nulls(10**8) for name in TABLE}
    frame = pa.table(columns)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, frame.schema) as stream:
        stream.write_table(frame)
    with running(classes=classes) as service, Client(service.port) as client:
        answer = client.ask("/v1/predict", bytes(sink.getvalue()), kind="application/vnd.apache.arrow.stream")
    assert (answer.status, answer.error) == (413, "more than 1,000,000 rows in a request: send them in parts")


def test_the_form_of_the_answer_may_be_asked_for(client):
    answer = client.ask("/v1/predict", ROWS[:3], Accept="text/html, text/csv;q=0.8")
    lines = answer.body.decode().splitlines()
    assert lines[0] == ",".join(["key", *KEYS])
    assert [line.split(",")[0] for line in lines[1:]] == TABLE["key"][:3]
    assert client.ask("/v1/predict", ROWS[:3], Accept="*/*").json
    assert client.ask("/v1/predict", ROWS[:3], Accept="application/*").json
    refused = client.ask("/v1/predict", ROWS[:3], Accept="text/html, application/json;q=0")
    assert (refused.status, "text/csv" in refused.error) == (406, True)


def test_a_large_request_is_answered_by_a_thread(client):
    rows = ROWS * 9
    assert len(json.dumps(rows)) > SMALL
    large, small = client.ask("/v1/predict", rows).json, client.ask("/v1/predict", ROWS[:3]).json
    assert len(large) == len(rows)
    alike(large[:3], small)
    wrong = client.ask("/v1/predict", [GOOD] * 4_200 + [{**GOOD, "size": "many"}])
    assert "row 4201 of the column 'size'" in wrong.error


def test_a_number_is_predicted(of_several, numbers, tmp_path):
    run = thalweg.load_run(numbers)
    rows = [
        {name: row[name] for name in ("size", "price", "weight", "share", "colour", "fresh", "day")} for row in ROWS
    ]
    found = of_several.ask("/v1/models/numbers/predict", rows).json
    assert [row["prediction"] for row in found] == pytest.approx(run.predict(rows), rel=1e-6)
    assert list(found[0]) == ["prediction"]
    columns = of_several.ask("/v1/models/numbers/predict", {name: [rows[0][name]] for name in rows[0]}).json
    assert columns == {"prediction": [pytest.approx(found[0]["prediction"], rel=1e-6)]}


def test_a_picture_is_told_apart(of_several, pictures, tmp_path):
    image = pytest.importorskip("PIL.Image")
    image.fromarray(np.arange(36, dtype=np.uint8).reshape(6, 6) * 7).save(tmp_path / "a.png")
    body = (tmp_path / "a.png").read_bytes()
    found = of_several.ask("/v1/models/pictures/predict", body, kind="image/png")
    run = thalweg.load_run(pictures)
    assert found.json["prediction"] == run.predict(tmp_path / "a.png")[0]
    assert found.json["probability of 0"] == pytest.approx(run.predict_proba(tmp_path / "a.png")[0, 0], abs=1e-6)
    broken = of_several.ask("/v1/models/pictures/predict", body[:40], kind="image/png")
    assert (broken.status, "the picture" in broken.error, "/" in broken.error) == (400, True, False)
    assert of_several.ask("/v1/models/pictures/predict", ROWS).status == 415
    assert of_several.ask("/v1/models/classes/predict", body, kind="image/png").status == 415


GOOD = ODD[0]
WRONG = [
    (b"", 400, "no JSON"),
    (b"{", 400, "no JSON"),
    (b"NaN", 400, "no JSON"),
    (b'{"size": NaN}', 400, "no JSON"),
    (b"\xff\xfe", 400, "no JSON"),
    (b"[" * 10_000, 400, "no JSON"),
    (b'{"a":' * 5_000 + b"1" + b"}" * 5_000, 400, "no JSON"),
    (3, 400, "an object"),
    ([3], 400, "row 1 is no object"),
    ({}, 400, "lacks 'size', 'price'"),
    ({**GOOD, "colour": [1]}, 400, "some columns are lists, and 'size' isn't"),
    ({name: [] for name in GOOD if name != "day"}, 400, "lacks 'day'"),
    ({name: [1, 2] if name == "size" else [1] for name in GOOD}, 400, "differ in length"),
    ({("coulour" if n == "colour" else n): c for n, c in GOOD.items()}, 400, "did you mean coulour?"),
    ([GOOD, {n: c for n, c in GOOD.items() if n != "day"}], 400, "row 2 lacks 'day'"),
    ({**GOOD, "size": {"a": 1}}, 400, "an object in the column 'size'"),
    ([GOOD, GOOD, {**GOOD, "colour": [1]}], 400, "row 3 has a list in the column 'colour'"),
    ({**GOOD, "size": "many"}, 400, "row 1 of the column 'size' holds the text 'many'"),
    ([GOOD, {**GOOD, "size": "many"}], 400, "row 2 of the column 'size'"),
    ({**GOOD, "day": "yesterday"}, 400, "the column 'day'"),
    ({**GOOD, "size": 10**400}, 400, ""),
    (b'{"size": 1%s}' % (b"0" * 5_000), 400, "no JSON"),
    (b'{"size": 10000000000000000000, "a":' + b"[" * 1_010 + b"]" * 1_010 + b"}", 400, ""),
]  # fmt: skip


@pytest.mark.parametrize(("body", "status", "said"), WRONG, ids=range(len(WRONG)))
def test_what_is_wrong_is_said_in_a_sentence(client, body, status, said):
    answer = client.ask("/v1/predict", body)
    assert answer.status == status
    assert said in answer.error
    assert client.ask("/v1/predict", GOOD).status == 200  # the connection goes on


def test_one_wrong_request_of_a_batch_harms_no_other(client):
    bodies = [GOOD, {**GOOD, "size": "many"}, GOOD, {**GOOD, "day": "yesterday"}, GOOD]
    client.socket.sendall(b"".join(request(client.port, "/v1/predict", body) for body in bodies))
    assert [client.read().status for _ in bodies] == [200, 400, 200, 400, 200]


def test_what_the_model_does_not_use_may_be_anything(client):
    more = {"other": [], "": {"a": [1]}, "third": 3}
    assert client.ask("/v1/predict", GOOD | more).json == client.ask("/v1/predict", GOOD).json
    assert client.ask("/v1/predict", {name: [cell] for name, cell in GOOD.items()} | more).status == 200
    assert client.ask("/v1/predict", [GOOD | more]).status == 200


def test_no_rows_have_no_predictions(client):
    assert client.ask("/v1/predict", []).json == []
    assert client.ask("/v1/predict", {name: [] for name in GOOD}).json == {key: [] for key in KEYS}
    head = ",".join(GOOD).encode() + b"\n"
    assert client.ask("/v1/predict", head, kind="text/csv").body.decode() == ",".join(KEYS) + "\n"


def test_a_body_of_another_kind_is_refused(client):
    assert "application/xml can't be read" in client.ask("/v1/predict", b"<a/>", kind="application/xml").error
    assert client.ask("/v1/predict", GOOD, Content_Encoding="gzip").status == 415
    assert client.ask("/v1/predict", json.dumps(GOOD).encode(), kind=None).status == 200


def test_more_rows_than_allowed_are_refused(classes):
    with running(limits=Limits(rows=3), classes=classes) as service, Client(service.port) as client:
        assert len(client.ask("/v1/predict", [GOOD] * 3).json) == 3
        answers = [
            client.ask("/v1/predict", [GOOD] * 4),
            client.ask("/v1/predict", {name: [cell] * 4 for name, cell in GOOD.items()}),
            client.ask("/v1/predict", (",".join(GOOD) + "\n" + ",,,,,,\n" * 4).encode(), kind="text/csv"),
        ]
        assert [answer.status for answer in answers] == [413] * 3
        assert "more than 3 rows" in answers[0].error
