"""ONNX models: a network's nodes with its weights, checked."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from thalweg.errors import ArgumentError, ThalwegError
from thalweg.export.exported_network import Network
from thalweg.export.onnx.nodes import LEARNED, Node, Tensor, needed, title
from thalweg.export.onnx.opsets import FIRST, lowest_of
from thalweg.export.onnx.writer import Writer, name_all, shape_of
from thalweg.program.graphs.sizes import ROWS
from thalweg.program.ir.instruction import Buffer
from thalweg.support.extras import need
from thalweg.version import __version__

if TYPE_CHECKING:
    import onnx

LARGEST = 2**31 - 1  # bytes of a message of Protocol Buffers
ONE = Buffer("one of each row", ())
OLDEST_LEARNED = 2  # the first version of LabelEncoder that takes tables
OLDEST_IR = 4  # the first version of the format whose initializers needn't be inputs


def onnx_model(network: Network, opset: int | None = None, classes: Sequence[str] = ()) -> onnx.ModelProto:
    """A network, whose number of rows is open, as an ONNX model that has passed ONNX's checker.

    Images keep their channels last, as here. Inputs and outputs are float32, have the network's names, and "rows" for
    the number of rows.

    Args:
        opset: the version of ONNX's operators; by default the lowest that has all that are needed.
        classes: those whose probabilities the network gives, in order: "classes" of its metadata, as JSON.

    Raises:
        MissingPackageError: onnx isn't installed.
        ArgumentError: the opset is too low, or this version of onnx doesn't know it.
        ThalwegError: ONNX can't say what the network computes, or hold so many weights.
    """
    need("onnx", "onnx", "an ONNX model")
    model = proto(*written(lambda version: Writer(network, version), opset), network)
    if classes:
        model.metadata_props.add(key="classes", value=json.dumps(list(classes), ensure_ascii=False))
    return model


def written(write: Callable[[int], Writer], opset: int | None) -> tuple[Writer, list[Node]]:
    """The nodes in the forms of the opset. What needs a later one may need another form there: it is written again."""
    from onnx.defs import onnx_opset_version

    newest, wanted = onnx_opset_version(), opset
    if wanted is not None and wanted > newest:
        raise ArgumentError(f"the installed onnx knows opsets up to {newest}, not {wanted}")
    version = max(wanted or FIRST, FIRST)
    while True:
        writer = write(version)
        nodes = needed(writer.outputs, writer.nodes.all)
        lowest, late = lowest_of(nodes, version)
        if wanted is not None and (late is not None or wanted < FIRST):
            raise too_low(wanted, lowest, late)
        if late is None:
            return writer, nodes
        version = lowest


def too_low(opset: int, lowest: int, node: Node | None) -> ArgumentError:
    if node is None:
        return ArgumentError(f"opset {opset} is too low: operators broadcast, such as Add, from {FIRST} on")
    i = node.instruction
    reader = "" if i is None else f", which {title(i)} needs,"
    return ArgumentError(f"opset {opset} is too low: {node.operator}{reader} takes {lowest}")


def proto(writer: Writer, nodes: list[Node], network: Network) -> Any:
    import onnx
    from onnx import helper, numpy_helper

    tensors = [*writer.nodes.inputs, *writer.outputs, *(t for n in nodes for t in (*n.inputs, *n.outputs))]
    name_all(tensors)
    arrays = {t.name: t.array for t in tensors if t.array is not None}
    if sum(a.nbytes for a in arrays.values()) > LARGEST:
        raise ThalwegError("an ONNX file holds at most 2 GB of weights; numpy has no such limit")
    graph = helper.make_graph(
        [made(n) for n in nodes],
        "network",
        [described(t, b) for t, b in zip(writer.nodes.inputs, network.inputs, strict=True)],
        [described(t, b) for t, b in zip(writer.outputs, (*network.outputs, ONE), strict=False)],
        [numpy_helper.from_array(a, name) for name, a in arrays.items()],
    )
    opsets = [helper.make_opsetid("", writer.nodes.opset)]
    if any(n.domain for n in nodes):
        opsets.append(helper.make_opsetid(LEARNED, OLDEST_LEARNED))
    model = helper.make_model(
        graph,
        opset_imports=opsets,
        ir_version=max(OLDEST_IR, helper.find_min_ir_version_for(opsets)),
        producer_name="thalweg",
        producer_version=__version__,
        doc_string="A network trained with thalweg: rows of numbers in, predictions out. Images have channels last.",
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def made(node: Node) -> Any:
    from onnx import helper

    names = [[t.name for t in side] for side in (node.inputs, node.outputs)]
    said = node.instruction.formula if node.instruction else None
    return helper.make_node(
        node.operator, *names, names[1][-1], doc_string=said, domain=node.domain, **node.attributes
    )  # fmt: skip


def described(tensor: Tensor, buffer: Buffer) -> Any:
    from onnx import helper

    kind = helper.np_dtype_to_tensor_dtype(tensor.dtype)
    return helper.make_tensor_value_info(tensor.name, kind, ["rows" if n == ROWS else n for n in shape_of(buffer)])
