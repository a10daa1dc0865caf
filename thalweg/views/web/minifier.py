"""Modules and style sheets as short as they can be: what is for readers doesn't travel."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from thalweg.views.web.scripts import Token, brackets, shortened, tokens

TOP = re.compile(r"^(?:export )?(?:async function|function|const|let)\*? ([\w$]+)", re.MULTILINE)
IMPORTED = re.compile(r"^import \{([^}]*)\}", re.MULTILINE)
STYLE = re.compile(r"""("[^"]*"|'[^']*')""")
ENDS = (";", "{", "}", "(", "[", ",", ":", "?", "=>", "=", "&&", "||", "??", "+", "-", "*", "/", "<", ">", "===", "!==")
"""Signs after which no statement can have ended without a semicolon; } is one where another block or } follows."""
CONTINUES = ("}", ")", "]", ".", "?.", "?", ":", ",", ";", "&&", "||", "??", "=", "=>", "===", "!==", "*", "<", ">")


@lru_cache(maxsize=256)
def lean(text: str, suffix: str) -> str:
    r"""A module (".js") or style sheet (".css") without comments and white space, and with short local names.

    What a module exports, imports or has at its top, and every property, keeps its name.

    >>> lean("// why\nexport function half(/** @type {number} */ value) {\n  return value + +1; // so\n}\n", ".js")
    'export function half(a){return a+ +1}'
    >>> lean('.a :hover, .b > i {\n  font: 1px "A, b";\n  color: red;\n}\n', ".css")
    '.a :hover,.b>i{font:1px "A, b";color:red}'
    """
    return _style(text) if suffix == ".css" else _script(text)


def _script(text: str) -> str:
    whole = tokens(text)
    kept = frozenset(TOP.findall(text)) | {n.strip() for names in IMPORTED.findall(text) for n in names.split(",")}
    solid = shortened(whole, kept)
    lines = _begins_line(whole)
    gone = set(_needless(solid))
    joined = set(_joined(solid))
    out: list[str] = []
    before: Token | None = None
    for n, token in enumerate(solid):
        if n in gone:
            continue
        token = _briefer(token)
        if n in joined:  # "; let" after another let
            out[-1], before = ",", Token("sign", ",")
            continue
        if before is not None:
            out.append(_between(before, token, lines[n]))
        out.append(token.text)
        before = token
    return "".join(out)


def _briefer(token: Token) -> Token:
    if token.kind == "number" and re.match(r"0\.\d", token.text):
        return Token("number", token.text[1:])
    return Token("name", "let") if token == ("name", "const") else token


def _needless(solid: list[Token]) -> Iterator[int]:
    """Places of what may be left out: ; and , before a bracket's end, and brackets around the one parameter of =>."""
    opening = {end: start for start, end in brackets(solid).items()}
    for n, token in enumerate(solid[1:-1], 1):
        before, after = solid[n - 1].text, solid[n + 1].text
        if token.text == ";" and after == "}":
            head = opening.get(n - 1, 0) - 1
            if before != ")" or head < 0 or solid[head].text not in ("while", "for", "if"):
                yield n
        elif token.text == "," and after in (")", "}"):
            yield n
        elif token.text == "=>" and before == ")" and opening[n - 1] == n - 3 and solid[n - 4].text != "async":
            yield from (n - 3, n - 1)


def _joined(solid: list[Token]) -> Iterator[int]:
    """Places of const and let right behind the end of another such statement: one list of variables will do."""
    starts = [""]  # of the statement that goes on, by depth of brackets
    for n, token in enumerate(solid):
        before = solid[n - 1].text if n else ";"
        begins = before in (";", "{", "}") or n == 0
        if begins and token.kind == "name":
            kind = "let" if token.text in ("let", "const") else "other"
            if kind == "let" and before == ";" and starts[-1] == "let":
                yield n
            starts[-1] = kind
        elif begins:
            starts[-1] = "other"
        if token.text in ("{", "(", "[") or (token.kind == "template" and token.text.endswith("${")):
            starts.append("")
        elif token.text in ("}", ")", "]") and token.kind == "sign":
            starts.pop()


def _begins_line(whole: list[Token]) -> list[bool]:
    """Of every token that isn't space: whether a line ends before it."""
    found, ended = [], False
    for token in whole:
        if token.kind == "space":
            ended = ended or "\n" in token.text
        else:
            found.append(ended)
            ended = False
    return found


def _between(before: Token, token: Token, line: bool) -> str:
    """What has to stand between two tokens: nothing, a blank, or the end of a line that may end a statement."""
    if line and before.text not in ENDS and not (token.kind == "sign" and token.text in CONTINUES):
        return "\n"
    if line and before.text == "}" and token.kind == "name":
        return "\n"
    words = ("name", "number", "regular")
    joined = before.kind in words and token.kind in ("name", "number")
    signs = before.text[-1] in "+-/" and token.text[0] == before.text[-1] and token.kind != "text"
    return " " if joined or signs else ""


def _style(text: str) -> str:
    parts = STYLE.split(re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL))
    return "".join(part if n % 2 else _lean_style(part) for n, part in enumerate(parts)).strip()


def _lean_style(text: str) -> str:
    text = re.sub(r"\s*([{};,>]|:(?= ))\s*", r"\1", re.sub(r"\s+", " ", text))
    return re.sub(r"(?<![\w.])0(?=\.\d)", "", text).replace(";}", "}")
