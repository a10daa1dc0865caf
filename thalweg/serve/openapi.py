"""The OpenAPI document, made from the columns of the runs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import prod
from typing import Any

from thalweg.data.notations.quantities import SHARES
from thalweg.serve.answering import Answering, TableAnswering
from thalweg.serve.inference_protocol import VERSION, inputs_of, outputs_of
from thalweg.serve.plain_endpoint import PICTURES, UNKNOWN
from thalweg.serve.reply import ARROW, CSV, JSON
from thalweg.serve.served import Served
from thalweg.version import __version__

ERRORS = {
    400: "the request can't be understood, or a cell can't be read",
    401: "the token is missing or wrong",
    403: "the server is for its own machine, and was called by another name",
    404: "there is no such model or address",
    405: "the address takes another method",
    406: "no form of the answer is accepted",
    413: "the body or the number of rows is too large",
    415: "the body is of a kind that can't be read",
    503: "too much is waiting; Retry-After says when to try again",
}
OF_A_BODY = (400, 401, 403, 406, 413, 415, 503)
PLAIN = {"type": "object"}
NOTHING = [{"type": "null"}, {"const": ""}]
DAY = "(19|20)[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])"
CELLS: Mapping[str, list[Any]] = {
    "share": [{"type": ["number", "boolean"]}],
    "number": [{"type": ["number", "boolean"]}, {"type": "string", "pattern": "^[0-9]{1,3}$"}],
    "boolean": [{"type": "boolean"}, {"enum": [0, 1, "false", "true"]}],
    "date": [{"type": "string", "pattern": f"^{DAY}$"}],
    "category": [{"type": ["string", "number", "boolean"]}],
}
"""What a cell may certainly be, by the kind of its column; text is read in the notation of the training's, too."""
CSV_CELLS = {
    "share": "([1-9][0-9]?%)?",
    "number": "[0-9]{0,3}",
    "boolean": "(false|true)?",
    "date": f"({DAY})?",
    "category": "[a-z]{0,9}",
}


def openapi(models: Mapping[str, Served]) -> dict[str, Any]:
    """The document, of OpenAPI 3.1."""
    paths: dict[str, Any] = {
        "/v2": {"get": asked("The server's name, version and extensions", PLAIN)},
        "/v2/health/live": {"get": asked("Whether the server is there", PLAIN, ())},
        "/v2/health/ready": {"get": asked("Whether it takes requests", PLAIN, (503,))},
        "/v1/models": {"get": asked("The models, with their columns", PLAIN)},
        "/metrics": {"get": {"summary": "Numbers for Prometheus", "responses": {
            "200": {"description": "as text", "content": {"text/plain": {"schema": {"type": "string"}}}},
            **errors((401, 403))}}},
    }  # fmt: skip
    schemas: dict[str, Any] = {
        "Error": {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]}
    }
    for name, served in models.items():
        schemas |= schemas_of(name, served.model)
        first, second = f"/v1/models/{name}", f"/v2/models/{name}"
        paths["/v1/predict" if len(models) == 1 else f"{first}/predict"] = {"post": predict(name, served.model)}
        paths[first] = {"get": asked(f"What {name} takes and answers", PLAIN)}
        for base in (second, f"{second}/versions/{VERSION}"):
            paths[base] = {"get": asked(f"The tensors of {name}", PLAIN)}
            paths[f"{base}/ready"] = {"get": asked(f"Whether {name} is loaded", PLAIN)}
            paths[f"{base}/infer"] = {"post": infer(name)}
    return {
        "openapi": "3.1.0",
        "info": {"title": "thalweg serve", "version": __version__, "description": "Predictions of trained networks."},
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
        "security": [{}, {"token": []}],
    }


def asked(summary: str, schema: Mapping[str, Any], statuses: tuple[int, ...] = (401, 403)) -> dict[str, Any]:
    """An operation without a body, which is answered with JSON."""
    good = {"200": {"description": "the answer", "content": {JSON: {"schema": schema}}}}
    return {"summary": summary, "responses": good | errors(statuses)}


def errors(statuses: tuple[int, ...]) -> dict[str, Any]:
    """The answers to what goes wrong."""
    content = {JSON: {"schema": {"$ref": "#/components/schemas/Error"}}}
    return {str(status): {"description": ERRORS[status], "content": content} for status in statuses}


def schemas_of(name: str, model: Answering) -> dict[str, Any]:
    """The schemas of a model's rows, predictions and tensors."""
    answer = {key: {"type": "number", "minimum": 0, "maximum": 1} for key in model.keys[1:]}
    answer["prediction"] = {"enum": list(model.classes)} if model.classes else {"type": "number"}
    if isinstance(model, TableAnswering):
        said = (
            "the columns whose cells say nothing, as training had none like them; only if a row of the request has any"
        )
        answer[UNKNOWN] = {"type": "array", "items": {"enum": list(model.used)}, "description": said}
    found = {
        f"{name}.Prediction": {"type": "object", "properties": answer, "required": list(model.keys)},
        f"{name}.Inference": inference(model),
    }
    if isinstance(model, TableAnswering):
        found[f"{name}.Row"] = row(model)
    return found


def kinds_of(model: TableAnswering) -> dict[str, str]:
    """The columns that a model uses, with their kinds; "share" is a number that has to be written as 45%."""
    shares = [name for name, fitted in model.run.features.used.items() if getattr(fitted, "unit", "") in SHARES]
    kinds = {about["name"]: about["kind"] for about in model.description()["columns"]}
    return kinds | dict.fromkeys(shares, "share")


def row(model: TableAnswering) -> dict[str, Any]:
    """The schema of a row: a cell for each column that the model uses; others are passed over."""
    properties, kinds = {}, kinds_of(model)
    for about in model.description()["columns"]:
        said = f"{about['kind']}: {about['understood']}; null is a missing cell, and text is read as in a file"
        properties[about["name"]] = {"anyOf": [*NOTHING, *CELLS[kinds[about["name"]]]], "description": said}
    return {"type": "object", "properties": properties, "required": list(model.used)}


def table(model: TableAnswering) -> dict[str, Any]:
    """The schema of CSV: a line of names, and lines of cells."""
    kinds = [CSV_CELLS[kind] for kind in kinds_of(model).values()]
    quoted = [f'"{name}"' if set(name) & set(',;"\n') else name for name in model.used]
    names = re.sub(r"([][\\^$.|?*+(){}])", r"\\\1", ",".join(quoted))
    return {"type": "string", "pattern": f"^{names}\\n({','.join(kinds)}\\n)*$",
            "description": "one line with the names of the columns, in any order, and a line for each row"}  # fmt: skip


def predict(name: str, model: Answering) -> dict[str, Any]:
    """The plain endpoint of a model."""
    prediction = {"$ref": f"#/components/schemas/{name}.Prediction"}
    columns = {"type": "object", "additionalProperties": {"type": "array"}}
    if isinstance(model, TableAnswering):
        one = {"$ref": f"#/components/schemas/{name}.Row"}
        cells = {"type": "array", "minItems": 1, "maxItems": 1}
        by_column = {
            "type": "object",
            "required": list(model.used),
            "properties": {n: {**cells, "items": cell} for n, cell in row(model)["properties"].items()},
            "description": "a list of cells for each column, here of one row",
        }
        content: dict[str, Any] = {
            JSON: {"schema": {"anyOf": [one, {"type": "array", "items": one}, by_column]}},
            CSV: {"schema": table(model)},
            ARROW: {"schema": {"type": "string", "format": "binary"}},
        }
        predicts = model.run.target.name
        answer: Any = {"anyOf": [prediction, {"type": "array", "items": prediction}, columns]}
    else:
        content = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in PICTURES}
        answer, predicts = prediction, "the class of a picture"
    good = {JSON: {"schema": answer}, CSV: {"schema": {"type": "string"}}, ARROW: {"schema": {"type": "string"}}}
    return {
        "summary": f"Predicts {predicts}",
        "requestBody": {"required": True, "content": content},
        "responses": {"200": {"description": "the predictions, in the form of the rows", "content": good}}
        | errors(OF_A_BODY),
    }  # fmt: skip


def infer(name: str) -> dict[str, Any]:
    """Inference by the Open Inference Protocol."""
    body = {JSON: {"schema": {"$ref": f"#/components/schemas/{name}.Inference"}}}
    good = {"200": {"description": "the outputs", "content": {JSON: {"schema": PLAIN}}}}
    return {"summary": f"Open Inference Protocol: what {name} predicts",
            "requestBody": {"required": True, "content": body}, "responses": good | errors(OF_A_BODY)}  # fmt: skip


def inference(model: Answering) -> dict[str, Any]:
    """The schema of a request for inference: of one row, in the order of the columns."""
    kinds = kinds_of(model) if isinstance(model, TableAnswering) else {}
    tensors = [tensor(about, kinds.get(about["name"], "")) for about in inputs_of(model)]
    output = {"enum": [about["name"] for about in outputs_of(model)]}
    return {
        "type": "object",
        "description": "of one row; the shape is [rows], and inputs have any order",
        "required": ["inputs"],
        "properties": {
            "id": {"type": "string"},
            "inputs": {"type": "array", "prefixItems": tensors, "minItems": len(tensors), "maxItems": len(tensors)},
            "outputs": {
                "type": "array",
                "items": {"type": "object", "required": ["name"], "properties": {"name": output}},
            },
        },
    }


def tensor(about: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """The schema of an input with one row."""
    shape = [1, *about["shape"][1:]]
    types = {"FP64": "number", "FP32": "number", "BOOL": "boolean", "BYTES": "string", "UINT8": "integer"}
    cell: dict[str, Any] = (
        {"anyOf": [*NOTHING, *CELLS[kind]]} if kind == "date" else {"type": [types[about["datatype"]], "null"]}
    )
    if about["datatype"] == "UINT8":
        cell |= {"minimum": 0, "maximum": 255}
    size = prod(shape)
    data = {"type": "array", "items": cell, "minItems": size, "maxItems": size}
    known = {"name": {"const": about["name"]}, "shape": {"const": shape}, "datatype": {"const": about["datatype"]}}
    return {"type": "object", "required": [*known, "data"], "properties": {**known, "data": data}}
