"""Static HTML for notebooks, `_repr_html_`: escaped, styled inline, in the page's own text colour."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

CELL = "padding:2px 10px;border:none;border-bottom:1px solid rgba(128,128,128,.25);vertical-align:top"
MONO = "font-family:ui-monospace,'Cascadia Mono',Menlo,Consolas,'DejaVu Sans Mono',monospace"


def table(
    header: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = (), mono: Sequence[int] = ()
) -> str:
    """A table; columns in `right` are aligned to the right, those in `mono` are code. A row of one cell is a heading.

    >>> "&lt;script&gt;" in table(["layer"], [["<script>", ""]])
    True
    """

    def cell(tag: str, text: str, place: int) -> str:
        align = "right" if place in right else "left"
        code = f";{MONO};white-space:pre-wrap" if place in mono and tag == "td" else ""
        nowrap = ";white-space:nowrap" if len(text) < 20 and place not in mono else ""
        return f'<{tag} style="{CELL};text-align:{align}{nowrap}{code}">{escape(text)}</{tag}>'

    head = "".join(cell("th", text, place) for place, text in enumerate(header))
    span = f'colspan="{len(header)}" style="{CELL};padding-top:8px;text-align:left"'
    lines = []
    for row in rows:
        if len(row) > 1:
            lines.append("<tr>" + "".join(cell("td", text, place) for place, text in enumerate(row)) + "</tr>")
        else:
            lines.append(f"<tr><td {span}><b>{escape(row[0])}</b></td></tr>")
    style = "border-collapse:collapse;font-variant-numeric:tabular-nums;margin:4px 0;background:transparent"
    return f'<table style="{style}"><thead><tr>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table>'


def block(*parts: str) -> str:
    """Parts of HTML under each other, which scroll sideways where they are too wide."""
    return f'<div style="overflow-x:auto;line-height:1.4">{"".join(parts)}</div>'


def line(text: str, strong: bool = False) -> str:
    """A line of text."""
    inner = f"<b>{escape(text)}</b>" if strong else escape(text)
    return f'<div style="margin:4px 0">{inner}</div>'


def long(summary: str, content: str) -> str:
    """Content that is folded behind a line, for what is long."""
    return (
        f'<details style="margin:4px 0"><summary style="cursor:pointer">{escape(summary)}</summary>{content}</details>'
    )
