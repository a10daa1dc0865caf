"""A document as one HTML file: text, figures, all of their data and what draws them; it never asks for another file.

A document is `{"title": Text, "language": "en" | "zh" | None, "sections": [{"id", "title", "text": [Text], "figures":
[…]}]}`, a Text either a text or both, `{"en": …, "zh": …}`. Without a language the page opens in the browser's. What
each kind of figure holds is written in types.d.ts; arrays may be NumPy's.
"""

from __future__ import annotations

import base64
import hashlib
import html
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from thalweg.errors import ArgumentError
from thalweg.support.files import writing
from thalweg.support.naming import choose
from thalweg.views.web.bundle import HERE, bundle, styles
from thalweg.views.web.encoding import encode
from thalweg.views.web.wording import noscript, too_old

LANGUAGES = {"en": "en", "zh": "zh-Hant-TW"}
KINDS = (
    "bars", "calibration", "code", "curves", "findings", "graph", "histograms", "images", "landscape", "matrix",
    "network", "scatter", "steps", "surface", "table", "text", "thresholds",
)  # fmt: skip
"""The figures that figures/index.js draws."""

PAGE = """<!doctype html>
<html lang="{lang}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="color-scheme" content="light dark">
{documented}<link rel="icon" href="data:,">
<title>{title}</title>
{style}</head>
<body class="thalweg page">
<noscript>{noscript}</noscript>
<script type="text/plain" id="document">{data}</script>
<script type="text/plain" id="code" data-old="{old}">{code}</script>
<script type="module">{unpack}</script>
</body>
</html>
"""


WASM = "'wasm-unsafe-eval'"
"""Lets a policy compile WebAssembly, and nothing else."""


def write_page(path: str | Path, document: Mapping[str, Any]) -> None:
    """Writes the page; `path` is either complete or as it was before. Errors are those of `page_html`."""
    text = page_html(document)
    with writing(Path(path)) as new:
        new.write_text(text, encoding="utf-8", newline="\n")


def page_html(document: Mapping[str, Any]) -> str:
    """The page as text.

    Code and encoded data are deflated and in base64. By its content security policy the browser runs nothing but the
    code and what unpacks it, whose hashes it names, and requests nothing.

    Raises:
        ArgumentError: the document lacks a part, has a figure of an unknown kind, or a value that a page can't hold.

    >>> text = {"kind": "text", "title": "Result", "paragraphs": ["It learns."]}
    >>> document = {"title": "A run", "language": "en", "sections": [{"id": "a", "title": "A", "figures": [text]}]}
    >>> page_html(document).startswith("<!doctype html>")
    True
    """
    check(document)
    language = document["language"] or "en"
    title = document["title"] if isinstance(document["title"], str) else document["title"][language]
    return framed(title, language, bundle("report.js"), styles(), packed(encode(document)))


def framed(
    title: str,
    language: str,
    code: str,
    style: str,
    data: str,
    styled: bool = True,
    works: bool = False,
    documentation: str = "",
) -> str:
    """A page that runs one script, and does nothing else.

    Args:
        title: what the browser calls the page, in the language that it begins with.
        data: the text of the element "document", which the code reads.
        styled: whether the page begins with its style; if not, the code puts it in.
        works: whether it starts a worker out of its own data, with WebAssembly.
        documentation: where it finds the documentation that it leads to, if it does.
    """
    unpack = (HERE / "unpack.js").read_text(encoding="utf-8")
    policy = (
        f"default-src 'none'; script-src '{_source(unpack)}' '{_source(code)}'{' blob: ' * works}"
        f"{WASM * works}; style-src '{_source(style)}'; img-src data:; base-uri 'none'; form-action 'none'"
    )
    return PAGE.format(
        lang=LANGUAGES[language],
        policy=policy,
        documented=f'<meta name="documentation" content="{html.escape(documentation)}">\n' if documentation else "",
        title=html.escape(title),
        style=f"<style>{style}</style>\n" if styled else "",
        noscript=noscript(),
        old=too_old(),
        data=data,
        code=packed(code.encode()),
        unpack=unpack,
    )


def check(document: Mapping[str, Any]) -> None:
    """Raises unless the document has its parts, distinct section ids, and figures of known kinds."""
    for key in ("title", "language", "sections"):
        if key not in document:
            raise ArgumentError(f"a document needs {key!r}: it has {', '.join(map(repr, document)) or 'nothing'}")
    if document["language"] is not None:
        choose("language of a page", document["language"], LANGUAGES)
    ids = [section["id"] for section in document["sections"]]
    if repeated := {name for name in ids if ids.count(name) > 1}:
        raise ArgumentError(f"two sections of a page have the id {min(repeated)!r}: give each its own")
    for section in document["sections"]:
        for figure in section.get("figures", ()):
            choose("kind of figure", figure["kind"], KINDS)


def packed(data: bytes) -> str:
    deflater = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)  # raw: DecompressionStream("deflate-raw")
    return base64.b64encode(deflater.compress(data) + deflater.flush()).decode()


def _source(text: str) -> str:
    """A script or style sheet as a content security policy names it."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
