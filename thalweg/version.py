"""The version, which files that thalweg writes name: that of the tag from which it was built."""

from pathlib import Path

WRITTEN = Path(__file__).with_name("version.txt")  # by the build; a checkout that was never installed has none
__version__ = WRITTEN.read_text(encoding="utf-8").strip() if WRITTEN.exists() else "0.1.0.dev0"
