"""How a step grows on several ranks, beside the model of the forecast: `python -m benchmarks.ranks --ranks 1 2 4`.

Every number of ranks is started by `mpiexec` with as many lanes in all, and has to give the same bits. The times of the
fastest of many short chunks are shown: those of a network's rows, of the update, and of the exchanges; and the step of
one process without MPI. From these follow the forecasts for networks of 10 and 100 Gbit/s.

`--overlap` prints instead how much of a step would be saved, at most, if one part of the gradient were sent while the
backward half still computes the other: by the measured times of its instructions, the best place to divide it, and a
network that needs no core.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from thalweg import Input, Sequential, layers
from thalweg.engine import make_executor
from thalweg.engine.contract import Chunk
from thalweg.engine.native.runtime.executor import NativeExecutor, Share
from thalweg.engine.native.scheduling.blocks import block_of
from thalweg.engine.ranks.forecast import Forecast
from thalweg.engine.ranks.world import Ranks, digest
from thalweg.program.ir.instruction import GRADIENTS
from thalweg.support.printing import lasting_streams

ROOT = Path(__file__).parents[1]
ETHERNET = {"10 GbE": (30e-6, 1.1e9), "100 GbE": (10e-6, 11e9)}  # seconds a message and bytes a second, assumed
RANKS = (1, 2, 4, 8, 16, 32)
STEPS, CHUNKS = 10, 30


def networks() -> dict[str, tuple[list[Any], tuple[int, ...], int]]:
    """By name: layers, the shape of a row, rows of a batch."""
    image = [Input((28, 28, 1)), layers.Conv2D(16, 3, activation="relu"), layers.MaxPooling2D()]
    image += [layers.Conv2D(32, 3, activation="relu"), layers.MaxPooling2D(), layers.Flatten()]
    wide = [layers.Dense(1024, activation="relu") for _ in range(2)]

    def last() -> Any:
        return layers.Dense(10, activation="softmax")

    return {
        "784-128-10": ([Input((784,)), layers.Dense(128, activation="relu"), last()], (784,), 128),
        "convnet": ([*image, last()], (28, 28, 1), 128),
        "784-1024-1024-10": ([Input((784,)), *wide, last()], (784,), 1024),
    }


def measured(name: str, lanes: int, ranks: Ranks | None) -> dict[str, Any]:
    """The fastest step on these ranks, or in one process without any; what it consists of; and the bits of all."""
    made, shape, batch = networks()[name]
    model = Sequential(made, seed=0)
    model.compile("adam", "sparse_categorical_crossentropy")
    compiled, draw = model._compiled, np.random.default_rng(0)
    x, y = draw.normal(size=(4 * batch, *shape)).astype(np.float32), np.arange(4 * batch) % 10
    compiled.ready(x)
    job = compiled.training_job(compiled.data(x, y), batch, lanes, True, ranks)
    executor, times = make_executor("native", job), []
    for number in range(CHUNKS):
        begin = time.perf_counter()
        epoch, first = divmod(number * STEPS, job.steps_per_epoch)
        executor.run(Chunk(epoch, first, STEPS, number * STEPS, np.full(STEPS, 1e-3)))
        times.append((time.perf_counter() - begin) / STEPS)
    result: dict[str, Any] = {"seconds": min(times), "bits": digest(job.parameters)}
    if ranks is not None:
        result["forecast"] = asdict(Forecast.measured(ranks, executor, Chunk(0, 0, 1, 0, np.full(1, 1e-3)), job))
    return result


def on_ranks(name: str, lanes: int, count: int) -> dict[str, Any]:
    """`measured` on so many ranks."""
    beside = shutil.which("mpiexec", path=str(Path(sys.executable).parent)) or "mpiexec"
    command = [
        beside,
        "-n",
        str(count),
        sys.executable,
        "-m",
        "benchmarks.ranks",
        "--worker",
        name,
        "--lanes",
        str(lanes),
    ]
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": path})
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def shown(name: str, lanes: int, counts: list[int]) -> None:
    """Prints a network's table and its forecasts."""
    plain = measured(name, lanes, None)["seconds"]
    print(f"\n{name}, {lanes} lanes in all; one process without MPI: {1e3 * plain:.3g} ms a step")
    print("ranks  ms a step  rows  update  exchanges  model of them  efficiency  model of it")
    bits, one, last = set(), 0.0, None
    for count in counts:
        found = on_ranks(name, lanes, count)
        forecast = last = Forecast(**found["forecast"])
        bits.add(found["bits"])
        one = one or found["seconds"] * count
        wire = (
            0.0 if forecast.latency is None else forecast.exchange(count, forecast.latency, forecast.bandwidth or 1.0)
        )
        numbers = [found["seconds"], forecast.rows, forecast.finish, forecast.exchanged, wire]
        shares = f"{one / (count * found['seconds']):.0%}  {forecast.efficiency(count):.0%}"
        print(f"{count:>5}  " + "  ".join(f"{1e3 * n:.3g}" for n in numbers) + f"  {shares}")
    assert len(bits) == 1, "other bits on other numbers of ranks"
    assert last is not None
    for network, wire in ETHERNET.items():
        told = [f"{n}: {last.efficiency(n, *wire):.0%}" for n in RANKS if n <= lanes]
        print(f"forecast for {network}, efficiency by ranks of one core: {', '.join(told)}")


def overlap(name: str, ranks: int = 4) -> None:
    """Prints the most that an exchange during the backward half saves on so many ranks with one lane each."""
    made, shape, _ = networks()[name]
    for rows in (32, 128):
        model = Sequential(made, seed=0)
        model.compile("adam", "sparse_categorical_crossentropy")
        compiled, draw = model._compiled, np.random.default_rng(0)
        x, y = draw.normal(size=(rows, *shape)).astype(np.float32), np.arange(rows) % 10
        compiled.ready(x)
        job = compiled.training_job(compiled.data(x, y), rows, 1, False)
        executor = NativeExecutor(job, Share(range(1), 0))
        found = executor.measure(Chunk(0, 0, 1, 0, np.full(1, 1e-3)), 100)
        times = {id(i): seconds for i, seconds in zip(job.program, found, strict=True)}
        seconds = [sum(times.get(id(i), 0.0) for i in phase) for phase in executor.phases]
        after = np.cumsum([times.get(id(i), 0.0) for i in executor.phases[1]])
        blocks, vector, saved = -(-rows // block_of(job)), 4 * executor.gradients.shape[1], []
        for latency, bandwidth in ETHERNET.values():
            one, byte = (ranks - 1) * latency, (ranks - 1) / ranks / bandwidth  # of a message to all, and of a byte
            whole = sum(seconds) + 2 * one + 2 * byte * vector
            best = whole
            for early, passed in zip(complete_after(executor), after, strict=True):
                if 0 < early < vector:  # of several blocks, it is complete in the last one
                    come = max(seconds[1], seconds[1] - (after[-1] - passed) / blocks + one + byte * early)
                    best = min(best, whole - seconds[1] - byte * early + come)
            saved.append(1 - best / whole)
        told = ", ".join(f"{part:.1%} ({network})" for part, network in zip(saved, ETHERNET, strict=True))
        print(f"{name}, {ranks} ranks with {rows} rows each, {vector / 1e6:.2g} MB of gradients: at most {told}")


def complete_after(executor: NativeExecutor) -> list[int]:
    """How many bytes at the end of the gradient are complete after each instruction on the rows."""
    last: dict[int, int] = {}  # the last instruction that writes the gradient that ends there
    for number, i in enumerate(executor.phases[1]):
        last |= {b.offset + b.size: number for b in i.outputs if b.region == GRADIENTS}
    size = executor.gradients.shape[1]
    return [
        4 * (size - max((end for end, of in last.items() if of > number), default=0))
        for number in range(len(executor.phases[1]))
    ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ranks", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 2], help="numbers of ranks")
    parser.add_argument("--lanes", type=int, default=4, help="lanes in all")
    parser.add_argument("--only", metavar="NAME", help="only the networks with this in their name")
    parser.add_argument("--overlap", action="store_true", help="what sending during the backward half would save")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.worker:
        with Ranks() as ranks:
            found = measured(asked.worker, asked.lanes, ranks)
            if ranks.first:
                print(json.dumps(found))
        return
    for name in networks():
        if asked.only is None or asked.only in name:
            overlap(name) if asked.overlap else shown(name, asked.lanes, asked.ranks)


if __name__ == "__main__":
    with lasting_streams(ends=True):
        main()
