"""JAX as in `jax_scan`, for images too. Inside a loop on a CPU, XLA's own gradient of a kernel takes seconds: it isn't
among the peers of every run."""

from __future__ import annotations

from typing import Any

from benchmarks.peers.jax_scan import Fit
from benchmarks.workloads import Workload


def variants(work: Workload) -> dict[str, Any]:
    return {"scan": Fit} if work.does == "fit" else {}
