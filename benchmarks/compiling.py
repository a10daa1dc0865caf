"""What compiling kernels costs: `make demo` in an empty folder for kernels.

Compare processor seconds: on a busy machine, the wall time says little.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
DEMO = ("train", str(ROOT / "examples" / "penguins.csv"), "--target", "target", "--seed", "1")
STAGES = {"language": "lowered", "optimise": "optimise", "tidy": "simplify"}
COLUMNS = (*STAGES, "rest")  # most of it LLVM's machine code


def compiling() -> None:
    """Prints the demo's seconds with and without kernels, and what each kernel costs."""
    with tempfile.TemporaryDirectory() as folder:
        kernels = Path(folder, "kernels.json")
        cold, warm = (child(folder, "demo", str(kernels), str(Path(folder, name))) for name in ("cold", "warm"))
        print("the demo      wall s   processor s")
        for name, (wall, cpu) in {"cold": cold, "warm": warm}.items():
            print(f"{name:12}  {wall:6.1f}  {cpu:12.1f}")
        child(folder, "each", str(kernels), says=True)


def child(folder: str, *arguments: str, says: bool = False) -> tuple[float, float]:
    """The wall and processor seconds of a process of its own, with those of its children."""
    variables = {k: v for k, v in os.environ.items() if not k.startswith("THALWEG")}
    variables |= {"HOME": folder, "THALWEG_READY": "0", "THALWEG_CACHE_DIR": str(Path(folder, "cache"))}
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "benchmarks.compiling", *arguments],
        cwd=ROOT, env=variables, check=True, stdout=None if says else subprocess.DEVNULL,
    )  # fmt: skip
    wall, after = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def demo(kernels: str, out: str) -> None:
    """Runs the command; what it compiled is written to a file, unless that is nothing."""
    from thalweg.cli.main import app
    from thalweg.engine.native.compiler import compile as compiler

    made, make = [], compiler.make

    def noted(kernel: Any) -> bytes:
        made.append(kernel)
        return make(kernel)

    compiler.make = noted
    app([*DEMO, "--out", out], standalone_mode=False)
    if made:
        Path(kernels).write_text(json.dumps(sorted(made)), encoding="utf-8")


def each(kernels: str) -> None:
    """Compiles one kernel after the other."""
    from thalweg.engine.native.compiler import compile as compiler
    from thalweg.engine.native.compiler.kernel import Kernel

    rows: list[tuple[str, float, dict[str, float], int]] = []
    with timed() as stages:
        for kernel in (Kernel(*parts) for parts in json.loads(Path(kernels).read_text(encoding="utf-8"))):
            stages.clear()
            begin = time.process_time()
            content = compiler.make(kernel)
            name = f"{kernel.module.removeprefix('kernels.')}.{compiler.readable(kernel)}"
            seconds = time.process_time() - begin
            rows.append((name, seconds, {**stages, "rest": seconds - sum(stages.values())}, len(content)))
    print(f"\n{'kernel':58}  {'CPU s':>6}" + "".join(f"{stage:>10}" for stage in COLUMNS) + "     bytes")
    for name, seconds, parts, size in sorted(rows, key=lambda row: -row[1]):
        print(row_of(name, seconds, parts, size))
    whole: Counter[str] = Counter()
    for _, _, parts, _ in rows:
        whole.update(parts)
    print(row_of(f"all {len(rows)}", sum(row[1] for row in rows), whole, sum(row[3] for row in rows)))


def row_of(name: str, seconds: float, parts: dict[str, float], size: int) -> str:
    return f"{name:58.58}  {seconds:6.2f}" + "".join(f"{parts.get(s, 0):10.2f}" for s in COLUMNS) + f"  {size:8,}"


@contextmanager
def timed() -> Iterator[Counter[str]]:
    """Adds up the processor seconds of the stages."""
    from thalweg.engine.native.compiler import emit

    seconds: Counter[str] = Counter()

    def around(stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            begin = time.process_time()
            try:
                return function(*arguments)
            finally:
                seconds[stage] += time.process_time() - begin  # type: ignore[assignment]

        return call

    before = {name: getattr(emit, name) for name in STAGES.values()}
    for stage, name in STAGES.items():
        setattr(emit, name, around(stage, before[name]))
    try:
        yield seconds
    finally:
        for name, function in before.items():
            setattr(emit, name, function)


if __name__ == "__main__":
    {"demo": demo, "each": each}[sys.argv[1]](*sys.argv[2:])
