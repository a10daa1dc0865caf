"""Writes the live page as files for any web server: `thalweg play --static FOLDER`.

Everything lies in one folder and is named relatively, so it works under any path; nothing is asked of another host.
"""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Mapping
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from thalweg.errors import ArgumentError
from thalweg.play.pages.thalweg_as_json import site_facts
from thalweg.play.scenes import documentation
from thalweg.play.webassembly.kernel_catalogue import Catalogue
from thalweg.play.webassembly.module import webassembly
from thalweg.support.extras import need
from thalweg.support.files import own_folder, writing
from thalweg.views.web.bundle import VENDOR, bundle, styles
from thalweg.views.web.encoding import encode
from thalweg.views.web.page import framed, packed
from thalweg.views.web.wording import SCENES, noscript, scenes

WEB = Path(bundle.__code__.co_filename).parent
MARK = "thalweg-site.json"
"""The file by which a former site is known: it lists the files that were written."""
OWN, LOOK = b"<title>thalweg</title>", 1_000
"""What stands among the first bytes of a live page that is one file."""
ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">'
    '<path d="M1 3l5 9 3-5 2 3 4-8" fill="none" stroke="#2b6cb0" stroke-width="2"/></svg>\n'
)
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
{begins}<meta name="documentation" content="{documentation}">
<link rel="icon" href="icon.svg">
<title>thalweg</title>
<link rel="stylesheet" href="page.css">
<script type="module" src="page.js"></script>
</head>
<body class="thalweg page play">
<noscript>{noscript}</noscript>
</body>
</html>
"""


BEGINS = '<meta name="thalweg-begins" content="begin.json">\n'
"""By which a page knows that `thalweg play` serves it, and where that says how it begins."""


def index(begins: str = "") -> str:
    """The page; `begins`: `BEGINS`, of one that `thalweg play` serves."""
    return PAGE.format(noscript=noscript(), documentation=escape(documentation()), begins=begins)


@cache
def files() -> Mapping[str, bytes]:
    """The site's files by their names."""
    kernels = Catalogue()
    texts = {
        "index.html": index(),
        "page.css": styles("play/play.css"),
        "page.js": bundle("play/play.js", commented=False, scoped=True),
        "worker.js": bundle("worker/main.js", vendor=(), commented=False, scoped=True),
        "icon.svg": ICON,
        "LICENSES.txt": "".join(licence(name) for name in VENDOR),
        "site.json": compact(site_facts()),
        "engine.json": compact(kernels.to_json()),
        "pictures.json": compact(json.loads((WEB / "play" / "pictures.json").read_text("utf-8"))),
        **{f"{name}.json": compact(scenes(name)) for name in SCENES},
    }
    found = {name: text.encode() for name, text in texts.items()}
    return found | {"thalweg.wasm": webassembly(kernels), "digits.bin": digits()}


def licence(script: str) -> str:
    """The licence of a script that isn't ours."""
    name = Path(script).name.partition(".")[0]
    return f"{name}\n\n{(WEB / 'vendor' / f'{name}.LICENSE').read_text('utf-8')}\n"


def compact(document: Any) -> str:
    return json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def digits() -> bytes:
    """scikit-learn's digits: 64 bytes of 0 … 16 for each image, then what each is."""
    need("sklearn", "", "the exercise with digits")
    from sklearn.datasets import load_digits  # a heavy package

    images, labels = load_digits(return_X_y=True)
    return b"".join(one.astype(np.uint8).tobytes() for one in (images, labels))


def write_site(folder: Path) -> dict[str, tuple[int, int]]:
    """Writes the site, over a former one; returns the size of each file in bytes, and as servers pack it.

    Raises:
        ArgumentError: the folder holds other files, or is a file.
    """
    former = written_before(folder)
    made = dict(files())
    made[MARK] = (compact({"files": sorted([*made, MARK])}) + "\n").encode()
    with own_folder("thalweg-site-") as place:  # all of it, or nothing
        for name, content in made.items():
            (place / name).write_bytes(content)
        folder.mkdir(parents=True, exist_ok=True)
        for name in former - set(made):
            (folder / name).unlink(missing_ok=True)
        for name in made:
            shutil.copyfile(place / name, folder / name)
    return {name: (len(content), len(gzip.compress(content, 9))) for name, content in made.items()}


def write_file(path: Path, documented: str | None = None) -> int:
    """Writes the page as one file that works from disk; returns its size.

    Args:
        documented: the address of the documentation's folder, which may be relative; by default the published one.

    Raises:
        ArgumentError: there is another file of this name.
    """
    if path.exists() and OWN not in path.read_bytes()[:LOOK]:
        raise ArgumentError(f"{path} exists, and isn't a live page: take another name, or remove it first")
    held = dict(files())
    style, code = (held.pop(name).decode() for name in ("page.css", "page.js"))
    data = {name: np.frombuffer(held[name], np.uint8) for name in sorted(held.keys() - {"index.html", "icon.svg"})}
    where = documentation() if documented is None else documented
    page = framed("thalweg", "en", code, style, packed(encode(data)), works=True, documentation=where)
    with writing(path) as new:
        new.write_text(page, encoding="utf-8", newline="\n")
    return path.stat().st_size


def written_before(folder: Path) -> set[str]:
    """The files of a former site in a folder; none if it is empty or isn't there."""
    if folder.exists() and not folder.is_dir():
        raise ArgumentError(f"{folder} is a file: --static takes a folder to write to")
    if not folder.is_dir() or not any(folder.iterdir()):
        return set()
    try:
        found = json.loads((folder / MARK).read_text("utf-8"))["files"]
    except (OSError, ValueError, KeyError, TypeError):
        raise ArgumentError(
            f"{folder} isn't empty, and no site of thalweg's: name a new folder, or empty this one first"
        ) from None
    return {name for name in found if isinstance(name, str) and Path(name).name == name}
