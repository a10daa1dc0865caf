"""Work in a thread that nobody waits for: Ctrl-C ends the server, whatever is being read."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from thalweg.play.refusal import RefusedError

T = TypeVar("T")
THREAD = "thalweg page"
"""How the names of a page's threads begin."""


class Apart:
    """What is being done in such threads."""

    def __init__(self) -> None:
        self.awaited: set[asyncio.Future[Any]] = set()

    async def done(self, work: Callable[..., T], *arguments: Any) -> T:
        """The result of work.

        Raises:
            RefusedError: the server ends.
        """
        loop = asyncio.get_running_loop()
        result: asyncio.Future[T] = loop.create_future()

        def settle(set_it: Callable[[Any], None], value: Any) -> None:
            if not result.done():  # it is cancelled when the server ends
                set_it(value)

        def run() -> None:
            settled: tuple[Callable[[Any], None], Any]
            try:
                settled = result.set_result, work(*arguments)
            except BaseException as error:  # the request's, not the thread's
                settled = result.set_exception, error
            if not loop.is_closed():
                loop.call_soon_threadsafe(settle, *settled)

        self.awaited.add(result)
        threading.Thread(target=run, name=f"{THREAD} request", daemon=True).start()
        try:
            return await result
        except asyncio.CancelledError:
            raise RefusedError("the page has been ended") from None
        finally:
            self.awaited.discard(result)

    def end(self) -> None:
        """Nobody waits any longer."""
        for result in list(self.awaited):
            result.cancel()


def busy() -> bool:
    """Whether threads of a page are still at work."""
    return any(thread.name.startswith(THREAD) for thread in threading.enumerate())
