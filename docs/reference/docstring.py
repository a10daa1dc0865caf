"""Docstrings as Markdown: sentences flow, equations and examples stand in blocks, arguments in lists."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator

PARTS = ("Args:", "Returns:", "Raises:", "Attributes:", "Yields:")
SPECIAL = re.compile(r"([*_\[\]<>|$~])")


def escape(text: str) -> str:
    """Prose whose signs mean themselves; what stands between backticks is code already."""
    pieces = re.split(r"(`+[^`]+`+)", text)
    return "".join(piece if n % 2 else SPECIAL.sub(r"\\\1", piece) for n, piece in enumerate(pieces))


def blocks(text: str) -> Iterator[list[str]]:
    """The paragraphs of a docstring. A list of arguments begins one, with or without an empty line before it."""
    held: list[str] = []
    for line in text.splitlines():
        begins = line.strip() in PARTS or (line.startswith(">>>") and held and not held[-1].startswith((">>>", "...")))
        if held and (not line.strip() or (begins and not in_example(held))):
            yield held
            held = []
        if line.strip():
            held.append(line)
    if held:
        yield held


def in_example(held: list[str]) -> bool:
    return held[0].startswith(">>>")


def is_equation(lines: list[str]) -> bool:
    """Whether a paragraph is to be read by its columns: an equation, shapes beside it, a table or a program."""
    text = "\n".join(lines)
    if all(line.startswith("    ") for line in lines) or re.search(r"\S {3,}\S", text):
        return True
    return not text.rstrip().endswith((".", ":", ";", ")")) and any(sign in text for sign in (" = ", " := ", " ~ "))


def first_sentence(text: str) -> str:
    """The first sentence, or the equation that stands in its place."""
    lines = next(blocks(text), [""])
    if is_equation(lines):
        said = re.split(" {3,}", lines[0].strip())[0]
        return f"`{said}`" if "=" in said else escape(said)
    return escape(re.split(r"(?<=[.:]) (?=[A-Z])", " ".join(line.strip() for line in lines))[0])


def entries(lines: list[str], names: Iterable[str]) -> Iterator[str]:
    """The arguments of a list, each with its text; several may stand in one line."""
    grouped: list[str] = []
    for line in textwrap.dedent("\n".join(lines)).splitlines():
        if line.startswith(" ") and grouped:
            grouped[-1] += " " + line.strip()
        else:
            grouped.append(line.strip())
    name = "|".join(sorted(map(re.escape, names), key=len, reverse=True)) or r"\w+_"
    start = re.compile(rf"(?<=[.:;]) (?=(?:{name})(?:, (?:{name}|…))*: )")
    for group in grouped:
        yield from start.split(group)


def item(entry: str) -> str:
    """ "name: text" as a point of a list; a text without a name stays one."""
    name, colon, text = entry.partition(": ")
    if colon and re.fullmatch(r"[\w*]+(?:, (?:[\w*]+|…))*", name):
        return f"- `{name}`: {escape(text)}"
    return f"- {escape(entry)}"


def markdown(text: str, names: Iterable[str] = ()) -> str:
    """A docstring's Markdown; `names` are the arguments, by which its lists are divided."""
    shown = []
    for lines in blocks(text):
        first = lines[0].strip()
        if first.startswith(">>>"):
            shown.append("```pycon\n" + "\n".join(lines) + "\n```")
        elif first in PARTS:
            points = [item(entry) for entry in entries(lines[1:], names)]
            shown.append(f"**{first.rstrip(':')}**\n\n" + "\n".join(points))
        elif is_equation(lines):
            shown.append("```text\n" + textwrap.dedent("\n".join(lines)) + "\n```")
        elif first.startswith("- "):
            shown.append(
                "\n".join(escape(line) if line.startswith("-") else "  " + escape(line.strip()) for line in lines)
            )
        else:
            shown.append(escape("\n".join(line.strip() for line in lines)))
    return "\n\n".join(shown)
