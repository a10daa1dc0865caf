"""JAX, loaded when something of it is asked for: thalweg's modules can be imported without it."""

from __future__ import annotations

from importlib import import_module
from typing import Any


class Later:
    """A module that isn't loaded yet."""

    def __init__(self, module: str) -> None:
        self.module = module

    def __getattr__(self, name: str) -> Any:
        return getattr(import_module(self.module), name)


jax, jnp, lax = Later("jax"), Later("jax.numpy"), Later("jax.lax")
sharding, experimental = Later("jax.sharding"), Later("jax.experimental")
multihost = Later("jax.experimental.multihost_utils")
