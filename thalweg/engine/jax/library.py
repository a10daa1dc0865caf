"""JAX, loaded when something of it is asked for: thalweg's modules can be imported without it."""

from __future__ import annotations

from importlib import import_module
from typing import Any


class Later:
    """A module that isn't loaded yet."""

    def __init__(self, module: str) -> None:
        self.module = module

    def __getattr__(self, name: str) -> Any:
        try:
            module = import_module(self.module)
        except ModuleNotFoundError as error:  # where something only looks at what a module of thalweg's holds
            raise AttributeError(f"{name} of {self.module}, which isn't installed") from error
        return getattr(module, name)


jax, jnp, lax = Later("jax"), Later("jax.numpy"), Later("jax.lax")
sharding, experimental = Later("jax.sharding"), Later("jax.experimental")
multihost = Later("jax.experimental.multihost_utils")
