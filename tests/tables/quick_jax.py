"""JAX functions compiled without the optimizations, which would take most of the time of a test."""


def quickly_compiled(function, *arguments):
    """The function, compiled for arguments like these."""
    import jax

    return jax.jit(function).lower(*arguments).compile({"xla_backend_optimization_level": 0})
