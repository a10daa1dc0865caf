"""Sentences in English and in the languages that they have been translated to.

A catalogue is a .po file as gettext, and every editor for translators, has them. It is read as it is: nothing has to be
compiled, so none can be forgotten. How a sentence is added: docs/recipes.md.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from numbers import Real
from pathlib import Path
from typing import Any, NamedTuple, Self

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
    return {language: say(english, language, context=context, **signed(values)) for language in LANGUAGES}


class Negative(NamedTuple):
    """A number below 0 as pages write it, with the field's sign."""

    number: Any

    def __format__(self, form: str) -> str:
        return format(self.number, form).replace("-", "−", 1)


def signed(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a sentence on a page."""
    return {name: Negative(value) if isinstance(value, Real) and value < 0 else value for name, value in values.items()}


def chosen(value: Any, language: str) -> Any:
    """A text in a language, and several as one list; what isn't by language stays."""
    if isinstance(value, Said):
        return say(value.template, language, context=value.context, **signed(value.values))
    if isinstance(value, list):
        return say(", ", language).join(chosen(item, language) for item in value)
    return value[language] if isinstance(value, dict) else value


def listed(items: Iterable[Text | str], between: str = ", ") -> Text:
    """Several texts as one list.

    >>> said = listed(["a", {"en": "b", "zh": "c"}])
    >>> said["en"], said["zh"][-1]
    ('a, b', 'c')
    """
    items = list(items)
    return {language: say(between, language).join(chosen(item, language) for item in items) for language in LANGUAGES}


class Said(str):
    """A sentence as a text, its English, that knows its template and values: a page says it in its reader's language.

    So it goes wherever a text goes: into an error, a column's reason, a file. The arguments are those of `say`, where a
    value may be one of these, too, or a list of texts.

    >>> left = Said("{rest} others", rest=2)
    >>> left, isinstance(left, str), sorted(left.text)
    ('2 others', True, ['en', 'zh'])
    """

    __slots__ = ("context", "template", "values")
    template: str
    context: str
    values: dict[str, Any]

    def __new__(cls, english: str, /, *, context: str = "", **values: Any) -> Self:
        values = {name: value.item() if hasattr(value, "item") else value for name, value in values.items()}  # NumPy's
        self = super().__new__(cls, say(english, "en", context=context, **values))
        self.template, self.context, self.values = english, context, values
        return self

    def __getnewargs_ex__(self) -> tuple[tuple[str], dict[str, Any]]:
        return (self.template,), {"context": self.context, **self.values}

    @property
    def text(self) -> Text:
        """In every language."""
        return {language: chosen(self, language) for language in LANGUAGES}

    @classmethod
    def of(cls, error: BaseException | str) -> str:
        """What an error or a warning says, as one of these if it was made with one."""
        said = error.args[0] if isinstance(error, BaseException) and error.args else error
        return said if isinstance(said, cls) else str(error)


def kept(content: Any) -> Any:
    """JSON for a file, and beside its sentences, in "said", the templates and values that they are made of.

    >>> kept({"why": Said("{rest} others", rest=2)})
    {'why': '2 others', 'said': {'2 others': {'template': '{rest} others', 'values': {'rest': 2}}}}
    """

    def how(value: Any) -> Any:
        if isinstance(value, Said):
            context = {"context": value.context} if value.context else {}
            return {"template": value.template, **context, "values": {name: how(v) for name, v in value.values.items()}}
        return [how(part) for part in value] if isinstance(value, list) else value

    said = {str(sentence): how(sentence) for sentence in within(content)}
    return content | {"said": said} if said else content


def within(content: Any) -> Iterator[Said]:
    """The sentences in JSON."""
    if isinstance(content, Said):
        yield content
    elif isinstance(content, (dict, list, tuple)):
        for part in content.values() if isinstance(content, dict) else content:
            yield from within(part)


def restored(content: Any) -> Any:
    """What `kept` has made JSON of. A sentence stays plain English if the file doesn't have its template, or this
    version of thalweg doesn't, or if both don't agree.

    >>> restored(json.loads(json.dumps(kept({"why": Said("{rest} others", rest=2)}))))["why"].values
    {'rest': 2}
    """
    if not isinstance(content, dict) or not isinstance(content.get("said"), dict):
        return content
    again = {english: told for english, how in content["said"].items() if (told := understood(how)) == english}

    def replaced(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: replaced(part) for key, part in value.items()}
        if isinstance(value, list):
            return [replaced(part) for part in value]
        return again.get(value, value) if isinstance(value, str) else value

    return {key: replaced(value) for key, value in content.items() if key != "said"}


def understood(how: Any) -> Said | None:
    """The sentence of a file's template and values; None unless the template is the catalogue's and takes them."""

    def again(value: Any) -> Any:
        if isinstance(value, list):
            return [again(part) for part in value]
        if not isinstance(value, dict):
            return value
        context, template = value.get("context", ""), value["template"]
        if not any((context, template) in catalogue(language) for language in LANGUAGES[1:]):
            raise KeyError(template)
        return Said(template, context=context, **{name: again(part) for name, part in value["values"].items()})

    try:
        return again(how) if isinstance(how, dict) else None
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError):
        return None


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
