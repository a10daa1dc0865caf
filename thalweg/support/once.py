"""What several threads want at once is made by one of them, while the others wait.

One lock serves for everything: building models, lowering programs, compiling kernels.
"""

from __future__ import annotations

import concurrent.futures.thread  # noqa: F401 — whose lock at a fork, and logging's, are then taken after ours
import os
from collections.abc import Callable
from functools import wraps
from threading import RLock
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])

making = RLock()
if hasattr(os, "register_at_fork"):  # a child has only the thread that forked: the lock must be its own, or free
    # The last one that is registered is taken first: whoever makes something may begin a thread of a pool.
    os.register_at_fork(before=making.acquire, after_in_parent=making.release, after_in_child=making.release)


def once(function: Function) -> Function:
    """Like functools.cache, but two threads never call the function twice; existing results are found without a
    lock."""
    found: dict[Any, Any] = {}

    @wraps(function)
    def ask(*arguments: Any) -> Any:
        if arguments not in found:
            with making:
                if arguments not in found:
                    found[arguments] = function(*arguments)
        return found[arguments]

    ask.cache_clear = found.clear  # type: ignore[attr-defined]
    return ask  # type: ignore[return-value]
