"""Draws docs/train.svg, the picture in the README: what a terminal shows of `make demo`. Run: python docs/picture.py"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

from thalweg.support.printing import lasting_streams

ROOT = Path(__file__).parent.parent
COMMAND = ["train", "examples/penguins.csv", "--target", "target", "--seed", "1"]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "penguins"
        call = [sys.executable, "-m", "thalweg", *COMMAND, "--out", str(out)]
        printed = subprocess.run(call, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    printed = printed.replace(str(out), "runs/penguins")
    console = Console(record=True, width=112, file=open("/dev/null", "w"))  # noqa: SIM115 — it lives as long as we do
    console.print(Text(f"$ thalweg {' '.join(COMMAND)}", style="bold green"))
    console.print(Text(printed.rstrip()))
    console.print()  # rich clips the last line: below its baseline nothing is seen, such as a _
    drawn = re.sub(r"@font-face \{.*?\}\s*", "", console.export_svg(title="thalweg"), flags=re.DOTALL)
    (ROOT / "docs" / "train.svg").write_text(drawn, encoding="utf-8")  # without fonts from elsewhere


if __name__ == "__main__":
    with lasting_streams(ends=True):
        main()
