"""A page without a browser: a server in a thread, and a client of its socket that acknowledges frames."""

import contextlib
import json
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

from websockets.sync.client import connect

from thalweg.play.server import Site, listening, serve
from thalweg.views.web.encoding import decode

SECONDS = 60  # that anything may take on a busy machine


@contextlib.contextmanager
def running(**options):
    """A server in a thread; yields its site."""
    at = listening(0)
    site = Site(at.getsockname()[1], **options)
    ready, stops = threading.Event(), []

    def started(stop):
        stops.append(stop)
        ready.set()

    thread = threading.Thread(target=serve, args=[site, at, started])
    thread.start()
    try:
        assert ready.wait(SECONDS)
        yield site
    finally:
        for stop in stops:
            stop()
        thread.join(SECONDS)
        assert not thread.is_alive()


class Page:
    """The socket of an open page. Frames are acknowledged as they are read, unless `quiet`."""

    def __init__(self, site, **asked):
        origin = f"http://127.0.0.1:{site.port}"
        self.site = site
        address = f"{origin.replace('http', 'ws')}/socket?{urllib.parse.urlencode({'token': site.token, **asked})}"
        self.opened = contextlib.ExitStack()
        self.socket = self.opened.enter_context(connect(address, origin=origin, max_size=None))
        self.hello = decode(self.socket.recv(SECONDS))["hello"]
        self.frames = []

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def close(self):
        self.opened.close()

    def say(self, do, **more):
        self.socket.send(json.dumps({"do": do, **more}))

    def read(self, seconds=SECONDS):
        """The next frame, not yet acknowledged; TimeoutError if none comes."""
        frame = decode(self.socket.recv(seconds))
        self.frames.append(frame)
        return frame

    def next(self, seconds=SECONDS):
        """The next frame, acknowledged."""
        frame = self.read(seconds)
        self.say("ack", frame=frame["frame"])
        return frame

    def until(self, fits, seconds=SECONDS):
        """The first frame that fits."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            frame = self.next(max(0.01, end - time.monotonic()))
            if fits(frame):
                return frame
        raise AssertionError("no such frame")

    def set(self, state, side=0):
        """Sends a state; the frame that brings it, or the error."""
        self.say("state", side=side, state=state)
        plain = {k: v for k, v in state.items() if not isinstance(v, (dict, list))}
        data = {"name": "spiral"} | {k: v for k, v in state.get("data", {}).items() if not isinstance(v, (dict, list))}

        def fits(frame):
            told = frame.get("state")
            brought = told and data.items() <= told["data"].items() and plain.items() <= told.items()
            return frame["side"] == side and ("error" in frame or brought)

        return self.until(fits)

    def ask(self, kind, **more):
        """An export, as (status, bytes)."""
        return fetch(self.site, f"/export/{kind}", session=self.hello["session"], **more)

    def upload(self, content, name="table.csv"):
        """An upload, as (status, answer)."""
        status, answer = fetch(self.site, "/upload", content, session=self.hello["session"], name=name)
        return status, json.loads(answer)


def fetch(site, path, content=None, headers=(), token=True, **query):
    """A request, as (status, bytes); token: the site's, another one, or none."""
    if token:
        query["token"] = site.token if token is True else token
    address = f"http://127.0.0.1:{site.port}{path}?{urllib.parse.urlencode(query)}"
    request = urllib.request.Request(address, content, dict(headers))
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def wait_until(true, seconds=20):
    """Whether something becomes true."""
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.02)
    return true()
