"""Compares training speed side by side: python -m benchmarks [--rounds N] [--write]

First every peer trains from the same weights on the same batches, and all have to arrive at the same weights. Then
they are timed in turn, round after round, so that a change of the machine's speed meets all of them; the table has
medians, and the ratio to each peer's best setting. --write puts the table into the READMEs.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

import thalweg
from benchmarks.peers import Trainer, installed, settings
from benchmarks.workloads import WORKLOADS, Workload
from thalweg.engine.lanes import cores

CHECK_BATCHES = 20
TOLERANCE = 1e-2  # of the change: float32 in different orders of summation, and Adam divides by small numbers
ROUND_SECONDS = 0.3
READMES = ("README.md", "README.zh-TW.md")
BEGIN, END = "<!-- benchmark: begin -->", "<!-- benchmark: end -->"


@dataclass
class Contender:
    """One peer in one setting on one workload, with the seconds a step took in each round."""

    peer: str
    setting: str
    trainer: Trainer
    count: int = 1
    seconds: list[float] = field(default_factory=list)

    def time(self) -> float:
        """Seconds a step, over `count` steps."""
        begin = time.perf_counter()
        self.trainer.steps(self.count)
        return (time.perf_counter() - begin) / self.count

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


def contenders(work: Workload) -> list[Contender]:
    """Everyone who can do the work, checked to compute the same thing, warm, and with a count that fills a round."""
    result = [Contender(peer, name, make(work)) for peer, all_ in settings(work, cores()) for name, make in all_]
    expected = result[0].trainer.check(CHECK_BATCHES)
    for contender in result[1:]:
        weights = contender.trainer.check(CHECK_BATCHES)
        changes = zip(work.weights(), expected, weights, strict=True)
        off = max(
            float(np.linalg.norm(ours - theirs) / np.linalg.norm(ours - start)) for start, ours, theirs in changes
        )
        if not off <= TOLERANCE:
            raise SystemExit(f"{work.name}: {contender.peer} ({contender.setting}) computes something else: {off:.1e}")
    for contender in result:
        contender.count = work.steps_per_epoch
        contender.time()
        epochs = max(1, round(ROUND_SECONDS / (contender.time() * work.steps_per_epoch)))
        contender.count = epochs * work.steps_per_epoch
    return result


def measure(work: Workload, rounds: int) -> dict[str, Contender]:
    """The best setting of each peer, by the median over the rounds."""
    everyone = contenders(work)
    for _ in range(rounds):
        for contender in everyone:
            contender.seconds.append(contender.time())
    best: dict[str, Contender] = {}
    for contender in everyone:
        if contender.peer not in best or contender.median < best[contender.peer].median:
            best[contender.peer] = contender
    return best


def table(results: list[tuple[Workload, dict[str, Contender]]]) -> str:
    """The results as Markdown."""
    peers = list(dict.fromkeys(peer for _, best in results for peer in best if peer != "thalweg"))
    lines = ["| one training step | thalweg | " + " | ".join(peers) + " |", "|---" * (len(peers) + 2) + "|"]
    for work, best in results:
        ours = best["thalweg"].median
        cells = [f"{ours * 1e6:,.1f} µs"]
        for peer in peers:
            if peer not in best:
                cells.append("–")
            else:
                theirs = best[peer].median
                cells.append(f"{theirs * 1e6:,.0f} µs: **{theirs / ours:.1f}×**")
        lines.append(f"| {work.name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def versions() -> str:
    """What was measured on what."""
    from importlib.metadata import version

    modules = {"torch": "torch", "scikit-learn": "sklearn"}
    found = [f"{name} {version(name).partition('+')[0]}" for name, module in modules.items() if installed(module)]
    python = f"Python {platform.python_version()}, {platform.machine()}, {cores()} cores"
    return ", ".join([f"thalweg {thalweg.__version__}", *found, python])


def write(text: str) -> None:
    """Replaces the part of the READMEs between the two marks."""
    for name in READMES:
        path = Path(__file__).parent.parent / name
        before, _, rest = path.read_text(encoding="utf-8").partition(BEGIN)
        _, _, after = rest.partition(END)
        path.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=7, help="rounds of every contender in turn")
    parser.add_argument("--write", action="store_true", help="put the table into the READMEs")
    arguments = parser.parse_args()
    if not installed("torch"):
        print("PyTorch is not installed and left out: pip install 'thalweg[bench]'")
    results = []
    for work in WORKLOADS:
        best = measure(work, arguments.rounds)
        results.append((work, best))
        print(f"{work.name}: all agree after {CHECK_BATCHES} steps")
        for contender in sorted(best.values(), key=lambda c: c.median):
            spread = f"{min(contender.seconds) * 1e6:,.1f} … {max(contender.seconds) * 1e6:,.1f}"
            name = f"{contender.peer} {f'({contender.setting})' if contender.setting else ''}"
            print(f"  {name:36} {contender.median * 1e6:9,.1f} µs a step   ({spread})")
        for contender in best.values():
            if contender.median < best["thalweg"].median:
                print(f"  thalweg LOSES to {contender.peer} here")
    text = (
        table(results)
        + f"\n\nMedians of {arguments.rounds} interleaved rounds, each peer at its best setting; {versions()}."
    )
    print(f"\n{text}")
    if arguments.write:
        write(text)


if __name__ == "__main__":
    main()
