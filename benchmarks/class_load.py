"""A class whose pupils' browsers train: python -m benchmarks.class_load [--pupils 300] [--seconds 60]

Starts the server of the live page and acts as so many browsers at once: each loads the page's files, takes a seat, then
tells what it has solved as pages do, every `BEAT` seconds, and now and then at once, when a task is done; the teacher's
list is asked for every 2 s. It prints the server's memory and processor, and the seconds to an answer. This script
takes a part of the same processor.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import secrets
import subprocess
import sys
import time

from thalweg.play.scenes import lessons
from thalweg.support.printing import lasting_streams

from .processes import mebibytes, processor_seconds

BEAT = 15.0
"""Seconds, as in views/web/play/classroom.js."""
LIST = 2.0
SOLVES = 0.2
"""The share of a pupil's words that tell of a task that is done."""
SERVER = """
import sys
from thalweg.play.classroom import Classroom
from thalweg.play.pages.server import Site, listening, serve

at = listening(0)
site = Site(at.getsockname()[1], classroom=Classroom(int(sys.argv[1])))
serve(site, at, lambda stop: print(site.address, site.list_address, sep="\\n", flush=True))
"""


class Client:
    """A browser's requests, each by a connection of its own."""

    def __init__(self, address: str) -> None:
        self.host, _, self.token = address.removeprefix("http://").partition("/?token=")

    async def ask(self, path: str, content: bytes | None = None, token: str | None = None) -> tuple[float, bytes]:
        """The seconds to an answer, and what it holds."""
        begin = time.perf_counter()
        name, _, port = self.host.partition(":")
        reader, writer = await asyncio.open_connection(name, int(port))
        head = f"{'GET' if content is None else 'POST'} {path}?token={token or self.token} HTTP/1.1\r\n"
        head += f"Host: {self.host}\r\nConnection: close\r\nAccept-Encoding: gzip\r\n"
        head += f"Content-Length: {len(content or b'')}\r\n\r\n"
        writer.write(head.encode() + (content or b""))
        answer = await reader.read()
        writer.close()
        status, _, body = answer.partition(b"\r\n")
        if b" 200 " not in status:
            raise RuntimeError(f"{path}: {status.decode()}: {body[-200:].decode(errors='replace')}")
        return time.perf_counter() - begin, body


async def take_part(
    client: Client, number: int, files: list[str], seconds: float, waits: dict[str, list[float]]
) -> None:
    """A pupil's page, from its opening to its end."""
    draw, end = random.Random(number), time.monotonic() + seconds
    pupil = {"pupil": secrets.token_hex(16), "name": f"pupil {number}", "page": secrets.token_hex(8)}
    solved: list[str] = []
    await asyncio.sleep(draw.random() * min(10.0, seconds / 4))  # a class doesn't open the page in the same instant
    begin = time.perf_counter()
    for path in ("/", "/begin.json", *files):
        await client.ask(path)
    waits["page"].append(time.perf_counter() - begin)
    while time.monotonic() < end:
        told = json.dumps({**pupil, "lesson": draw.choice(list(lessons())), "solved": solved}).encode()
        waits["progress"].append((await client.ask("/class/progress", told))[0])
        if draw.random() < SOLVES:
            solved.append(draw.choice(list(lessons())))
        else:
            await asyncio.sleep(BEAT)


async def watch(client: Client, teacher: str, seconds: float, waits: dict[str, list[float]]) -> int:
    """The teacher's list, for as long; how many are there at its end."""
    end, there = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        wait, body = await client.ask("/class/list", token=teacher)
        waits["list"].append(wait)
        there = body.count(b'"pages":1') + body.count(b'"pages": 1')
        await asyncio.sleep(LIST)
    return there


async def follow(
    address: str, teacher: str, pupils: int, seconds: float, server: int
) -> tuple[dict[str, list[float]], list[tuple[float, float]], int]:
    """Seconds to answers by what was asked; memory and the share of a core for each tenth of the time; who is there."""
    from thalweg.play.pages.site import files

    waits: dict[str, list[float]] = {"page": [], "progress": [], "list": []}
    client, sizes = Client(address), []
    asked = [f"/{name}" for name in files() if name not in ("index.html", "LICENSES.txt", "icon.svg")]

    async def measure() -> None:
        for _ in range(10):
            used, begin = processor_seconds(server), time.perf_counter()
            await asyncio.sleep(seconds / 10)
            sizes.append((mebibytes(server), (processor_seconds(server) - used) / (time.perf_counter() - begin)))

    parts = (take_part(client, number, asked, seconds, waits) for number in range(pupils))
    there, *_ = await asyncio.gather(watch(client, teacher, seconds, waits), measure(), *parts)
    return waits, sizes, there


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.class_load", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--pupils", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=60)
    given = parser.parse_args()
    with subprocess.Popen([sys.executable, "-c", SERVER, str(given.pupils)], stdout=subprocess.PIPE, text=True) as run:
        try:
            assert run.stdout is not None
            address, listed = run.stdout.readline().strip(), run.stdout.readline().strip()
            empty = mebibytes(run.pid)
            measured = follow(address, listed.partition("?token=")[2], given.pupils, given.seconds, run.pid)
            waits, sizes, there = asyncio.run(measured)
        finally:
            run.terminate()
    print(f"{given.pupils} pupils, {given.seconds:.0f} s; {there} are there")
    for what, found in waits.items():
        found.sort()
        shown = (f"{1e3 * found[int(share * (len(found) - 1))]:.0f}" for share in (0.5, 0.99, 1))
        print(f"{what}: {len(found)} answers; median, 99 of 100, longest: {', '.join(shown)} ms")
    print(f"memory: {empty:.0f} MiB empty, then {', '.join(f'{size:.0f}' for size, _ in sizes)} MiB")
    print(f"of a core: {', '.join(f'{share:.1%}' for _, share in sizes)}")


if __name__ == "__main__":
    with lasting_streams(ends=True):
        main()
