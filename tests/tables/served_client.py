"""A server of the page in a thread, and requests to it."""

import contextlib
import json
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

from thalweg.play.pages.server import Site, listening, serve

SECONDS = 60  # that anything may take on a busy machine


@contextlib.contextmanager
def serving(**options):
    """A server in a thread; yields what answers."""
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


def told(site, path, content=None, **more):
    """A request's status and answer, decoded from JSON."""
    status, answer = fetch(site, path, content, **more)
    return status, json.loads(answer)


def wait_until(true, seconds=20):
    """Whether something becomes true."""
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.02)
    return true()
