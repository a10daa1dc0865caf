"""The engine over JAX: the program's references in one compiled loop, on CPUs, GPUs, TPUs, and on many hosts.

`use_devices` says which devices share the rows of a batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from thalweg.support.extras import need

if TYPE_CHECKING:
    from jax import Device
    from jax.sharding import Mesh

__all__ = ["use_devices"]


def use_devices(devices: Mesh | Sequence[Device] | None = None) -> None:
    """Sets the devices among which engine="jax" divides the rows of each batch: in this process, from now on.

    Args:
        devices: a `jax.sharding.Mesh`, of which all axes are used; or some of `jax.devices()`; None for all of these,
            which is the default. Of several processes, each has to give the same.

    Raises:
        ArgumentError: they aren't devices. MissingPackageError: JAX isn't installed.
    """
    need("jax", "jax", "engine='jax'")
    from thalweg.engine.jax.devices import set_devices

    set_devices(devices)
