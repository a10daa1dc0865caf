"""The page's worker in node, as tests drive it: its parts, courses of training, pages with their frames."""

import atexit
import base64
import itertools
import json
import math
import os
import queue
import shutil
import subprocess
import tempfile
import threading
import time
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import pytest

from thalweg.errors import MissingPackageError
from thalweg.play.pages.site import digits
from thalweg.play.pages.thalweg_as_json import site_facts
from thalweg.play.refusal import RefusedError
from thalweg.play.webassembly.kernel_catalogue import Catalogue
from thalweg.play.webassembly.module import webassembly
from thalweg.views.web.bundle import HERE, bundle
from thalweg.views.web.encoding import decode

NODE = shutil.which("node")
SECONDS = 60  # that anything may take on a busy machine
NAMES = {
    "decode.js": "decode",
    "engine/network.js": "load",
    "worker/arithmetic.js": "arithmetic",
    "worker/ball.js": "Survey",
    "worker/course.js": "Course",
    "worker/encode.js": "encode",
    "worker/exercise.js": "posed",
    "worker/exports.js": "exported",
    "worker/formulas.js": "Activation",
    "worker/initializers.js": "drawn",
    "worker/knobs.js": "Knobs",
    "worker/losses.js": "RowLoss",
    "worker/numpy_random.js": "Generator",
    "worker/page_state.js": "Rules",
    "worker/responses.js": "shrunk",
    "worker/rhythm.js": "Pace",
    "worker/sentences.js": "DivergedError, told",
    "worker/session.js": "Session",
    "worker/side_frame.js": "SideFrame",
    "worker/table.js": "heldTable, readTable, shownTable",
}


class PageError(RefusedError):
    """What the worker refuses, as it says it. diverged: whether a number was no longer finite."""

    def __init__(self, text, diverged=False):
        super().__init__("{error}", error=text["en"])
        self.text, self.diverged = text, diverged


@cache
def facts():
    """What the worker reads of thalweg."""
    return site_facts()


@cache
def engine():
    """The module and its catalogue; without a compiler, the test is skipped."""
    catalogue = Catalogue()
    try:
        return webassembly(catalogue), catalogue.to_json()
    except MissingPackageError as error:
        pytest.skip(str(error))


def plain(value):
    """For JSON, which has no such numbers."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "$nan" if math.isnan(value) else "$inf"
    return value


class Host:
    """A process of node that has loaded the worker's modules."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory()
        folder = Path(self.folder.name)
        entry = folder / "entry.js"
        lines = [f'import {{ {name} }} from "{relative(HERE / path, folder)}";' for path, name in NAMES.items()]
        entry.write_text("\n".join([*lines, f"export const page = {{ {', '.join(NAMES.values())} }};\n"]), "utf-8")
        (folder / "page.mjs").write_text(bundle(entry, module=True, vendor=(), scoped=True), "utf-8")
        wasm, catalogue = engine()
        (folder / "engine.wasm").write_bytes(wasm)
        data = {"site": facts(), "digits": base64.b64encode(digits()).decode(), "engine": catalogue}
        (folder / "data.json").write_text(json.dumps(data | {"wasm": str(folder / "engine.wasm")}), "utf-8")
        command = [NODE, Path(__file__).with_suffix(".mjs"), folder / "page.mjs", folder / "data.json"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.answers, self.frames = queue.Queue(), {}
        threading.Thread(target=self.listen, daemon=True).start()
        atexit.register(self.end)

    def listen(self):
        for line in self.process.stdout:
            kind, _, rest = line.strip().rpartition(" ")
            if kind:
                self.frames[int(kind.removeprefix("page "))].put(rest)
            else:
                self.answers.put(rest)
        self.answers.put(None)

    def end(self):
        self.process.stdin.close()
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.folder.cleanup()

    def call(self, do, **given):
        """The answer of one of the functions of node_page.mjs."""
        self.process.stdin.write(json.dumps({"do": do, **plain(given)}) + "\n")
        self.process.stdin.flush()
        answer = self.answers.get(timeout=2 * SECONDS)
        assert answer is not None, "node has ended"
        found = decode(base64.b64decode(answer))
        if "refused" in found:
            raise PageError(found["refused"], found["diverged"])
        return found["answer"]


def relative(path, folder):
    """A module as another one imports it."""
    return Path(os.path.relpath(path, folder.resolve())).as_posix()


@cache
def host():
    """One for all tests of a process; without node they are skipped."""
    if NODE is None:
        pytest.skip("needs node")
    return Host()


def call(do, **given):
    return host().call(do, **given)


numbers = itertools.count()


class Course:
    """A training, as the worker holds it for a side."""

    def __init__(self, state, table=None, again=False):
        number = next(numbers)
        call("begin", course=number, state=state, table=table, again=again)
        self.number = number

    def __del__(self):
        if "number" in vars(self) and host().process.poll() is None:
            call("end", course=self.number)

    def __getattr__(self, name):
        """Where the training stands: epoch, iteration, batch, loss, metric, loss_now, steps_per_epoch …"""
        if name.startswith("_") or name == "number":
            raise AttributeError(name)
        return call("standing", course=self.number)[name]

    def do(self, what, **given):
        return call(what, course=self.number, **given)

    def run(self, steps):
        self.do("run", steps=steps)

    def change(self, state):
        return self.do("change", state=state)

    def arithmetic(self, layer=-1, unit=0, row=0):
        return self.do("arithmetic", choice={"layer": layer, "unit": unit, "row": row})

    def rows(self):
        return SimpleNamespace(**self.do("rows"))

    def exported(self, kind):
        """A file's bytes."""
        return base64.b64decode(self.do("exported", kind=kind)["bytes"])


class Page:
    """An open page. Frames are acknowledged as they are read."""

    def __init__(self, table=None, **begins):
        self.number = next(numbers)
        self.waiting = host().frames[self.number] = queue.Queue()
        given = None if table is None else base64.b64encode(table).decode()
        call("open", page=self.number, begins=begins, table=given)
        self.hello = self.received(SECONDS)["hello"]
        self.frames = []

    def __enter__(self):
        return self

    def __exit__(self, *error):
        call("close", page=self.number)
        del host().frames[self.number]

    def received(self, seconds):
        try:
            return decode(base64.b64decode(self.waiting.get(timeout=seconds)))
        except queue.Empty:
            raise TimeoutError from None

    def say(self, do, **more):
        self.tell({"do": do, **more})

    def tell(self, message):
        call("tell", page=self.number, message=message)

    def read(self, seconds=SECONDS):
        """The next frame, not yet acknowledged; TimeoutError if none comes."""
        frame = self.received(seconds)
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

    def ask(self, kind, side=0):
        """An export: {"name", "type", "bytes"}, or {"error"}."""
        found = call("ask", page=self.number, kind=kind, side=side)
        return found | ({"bytes": base64.b64decode(found["bytes"])} if "bytes" in found else {})

    def upload(self, content, name="table.csv"):
        """What the page shows of a table's file, {"table"}, or {"error"}."""
        return call("upload", page=self.number, content=base64.b64encode(content).decode(), name=name)


def table(text, name="t.csv"):
    """A table for `Course`: its state names the source "a"."""
    return {"text": text, "name": name}
