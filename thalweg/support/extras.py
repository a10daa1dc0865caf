"""Packages that only a part of thalweg needs: they are loaded there, and for a missing one it says what to install."""

from __future__ import annotations

from importlib.util import find_spec

from thalweg.errors import MissingPackageError
from thalweg.support.once import once

DISTRIBUTIONS = {"sklearn": "scikit-learn"}  # what pip calls it


@once
def can_compile() -> bool:
    """Whether llvmlite is installed, by which kernels are compiled that aren't ready."""
    return find_spec("llvmlite") is not None


def need(package: str, extra: str, purpose: str) -> None:
    """Raises unless the package can be imported. The extra is "" for one that comes with thalweg itself.

    >>> need("no_such_package", "plot", "a picture")
    Traceback (most recent call last):
    thalweg.errors.MissingPackageError: a picture needs no_such_package: pip install 'thalweg[plot]'
    """
    if find_spec(package) is None:
        name = DISTRIBUTIONS.get(package, package)
        remedy = f"'thalweg[{extra}]'" if extra else name
        raise MissingPackageError(f"{purpose} needs {name}: pip install {remedy}")
