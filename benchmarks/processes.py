"""What a process beside this one takes of the machine; 0 where there is no /proc."""

import os
import re
from pathlib import Path


def processor_seconds(process: int) -> float:
    """What it has used."""
    path = Path(f"/proc/{process}/stat")
    if not path.exists():
        return 0.0
    fields = path.read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def mebibytes(process: int) -> float:
    """What it holds of memory."""
    path = Path(f"/proc/{process}/status")
    found = re.search(r"VmRSS:\s+(\d+)", path.read_text()) if path.exists() else None
    return int(found[1]) / 1024 if found else 0.0
