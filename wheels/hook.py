"""Puts the libraries of ready kernels into a wheel; without them the wheel is for any system, and compiles."""

from __future__ import annotations

import json
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
        contents = sorted(Path(folder).glob("*.json"))
        if not contents:
            raise FileNotFoundError(f"there is no library of kernels in {folder}")
        for path in contents:
            found = json.loads(path.read_text(encoding="utf-8"))
            path.write_text(json.dumps(found | {"version": self.metadata.version}, indent=0), encoding="utf-8")
            for file in (path, path.with_name(found["file"])):
                build_data["force_include"][str(file)] = f"{PLACE}/{file.name}"
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{os.environ['THALWEG_TAGS']}"
