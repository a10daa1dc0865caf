"""The server's life: it listens, answers, and ends when all that it had taken on is answered."""

from __future__ import annotations

import asyncio
import errno
import signal
import socket
import sys
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from ipaddress import ip_address
from time import perf_counter
from typing import Any

from thalweg.errors import ArgumentError
from thalweg.serve.connection import Connection
from thalweg.serve.reply import log
from thalweg.serve.service import Service
from thalweg.support.extras import need

THREADS = 4
BACKLOG = 1024
LOOK = 1.0
"""Seconds after which connections and run folders are looked at again."""
SWITCH = 0.0005
"""Seconds after which Python's threads take turns: a tenth of the default, which small requests would wait for."""
QUIET, PATIENCE = 0.3, 30.0
"""At the end: seconds in which idle connections may still send a request, and in which all has to be answered."""
SIGNALS = [getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP") if hasattr(signal, name)]


def check_installed() -> None:
    """MissingPackageError if the server's packages are missing."""
    for package in ("httptools", "orjson"):
        need(package, "serve", "thalweg serve")


def listening(host: str, port: int) -> socket.socket:
    """A socket at this address; port 0 takes a free one.

    Raises:
        ArgumentError: the port isn't one, or is in use; or the host isn't this machine.
    """
    if not 0 <= port < 65536:
        raise ArgumentError(f"--port is a number from 0 (a free one) to 65535, got {port}")
    try:
        (family, kind, _, _, address), *_ = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except OSError as error:
        raise ArgumentError(f"--host {host} is no address of this machine: {error.strerror}") from None
    made = socket.socket(family, kind)
    if sys.platform != "win32":  # there it would let a second server take the same port
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind(address)
        made.listen(BACKLOG)
    except OSError as error:
        made.close()
        if error.errno == errno.EADDRNOTAVAIL:
            raise ArgumentError(f"--host {host} is no address of this machine") from None
        raise ArgumentError(
            f"port {port} of {host} can't be used ({error.strerror}): take another, or 0 for a free one"
        ) from None
    return made


def is_local(host: str) -> bool:
    """Whether an address is reached from this machine alone.

    >>> is_local("127.0.0.1"), is_local("localhost"), is_local("0.0.0.0")
    (True, True, False)
    """
    with suppress(ValueError):
        return ip_address(host).is_loopback
    return host == "localhost"


def serve(make: Callable[[Executor], Service], at: socket.socket, started: Callable[[Service], Any]) -> None:
    """Serves until SIGTERM or Ctrl-C; a second one ends it at once. `started` is called once requests are taken."""

    def listened(service: Service, stop: Callable[[], None]) -> None:
        for number in SIGNALS:
            with suppress(NotImplementedError):  # on Windows
                asyncio.get_running_loop().add_signal_handler(number, stop)
        started(service)

    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH)
    executor = ThreadPoolExecutor(THREADS, "thalweg serve")
    try:
        service = make(executor)
        with asyncio.Runner(loop_factory=fast_loop()) as runner:
            runner.run(until_told(service, at, listened))
    except KeyboardInterrupt:  # where signals can't be told to the loop
        return
    finally:
        sys.setswitchinterval(before)
        executor.shutdown(wait=False, cancel_futures=True)
        at.close()


def fast_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's, where it is installed; it isn't made for Windows."""
    try:
        import uvloop
    except ImportError:
        return None
    made: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return made


async def until_told(
    service: Service, at: socket.socket, started: Callable[[Service, Callable[[], None]], Any]
) -> None:
    """Takes requests, then answers those that it has taken. `started` is given what ends it; twice, at once."""
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: log(context.get("exception")))
    told = asyncio.Event()
    protocol = partial(Connection, service)
    kept = at.dup()  # for the connections that still wait when the server ends
    server = await loop.create_server(protocol, sock=at, backlog=BACKLOG)
    started(service, partial(end, told, service))
    while not told.is_set():
        with suppress(TimeoutError):
            await asyncio.wait_for(told.wait(), LOOK)
        service.look()
    server.close()
    await accept_waiting(kept, protocol)
    await drained(service)


def end(told: asyncio.Event, service: Service) -> None:
    """Has the server end."""
    if told.is_set():
        for connection in list(service.connections):
            connection.transport.abort()
    service.draining = True
    told.set()


async def accept_waiting(kept: socket.socket, protocol: Callable[[], Connection]) -> None:
    """Takes the connections that the system has already made for us."""
    loop = asyncio.get_running_loop()
    kept.setblocking(False)
    with suppress(BlockingIOError, OSError):
        while True:
            client, _ = kept.accept()
            await loop.connect_accepted_socket(protocol, client)
    kept.close()


async def drained(service: Service) -> None:
    """Waits until all requests are answered and their connections ended."""
    begun = perf_counter()
    await asyncio.sleep(QUIET)
    while service.connections and perf_counter() - begun < PATIENCE:
        for connection in list(service.connections):
            connection.end_idle()
            connection.look(perf_counter())
        await asyncio.sleep(0.02)
    for connection in list(service.connections):
        connection.transport.abort()
