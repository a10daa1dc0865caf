"""JavaScript as a list of tokens, and its local names made short: what `lean` needs to know of the language."""

from __future__ import annotations

import itertools
import re
import string
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from thalweg.errors import ArgumentError

NAME = r"[A-Za-z_$][\w$]*"
IN_CLASS = r"\[(?:\\.|[^\]\\\n])*\]"
TOKEN = re.compile(
    rf"""(?P<comment>/\*.*?\*/|//[^\n]*)
    |(?P<space>\s+)
    |(?P<text>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')
    |(?P<number>(?:\d[\w.]*(?:(?<=[eE])[+-]\d+)?|\.\d[\w]*))
    |(?P<name>{NAME})
    |(?P<sign>=>|\.\.\.|\?\.(?!\d)|\?\?=?|[*]{{2}}=?|\+\+|--|&&=?|\|\|=?|[=!]==?|<<=?|>>>?=?|[-+*/%&|^<>]=?|[^\w\s"'`])""",
    re.DOTALL | re.VERBOSE,
)
REGULAR = re.compile(rf"/(?:\\.|{IN_CLASS}|[^/*\\\n\[])(?:\\.|{IN_CLASS}|[^/\\\n\[])*/[a-z]*")
TEMPLATE = re.compile(r"(?:\\.|\$(?!\{)|[^`\\$])*(?:`|\$\{)", re.DOTALL)
# fmt: off
KEYWORDS = frozenset((
    "async", "await", "break", "case", "catch", "class", "const", "continue", "debugger", "default", "delete", "do",
    "else", "export", "extends", "false", "finally", "for", "from", "function", "if", "import", "in", "instanceof",
    "let", "new", "null", "of", "return", "static", "super", "switch", "this", "throw", "true", "try", "typeof",
    "undefined", "var", "void", "while", "with", "yield", "arguments", "eval", "NaN", "Infinity",
))
BEFORE_REGULAR = frozenset(("return", "typeof", "case", "in", "of", "delete", "void", "do", "else"))
BEFORE_OBJECT = frozenset((
    "await", "case", "const", "default", "delete", "export", "import", "in", "instanceof", "let", "of", "return",
    "throw", "typeof", "var", "void", "yield",
))
GLOBAL = frozenset((
    "addEventListener", "alert", "atob", "btoa", "cancelAnimationFrame", "clearInterval", "clearTimeout", "confirm",
    "console", "crypto", "devicePixelRatio", "document", "fetch", "getComputedStyle", "globalThis", "history",
    "innerHeight", "innerWidth", "isFinite", "isNaN", "localStorage", "location", "matchMedia", "navigator",
    "parseFloat", "parseInt", "performance", "prompt", "queueMicrotask", "removeEventListener", "reportError",
    "requestAnimationFrame", "requestIdleCallback", "screen", "self", "sessionStorage", "setInterval", "setTimeout",
    "structuredClone", "uPlot", "window",
))
# fmt: on
"""Names that a browser knows, which may be meant where a function elsewhere has its own."""


class Token(NamedTuple):
    """kind: space, text, number, name, sign, regular, or template, a part of one up to its next value."""

    kind: str
    text: str


def tokens(script: str) -> list[Token]:
    """All tokens; comments are space. Templates are cut where a value is put in.

    Raises:
        ArgumentError: a text or bracket isn't closed.
    """
    found: list[Token] = []
    depth: list[str] = []  # of brackets; "`" is that of a value within a template
    at = 0
    while at < len(script):
        if script[at] == "`" or (script[at] == "}" and depth and depth[-1] == "`"):
            if script[at] == "}":
                depth.pop()
            part = TEMPLATE.match(script, at + 1)
            if part is None:
                raise ArgumentError(f"a template literal isn't closed: {script[at : at + 60]!r}")
            if part[0].endswith("${"):
                depth.append("`")
            found.append(Token("template", script[at] + part[0]))
            at = part.end()
            continue
        match = (REGULAR.match(script, at) if _regular_may_stand(found) else None) or TOKEN.match(script, at)
        if match is None:
            raise ArgumentError(f"this can't be read as a script: {script[at : at + 60]!r}")
        text = match[0]
        kind = match.lastgroup or "regular"
        if kind == "comment":
            found.append(Token("space", "\n" if "\n" in text else " "))
        else:
            found.append(Token(kind, text))
        if text in ("{", "(", "["):
            depth.append(text)
        elif text in ("}", ")", "]"):
            if not depth or depth[-1] == "`":
                raise ArgumentError(f"a bracket was never opened: {script[max(0, at - 60) : at + 1]!r}")
            depth.pop()
        at = match.end()
    if depth:
        raise ArgumentError(f"a bracket isn't closed: {script[-60:]!r}")
    return found


def _regular_may_stand(found: list[Token]) -> bool:
    """Whether a slash would begin a regular expression, and not a division or a comment."""
    last = next((token for token in reversed(found) if token.kind != "space"), None)
    if last is None:
        return True
    if last.kind == "name":
        return last.text in BEFORE_REGULAR
    if last.kind == "template":
        return last.text.endswith("${")
    return last.kind == "sign" and last.text not in (")", "]", "}", "++", "--")


def shortened(script: list[Token], kept: frozenset[str]) -> list[Token]:
    """The script, its space left out, with short names for what its functions declare.

    A name is replaced everywhere in the script, whatever its scope: so it keeps its meaning if it is never a global
    name (`GLOBAL`), one of the module's own (`kept`), and every place where it isn't a property is known.
    """
    solid = [token for token in script if token.kind != "space"]
    roles = list(_roles(solid))
    declared = _declared(solid, roles)
    uses = Counter(t.text for t, role in zip(solid, roles, strict=True) if role in ("variable", "shorthand"))
    names = {token.text for token in solid if token.kind == "name"}
    free = (name for name in _short_names() if name not in names and name not in KEYWORDS | GLOBAL)
    candidates = [n for n in declared if len(n) > 1 and n not in KEYWORDS | GLOBAL | kept and not n[0].isupper()]
    new = dict(zip(sorted(candidates, key=lambda name: (-uses[name], name)), free, strict=False))
    return [_renamed(token, role, new) for token, role in zip(solid, roles, strict=True)]


def _renamed(token: Token, role: str, new: dict[str, str]) -> Token:
    if token.text not in new or role not in ("variable", "shorthand"):
        return token
    short = new[token.text]
    return Token("name", f"{token.text}:{short}" if role == "shorthand" else short)


def _short_names() -> Iterator[str]:
    for length in itertools.count(1):
        yield from map("".join, itertools.product(string.ascii_letters, repeat=length))


def _roles(solid: list[Token]) -> Iterator[str]:
    """Of each token: "variable", "shorthand" for both a key and a variable, "key" for properties, or ""."""
    braces: list[str] = []  # what brackets are open: "object" (or pattern), "class", or ""
    for n, token in enumerate(solid):
        before = solid[n - 1] if n else Token("sign", ";")
        after = solid[n + 1] if n + 1 < len(solid) else Token("sign", ";")
        if token.kind == "name":
            yield _role(token, before, after, braces[-1] if braces else "", solid[n - 2].text if n > 1 else "")
            continue
        yield ""
        if token.kind == "template":
            if token.text.startswith("}"):
                braces.pop()
            if token.text.endswith("${"):
                braces.append("")
        elif token.text == "{":
            braces.append(_opened(solid, n))
        elif token.text in ("(", "["):
            braces.append("")
        elif token.text in ("}", ")", "]"):
            braces.pop()


def _opened(solid: list[Token], n: int) -> str:
    """What the brace at n opens."""
    before = solid[n - 1] if n else Token("sign", ";")
    if any(token.text == "class" for token in solid[max(0, n - 4) : n] if token.kind == "name"):
        return "class"
    if before.kind == "name":
        return "object" if before.text in BEFORE_OBJECT else ""
    if before.text == ":":
        return "" if _of_case(solid, n - 1) else "object"
    return "" if before.text in (")", "=>", ";", "{", "}") else "object"


def _of_case(solid: list[Token], n: int) -> bool:
    """Whether the colon at n ends a case of a switch, or a label, rather than a key or the middle of ? :."""
    depth = 0
    for m in range(n - 1, -1, -1):
        text = solid[m].text
        if solid[m].kind == "template":
            depth += text.startswith("}") - text.endswith("${")
        elif solid[m].kind == "sign":
            depth += (text in (")", "]", "}")) - (text in ("(", "[", "{"))
            if depth < 0 or (depth == 0 and text in ("?", ",")):
                return False
            if depth == 0 and text in (";", "}"):
                return m == n - 2
        elif depth == 0 and text in ("case", "default") and solid[m - 1].text not in (".", "?.", ","):
            return True
    return False


MODIFIERS = ("get", "set", "async", "static", "*", "#")


def _role(token: Token, before: Token, after: Token, within: str, earlier: str) -> str:
    if before.text in (".", "?.", "#"):
        return "key"
    first = ("{", ",") if within == "object" else ("{", "}", ";") if within == "class" else ()
    if before.text in first or (first and before.text in MODIFIERS and earlier in first):
        if token.text in MODIFIERS and (after.kind in ("name", "text") or after.text in ("*", "#")):
            return ""
        if after.text in (":", "(") or within == "class":
            return "key"
        return "shorthand" if after.text in (",", "}", "=") and token.text not in KEYWORDS else ""
    return "" if token.text in KEYWORDS else "variable"


def _declared(solid: list[Token], roles: list[str]) -> set[str]:
    """The names that stand in declarations and lists of parameters."""
    found: set[str] = set()
    closing = brackets(solid)
    for n, token in enumerate(solid[:-1]):
        after = solid[n + 1]
        if token.text in ("const", "let", "var") and roles[n] == "":
            found |= _names_in(solid, roles, n + 1, closing.get(n + 1, n + 1))
        elif token.text == "(" and token.kind == "sign":
            beyond = solid[closing[n] + 1].text if closing[n] + 1 < len(solid) else ""
            control = solid[n - 1].text if n else ""
            if (
                beyond == "=>"
                or control == "catch"
                or (beyond == "{" and control not in ("if", "for", "while", "switch", "with"))
            ):
                found |= _names_in(solid, roles, n, closing[n])
        elif after.text == "=>" and roles[n] == "variable":
            found.add(token.text)
        elif token.text == "function" and roles[n] == "":
            found.add(after.text if after.kind == "name" else solid[n + 2].text)  # behind the * of a generator
    return found


def brackets(solid: list[Token]) -> dict[int, int]:
    """The place of each bracket's end."""
    found, waiting = {}, []
    for n, token in enumerate(solid):
        if token.kind == "sign" and token.text in ("(", "[", "{"):
            waiting.append(n)
        elif token.kind == "sign" and token.text in (")", "]", "}"):
            found[waiting.pop()] = n
        elif token.kind == "template":
            if token.text.startswith("}"):
                waiting.pop()
            if token.text.endswith("${"):
                waiting.append(n)
    return found


def _names_in(solid: list[Token], roles: list[str], start: int, end: int) -> set[str]:
    """The variables of a pattern or of parameters; default values, from = to the next comma, are none."""
    found: set[str] = set()
    depth, skipped = 0, -1
    for n in range(start, end + 1):
        text = solid[n].text
        if solid[n].kind == "sign":
            depth += (text in ("(", "[", "{")) - (text in (")", "]", "}"))
            if text == "=" and skipped < 0:
                skipped = depth
            elif skipped >= 0 and (depth < skipped or (text == "," and depth == skipped)):
                skipped = -1
        elif roles[n] in ("variable", "shorthand") and skipped < 0:
            found.add(text)
    return found
