"""From rows to the terms of one segment, a column at a time.

A segment has up to 2^20 rows with some 60 million facts, so nothing here is done per fact in
Python: rows come as columns in the order of documents (`rows.sql: documents`), texts are cut by
`bytes.split`, words numbered by a dictionary's own lookup, and documents brought together by term with
a sort that keeps their order (`groups`). About 4 µs a row and 1 kB a row of memory at most.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from pinakes.bitmap import terms
from pinakes.bitmap.codes import Keys
from pinakes.bitmap.segments import SEGMENT, SEGMENT_BITS
from pinakes.bitmap.terms import ORDER_FIELDS, OrderField
from pinakes.index.codes import Codes
from pinakes.index.groups import U32, Pairs, TermBits, grouped, ladder, of_column, whole
from pinakes.query.text import MAX_WORD, words
from pinakes.store.pool import Connection
from pinakes.store.queries import load
from pinakes.store.sent import integers

CHUNK = 1 << 15
"""Rows in one statement: some ten megabytes at both ends."""

# A text of ASCII only is cut by bytes: capitals become small, what is in no word becomes a space.
_ASCII_WORDS = bytes(
    byte + 32 if 65 <= byte <= 90 else byte if 48 <= byte <= 57 or 97 <= byte <= 122 or byte > 127 else 32
    for byte in range(256)
)
_END = b"\xff"
# PostgreSQL counts microseconds from the year 2000.
_EPOCH_2000 = int(timedelta(days=10_957) / timedelta(microseconds=1))
_SQL = load("rows", "pinakes.index.sql")


class _Numbers(defaultdict[bytes, int]):
    """Numbers texts as they come, from 0; `longest`: the bytes of the longest."""

    longest = 0

    def __missing__(self, text: bytes) -> int:
        number = self[text] = len(self)
        self.longest = max(self.longest, len(text))
        return number

    def of(self, texts: list[bytes]) -> U32:
        """The numbers of texts."""
        return np.fromiter(map(self.__getitem__, texts), np.uint32, len(texts))


class SegmentRows:
    """Collects the rows of one segment; then gives its terms."""

    def __init__(self, segment: int) -> None:
        self.segment = segment
        self._base = segment << SEGMENT_BITS
        self._words = _Numbers()
        self._words[_END] = 0
        self._types = _Numbers()
        self._word_pairs = Pairs()
        self._tag_pairs = Pairs()
        self._columns: dict[str, list[npt.NDArray[Any]]] = defaultdict(list)
        self._titles: list[bytes] = []

    @property
    def docs(self) -> int:
        """How many rows were added."""
        return len(self._titles)

    async def read(self, connection: Connection) -> None:
        """All rows of the segment; each as of some moment while this runs, or of the connection's snapshot."""
        starts = range(self._base, self._base + SEGMENT, CHUNK)
        coming = asyncio.ensure_future(connection.fetchrow(_SQL["documents"], starts[0], starts[0] + CHUNK))
        try:
            for start in starts:
                row = await coming
                if start != starts[-1]:
                    after = start + CHUNK
                    coming = asyncio.ensure_future(connection.fetchrow(_SQL["documents"], after, after + CHUNK))
                    # Lets the statement be sent, so that the server works on it while these rows are taken apart.
                    await asyncio.sleep(0)
                assert row is not None, "an aggregate always has a row"
                if row["rows"]:
                    self.add(row)
        finally:
            await asyncio.gather(coming, return_exceptions=True)

    def add(self, row: Any) -> None:
        """Some rows, as `rows.sql: documents` gives them; documents ascend from call to call too."""
        docs = _column(row["docs"], ">u4", np.uint32)
        keep = self._columns
        sources, ids = _column(row["sources"], ">i2", np.int64), _column(row["ids"], ">i8", np.int64)
        keep["doc"].append(docs)
        keep["source"].append(sources.astype(np.uint32))
        keep["type"].append(self._types.of(row["types"].split(_END)))
        keep["creator"].append(_column(row["creators"], ">i8", np.int64))
        keep["private"].append(_column(row["private"], np.uint8, np.bool_))
        keep["quality_score"].append(_column(row["scores"], ">f8", np.float64))
        keep["created_at"].append(_moments(row["created"]))
        keep["updated_at"].append(_moments(row["updated"]))
        keep["key"].append(terms.tie_keys(ids, sources))
        self._titles += row["titles"].split(_END)
        self._add_tags(docs, _column(row["tag_counts"], ">i4", np.int64), row["tags"])
        self._add_words(docs, row["texts"])

    def _add_tags(self, docs: U32, counts: npt.NDArray[np.int64], body: bytes) -> None:
        self._columns["tags"].append(counts.astype(np.uint32))
        self._tag_pairs.add(integers(body, counts), np.repeat(docs, counts))

    def _add_words(self, docs: U32, texts: bytes) -> None:
        if not texts.translate(None, _END).isascii():
            texts = _END.join([text if text.isascii() else _spaced(text) for text in texts.split(_END)])
        tokens = (texts.translate(_ASCII_WORDS) + _END).replace(_END, b" \xff ").split()
        numbers = self._words.of(tokens)
        if self._words.longest > MAX_WORD:
            # Some text of the segment has such a word: from here on each is looked at.
            numbers = self._words.of([piece for token in tokens for piece in _cut(token)])
        ends = numbers == 0
        row = np.cumsum(ends) - ends
        inside = ~ends
        self._word_pairs.add(numbers[inside], docs[row[inside]])

    def terms(self, codes: Codes) -> Iterator[TermBits]:
        """Every term of the segment with its documents, encoded."""
        if not self._titles:
            return
        columns = {name: np.concatenate(parts) for name, parts in self._columns.items()}
        docs = columns["doc"]
        assert (docs[1:] > docs[:-1]).all(), "documents come in order"
        yield whole(terms.ALL, docs)
        yield from self._fact_columns(columns, docs)
        yield from of_column(columns["tags"], docs, terms.tagged)
        yield from grouped(self._tag_pairs, lambda number: f"tag:{number}")
        spelt = list(self._words)
        yield from grouped(self._word_pairs, lambda number: f"word:{spelt[number].decode()}")
        for field in ORDER_FIELDS:
            yield from self._ladder(field, columns, docs, codes)

    def _fact_columns(self, columns: dict[str, npt.NDArray[Any]], docs: U32) -> Iterator[TermBits]:
        private = columns["private"]
        for name, chosen in (("vis:private", private), ("vis:public", ~private)):
            if chosen.any():
                yield whole(name, docs[chosen])
        types = list(self._types)
        creators, places = np.unique(columns["creator"], return_inverse=True)
        yield from of_column(columns["source"], docs, lambda number: f"source:{number}")
        yield from of_column(columns["type"], docs, lambda number: f"type:{types[number].decode()}")
        yield from of_column(places.astype(np.uint32), docs, lambda number: f"creator:{creators[number]}")

    def _ladder(
        self, field: OrderField, columns: dict[str, npt.NDArray[Any]], docs: U32, codes: Codes
    ) -> Iterator[TermBits]:
        if field == "title":
            spelt = codes[field].spelt_titles(self._titles)
        else:
            keys = columns[field]
            if field == "quality_score":
                missing = np.isnan(keys)
                if missing.any():
                    yield whole(terms.null(field), docs[missing])
                keys, docs = keys[~missing], docs[~missing]
            spelt = codes[field].spelt(keys)
        yield from ladder(field, *spelt, docs)


def _column(sent: bytes, stored: Any, wanted: Any) -> npt.NDArray[Any]:
    """Numbers as the server sends them."""
    return np.frombuffer(sent, stored).astype(wanted)


def _moments(sent: bytes) -> npt.NDArray[Any]:
    """Microseconds since 1970."""
    return _column(sent, ">i8", np.int64) + _EPOCH_2000


def sample_keys(row: Any) -> dict[OrderField, Keys]:
    """The keys of every order field in `rows.sql: sample`, each field's in ascending order."""
    if not row["rows"]:
        return {field: [] for field in ORDER_FIELDS}
    scores = _column(row["scores"], ">f8", np.float64)
    ids, sources = _column(row["ids"], ">i8", np.int64), _column(row["sources"], ">i2", np.int64)
    return {
        "created_at": np.sort(_moments(row["created"])),
        "updated_at": np.sort(_moments(row["updated"])),
        "quality_score": np.sort(scores[~np.isnan(scores)]),
        "title": [title.decode() for title in sorted(row["titles"].split(_END))],
        "key": np.sort(terms.tie_keys(ids, sources)),
    }


def _spaced(text: bytes) -> bytes:
    """The words of a text with other letters, between spaces, in small letters."""
    return " ".join(words(text.decode())).encode()


def _cut(token: bytes) -> list[bytes]:
    """A word as `query.text` cuts it; those of texts with other letters are cut already."""
    if not token.isascii() or len(token) <= MAX_WORD:
        return [token]
    return [token[start : start + MAX_WORD] for start in range(0, len(token), MAX_WORD)]
