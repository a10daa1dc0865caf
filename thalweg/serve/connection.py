"""One client's connection: HTTP/1.1 with keep-alive and pipelining, read by httptools.

Requests may be answered in any order, and are written in theirs. What is too large, too slow or no HTTP is refused, and
nothing more is read of the connection then; but what still comes is received for a while, because a client that is
still sending wouldn't see the answer.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Protocol
from urllib.parse import unquote

from thalweg.serve.reply import AnsweredError, Reply, refusal

LINE_BYTES, HEADER_BYTES = 8_192, 32_768
"""The most that the address of a request, and all its headers, may have."""
PIPELINED = 256
"""Requests of one connection that wait for their answers, before no more of it is read."""
SLOW, IDLE, LINGER, STALLED = 30.0, 75.0, 3.0, 60.0
"""Seconds: for one request to arrive; without a request; after the last answer; for an answer to be taken."""


class Request:
    """A request, and its answer once there is one."""

    __slots__ = ("begun", "body", "connection", "headers", "keep", "label", "method", "path", "query", "reply")

    def __init__(self, connection: Connection) -> None:
        self.connection, self.begun = connection, perf_counter()
        self.method = self.path = self.query = ""
        self.headers: dict[bytes, bytes] = {}
        self.body = b""
        self.keep = True
        self.label = "none"  # of its endpoint
        self.reply: Reply | None = None

    def header(self, name: bytes) -> str:
        """The value of a header, whose name is in small letters; "" without it."""
        return self.headers.get(name, b"").decode("latin-1").strip()

    def answer(self, reply: Reply) -> None:
        """Sends the answer, after those of earlier requests."""
        if self.reply is None:
            self.reply = reply
            self.connection.answered(self)


class Receiver(Protocol):
    """What connections belong to."""

    most_bytes: int
    most_waiting_bytes: int
    most_connections: int
    draining: bool
    date: str
    connections: set[Connection]
    waiting_bytes: int

    def allow(self, request: Request) -> None:
        """Raises AnsweredError for a request that isn't even to be read."""

    def handle(self, request: Request) -> None:
        """Sees to it that a request is answered."""

    def noted(self, request: Request) -> None:
        """Is told of every request with its answer."""

    def ready(self, connection: Connection) -> None:
        """Has `write_ready` called soon."""


@dataclass(slots=True)
class _Incoming:
    """A request that is arriving."""

    request: Request
    url: bytes = b""
    header_bytes: int = 0
    parts: list[bytes] | None = None
    size: int = 0


class Connection(asyncio.Protocol):
    """A connection's protocol, for `loop.create_server`."""

    transport: Any

    def __init__(self, receiver: Receiver) -> None:
        import httptools

        self.receiver, self.http = receiver, httptools
        self.parser = httptools.HttpRequestParser(self)
        self.waiting: deque[Request] = deque()
        self.incoming: _Incoming | None = None
        self.ending = self.half_closed = self.paused = False
        self.since = perf_counter()  # when the request began to arrive, the last answer was written, or the end began
        self.blocked: float | None = None

    # --- asyncio's calls ---------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.receiver.connections.add(self)
        if len(self.receiver.connections) > self.receiver.most_connections:
            self.refuse(503, "too many connections are open", {"Retry-After": "1"})

    def connection_lost(self, exc: Exception | None) -> None:
        self.receiver.connections.discard(self)
        self.ending = True
        self.drop()
        self.forget()

    def eof_received(self) -> bool:
        self.half_closed = True
        return bool(self.waiting)  # they are answered all the same

    def pause_writing(self) -> None:
        self.blocked = perf_counter()
        self.pause()

    def resume_writing(self) -> None:
        self.blocked = None
        self.resume()

    def data_received(self, data: bytes) -> None:
        if self.ending:
            return
        try:
            self.parser.feed_data(data)
        except self.http.HttpParserUpgrade:  # to a protocol that isn't spoken here: the request is answered as it is
            pass
        except self.http.HttpParserError as error:
            self.refuse(400, f"this is no HTTP request: {error}")
        if len(self.waiting) >= PIPELINED:
            self.pause()

    # --- httptools' calls --------------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self.since = perf_counter()
        self.incoming = _Incoming(Request(self))

    def on_url(self, url: bytes) -> None:
        if (incoming := self.incoming) is not None:
            incoming.url += url
            if len(incoming.url) > LINE_BYTES:
                self.refuse(414, f"the address is longer than {LINE_BYTES:,} bytes")

    def on_header(self, name: bytes, value: bytes) -> None:
        if (incoming := self.incoming) is not None:
            incoming.header_bytes += len(name) + len(value) + 4
            if incoming.header_bytes > HEADER_BYTES:
                self.refuse(431, f"the headers are longer than {HEADER_BYTES:,} bytes")
            incoming.request.headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        incoming = self.incoming
        if incoming is None or self.ending:
            return
        request = incoming.request
        request.method = self.parser.get_method().decode("latin-1")
        request.keep = self.parser.should_keep_alive() and not self.parser.should_upgrade()
        path, _, request.query = incoming.url.decode("latin-1").partition("?")
        request.path = unquote(path)
        length = request.headers.get(b"content-length", b"0")
        try:
            self.receiver.allow(request)
        except AnsweredError as error:
            self.end_with(error.reply)
            return
        if length.isdigit() and int(length) > self.receiver.most_bytes:
            self.too_large()
        elif request.headers.get(b"expect", b"").lower() == b"100-continue" and not self.waiting:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        if (incoming := self.incoming) is None or self.ending:
            return
        incoming.size += len(body)
        self.receiver.waiting_bytes += len(body)
        if incoming.size > self.receiver.most_bytes:
            self.too_large()
        elif self.receiver.waiting_bytes > self.receiver.most_waiting_bytes:
            self.refuse(503, "the requests that wait are too large together", {"Retry-After": "1"})
        elif incoming.parts is None:
            incoming.parts = [body]
        else:
            incoming.parts.append(body)

    def on_message_complete(self) -> None:
        incoming = self.incoming
        if incoming is None or self.ending:
            return
        self.incoming = None
        request = incoming.request
        request.body = b"".join(incoming.parts or ())
        self.waiting.append(request)
        self.ending = not request.keep
        self.receiver.handle(request)

    # --- answers -----------------------------------------------------------------------------------------------------

    def answered(self, request: Request) -> None:
        """Is told that a request has its answer."""
        self.receiver.waiting_bytes -= len(request.body)
        request.body = b""
        self.receiver.noted(request)
        self.receiver.ready(self)

    def write_ready(self) -> None:
        """Writes the answers that are due."""
        parts = []
        closes = False
        while self.waiting and (reply := self.waiting[0].reply) is not None:
            request = self.waiting.popleft()
            last = self.receiver.draining and not self.waiting and self.incoming is None
            closes = last or not request.keep
            parts.append(reply.written(self.receiver.date, closes, request.method == "HEAD"))
        if parts and not self.transport.is_closing():
            self.transport.write(parts[0] if len(parts) == 1 else b"".join(parts))
            self.since = perf_counter()
        if closes or (self.half_closed and not self.waiting):
            self.end()
        elif len(self.waiting) < PIPELINED // 2:
            self.resume()

    def pause(self) -> None:
        if not self.paused and not self.transport.is_closing():
            self.paused = True
            self.transport.pause_reading()

    def resume(self) -> None:
        if self.paused and self.blocked is None and not self.transport.is_closing():
            self.paused = False
            self.transport.resume_reading()

    def too_large(self) -> None:
        self.refuse(413, f"the body is larger than {self.receiver.most_bytes:,} bytes: send the rows in parts")

    def refuse(self, status: int, sentence: str, headers: dict[str, str] | None = None) -> None:
        """Answers what can't be read, and ends the connection."""
        self.end_with(refusal(status, sentence, headers))

    def end_with(self, reply: Reply) -> None:
        """A last answer, to the request that is arriving; no more of it is read."""
        if self.ending:
            return
        self.ending = True
        request = Request(self) if self.incoming is None else self.incoming.request
        self.drop()
        request.keep = False
        self.waiting.append(request)
        request.answer(reply)

    def end(self) -> None:
        """Ends the connection once all is written; the client has some time to end it first."""
        self.ending = True
        self.since = perf_counter()
        if self.half_closed or not self.transport.can_write_eof():
            self.transport.close()
        elif not self.transport.is_closing():
            self.resume()
            self.transport.write_eof()

    def drop(self) -> None:
        """What has arrived of a request isn't kept."""
        if self.incoming is not None:
            self.receiver.waiting_bytes -= self.incoming.size
            self.incoming = None

    def forget(self) -> None:
        """What is still being computed for this connection is for nobody."""
        for request in self.waiting:
            self.receiver.waiting_bytes -= len(request.body)
            request.body, request.reply = b"", request.reply or Reply(status=499)
        self.waiting.clear()

    def look(self, now: float) -> None:
        """Ends what has taken too long; called every second or so."""
        waited = now - self.since
        if self.blocked is not None and now - self.blocked > STALLED:
            self.transport.abort()
        elif self.waiting:
            return
        elif self.ending:
            if waited > LINGER:
                self.transport.abort()
        elif self.incoming is not None and waited > SLOW:
            self.refuse(408, f"the request didn't arrive within {SLOW:.0f} seconds")
        elif self.incoming is None and waited > IDLE:
            self.end()

    def end_idle(self) -> None:
        """Ends the connection if nothing is asked of it."""
        if not self.waiting and self.incoming is None and not self.ending:
            self.end()
