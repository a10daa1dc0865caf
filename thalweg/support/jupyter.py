"""Whether this is a notebook, and which of its cells is running."""

from __future__ import annotations

import sys
from typing import Any


def maybe_notebook() -> bool:
    """Whether anything that runs notebooks is loaded."""
    return not {"IPython", "marimo"}.isdisjoint(sys.modules)


def shell() -> Any:
    """The notebook's shell: IPython with a kernel. None elsewhere; IPython in a terminal has no kernel."""
    found = sys.modules.get("IPython")
    running = None if found is None else found.get_ipython()
    return running if hasattr(running, "kernel") else None


def cell() -> int | None:
    """The number of the running cell; None outside of a notebook."""
    running = shell()
    return None if running is None else int(running.execution_count)
