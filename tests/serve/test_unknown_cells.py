"""An answer names the columns of each row whose cell says nothing: a category that training never saw, or no number."""

import csv
import io
import json
import struct

import numpy as np
import pytest
from conftest import odd_table, trained
from served_runs import Client, request, running
from test_plain_endpoint import KEYS, ROWS, TABLE

from thalweg.data.tables import Table, read_table
from thalweg.runs import table_training
from thalweg.runs.table_run import TableOptions
from thalweg.serve.reply import ARROW
from thalweg.tabular import Features

INFER = "/v2/models/classes/infer"
KNOWN = {**ROWS[5], "colour": "red"}
NEW = {**ROWS[6], "colour": "violet"}
GAP = {**ROWS[7], "colour": None}
LONG = {**ROWS[8], "colour": "x" * 300}  # which a table has to read
GIVEN = [KNOWN, NEW, GAP, LONG]
WANTED = [[], ["colour"], [], ["colour"]]


def columns(rows):
    return {name: [row[name] for row in rows] for name in TABLE}


def stream(rows):
    pa = pytest.importorskip("pyarrow")
    from arrow_streams import written

    return written(pa.table(columns(rows)))


def text(rows):
    file = io.StringIO()
    writer = csv.DictWriter(file, list(TABLE))
    writer.writeheader()
    writer.writerows({name: "" if row[name] is None else row[name] for name in TABLE} for row in rows)
    return file.getvalue().encode()


def tensors(rows, **more):
    kinds = {float: "FP64", bool: "BOOL", str: "BYTES"}
    given = []
    for name, cells in columns(rows).items():
        if name != "key":
            kind = kinds[type(next(cell for cell in cells if cell is not None))]
            given.append({"name": name, "shape": [len(rows)], "datatype": kind, "data": cells})
    return {"inputs": given, **more}


def test_an_answer_in_json_names_them(client):
    assert list(client.ask("/v1/predict", KNOWN).json) == list(client.ask("/v1/predict", GAP).json) == ["key", *KEYS]
    for row in (NEW, LONG):
        found = client.ask("/v1/predict", row).json
        assert list(found) == ["key", *KEYS, "unknown"]
        assert found["unknown"] == ["colour"]
    assert [row["unknown"] for row in client.ask("/v1/predict", GIVEN).json] == WANTED
    assert client.ask("/v1/predict", columns(GIVEN)).json["unknown"] == WANTED
    assert [list(row) for row in client.ask("/v1/predict", [KNOWN, GAP]).json] == [["key", *KEYS]] * 2


def test_rows_of_a_batch_keep_their_own(client):
    rows = [KNOWN, NEW, LONG, GAP, {**NEW, "size": "many"}, NEW]
    client.socket.sendall(b"".join(request(client.port, "/v1/predict", row) for row in rows))
    assert [client.read().json.get("unknown") for _ in rows] == [None, ["colour"], ["colour"], None, None, ["colour"]]


def test_many_rows_name_theirs(client):
    """In several parts, by a thread."""
    rows = [KNOWN] * 5_000
    assert "unknown" not in client.ask("/v1/predict", rows).json[0]
    rows[10], rows[4_999] = NEW, LONG
    found = client.ask("/v1/predict", rows).json
    assert {k: row["unknown"] for k, row in enumerate(found) if row["unknown"]} == {10: ["colour"], 4_999: ["colour"]}
    asked = client.ask("/v1/predict", rows, Accept="text/csv").body.decode()
    assert [row["unknown"] for row in csv.DictReader(io.StringIO(asked))] == [
        "",
        *[""] * 9,
        "colour",
        *[""] * 4_988,
        "colour",
    ]


@pytest.mark.parametrize(("body", "kind"), [(text, "text/csv"), (stream, ARROW)])
def test_tables_name_theirs(client, body, kind):
    def ask(rows, form):
        return client.ask("/v1/predict", body(rows), kind=kind, Accept=form).body

    assert [row["unknown"] for row in json.loads(ask(GIVEN, "application/json"))] == WANTED
    rows = list(csv.DictReader(io.StringIO(ask(GIVEN, "text/csv").decode())))
    assert [row["unknown"] for row in rows] == ["", "colour", "", "colour"]
    assert list(json.loads(ask([KNOWN, GAP], "application/json"))[0]) == ["key", *KEYS]
    assert ask([KNOWN, GAP], "text/csv").decode().splitlines()[0] == ",".join(["key", *KEYS])
    pa = pytest.importorskip("pyarrow")
    assert pa.ipc.open_stream(ask(GIVEN, ARROW)).read_all()["unknown"].to_pylist() == WANTED
    assert pa.ipc.open_stream(ask([KNOWN, GAP], ARROW)).read_all().column_names == ["key", *KEYS]


def test_inference_has_an_output_for_them(client):
    def outputs(rows, **more):
        return {one["name"]: one["data"] for one in client.ask(INFER, tensors(rows, **more)).json["outputs"]}

    assert list(outputs([KNOWN, GAP])) == ["prediction", "probabilities"]
    assert outputs(GIVEN)["unknown"] == ["", "colour", "", "colour"]
    assert outputs([KNOWN], outputs=[{"name": "unknown"}]) == {"unknown": [""]}
    assert list(outputs(GIVEN, outputs=[{"name": "prediction"}])) == ["prediction"]
    assert outputs([NEW] * 500)["unknown"] == ["colour"] * 500  # by a thread
    answer = client.ask(INFER, tensors([NEW], parameters={"binary_data_output": True}))
    length = int(answer.headers["inference-header-content-length"])
    assert json.loads(answer.body[:length])["outputs"][-1]["name"] == "unknown"
    assert answer.body.endswith(struct.pack("<I", 6) + b"colour")


def test_they_are_counted(classes):
    with running(classes=classes) as service, Client(service.port) as client:

        def counted():
            lines = client.ask("/metrics").body.decode().splitlines()
            return [line.split()[-1] for line in lines if line.startswith("thalweg_unknown_cells_total{")]

        client.ask("/v1/predict", [KNOWN, GAP])
        assert counted() == []
        client.ask("/v1/predict", GIVEN)
        assert counted() == ["2"]
        client.ask("/v1/predict", [KNOWN] * 5_000 + [NEW])
        client.ask("/v1/predict", text(GIVEN), kind="text/csv")
        client.ask(INFER, tensors([NEW] * 500))
        client.ask(INFER, tensors([NEW]))
        assert counted() == [str(2 + 1 + 2 + 500 + 1)]
        body = client.ask("/metrics").body.decode()
        assert 'thalweg_unknown_cells_total{model="classes",column="colour"} 506' in body


def test_odd_cells_among_numbers_are_named_and_not_logged(tmp_path, capfd):
    """They count as missing, as `thalweg predict` says; a server's log isn't told what a request holds."""
    pytest.importorskip("pyarrow")
    folder = trained(tmp_path / "run", "kind", ignore=("amount", "key"), numbers=("size", "price"))
    odd = {**NEW, "size": "Quickbeam", "price": "Bregalad"}
    with running(run=folder) as service, Client(service.port) as client:
        capfd.readouterr()
        for row in (odd, [KNOWN, odd]):
            found = client.ask("/v1/predict", row).json
            assert (found if type(row) is dict else found[1])["unknown"] == ["size", "price", "colour"]
        found = client.ask("/v1/predict", text([KNOWN, odd]), kind="text/csv", Accept="application/json").json
        assert [row["unknown"] for row in found] == [[], ["size", "price", "colour"]]
        assert "Quickbeam" not in "".join(capfd.readouterr())


def test_the_name_is_another_where_the_rows_are_named_so(tmp_path):
    table = {**{name: cells for name, cells in TABLE.items() if name != "key"}, "unknown": TABLE["key"]}
    options = TableOptions(target="kind", id="unknown", trees=False, members=1, layers=(4,), epochs=1, seed=0, lanes=1)
    run = table_training.train(read_table({**table, "kind": odd_table()["kind"]}), options)
    run.save(tmp_path / "run", ["thalweg", "train"])
    row = {**{name: cell for name, cell in NEW.items() if name != "key"}, "unknown": "U-1"}
    with running(run=tmp_path / "run") as service, Client(service.port) as client:
        found = client.ask("/v1/predict", row).json
        assert (found["unknown"], found["unknown columns"]) == ("U-1", ["colour"])
        lines = ",".join(row) + "\n" + ",".join(f'"{"" if cell is None else cell}"' for cell in row.values()) + "\n"
        found = client.ask("/v1/predict", lines.encode(), kind="text/csv", Accept="application/json").json
        assert (found[0]["unknown"], found[0]["unknown columns"]) == ("U-1", ["colour"])


def test_a_category_that_counts_as_rare_is_none_of_them():
    words = [f"w{number:03d}" for number in range(103)]
    features = Features.fit(Table.of({"w": words * 2 + words[3:] * 2, "x": np.arange(406)}))
    _, left, unknown = features.of_rows([{"w": "never seen", "x": 1}])
    assert (left, unknown, features.unknown(Table.of({"w": ["never seen"], "x": [1]}))) == ([], {}, {})
