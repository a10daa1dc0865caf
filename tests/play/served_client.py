"""A server of the page that the browser trains, in a thread."""

import contextlib
import json
import threading

from page_client import SECONDS, fetch

from thalweg.play.server import listening, serve
from thalweg.play.static.page_server import Served


@contextlib.contextmanager
def serving(**options):
    """A server in a thread; yields what answers."""
    at = listening(0)
    site = Served(at.getsockname()[1], **options)
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


def told(site, path, content=None, **more):
    """A request's status and answer, decoded from JSON."""
    status, answer = fetch(site, path, content, **more)
    return status, json.loads(answer)
