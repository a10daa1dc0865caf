"""The networks that are graphs: embeddings, several inputs, the functional API, operations; and those of sequences.

Each network is written once in each library, in its own way (peers/our_graphs.py, peers/pytorch_graphs.py,
peers/keras_graphs.py). The initial weights are thalweg's, in the order in which the network uses them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.peak import bandwidth, best_peak
from benchmarks.workloads import CHECK_BATCHES, Weights, Workload
from thalweg.engine.lanes import cores

VOCABULARY, LENGTH, WIDTH = 20_000, 100, 64
VOCABULARIES = (7, 12, 16, 24, 42, 73, 120, 300, 600, 1_200, 2_500, 5_000)  # of the wide and deep network's categories
CATEGORY_WIDTH, NUMBERS, HIDDEN = 16, 8, (128, 64)
ENCODER = (784, 128, 32, 128, 784)
TOKENS, FEATURES, HEADS, MLP, CLASSES = 64, 64, 4, 256, 10
LAYER_NORM_EPSILON = 1e-6
RECURRENT = {"lstm": ("LSTM", 64, 32, (128,)), "two lstms": ("LSTM", 50, 16, (64, 128)), "gru": ("GRU", 24, 8, (32,))}
"""The layers' kind, the steps of a row, the numbers of a step, and the units of each layer."""
GPT_BLOCKS, GPT_TOKENS, GPT_WIDTH, GPT_HEADS, LETTERS = 4, 64, 128, 4, 65
"""nanoGPT's configuration for a CPU, on the letters of Shakespeare; batches of 12."""
ZIPF = 1.2  # the frequency of the n-th most frequent word is about n^-ZIPF

Inputs = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Graph(Workload):
    """Training of one of the networks with Adam. `task` is "binary" for one number or more from 0 to 1."""

    network: str = "autoencoder"  # or "embedding", "wide and deep", "transformer", "gpt", or of RECURRENT
    zipf: bool = False  # whether words are as unequally frequent as in a text

    @property
    def tables(self) -> tuple[int, ...]:
        """The vocabularies of the network's embeddings."""
        return {"embedding": (VOCABULARY,), "wide and deep": VOCABULARIES}.get(self.network, ())

    def ids(self, generator: np.random.Generator) -> NDArray[np.int64]:
        if self.network == "wide and deep":
            return generator.integers(0, self.tables, (self.rows, len(self.tables)))
        shape = (self.rows, LENGTH)
        if self.zipf:
            return (generator.zipf(ZIPF, shape) - 1) % VOCABULARY
        return generator.integers(0, VOCABULARY, shape)

    def data(self) -> tuple[Any, Any]:
        """The inputs by name, and the targets; an autoencoder's targets are its inputs."""
        generator, rows = np.random.default_rng(0), self.rows
        if self.network == "autoencoder":
            x = generator.random((rows, ENCODER[0]), np.float32)
            return {"x": x}, x
        if self.network in RECURRENT:
            x = generator.standard_normal((rows, *RECURRENT[self.network][1:3]), np.float32)
            return {"x": x}, generator.integers(0, 2, (rows, 1)).astype(np.float32)
        if self.network == "transformer":
            x = generator.standard_normal((rows, TOKENS, FEATURES), np.float32)
            return {"x": x}, generator.integers(0, CLASSES, rows)
        if self.network == "gpt":
            text = generator.integers(0, LETTERS, (rows, GPT_TOKENS + 1))
            return {"ids": text[:, :-1]}, text[:, 1:]
        inputs: Inputs = {"ids": self.ids(generator)}
        if self.network == "wide and deep":
            inputs["numbers"] = generator.standard_normal((rows, NUMBERS), np.float32)
        return inputs, generator.integers(0, 2, (rows, 1)).astype(np.float32)

    def check_data(self) -> tuple[tuple[Any, Any], int]:
        """The first batches; with embeddings the first one repeatedly.

        A sparse Adam rests in the rows of a table that a batch doesn't use, a dense one continues with its momentum.
        While all batches use the same rows, both compute the same.
        """
        x, y = self.data()
        batches, epochs = (1, CHECK_BATCHES) if self.tables else (min(CHECK_BATCHES, self.steps), 1)
        rows = slice(0, batches * self.batch)
        return ({name: array[rows] for name, array in x.items()}, y[rows]), epochs

    def weights(self, network: int = 0) -> Weights:
        return [w.copy() for w in self._weights]

    @cached_property
    def _weights(self) -> Weights:
        from benchmarks.peers.our_graphs import network

        weights: Weights = network(self).get_weights()
        return weights

    @cached_property
    def limit(self) -> Limit:
        return limit(self)


@dataclass(frozen=True)
class Limit:
    """The least that a step can take on this machine: its arithmetic, and the memory that it has to read and write."""

    flops: int  # of the program
    bytes: int  # weights, moments and a batch; of a table only the batch's rows
    arithmetic: float  # seconds, at the measured peak of all cores
    memory: float  # seconds, at the measured bandwidth of all cores on data of this size

    @property
    def seconds(self) -> float:
        return max(self.arithmetic, self.memory)


def limit(work: Graph) -> Limit:
    """Weights and Adam's two moments are read and written in every step; activations may stay in the cache."""
    from benchmarks.peers.our_graphs import network
    from benchmarks.peers.ours import compiled

    program = compiled(work, network(work)).schedule(batch_size=work.batch)
    flops = sum(instruction.flops for instruction in program)
    weights = work.weights()
    tables, others = weights[: len(work.tables)], weights[len(work.tables) :]
    x, y = work.data()
    numbers = sum(w.size for w in others)
    for place, table in enumerate(tables):
        ids = x["ids"][: work.batch] if len(tables) == 1 else x["ids"][: work.batch, place]
        numbers += len(np.unique(ids)) * table.shape[1]
    inputs = [*x.values()] if y is x.get("x") else [*x.values(), y]
    batch = sum(4 * array[: work.batch].size for array in inputs)  # ids are floats in the machine
    moved = 2 * 3 * 4 * numbers + batch
    kept = 3 * 4 * sum(w.size for w in weights)
    return Limit(flops, moved, flops / best_peak(cores()), moved / bandwidth(cores(), kept))


def graph(
    name: str, network: str, batch: int, steps: int, task: str = "binary", zipf: bool = False, kind: str = "graphs"
) -> Graph:
    name = f"{kind}: {name}, batch {batch}, Adam"
    return Graph(name, (), batch, batch * steps, task=task, network=network, zipf=zipf)


GRAPHS = [
    graph("embedding 20,000×64, mean, dense; 100 words as in a text", "embedding", 128, 40, zipf=True),
    graph("embedding 20,000×64, mean, dense; 100 words, all equally frequent", "embedding", 128, 40),
    graph("wide and deep, 12 embeddings and 8 numbers", "wide and deep", 256, 100),
    graph("autoencoder 784-128-32-128-784", "autoencoder", 128, 60),
    graph("transformer block, 64 tokens × 64, 4 heads", "transformer", 32, 20, task="classes"),
]

SEQUENCES = [
    graph("LSTM of 128 units, 64 steps of 32", "lstm", 64, 10, kind="sequences"),
    graph("LSTMs of 64 and 128 units, 50 steps of 16", "two lstms", 64, 10, kind="sequences"),
    graph("GRU of 32 units, 24 steps of 8", "gru", 32, 100, kind="sequences"),
    graph("nanoGPT, 4 blocks of 128, 64 letters", "gpt", 12, 20, task="classes", kind="sequences"),
]
