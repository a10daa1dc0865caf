"""Scripts and style sheets as a page gets them: without comments and blanks that nobody but a reader needs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from thalweg.support.naming import choose

TOKEN = re.compile(
    r"""(?P<comment>//[^\n]*|/\*.*?\*/)
    |(?P<string>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')
    |(?P<blank>\s+)
    |(?P<word>[\w$\#]+)
    |(?P<sign>.)""",
    re.DOTALL | re.VERBOSE,
)
REGEX = re.compile(r"/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n])+/[a-z]*")
BEFORE_REGEX = re.compile(r"(?:^|[(\[{,;=:!&|?+\-*%~^<>}]|\b(?:return|typeof|case|in|of))$")
WORD = re.compile(r"[\w$#]")
GOES_ON = "{;,([=&|?:<>*"  # a line that ends so isn't a statement's end
CONTINUES = "})].,;?:&|=*"  # nor is the one before a line that begins so
CSS_PIECES = re.compile(r"""("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|/\*.*?\*/)""", re.DOTALL)


def lean(text: str, suffix: str) -> str:
    """The same script (".js") or style sheet (".css") with less to carry; what it does stays the same.

    Raises:
        ArgumentError: another kind of file.

    >>> lean("// a sum\\nconst sum = (a, b) => {\\n  return a + b;\\n};\\n", ".js")
    'const sum=(a,b)=>{return a+b;};'
    >>> lean(".a :focus { color: red;\\n  margin: 0 }", ".css")
    '.a :focus{color:red;margin:0}'
    """
    return choose("kind of file", suffix, {".js": script, ".css": style})(text)


def script(text: str) -> str:
    """A script without comments, and with blanks only where two words would become one or a line ends a statement."""
    parts: list[str] = []
    last = ""
    for token, between in tokens(text):
        if last and "\n" in between and last[-1] not in GOES_ON and token[0] not in CONTINUES:
            parts.append("\n")
        elif last and between and apart(last[-1], token[0]):
            parts.append(" ")
        parts.append(token)
        last = token
    return "".join(parts)


def apart(before: str, after: str) -> bool:
    """Whether two signs would be read as one without a blank."""
    return all(map(WORD.match, (before, after))) or (before == after and before in "+-") or before == "/"


def tokens(text: str) -> Iterator[tuple[str, str]]:
    """Each token, and the blanks and comments before it."""
    place, between, last = 0, "", ""
    while place < len(text):
        found = matched(text, place)
        token = found[0]
        if found.lastgroup in ("comment", "blank"):
            between += token
        else:
            if token == "`":
                token = text[place : template_end(text, place)]
            elif token == "/" and BEFORE_REGEX.search(last) and (regex := REGEX.match(text, place)):
                token = regex[0]
            yield token, between
            between, last = "", token
        place += len(token)


def matched(text: str, place: int) -> re.Match[str]:
    found = TOKEN.match(text, place)
    assert found is not None  # any sign is a token
    return found


def template_end(text: str, start: int) -> int:
    """Where the template that begins with ` at `start` ends; there may be templates in its ${…}."""
    place = start + 1
    while text[place] != "`":
        if text[place] == "\\":
            place += 1
        elif text.startswith("${", place):
            place = braces_end(text, place + 1) - 1
        place += 1
    return place + 1


def braces_end(text: str, start: int) -> int:
    """Where the { at `start` is closed."""
    depth, place = 0, start
    while True:
        found = matched(text, place)
        if found[0] == "`":
            place = template_end(text, place)
            continue
        depth += {"{": 1, "}": -1}.get(found[0], 0)
        place = found.end()
        if not depth:
            return place


def style(text: str) -> str:
    """A style sheet; a blank before a colon is kept, since it may stand between two selectors."""
    pieces = CSS_PIECES.split(text)
    for n in range(0, len(pieces), 2):
        pieces[n] = re.sub(r"\s?([{};,>])\s?", r"\1", re.sub(r"\s+", " ", pieces[n])).replace(": ", ":")
        pieces[n] = pieces[n].replace(";}", "}")
    strings = ["" if piece.startswith("/*") else piece for piece in pieces[1::2]]
    pieces[1::2] = strings
    return "".join(pieces).strip()
