"""Writes the pages of the site into a folder for mkdocs: python docs/reference/generate.py FOLDER, or `make docs`.

The texts of docs/ are copied; a page for each catalogue is generated from the code: a table of everything in it, then
an entry each with its call, formula, curve, and when to use it. Every fact is an attribute of the thing itself; its
Chinese stands in the catalogue of words, thalweg/words/zh.po.
"""

from __future__ import annotations

import inspect
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb

HERE = Path(__file__).parent
if str(HERE) not in sys.path:
    sys.path.insert(0, str(HERE))

import classroom  # noqa: E402 — these stand beside this file
import commands  # noqa: E402
import functions  # noqa: E402
import mindmap  # noqa: E402
from catalogues import Section, arguments, call, fact, fact_zh, sections, text_of  # noqa: E402
from docstring import escape, first_sentence, markdown  # noqa: E402
from places import on_the_site  # noqa: E402

from thalweg.play.pages.site import write_file  # noqa: E402
from thalweg.sklearn import TabularClassifier  # noqa: E402
from thalweg.support.naming import snake_case  # noqa: E402
from thalweg.support.printing import lasting_streams  # noqa: E402

DOCS = HERE.parent
COPIED = ("*.md", "*.svg", "*.png", "assets/*", "guides/*.md", "*.json")
FACTS = {
    "formula": "Formula 公式",
    "derivative": "Derivative 導數",
    "range": "Range 值域",
    "targets": "Targets 目標",
    "paper": "Source 出處",
}
ADVICE = {"use": "When to use it 適用", "avoid": "When not 不適用"}
CODE = ("formula", "derivative")
THEME = DOCS.parent / "thalweg" / "views" / "web" / "theme.css"
LIGHT, DARK = r"\.thalweg \{\n(.*?)  --radius", r'data-theme="dark"\] \{\n(.*?)  \}'


def anchor(name: str) -> str:
    """Where an entry stands in its page."""
    return re.sub(r"[^a-z0-9_]+", "-", name.lower()).strip("-")


def cell(text: str) -> str:
    return text.replace("|", "\\|")


def in_short(section: Section, thing: Any) -> str:
    """One English sentence on an entry: when to use it, or else the first sentence of its docstring."""
    use = fact(thing, "use")
    return escape(use) if use and section.facts else first_sentence(inspect.getdoc(thing) or "")


def heading(name: str, title: str) -> str:
    """A name and its Chinese title, which doesn't repeat the name where it begins with it."""
    shown = name.replace("Model.", "model.")
    rest = title[len(name) :] if title.lower().startswith(name.lower()) else f" {title}" if title else ""
    return f"{shown}{rest}".rstrip()


def page(section: Section, folder: Path) -> str:
    """The Markdown of a catalogue; its pictures are written beside it."""
    lines = [f"# {section.title} {section.title_zh}", "", section.intro, "", section.intro_zh, ""]
    lines += ["| Name 名稱 | 中文 | What it is 說明 |", "|---|---|---|"]
    for name, thing in section.things.items():
        title, summary = (fact_zh(section, name, which) for which in ("title", "summary"))
        said = cell(f"{in_short(section, thing)}<br>{summary}".replace("\\|", "|"))
        lines.append(f"| [`{name}`](#{anchor(name)}) | {cell(title)} | {said} |")
    for name, thing in section.things.items():
        lines += ["", *entry(section, name, thing, folder)]
    return "\n".join(lines) + "\n"


def entry(section: Section, name: str, thing: Any, folder: Path) -> Iterator[str]:
    """The lines of one entry."""
    title, summary = (fact_zh(section, name, which) for which in ("title", "summary"))
    yield f"## {heading(name, title)} {{: #{anchor(name)} }}"
    yield ""
    yield summary
    first, rest = text_of(thing)
    if first:
        yield ""
        yield markdown(first)
    if name not in section.methods:
        yield ""
        yield f"```python\n{call(name, thing)}\n```"
    yield from facts(section, name, thing)
    picture = f"{section.name}-{snake_case(name)}.svg"
    if section.draw is not None and section.draw(name, thing, folder / picture):
        yield ""
        yield f"![{name}]({picture})"
    if rest:
        yield ""
        yield markdown(rest, arguments(thing))
    yield from methods(section, name, thing)


def methods(section: Section, name: str, thing: Any) -> Iterator[str]:
    """What can be asked of a thing that a call returned."""
    if name not in section.methods:
        return
    yield ""
    yield "**Methods 方法**"
    yield ""
    for method in section.methods[name]:
        held = inspect.getattr_static(thing, method)
        if isinstance(held, property):
            yield f"- `{method}`: {first_sentence(inspect.getdoc(held) or '')}"
        else:
            whose = f"{name}." if isinstance(held, classmethod | staticmethod) else "."
            yield f"- `{whose}{call(method, getattr(thing, method))}`: {first_sentence(inspect.getdoc(held) or '')}"


def facts(section: Section, name: str, thing: Any) -> Iterator[str]:
    """What holds of an entry, then the advice in both languages."""
    if not section.facts:
        return
    yield ""
    yield "| Fact 項目 | English | 中文 |"
    yield "|---|---|---|"
    for which in section.facts:
        if which in ADVICE:
            yield f"| **{ADVICE[which]}** | {cell(fact(thing, which))} | {cell(fact_zh(section, name, which))} |"
            continue
        english, chinese = fact(thing, which), fact_zh(section, name, which)
        both = (f"`{english}`", f"`{english}`") if which in CODE else (english, chinese)
        yield f"| **{FACTS[which]}** | {cell(both[0])} | {cell(both[1]) if both[0] != both[1] else '〃'} |"


def overview(pages: list[Section]) -> str:
    """The page that names everything."""
    lines = ["# Reference 參考手冊", "", "Generated from the code. 由程式碼產生。", ""]
    for section in pages:
        names = ", ".join(f"[`{name}`]({section.name}.md#{anchor(name)})" for name in section.things)
        lines += [f"## {section.title} {section.title_zh}", "", f"[{section.title}]({section.name}.md): {names}", ""]
    lines += [
        "## Functions 函數",
        "",
        "[Functions](functions.md): what is called by its name in `ops`, `random`, `utils` …",
        "",
    ]
    return "\n".join(lines)


def write(folder: Path) -> list[Path]:
    """All pages into an empty folder: the texts and pictures of docs/, the catalogues, the map, the live page."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    for source in sorted(path for pattern in COPIED for path in DOCS.glob(pattern)):
        copy = folder / source.relative_to(DOCS)
        copy.parent.mkdir(exist_ok=True)
        if source.suffix == ".md":
            copy.write_text(on_the_site(source.read_text(encoding="utf-8"), source), encoding="utf-8")
        else:
            shutil.copy(source, copy)
    written = []
    for section in sections():
        path = folder / f"{section.name}.md"
        path.write_text(page(section, folder), encoding="utf-8")
        written.append(path)
    (folder / "reference.md").write_text(overview(sections()), encoding="utf-8")
    (folder / "functions.md").write_text(functions.page(), encoding="utf-8")
    (folder / "options.md").write_text(commands.page(), encoding="utf-8")
    mindmap.write(folder)
    classroom.write(folder)
    write_file(folder / "play.html", documented="./")
    penguins_form(folder / "form.html")
    (folder / "assets" / "palette.css").write_text(palette(), encoding="utf-8")
    return written


def palette() -> str:
    """The colours of page, report and form, for the site: the dark theme's where the system is dark."""
    theme = THEME.read_text("utf-8")
    ((light,), (dark,)) = (re.findall(rule, theme, re.DOTALL) for rule in (LIGHT, DARK))
    return f":root {{\n{light}}}\n@media (prefers-color-scheme: dark) {{ :root {{\n{dark}}} }}\n"


def penguins_form(path: Path) -> None:
    """The page that `thalweg export --to html` makes of the penguins."""
    columns = duckdb.read_csv(str(DOCS.parent / "examples" / "penguins.csv")).fetchnumpy()
    target = columns.pop("target")
    TabularClassifier("fast", random_state=1).fit(columns, target).export(path)


if __name__ == "__main__":
    with lasting_streams(ends=True):
        for path in write(Path(sys.argv[1] if len(sys.argv) > 1 else "build/docs")):
            print(path)
