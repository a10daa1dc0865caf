"""Whether examples/char_rnn.py and examples/gpt.py learn as PyTorch does: `python -m benchmarks.losses [TEXT]`.

Both networks are made smaller. First PyTorch gets their weights and the same batches, and the losses stand side by
side, step by step; then each begins with its own weights and draws its own batches, and what counts is the loss on the
last tenth of the text.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from benchmarks.peers.base import EPSILON
from benchmarks.peers.pytorch_graphs import Gates, views
from thalweg.support.printing import lasting_streams

STEPS, SEEDS, HELD_OUT = 250, 3, 640  # passages of the last tenth
SHOWN = (1, 10, 50, 100, 250)
NORM_EPSILON = 1e-3  # Keras's
Array = NDArray[Any]


class CharRNN(nn.Module):
    """As PyTorch makes it: a normal table, uniform kernels, two biases of the gates, of which none is 1."""

    def __init__(self, example: Any, letters: int) -> None:
        super().__init__()
        self.letters, self.lstm = nn.Embedding(letters, 32), nn.LSTM(32, example.UNITS, batch_first=True)
        self.head = nn.Linear(example.UNITS, letters)
        self.options = {"lr": 0.003, "weight_decay": 0.0}

    def forward(self, ids: Any) -> Any:
        return self.head(self.lstm(self.letters(ids))[0])

    def arrays(self) -> list[Any]:
        """Views of the weights as thalweg has them: with one bias, the other being 0."""
        self.lstm.bias_hh_l0.requires_grad_(False).zero_()
        gates = (self.lstm.weight_ih_l0, self.lstm.weight_hh_l0, self.lstm.bias_ih_l0)
        return [self.letters.weight, *(Gates(w, self.lstm.hidden_size) for w in gates), *views([self.head])]


class Block(nn.Module):
    def __init__(self, heads: int, width: int) -> None:
        super().__init__()
        self.heads, self.width = heads, width
        self.before, self.between = (nn.LayerNorm(width, NORM_EPSILON) for _ in range(2))
        self.inward, self.outward = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.wide, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Any) -> Any:
        q, k, v = (h.unflatten(-1, (self.heads, -1)).transpose(1, 2) for h in self.inward(self.before(x)).chunk(3, -1))
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.outward(mixed.transpose(1, 2).flatten(2))
        return x + self.narrow(F.gelu(self.wide(self.between(x))))

    def arrays(self) -> list[Any]:
        parts = zip(self.inward.weight.split(self.width), self.inward.bias.split(self.width), strict=True)
        inward = [(W.T.unflatten(1, (self.heads, -1)), b.unflatten(0, (self.heads, -1))) for W, b in parts]
        outward = self.outward.weight.T.unflatten(0, (self.heads, -1)), self.outward.bias
        rest = views([self.between, self.wide, self.narrow])
        return [*views([self.before]), *chain.from_iterable(inward), *outward, *rest]


class GPT(nn.Module):
    """With nanoGPT's initial weights."""

    def __init__(self, example: Any, letters: int) -> None:
        super().__init__()
        width = example.WIDTH
        self.letters, self.positions = nn.Embedding(letters, width), nn.Parameter(torch.zeros(example.CONTEXT, width))
        self.blocks = nn.ModuleList(Block(example.HEADS, width) for _ in range(example.BLOCKS))
        self.last, self.head = nn.LayerNorm(width, NORM_EPSILON), nn.Linear(width, letters, bias=False)
        self.options = {"lr": 1e-3, "weight_decay": 0.1, "betas": (0.9, 0.99)}
        for name, p in self.named_parameters():
            if p.ndim == 2:
                narrow = name.endswith(("outward.weight", "narrow.weight"))
                nn.init.normal_(p, std=0.02 / (2 * example.BLOCKS) ** 0.5 if narrow else 0.02)
            elif name.endswith("bias"):
                nn.init.zeros_(p)

    def forward(self, ids: Any) -> Any:
        x = self.letters(ids) + self.positions
        for block in self.blocks:
            x = block(x)
        return self.head(self.last(x))

    def arrays(self) -> list[Any]:
        blocks: Any = self.blocks
        inner = chain.from_iterable(block.arrays() for block in blocks)
        return [self.letters.weight, self.positions, *inner, *views([self.last, self.head])]


@dataclass(frozen=True)
class Case:
    """An example, the sizes that it gets here, and the same network in PyTorch."""

    name: str
    sizes: dict[str, int]
    passage: str  # the example's name for the letters of a passage
    peer: Any
    batch: int

    def example(self) -> Any:
        """The example as a module."""
        path = Path(__file__).parents[1] / "examples" / f"{self.name}.py"
        spec: Any = importlib.util.spec_from_file_location(self.name, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        vars(module).update(self.sizes)
        return module


CASES = [
    Case("char_rnn", {"STEPS": 32, "UNITS": 64}, "STEPS", CharRNN, 32),
    Case("gpt", {"BLOCKS": 2, "HEADS": 4, "WIDTH": 64, "CONTEXT": 32}, "CONTEXT", GPT, 12),
]


def passages(case: Case, ids: Array, count: int, seed: int) -> tuple[Array, Array]:
    """Passages from anywhere in the text, and the same ones a letter later."""
    length = case.sizes[case.passage]
    first = np.random.default_rng(seed).integers(0, len(ids) - length, count)[:, None] + np.arange(length)
    return ids[first], ids[first + 1]


def steps(net: Any, x: Array, y: Array, batch: int) -> Iterator[float]:
    """Trains PyTorch's network on batches in this order, and gives the loss before each step."""
    weights = [p for p in net.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(weights, eps=EPSILON, **net.options)
    for k in range(0, len(x), batch):
        logits = net(torch.from_numpy(x[k : k + batch]))
        loss = F.cross_entropy(logits.flatten(0, 1), torch.from_numpy(y[k : k + batch]).flatten())
        optimizer.zero_grad()
        loss.backward()
        for p in weights:  # Keras's clipnorm is that of each weight
            p.grad /= p.grad.norm().clamp(min=1.0)
        optimizer.step()
        yield loss.item()


def side_by_side(case: Case, text: str, count: int = STEPS) -> tuple[Array, Array]:
    """The loss of each step, ours and PyTorch's, from the same weights on the same batches."""
    writer = case.example().Writer(text)
    optimizer = writer.model.optimizer
    same = type(optimizer).from_config(optimizer.get_config() | {"epsilon": EPSILON})
    writer.model.compile(same, writer.model.loss)
    x, y = passages(case, writer.ids, count * case.batch, 0)
    net = case.peer(case.example(), len(writer.letters))
    with torch.no_grad():
        for view, array in zip(net.arrays(), writer.model.get_weights(), strict=True):
            view.copy_(torch.from_numpy(array))
    batches = [slice(k, k + case.batch) for k in range(0, len(x), case.batch)]
    ours = [float(writer.model.train_on_batch(x[rows], y[rows])) for rows in batches]
    return np.array(ours), np.array(list(steps(net, x, y, case.batch)))


def each_its_own_way(case: Case, text: str, seed: int, count: int = STEPS) -> tuple[float, float]:
    """The loss on the last tenth of the text after so many steps, ours and PyTorch's, from their own first weights."""
    writer = case.example().Writer(text, seed)
    seen, unseen = np.split(writer.ids, [len(writer.ids) * 9 // 10])
    x, y = passages(case, seen, count * case.batch, seed)
    x_new, y_new = passages(case, unseen, HELD_OUT, 0)
    writer.model.fit(x, y, batch_size=case.batch, epochs=1, verbose=0)
    torch.manual_seed(seed)
    net = case.peer(case.example(), len(writer.letters))
    order = np.random.default_rng(seed + 1000).permutation(len(x))
    for _ in steps(net, x[order], y[order], case.batch):
        pass
    with torch.no_grad():
        theirs = F.cross_entropy(net(torch.from_numpy(x_new)).flatten(0, 1), torch.from_numpy(y_new).flatten())
    return float(writer.model.evaluate(x_new, y_new, verbose=0)), theirs.item()


def main(path: str | None = None) -> None:
    """Prints the tables of docs/measurements.md."""
    text = CASES[0].example().read(path)
    for case in CASES:
        ours, theirs = side_by_side(case, text)
        apart = np.abs(ours - theirs)
        print(f"{case.name}, {case.sizes}, {case.batch} passages a step; the same weights and batches")
        for step in SHOWN:
            print(f"  step {step}: thalweg {ours[step - 1]:.4f}, PyTorch {theirs[step - 1]:.4f}")
        print(f"  largest difference {apart.max():.1e}, mean of the last 50 steps {apart[-50:].mean():.1e}")
        pairs = np.array([each_its_own_way(case, text, seed) for seed in range(SEEDS)])
        for name, found in zip(("thalweg", "PyTorch"), pairs.T, strict=True):
            print(f"  {name}, its own weights and order: {found.mean():.3f} ({found.min():.3f} to {found.max():.3f})")


if __name__ == "__main__":
    with lasting_streams(ends=True):
        main(*sys.argv[1:])
