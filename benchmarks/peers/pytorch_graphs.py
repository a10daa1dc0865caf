"""PyTorch's graphs. Each network has `arrays()`: views of its weights, laid out and ordered as thalweg's.

Where PyTorch offers several natural ways, all are timed: sparse or dense gradients of tables, a bag or a mean of
embeddings, one table for all categories, fused or written-out attention.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import accumulate, chain, pairwise
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.graphs import (
    CATEGORY_WIDTH,
    CLASSES,
    ENCODER,
    FEATURES,
    GPT_BLOCKS,
    GPT_HEADS,
    GPT_TOKENS,
    GPT_WIDTH,
    HEADS,
    HIDDEN,
    LAYER_NORM_EPSILON,
    LETTERS,
    MLP,
    NUMBERS,
    RECURRENT,
    TOKENS,
    WIDTH,
    Graph,
)
from benchmarks.peers.base import EPSILON, Arrays, Training

Views = list[Any]  # tensors, or what is copied to and from like one


def views(modules: Any) -> Views:
    """Kernels (inputs, units), and all other weights as they are."""
    return [p.T if isinstance(m, nn.Linear) and p.ndim == 2 else p for m in modules for p in m.parameters()]


class Embedding(nn.Module):
    def __init__(self, work: Graph, sparse: bool, bag: bool) -> None:
        super().__init__()
        (size,) = work.tables
        self.bag = bag
        self.table: Any = nn.EmbeddingBag(size, WIDTH, mode="mean", sparse=sparse) if bag else None
        self.table = self.table or nn.Embedding(size, WIDTH, sparse=sparse)
        self.out = nn.Linear(WIDTH, 1)

    def forward(self, ids: Any) -> Any:
        h = self.table(ids)
        return self.out(h if self.bag else h.mean(1))

    def arrays(self) -> Views:
        return views([self.table, self.out])


class WideAndDeep(nn.Module):
    """`one`: a single table holds all categories, one after the other."""

    def __init__(self, work: Graph, sparse: bool, one: bool) -> None:
        super().__init__()
        self.sizes = work.tables
        sizes = [sum(self.sizes)] if one else self.sizes
        self.tables = nn.ModuleList(nn.Embedding(size, CATEGORY_WIDTH, sparse=sparse) for size in sizes)
        self.register_buffer("starts", torch.tensor([0, *accumulate(self.sizes[:-1])]) if one else None)
        widths = (len(self.sizes) * CATEGORY_WIDTH + NUMBERS, *HIDDEN)
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
        self.out = nn.Linear(NUMBERS + HIDDEN[-1], 1)

    def forward(self, ids: Any, numbers: Any) -> Any:
        if self.starts is not None:
            columns = [self.tables[0](ids + self.starts).flatten(1)]
        else:
            columns = [table(ids[:, n]) for n, table in enumerate(self.tables)]
        h = torch.cat([*columns, numbers], 1)
        for layer in self.hidden:
            h = F.relu(layer(h))
        return self.out(torch.cat([numbers, h], 1))

    def arrays(self) -> Views:
        tables = self.tables[0].weight.split(self.sizes) if self.starts is not None else views(self.tables)
        return [*tables, *views([*self.hidden, self.out])]


class Autoencoder(nn.Module):
    def __init__(self, work: Graph) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(ENCODER))

    def forward(self, x: Any) -> Any:
        for layer in self.layers[:-1]:
            x = F.relu(layer(x))
        return self.layers[-1](x)

    def arrays(self) -> Views:
        return views(self.layers)


class Transformer(nn.Module):
    """`fused`: PyTorch's own attention, and one product for queries, keys and values."""

    def __init__(self, work: Graph, fused: bool) -> None:
        super().__init__()
        self.fused = fused
        self.before, self.between = (nn.LayerNorm(FEATURES, LAYER_NORM_EPSILON) for _ in range(2))
        self.inward = nn.ModuleList(
            nn.Linear(FEATURES, FEATURES * (3 if fused else 1), bias=False) for _ in range(1 if fused else 3)
        )
        self.outward = nn.Linear(FEATURES, FEATURES)
        self.wide, self.narrow = nn.Linear(FEATURES, MLP), nn.Linear(MLP, FEATURES)
        self.classes = nn.Linear(FEATURES, CLASSES)

    def attention(self, x: Any) -> Any:
        whole = [self.inward[0](x).chunk(3, -1)] if self.fused else [[layer(x) for layer in self.inward]]
        q, k, v = (h.unflatten(-1, (HEADS, -1)).transpose(1, 2) for h in whole[0])
        if self.fused:
            mixed = F.scaled_dot_product_attention(q, k, v)
        else:
            mixed = torch.softmax(q @ k.transpose(-1, -2) / (FEATURES // HEADS) ** 0.5, -1) @ v
        return self.outward(mixed.transpose(1, 2).reshape(-1, TOKENS, FEATURES))

    def forward(self, x: Any) -> Any:
        x = x + self.attention(self.before(x))
        x = x + self.narrow(F.gelu(self.wide(self.between(x))))
        return self.classes(x.mean(1))

    def arrays(self) -> Views:
        inward = list(chain.from_iterable(layer.weight.split(FEATURES) for layer in self.inward))
        after = [self.outward, self.between, self.wide, self.narrow, self.classes]
        return [*views([self.before]), *(W.T for W in inward), *views(after)]


class GPTBlock(nn.Module):
    """One product for queries, keys and values, and PyTorch's own attention."""

    def __init__(self) -> None:
        super().__init__()
        self.before, self.between = (nn.LayerNorm(GPT_WIDTH, LAYER_NORM_EPSILON) for _ in range(2))
        self.inward = nn.Linear(GPT_WIDTH, 3 * GPT_WIDTH, bias=False)
        self.outward = nn.Linear(GPT_WIDTH, GPT_WIDTH, bias=False)
        self.wide, self.narrow = nn.Linear(GPT_WIDTH, 4 * GPT_WIDTH), nn.Linear(4 * GPT_WIDTH, GPT_WIDTH)

    def forward(self, x: Any) -> Any:
        q, k, v = (h.unflatten(-1, (GPT_HEADS, -1)).transpose(1, 2) for h in self.inward(self.before(x)).chunk(3, -1))
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.outward(mixed.transpose(1, 2).flatten(2))
        return x + self.narrow(F.gelu(self.wide(self.between(x))))

    def arrays(self) -> Views:
        """Kernels of attention by heads, as those of queries, keys, values and outputs."""
        inward = [W.T.unflatten(1, (GPT_HEADS, -1)) for W in self.inward.weight.split(GPT_WIDTH)]
        outward = self.outward.weight.T.unflatten(0, (GPT_HEADS, -1))
        mlp = views([self.wide, self.narrow])
        return [*views([self.before, self.between]), *inward, outward, *mlp]


class GPT(nn.Module):
    def __init__(self, work: Graph) -> None:
        super().__init__()
        self.positions = nn.Parameter(torch.zeros(GPT_TOKENS, GPT_WIDTH))
        self.letters = nn.Embedding(LETTERS, GPT_WIDTH)
        self.blocks = nn.ModuleList(GPTBlock() for _ in range(GPT_BLOCKS))
        self.last, self.out = nn.LayerNorm(GPT_WIDTH, LAYER_NORM_EPSILON), nn.Linear(GPT_WIDTH, LETTERS)

    def forward(self, ids: Any) -> Any:
        x = self.letters(ids) + self.positions
        for block in self.blocks:
            x = block(x)
        return self.out(self.last(x)).flatten(0, 1)

    def arrays(self) -> Views:
        blocks: Any = self.blocks
        inner = chain.from_iterable(block.arrays() for block in blocks)
        return [self.positions, self.letters.weight, *inner, *views([self.last, self.out])]


class Gates:
    """Weights of a recurrent layer, whose gates thalweg has in another order, and as columns."""

    def __init__(self, weight: torch.Tensor, units: int) -> None:
        self.weight, self.units = weight, units

    def ordered(self, weight: torch.Tensor) -> torch.Tensor:
        """r, z, n for z, r, h, and back; those of an LSTM are the same."""
        gates = weight.split(self.units)
        return torch.cat([gates[1], gates[0], gates[2]] if len(gates) == 3 else gates)

    def copy_(self, array: torch.Tensor) -> None:
        self.weight.copy_(self.ordered(array.T if array.ndim == 2 else array))

    def detach(self) -> torch.Tensor:
        weight = self.ordered(self.weight.detach())
        return weight.T if weight.ndim == 2 else weight


class BothBiases(Gates):
    """Of a GRU: that of the inputs above that of the states."""

    def __init__(self, weight: torch.Tensor, other: torch.Tensor, units: int) -> None:
        super().__init__(weight, units)
        self.other = Gates(other, units)

    def copy_(self, array: torch.Tensor) -> None:
        super().copy_(array[0])
        self.other.copy_(array[1])

    def detach(self) -> torch.Tensor:
        return torch.stack([super().detach(), self.other.detach()])


class Recurrent(nn.Module):
    """An LSTM of PyTorch's has two biases, which are added; here as elsewhere one is trained."""

    def __init__(self, work: Graph) -> None:
        super().__init__()
        kind, _, width, units = RECURRENT[work.network]
        make = {"LSTM": nn.LSTM, "GRU": nn.GRU}[kind]
        self.layers = nn.ModuleList(make(a, b, batch_first=True) for a, b in pairwise((width, *units)))
        self.out = nn.Linear(units[-1], 1)
        for layer in self.layers if kind == "LSTM" else []:
            nn.init.zeros_(layer.bias_hh_l0).requires_grad_(False)

    def forward(self, x: Any) -> Any:
        for layer in self.layers:
            x, _ = layer(x)
        return self.out(x[:, -1])

    def arrays(self) -> Views:
        found: Views = []
        for layer in self.layers:
            u = layer.hidden_size
            bias = Gates(layer.bias_ih_l0, u)
            if isinstance(layer, nn.GRU):
                bias = BothBiases(layer.bias_ih_l0, layer.bias_hh_l0, u)
            found += [Gates(layer.weight_ih_l0, u), Gates(layer.weight_hh_l0, u), bias]
        return [*found, *views([self.out])]


class Fit(Training):
    def __init__(self, work: Graph, network: Any, sparse: bool = False, compiled: bool = False) -> None:
        self.network, self.sparse, self.compiled = network, sparse, compiled
        super().__init__(work)

    def make(self) -> None:
        self.net = self.network(self.work)
        loss = F.cross_entropy if self.work.task == "classes" else F.binary_cross_entropy_with_logits

        def forward(x: Any, y: Any) -> Any:
            return loss(self.net(**x), y.flatten() if self.work.network == "gpt" else y)

        self.forward = torch.compile(forward, dynamic=False) if self.compiled else forward
        self.start()

    def start(self) -> None:
        with torch.no_grad():
            for view, array in zip(self.net.arrays(), self.work.weights(), strict=True):
                view.copy_(torch.from_numpy(array))
        options: dict[str, Any] = {"lr": self.work.learning_rate, "eps": EPSILON}
        tables = [p for name, p in self.net.named_parameters() if self.sparse and name.startswith("table")]
        others = [p for p in self.net.parameters() if p.requires_grad and not any(p is table for table in tables)]
        self.optimizers: list[Any] = [torch.optim.Adam(others, fused=True, **options)]
        if tables:
            self.optimizers.append(torch.optim.SparseAdam(tables, **options))

    def train(self, x: Any, y: Any, epochs: int, shuffle: bool) -> None:
        inputs = {name: torch.from_numpy(array) for name, array in x.items()}
        targets = torch.from_numpy(y)
        for _ in range(epochs):
            order = torch.randperm(len(y)) if shuffle else torch.arange(len(y))
            for rows in order.split(self.work.batch):
                batch = {name: values[rows] for name, values in inputs.items()}
                itself = self.work.network == "autoencoder"
                for optimizer in self.optimizers:
                    optimizer.zero_grad()
                self.forward(batch, batch["x"] if itself else targets[rows]).backward()
                for optimizer in self.optimizers:
                    optimizer.step()

    def weights(self, network: int) -> Arrays:
        return [view.detach().numpy().copy() for view in self.net.arrays()]


def ways(work: Graph) -> Iterator[tuple[str, Any, bool]]:
    """The network's variants: (name, how it is made, whether gradients of tables are sparse)."""
    if work.network == "autoencoder":
        yield "", Autoencoder, False
    elif work.network in RECURRENT:
        yield "", Recurrent, False
    elif work.network == "gpt":
        yield "", GPT, False
    elif work.network == "transformer":
        yield "", partial(Transformer, fused=True), False
        yield "written-out attention", partial(Transformer, fused=False), False
    else:
        kind, other, name = (Embedding, "bag", "bag") if len(work.tables) == 1 else (WideAndDeep, "one", "one table")
        for sparse in (False, True):
            for way in (False, True):
                text = [name] * way + ["sparse"] * sparse
                yield ", ".join(text), partial(kind, sparse=sparse, **{other: way}), sparse


def variants(work: Graph) -> dict[str, Any]:
    """Eager and compiled; sparse gradients aren't compiled."""
    result: dict[str, Any] = {}
    for compiled in (False, True):
        for name, network, sparse in ways(work):
            text = ", ".join(filter(None, ["compiled" if compiled else "eager", "fused", name]))
            if not (compiled and sparse):
                result[text] = partial(Fit, network=network, sparse=sparse, compiled=compiled)
    return result
