"""Rows of the conformance table for trees: small ones and large ones, with missing values and categories or without."""

import numpy as np
from harness import EXTREME, OPTIONAL, TWICE, Array, Case

from thalweg.program.instructions.forest import BITS, Forest
from thalweg.program.ir.instruction import PARAMETERS, Buffer, Instruction


def grown(c: Case, leaves: int, codes: int) -> list[list[float]]:
    """The nodes of a random tree in preorder; its leaves are numbered from 0 on, and the sets of categories too."""
    if leaves == 1:
        return [[0, 0, 0, 0]]
    left = int(c.random.integers(1, leaves))
    column = int(c.random.integers(c.shape.width))
    missing = int(c.random.random() < 0.3)
    node = [-1 - column, c.random.integers(3), 0, 0] if column < codes else [column, c.random.normal(), 0, missing]
    below = grown(c, left, codes)
    node[2] = len(below) + 1
    return [node, *below, *grown(c, leaves - left, codes)]


def depth_of(nodes: list[list[float]], at: int = 0) -> int:
    """How many nodes are above a leaf at most."""
    skip = int(nodes[at][2])
    return 1 + max(depth_of(nodes, at + 1), depth_of(nodes, at + skip)) if skip else 0


def forest(c: Case) -> Instruction:
    codes = (c.shape.width + 1) // 2 if c.has(OPTIONAL) else 0
    sizes = c.random.integers(1, 90 if c.has(TWICE) else 33, c.shape.units + c.shape.seed % 3)
    trees = [grown(c, int(leaves), codes) for leaves in sizes]
    depth = max(map(depth_of, trees))
    roots = np.cumsum([0, *map(len, trees[:-1])])
    nodes = np.array([node for tree in trees for node in tree])
    nodes[nodes[:, 2] == 0, 1] = np.arange(sizes.sum())
    places = np.sort(c.random.integers(0, 1 + c.shape.seed % 4, len(trees)))
    width = c.shape.seed % 5 * (40 if c.has(EXTREME) else 1) + 1
    x = c.normal("x", (c.shape.width,))
    strange(c, x, codes)
    of = [parameter(c, "nodes", nodes), parameter(c, "trees", np.column_stack([roots, places]))]
    values = c.normal("values", (int(sizes.sum()), width), PARAMETERS, per_row=False)
    base = c.normal("base", ((1 + c.shape.seed % 4) * width,), PARAMETERS, per_row=False)
    words = 1 + c.shape.seed % 2
    sets = parameter(c, "sets", c.random.integers(0, 2**BITS, (3, words))) if codes else None
    i = Forest(x, *of, values, base, sets, c.output("y", base.shape), depth)
    c.magnitudes["y"] = lambda m: Forest.reference(
        i, np, m[x], m[of[0]], m[of[1]], abs(m[values]), abs(m[base]), None if sets is None else m[sets]
    )
    return i


def parameter(c: Case, name: str, values: Array) -> Buffer:
    return c.put(name, values.shape, values, PARAMETERS, per_row=False)


def strange(c: Case, x: Buffer, codes: int) -> None:
    """Codes in the first columns, with some that are none; NaN and infinite numbers in the others."""
    values = c.values[x]
    values[:, :codes] = c.random.integers(-1, 60, (c.shape.rows, codes))
    odd = c.random.random(values.shape) < 0.1
    values[odd] = c.random.choice([np.nan, np.inf, -np.inf, 1e9, 2.5], values.shape)[odd]


ROWS = {"forest": forest}
