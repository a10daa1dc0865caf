"""Tests without llvmlite, the extra thalweg[jit], as of a wheel: see `Uncompiled` in conftest.py."""

import pytest

from thalweg.support.extras import can_compile as can_compile

REASON = "could not import llvmlite: needs thalweg[jit]"


def skip_module() -> None:
    """Skips a test module that would need them while it is imported."""
    if not can_compile():
        pytest.skip(REASON, allow_module_level=True)
