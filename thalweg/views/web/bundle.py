"""ES modules put into one text: the page's file and the notebook's widget can't load one file from another.

The modules keep to what a short program can put together: imports are `import { a, b } from "./c.js";`, exports stand
before `function`, `async function`, `class` or `const`, and no two modules have the same name at the top.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from thalweg.errors import ArgumentError, NotFoundError
from thalweg.views.web.wording import MODULE, catalogue_module

HERE = Path(__file__).parent
VENDOR = ("vendor/uPlot.iife.min.js",)
"""Scripts that stand before all modules; each defines one global name."""
STYLES = ("vendor/uPlot.min.css", "theme.css")

IMPORT = re.compile(r'^import \{([^}]*)\} from "(\.{1,2}/[^"]+)";$', re.MULTILINE)
EXPORT = re.compile(r"^export (?=(?:async )?function\b|class\b|const\b)", re.MULTILINE)
DEFINED = re.compile(r"^(export )?(?:async function|function|class|const|let|var)\*? ([\w$]+)", re.MULTILINE)
COMMENT = re.compile(r"^[ \t]*(?:/\*\*(?:(?!\*/).)*\*/|//[^\n]*)\n", re.MULTILINE | re.DOTALL)
"""One that stands on lines of its own."""
OTHER = re.compile(r"^(?:import\b|export\b|(?:const|let|var) [{\[]).*$", re.MULTILINE)


def bundle(
    entry: str | Path,
    *,
    module: bool = False,
    vendor: Sequence[str] = VENDOR,
    commented: bool = True,
    scoped: bool = False,
) -> str:
    """The modules that `entry` needs, itself last, as one script to stand in `<script type="module">`.

    Args:
        entry: a file beside this one, such as "report.js", or the path of another.
        module: end with `export default { … }` of what the entry exports, as a notebook's widget has to.
        vendor: the scripts before them.
        commented: keep the modules' comments, which take a quarter of a deflated script.
        scoped: each module but the entry in a function of its own, so that they may use the same names.

    Raises:
        NotFoundError: a module isn't there.
        ArgumentError: modules import each other in a circle, use the same name, or are written in another way.

    >>> bundle("words.js").startswith("/*! https://github.com/leeoniya/uPlot")
    True
    """
    order = _order(HERE / entry)
    if MODULE in order:
        order[MODULE] = catalogue_module(order.values())
    if not scoped:
        _unique(order)
    parts = [(HERE / name).read_text(encoding="utf-8") for name in vendor]
    texts = {path: text if commented else COMMENT.sub("", text) for path, text in order.items()}
    parts += _scoped(texts) if scoped else [EXPORT.sub("", IMPORT.sub("", text)) for text in texts.values()]
    if module:
        names = [name for path, name in _defined(*list(order.items())[-1]) if path]
        parts.append(f"export default {{ {', '.join(names)} }};\n")
    return "\n".join(part.strip() + "\n" for part in parts)


def styles(*more: str, base: Sequence[str] = STYLES) -> str:
    """The style sheets of all pages as one text, followed by more of this folder."""
    return "\n".join((HERE / name).read_text(encoding="utf-8").strip() for name in (*base, *more)) + "\n"


def _order(entry: Path) -> dict[Path, str]:
    """Every module and its text, each after those that it imports."""
    found: dict[Path, str] = {}
    open_: list[Path] = []

    def visit(path: Path, whence: str) -> None:
        path = path.resolve()
        if path in found:
            return
        if path in open_:
            circle = " → ".join(p.name for p in [*open_[open_.index(path) :], path])
            raise ArgumentError(f"modules import each other in a circle: {circle}; move what they share to a third")
        text = _text(path, whence)
        open_.append(path)
        for names, target in IMPORT.findall(text):
            visit(path.parent / target, path.name)
            _offered(path, names, path.parent / target, found)
        open_.pop()
        found[path] = text

    visit(entry, "bundle")
    return found


def _text(path: Path, whence: str) -> str:
    if path == MODULE:
        return catalogue_module(())  # what the others say isn't known yet
    if not path.is_file():
        raise NotFoundError(f"{whence}: there is no module {path}")
    return path.read_text(encoding="utf-8")


def _scoped(modules: dict[Path, str]) -> list[str]:
    """The modules as functions that return what they export; the last, which may wait for something, as it is."""
    numbers = {path: f"$module{number}" for number, path in enumerate(modules)}
    parts = []
    for path, text in modules.items():
        taken = IMPORT.sub(lambda m, at=path.parent: f"const {{{m[1]}}} = {numbers[(at / m[2]).resolve()]};", text)  # type: ignore[misc]
        names = ", ".join(name for is_exported, name in _defined(path, text) if is_exported)
        body = EXPORT.sub("", taken)
        parts.append(f"const {numbers[path]} = (() => {{\n{body}\nreturn {{ {names} }};\n}})();")
    return [*parts[:-1], body]


def _offered(path: Path, names: str, target: Path, modules: dict[Path, str]) -> None:
    """Raises unless each imported name is exported by the target, which is among the modules."""
    exported = {name for is_exported, name in _defined(target, modules[target.resolve()]) if is_exported}
    for name in filter(None, (part.strip() for part in names.split(","))):
        if name not in exported:
            raise ArgumentError(f"{path.name} imports {name!r} from {target.name}, which exports {sorted(exported)}")


def _defined(path: Path, text: str) -> list[tuple[str, str]]:
    """The names at a module's top, each with whether it is exported."""
    rest = EXPORT.sub("", IMPORT.sub("", text))
    if found := OTHER.search(rest):
        raise ArgumentError(
            f'{path.name}: "{found[0]}" is not a form that can be bundled: write import {{ a }} from "./b.js"; on one '
            "line, export before function, class or const, and one name in each const or let"
        )
    return [(is_exported, name) for is_exported, name in DEFINED.findall(text)]


def _unique(modules: dict[Path, str]) -> None:
    where: dict[str, Path] = {}
    for path, text in modules.items():
        for _, name in _defined(path, text):
            if name in where:
                raise ArgumentError(f"{where[name].name} and {path.name} both define {name!r}; rename one")
            where[name] = path
