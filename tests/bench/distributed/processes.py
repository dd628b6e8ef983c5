"""What a process has used, and uses, as the system counts it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PAGE: Final = os.sysconf("SC_PAGESIZE")


def cpu_of(pid: int) -> float:
    """Seconds of CPU so far, in user and in system mode."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def resident_mb(pid: int) -> int:
    """Memory that is its own or shared, in use now."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE // 1024 // 1024
