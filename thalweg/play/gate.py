"""Who may speak to the server: its own pages, by a secret token, and nobody else.

Another page in the same browser can send requests to this server, too. So every request has to carry a token; a
request with an `Origin` has to come from this server's own page; and its `Host` has to be the address at which it
arrived, which it isn't when a foreign name was made to point here (DNS rebinding).
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from typing import Any
from urllib.parse import parse_qs

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

CLASS = "/class"
"""What is the teacher's: it needs a token of its own."""
PROGRESS = f"{CLASS}/progress"
"""What pupils send: it needs theirs."""
THIS_MACHINE = ("127.0.0.1", "localhost")
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' 'wasm-unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "font-src 'self'",
        "form-action 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
"""What the page may load, and from where: from here alone."""


class Gate:
    """Lets requests pass to `app` that come from its own pages.

    Args:
        app: what answers them.
        port: of the server.
        token: the secret in the page's address.
        given: paths of code and words, the same for everyone, which need no token.
        teacher: the secret in the address of a class's list; None where there is no class.
    """

    def __init__(self, app: App, port: int, token: str, given: Collection[str], teacher: str | None) -> None:
        self.app, self.port, self.token, self.given, self.teacher = app, port, token, given, teacher

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        why = self.refusal(scope)
        if why is None:
            await self.app(scope, receive, self.with_headers(scope, send))
        else:
            text = {"type": "http.response.body", "body": f"{why}\n".encode()}
            headers = [(b"content-type", b"text/plain; charset=utf-8")]
            answer = {"type": "http.response.start", "status": 403, "headers": headers}
            await self.with_headers(scope, send)(answer)
            await send(text)

    def hosts(self, scope: Scope) -> set[str]:
        """The names by which this server was reached: that of the address at which the request arrived."""
        address = scope["server"][0]
        return {f"{name}:{self.port}" for name in (THIS_MACHINE if address in THIS_MACHINE else (address,))}

    def refusal(self, scope: Scope) -> str | None:
        """Why a request may not pass; None if it may."""
        headers: dict[bytes, list[str]] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name.lower(), []).append(value.decode("latin-1"))
        given, origins, own = headers.get(b"host", []), headers.get(b"origin", []), self.hosts(scope)
        if len(given) != 1 or given[0].lower() not in own:
            return "this server answers to its own address alone"
        if any(origin.lower() not in {f"http://{host}" for host in own} for origin in origins) or len(origins) > 1:
            return "another page may not speak to this server"
        path = scope["path"]
        if path in self.given:
            return None
        teachers = path == CLASS or (path.startswith(f"{CLASS}/") and path != PROGRESS)
        right = self.teacher if teachers else self.token
        tokens = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])
        if right is None or len(tokens) != 1 or not secrets.compare_digest(tokens[0].encode(), right.encode()):
            return "the token is missing or wrong: open the address that thalweg play has printed"
        return None

    def with_headers(self, scope: Scope, send: Send) -> Send:
        """Sends the page's policy with every answer."""
        headers = {
            "content-security-policy": POLICY,
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
            "cross-origin-resource-policy": "same-origin",
            "cache-control": "no-store",
        }
        if scope["server"][0] in THIS_MACHINE:  # elsewhere, plain HTTP isn't trusted with it, and browsers complain
            headers["cross-origin-opener-policy"] = "same-origin"

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = {name.lower() for name, _ in message["headers"]}
                more = [(n.encode(), v.encode()) for n, v in headers.items() if n.encode() not in given]
                message = {**message, "headers": [*message["headers"], *more]}
            await send(message)

        return sending
