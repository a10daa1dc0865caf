"""What this process takes of the machine."""

from __future__ import annotations

import sys


def peak_memory() -> int:
    """The most bytes of memory that this process has had so far; 0 where the system doesn't say, as on Windows."""
    try:
        import resource
    except ImportError:
        return 0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
