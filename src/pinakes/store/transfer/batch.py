"""Lines of a file, checked and gathered into batches that are ready for COPY.

A batch ends at `_ROWS` rows (the first ones sooner) or `_BYTES` bytes, and before an id it already
holds, so that of two lines with one id the later one updates the earlier. Names of tags and creators
are numbered in the order they first appear; a batch brings the new ones. Their table is all that grows
with the file.
"""

from __future__ import annotations

import gzip
import io
import os
import sys
import zlib
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, TypeAlias

from pinakes.store.transfer import line as lines
from pinakes.store.transfer.source import BOM, DASH, GZIP, HEAD, Stream, foreign, is_stream, named

_ROWS = 10_000
# The database waits for the first batch, so that is a quarter, and each twice the one before.
_FIRST_ROWS = 2_500
_BYTES = 16 << 20
# More than any item the API takes; metadata has no limit of its own.
MAX_LINE_BYTES = 64 << 20
_SHOWN = 2000
# The number of a tag of which nothing can be seen.
_NO_TAG = -1

_DAMAGED = "Get the file again, whole: the same command goes wrong at the same place. What came before it is kept."


@dataclass(frozen=True, slots=True)
class Refused:
    """A refused line: its number from 1, why, the item's id where readable, the line's beginning."""

    line: int
    reason: str
    item_id: str | None
    text: str


@dataclass(slots=True)
class Part:
    """The rows of one source in a batch, as columns. Tags and creators are numbers of this file."""

    external_ids: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    creators: list[int] = field(default_factory=list)
    given: list[int] = field(default_factory=list)
    tag_counts: list[int] = field(default_factory=list)
    tags: array[int] = field(default_factory=lambda: array("i"))


@dataclass(slots=True)
class Batch:
    """Consecutive lines up to `last_line`, and how many of the file's bytes are read by then, of how many (0: unknown).

    `repaired`: by field, how many lines, of tags and creators how many names, are kept otherwise than written.
    """

    parts: dict[int, Part] = field(default_factory=dict)
    refused: list[Refused] = field(default_factory=list)
    new_tags: list[str] = field(default_factory=list)
    new_creators: list[str] = field(default_factory=list)
    ignored: dict[str, int] = field(default_factory=dict)
    repaired: dict[str, int] = field(default_factory=dict)
    last_line: int = 0
    bytes_read: int = 0
    file_bytes: int = 0
    # The last batch, and why it is that where the file could not be read to its end.
    last: bool = False
    broken: str | None = None
    hint: str | None = None


Line: TypeAlias = tuple[int, bytes]


class _Numbers(dict[str, int]):
    """Names -> numbers in order of appearance."""

    def __init__(self) -> None:
        super().__init__()
        self.new: list[str] = []

    def number(self, name: str) -> int:
        found = self.get(name)
        if found is None:
            found = self[name] = len(self)
            self.new.append(name)
        return found


class _Builder:
    """Collects lines into batches."""

    def __init__(self) -> None:
        self._tags = _Numbers()
        # Tags as written -> number, so that a tag is checked and trimmed once.
        self._written: dict[str, int] = {}
        self._creators = _Numbers()
        self._creator_names: dict[str, str] = {}
        self._now = datetime.now(UTC).isoformat()
        self._seen: dict[int, set[str]] = {}
        self._bytes = 0
        self._limit = _FIRST_ROWS
        self.rows = 0
        self.batch = Batch()

    def full(self) -> bool:
        """Whether the batch should go before more is added."""
        return self.rows >= self._limit or self._bytes >= _BYTES or len(self.batch.refused) >= _ROWS

    def take(self, input_: _Input) -> Batch:
        """The batch so far; a new one begins."""
        done, self.batch = self.batch, Batch(last_line=self.batch.last_line)
        done.bytes_read, done.file_bytes = input_.progress()
        done.new_tags, self._tags.new = self._tags.new, []
        done.new_creators, self._creators.new = self._creators.new, []
        self._seen.clear()
        self._bytes = self.rows = 0
        self._limit = min(2 * self._limit, _ROWS)
        return done

    def check(self, number: int, text: bytes) -> tuple[lines.Row, list[int]] | None:
        """The line's row and the numbers of its tags; None where it is refused or empty."""
        item_id = None
        try:
            if len(text) > MAX_LINE_BYTES:
                raise lines.RefusedError(f"the line is longer than {MAX_LINE_BYTES:,} bytes")  # noqa: TRY301
            if text.isspace():
                return None
            row = lines.parse(text, self._now)
            item_id = row.external_id
            row.creator = self._creator_name(row.creator)
            return row, self._tag_numbers(row.tags)
        except lines.RefusedError as error:
            reason, item_id = str(error), error.item_id
        except ValueError as error:
            reason = str(error)
        shown = text[:_SHOWN].decode(errors="replace")
        self.batch.refused.append(Refused(number, reason, item_id, shown))
        self._bytes += len(shown)
        return None

    def _creator_name(self, creator: str) -> str:
        """The name of a creator as it is stored; a name of which nothing can be seen is nobody's."""
        known = self._creator_names.get(creator)
        if known is None:
            known = self._creator_names[creator] = lines.creator_name(creator)
            if known != creator.strip():
                self._repaired("creator")
        return known

    def _repaired(self, key: str) -> None:
        self.batch.repaired[key] = self.batch.repaired.get(key, 0) + 1

    def _tag_numbers(self, tags: list[str]) -> list[int]:
        """Each tag once, in the order of the line."""
        known = self._written
        try:
            numbers = [known[tag] for tag in tags]
        except (KeyError, TypeError):
            # All are checked before the first is numbered: a refused line brings no tags.
            new = [(tag, lines.tag_name(tag)) for tag in tags if type(tag) is not str or tag not in known]
            for tag, name in new:
                known[tag] = self._tags.number(name) if name else _NO_TAG
                if name != tag.strip() or not name:
                    self._repaired("tags")
            numbers = [known[tag] for tag in tags]
        if _NO_TAG in numbers:
            numbers = [number for number in numbers if number != _NO_TAG]
        if len(set(numbers)) < len(numbers):
            numbers = list(dict.fromkeys(numbers))
        lines.check_tag_count(len(numbers))
        return numbers

    def holds(self, row: lines.Row) -> bool:
        """Whether the batch has this item already."""
        return row.external_id in self._seen.get(row.source.code, ())

    def add(self, row: lines.Row, tags: list[int]) -> None:
        """Puts a row into the batch."""
        code, external_id, text = row.source.code, row.external_id, row.text
        part = self.batch.parts.get(code)
        if part is None:
            part = self.batch.parts[code] = Part()
            self._seen[code] = set()
        part.external_ids.append(external_id)
        part.texts.append(text)
        part.creators.append(self._creators.number(row.creator))
        part.given.append(row.given)
        part.tag_counts.append(len(tags))
        part.tags.extend(tags)
        for key in row.ignored:
            self.batch.ignored[key] = self.batch.ignored.get(key, 0) + 1
        for key in row.repaired:
            self._repaired(key)
        self._seen[code].add(external_id)
        self._bytes += len(text)
        self.rows += 1


class _Input:
    """The lines' bytes, unpacked, and how far they are read."""

    def __init__(self, raw: BinaryIO, *, stream: bool) -> None:
        self._raw = raw
        self._stream: Stream | None = None
        head = raw.read(HEAD)
        if stream:
            self._stream = Stream(head, raw)
            raw = io.BufferedReader(self._stream, 1 << 18)
        else:
            raw.seek(0)
        self.zipped = head.startswith(GZIP)
        self.bytes: BinaryIO = gzip.GzipFile(fileobj=raw) if self.zipped else raw  # type: ignore[assignment]

    def head(self) -> bytes:
        """The first bytes."""
        return self.bytes.peek(HEAD)[:HEAD]  # type: ignore[attr-defined, no-any-return]

    def progress(self) -> tuple[int, int]:
        """Bytes read, and of how many; 0 where nobody knows."""
        if self._stream is not None:
            return self._stream.count, 0
        return self._raw.tell(), os.fstat(self._raw.fileno()).st_size


def batches(path: Path, first_line: int, name: Path | None = None) -> Iterator[Batch]:
    """The file from line `first_line` on; `-` is the standard input. `name`: what to call it.

    A file that cannot be read to its end, or is no JSON lines at all, says so in the last batch.
    """
    called = str((name or named(path)).name)
    builder = _Builder()
    with sys.stdin.buffer if path == DASH else path.open("rb") as raw:
        input_ = _Input(raw, stream=is_stream(path))
        try:
            kind = foreign(input_.head())
            if kind is not None:
                builder.batch.broken = f"{called} is {kind.kind}, not JSON lines; nothing of it was imported"
                builder.batch.hint = kind.hint.format(called)
            for number, text in _lines(input_.bytes, first_line) if kind is None else ():
                checked = builder.check(number, text)
                if checked is not None:
                    if builder.holds(checked[0]):
                        yield builder.take(input_)
                    builder.add(*checked)
                builder.batch.last_line = number
                if builder.full():
                    yield builder.take(input_)
        except (EOFError, OSError, zlib.error) as error:
            why = _why(error) if input_.zipped else str(error)
            builder.batch.broken = f"{called} cannot be read beyond line {builder.batch.last_line:,}: {why}"
            builder.batch.hint = _DAMAGED if input_.zipped else None
        builder.batch.last = True
        yield builder.take(input_)


def _why(error: Exception) -> str:
    """What is wrong with gzip data."""
    if isinstance(error, EOFError):
        return "its gzip data end too early"
    if isinstance(error, gzip.BadGzipFile) and "Not a gzipped" in str(error):
        return "something else follows its gzip data"
    return f"its gzip data are damaged ({error})"


def _lines(stream: BinaryIO, first_line: int) -> Iterator[Line]:
    """Numbered lines without their end; of one that is too long only the beginning is kept."""
    number = 0
    while text := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        rest = text
        while not rest.endswith(b"\n") and len(rest) > MAX_LINE_BYTES:
            rest = stream.readline(MAX_LINE_BYTES + 1)
        if number >= first_line:
            yield number, text.removeprefix(BOM) if number == 1 else text
