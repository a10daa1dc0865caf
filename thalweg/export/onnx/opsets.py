"""Which opset an operator needs, by ONNX's own schemas."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

import numpy as np

from thalweg.errors import ThalwegError
from thalweg.export.onnx.nodes import Node, title

FIRST = 8
"""The opset since which all elementwise operators broadcast."""
TYPES = {"float32": "float", "float64": "double", "object": "string"}


@cache
def schemas(operator: str) -> list[Any]:
    """All versions of an operator, the oldest first."""
    from onnx import defs

    own = (s for s in defs.get_all_schemas_with_history() if s.name == operator and s.domain == "")
    return sorted(own, key=lambda s: s.since_version)


def takes(schema: Any, node: Node) -> bool:
    """Whether a version of an operator knows a node's inputs, attributes and types."""
    if schema.deprecated or not schema.min_input <= len(node.inputs) <= schema.max_input:
        return False
    if node.attributes.keys() - schema.attributes.keys():
        return False
    sides = ((node.inputs, schema.inputs), (node.outputs, schema.outputs))
    return all(
        type_of(t.dtype) in parameters[min(k, len(parameters) - 1)].types
        for tensors, parameters in sides
        for k, t in enumerate(tensors)
    )


def type_of(dtype: np.dtype[Any]) -> str:
    return f"tensor({TYPES.get(dtype.name, dtype.name)})"


def lowest(node: Node, opset: int) -> int:
    """The first opset from this one on that knows a node.

    Raises:
        ThalwegError: none does.
    """
    versions = schemas(node.operator)
    before = [s for s in versions if s.since_version <= opset][-1:]
    for schema in [*before, *(s for s in versions if s.since_version > opset)]:
        if takes(schema, node):
            return max(opset, int(schema.since_version))
    kinds, i = ", ".join(t.dtype.name for t in node.inputs), node.instruction
    raise ThalwegError(f"onnx can't say {title(i) if i else 'this'}: no {node.operator} takes {kinds}; numpy can")


def lowest_of(nodes: Iterable[Node], opset: int) -> tuple[int, Node | None]:
    """The first opset from this one on that knows all nodes, and a node that the one before doesn't know."""
    found: tuple[int, Node | None] = (opset, None)
    for node in (n for n in nodes if not n.domain):
        version = lowest(node, opset)
        if version > found[0]:
            found = (version, node)
    return found
