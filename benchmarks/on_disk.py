"""Tables larger than memory: a Parquet folder trained with --memory 500MB. `python -m benchmarks --on-disk`.

Its rows are covtype-like: ten whole numbers, seventeen with fractions, forty kinds of soil, four areas, seven classes.
The same bits and the speed beside a training in memory are looked at on a size that fits. 5 GB are 113,500,000 rows:
the disk needs 6 GB more once they are read and 33 GB once they are converted; --seconds, a limit of time, allows fewer.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.fitting import processor_seconds
from benchmarks.memory import memory

FILE_ROWS = 500_000
DIFFERENT = 8
"""Files whose rows are made; the others are copies of these."""
LIMIT = "500MB"
ROWS, ROUNDS = 400_000, 3
PLANNED = 100_000_000
"""The size to plan for, for which measured seconds a row are extrapolated."""


def rows_of(count: int, seed: int) -> dict[str, Any]:
    """Columns of so many rows."""
    draw, fixed = np.random.default_rng(seed), np.random.default_rng(7)
    hidden = draw.normal(size=(count, 4))
    seen = hidden @ fixed.normal(size=(4, 27)) / 2 + draw.normal(size=(count, 27))
    soil = np.clip(hidden[:, 0] * 6 + 20 + draw.normal(size=count) * 3, 0, 39).astype(int)
    area = np.clip(hidden[:, 1] + 2 + draw.normal(size=count) / 2, 0, 3).astype(int)
    a, b, c, d = hidden.T
    scores = [
        a + seen[:, 0] * seen[:, 1] / 3,
        1.5 * b,
        c + seen[:, 2] / 2,
        d,
        -a,
        0.4 * area - b,
        seen[:, 3] - seen[:, 4],
    ]
    kind = (np.stack(scores, axis=1) + draw.gumbel(size=(count, 7)) / 2).argmax(axis=1)
    whole = {f"n{k}": np.rint(seen[:, k] * 100).astype(np.int32) for k in range(10)}
    fractions = {f"f{k}": seen[:, k].round(3) for k in range(10, 27)}
    names = {"soil": named("soil", soil), "area": named("area", area), "target": named("type", kind)}
    return whole | fractions | names


def named(what: str, numbers: NDArray[np.int64]) -> NDArray[Any]:
    """Texts such as soil_7."""
    return np.array([f"{what}_{k}" for k in range(40)], object)[numbers]


def make(folder: Path, size: float) -> int:
    """Writes Parquet files of so many bytes together; returns the number of rows."""
    import pyarrow as pa
    from pyarrow import parquet

    folder.mkdir()
    rows, written = 0, 0
    while written < size:
        number = rows // FILE_ROWS
        file = folder / f"part-{number:04}.parquet"
        if number < DIFFERENT:
            parquet.write_table(pa.table(rows_of(FILE_ROWS, rows)), file)
        else:
            shutil.copyfile(folder / f"part-{number % DIFFERENT:04}.parquet", file)
        rows, written = rows + FILE_ROWS, written + file.stat().st_size
    return rows


def trained(folder: str, cache: str, limit: str) -> dict[str, Any]:
    """Trains on a folder, an epoch at "fast", in so many seconds if any are given; what it took, in this process."""
    from thalweg.data.large_source import LargeSource
    from thalweg.runs.large.large_training import Place, train_large
    from thalweg.runs.large.memory import bytes_of
    from thalweg.runs.table_run import TableOptions
    from thalweg.support.progress import told

    begin, took = time.perf_counter(), {"ready": 0.0, "reading": 0.0, "converting": 0.0}

    @contextmanager
    def stage(name: str) -> Iterator[None]:
        before = processor_seconds()
        yield
        took[name.split()[0]] = processor_seconds() - before

    def announce(_: Any) -> None:
        took.update(ready=time.perf_counter() - begin, ready_cpu=processor_seconds(), ready_peak=memory().peak)

    options = TableOptions(target="target", quality="fast", epochs=1, seed=1, time_limit=float(limit) or None)
    with told(stage):
        run = train_large(LargeSource.of(folder), options, Place(bytes_of(LIMIT), Path(cache)), announce)
    rows, networks = run.facts["rows"], run.facts["members"]
    learned = rows["train"] * sum(network["epochs"] for network in networks)
    found = {"converted": rows["train"], "learned": learned, "fit": run.facts["seconds"], "networks": len(networks)}
    return found | took | {"peak": memory().peak, "cpu": processor_seconds(), **run.facts["held-out"]}


def beside_memory() -> dict[str, float]:
    """Rows a second from a disk, by the processor's time and by the clock, as parts of those in memory; raises unless
    the weights are the same bits."""
    import thalweg
    from thalweg import layers
    from thalweg.batches.ordering import Ordering, Taken
    from thalweg.data import OnDisk

    class InOrder(Ordering):
        def epoch(self, number: int) -> Taken:
            return Taken(source.order(0, number))

    def network() -> Any:
        model = thalweg.Sequential(
            [thalweg.Input((64,)), *(layers.Dense(128, "relu") for _ in range(3)), layers.Dense(7, "softmax")], seed=0
        )
        model.compile("adam", "sparse_categorical_crossentropy")
        return model

    draw = np.random.default_rng(0)
    x, y = draw.normal(size=(ROWS, 64)).astype(np.float32), draw.integers(0, 7, ROWS).astype(np.int32)
    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/x.npy", x)
        np.save(f"{folder}/y.npy", y)
        source = OnDisk(
            np.load(f"{folder}/x.npy", mmap_mode="r"), np.load(f"{folder}/y.npy", mmap_mode="r"), batch_size=256
        )
        took: dict[str, list[tuple[float, float]]] = {"memory": [], "disk": []}
        for _ in range(ROUNDS):
            vectors = []
            for where, seconds in took.items():
                model = network()
                given: Any = (
                    {"x": source} if where == "disk" else {"x": x, "y": y, "batch_size": 256, "shuffle": InOrder()}
                )
                wall, processor = time.perf_counter(), processor_seconds()
                model.fit(**given, epochs=2, verbose=0, lanes=1)
                seconds.append((time.perf_counter() - wall, processor_seconds() - processor))
                vectors.append(model.vector.copy())
            if not np.array_equal(*vectors):
                raise SystemExit("rows on a disk gave other weights than the same order in memory")
    walls, processors = ({k: statistics.median(s[n] for s in took[k]) for k in took} for n in (0, 1))
    return {"clock": walls["memory"] / walls["disk"], "processor": processors["memory"] / processors["disk"]}


def on_disk(gigabytes: float, seconds: float) -> None:
    """Makes a folder of so many gigabytes, trains on it in a process of its own, in so many seconds if any are given,
    and prints what it took."""
    parts = beside_memory()
    print(f"{ROWS:,} rows from a disk: the bits of the same order in memory; rows a second, as a part of those there: "
          f"{parts['processor']:.2f} by the processor's time, {parts['clock']:.2f} by the clock")  # fmt: skip
    with tempfile.TemporaryDirectory() as place:
        folder, cache = Path(place, "rows"), Path(place, "cache")
        rows = make(folder, gigabytes * 1e9)
        command = [sys.executable, "-m", "benchmarks.on_disk", str(folder), str(cache), str(seconds)]
        done = subprocess.run(command, cwd=Path(__file__).parents[1], stdout=subprocess.PIPE, text=True, check=True)
        found = json.loads(done.stdout.splitlines()[-1])
        disk = sum(file.stat().st_size for file in cache.rglob("*") if file.is_file())
        shutil.rmtree(folder)
    print(f"{rows:,} rows, {gigabytes:g} GB of Parquet, --memory {LIMIT}: peak {found['peak'] / 1e6:.0f} MB, "
          f"{found['ready_peak'] / 1e6:.0f} MB until they were ready; the cache {disk / 1e9:.2f} GB")  # fmt: skip
    print(f"ready: {found['ready']:.0f} s, {found['ready_cpu']:.0f} CPU s, of which {found['reading']:.0f} to read, "
          f"and {found['converting']:.0f} to convert {found['converted']:,} rows")  # fmt: skip
    each = found["reading"] / rows + found["converting"] / found["converted"]
    learned = (found["cpu"] - found["ready_cpu"]) / max(found["learned"], 1)
    print(f"then {found['learned'] / found['fit']:,.0f} rows a second in whole epochs of {found['networks']} networks, "
          f"{learned * 1e6:.1f} CPU µs a row and network; accuracy {found['accuracy']:.3f}")  # fmt: skip
    hours = PLANNED * (each + 4 * 4 * learned) / 3600
    print(f"extrapolated, not measured: {PLANNED:,} rows, 4 networks of 4 epochs: {hours:.1f} CPU hours, of which "
          f"{PLANNED * each / 3600:.1f} until they are ready")  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(trained(*sys.argv[1:])))
