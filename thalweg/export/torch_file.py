"""A network as a torch module: a Python file with its `forward` written out, and its weights beside it."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from thalweg.export.exported_network import Network
from thalweg.export.expressions import one_line
from thalweg.export.identifiers import identifiers
from thalweg.export.numpy_file import shape_of, written_by
from thalweg.export.torch_lines import direct, written
from thalweg.program.instructions.convolution import Flip
from thalweg.program.ir.instruction import Array, Buffer

if TYPE_CHECKING:
    F: Any = None
    torch: Any = None


def convolve(
    x: Any, W: Any, b: Any, stride: Any = 1, padding: Any = (0, 0, 0, 0), dilation: Any = 1, groups: Any = 1
) -> Any:
    """A convolution of images (rows, height, width, channels); torch's have their channels first."""
    x = F.pad(x.permute(0, 3, 1, 2), padding)
    return F.conv2d(x, W.permute(3, 2, 0, 1), b, stride, 0, dilation, groups).permute(0, 2, 3, 1)


def convolve_back(x: Any, W: Any, b: Any, edges: Any, stride: Any = 1, dilation: Any = 1) -> Any:
    """A transposed convolution, of whose result the edges are cut off, or padded with zeros."""
    h = F.conv_transpose2d(x.permute(0, 3, 1, 2), W.permute(3, 2, 0, 1), None, stride, dilation=dilation)
    h = F.pad(h, edges).permute(0, 2, 3, 1)
    return h if b is None else h + b


def max_pool(x: Any, size: Any, stride: Any = 1, padding: Any = (0, 0, 0, 0), dilation: Any = 1) -> Any:
    """The largest element of each window."""
    x = F.pad(x.permute(0, 3, 1, 2), padding, value=-float("inf"))
    return F.max_pool2d(x, size, stride, 0, dilation).permute(0, 2, 3, 1)


def average_pool(x: Any, size: Any, stride: Any) -> Any:
    """The mean of each window."""
    return F.avg_pool2d(x.permute(0, 3, 1, 2), size, stride).permute(0, 2, 3, 1)


def lexsort(keys: Any) -> Any:
    """The order by the last of the keys, then by the one before …, along the last axis."""
    order = torch.argsort(keys[0], dim=-1, stable=True)
    for key in keys[1:]:
        order = order.gather(-1, torch.argsort(key.gather(-1, order), dim=-1, stable=True))
    return order


def arrays(path: Any) -> Any:
    """The arrays of a safetensors file: the length of a header in JSON, the header, then their bytes."""
    content = Path(path).read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    found = {}
    for name, about in json.loads(content[8:start]).items():
        if name != "__metadata__":
            first, last = about["data_offsets"]
            kind = {"F32": torch.float32, "F64": torch.float64, "I64": torch.int64, "BOOL": torch.bool}[about["dtype"]]
            part = bytearray(content[start + first : start + last])
            found[name] = torch.frombuffer(part, dtype=kind).reshape(about["shape"])
    return found


HELPERS: tuple[Callable[..., Any], ...] = (convolve, convolve_back, max_pool, average_pool, lexsort)
TAKEN = ("self", "rows", "torch", "nn", "F", "json", "Path", "arrays", *(f.__name__ for f in HELPERS))
MODULE = [
    "add_module", "apply", "bfloat16", "buffers", "children", "compile", "cpu", "cuda", "double", "eval", "float",
    "forward", "half", "load", "modules", "parameters", "to", "train", "training", "type", "xpu", "T_destination",
    "call_super_init", "dump_patches",
]  # fmt: skip
"""Names that every module of torch's has."""


def torch_file(network: Network, title: str, name: str = "Network") -> tuple[str, bytes]:
    """The text of a Python file, and the weights as safetensors, which its class loads from beside it.

    name: of the class.
    """
    from safetensors.numpy import save

    lasting = identifiers(network.weights, (*TAKEN, *MODULE), ascii=False)
    local = identifiers((*network.inputs, *written_by(network.statements)), (*TAKEN, *lasting.values()), ascii=False)
    names = {**local, **{b: f"self.{n}" for b, n in lasting.items()}}
    kept: dict[str, Array] = {}
    needless = flips(network, names)
    body = [line for s in network.statements if s.instruction not in needless for line in written(s, names, kept)]
    values = {lasting[b]: a for b, a in network.weights.items()} | kept
    learnt = {n for b, n in lasting.items() if trained(b)}
    declared = [f"self.{n} = nn.Parameter({zeros(values[n])})" for n in values if n in learnt]
    declared += [f'self.register_buffer("{n}", {zeros(a)})' for n, a in values.items() if n not in learnt]
    shapes, results = (", ".join(f"{names[b]} {shape_of(b)}" for b in of) for of in (network.inputs, network.outputs))
    given = []
    for b in network.inputs:
        sizes = ", ".join(["-1", *map(str, b.shape)])
        given.append(f"{names[b]} = torch.as_tensor({names[b]}, dtype=torch.float32).reshape({sizes})")
    if any(re.search(r"\brows\b", line.partition("#")[0]) for line in body):
        given.append(f"rows = len({names[network.inputs[0]]})")
    text = "\n".join(body)
    needs_functional = "F." in text or any(f"{f.__name__}(" in text for f in HELPERS)
    lines = [
        f'"""{one_line(title)}"""', "",
        "import json", "from pathlib import Path", "", "import torch", "from torch import nn",
        *["from torch.nn import functional as F"] * needs_functional, "", "",
        f"class {name}(nn.Module):",
        f'    """{shapes} → {results}',
        "",
        "    It predicts: what happens in training alone, such as dropout, isn't part of it.",
        '    """',
        "",
        "    def __init__(self):",
        "        super().__init__()",
        *(f"        {line}" for line in declared),
        "",
        f"    def forward(self, {', '.join(names[b] for b in network.inputs)}):",
        *(f"        {line}" for line in (*given, *body)),
        f"        return {', '.join(names[b] for b in network.outputs)}",
        "",
        "    @classmethod",
        '    def load(cls, path=Path(__file__).with_suffix(".safetensors")):',
        '        """The network with its weights."""',
        "        model = cls()",
        "        model.load_state_dict(arrays(path))",
        "        return model.eval()",
        "", "",
        *(line for f in HELPERS if f"{f.__name__}(" in text for line in (*source(f).splitlines(), "", "")),
        *source(arrays).splitlines(),
    ]  # fmt: skip
    return "\n".join(lines) + "\n", save({n: np.ascontiguousarray(a) for n, a in values.items()})


def flips(network: Network, names: dict[Buffer, str]) -> set[Any]:
    """The kernels that are turned around for nobody: torch's own function takes them as they are."""
    read = {b.storage for s in network.statements if direct(s.instruction, names) is None for b in s.instruction.inputs}
    made = [s.instruction for s in network.statements]
    return {i for i in made if isinstance(i, Flip) and i.flipped not in read}


def trained(buffer: Buffer) -> bool:
    """Whether gradients change it."""
    parameter = getattr(buffer, "parameter", None)
    return bool(parameter is None or parameter.trainable)


def zeros(array: Array) -> str:
    kind = "" if array.dtype == np.float32 else f", dtype=torch.{array.dtype.name}"
    shape = ", ".join(map(str, array.shape)) or "()"
    return f"torch.zeros({shape}{kind})"


def source(function: Callable[..., Any]) -> str:
    """A function without its annotations."""
    return re.sub(r": Any(?=[,)])| -> Any", "", re.sub(": Any = ", "=", inspect.getsource(function)))
