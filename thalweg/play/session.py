"""One open page: its two sides, its tables, and the socket between."""

from __future__ import annotations

import asyncio
import itertools
import json
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from thalweg.play.classroom import Pupil
from thalweg.play.exercises.uploads import Upload, Uploads
from thalweg.play.frame import WANTS
from thalweg.play.requests.bounds import MESSAGE_BYTES
from thalweg.play.requests.page_state import number, optional, some_list, some_object, text, texts, whole
from thalweg.play.requests.refusal import RefusedError, shortened, told
from thalweg.play.side import Side
from thalweg.support.naming import choose
from thalweg.views.web.encoding import encode

if TYPE_CHECKING:
    from starlette.websockets import WebSocket

TRAINING = ("play", "pause", "step", "epoch", "reset")
DOES = ("state", *TRAINING, "pace", "ack", "select", "want", "draw", "progress")
DRAWINGS = (8, 28)
"""Sizes of a drawing."""
TOO_BIG = 1009
"""The code with which a socket is closed that sends too much at once."""
FREED = 4000
"""The code with which a socket is closed whose seat in a class the teacher has freed."""


class Session:
    """A page from its first message to its last. When its socket closes, its threads end and all it held is freed.

    Args:
        source: the table of the command line.
        initial: states to begin with, one for each side.
        greeting: what the page is told first.
        pupil: whose page it is, in a class.
    """

    def __init__(
        self,
        source: Upload | None,
        initial: list[dict[str, Any]],
        greeting: dict[str, Any],
        pupil: Pupil | None = None,
        page: str | None = None,
    ) -> None:
        self.id = page or secrets.token_urlsafe(12)
        self.pupil = pupil
        self.uploads = Uploads(source)
        self.initial, self.greeting = initial, greeting
        self.numbers = itertools.count(1)
        self.sides: dict[int, Side] = {}
        self.outbox: dict[int, bytes] = {}  # at most one frame of each side: it isn't acknowledged yet
        self.ready = asyncio.Event()
        self.loop: asyncio.AbstractEventLoop | None = None
        self.socket: WebSocket | None = None

    async def run(self, socket: WebSocket) -> None:
        """Serves the page until it goes."""
        from starlette.websockets import WebSocketDisconnect  # an optional package

        self.loop, self.socket = asyncio.get_running_loop(), socket
        await socket.send_bytes(encode({"hello": {**self.greeting, "session": self.id, "initial": self.initial}}))
        sender = asyncio.create_task(self.send(socket))
        try:
            for side, state in enumerate(self.initial):
                self.side(side).tell({"do": "state", "state": state})
            while True:
                received = await socket.receive()
                if received["type"] == "websocket.disconnect":
                    break
                text = received.get("text") or ""
                if len(text) > MESSAGE_BYTES or received.get("bytes"):
                    await socket.close(TOO_BIG, "a message is text of at most a million characters")
                    break
                self.take(text)
        except WebSocketDisconnect:  # while a frame was being sent
            return
        finally:
            sender.cancel()
            await self.end()

    async def close(self) -> None:
        """Ends the page, which has lost its seat."""
        from starlette.websockets import WebSocketDisconnect

        with suppress(RuntimeError, WebSocketDisconnect):  # it has gone by itself
            if self.socket is not None:
                await self.socket.close(FREED, "the teacher has freed this seat")

    async def end(self) -> None:
        """Ends the threads."""
        sides, self.sides = list(self.sides.values()), {}
        self.loop = None
        await asyncio.gather(*(asyncio.to_thread(side.close) for side in sides))

    async def send(self, socket: WebSocket) -> None:
        """Sends the frames that sides have posted."""
        from starlette.websockets import WebSocketDisconnect

        while True:
            await self.ready.wait()
            self.ready.clear()
            frames, self.outbox = self.outbox, {}
            for frame in frames.values():
                try:
                    await socket.send_bytes(frame)
                except (WebSocketDisconnect, RuntimeError):  # the page has gone; the receiver sees it, too
                    return

    def post(self, frame: dict[str, Any]) -> None:
        """Takes a frame from a side's thread."""
        loop = self.loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self.keep, frame["side"], encode(frame))

    def keep(self, side: int, frame: bytes) -> None:
        """Keeps a frame until it is sent."""
        self.outbox[side] = frame
        self.ready.set()

    def side(self, number: int) -> Side:
        """A side, made when it is first asked for."""
        if number not in self.sides:
            self.sides[number] = Side(number, self.uploads, self.post, self.numbers)
        return self.sides[number]

    def take(self, text: str) -> None:
        """Reads a message of the page, and passes it to whom it concerns; a wrong one is answered with an error."""
        side = 0
        try:
            message = read(text)
            side = message.get("side") or 0
            self.pass_on(message)
        except RecursionError:
            self.side(side).tell({"do": "refuse", "error": told(TOO_DEEP)})
        except ValueError as error:  # all of thalweg's, too
            self.side(side).tell({"do": "refuse", "error": told(error)})

    def pass_on(self, message: dict[str, Any]) -> None:
        """Passes a checked message on."""
        do, side = message["do"], message.get("side")
        if do == "ack":
            for each in self.sides.values():
                each.acknowledge(message["frame"])
        elif do == "progress":
            if self.pupil is None:
                raise RefusedError("this page belongs to no class")
            self.pupil.progress(message["lesson"], message["solved"])
        elif do == "state" and message["state"] is None:
            if side != 1:
                raise RefusedError("only the second side can be taken away")
            gone = self.sides.pop(1, None)
            if gone is not None:
                asyncio.get_running_loop().run_in_executor(None, gone.close)
        elif side is None:
            for each in list(self.sides.values()) or [self.side(0)]:
                each.tell(message)
        else:
            self.side(side).tell(message)


TOO_DEEP = RefusedError("the message is nested too deeply")


def read(received: str) -> dict[str, Any]:
    """A message, checked but for its state.

    Raises:
        ValueError: it is no JSON, or not a message.
    """
    try:
        message = some_object("a message", json.loads(received, parse_constant=no_constant))
    except json.JSONDecodeError as error:
        raise RefusedError("a message has to be JSON: {error}", error=error) from None
    do = choose("message", message.get("do"), DOES)
    found: dict[str, Any] = {"do": do}
    if message.get("side") is not None:
        found["side"] = whole(0, 1)("side", message["side"])
    if message.get("serial") is not None:
        found["serial"] = whole(0, 2**53)("serial", message["serial"])
    match do:
        case "state":
            found |= {"state": message.get("state"), "side": found.get("side", 0)}
        case "pace":
            epochs = message.get("epochs")
            found["epochs"] = None if epochs is None else number(0.1, 1e6)("epochs", epochs)
        case "ack":
            found["frame"] = whole(0, 2**53)("frame", message.get("frame"))
        case "select":
            keys = [key for key in ("layer", "unit", "row") if message.get(key) is not None]
            found |= {"side": found.get("side", 0)} | {key: whole(0, 10**9)(key, message[key]) for key in keys}
            if message.get("said") is not None:
                found["said"] = text("said", message["said"]) if message["said"] else ""
        case "progress":
            found["lesson"] = optional(text)("lesson", message.get("lesson"))
            found["solved"] = texts("solved", message.get("solved"))
        case "want":
            found["what"] = [choose("wish", what, WANTS) for what in some_list("what", message.get("what"))]
        case "draw":
            found |= {"side": found.get("side", 0), "image": drawing(message.get("image"))}
    return found


def no_constant(name: str) -> Any:
    """NaN and Infinity are no JSON."""
    raise RefusedError("a message can't hold {name}", name=name)


def drawing(given: Any) -> Any:
    """A drawing as an array (side, side) of 0 … 1."""
    rows = [some_list("a row of the image", row) for row in some_list("image", given)]
    if len(rows) not in DRAWINGS or any(len(row) != len(rows) for row in rows):
        raise RefusedError("a drawing is 8 × 8 or 28 × 28 numbers, got {value} rows", value=shortened([len(rows)]))
    check = number(0, 1)
    return np.array([[check("a pixel", value) for value in row] for row in rows])
