"""A class on one machine: python benchmarks/classroom.py [--pupils 30] [--seconds 300]

Starts `thalweg play --host 127.0.0.1` and opens as many pages as there are pupils, as their browsers would: each page
draws a picture within 1/60 s and asks for the next. Every pupil opens lessons and presets in turn, half of them as
fast as they go, changes the learning rate, and uploads a table once. It prints pictures a second and the seconds from
a press of a key to its answer, for the pupil who has the fewest and the longest, and the server's memory.
The pages of this script take a part of the same processor.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import secrets
import statistics
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from websockets.asyncio.client import connect

from thalweg.play.scenes import lessons, presets, states_of
from thalweg.support.printing import lasting_streams
from thalweg.views.web.encoding import decode

FRAME = 1 / 60
TURN = 10.0
"""Seconds that a pupil stays with one scene."""
SCREENS = (("units",), ("units", "surface"), ("surface", "landscape"))
"""What of a page is in sight, besides what is always asked for."""
TABLE = ("a,b,target\n" + "".join(f"{n % 17},{n % 5},{'yes' if n % 3 else 'no'}\n" for n in range(2_000))).encode()


@dataclass
class Pupil:
    """What a pupil has seen."""

    name: str
    frames: int = 0
    waits: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def memory(process: int) -> float:
    """MiB that a process holds."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024


def upload(origin: str, token: str, session: str) -> None:
    asked = urllib.parse.urlencode({"token": token, "session": session, "name": "table.csv"})
    urllib.request.urlopen(urllib.request.Request(f"{origin}/upload?{asked}", TABLE), timeout=60).read()


async def take_part(pupil: Pupil, origin: str, token: str, seconds: float) -> None:
    """A pupil's page, from its opening to its end."""
    draw = random.Random(pupil.name)
    asked = urllib.parse.urlencode({"token": token, "pupil": secrets.token_hex(16), "name": pupil.name})
    end = time.monotonic() + seconds
    async with connect(f"{origin.replace('http', 'ws')}/socket?{asked}", origin=origin, max_size=None) as socket:

        async def say(do: str, **more: Any) -> None:
            await socket.send(json.dumps({"do": do, **more}))

        session = decode(await socket.recv())["hello"]["session"]
        pressed: list[float] = []  # when the newest change was sent that hasn't been answered
        serial = 0

        async def follow() -> None:
            async for content in socket:
                frame = decode(content)
                pupil.frames += 1
                if frame.get("error"):
                    pupil.errors.append(str(frame["error"]))
                if pressed and frame.get("serial", -1) >= serial:
                    pupil.waits.append(time.monotonic() - pressed.pop())
                await asyncio.sleep(FRAME)
                await say("ack", frame=frame["frame"])

        following = asyncio.create_task(follow())
        scenes = [*lessons().items(), *presets().items()]
        await asyncio.sleep(draw.random() * 3)
        await asyncio.to_thread(upload, origin, token, session)
        while time.monotonic() < end and not following.done():
            name, scene = draw.choice(scenes)
            state = states_of(scene)[0]
            if name in lessons():
                await say("progress", lesson=name, solved=[name])
            serial += 1
            pressed[:] = [time.monotonic()]
            await say("state", side=0, state=state, serial=serial)
            await say("want", what=sorted({"findings", "weights", "arithmetic", *draw.choice(SCREENS)}))
            await say("pace", epochs=None if draw.random() < 0.5 else scene["pace"])
            await say("play")
            for _ in range(4):
                await asyncio.sleep(TURN / 4)
                serial += 1
                pressed[:] = [time.monotonic()]
                await say(
                    "state", side=0, state=state | {"learning_rate": draw.choice([0.01, 0.02, 0.05])}, serial=serial
                )
        following.cancel()


async def follow_class(pupils: list[Pupil], origin: str, token: str, seconds: float, process: int) -> list[float]:
    """All pages at once; the server's memory at each tenth of the time."""
    sizes = []

    async def watch() -> None:
        for _ in range(10):
            await asyncio.sleep(seconds / 10)
            sizes.append(memory(process))

    await asyncio.gather(watch(), *(take_part(pupil, origin, token, seconds) for pupil in pupils))
    return sizes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pupils", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=300)
    given = parser.parse_args()
    command = [sys.executable, "-m", "thalweg", "play", "--no-open", "--host", "127.0.0.1"]
    with subprocess.Popen([*command, "--pupils", str(given.pupils)], stdout=subprocess.PIPE, text=True) as server:
        try:
            address = server.stdout.readline().strip()
            origin, _, token = address.partition("/?token=")
            empty = memory(server.pid)
            pupils = [Pupil(f"pupil {n}") for n in range(given.pupils)]
            sizes = asyncio.run(follow_class(pupils, origin, token, given.seconds, server.pid))
        finally:
            server.terminate()
    rates = sorted(pupil.frames / given.seconds for pupil in pupils)
    waits = sorted(wait for pupil in pupils for wait in pupil.waits)
    longest = max(max(pupil.waits, default=given.seconds) for pupil in pupils)
    print(f"{given.pupils} pupils, {given.seconds:.0f} s")
    print(f"pictures a second: fewest {rates[0]:.1f}, median {statistics.median(rates):.1f}, most {rates[-1]:.1f}")
    print(
        f"from a change to its picture: median {1e3 * statistics.median(waits):.0f} ms, "
        f"99 of 100 within {1e3 * waits[int(0.99 * len(waits))]:.0f} ms, longest {1e3 * longest:.0f} ms"
    )
    print(f"memory: {empty:.0f} MiB empty, then {', '.join(f'{size:.0f}' for size in sizes)} MiB")
    errors = [error for pupil in pupils for error in pupil.errors]
    print(f"errors: {len(errors)}", *sorted(set(errors))[:5], sep="\n  " if errors else "")


if __name__ == "__main__":
    with lasting_streams(ends=True):
        main()
