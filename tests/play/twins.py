"""The JavaScript of the page without a server, run by node for tests that compare it with Python."""

import base64
import json
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from thalweg.errors import MissingPackageError
from thalweg.play.static.site import digits
from thalweg.play.static.thalweg_as_json import site_facts
from thalweg.play.webassembly.kernel_catalogue import Catalogue
from thalweg.play.webassembly.module import webassembly
from thalweg.views.web.bundle import HERE, bundle
from thalweg.views.web.encoding import decode

NODE = shutil.which("node")
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
    "worker/sentences.js": "told",
    "worker/session.js": "Session",
    "worker/side_frame.js": "SideFrame",
    "worker/table.js": "heldTable, readTable, shownTable",
}


@cache
def described():
    """What every request holds; the catalogue of kernels takes seconds."""
    return {"site": site_facts(), "digits": base64.b64encode(digits()).decode()}


@cache
def engine():
    """The module and its catalogue; without a compiler, the test is skipped."""
    catalogue = Catalogue()
    try:
        return webassembly(catalogue), catalogue.to_json()
    except MissingPackageError as error:
        pytest.skip(str(error))


class Answers(list):
    """What node has answered, and the documents that it has written beside it."""

    place: Path

    def document(self, number, kind):
        return decode(Path(f"{self.place}.{number}.{kind}").read_bytes())


def ran(folder, work, trains=False):
    """The answers to some work, a list of {"do": …}."""
    entry = folder / "entry.js"
    lines = [f'import {{ {name} }} from "{relative(HERE / path, folder)}";' for path, name in NAMES.items()]
    entry.write_text("\n".join([*lines, f"export const twins = {{ {', '.join(NAMES.values())} }};\n"]), "utf-8")
    (folder / "twins.mjs").write_text(bundle(entry, module=True, vendor=(), scoped=True), "utf-8")
    request = {**described(), "work": work}
    if trains:
        (folder / "engine.wasm").write_bytes(engine()[0])
        request |= {"engine": engine()[1], "wasm": str(folder / "engine.wasm")}
    (folder / "request.json").write_text(json.dumps(request), "utf-8")
    paths = [folder / name for name in ("twins.mjs", "request.json", "answers.json")]
    subprocess.run([NODE, Path(__file__).with_suffix(".mjs"), *paths], check=True)
    found = Answers(json.loads(paths[-1].read_text("utf-8")))
    found.place = paths[-1]
    return found


def relative(path, folder):
    """A module as another one imports it."""
    return Path(os.path.relpath(path, folder.resolve())).as_posix()
