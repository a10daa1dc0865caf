"""The page of all commands with their arguments and options, from the command line itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from thalweg.cli import main


def commands() -> dict[str, Any]:
    """Every command by its name."""
    return {name: main.command(name) for name in main.HOMES}


def cell(text: str) -> str:
    """Prose in a cell: names of options as code, signs as they are."""
    text = re.sub(r"(?<![\w`-])(--[a-z][a-z-]*)", r"`\1`", " ".join(text.split()))
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


def spelt(parameter: Any) -> str:
    """An option's names; an argument's place holder."""
    if parameter.param_type_name == "argument":
        return f"`{parameter.metavar or parameter.name.upper()}`"
    return ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))


def stated(parameter: Any) -> str:
    """What an option is if it isn't given."""
    if parameter.required:
        return "required"
    value = parameter.default
    if value is None or callable(value) or value == () or value == [] or value is False:
        return "–"
    return f"`{getattr(value, 'value', value)}`"


def entry(name: str, command: Any) -> Iterator[str]:
    yield f"## thalweg {name} {{: #{name} }}"
    yield ""
    yield cell(command.help or "")
    yield ""
    yield "| Argument or option | By default | What it means |"
    yield "|---|---|---|"
    for parameter in command.params:
        if not getattr(parameter, "hidden", False) and parameter.name != "help":
            yield f"| {spelt(parameter)} | {stated(parameter)} | {cell(parameter.help or '')} |"
    yield ""


def page() -> str:
    """options.md."""
    lines = ["# Options of the command line", "", "With examples: [the command line](command-line.md).", ""]
    for name, command in commands().items():
        lines += entry(name, command)
    return "\n".join(lines)
