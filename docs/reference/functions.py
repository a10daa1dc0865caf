"""The functions that are called by their names: of thalweg.ops, random, utils, saving and others, a table for each."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

from catalogues import call
from docstring import first_sentence

from thalweg import applications, datasets, ops, random, saving, utils
from thalweg.engine import jax

OPS = {  # a module of thalweg.ops → its headings
    "pointwise": ("each number by itself", "逐一計算"),
    "summaries": ("sums, means and the like", "總和、平均等"),
    "contractions": ("products", "乘積"),
    "attention": ("attention", "注意力"),
    "linalg": ("linear algebra", "線性代數"),
    "segments": ("segments", "分段"),
    "loops": ("loops over steps", "逐步的迴圈"),
    "arrangement": ("shapes and order", "形狀與順序"),
    "indexing": ("parts and places", "取出與位置"),
    "creation": ("new arrays", "新的陣列"),
}
MODULES: dict[str, tuple[Any, str, str]] = {
    "ops.image": (ops.image, "images", "影像"),
    "random": (random, "random numbers", "亂數"),
    "utils": (utils, "small tools", "小工具"),
    "saving": (saving, "files and their classes", "檔案與類別"),
    "datasets": (datasets, "data sets", "資料集"),
    "applications": (applications, "networks for images", "影像網路"),
    "engine.jax": (jax, "accelerators", "加速器"),
}


def rows(module: str, things: dict[str, Any]) -> Iterator[str]:
    """A table; several names of one function stand in one row."""
    named: dict[int, list[str]] = {}
    for name, thing in things.items():
        named.setdefault(id(thing), []).append(name)
    yield "| Call 呼叫 | What it is 說明 |"
    yield "|---|---|"
    for names in named.values():
        thing = things[names[0]]
        first = f"{module}.{names[0]}" if inspect.ismodule(thing) else call(f"{module}.{names[0]}", thing)
        if inspect.ismodule(thing):
            first += ".load_data(…)"
        also = "".join(f"<br>`{module}.{name}`" for name in names[1:])
        said = first_sentence(inspect.getdoc(thing) or "").replace("\\|", "|").replace("|", "\\|")
        yield f"| `{' '.join(first.split())}`{also} | {said} |"


def page() -> str:
    """functions.md."""
    lines = [
        "# Functions 函數",
        "",
        "`from thalweg import ops`: the same functions between tensors of a network, in a `call`, and on",
    ]
    lines += ["arrays; networks derive and compile them. What a function can't do in a network, its error says.", ""]
    lines += ["`ops` 的函數可以用在網路的張量之間、自訂層的 `call` 裡，也可以直接用在陣列上。", ""]
    for module, (title, chinese) in OPS.items():
        things = {n: t for n in ops.__all__ if (t := getattr(ops, n)).__module__ == f"{ops.__name__}.{module}"}
        lines += [f"## ops: {title} {chinese}", "", *rows("ops", things), ""]
    for name, (module, title, chinese) in MODULES.items():
        things = {n: getattr(module, n) for n in module.__all__}
        if module is not datasets:
            things = {n: thing for n, thing in things.items() if not inspect.ismodule(thing)}
        lines += [f"## {name}: {title} {chinese}", "", *rows(name, things), ""]
    return "\n".join(lines)
