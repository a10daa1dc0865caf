"""What a version needs before it is published, as far as a program can tell: python -m wheels.release, or make release.

It publishes nothing, and says what is left to do.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from thalweg.support.printing import lasting_streams

ROOT = Path(__file__).parents[1]
TAG = re.compile(r"v\d+\.\d+\.\d+((a|b|rc)\d+)?")


def git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else ""


def lacking(status: str, tags: list[str], changelog: str, golden: set[str]) -> Iterator[str]:
    """What a version lacks, whose commit has these tags; golden: the versions that have golden files."""
    if status:
        yield "the tree has changes that aren't committed: git status"
    versions = [tag[1:] for tag in tags if TAG.fullmatch(tag)]
    if len(versions) != 1:
        yield f"this commit has {len(versions)} tags of a version, and not 1: git tag v0.1.0"
        return
    (version,) = versions
    heading = re.search(r"^## (.*)$", changelog, re.M)
    if heading is None or not re.fullmatch(rf"{re.escape(version)} \(\d{{4}}-\d\d-\d\d\)", heading[1]):
        said = "" if heading is None else f": it begins with '{heading[1]}'"
        yield f"CHANGELOG.md doesn't begin with '{version} (YYYY-MM-DD)'{said}"
    if version.partition("rc")[0] not in golden:
        yield f"no golden files are of {version}: python tests/golden/make.py tests/golden/{version}"


def main() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    golden = {path.name for path in (ROOT / "tests" / "golden").iterdir()}
    found = list(lacking(git("status", "--porcelain"), git("tag", "--points-at").splitlines(), changelog, golden))
    for fault in found:
        print(f"not ready: {fault}")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    with lasting_streams(ends=True):
        main()
