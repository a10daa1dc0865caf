"""A server in a thread, and a client that sends what it is told to, byte for byte."""

import asyncio
import contextlib
import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from thalweg.serve import serving
from thalweg.serve.served import Limits
from thalweg.serve.service import Service

SECONDS = 60  # that anything may take on a busy machine


@contextlib.contextmanager
def running(token=None, local=True, limits=Limits(), **folders):  # noqa: B008 - it is frozen
    """A server of these runs; yields its service, which has the port and what ends it."""
    at = serving.listening("127.0.0.1", 0)
    ready, found = threading.Event(), []

    def started(service, stop):
        service.port, service.loop = at.getsockname()[1], asyncio.get_running_loop()
        service.stop = lambda: service.loop.call_soon_threadsafe(stop)
        found.append(service)
        ready.set()

    def work():
        with ThreadPoolExecutor(4) as executor, asyncio.Runner(loop_factory=serving.fast_loop()) as runner:
            service = Service(folders, limits, executor, token, local)
            runner.run(serving.until_told(service, at, started))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        assert ready.wait(SECONDS)
        yield found[0]
    finally:
        for service in found:
            with contextlib.suppress(RuntimeError):  # it has ended
                service.stop()
        thread.join(SECONDS)
        assert not thread.is_alive()


class Answer:
    """A status, headers with names in small letters, and a body."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        assert self.status >= 400
        assert set(self.json) == {"error"}
        return self.json["error"]


class Client:
    """A connection to a server."""

    def __init__(self, port):
        self.port = port
        self.socket = socket.create_connection(("127.0.0.1", port), SECONDS)
        self.file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.file.close()
        self.socket.close()

    def send(self, path, body=None, method=None, kind="application/json", **headers):
        """Sends a request; bytes as they are, anything else as JSON. Underlines in names of headers are hyphens."""
        self.socket.sendall(request(self.port, path, body, method, kind, **headers))

    def read(self, bodiless=False):
        """The next answer."""
        line = self.file.readline()
        assert line.startswith(b"HTTP/1.1 "), line
        headers = {}
        while (header := self.file.readline().strip()) != b"":
            name, _, value = header.decode().partition(": ")
            headers[name.lower()] = value
        body = b"" if bodiless else self.file.read(int(headers["content-length"]))
        return Answer(int(line.split()[1]), headers, body)

    def ask(self, path, body=None, method=None, kind="application/json", **headers):
        """The answer to a request."""
        self.send(path, body, method, kind, **headers)
        return self.read(method == "HEAD")

    def ended(self):
        """Whether the server has ended the connection."""
        return self.file.read(1) == b""


def request(port, path, body=None, method=None, kind="application/json", **headers):
    content = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = {"Host": f"127.0.0.1:{port}", "Content-Length": len(content)}
    lines |= {} if body is None or kind is None else {"Content-Type": kind}
    lines |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = f"{method or ('GET' if body is None else 'POST')} {path} HTTP/1.1\r\n"
    return (head + "".join(f"{n}: {v}\r\n" for n, v in lines.items()) + "\r\n").encode() + content


def until(condition):
    """Waits for a condition."""
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)
