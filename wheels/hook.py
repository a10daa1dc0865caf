"""Puts the libraries of ready kernels into a wheel; without them the wheel is for any system, and compiles."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PLACE = "thalweg/engine/native/ready"


class Hook(BuildHookInterface[Any]):
    """THALWEG_LIBRARIES is the folder of the libraries, THALWEG_TAGS the wheel's platform tags; `python -m wheels`
    sets both."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        folder = os.environ.get("THALWEG_LIBRARIES")
        if not folder or version == "editable":
            return
        files = [path for path in Path(folder).iterdir() if path.suffix in (".so", ".dylib", ".dll", ".json")]
        if not files:
            raise FileNotFoundError(f"there is no library of kernels in {folder}")
        build_data["force_include"] |= {str(path): f"{PLACE}/{path.name}" for path in files}
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{os.environ['THALWEG_TAGS']}"
