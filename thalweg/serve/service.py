"""Which request is for what: addresses, the token, several models, and what happens beside the event loop."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache, partial
from pathlib import Path
from time import perf_counter
from typing import Any
from urllib.parse import quote

from thalweg.data.sources import nearest
from thalweg.errors import ArgumentError
from thalweg.serve.answering import has_page
from thalweg.serve.connection import Connection, Request
from thalweg.serve.counters import TYPE, Counters
from thalweg.serve.inference_protocol import VERSION, InferenceProtocol
from thalweg.serve.openapi import openapi
from thalweg.serve.plain_endpoint import PlainEndpoint
from thalweg.serve.reply import AnsweredError, Reply, busy, reply_to
from thalweg.serve.served import Limits, Served
from thalweg.support.files import to_json

Work = Callable[[Request], None]
NAME = re.compile(r"[\w.+-]+")
OPEN = frozenset(["/v2/health/live", "/v2/health/ready"])
"""What may be asked without the token."""
LOCAL = re.compile(r"(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?", re.IGNORECASE)
"""What `Host` says where this machine alone is served."""
PAGE = {
    "Content-Security-Policy": "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address: its name in metrics, and what answers it, by method."""

    label: str
    methods: Mapping[str, Work]


@lru_cache(64)
def is_own_name(host: bytes) -> bool:
    """Whether `Host` is a name of this machine alone."""
    return LOCAL.fullmatch(host.decode("latin-1").strip()) is not None


class Service:
    """What a server answers with.

    Args:
        folders: of the runs, by name.
        token: that requests have to carry; None: none.
        local: whether it is for this machine alone, so that other names for it are refused (DNS rebinding).
    """

    def __init__(
        self, folders: Mapping[str, Path], limits: Limits, executor: Executor, token: str | None, local: bool
    ) -> None:
        self.limits, self.executor, self.local = limits, executor, local
        self.authorization = None if token is None else f"Bearer {token}".encode()
        self.most_bytes, self.most_waiting_bytes = limits.request_bytes, limits.waiting_bytes
        self.most_connections = limits.connections
        self.draining = False
        self.date = formatdate(usegmt=True)
        self.connections: set[Connection] = set()
        self.written: list[Connection] = []
        self.waiting_bytes = self.requests_apart = 0
        self.counters = Counters()
        self.models = {name: Served(name, path, limits, executor, self.counters) for name, path in folders.items()}
        self.plain = PlainEndpoint(self.apart)
        self.protocol = InferenceProtocol(self.plain, self.apart)
        self.endpoints = self.routes()

    # --- addresses ---------------------------------------------------------------------------------------------------

    def routes(self) -> dict[str, Endpoint]:
        """The endpoints by address."""
        found = {
            "/v2": told("/v2", self.protocol.server),
            "/v2/health/live": told("/v2/health/live", lambda: {"live": True}),
            "/v2/health/ready": Endpoint("/v2/health/ready", {"GET": self.ready_now}),
            "/v1/models": told("/v1/models", lambda: {"models": [self.about(one) for one in self.models.values()]}),
            "/openapi.json": told("/openapi.json", lambda: openapi(self.models)),
            "/metrics": Endpoint("/metrics", {"GET": self.metrics}),
        }
        for name, served in self.models.items():
            first, second = f"/v1/models/{name}", f"/v2/models/{name}"
            predict = {"POST": partial(self.plain.predict, served)}
            found[first] = told("/v1/models/{name}", partial(self.about, served))
            found[f"{first}/predict"] = Endpoint("/v1/models/{name}/predict", predict)
            if has_page(served.model):
                found[f"{first}/form"] = Endpoint("/v1/models/{name}/form", {"GET": partial(self.form, served)})
            for base in (second, f"{second}/versions/{VERSION}"):
                found[base] = told("/v2/models/{name}", partial(self.protocol.metadata, served))
                found[f"{base}/ready"] = told("/v2/models/{name}/ready", partial(ready, served))
                infer = {"POST": partial(self.protocol.infer, served)}
                found[f"{base}/infer"] = Endpoint("/v2/models/{name}/infer", infer)
            if len(self.models) == 1:
                found["/v1/predict"] = Endpoint("/v1/predict", predict)
        alone = next(iter(self.models.values()))
        single = len(self.models) == 1 and has_page(alone.model)
        found["/"] = Endpoint("/", {"GET": partial(self.form, alone) if single else self.contents})
        return found

    def allow(self, request: Request) -> None:
        """Raises AnsweredError for a request that isn't even to be read."""
        if self.local and not is_own_name(request.headers.get(b"host", b"")):
            raise AnsweredError(403, "this server answers to this machine's own names alone, such as localhost")
        if self.authorization is None or request.path in OPEN:
            return
        if not secrets.compare_digest(request.headers.get(b"authorization", b""), self.authorization):
            header = {"WWW-Authenticate": "Bearer"}
            raise AnsweredError(401, "the token is missing or wrong: send Authorization: Bearer TOKEN", header)

    def handle(self, request: Request) -> None:
        """Sees to it that a request is answered."""
        try:
            endpoint = self.endpoint(request.path)
            request.label = endpoint.label
            method = "GET" if request.method == "HEAD" else request.method
            work = endpoint.methods.get(method)
            if work is None:
                known = ", ".join([*endpoint.methods, *(["HEAD"] if "GET" in endpoint.methods else [])])
                raise AnsweredError(405, f"{request.path} takes {known}, not {request.method}", {"Allow": known})
            work(request)
        except Exception as error:  # the request's, not the server's
            request.answer(reply_to(error))

    def endpoint(self, path: str) -> Endpoint:
        """What answers an address."""
        found = self.endpoints.get(path)
        if found is not None:
            return found
        parts = path.split("/")
        if len(parts) > 3 and parts[1] in ("v1", "v2") and parts[2] == "models" and parts[3] not in self.models:
            known = list(self.models)
            hint = nearest(parts[3], known) or f"; there is {', '.join(known)}"
            raise AnsweredError(404, f"there is no model {parts[3]!r}{hint}")
        if len(parts) > 5 and parts[1] == "v2" and parts[4] == "versions" and parts[5] != VERSION:
            raise AnsweredError(404, f"the model {parts[3]!r} has no version {parts[5]!r}: it has {VERSION}")
        if path == "/v1/predict":
            choices = ", ".join(f"/v1/models/{quote(name)}/predict" for name in self.models)
            raise AnsweredError(404, f"there are several models: take {choices}")
        raise AnsweredError(404, f"there is no {path}{nearest(path, list(self.endpoints))}")

    # --- what is answered --------------------------------------------------------------------------------------------

    def about(self, served: Served) -> dict[str, Any]:
        """What a model takes and answers."""
        return {"name": served.name, **served.model.description()}

    def ready_now(self, request: Request) -> None:
        """Whether further requests are welcome: not while the server is ending."""
        request.answer(Reply(to_json({"ready": not self.draining}).encode(), status=503 if self.draining else 200))

    def metrics(self, request: Request) -> None:
        gauges: dict[str, Any] = {
            "thalweg_waiting_rows": {one.labels: one.batches.rows for one in self.models.values()},
            "thalweg_connections": {(): len(self.connections)},
            "thalweg_waiting_bytes": {(): self.waiting_bytes},
        }
        request.answer(Reply(self.counters.text(gauges).encode(), TYPE))

    def form(self, served: Served, request: Request) -> None:
        """A page with a form, which predicts in the browser."""
        self.apart(request, lambda: Reply(served.html(), "text/html; charset=utf-8", headers=PAGE))

    def contents(self, request: Request) -> None:
        """The models, with their pages."""
        pages = {n: f"/v1/models/{quote(n)}" + "/form" * has_page(served.model) for n, served in self.models.items()}
        links = "".join(f'<li><a href="{page}">{name}</a></li>' for name, page in pages.items())
        page = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>thalweg</title><ul>{links}</ul></html>'
        request.answer(Reply(page.encode(), "text/html; charset=utf-8", headers=PAGE))

    # --- beside the event loop ---------------------------------------------------------------------------------------

    def apart(self, request: Request, work: Callable[[], Reply]) -> None:
        """Has a request answered by a function in a thread.

        Raises:
            AnsweredError: enough are at work, or wait.
        """
        if self.requests_apart >= self.limits.requests_apart:
            raise busy(f"{self.requests_apart} large requests are at work, or wait: try again in a second")
        self.requests_apart += 1

        def done(found: asyncio.Future[Reply]) -> None:
            self.requests_apart -= 1
            error = found.exception()
            request.answer(found.result() if error is None else reply_to(error))

        asyncio.get_running_loop().run_in_executor(self.executor, work).add_done_callback(done)

    def noted(self, request: Request) -> None:
        """Counts a request that has its answer."""
        if request.reply is not None:
            self.counters.answered(request.label, request.reply.status, perf_counter() - request.begun)

    def ready(self, connection: Connection) -> None:
        """Has the answers of a connection written, with all others that become ready in this turn."""
        if not self.written:
            asyncio.get_running_loop().call_soon(self.write)
        self.written.append(connection)

    def write(self) -> None:
        """Writes what is ready."""
        connections, self.written = dict.fromkeys(self.written), []
        for connection in connections:
            connection.write_ready()

    def look(self) -> None:
        """Called every second: ends connections that have taken too long, and loads runs that have changed."""
        now, self.date = perf_counter(), formatdate(usegmt=True)
        for connection in list(self.connections):
            connection.look(now)
        for served in self.models.values():
            served.look()


def told(label: str, content: Callable[[], Any]) -> Endpoint:
    """An endpoint that is JSON."""
    return Endpoint(label, {"GET": lambda request: request.answer(Reply(to_json(content()).encode()))})


def ready(served: Served) -> dict[str, Any]:
    """A model is always ready: it is there once it is loaded."""
    return {"name": served.name, "ready": True}


def named_runs(given: Sequence[str]) -> dict[str, Path]:
    """The folders of runs by the names they are served under: NAME=FOLDER, or the folder's own name.

    >>> {name: folder.as_posix() for name, folder in named_runs(["runs/penguins", "houses=runs/houses-3"]).items()}
    {'penguins': 'runs/penguins', 'houses': 'runs/houses-3'}
    """
    found: dict[str, Path] = {}
    for text in given:
        name, separator, folder = text.partition("=")
        if not separator or not NAME.fullmatch(name):
            name, folder = Path(text).absolute().name, text
        if not NAME.fullmatch(name):
            raise ArgumentError(f"{name!r} can't stand in an address: give the run a name, such as mine={text}")
        if name in found:
            raise ArgumentError(f"two runs would be called {name!r}: give one another name, such as {name}-2={text}")
        found[name] = Path(folder)
    return found
