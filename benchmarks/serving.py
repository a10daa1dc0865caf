"""How fast `thalweg serve` answers one-row requests, beside FastAPI with a handler that asks the same run.

The server has one core and what asks it another. First as many requests as it can answer, over 32 connections, with one
request of each at a time and then with eight; then a fixed rate for half a minute: latencies count from the moment at
which a request was due, so that a server that falls behind doesn't look faster.

    python -m benchmarks.serving RUN '{"island": "Dream", …}' --rate 5000 --rate 10000
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.processes import processor_seconds
from thalweg.support.printing import lasting_streams

CONNECTIONS = 32
STATUS = re.compile(rb"HTTP/1\.1 (\d{3})")
TICK = 0.0005  # seconds between the sending of requests that are due
FASTAPI = """
import sys, thalweg, uvicorn
from fastapi import FastAPI
run, app = thalweg.load_run(sys.argv[1]), FastAPI()
@app.post("/v1/predict")
async def predict(row: dict):
    shares = run.predict_proba([row])[0]
    return {"prediction": str(run.target.classes[int(shares.argmax())]), "probabilities": shares.tolist()}
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="error", access_log=False)
"""


class Client(asyncio.Protocol):
    """A connection that sends one request again and again, and notes how long the answers took."""

    def __init__(self, request: bytes, depth: int, until: float) -> None:
        self.request, self.depth, self.until = request, depth, until
        self.due: list[float] = []
        self.took: list[float] = []
        self.errors = 0
        self.tail = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        if self.depth:
            self.send([time.perf_counter()] * self.depth)

    def send(self, due: list[float]) -> None:
        """Sends requests that are due since these moments."""
        self.due += due
        self.transport.write(self.request * len(due))

    def data_received(self, data: bytes) -> None:
        data = self.tail + data
        statuses = STATUS.findall(data)
        number, now = len(statuses), time.perf_counter()
        self.tail = data[-11:] if STATUS.search(data[-11:]) is None else b""  # a status may be in two pieces
        self.took += [now - due for due in self.due[:number]]
        self.errors += number - statuses.count(b"200")
        del self.due[:number]
        if number and self.depth and now < self.until:
            self.send([now] * number)


async def asked(port: int, request: bytes, seconds: float, depth: int = 0, rate: float = 0) -> list[Client]:
    """Connections that have asked for so many seconds: as often as answers come, or at a rate."""
    loop, begin = asyncio.get_running_loop(), time.perf_counter()
    made = [
        loop.create_connection(lambda: Client(request, depth, begin + seconds), "127.0.0.1", port)
        for _ in range(CONNECTIONS)
    ]
    clients = [client for _, client in await asyncio.gather(*made)]
    sent, begin = 0, time.perf_counter()
    while (now := time.perf_counter()) < begin + seconds:
        while rate and begin + sent / rate <= now:
            clients[sent % CONNECTIONS].send([begin + sent / rate])
            sent += 1
        await asyncio.sleep(TICK if rate else 0.05)
    await asyncio.sleep(0.5)
    for client in clients:
        client.errors += len(client.due) if rate else 0  # what was never answered
        client.transport.close()
    return clients


def line(name: str, clients: list[Client], seconds: float, used: float) -> str:
    """What was measured."""
    took = sorted(second for client in clients for second in client.took)
    if not took:
        return f"{name:<28}  no answers"
    p50, p99 = statistics.median(took), took[int(0.99 * len(took))]
    errors = sum(client.errors for client in clients)
    return (
        f"{name:<28} {len(took) / seconds:>9,.0f}/s  p50 {1e3 * p50:7.3f} ms  p99 {1e3 * p99:7.3f} ms  "
        f"errors {errors}  {1e6 * used / len(took):6.1f} µs of the core a request"
    )


def measured(name: str, command: list[str], port: int, row: bytes, rates: list[float], seconds: float) -> None:
    """Prints what a server does."""
    head = f"POST /v1/predict HTTP/1.1\r\nHost: localhost:{port}\r\nContent-Type: application/json\r\n"
    request = f"{head}Content-Length: {len(row)}\r\n\r\n".encode() + row
    server = subprocess.Popen(["taskset", "-c", "0", *command], stdout=subprocess.DEVNULL)
    try:
        wait_for(port)
        for depth in (1, 8):
            before = processor_seconds(server.pid)
            clients = run(asked(port, request, 5, depth))
            print(
                line(f"{name}, {CONNECTIONS} × {depth}", clients, 5, processor_seconds(server.pid) - before), flush=True
            )
        for rate in rates:
            before = processor_seconds(server.pid)
            clients = run(asked(port, request, seconds, rate=rate))
            print(
                line(f"{name}, at {rate:,.0f}/s", clients, seconds, processor_seconds(server.pid) - before), flush=True
            )
    finally:
        server.terminate()
        server.wait(60)


def run(coroutine: object) -> list[Client]:
    """The result of a coroutine, on uvloop: what asks has to be cheaper than what answers."""
    import uvloop

    return uvloop.run(coroutine)  # type: ignore[no-any-return, arg-type]


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def wait_for(port: int) -> None:
    """Waits for a server."""
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit("the server hasn't started")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("row", help="one row, as JSON")
    parser.add_argument("--rate", type=float, action="append", help="requests a second (repeat for more)")
    parser.add_argument("--seconds", type=float, default=30)
    given = parser.parse_args()
    row, rates = json.dumps(json.loads(given.row)).encode(), given.rate or [5_000.0, 10_000.0, 20_000.0]
    os.sched_setaffinity(0, {1})
    port = free_port()
    ours = [sys.executable, "-m", "thalweg", "serve", f"run={given.run}", "--port", str(port)]
    measured("thalweg serve", ours, port, row, rates, given.seconds)
    if find_spec("fastapi") is None or find_spec("uvicorn") is None:
        print("FastAPI isn't installed: pip install fastapi uvicorn uvloop httptools")
        return
    measured("FastAPI", [sys.executable, "-c", FASTAPI, str(given.run), str(port)], port, row, rates[:1], given.seconds)


if __name__ == "__main__":
    with lasting_streams(ends=True):
        main()
