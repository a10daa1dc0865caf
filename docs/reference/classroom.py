"""Pages for a class, made of the live page's lessons: slides, and a worksheet without the answers. Both print."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from thalweg.views.web.wording import scenes

WORDS = {
    "en": {
        "worksheet": "Worksheet",
        "slides": "Slides",
        "other": "[繁體中文]({0}.zh.md)",
        "about worksheet": "The lessons of [the live page](live-page.md) on paper: choose an answer first, then do the "
        "task. To show while you speak: [the slides](slides.md). For the teacher: [teaching](teaching.md).",
        "about slides": "The lessons of [the live page](live-page.md): the text and its question, then what comes out. "
        "In print, each begins a page. For the pupils: [the worksheet](worksheet.md).",
        "name": "Name:",
        "think": "What do you think?",
        "task": "Your task",
        "saw": "What I saw:",
        "result": "What comes out",
    },
    "zh": {
        "worksheet": "學習單",
        "slides": "投影片",
        "other": "[English]({0}.md)",
        "about worksheet": "[互動頁面](live-page.zh.md)的課程，印在紙上：先選一個答案，再做任務。"
        "講解時可以播放[投影片](slides.zh.md)。給老師：[教學指引](teaching.zh.md)。",
        "about slides": "[互動頁面](live-page.zh.md)的課程：先是說明與問題，再是結果。列印時每一張都從新的一頁開始。"
        "給學生：[學習單](worksheet.zh.md)。",
        "name": "姓名：",
        "think": "你覺得呢？",
        "task": "任務",
        "saw": "我看到的：",
        "result": "結果",
    },
}


def plain(text: str) -> str:
    """A text as Markdown that shows every sign of it."""
    return re.sub(r"([\\*_<|`])", r"\\\1", text)


def beginning(kind: str, language: str) -> Iterator[str]:
    said = WORDS[language]
    yield f"# {said[kind]}"
    yield said["other"].format(kind)
    yield said[f"about {kind}"]


def worksheet(lessons: list[dict[str, Any]], language: str) -> Iterator[str]:
    """The paragraphs of the worksheet: questions, tasks, and lines to write on."""
    said = WORDS[language]
    yield from beginning("worksheet", language)
    yield f'{said["name"]}: <span class="blank"></span>'
    for number, lesson in enumerate(lessons, start=1):
        task = lesson["task"]
        yield f"## {number}. {plain(lesson['title'][language])} {{: #{lesson['id']} .sheet }}"
        yield f"**{said['think']}** {plain(task['question'][language])}"
        yield "\n".join(f"- ☐ {plain(choice['text'][language])}" for choice in task["choices"])
        yield f"**{said['task']}** {plain(task['text'][language])}"
        yield f'{said["saw"]}\n<span class="lines"></span>'


def slides(lessons: list[dict[str, Any]], language: str) -> Iterator[str]:
    """The paragraphs of the slides: two for each lesson."""
    said = WORDS[language]
    yield from beginning("slides", language)
    for number, lesson in enumerate(lessons, start=1):
        task, title = lesson["task"], plain(lesson["title"][language])
        yield f"## {number}. {title} {{: #{lesson['id']} .slide }}"
        yield plain(lesson["text"][language])
        yield f"**{said['think']}** {plain(task['question'][language])}"
        yield "\n".join(f"- {plain(choice['text'][language])}" for choice in task["choices"])
        yield f"### {number}. {title} · {said['result']} {{: #{lesson['id']}-result .slide }}"
        yield f"**{said['task']}** {plain(task['text'][language])}"
        yield f"**✓** {plain(task['done'][language])}"


def write(folder: Path) -> None:
    """Both pages in both languages."""
    lessons = scenes("lessons")
    for language in WORDS:
        for kind, made in (("worksheet", worksheet), ("slides", slides)):
            name = f"{kind}{'.zh' if language == 'zh' else ''}.md"
            (folder / name).write_text("\n\n".join(made(lessons, language)) + "\n", encoding="utf-8")
