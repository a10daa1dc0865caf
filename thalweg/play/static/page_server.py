"""What `thalweg play` answers: the site's files, how the page begins, tables that it reads, and a class's progress.

The browser trains; this machine keeps nothing of a page but what a class has solved.
"""

from __future__ import annotations

import asyncio
import gzip
import secrets
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from thalweg.errors import ThalwegError
from thalweg.play.apart import Apart
from thalweg.play.classroom import Classroom
from thalweg.play.exercises.page_table import PageTable
from thalweg.play.gate import CLASS, PROGRESS, Gate
from thalweg.play.requests.bounds import CLASS_UPLOAD_BYTES, MESSAGE_BYTES, UPLOAD_BYTES
from thalweg.play.requests.page_state import optional, some_object, text, texts
from thalweg.play.requests.refusal import RefusedError
from thalweg.play.scenes import initial
from thalweg.play.server import HOST, TYPES, TooLargeError, body, html, json, reachable, refused, told_json
from thalweg.play.static.site import BEGINS, files, index
from thalweg.views.web.bundle import bundle, styles

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

KINDS = TYPES | {".wasm": "application/wasm", ".bin": "application/octet-stream", ".txt": "text/plain"}
BYTES = KINDS[".bin"]
READERS = 2
"""Uploaded files that are read at once."""


@dataclass
class Served:
    """A server's answers.

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
        return Gate(Starlette(routes=routes), self.port, self.token, teacher, self.files.keys())

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
        return Response(content, media_type=KINDS.get(PurePath(path).suffix, BYTES), headers=headers)

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
        return html("class_list.html")

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
            told = some_object("a message", told_json(await body(request, MESSAGE_BYTES)))
            key, name, page = (text(what, told.get(what)) for what in ("pupil", "name", "page"))
            if told.get("leaves"):
                self.classroom.leave(key, page)
                return json({})
            lesson, solved = optional(text)("lesson", told.get("lesson")), texts("solved", told.get("solved"))
            pupil = self.classroom.hear(key, name, page)
            pupil.progress(lesson, solved)
        except ThalwegError as error:
            return refused(error, 409)
        return json({"pupil": pupil.name})
