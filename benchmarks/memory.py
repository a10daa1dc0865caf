"""The memory of this process."""

from __future__ import annotations

import resource
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Memory:
    """Bytes of this process: resident now, and at the peak so far."""

    now: int
    peak: int


def memory() -> Memory:
    status = Path("/proc/self/status")
    if not status.exists():
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        return Memory(peak, peak)
    # Not ru_maxrss: on Linux a process starts with the peak of its parent.
    sizes = dict(line.split(":", 1) for line in status.read_text().splitlines())
    now, peak = (int(sizes[name].split()[0]) * 1024 for name in ("VmRSS", "VmHWM"))
    return Memory(now, peak)
