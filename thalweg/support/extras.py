"""Optional packages: they are loaded when used, and the error for a missing one says what to install."""

from __future__ import annotations

from importlib.util import find_spec

from thalweg.errors import MissingPackageError
from thalweg.support.once import once


@once
def can_compile() -> bool:
    """Whether numba is installed, which compiles kernels that aren't ready."""
    return find_spec("numba") is not None


def need(package: str, extra: str, purpose: str) -> None:
    """Raises unless the package can be imported.

    >>> need("no_such_package", "plot", "a picture")
    Traceback (most recent call last):
    thalweg.errors.MissingPackageError: a picture needs no_such_package: pip install 'thalweg[plot]'
    """
    if find_spec(package) is None:
        raise MissingPackageError(f"{purpose} needs {package}: pip install 'thalweg[{extra}]'")
