"""Modules and style sheets as short as they can be without reading them: what is for readers doesn't travel."""

from __future__ import annotations

import re

IN_CLASS = r"\[(?:\\.|[^\]\\\n])*\]"
TOKEN = re.compile(
    r"""(?P<comment>/\*.*?\*/|//[^\n]*)"""
    r"""|(?P<kept>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`[^`]*`"""
    rf"""|(?<=[(,=:!&|?{{}};\n])\ */(?:\\.|{IN_CLASS}|[^/*\\\n])(?:\\.|{IN_CLASS}|[^/\\\n])*/[a-z]*)""",
    re.DOTALL,
)
"""What is no code, and what is kept as it is: texts and regular expressions."""


def lean(text: str, suffix: str) -> str:
    """A module (".js") or style sheet (".css") without comments and the white space that is for readers.

    >>> lean("// why\\nexport function f(/** @type {number} */ x) {\\n  return x + +1; // so\\n}\\n", ".js")
    'export function f(x){return x + +1;}'
    >>> lean('.a :hover, .b > i {\\n  font: 1px "A, b";\\n  color: red;\\n}\\n', ".css")
    '.a :hover,.b>i{font:1px "A, b";color:red}'
    """
    tidy = _lean_style if suffix == ".css" else _lean_script
    parts, end = [], 0
    for found in TOKEN.finditer(text):
        if suffix == ".css" and not found[0].startswith(("/*", '"')):
            continue
        # What stands for a text keeps the blanks of the code around it apart; it can't occur in a module.
        parts.append((text[end : found.start()], found["kept"] or ""))
        end = found.end()
    kept = [part for _, part in parts]
    code = tidy("".join(f"{before}\0" if part else f"{before} " for before, part in parts) + text[end:])
    pieces = code.split("\0")
    return "".join(a + b for a, b in zip(pieces, [*filter(None, kept), ""], strict=True)).strip()


def _lean_script(code: str) -> str:
    """Blanks around signs, and lines that needn't be lines; the lines of what ends without ; stay."""
    code = re.sub(r"[ \t]+", " ", code)
    code = re.sub(r" ?\n\s*", "\n", code)
    code = re.sub(r" ?([{}()\[\],;:?=<>*/%&|!~^.\0]) ?", r"\1", code)
    code = re.sub(r" ?(?<![+-] )([+-])(?! ?[+-]) ?", r"\1", code)
    return re.sub(r"\n?([{;,(\[]|=>|[?:=&|]+)\n|\n(?=[})\].?:&|])", r"\1", code)


def _lean_style(text: str) -> str:
    return re.sub(r"\s*([{};,>]|:(?= ))\s*", r"\1", re.sub(r"\s+", " ", text)).replace(";}", "}")
