"""The Open Inference Protocol, by a small client of its own; and by Triton's, where it is installed."""

import json

import numpy as np
import pytest
from conftest import odd_table
from served_runs import Client, running

import thalweg
from thalweg.data.tables import read_table
from thalweg.runs import table_training
from thalweg.runs.table_run import TableOptions
from thalweg.serve.plain_endpoint import SMALL
from thalweg.serve.served import Limits

COLUMNS = {
    "size": ("FP64", [12.5, None]),
    "price": ("BYTES", ["1,234.5", "7"]),
    "weight": ("BYTES", ["7 kg", "3"]),
    "share": ("BYTES", ["45%", "7%"]),
    "colour": ("BYTES", ["red", "7"]),
    "fresh": ("BOOL", [True, False]),
    "day": ("BYTES", ["05/06/2011", ""]),
}
ROWS = [{name: cells[k] for name, (_, cells) in COLUMNS.items()} for k in range(2)]
INFER = "/v2/models/classes/infer"


def inputs(**other):
    """The inputs of a request in JSON; `other` replaces an input, or leaves it out (None)."""
    made = {n: {"name": n, "shape": [2], "datatype": t, "data": cells} for n, (t, cells) in COLUMNS.items()}
    return {"inputs": [one for one in (made | other).values() if one is not None]}


def as_bytes(cells, datatype):
    """The bytes of a tensor, as the extension describes them."""
    if datatype == "BYTES":
        return b"".join(len(text.encode()).to_bytes(4, "little") + text.encode() for text in cells)
    kind = {"BOOL": "?", "FP64": "<f8", "FP32": "<f4", "INT64": "<i8", "INT32": "<i4"}[datatype]
    return np.array([np.nan if cell is None else cell for cell in cells]).astype(kind).tobytes()


def binary_request(columns=COLUMNS, **more):
    """A request whose tensors are behind its JSON, and the headers that say so."""
    parts = [(name, datatype, as_bytes(cells, datatype)) for name, (datatype, cells) in columns.items()]
    tensors = [
        {"name": name, "shape": [2, 1], "datatype": datatype, "parameters": {"binary_data_size": len(part)}}
        for name, datatype, part in parts
    ]
    head = json.dumps({"inputs": tensors, **more}).encode()
    how = {"kind": "application/octet-stream", "Inference_Header_Content_Length": len(head)}
    return head + b"".join(part for *_, part in parts), how


@pytest.fixture(scope="module")
def plain(service):
    """What the plain endpoint answers to the same rows."""
    with Client(service.port) as client:
        return client.ask("/v1/predict", ROWS).json


def shares_of(plain):
    return [[row[f"probability of {label}"] for label in "abc"] for row in plain]


def test_the_server_and_its_models_describe_themselves(client):
    assert client.ask("/v2/health/live").json == {"live": True}
    assert client.ask("/v2/health/ready").json == {"ready": True}
    about = client.ask("/v2").json
    assert (about["name"], about["extensions"]) == ("thalweg", ["binary_tensor_data"])
    for base in ("/v2/models/classes", "/v2/models/classes/versions/1"):
        assert client.ask(f"{base}/ready").status == 200
        model = client.ask(base).json
        assert {one["name"]: one["datatype"] for one in model["inputs"]} == {n: t for n, (t, _) in COLUMNS.items()} | {
            "price": "FP64", "weight": "FP64", "share": "FP64"
        }  # fmt: skip
        assert [(one["name"], one["datatype"], one["shape"]) for one in model["outputs"]] == [
            ("prediction", "BYTES", [-1]), ("probabilities", "FP32", [-1, 3]), ("unknown", "BYTES", [-1])
        ]  # fmt: skip


def test_inference_in_json_is_what_the_plain_endpoint_says(client, plain):
    answer = client.ask(INFER, {**inputs(), "id": "seven"}).json
    assert (answer["model_name"], answer["model_version"], answer["id"]) == ("classes", "1", "seven")
    prediction, shares = answer["outputs"]
    assert prediction == {
        "name": "prediction",
        "shape": [2],
        "datatype": "BYTES",
        "data": [r["prediction"] for r in plain],
    }
    assert (shares["shape"], shares["datatype"]) == ([2, 3], "FP32")
    assert shares["data"] == pytest.approx(np.ravel(shares_of(plain)), abs=1e-6)


def test_data_may_be_nested_and_columns_have_two_axes(client, plain):
    size = {"name": "size", "shape": [2, 1], "datatype": "FP32", "data": [[12.5], [None]]}
    answer = client.ask("/v2/models/classes/versions/1/infer", inputs(size=size)).json
    assert answer["outputs"][0]["data"] == [row["prediction"] for row in plain]


def test_inference_in_bytes(client, plain):
    body, how = binary_request(id="b", outputs=[{"name": "probabilities", "parameters": {"binary_data": True}}])
    answer = client.ask(INFER, body, **how)
    length = int(answer.headers["inference-header-content-length"])
    (about,) = json.loads(answer.body[:length])["outputs"]
    assert about == {
        "name": "probabilities",
        "shape": [2, 3],
        "datatype": "FP32",
        "parameters": {"binary_data_size": 24},
    }
    shares = np.frombuffer(answer.body[length:], "<f4").reshape(2, 3)
    assert shares == pytest.approx(np.array(shares_of(plain)), abs=1e-6)


def test_all_outputs_in_bytes_unless_one_is_wanted_otherwise(client, plain):
    wanted = [{"name": "probabilities", "parameters": {"binary_data": False}}, {"name": "prediction"}]
    body, how = binary_request(parameters={"binary_data_output": True}, outputs=wanted)
    answer = client.ask(INFER, body, **how)
    length = int(answer.headers["inference-header-content-length"])
    shares, prediction = json.loads(answer.body[:length])["outputs"]
    assert len(shares["data"]) == 6
    assert prediction["parameters"] == {"binary_data_size": 10}
    assert answer.body[length:] == as_bytes([row["prediction"] for row in plain], "BYTES")


@pytest.mark.parametrize("datatype", ["FP32", "FP64", "INT32", "INT64", "UINT8", "BYTES"])
def test_a_number_in_every_type(client, datatype):
    size = {"name": "size", "shape": [2], "datatype": datatype, "data": ["12", "3"] if datatype == "BYTES" else [12, 3]}
    found = client.ask(INFER, inputs(size=size)).json["outputs"][1]["data"]
    same = client.ask("/v1/predict", [{**row, "size": cell} for row, cell in zip(ROWS, (12, 3), strict=True)]).json
    assert found == pytest.approx(np.ravel(shares_of(same)), abs=1e-6)


def test_a_large_request_is_answered_by_a_thread(client, plain):
    body, how = binary_request({name: (kind, cells * 2_000) for name, (kind, cells) in COLUMNS.items()})
    body = body.replace(b'"shape": [2, 1]', b'"shape": [4000]')
    assert len(body) > SMALL
    how["Inference_Header_Content_Length"] = body.index(b"]}") + 2
    shares = np.reshape(client.ask(INFER, body, **how).json["outputs"][1]["data"], (4000, 3))
    assert shares[-2:] == pytest.approx(np.array(shares_of(plain)), abs=1e-6)


def test_a_number_is_one_output(of_several, numbers):
    about = of_several.ask("/v2/models/numbers").json
    assert [(one["name"], one["datatype"]) for one in about["outputs"]] == [
        ("prediction", "FP64"),
        ("unknown", "BYTES"),
    ]
    (output,) = of_several.ask("/v2/models/numbers/infer", inputs()).json["outputs"]
    assert output["data"] == pytest.approx(thalweg.load_run(numbers).predict(ROWS), rel=1e-5)


@pytest.mark.parametrize(("least", "datatype"), [(2**53, "INT64"), (2**63 - 1, "BYTES"), (2**64 - 1, "BYTES")])
def test_labels_keep_their_digits(least, datatype, tmp_path):
    """2^53 and 2^53 + 1 are one float64; 2^63 is no INT64, and 2^64 nothing of 64 bits."""
    table = {"x": [k % 2 for k in range(60)], "y": [least + k % 2 for k in range(60)]}
    options = TableOptions(target="y", trees=False, members=1, layers=(4,), epochs=30, seed=0, lanes=1)
    table_training.train(read_table(table), options).save(tmp_path / "ids", ["thalweg", "train"])
    asked = {"inputs": [{"name": "x", "shape": [2], "datatype": "FP64", "data": [0.0, 1.0]}]}
    with running(ids=tmp_path / "ids") as service, Client(service.port) as client:
        told = client.ask("/v2/models/ids").json["outputs"][0]["datatype"]
        output = client.ask("/v2/models/ids/infer", asked).json["outputs"][0]
        plain = [row["prediction"] for row in client.ask("/v1/predict", [{"x": 0}, {"x": 1}]).json]
    assert told == output["datatype"] == datatype
    assert [*map(int, output["data"])] == plain == [least, least + 1]


@pytest.mark.parametrize("datatype", ["UINT8", "FP32"])
def test_images_are_one_matrix(of_several, pictures, datatype):
    run = thalweg.load_run(pictures)
    x = np.random.default_rng(1).integers(0, 256, (3, 6, 6, 1)).astype(np.uint8)
    (about,) = of_several.ask("/v2/models/pictures").json["inputs"]
    assert about == {"name": "image", "datatype": "UINT8", "shape": [-1, 6, 6, 1]}
    tensor = {"name": "image", "shape": list(x.shape), "datatype": datatype, "data": x.tolist()}
    prediction, shares = of_several.ask("/v2/models/pictures/infer", {"inputs": [tensor]}).json["outputs"]
    wanted = run.model.predict(x, verbose=0)
    assert np.reshape(shares["data"], (3, 2)) == pytest.approx(wanted, abs=1e-6)
    assert prediction["data"] == [run.classes[k] for k in wanted.argmax(axis=1)]
    for wrong, said in (
        ({"shape": [3, 36]}, "of the shape"),
        ({"data": (x / 255.0).tolist(), "datatype": "FP32"}, "numbers from"),
    ):
        answer = of_several.ask("/v2/models/pictures/infer", {"inputs": [tensor | wrong]})
        assert (answer.status, said in answer.error) == (400, True)


SIZE = {"name": "size", "shape": [2], "datatype": "FP64", "data": [1.0, 2.0]}
WRONG = [
    ([], 'list "inputs"'),
    ({"inputs": 3}, 'list "inputs"'),
    ({"inputs": [3]}, "an object with name"),
    ({**inputs(), "id": 3}, "is a text"),
    ({**inputs(), "parameters": {"priority": 3}}, "isn't supported"),
    ({**inputs(), "outputs": [{"name": "probability"}]}, "did you mean probabilities?"),
    ({**inputs(), "outputs": [{"name": "prediction", "parameters": {"classification": 2}}]}, "'classification'"),
    (inputs(size=None), "lacks the input 'size'"),
    (inputs(sise=SIZE | {"name": "sise"}), "did you mean size?"),
    (inputs(again=SIZE), "given twice"),
    (inputs(size=SIZE | {"shape": [3]}), "its shape is [3]"),
    (inputs(size=SIZE | {"shape": [1, 2]}), "[rows] or [rows, 1]"),
    (inputs(size=SIZE | {"shape": [-2]}), "list of sizes"),
    (inputs(size=SIZE | {"shape": []}), "list of sizes"),
    (inputs(size=SIZE | {"shape": [1], "data": [1.0]}), "differ in length"),
    (inputs(size=SIZE | {"datatype": "FP65"}), "FP64"),
    (inputs(size=SIZE | {"datatype": "FP32", "data": ["1", "2"]}), "'1'"),
    (inputs(size=SIZE | {"datatype": "INT32", "data": [1, 2**40]}), "INT32 can't hold"),
    (inputs(size=SIZE | {"data": [[1.0], 2.0]}), "nested unevenly"),
    (inputs(size=SIZE | {"data": None}), "has no data"),
    (inputs(size=SIZE | {"parameters": {"binary_data_size": 16}}), "give one of them"),
    (inputs(size=SIZE | {"parameters": {"shared_memory_region": "a"}}), "isn't supported"),
    (inputs(size={**SIZE, "datatype": "BYTES", "data": ["many", "1"]}), "row 1 of the column 'size'"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "said"), WRONG, ids=range(len(WRONG)))
def test_what_is_wrong_is_said_in_a_sentence(client, body, said):
    answer = client.ask(INFER, body)
    assert answer.status == 400
    assert said in answer.error
    assert client.ask(INFER, inputs()).status == 200


def test_wrong_bytes_are_refused(client):
    body, how = binary_request()
    length = how["Inference_Header_Content_Length"]
    numbers, of_numbers = binary_request(COLUMNS | {"colour": ("FP64", [1.0, 2.0])})
    texts = numbers.replace(b'"FP64", "parameters"', b'"BYTES","parameters"')
    for content, said, changed in (
        (body[:-3], "bytes follow", {}),
        (body + b"more", "4 bytes follow the tensors", {}),
        (body, "length of the JSON", {"Inference_Header_Content_Length": len(body) + 1}),
        (body, "length of the JSON", {"Inference_Header_Content_Length": -1}),
        (texts, "longer than its bytes", of_numbers),
        (body.replace(b'"shape": [2, 1]', b'"shape": [3, 1]'), "its shape means", {}),
        (body[:length] + body[length:].replace(b"red", b"\xff\xff\xff"), "not in UTF-8", {}),
    ):
        answer = client.ask(INFER, content, **(how | changed))
        assert (answer.status, said in answer.error) == (400, True), answer.error


def test_unknown_models_and_versions(of_several):
    assert "did you mean classes?" in of_several.ask("/v2/models/clases/infer", inputs()).error
    assert of_several.ask("/v2/models/nix").status == 404
    assert "it has 1" in of_several.ask("/v2/models/classes/versions/2/infer", inputs()).error


def test_more_rows_than_allowed_are_refused(classes):
    with running(limits=Limits(rows=1), classes=classes) as service, Client(service.port) as client:
        assert client.ask(INFER, inputs()).status == 413


def test_tritons_client_makes_a_round_trip(service, plain):
    http = pytest.importorskip("tritonclient.http")
    client = http.InferenceServerClient(f"127.0.0.1:{service.port}")
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("classes")
    assert client.get_model_metadata("classes")["name"] == "classes"
    for binary in (True, False):
        tensors = []
        for name, (datatype, cells) in COLUMNS.items():
            kind = {"FP64": np.float64, "BOOL": np.bool_, "BYTES": object}[datatype]
            tensors.append(http.InferInput(name, [2], datatype))
            array = np.array([np.nan if cell is None else cell for cell in cells], kind)
            tensors[-1].set_data_from_numpy(array, binary_data=binary or datatype == "FP64")
        wanted = [http.InferRequestedOutput(name, binary_data=binary) for name in ("prediction", "probabilities")]
        for outputs in (wanted, None):
            found = client.infer("classes", tensors, outputs=outputs, request_id="r")
            labels = [text.decode() if isinstance(text, bytes) else text for text in found.as_numpy("prediction")]
            assert labels == [row["prediction"] for row in plain]
            assert found.as_numpy("probabilities") == pytest.approx(np.array(shares_of(plain)), abs=1e-6)
    with pytest.raises(Exception, match="lacks the input"):
        client.infer("classes", tensors[:2])


assert set(COLUMNS) < set(odd_table())
