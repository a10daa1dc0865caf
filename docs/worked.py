"""Runs the code of the pages in docs/ and keeps what they show true: python docs/worked.py [--check] [PAGE …].

The Python blocks of a page run one after the other in one namespace, in the project's folder; a `text` block right
after one holds what it prints. A `console` block holds commands, each after "$ ", and what they print; they run one
after the other in a folder of their own with examples/ in it. A block below `<!-- not run -->` is only shown.

Without --check the pages are rewritten with what was printed now. With it, Python's output has to be the same, numbers
to three digits and percentages to three points; of a command's output, nine of ten words, and what is counted of rows,
rules and the like: training takes other times, and other roundings, elsewhere.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
BLOCK = re.compile(
    r"(?P<not_run><!-- not run -->\n+)?^```(?P<kind>python|console)\n(?P<code>.*?)^```\n"
    r"(?:\n```text\n(?P<shown>.*?)^```\n)?",
    re.DOTALL | re.MULTILINE,
)
STAGE = "… "
"""How a line begins that says what takes long: whether it does depends on the machine."""
NUMBER = re.compile(r"[−+-]?\d[\d,]*\.?\d*(?:e[+-]?\d+)?%?")
WORD = re.compile(r"[^\W\d_]{2,}")
COUNTED = re.compile(
    r"\b\d[\d,]* (?:categories|predictions|rows|rules|seeds|trials)\b|\b\d+ of \d+ (?:parts|pictures)\b|\bpart-\d+"
    r'|"prediction": ?"\w+"|^\w+(?=,0\.\d)',
    re.MULTILINE,
)
"""What is as many, or the same, on every machine."""
COLUMNS = 100  # of the terminal in which commands run


@dataclass
class Page:
    """One file, what its blocks printed, and where that differs from what it shows."""

    path: Path
    text: str = ""
    faults: list[str] = field(default_factory=list)
    known: dict[str, object] = field(default_factory=lambda: {"__name__": "page"})

    def run(self) -> Page:
        shown = self.path.read_text(encoding="utf-8")
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(ROOT):
            shutil.copytree(ROOT / "examples", Path(folder) / "examples", ignore=shutil.ignore_patterns("keras"))
            self.text = BLOCK.sub(lambda block: self.worked(block, Path(folder)), shown)
        return self

    def worked(self, block: re.Match[str], folder: Path) -> str:
        """The block again, with what it prints now."""
        if block["not_run"]:
            return block[0]
        if block["kind"] == "python":
            printed = self.printed(block["code"])
            self.compare(block["code"], block["shown"] or "", printed, same_numbers)
            output = f"\n```text\n{printed}```\n" if printed else ""
            return f"```python\n{block['code']}```\n{output}"
        printed = "".join(self.session(block["code"], folder))
        self.compare(block["code"], block["code"], printed, same_words)
        return f"```console\n{printed}```\n" + (f"\n```text\n{block['shown']}```\n" if block["shown"] else "")

    def printed(self, code: str) -> str:
        """What Python code prints."""
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(code, f"{self.path.name}: {code.splitlines()[0]}", "exec"), self.known)
        text = "\n".join(line.rstrip() for line in out.getvalue().splitlines())
        return f"{text}\n" if text else ""

    def session(self, code: str, folder: Path) -> Iterator[str]:
        """Commands, each with what it prints; one that fails raises."""
        environment = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": str(COLUMNS), "PYTHONIOENCODING": "utf-8"}
        for command in re.findall(r"^\$ (.*)$", code, re.MULTILINE):
            words = command.replace("thalweg", f"{sys.executable} -m thalweg", 1)
            done = subprocess.run(
                words, shell=True, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
            )
            text = done.stdout.decode("utf-8").replace(str(folder) + os.sep, "")
            if done.returncode:
                raise RuntimeError(f"{self.path.name}: {command}\n{text}")
            kept = [line.rstrip() for line in text.strip("\n").splitlines() if not line.startswith(STAGE)]
            lines = "\n".join(kept)
            yield f"$ {command}\n{lines}\n" if lines else f"$ {command}\n"

    def compare(self, code: str, shown: str, printed: str, same: Callable[[str, str], bool]) -> None:
        if not same(shown, printed):
            self.faults.append(f"{self.path.name} shows\n{shown}\nbut this prints now\n{printed}\n{code}")


def same_numbers(shown: str, printed: str) -> bool:
    """Whether two texts are the same: words exactly, numbers to three digits or 1e-6, percentages to three points."""
    if NUMBER.sub("#", shown).split() != NUMBER.sub("#", printed).split():
        return False
    pairs = zip(NUMBER.findall(shown), NUMBER.findall(printed), strict=True)
    return all(near(a, b) for a, b in pairs)


def near(shown: str, printed: str) -> bool:
    """Whether two numbers are the same, as `same_numbers` says."""
    a, b = (float(number.rstrip("%").replace(",", "").replace("−", "-")) for number in (shown, printed))
    allowed = 3 if shown.endswith("%") else max(1e-6, 1e-3 * max(abs(a), abs(b)))
    return abs(a - b) <= allowed and shown.endswith("%") == printed.endswith("%")


def same_words(shown: str, printed: str) -> bool:
    """Whether two texts say the same: nine of ten words, and what is counted.

    Whatever their order, in which better settings come first.
    """
    (a, counted), (b, now) = (
        [Counter(found(text)) for found in (WORD.findall, COUNTED.findall)] for text in (shown, printed)
    )
    return (a & b).total() >= 0.9 * max(a.total(), b.total()) and counted == now


def written() -> list[Path]:
    """All pages that somebody wrote; their Chinese twins show the same."""
    return [p for p in (*sorted(DOCS.glob("*.md")), *sorted((DOCS / "guides").glob("*.md"))) if ".zh" not in p.suffixes]


def pages() -> list[Path]:
    """The pages with blocks to run."""
    return [path for path in written() if "<!-- worked -->" in path.read_text(encoding="utf-8")]


def twin(path: Path) -> Path:
    """The Chinese page beside an English one."""
    return path.with_name(f"{path.stem}.zh.md")


def follow(english: str, chinese: str) -> str:
    """A Chinese page that shows what the English one does; of Python code its own lines, as comments are translated."""
    blocks = BLOCK.finditer(english)

    def shown(block: re.Match[str]) -> str:
        other = next(blocks)
        if block["not_run"] or block["kind"] == "console":
            return other[0]
        output = f"\n```text\n{other['shown']}```\n" if other["shown"] else ""
        return f"```python\n{block['code']}```\n{output}"

    return BLOCK.sub(shown, chinese)


def main() -> None:
    names = [name for name in sys.argv[1:] if not name.startswith("--")]
    faults = []
    for path in [Path(name).resolve() for name in names] or pages():
        page = Page(path).run()
        faults += page.faults
        if "--check" not in sys.argv:
            path.write_text(page.text, encoding="utf-8")
            if twin(path).exists():
                twin(path).write_text(follow(page.text, twin(path).read_text(encoding="utf-8")), encoding="utf-8")
    if "--check" in sys.argv and faults:
        sys.exit("\n\n".join(faults))


if __name__ == "__main__":
    main()
