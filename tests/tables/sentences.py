"""What thalweg says to its users, collected from where it stands: the keys of thalweg/words/zh.po.

`python tests/tables/sentences.py` adds what waits for translation to the catalogue, with an empty msgstr, and takes out
what nothing says any more, and from the notes of what was read."""

import ast
import inspect
import json
import sys
from dataclasses import fields as fields_of
from pathlib import Path
from string import Formatter

import chinese_words
import numpy as np

import thalweg
from thalweg import metrics
from thalweg.doctor import RULES
from thalweg.experiments.tuning.space import Candidate
from thalweg.experiments.tuning.tuner import tune
from thalweg.runs.image_options import ImageOptions
from thalweg.runs.scores import class_scores, number_scores
from thalweg.runs.table_run import TableOptions
from thalweg.support.naming import snake_case
from thalweg.support.printing import lasting_streams
from thalweg.tabular.scoring import CLASS_METRICS, NUMBER_METRICS
from thalweg.views.web.wording import OWN_NAME, SCENES, TOLD, spoken
from thalweg.words.translations import catalogue

ROOT = Path(thalweg.__file__).parent
REFERENCE = str(ROOT.parent / "docs" / "reference")
PO = ROOT / "words" / "zh.po"
HEAD = r"""# Chinese as in Taiwan. Which word is chosen for what: docs/glossary.md. How to add: docs/recipes.md
msgid ""
msgstr "Language: zh_TW\nContent-Type: text/plain; charset=UTF-8\n"
"""


def in_python(text):
    """(context, English, names of the values) of what a module says; the English is None where it is no literal."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and says(node):
            values = {keyword.arg: keyword.value for keyword in node.keywords}
            context = values.pop("context", ast.Constant(""))
            for english in literals(node.args[0]):
                yield getattr(context, "value", None), english, set(values)


def says(call):
    """Whether it is words.say, words.text or words.Said, or an error of the live page."""
    if isinstance(call.func, ast.Attribute):
        return call.func.attr in ("Said", "say", "text") and getattr(call.func.value, "id", "") == "words"
    return getattr(call.func, "id", "") == "RefusedError"


def literals(node):
    """The texts that an argument may be."""
    if isinstance(node, ast.IfExp):
        return [*literals(node.body), *literals(node.orelse)]
    return [node.value if isinstance(node, ast.Constant) else None]


def in_scenes(value, context):
    """What lessons, presets and the map say."""
    if isinstance(value, list):
        return [found for item in value for found in in_scenes(item, context)]
    if not isinstance(value, dict):
        return []
    own = [(context, held) for key, held in value.items() if key in TOLD and isinstance(held, str)]
    return own + [found for held in value.values() for found in in_scenes(held, context)]


def modules(pattern):
    """The package's files of a kind, and their texts."""
    found = (path for path in sorted(ROOT.rglob(pattern)) if "vendor" not in path.relative_to(ROOT).parts)
    return {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in found}


def sentences():
    """(context, English) of everything that is said."""
    said = {OWN_NAME, ("", ", "), ("", "; ")}
    for text in modules("*.py").values():
        said |= {(context, english) for context, english, _ in in_python(text) if english is not None}
    for text in modules("*.js").values():
        said |= set(spoken(text))
    for rule in RULES.values():
        said |= {("rule", rule.name), *(("", text) for text in (rule.sentence, rule.evidence, rule.remedy))}
    for name in SCENES:
        scenes = json.loads((ROOT / "views" / "web" / "play" / f"{name}.json").read_text(encoding="utf-8"))
        said |= set(in_scenes(scenes, name))
    said |= {("setting", name) for name in settings()} | {("score", name.replace("_", " ")) for name in scores()}
    if REFERENCE not in sys.path:
        sys.path.insert(0, REFERENCE)
    from catalogues import sentences as of_the_reference  # what docs/reference/generate.py writes

    return said | set(of_the_reference())


def settings():
    """What reports call settings: the options of runs and searches, and what is set of a model."""
    options = {field.name for kind in (TableOptions, ImageOptions, Candidate) for field in fields_of(kind)}
    of_search = inspect.signature(tune).parameters.keys() - {"table", "x", "y", "space", "progress"}
    return options | of_search | {"search", "engine"}


def scores():
    """What reports call scores and the values of a history: of runs, of a table's networks, and Keras's metrics."""
    found = class_scores(np.array([0, 1]), np.eye(2)) | number_scores(np.arange(2.0), np.arange(2.0))
    named = {*found, *CLASS_METRICS, *NUMBER_METRICS, *map(snake_case, metrics.CLASSES)}
    return named | {kind.short for kind in metrics.CLASSES.values() if kind.short} | {"loss", "learning_rate"}


def fields(template):
    """The names of a template's values; of a sentence without values, its braces are none."""
    return {name for name, *_ in formats(template)}


def formats(template):
    """The values of a template, and how each is written: (name, format, conversion)."""
    try:
        return {(name, *how) for _, name, *how in Formatter().parse(template) if name is not None}
    except ValueError:
        return set()


def written(entries):
    """(context, English) → translation, as a .po file in the order of the English."""
    lines = [HEAD]
    for (context, english), other in sorted(entries.items(), key=lambda item: (item[0][1].lower(), *item[0])):
        head = f"msgctxt {quoted(context)}\n" if context else ""
        lines.append(f"{head}msgid {quoted(english)}\nmsgstr {quoted(other)}\n")
    return "\n".join(lines)


def quoted(text):
    """A string of a .po file, whose signs are written as JSON writes them."""
    return json.dumps(text, ensure_ascii=False)


def main():
    said, known = sentences(), dict(catalogue("zh"))
    PO.write_text(written({key: known.get(key, "") for key in said}), encoding="utf-8", newline="\n")
    waiting = sorted(key for key in said if not known.get(key))
    print(f"{len(said)} sentences; {len(waiting)} wait for translation, {len(known.keys() - said)} taken out")
    for _, english in waiting:
        print(f"  {english}")
    catalogue.cache_clear()
    chinese_words.main([])


if __name__ == "__main__":
    with lasting_streams(ends=True):
        main()
