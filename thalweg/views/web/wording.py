"""What pages say in several languages: the part of the catalogue for their modules, and their data with their texts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from thalweg import words
from thalweg.words.translations import STRING

HERE = Path(__file__).resolve().parent  # as it is compared with resolved paths
MODULE = HERE / "catalogue.js"
"""Isn't a file: it is made from the catalogue, with what the modules beside it say."""
SPEAKERS = "word|sentence|refused|unsupported"  # functions that are given a sentence
SAID = re.compile(rf"\b(?:wordIn\((?P<context>{STRING}), |(?:{SPEAKERS})\(\s*)(?P<english>{STRING})")
OWN_NAME = ("language", "English")
"""What a language calls itself."""
SCENES = ("lessons", "presets", "map")
TOLD = ("title", "text", "question", "done")
"""The texts in these: their keys."""


def spoken(script: str) -> list[tuple[str, str]]:
    """The context and the English of all that a module says.

    >>> spoken('word("loss"); wordIn("knob", "Loss"); word("a \\\\"b\\\\"", 1)')
    [('', 'loss'), ('knob', 'Loss'), ('', 'a "b"')]
    """
    return [(json.loads(said["context"] or '""'), json.loads(said["english"])) for said in SAID.finditer(script)]


def catalogue_module(scripts: Iterable[str]) -> str:
    """The module with the Chinese of what the scripts say; a context stands before its text, as gettext has it."""
    said = {OWN_NAME, *(text for script in scripts for text in spoken(script))}
    chinese = {
        f"{context}\4{english}" if context else english: words.say(english, "zh", context=context)
        for context, english in sorted(said)
    }
    return f"export const CHINESE = {json.dumps(chinese, ensure_ascii=False)};\n"


def noscript() -> str:
    """What a page says where there is no JavaScript, and so no choice of a language."""
    return " ".join(words.text("This page draws its figures with JavaScript.").values())


def too_old() -> str:
    """What a page says to a browser that can't unpack it, before there is a language."""
    return " ".join(words.text("This page needs a newer browser, of 2023 or later.").values())


def scenes(name: str) -> Any:
    """The live page's lessons, presets or map, with every text in all languages."""
    plain = json.loads((HERE / "play" / f"{name}.json").read_text(encoding="utf-8"))
    return words.translated(plain, TOLD, name)
