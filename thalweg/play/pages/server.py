"""What `thalweg play` answers: the site's files, how the page begins, tables that it reads, and a class's progress.

The browser trains; this machine keeps nothing of a page but what a class has solved. It listens at 127.0.0.1 alone, but
for a class.
"""

from __future__ import annotations

import asyncio
import gzip
import ipaddress
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from thalweg import words
from thalweg.errors import ArgumentError, ThalwegError
from thalweg.play.apart import Apart
from thalweg.play.bounds import CLASS_UPLOAD_BYTES, MESSAGE_BYTES, UPLOAD_BYTES
from thalweg.play.classroom import Classroom
from thalweg.play.gate import CLASS, PROGRESS, Gate
from thalweg.play.page_table import PageTable
from thalweg.play.pages.site import BEGINS, files, index
from thalweg.play.refusal import RefusedError, told
from thalweg.play.scenes import WEB, initial
from thalweg.serve import serving
from thalweg.support.extras import need
from thalweg.support.files import to_json
from thalweg.views.web.bundle import bundle, styles
from thalweg.views.web.wording import noscript

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

HOST = "127.0.0.1"
EVERYWHERE = "0.0.0.0"
ELSEWHERE = "192.0.2.1"
"""An address that nobody has (RFC 5737)."""
BYTES = "application/octet-stream"
TYPES = {
    ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".json": "application/json",
    ".svg": "image/svg+xml", ".wasm": "application/wasm", ".txt": "text/plain",
}  # fmt: skip
"""The kinds of file that a page is made of."""
PATIENCE = 5
"""How many times as much as may be uploaded is received before the answer, which is that it's too much."""
READERS = 2
"""Uploaded files that are read at once."""


@dataclass
class Site:
    """What the server answers with.

    Args:
        port: it listens at.
        source: the table of the command line.
        states: to begin with.
        lesson, preset: their names, for the page.
        token: the secret in the page's address.
        host: the address at which it listens; 0.0.0.0 is every address of this machine.
        classroom: whose pages these are; without one they are this machine's.
    """

    port: int
    source: PageTable | None = None
    states: list[dict[str, Any]] = field(default_factory=lambda: initial(None, None, False))
    lesson: str | None = None
    preset: str | None = None
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    host: str = HOST
    classroom: Classroom | None = None
    apart: Apart = field(default_factory=Apart)
    readers: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(READERS))

    @property
    def address(self) -> str:
        """Of the page, with its secret."""
        return f"http://{reachable(self.host)}:{self.port}/?token={self.token}"

    @property
    def list_address(self) -> str:
        """Of the teacher's list, with the teacher's secret."""
        assert self.classroom is not None
        return f"http://{reachable(self.host)}:{self.port}{CLASS}?token={self.classroom.token}"

    @property
    def upload_bytes(self) -> int:
        """The most that a table's file may have."""
        return UPLOAD_BYTES if self.classroom is None else CLASS_UPLOAD_BYTES

    @cached_property
    def files(self) -> dict[str, bytes]:
        """Code and words by their paths, packed: a class loads them at once."""
        made = {name: content for name, content in files().items() if name != "index.html"}
        if self.classroom is not None:
            made["class.css"] = styles("play/play.css", "play/class.css").encode()
            made["class.js"] = bundle("play/teacher.js", vendor=(), commented=False, scoped=True).encode()
        return {f"/{name}": gzip.compress(content, 6, mtime=0) for name, content in made.items()}

    @cached_property
    def table_bytes(self) -> bytes:
        """The table of the command line, as the page's worker takes it."""
        assert self.source is not None
        return self.source.encoded()

    def app(self) -> Gate:
        """The application, behind its gate."""
        from starlette.applications import Starlette
        from starlette.routing import Route

        routes = [Route("/", self.page), Route("/begin.json", self.begin), Route("/table", self.table)]
        routes += [Route("/upload", self.upload, methods=["POST"]), *(Route(path, self.file) for path in self.files)]
        if self.classroom is not None:
            routes += [Route(CLASS, self.list_page), Route(f"{CLASS}/list", self.list)]
            routes += [Route(f"{CLASS}/free", self.free, methods=["POST"])]
            routes += [Route(PROGRESS, self.progress, methods=["POST"])]
        teacher = None if self.classroom is None else self.classroom.token
        return Gate(Starlette(routes=routes), self.port, self.token, self.files.keys(), teacher)

    async def page(self, request: Request) -> Response:
        """The page itself."""
        from starlette.responses import HTMLResponse

        return HTMLResponse(index(BEGINS))

    async def file(self, request: Request) -> Response:
        """A file of the page."""
        from starlette.responses import Response

        path = request.url.path
        content, headers = self.files[path], {"content-encoding": "gzip"}
        if "gzip" not in request.headers.get("accept-encoding", ""):
            content, headers = gzip.decompress(content), {}
        return Response(content, media_type=TYPES.get(PurePath(path).suffix, BYTES), headers=headers)

    async def begin(self, request: Request) -> Response:
        """How the page begins."""
        return json(
            {
                "lesson": self.lesson,
                "preset": self.preset,
                "states": self.states,
                "table": self.source is not None,
                "class": self.classroom is not None,
                "upload_bytes": self.upload_bytes,
            }
        )

    async def table(self, request: Request) -> Response:
        """The table of the command line."""
        from starlette.responses import Response

        if self.source is None:
            return refused(RefusedError("the page was started without a table"), 404)
        return Response(self.table_bytes, media_type=BYTES)

    async def upload(self, request: Request) -> Response:
        """Reads a table's file for the page, and keeps nothing of it."""
        from starlette.responses import Response

        def read(content: bytes, name: str) -> bytes:
            return PageTable.of_upload(content, name).encoded()

        try:
            content = await body(request, self.upload_bytes)
            async with self.readers:
                made = await self.apart.done(read, content, request.query_params.get("name", "table.csv"))
        except (ThalwegError, OSError) as error:
            return refused(error, 413 if isinstance(error, TooLargeError) else 400)
        return Response(made, media_type=BYTES)

    async def list_page(self, request: Request) -> Response:
        """The page with the list of a class."""
        from starlette.responses import HTMLResponse

        return HTMLResponse((WEB / "play" / "class.html").read_text("utf-8").format(noscript=noscript()))

    async def list(self, request: Request) -> Response:
        """Who is there, and whose tasks are done."""
        assert self.classroom is not None
        return json({"pupils": self.classroom.to_json(), "seats": self.classroom.seats, "address": self.address})

    async def free(self, request: Request) -> Response:
        """Gives the seat of a pupil who is there to others; takes the name of one who has left off the list."""
        assert self.classroom is not None
        try:
            self.classroom.free(request.query_params.get("name", ""))
        except RefusedError as error:
            return refused(error, 404)
        return json({})

    async def progress(self, request: Request) -> Response:
        """A pupil's page is there, and has solved so much; it says so again and again, and when it goes."""
        assert self.classroom is not None
        try:
            pupil = self.classroom.told(await body(request, MESSAGE_BYTES))
        except ThalwegError as error:
            return refused(error, 409)
        return json({} if pupil is None else {"pupil": pupil.name})


class TooLargeError(RefusedError):
    """An upload that is larger than a page may send."""

    def __init__(self, most_bytes: int) -> None:
        most = most_bytes // 1_000_000
        super().__init__(
            words.Said(
                "the file is larger than {most} MB: give a part of it, or start with thalweg play FILE", most=most
            )
        )


async def body(request: Request, most: int) -> bytes:
    """What a request carries; TooLargeError if it is too much.

    The rest is received all the same, within bounds, and dropped: who is still sending doesn't read the answer.
    """
    declared = request.headers.get("content-length", "0")
    if not declared.isdigit() or int(declared) > PATIENCE * most:
        raise TooLargeError(most)
    content, size = bytearray(), 0
    async for part in request.stream():
        size += len(part)
        if size <= most:
            content += part
        elif size > PATIENCE * most:
            break
    if size > most:
        raise TooLargeError(most)
    return bytes(content)


def json(content: Any, status: int = 200, **more: Any) -> Response:
    """An answer that a page's code reads."""
    from starlette.responses import Response

    return Response(to_json(content), status, media_type=TYPES[".json"], **more)


def refused(error: BaseException, status: int) -> Response:
    """Why a page can't have what it asked for."""
    return json({"error": told(error)}, status)


def reachable(host: str) -> str:
    """An address under which others reach what listens at `host`: of all this machine's, the one that leads outside.

    >>> reachable("192.168.1.5")
    '192.168.1.5'
    """
    if host != EVERYWHERE:
        return host
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as to:
        try:
            to.connect((ELSEWHERE, 9))  # chooses a way; nothing is sent
        except OSError:  # there is no network
            return HOST
        return str(to.getsockname()[0])


def listening(port: int, host: str = HOST) -> socket.socket:
    """A socket at this port of one of this machine's addresses; 0 takes a free one.

    Raises:
        ArgumentError: the port isn't one, or is in use; the address is another machine's, or none.
    """
    try:
        ipaddress.IPv4Address(host)  # which the gate compares with what a page has been asked for
    except ValueError:
        raise ArgumentError(
            f"--host is an IPv4 address of this machine, or {EVERYWHERE} for all of them, got {host!r}"
        ) from None
    return serving.listening(host, port)


def check_installed() -> None:
    """MissingPackageError if the server's packages are missing."""
    for package in ("starlette", "uvicorn"):
        need(package, "play", "the live page")


def serve(site: Site, at: socket.socket, started: Callable[[Callable[[], None]], Any]) -> None:
    """Serves until Ctrl-C, or until what `started` is given is called; that is once pages can be opened."""
    import uvicorn

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                started(self.stop)

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            site.apart.end()
            await super().shutdown(sockets)

        def stop(self) -> None:
            self.should_exit = True

    config = uvicorn.Config(
        site.app(),
        host=site.host,
        port=site.port,
        lifespan="off",
        log_level="warning",
        access_log=False,  # it would print the token
        ws="none",
        timeout_graceful_shutdown=3,
        server_header=False,
    )
    try:
        Server(config).run(sockets=[at])
    except KeyboardInterrupt:  # the way to end it
        return
    finally:
        at.close()
