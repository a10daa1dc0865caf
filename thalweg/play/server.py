"""The live page's server: at 127.0.0.1 alone, but for a class; one process, nothing kept when it ends."""

from __future__ import annotations

import ipaddress
import secrets
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from html import escape
from json import loads
from math import inf
from typing import TYPE_CHECKING, Any, Protocol

from thalweg import words
from thalweg.errors import ArgumentError, ThalwegError
from thalweg.play.apart import Apart
from thalweg.play.choices import choices
from thalweg.play.classroom import Classroom, Pupil
from thalweg.play.exercises.uploads import Upload
from thalweg.play.exports.programs import EXPORTS
from thalweg.play.gate import CLASS, Gate
from thalweg.play.requests.bounds import CLASS_UPLOAD_BYTES, MESSAGE_BYTES, PUPIL_PAGES, SESSIONS, UPLOAD_BYTES, limits
from thalweg.play.requests.refusal import RefusedError, told
from thalweg.play.scenes import WEB, documentation, initial
from thalweg.play.session import Session
from thalweg.serve import serving
from thalweg.support.extras import need
from thalweg.support.files import to_json
from thalweg.support.naming import choose
from thalweg.version import __version__
from thalweg.views.web.wording import MODULE, SCENES, catalogue_module, noscript, scenes

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.websockets import WebSocket

HOST = "127.0.0.1"
EVERYWHERE = "0.0.0.0"
ELSEWHERE = "192.0.2.1"
"""An address that nobody has (RFC 5737)."""
TYPES = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}
"""The kinds of file that a page is made of."""
PATIENCE = 5
"""How many times as much as may be uploaded is received before the answer, which is that it's too much."""
TOO_MANY = 1013
"""The code with which a socket is closed when enough pages are open, or a class has no seat for it."""
SWITCH = 0.0005
"""Seconds after which Python's threads take turns: by default ten times as long, which a picture would wait for."""


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
    source: Upload | None = None
    states: list[dict[str, Any]] = field(default_factory=lambda: initial(None, None, False))
    lesson: str | None = None
    preset: str | None = None
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    host: str = HOST
    classroom: Classroom | None = None
    sessions: dict[str, Session] = field(default_factory=dict)
    apart: Apart = field(default_factory=Apart)

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

    @property
    def most_sessions(self) -> int:
        """Pages that may be open at once."""
        return SESSIONS if self.classroom is None else PUPIL_PAGES * self.classroom.seats

    def app(self) -> Gate:
        """The application, behind its gate."""
        from starlette.applications import Starlette
        from starlette.routing import Route, WebSocketRoute

        routes = [
            Route("/", self.page),
            Route("/web/{path:path}", self.file),
            Route("/upload", self.upload, methods=["POST"]),
            Route("/export/{kind}", self.export),
            WebSocketRoute("/socket", self.socket),
        ]
        if self.classroom is None:
            return Gate(Starlette(routes=routes), self.port, self.token)
        routes += [Route(CLASS, self.list_page), Route(f"{CLASS}/list", self.list)]
        routes += [Route(f"{CLASS}/free", self.free, methods=["POST"])]
        return Gate(Starlette(routes=routes), self.port, self.token, self.classroom.token)

    def greeting(self) -> dict[str, Any]:
        """What a page is told first."""
        return {
            "version": __version__,
            "lesson": self.lesson,
            "preset": self.preset,
            "source": None if self.source is None else self.source.to_json(),
            "choices": choices(),
            "limits": limits(self.upload_bytes),
        }

    async def page(self, request: Request) -> Response:
        """The page itself."""
        room = "" if self.classroom is None else " data-class"
        return html("index.html", room=room, documentation=escape(documentation()))

    async def list_page(self, request: Request) -> Response:
        """The page with the list of a class."""
        return html("class.html")

    async def list(self, request: Request) -> Response:
        """Who is there, and whose tasks are done."""
        assert self.classroom is not None
        return json({"pupils": self.classroom.to_json(), "seats": self.classroom.seats, "address": self.address})

    async def free(self, request: Request) -> Response:
        """Gives the seat of a pupil who is there to others; takes the name of one who has left off the list."""
        from starlette.background import BackgroundTask, BackgroundTasks

        assert self.classroom is not None
        pupil = self.classroom.pupils.get(request.query_params.get("name", ""))
        if pupil is None:
            return refused(RefusedError("nobody in the list has this name"), 404)
        if not pupil.heard:
            del self.classroom.pupils[pupil.name]
        own = [session for session in self.sessions.values() if session.pupil is pupil]
        for session in own:  # at once, however long a page takes to go
            session.pupil = None
            pupil.leave(session.id)
        return json({}, background=BackgroundTasks([BackgroundTask(session.close) for session in own]))

    async def file(self, request: Request) -> Response:
        """A file of the page: nothing outside the folder, and nothing of another kind."""
        from starlette.responses import PlainTextResponse, Response

        asked = request.path_params["path"]
        path = WEB if "\0" in asked else (WEB / asked).resolve()
        inside = path.is_relative_to(WEB.resolve()) and path.suffix in TYPES
        if path == MODULE:
            content = catalogue_module(file.read_text("utf-8") for file in WEB.rglob("*.js")).encode()
        elif not inside or not path.is_file():
            return PlainTextResponse("there is no such file\n", 404)
        else:
            scene = path.suffix == ".json" and path.stem in SCENES
            content = to_json(scenes(path.stem)).encode() if scene else path.read_bytes()
        return Response(content, media_type=f"{TYPES[path.suffix]}; charset=utf-8")

    async def socket(self, socket: WebSocket) -> None:
        """A page's socket, for as long as it is open."""
        await socket.accept()
        try:
            page = secrets.token_urlsafe(12)
            pupil = self.admitted(socket, page)
        except RefusedError as error:
            await socket.close(TOO_MANY, str(error))
            return
        greeting = self.greeting() | ({} if pupil is None else {"pupil": pupil.name})
        session = Session(self.source, self.states, greeting, pupil, page)
        self.sessions[session.id] = session
        try:
            await session.run(socket)
        finally:
            del self.sessions[session.id]
            if session.pupil is not None:
                session.pupil.leave(session.id)

    def admitted(self, socket: WebSocket, page: str) -> Pupil | None:
        """The pupil whose page a socket is, in a class.

        Raises:
            RefusedError: enough pages are open, or the class doesn't take this one.
        """
        most, asked = self.most_sessions, socket.query_params
        if len(self.sessions) >= most:
            raise RefusedError("{most} pages are open: close one first", most=most)
        if self.classroom is None:
            return None
        pupil = self.classroom.hear(asked.get("pupil", ""), asked.get("name", ""), page, inf)
        if len(pupil.heard) > PUPIL_PAGES:
            pupil.leave(page)
            raise RefusedError("you have {most} pages open: close one first", most=PUPIL_PAGES)
        return pupil

    def session(self, request: Request) -> Session:
        """The session that a request belongs to."""
        found = self.sessions.get(request.query_params.get("session", ""))
        if found is None:
            raise RefusedError("this page's connection has ended: load it again")
        return found

    async def upload(self, request: Request) -> Response:
        """Takes a table's file."""
        try:
            session = self.session(request)
            content = await body(request, self.upload_bytes)
            name = request.query_params.get("name", "table.csv")
            made = await self.apart.done(session.uploads.add, content, name)
        except (ThalwegError, OSError) as error:
            return refused(error, 413 if isinstance(error, TooLargeError) else 400)
        return json({"table": made.to_json()})

    async def export(self, request: Request) -> Response:
        """A program, the model or the state, as a file."""
        from starlette.responses import Response

        try:
            session = self.session(request)
            export = choose("export", request.path_params["kind"], EXPORTS)
            side = session.sides.get(1 if request.query_params.get("side") == "1" else 0)
            if side is None:
                raise RefusedError("there is no such side")

            def made() -> bytes:
                with side.still() as course:
                    return export.made(course)

            content = await self.apart.done(made)
        except ThalwegError as error:
            return refused(error, 400)
        headers = {"content-disposition": f'attachment; filename="{export.file}"'}
        return Response(content, media_type=export.type, headers=headers)


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


def html(name: str, **values: str) -> Response:
    """One of the pages."""
    from starlette.responses import HTMLResponse

    return HTMLResponse((WEB / "play" / name).read_text("utf-8").format(noscript=noscript(), **values))


def json(content: Any, status: int = 200, **more: Any) -> Response:
    """An answer that a page's code reads."""
    from starlette.responses import Response

    return Response(to_json(content), status, media_type=TYPES[".json"], **more)


def told_json(content: bytes) -> Any:
    """What a request says.

    Raises:
        RefusedError: it is no JSON.
    """
    try:
        return loads(content)
    except (ValueError, RecursionError) as error:
        raise RefusedError("a message has to be JSON: {error}", error=error) from None


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
    for package in ("starlette", "uvicorn", "websockets"):
        need(package, "play", "the live page")


class Answers(Protocol):
    """What is served."""

    port: int
    host: str
    apart: Apart

    def app(self) -> Gate: ...


def serve(site: Answers, at: socket.socket, started: Callable[[Callable[[], None]], Any]) -> None:
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
        ws_max_size=MESSAGE_BYTES,
        ws_per_message_deflate=False,  # the bytes don't leave this machine
        timeout_graceful_shutdown=3,
        server_header=False,
    )
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH)
    try:
        Server(config).run(sockets=[at])
    except KeyboardInterrupt:  # the way to end it
        return
    finally:
        sys.setswitchinterval(before)
        at.close()
