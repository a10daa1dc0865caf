"""What a request is answered with, and errors that say with which status."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from http import HTTPStatus

from thalweg.errors import ThalwegError
from thalweg.support.files import to_json

JSON, CSV, ARROW = "application/json", "text/csv", "application/vnd.apache.arrow.stream"
BYTES = "application/octet-stream"
NOSNIFF = {"X-Content-Type-Options": "nosniff"}


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, without what a connection adds to it."""

    body: bytes = b""
    type: str = JSON
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    def written(self, date: str, closes: bool, bodiless: bool) -> bytes:
        """The answer as HTTP, of this date; `closes`: it is the connection's last. `bodiless`: as for HEAD."""
        more = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items()).encode() if self.headers else b""
        head = head_of(self.status, self.type, date, closes)
        return b"%b%d\r\n%b\r\n%b" % (head, len(self.body), more, b"" if bodiless else self.body)


@lru_cache(256)
def head_of(status: int, kind: str, date: str, closes: bool) -> bytes:
    """An answer's first lines, until its length."""
    lines = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        f"Date: {date}",
        f"Content-Type: {kind}",
        *([f"{name}: {value}" for name, value in NOSNIFF.items()] if kind != JSON else []),
        *(["Connection: close"] if closes else []),
        "Content-Length: ",
    ]
    return "\r\n".join(lines).encode()


class AnsweredError(ThalwegError):
    """A request that is answered with an error's status and one sentence."""

    def __init__(self, status: int, sentence: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(sentence)
        self.reply = refusal(status, sentence, headers)


def refusal(status: int, sentence: str, headers: Mapping[str, str] | None = None) -> Reply:
    """An error's reply: {"error": sentence}."""
    return Reply(to_json({"error": sentence}).encode(), JSON, status, headers or {})


def busy(sentence: str, seconds: int = 1) -> AnsweredError:
    """The server has enough to do: try again in some seconds."""
    return AnsweredError(503, sentence, {"Retry-After": str(seconds)})


def reply_to(error: BaseException) -> Reply:
    """What a request is answered with that has failed; an error of the server's own goes into its log."""
    if isinstance(error, AnsweredError):
        return error.reply
    if isinstance(error, ThalwegError):
        return refusal(400, str(error))
    if isinstance(error, MemoryError):
        return refusal(413, "the request takes more memory than there is: send the rows in parts")
    log(error)
    return refusal(500, "the server has failed; its log says at what")


def log(error: BaseException | None) -> None:
    """Writes where an error arose, after those that led to it; not what they say, which may quote a request."""
    if error is None:
        return
    log(error.__cause__ or (None if error.__suppress_context__ else error.__context__))
    kind = f"{type(error).__module__}.{type(error).__qualname__}"
    print("".join(traceback.format_tb(error.__traceback__)) + kind, file=sys.stderr, flush=True)
