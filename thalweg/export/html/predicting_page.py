"""A table's network as one page that predicts: it asks for nothing else, and needs no connection."""

from __future__ import annotations

import base64
import zlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from thalweg.data.labels import Label
from thalweg.export.exported_tables import Column, TableNetwork
from thalweg.export.js.js_files import constants, network_lines
from thalweg.export.js.js_table import columns_read, markers
from thalweg.export.js.js_text import ARRAYS
from thalweg.program.loops.printer import indented
from thalweg.program.loops.routine import Routine
from thalweg.views.web.bundle import bundle, styles
from thalweg.views.web.encoding import encode
from thalweg.views.web.page import framed

POOLS = {name: kind.removesuffix("Array").lower() for name, kind in ARRAYS.items()}
"""The array, in the page, that holds all constants of a type."""
SHOWN = {
    "number": ("low", "high", "median", "notation", "unit"), "boolean": ("true_share",),
    "date": ("first", "last", "clock"), "category": ("rest",),
}  # fmt: skip
"""What the page knows of a fitted column."""


def predicting_page(table: TableNetwork, name: str, scores: Mapping[str, float], int8: bool = False) -> str:
    """The page's text.

    table: of `table_network(model, features, 1)`. name: what the page calls itself. scores: on rows held out, by name.
    """
    pools = Pools()
    network = network_lines(table.network, "answer", int8, pools.kept)
    target, style = table.target, styles("predictor/predictor.css", base=("theme.css",))
    document = {
        "name": name,
        "target": {
            "name": target.name,
            "unit": one_of(target.unit),
            "classes": [cell(label) for label in target.classes],
        },
        "probabilities": [f"probability of {label}" for label in target.classes],
        "columns": [told(column) for column in table.columns],
        "scores": {key: value for key, value in scores.items() if np.isfinite(value)},
        "style": style,
        "planes": pools.planes(),
    }
    code = "\n".join([
        *markers(), bundle("predictor/predictor.js", vendor=(), commented=False),
        f"function network({{ {', '.join(sorted(set(POOLS.values())))} }}) {{", *indented([*network, "return answer;"]),
        "}", *columns_read(table), "await predicting(network, COLUMNS);",
    ])  # fmt: skip
    return framed(name, "en", code, style, packed(encode(document)), styled=False)


class Pools:
    """The constants of a network, those of a type beside each other."""

    def __init__(self) -> None:
        self.parts: dict[str, list[Any]] = defaultdict(list)
        self.sizes: dict[str, int] = defaultdict(int)

    def kept(self, routine: Routine) -> Iterator[str]:
        """The lines that define the constants."""
        for a, numbers in constants(routine):
            pool = POOLS[a.dtype.name]
            first = self.sizes[pool]
            self.sizes[pool] += numbers.size
            self.parts[pool].append(numbers)
            yield f"const {a.name} = {pool}.subarray({first}, {self.sizes[pool]});"

    def planes(self) -> dict[str, Any]:
        """The bytes of each pool: first the lowest of every number, then the next, as alike ones deflate better."""
        found = {}
        for pool, parts in self.parts.items():
            whole = np.concatenate(parts)
            found[pool] = np.frombuffer(whole.tobytes(), np.uint8).reshape(-1, whole.itemsize).T.reshape(-1)
        return found


def told(column: Column) -> dict[str, Any]:
    """What the page is told of a column, besides how it is read."""
    own = {"kind": column.kind, "gaps": column.fitted.missing > 0}
    return own | {key: getattr(column.fitted, key) for key in SHOWN[column.kind]}


def one_of(units: str) -> str:
    """The unit that says most, of several that mean the same.

    >>> one_of("$, NT$"), one_of("")
    ('NT$', '')
    """
    return max(units.split(", "), key=len)


def cell(label: Label) -> str:
    """A class as a file of predictions writes it."""
    return str(label).lower() if isinstance(label, bool | np.bool_) else str(label)


def packed(data: bytes) -> str:
    """Bytes as text, deflated: five signs for four bytes, none of which ends a script. base64 takes 7 % more."""
    deflater = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)  # raw: DecompressionStream("deflate-raw")
    return base64.b85encode(deflater.compress(data) + deflater.flush()).decode().replace("<", ",")
