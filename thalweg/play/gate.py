"""Who may speak to the server: this machine's own page, by its secret token, and nobody else.

Another page in the same browser can send requests to 127.0.0.1, too. So every request has to carry the token; a
request with an `Origin` has to come from this server's own page; and its `Host` has to be this server's address, which
it isn't when a foreign name was made to point here (DNS rebinding).
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

OPEN = "/web/"
"""Code and words, the same for everyone: no token is needed."""
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "connect-src 'self' {socket}",
        "font-src 'self'",
        "form-action 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
"""What the page may load, and from where: from here alone."""


class Gate:
    """Lets requests pass to `app` that come from its own page.

    Args:
        app: what answers them.
        port: of the server.
        token: the secret in the page's address.
    """

    def __init__(self, app: App, port: int, token: str) -> None:
        self.app, self.token = app, token
        self.hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
        self.origins = {f"http://{host}" for host in self.hosts}
        sockets = " ".join(f"ws://{host}" for host in sorted(self.hosts))
        self.headers = {
            "content-security-policy": POLICY.format(socket=sockets),
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
            "cross-origin-opener-policy": "same-origin",
            "cross-origin-resource-policy": "same-origin",
            "cache-control": "no-store",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        why = self.refusal(scope)
        if why is None:
            await self.app(scope, receive, self.with_headers(send))
        elif scope["type"] == "websocket":
            await receive()  # the request to connect
            await send({"type": "websocket.close", "code": 1008, "reason": why})  # before it is accepted: a 403
        else:
            text = {"type": "http.response.body", "body": f"{why}\n".encode()}
            headers = [(b"content-type", b"text/plain; charset=utf-8")]
            await self.with_headers(send)({"type": "http.response.start", "status": 403, "headers": headers})
            await send(text)

    def refusal(self, scope: Scope) -> str | None:
        """Why a request may not pass; None if it may."""
        headers: dict[bytes, list[str]] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name.lower(), []).append(value.decode("latin-1"))
        hosts, origins = headers.get(b"host", []), headers.get(b"origin", [])
        if len(hosts) != 1 or hosts[0].lower() not in self.hosts:
            return "this server answers to its own address alone"
        if any(origin.lower() not in self.origins for origin in origins) or len(origins) > 1:
            return "another page may not speak to this server"
        if scope["type"] == "websocket" and not origins:
            return "a socket has to come from this server's page"
        if scope["type"] == "http" and scope["path"].startswith(OPEN):
            return None
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])
        if len(given) != 1 or not secrets.compare_digest(given[0].encode(), self.token.encode()):
            return "the token is missing or wrong: open the address that thalweg play has printed"
        return None

    def with_headers(self, send: Send) -> Send:
        """Sends the page's policy with every answer."""

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = {name.lower() for name, _ in message["headers"]}
                more = [(n.encode(), v.encode()) for n, v in self.headers.items() if n.encode() not in given]
                message = {**message, "headers": [*message["headers"], *more]}
            await send(message)

        return sending
