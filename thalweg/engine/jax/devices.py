"""The devices that share the rows of a batch, and the processes that have them."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from thalweg.engine.contract import Job
from thalweg.engine.jax.library import experimental, jax, lax, multihost, sharding
from thalweg.engine.jax.pieces import Array
from thalweg.errors import ArgumentError, ThalwegError
from thalweg.version import __version__

if TYPE_CHECKING:
    from jax.sharding import Mesh

STEPS_TOGETHER = 64
"""Steps of a chunk where several processes run them: each by its own clock would run another number of them."""


@dataclass(frozen=True)
class Devices:
    """Devices in a mesh, along whose axes, all together, the rows of a batch are divided.

    If they can't be divided equally, XLA fills up the last device's part; results don't depend on it.
    """

    mesh: Mesh

    @property
    def platform(self) -> str:
        """JAX's name of what they are: "cpu", "gpu", "tpu"."""
        return str(self.mesh.devices.flat[0].platform)

    @property
    def everywhere(self) -> Any:
        """Of arrays that each of them has as a whole."""
        return sharding.NamedSharding(self.mesh, sharding.PartitionSpec())

    def put(self, array: Any) -> Array:
        """A copy of an array of NumPy's on each of them."""
        own = np.array(array)  # on a CPU, JAX would otherwise share the memory of the caller's
        return jax.make_array_from_callback(own.shape, self.everywhere, lambda index: own[index])

    def divided(self, batch: Array) -> Array:
        """The same array, of which each of them computes its rows."""
        rows = sharding.NamedSharding(self.mesh, sharding.PartitionSpec(self.mesh.axis_names))
        return lax.with_sharding_constraint(batch, rows)


_chosen: list[Devices] = []


def chosen() -> Devices:
    """Those of `use_devices`; otherwise all that there are."""
    return _chosen[0] if _chosen else Devices(sharding.Mesh(np.array(jax.devices()), ("rows",)))


def set_devices(devices: Mesh | Sequence[Any] | None) -> None:
    """See `use_devices`."""
    if devices is None:
        _chosen.clear()
        return
    if not isinstance(devices, sharding.Mesh):
        found = list(devices)
        if not found or not all(isinstance(device, jax.Device) for device in found):
            raise ArgumentError(f"devices is a jax.sharding.Mesh or some of jax.devices(), got {devices!r}")
        devices = sharding.Mesh(np.array(found), ("rows",))
    _chosen[:] = [Devices(devices)]


def double() -> AbstractContextManager[Any]:
    """Within it, JAX knows float64, in which running sums are kept."""
    known: AbstractContextManager[Any]
    if hasattr(jax, "enable_x64"):
        known = jax.enable_x64(True)
    else:  # of an older JAX
        known = experimental.enable_x64()
    return known


def steps_together() -> int | None:
    """How many steps a chunk has, if it mustn't depend on the clock: several processes would disagree, and wait."""
    return STEPS_TOGETHER if jax.process_count() > 1 else None


def agree(job: Job, stored: Collection[str]) -> None:
    """Raises unless all processes have the same job: each computes a part of every step.

    stored: the names of the data that it writes.

    Raises:
        ThalwegError: they differ, with what differs.
    """
    if jax.process_count() == 1:
        return
    listing = "\n".join(f"{i.title} {i.formula} {[o and o.shape for o in i.operands]}" for i in job.program)
    numbers = (job.rows, job.batch, job.totals, job.shuffle, job.ordered, jax.__version__)
    parts: dict[str, list[Any]] = {
        "the version of thalweg": [[*__version__.encode()]],
        "the program": [[*listing.encode()]],
        "the seed": [[*str(job.seed).encode()]],
        "the rows, the batch or the version of JAX": [[*repr(numbers).encode()]],
        "the weights": [job.parameters, job.slots],
        "the data": [job.data[name] for name in sorted(job.data) if name not in stored],
    }
    digests = [np.frombuffer(b"".join(digest(p) for p in part), np.uint8) for part in parts.values()]
    every = multihost.process_allgather(np.concatenate(digests)).reshape(jax.process_count(), -1)
    place = 0
    for what, own in zip(parts, digests, strict=True):
        part = every[:, place : place + own.size]
        if (part != part[0]).any():
            raise ThalwegError(f"the processes differ in {what}: each has to compute with the same model and data")
        place += own.size


def digest(part: Any) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(part).tobytes(), digest_size=16).digest()
