"""The journal of a long measurement: one JSON line for each answer, so that it can go on after an interruption.

The first line names what is measured; a journal of something else is not continued but refused.
A last line cut short by a kill is dropped.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import orjson

from pinakes.errors import SettingsError


class Journal:
    """What was measured so far, and where more is written."""

    def __init__(self, path: Path, identity: dict[str, Any], *, resume: bool) -> None:
        """Opens `path`; without `resume` it begins anew.

        Raises:
            SettingsError: it belongs to another measurement.
        """
        self.entries: list[dict[str, Any]] = []
        path.parent.mkdir(parents=True, exist_ok=True)
        if resume and path.exists():
            lines = list(_whole_lines(path))
            if lines and lines[0] != identity:
                differs = sorted(key for key in identity if lines[0].get(key) != identity[key])
                raise SettingsError(
                    f"{path} belongs to another measurement: {', '.join(differs)} differ",
                    hint="Give the same options, or leave out --resume.",
                )
            self.entries = lines[1:]
        # Written anew, so that what follows does not stand behind half a line.
        self._file: TextIO = path.open("w", encoding="utf-8")
        for entry in (identity, *self.entries):
            self._write(entry)
        self._file.flush()

    def add(self, **entry: Any) -> None:
        """One more entry; it survives a kill from now on."""
        self.entries.append(entry)
        self._write(entry)
        self._file.flush()

    def find(self, what: str) -> list[dict[str, Any]]:
        """The entries of one sort."""
        return [entry for entry in self.entries if entry["what"] == what]

    def close(self) -> None:
        """No more entries."""
        self._file.close()

    def _write(self, entry: dict[str, Any]) -> None:
        self._file.write(orjson.dumps(entry).decode() + "\n")


def _whole_lines(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_bytes().split(b"\n")[:-1]:
        yield orjson.loads(line)
