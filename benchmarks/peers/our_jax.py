"""thalweg with engine="jax", through its public methods."""

from __future__ import annotations

from typing import Any

from benchmarks.peers import ours
from benchmarks.workloads import Workload


class Fit(ours.Fit):
    engine = "jax"


def variants(work: Workload) -> dict[str, Any]:
    return {"": Fit} if work.does == "fit" else {}
