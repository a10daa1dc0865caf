"""Sentences in English and in the languages that they have been translated to.

A catalogue is a .po file as gettext, and every editor for translators, has them. It is read as it is: nothing has to be
compiled, so none can be forgotten. How a sentence is added: docs/recipes.md.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from thalweg.errors import DataError

Text = dict[str, str]
"""A text by language: of each of LANGUAGES."""
LANGUAGES = ("en", "zh")
STRING = r'"[^"\\\n]*(?:\\["\\nt][^"\\\n]*)*"'
ENTRY = re.compile(
    rf"(?:msgctxt (?P<context>{STRING})\n)?msgid (?P<english>{STRING}(?:\n{STRING})*)\n"
    rf"msgstr (?P<other>{STRING}(?:\n{STRING})*)\n*|#.*\n|\n+"
)


def say(english: str, language: str, /, *, context: str = "", **values: Any) -> str:
    """A sentence in a language; in English, where it has no translation.

    Args:
        english: the sentence. With values, it is a template as `str.format` takes it.
        language: one of LANGUAGES.
        context: tells apart what is the same in English only.
        values: by their names in the template; a `Text` is said in the same language.

    >>> say("loss", "zh") != say("loss", "en") == "loss"
    True
    """
    template = english if language == "en" else catalogue(language).get((context, english)) or english
    return template.format(**{name: chosen(value, language) for name, value in values.items()}) if values else template


def text(english: str, /, *, context: str = "", **values: Any) -> Text:
    """A sentence in every language, by the arguments of `say`: for a page, whose reader may switch."""
    return {language: say(english, language, context=context, **values) for language in LANGUAGES}


def chosen(value: Any, language: str) -> Any:
    """A text in a language; what isn't by language stays."""
    return value[language] if isinstance(value, dict) else value


def listed(items: Iterable[Text | str]) -> Text:
    """Several texts as one list.

    >>> listed(["a", {"en": "b", "zh": "c"}])["en"]
    'a, b'
    """
    items = list(items)
    return {language: say(", ", language).join(chosen(item, language) for item in items) for language in LANGUAGES}


def translated(value: Any, keys: Iterable[str], context: str) -> Any:
    """JSON with a `Text` in place of every text that stands by one of the keys.

    >>> translated([{"title": "A", "id": "a"}], ("title",), "")
    [{'title': {'en': 'A', 'zh': 'A'}, 'id': 'a'}]
    """
    if isinstance(value, list):
        return [translated(item, keys, context) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: text(held, context=context) if key in keys and isinstance(held, str) else translated(held, keys, context)
        for key, held in value.items()
    }


def unquoted(strings: str) -> str:
    """Strings of a .po file, one a line, as the text that they are together; JSON has the same signs."""
    return (
        strings[1:-1] if "\\" not in strings and "\n" not in strings else "".join(map(json.loads, strings.split("\n")))
    )


@cache
def catalogue(language: str) -> Mapping[tuple[str, str], str]:
    """(context, English) → what is said in a language."""
    return read((Path(__file__).parent / f"{language}.po").read_text(encoding="utf-8"))


def read(po: str) -> dict[tuple[str, str], str]:
    r"""The entries of a .po file without plurals; the head, whose English is empty, is none.

    Raises:
        DataError: something in it is no entry, or a sentence stands twice.

    >>> read('msgid ""\nmsgstr "Language: x\\n"\n\n# so\nmsgctxt "c"\nmsgid "a"\n"b"\nmsgstr "\\"é\\""\n')
    {('c', 'ab'): '"é"'}
    """
    found: dict[tuple[str, str], str] = {}
    at = 0
    while at < len(po):
        entry = ENTRY.match(po, at)
        if entry is None:
            raise DataError(f"line {po.count(chr(10), 0, at) + 1} of the catalogue is no entry: {po[at : at + 60]!r}")
        at = entry.end()
        if entry["english"] is None:
            continue
        context, english, other = (unquoted(part or '""') for part in entry.groups())
        if (context, english) in found:
            raise DataError(f"the catalogue has this twice: {english!r}")
        if english:
            found[context, english] = other
    return found
