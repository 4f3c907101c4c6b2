"""The file of refused lines: one JSON object each, `file, line, reason, id, text`.

It holds the refusals of the latest import of each file named in it, every line once, also after a
kill: what is written here before a batch's commit and not committed is written again, so on opening
everything of this file beyond the committed line goes. There is no such file while nothing was refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import orjson

from pinakes.errors import ImportFailed
from pinakes.store.transfer.batch import Refused

SUFFIX = ".rejects.jsonl"


class Rejects:
    """The refusals of one input file, in `path` or, unless one was asked for, where it can be written."""

    def __init__(self, source: Path, path: Path | None) -> None:
        self._source = source
        name = source.name + SUFFIX
        self._candidates = [path] if path is not None else [source.with_name(name), Path.cwd() / name]
        self._file: BinaryIO | None = None
        self.path: Path | None = None

    def open(self, committed_lines: int) -> None:
        """Forgets what earlier runs said of this file beyond `committed_lines`.

        Raises:
            ImportFailed: a file of that name is no rejects file.
        """
        for path in self._candidates:
            if path.exists():
                self._prune(path, committed_lines)

    def _prune(self, path: Path, committed_lines: int) -> None:
        kept, dropped = [], 0
        try:
            for text in path.read_bytes().splitlines():
                if self._stays(text, committed_lines):
                    kept.append(text)
                else:
                    dropped += 1
        except (orjson.JSONDecodeError, KeyError, TypeError):
            raise ImportFailed(
                f"{path} exists and is no file of refused lines.", hint="Choose another with --rejects."
            ) from None
        if kept:
            self.path = path
        if not dropped:
            return
        if kept:
            new = path.with_name(path.name + ".new")
            new.write_bytes(b"".join(text + b"\n" for text in kept))
            new.replace(path)
        else:
            path.unlink()

    def _stays(self, text: bytes, committed_lines: int) -> bool:
        try:
            entry = orjson.loads(text)
        except orjson.JSONDecodeError:
            if text.startswith(b'{"file":'):
                return False  # cut off by a kill
            raise
        return bool(entry["file"] != self._source.name or int(entry["line"]) <= committed_lines)

    def write(self, refused: Iterable[Refused]) -> None:
        """Adds refusals; they are in the file when this returns.

        Raises:
            ImportFailed: there is nowhere to write them.
        """
        for entry in refused:
            if self._file is None:
                self._file = self._create()
            self._file.write(
                orjson.dumps(
                    {
                        "file": self._source.name,
                        "line": entry.line,
                        "reason": entry.reason,
                        "id": entry.item_id,
                        "text": entry.text,
                    }
                )
                + b"\n"
            )
        if self._file is not None:
            self._file.flush()

    def _create(self) -> BinaryIO:
        problem: OSError | None = None
        for path in self._candidates:
            try:
                file = path.open("ab")
            except OSError as error:
                problem = error
            else:
                self.path = path
                return file
        raise ImportFailed(
            f"Lines were refused and cannot be noted: {problem}", hint="Say where with --rejects FILE."
        ) from problem

    def close(self) -> None:
        """Closes the file."""
        if self._file is not None:
            self._file.close()
            self._file = None
