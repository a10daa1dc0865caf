"""Ranks killed at random moments of a training: `python tests/tables/killed_ranks.py` shows thirty.

All the others end, the last checkpoint can be read, and one rank fewer continues from it with the same bits. Two are in
`tests/models/test_ranks.py`.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "tests" / "models" / "on_ranks.py"
EPOCHS = 300
SECONDS = 300


def mpiexec():
    """The launcher beside this Python, or on the PATH."""
    beside = shutil.which("mpiexec", path=Path(sys.executable).parent)
    return beside or shutil.which("mpiexec")


def started(ranks, folder, **environment):
    """A training on so many ranks, which keeps its checkpoints in a folder."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    arguments = [str(SCRIPT), "one", "", str(folder), str(EPOCHS)]
    return subprocess.Popen(
        [mpiexec(), "-n", str(ranks), sys.executable, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, env=os.environ | {"PYTHONPATH": path} | environment,
    )  # fmt: skip


def result(process):
    """What the first rank has printed."""
    out, error = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, error
    return json.loads(out.splitlines()[-1])[0]


def ranks_in(folder):
    """The process ids of the ranks that train in a folder, in the order in which they were started."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            words = entry.joinpath("cmdline").read_bytes().split(b"\0")
        except OSError:  # not a process, or one that has just ended
            continue
        if str(folder).encode() in words and words[0] == sys.executable.encode() and b"-n" not in words:
            found.append(int(entry.name))
    return sorted(found)


def strike(ranks, expected, most, empty_cache=False):
    """Kills a rank of a training that takes `most` seconds at most, at a random moment. Returns (how long the others
    took to end, epochs that the checkpoint had), or None if the training had ended before."""
    folder = Path(tempfile.mkdtemp(prefix="killed-"))
    cache = {"THALWEG_CACHE_DIR": str(folder / "cache")} if empty_cache else {}
    try:
        process = started(ranks, folder, **cache)
        while not ranks_in(folder):
            time.sleep(0.01)
        time.sleep(random.uniform(0, most))
        there = ranks_in(folder)
        if len(there) < ranks or process.poll() is not None:
            process.communicate(timeout=SECONDS)
            return None
        begin = time.monotonic()
        os.kill(random.choice(there), signal.SIGKILL)
        out, error = process.communicate(timeout=60)
        took = time.monotonic() - begin
        if process.returncode == 0 and out:  # it was at its last line
            return None
        assert process.returncode != 0
        assert "Traceback" not in error, error
        assert not ranks_in(folder), "a rank is left over"
        kept = [int(p.stem.removeprefix("epoch-")) for p in folder.glob("written/backup/epoch-*.safetensors")]
        found = result(started(max(1, ranks - 1), folder, **cache))
        assert found["vector"] == expected["vector"], "other bits"
        assert found["epochs"] == expected["epochs"][max(kept, default=0) :]
        left = [path.name for path in folder.glob("written/backup/*")]
        assert not left, f"{left} is left over"
        return took, max(kept, default=0)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def storm(kills, cold=6):
    """So many kills, one in `cold` of them of ranks that have to compile first; what `strike` returns of each."""
    with tempfile.TemporaryDirectory(prefix="whole-") as folder:
        begin = time.monotonic()
        expected = result(started(2, Path(folder)))
        most = time.monotonic() - begin
    found = []
    while len(found) < kills:
        one = strike(2 + len(found) % 2, expected, most, empty_cache=len(found) % cold == cold - 1)
        if one is not None:
            found.append(one)
            yield one


if __name__ == "__main__":
    for number, (took, epochs) in enumerate(storm(int((sys.argv[1:] or ["30"])[0]))):
        print(f"kill {number + 1}: after {epochs} epochs, all had ended in {took:.2f} s, same bits", flush=True)
