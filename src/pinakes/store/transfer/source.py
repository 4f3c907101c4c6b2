"""Where an import reads from: a file, or a stream (`-`, a pipe, `<(…)`), which is read once and cannot be gone back in.

What is no JSON lines as a whole is known by its first bytes and refused by its name: archives, other encodings,
CSV, one JSON value over many lines. A file whose first line is merely damaged is none of these.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

DASH = Path("-")
HEAD = 4096
GZIP = b"\x1f\x8b"
BOM = b"\xef\xbb\xbf"
_SYSTEM = (Path("/dev"), Path("/proc"))


@dataclass(frozen=True, slots=True)
class Foreign:
    """What something is instead of JSON lines, and how it becomes some; `{}` in `hint` is the file."""

    kind: str
    hint: str


_ELSE = "`pinakes import` reads one JSON object a line; docs/import.md describes it."
_MAGIC = {
    b"PK\x03\x04": Foreign("a ZIP archive", "Unpack it: unzip -p {} | pinakes import -"),
    b"BZh": Foreign("compressed by bzip2", "Unpack it: bzcat {} | pinakes import -"),
    b"\xfd7zXZ\0": Foreign("compressed by xz", "Unpack it: xzcat {} | pinakes import -"),
    b"\x28\xb5\x2f\xfd": Foreign("compressed by Zstandard", "Unpack it: zstdcat {} | pinakes import -"),
    b"7z\xbc\xaf\x27\x1c": Foreign("a 7-Zip archive", "Unpack it first."),
    b"SQLite format 3\0": Foreign("a SQLite database", _ELSE),
    b"PGDMP": Foreign("a dump of PostgreSQL", "pg_restore reads it."),
    b"PAR1": Foreign("a Parquet file", _ELSE),
    b"%PDF-": Foreign("a PDF", _ELSE),
    b"<?xml": Foreign("XML", _ELSE),
    b"<!DOCTYPE": Foreign("a web page", "Look whether the download answered with an error."),
    b"<html": Foreign("a web page", "Look whether the download answered with an error."),
}
_UTF_16 = Foreign("in UTF-16", "Make it UTF-8: iconv -f UTF-16 -t UTF-8 {} | pinakes import -")
_TAR = Foreign("a tar archive", "Unpack it: tar -xOf {} | pinakes import -")
_ARRAY = Foreign("one JSON array", "Make it one object a line: jq -c '.[]' {} | pinakes import -")
_PRETTY = Foreign("JSON over several lines an object", "Make it one object a line: jq -c . {} | pinakes import -")
_CSV = Foreign("CSV", _ELSE)

_ARRAY_BEGINS = re.compile(rb"\[\s*(\{|\]\s*$|$)")
_PRETTY_BEGINS = re.compile(rb'\{[ \t]*\r?\n\s*("|\})')
_CELL = re.compile(r'"?[\w .-]{1,64}"?')
_SEPARATORS = (",", ";", "\t")


def is_stream(path: Path) -> bool:
    """Whether `path` is read once, from its beginning to its end."""
    return path == DASH or (path.exists() and not path.is_file())


def is_own(path: Path) -> bool:
    """Whether a stream is this process's own, so that another finds it only as its standard input."""
    return path == DASH or any(folder in path.parents for folder in _SYSTEM)


def named(path: Path) -> Path:
    """`path` under a name to call it by, and to put its refused lines beside."""
    if path == DASH:
        return Path("stdin")
    return Path(f"stream-{path.name}") if is_stream(path) and is_own(path) else path


def foreign(head: bytes) -> Foreign | None:
    """What the (unpacked) bytes are instead of JSON lines; None where they may be some."""
    for magic, kind in _MAGIC.items():
        if head.startswith(magic):
            return kind
    if head[257:262] == b"ustar":
        return _TAR
    if _is_utf_16(head):
        return _UTF_16
    text = head.removeprefix(BOM).lstrip()
    if _ARRAY_BEGINS.match(text):
        return _ARRAY
    if _PRETTY_BEGINS.match(text):
        return _PRETTY
    return _CSV if _is_csv(text.split(b"\n", 1)[0]) else None


def _is_utf_16(head: bytes) -> bool:
    """By its mark and its line ends, or by every other byte of the first letters being zero."""
    end = head.find(b"\n")
    if head.startswith(b"\xff\xfe"):
        return end < 0 or head[end + 1 : end + 2] in {b"\0", b""}
    if head.startswith(b"\xfe\xff"):
        return end < 0 or head[end - 1] == 0
    return head[:4] in {b'{\0"\0', b'\0{\0"', b"{\0\n\0", b"[\0{\0", b"\0[\0{"}


def _is_csv(line: bytes) -> bool:
    """Whether `line` is the names of columns."""
    try:
        text = line.decode().strip()
    except UnicodeDecodeError:
        return False
    return any(
        separator in text and all(_CELL.fullmatch(cell) for cell in text.split(separator)) for separator in _SEPARATORS
    )


class Stream(io.RawIOBase):
    """What comes out of a pipe: its first bytes, read already, and the rest. `count`: bytes so far."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self._head = head
        self._rest = rest
        self.count = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Puts the next bytes into `buffer`; how many, 0 at the end."""
        size = len(buffer)
        if self._head:
            some, self._head = self._head[:size], self._head[size:]
        else:
            some = self._rest.read1(size) if isinstance(self._rest, io.BufferedReader) else self._rest.read(size)
        buffer[: len(some)] = some
        self.count += len(some)
        return len(some)
