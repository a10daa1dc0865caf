"""The Open Inference Protocol, version 2, over REST: what KServe's, Triton's and MLServer's clients speak.

A table's model has an input for each column that it uses, (rows,) or (rows, 1), and a run of images one matrix. The
outputs are "prediction" (rows,) and "probabilities" (rows, classes).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from thalweg.data.cells import objects
from thalweg.data.images.image_set import BYTES as BLACK_TO_WHITE
from thalweg.data.sources import nearest
from thalweg.errors import DataError, NotFoundError
from thalweg.serve.answering import Answering, ImageAnswering, TableAnswering
from thalweg.serve.connection import Request
from thalweg.serve.plain_endpoint import (
    BETWEEN,
    SMALL,
    UNKNOWN,
    PlainEndpoint,
    allowed,
    answer,
    predicted_now,
    too_many,
)
from thalweg.serve.reply import BYTES, JSON, AnsweredError, Reply
from thalweg.serve.row_queue import Job, Predicted
from thalweg.serve.served import Served
from thalweg.serve.tensors import Tensor, checked_parameters, read_tensor, to_bytes, type_of
from thalweg.version import __version__

VERSION = "1"
"""Of every model: a run that was loaded again answers under the same one."""
HEADER = b"inference-header-content-length"
COLUMN_TYPES = {float: "FP64", bool: "BOOL", str: "BYTES"}
IMAGE = "image"
PREDICTION, PROBABILITIES = "prediction", "probabilities"


class InferenceProtocol:
    """`/v2`.

    Args:
        plain: whose JSON it speaks. apart: has a request answered by a function in a thread.
    """

    def __init__(self, plain: PlainEndpoint, apart: Callable[[Request, Callable[[], Reply]], None]) -> None:
        self.plain, self.apart = plain, apart

    def server(self) -> dict[str, Any]:
        """The server's metadata."""
        return {"name": "thalweg", "version": __version__, "extensions": ["binary_tensor_data"]}

    def metadata(self, served: Served) -> dict[str, Any]:
        """A model's metadata."""
        model = served.model
        return {"name": served.name, "versions": [VERSION], "platform": "thalweg",
                "inputs": inputs_of(model), "outputs": outputs_of(model)}  # fmt: skip

    def infer(self, served: Served, request: Request) -> None:
        """Answers a request with tensors."""
        if len(request.body) <= SMALL:
            rows, finish = self.read(served, request)
            served.batches.put(Job(rows, partial(answer, request, finish)))
        else:
            self.apart(request, partial(self.now, served, request))

    def now(self, served: Served, request: Request) -> Reply:
        """The answer to a large request."""
        rows, finish = self.read(served, request)
        predicted = predicted_now(served.model, rows, 0)
        served.noted(len(rows), predicted.unknown)
        return finish(predicted)

    def read(self, served: Served, request: Request) -> tuple[Sequence[Any], Callable[[Predicted], Reply]]:
        """The rows of a request, and what makes the answer of their predictions."""
        body, binary = divided(request)
        asked = self.plain.json_of(body)
        if not isinstance(asked, dict) or not isinstance(asked.get("inputs"), list):
            raise DataError('the body has to be an object with a list "inputs"')
        if not isinstance(asked.get("id", ""), str):
            raise DataError('the "id" of a request is a text')
        parameters = checked_parameters(asked, ("binary_data_output",), "the request")
        tensors: list[Tensor] = []
        at = 0
        for given in asked["inputs"]:
            tensor, at = read_tensor(given, binary, at)
            tensors.append(tensor)
        if at != len(binary):
            raise DataError(f"{len(binary) - at:,} bytes follow the tensors")
        rows = rows_of(served.model, tensors, served.limits.rows)
        binary_output = flag(parameters, "binary_data_output", "the request")
        wanted = wanted_outputs(asked, outputs_of(served.model), binary_output)
        return rows, partial(self.reply, served.name, asked.get("id"), wanted, bool(asked.get("outputs")))

    def reply(
        self, name: str, number: str | None, wanted: Mapping[str, bool], asked: bool, predicted: Predicted
    ) -> Reply:
        """The answer, with outputs in the JSON or, where that is wanted, behind it. Which columns' cells say nothing is
        among them if they were `asked` for, or if there are any."""
        arrays = output_arrays(predicted)
        if not asked and not predicted.unknown:
            wanted = {output: as_bytes for output, as_bytes in wanted.items() if output != UNKNOWN}
        if UNKNOWN in wanted:
            arrays[UNKNOWN] = objects(BETWEEN.join(predicted.unknown.get(k, ())) for k in range(len(predicted.labels)))
        outputs, binary = [], []
        for output, as_bytes in wanted.items():
            array = arrays[output]
            about: dict[str, Any] = {"name": output, "shape": list(array.shape), "datatype": type_of(array)}
            if as_bytes:
                binary.append(to_bytes(array))
                about["parameters"] = {"binary_data_size": len(binary[-1])}
            else:
                about["data"] = array.ravel() if array.dtype != object else list(map(str, array.tolist()))
            outputs.append(about)
        told = {"model_name": name, "model_version": VERSION, **({} if number is None else {"id": number})}
        text = self.plain.dumps({**told, "outputs": outputs})
        if not binary:
            return Reply(text)
        return Reply(text + b"".join(binary), BYTES, headers={"Inference-Header-Content-Length": str(len(text))})


def divided(request: Request) -> tuple[bytes, bytes]:
    """The JSON of a request, and the bytes behind it."""
    length = request.headers.get(HEADER)
    if request.header(b"content-encoding") not in ("", "identity"):
        raise AnsweredError(415, "the body is compressed: send it as it is")
    if length is None:
        kind = request.header(b"content-type").partition(";")[0].strip().lower()
        if kind not in ("", JSON, BYTES):
            raise AnsweredError(415, f"a body of {kind} can't be read: send {JSON}")
        return request.body, b""
    if not length.isdigit() or int(length) > len(request.body):
        raise DataError(
            f"Inference-Header-Content-Length has to be the length of the JSON, at most {len(request.body):,}"
        )
    return request.body[: int(length)], request.body[int(length) :]


def flag(parameters: Mapping[str, Any], name: str, what: str) -> bool:
    """A parameter that is true or false; without it false."""
    value = parameters.get(name, False)
    if not isinstance(value, bool):
        raise DataError(f"{name} of {what} is true or false")
    return value


def wanted_outputs(asked: Mapping[str, Any], known: Sequence[Mapping[str, Any]], binary: bool) -> dict[str, bool]:
    """The outputs to answer with, and whether as bytes."""
    names = [output["name"] for output in known]
    given = asked.get("outputs", [])
    if not isinstance(given, list) or not all(isinstance(o, dict) and isinstance(o.get("name"), str) for o in given):
        raise DataError('"outputs" is a list of objects, each with a name')
    wanted: dict[str, bool] = {}
    for output in given:
        name = output["name"]
        if name not in names:
            raise DataError(f"the model has no output {name!r}{nearest(name, names) or f'; it has {names}'}")
        own = checked_parameters(output, ("binary_data",), f"the output {name!r}")
        wanted[name] = flag(own, "binary_data", f"the output {name!r}") if "binary_data" in own else binary
    return wanted or dict.fromkeys(names, binary)


def inputs_of(model: Answering) -> list[dict[str, Any]]:
    """The metadata of a model's inputs."""
    if isinstance(model, TableAnswering):
        return [{"name": name, "datatype": COLUMN_TYPES[model.kind_of(name)], "shape": [-1]} for name in model.used]
    assert isinstance(model, ImageAnswering)
    datatype = "UINT8" if model.run.range == BLACK_TO_WHITE else "FP32"
    return [{"name": IMAGE, "datatype": datatype, "shape": [-1, *model.shape]}]


def outputs_of(model: Answering) -> list[dict[str, Any]]:
    """The metadata of a model's outputs."""
    unknown = [{"name": UNKNOWN, "datatype": "BYTES", "shape": [-1]}] if isinstance(model, TableAnswering) else []
    if not model.classes:
        return [{"name": PREDICTION, "datatype": "FP64", "shape": [-1]}, *unknown]
    labels = {"name": PREDICTION, "datatype": type_of(labels_of(model.classes, model)), "shape": [-1]}
    shares = {"name": PROBABILITIES, "datatype": "FP32", "shape": [-1, len(model.classes)],
              "parameters": {"classes": ", ".join(map(str, model.classes))}}  # fmt: skip
    return [labels, shares, *unknown]


def labels_of(labels: Sequence[Any], model: Answering) -> Any:
    """Labels as an array, of the same type whichever they are."""
    kinds = set(map(type, model.classes))
    if kinds <= {int, bool, float} and len(kinds) == 1 and all(abs(label) < 2**63 for label in model.classes):
        return np.array(labels, kinds.pop())
    array = np.empty(len(labels), object)
    array[:] = labels
    return array


def output_arrays(predicted: Predicted) -> dict[str, Any]:
    """What was predicted, by output."""
    if predicted.shares is None:
        return {PREDICTION: np.array(predicted.labels, np.float64)}
    return {PREDICTION: labels_of(predicted.labels, predicted.model), PROBABILITIES: predicted.shares}


def rows_of(model: Answering, tensors: Sequence[Tensor], most: int) -> Sequence[Any]:
    """The rows of some inputs: dicts of cells, or for a run of images arrays."""
    names = [tensor.name for tensor in tensors]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"the input {twice!r} is given twice")
    known = [about["name"] for about in inputs_of(model)]
    odd = next((name for name in names if name not in known), None)
    if odd is not None:
        raise NotFoundError(f"the model has no input {odd!r}{nearest(odd, known) or f'; it has {known[:12]}'}")
    absent = [name for name in known if name not in names]
    if absent:
        raise DataError(f"the request lacks the input {', '.join(map(repr, absent[:5]))}{', …' * (len(absent) > 5)}")
    if isinstance(model, ImageAnswering):
        return pictures_of(model, tensors[0], most)
    sizes = {tensor.name: rows_in(tensor) for tensor in tensors}
    if len(set(sizes.values())) > 1:
        raise DataError(f"the inputs differ in length: {', '.join(f'{name!r}: {n}' for name, n in sizes.items())}")
    columns = [tensor.array.ravel().tolist() for tensor in tensors]
    return allowed([dict(zip(names, cells, strict=True)) for cells in zip(*columns, strict=True)], most)


def rows_in(tensor: Tensor) -> int:
    """The rows of a column."""
    shape = tensor.array.shape
    if len(shape) > 2 or shape[1:] not in ((), (1,)):
        raise DataError(f"the input {tensor.name!r} has the shape {list(shape)}: a column is [rows] or [rows, 1]")
    return len(tensor.array)


def pictures_of(model: ImageAnswering, tensor: Tensor, most: int) -> Sequence[Any]:
    """Arrays of pictures, in bytes or numbers as the network takes them."""
    x = tensor.array
    if x.dtype == object or x.shape[1:] != model.shape:
        got = f"{tensor.datatype} of {list(x.shape)}"
        raise DataError(f"the input {IMAGE!r} is numbers of the shape {[-1, *model.shape]}, got {got}")
    if len(x) > most:
        raise too_many(most)
    if not len(x):
        raise DataError(f"the input {IMAGE!r} has no pictures")
    x = x if x.dtype == np.uint8 else x.astype(np.float32)
    if not np.isfinite(x).all():
        raise DataError(f"the input {IMAGE!r} holds numbers that aren't finite")
    return list(x)
