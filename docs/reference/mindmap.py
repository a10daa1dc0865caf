"""The map: a training as a picture, drawn from map.json, with a section for every node and the code that it names.

Run as a program, it draws the pictures that the repository shows: docs/map.svg and docs/map.zh.svg.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

from thalweg.views.web.wording import scenes

ROOT = Path(__file__).parents[2]
MAP = scenes("map")
WORDS = {
    "en": {
        "title": "The map",
        "intro": "A training from the data to a decision. The four knobs, with rounded ends, are what you choose; the "
        "rest follows. Click a box.",
        "kind": {"step": "A step", "knob": "One of the four knobs", "result": "What comes out"},
        "page": "Page",
        "instruction": "Instruction",
        "none": "none: it acts before the first step, between steps, or after the last",
        "code": "Code",
        "other": "[繁體中文](map.zh.md)",
    },
    "zh": {
        "title": "地圖",
        "intro": "一次訓練，從資料到決策。圓角的是四個旋鈕，由你決定；其餘隨之而來。點一下方塊看說明。",
        "kind": {"step": "步驟", "knob": "四個旋鈕之一", "result": "結果"},
        "page": "頁面",
        "instruction": "指令",
        "none": "沒有：它在第一步之前、兩步之間，或最後一步之後起作用",
        "code": "程式碼",
        "other": "[English](map.md)",
    },
}
STYLE = """
svg { background: #fff; font-family: "Noto Sans", "Noto Sans TC", "Noto Sans CJK TC", "PingFang TC", sans-serif; }
rect { fill: #fff; stroke: #5f6b6a; stroke-width: 1.5; }
.knob rect { fill: #0d948826; stroke: #0d9488; }
.result rect { stroke-dasharray: 5 3; }
text { fill: #1f2a29; text-anchor: middle; }
.name { font-size: 16px; font-weight: 600; }
.formula { font-size: 13px; font-family: monospace; }
.edge { font-size: 13px; fill: #5f6b6a; }
polyline { fill: none; stroke: #5f6b6a; stroke-width: 1.5; }
marker path { fill: #5f6b6a; }
"""


def lines_of(file: str, name: str) -> tuple[int, str]:
    """Where a class, function or Class.method begins, and its text."""
    text = (ROOT / file).read_text(encoding="utf-8")
    node: Any = ast.parse(text)
    for part in name.split("."):
        node = next(child for child in node.body if getattr(child, "name", None) == part)
    begin = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    return begin, "\n".join(text.splitlines()[begin - 1 : node.end_lineno])


def picture(shape: str, language: str) -> str:
    """The map as SVG: "wide" for screens, "tall" for phones. A click on a box leads to its section."""
    width, height = MAP["sizes"][shape]
    drawn = [
        f'<svg class="map map-{shape}" viewBox="0 0 {width} {height}" aria-label="{WORDS[language]["title"]}">',
        f'<defs><marker id="tip-{shape}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" '
        'orient="auto-start-reverse"><path d="M0 0 8 4 0 8z"/></marker></defs>',
    ]
    for edge in MAP["edges"]:
        points = edge[shape]
        drawn.append(f'<polyline points="{" ".join(f"{x},{y}" for x, y in points)}" marker-end="url(#tip-{shape})"/>')
        if "text" in edge:
            (x0, y0), (x1, y1) = points[:2]
            if y0 == y1 and abs(x1 - x0) > 100:
                at = f'x="{(x0 + x1) / 2}" y="{y0 - 8}"'
            elif shape == "tall" and len(points) > 2:
                at = f'transform="translate({min(x for x, _ in points) - 8} {(y0 + points[-1][1]) / 2}) rotate(-90)"'
            else:
                at = f'x="{x0 + 10}" y="{(y0 + y1) / 2 + 4}" style="text-anchor: start"'
            drawn.append(f"<text class='edge' {at}>{escape(edge['text'][language])}</text>")
    return "\n".join([*drawn, *(box(node, shape, language) for node in MAP["nodes"]), "</svg>"])


def alone(language: str) -> str:
    """The wide picture as a file of its own, which brings its style: its boxes lead nowhere."""
    drawn = picture("wide", language).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    drawn = re.sub(r'<a href="[^"]*" ', "<g ", drawn).replace("</a>", "</g>")
    return drawn.replace("<defs>", f"<style>{STYLE}</style>\n<defs>", 1) + "\n"


def box(node: dict[str, Any], shape: str, language: str) -> str:
    """One node: its title above its formula."""
    (x, y), (w, h) = node[shape], MAP["box"]
    round_by = h / 2 if node["kind"] == "knob" else 4
    return (
        f'<a href="#{node["id"]}" class="{node["kind"]}"><title>{escape(node["text"][language])}</title>'
        f'<rect x="{x - w / 2}" y="{y - h / 2}" width="{w}" height="{h}" rx="{round_by}"/>'
        f'<text x="{x}" y="{y - 6}" class="name">{escape(node["title"][language])}</text>'
        f'<text x="{x}" y="{y + 16}" class="formula">{escape(node["formula"])}</text></a>'
    )


def link(page: str, language: str, folder: Path) -> str:
    """A link to a page of the site, or to its Chinese twin if there is one, by its title."""
    base, _, place = page.partition("#")
    twin = base.replace(".md", ".zh.md")
    if language == "zh" and (folder / twin).exists():
        base = twin
    title = next(line for line in (folder / base).read_text(encoding="utf-8").splitlines() if line.startswith("# "))
    return f"[{title[2:]}]({base}{'#' if place else ''}{place})"


def sections(language: str, folder: Path) -> Iterator[str]:
    """What the map says of every node: its page, instruction and line of code."""
    words = WORDS[language]
    for node in MAP["nodes"]:
        file, name = node["code"]["file"], node["code"]["name"]
        line, _ = lines_of(file, name)
        instruction = node["instruction"]
        yield f"## {node['title'][language]} {{: #{node['id']} }}"
        yield ""
        yield f"{words['kind'][node['kind']]}: `{node['formula']}`"
        yield ""
        yield node["text"][language]
        yield ""
        yield f"- {words['page']}: {link(node['page'], language, folder)}"
        yield f"- {words['instruction']}: " + (f"`{instruction}`" if instruction else words["none"])
        yield f"- {words['code']}: [`{file}`, {name}](code.md#{node['id']}), {line}"
        yield ""


def page(language: str, folder: Path) -> str:
    """The map's page: wide and tall picture, of which the style sheet shows the one that fits."""
    words = WORDS[language]
    head = [
        "---",
        "hide: [navigation, toc]",
        "---",
        "",
        f"# {words['title']}",
        "",
        words["intro"],
        "",
        words["other"],
        "",
    ]
    body = [picture("wide", language), "", picture("tall", language), "", *sections(language, folder)]
    return "\n".join([*head, *body])


def code() -> str:
    """The lines of code that the map names."""
    lines = ["# The map's code 地圖上的程式碼", "", "What each box of the [map](map.md) is in the package.", ""]
    for node in MAP["nodes"]:
        file, name = node["code"]["file"], node["code"]["name"]
        begin, text = lines_of(file, name)
        lines += [f"## {node['title']['en']} {node['title']['zh']} {{: #{node['id']} }}", "", f"`{file}`, line {begin}"]
        lines += ["", f'```python linenums="{begin}"', text, "```", ""]
    return "\n".join(lines)


def write(folder: Path) -> None:
    """map.md, map.zh.md, code.md, in the folder in which the other pages are."""
    pages = {"map.md": page("en", folder), "map.zh.md": page("zh", folder), "code.md": code()}
    for name, text in pages.items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    for language, name in (("en", "map.svg"), ("zh", "map.zh.svg")):
        (ROOT / "docs" / name).write_text(alone(language), encoding="utf-8")
