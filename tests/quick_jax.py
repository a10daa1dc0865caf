"""JAX functions compiled without the optimizations, which would take most of the time of a test."""

import jax


def quickly_compiled(function, *arguments):
    """The function, compiled for arguments like these."""
    return jax.jit(function).lower(*arguments).compile({"xla_backend_optimization_level": 0})
