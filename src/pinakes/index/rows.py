"""From rows to the bitmaps of one segment, a column at a time.

A segment has up to 2^20 rows with some 60 million facts, so nothing here is done per fact in
Python: texts are cut by `bytes.split`, numbered by a dictionary's own lookup, and (term, document)
pairs are sorted as 64-bit numbers. About 8 µs a row and 1 kB a row of memory at most.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from pyroaring import BitMap

from pinakes.bitmap import terms
from pinakes.bitmap.making import from_sorted
from pinakes.bitmap.segments import SEGMENT, SEGMENT_BITS
from pinakes.bitmap.terms import ORDER_FIELDS, PREFIX, Key, OrderField
from pinakes.index.codes import Codes
from pinakes.query.text import MAX_WORD, words

U64 = npt.NDArray[np.uint64]

# A text of ASCII only is cut by bytes: capitals become small, what is in no word becomes a space.
_ASCII_WORDS = bytes(
    byte + 32 if 65 <= byte <= 90 else byte if 48 <= byte <= 57 or 97 <= byte <= 122 or byte > 127 else 32
    for byte in range(256)
)
_END = b"\x01"
_ARRAY_HEADER = 20


class _Numbers(defaultdict[bytes, int]):
    """Numbers texts as they come, from 0."""

    def __missing__(self, text: bytes) -> int:
        number = self[text] = len(self)
        return number


class SegmentRows:
    """Collects the rows of one segment; then gives its bitmaps."""

    def __init__(self, segment: int) -> None:
        self._base = segment << SEGMENT_BITS
        self._words = _Numbers()
        self._words[_END] = 0
        self._types = _Numbers()
        self._word_pairs: list[U64] = []
        self._tag_pairs: list[U64] = []
        self._columns: dict[str, list[npt.NDArray[Any]]] = defaultdict(list)
        self._titles: list[str] = []

    @property
    def docs(self) -> int:
        """How many rows were added."""
        return len(self._titles)

    def add(self, rows: Sequence[Any]) -> None:
        """Some rows of `rows.sql: documents`; timestamps in microseconds since 1970."""
        if not rows:
            return
        docs, sources, ids, types, creators, private, scores, created, updated, titles, prompts, tags = zip(
            *rows, strict=True
        )
        low = np.asarray(docs, np.int64).astype(np.uint64) - np.uint64(self._base)
        keep = self._columns
        keep["doc"].append(low)
        keep["source"].append(np.asarray(sources, np.uint64))
        keep["type"].append(np.fromiter((self._types[kind.encode()] for kind in types), np.uint64, len(types)))
        keep["creator"].append(np.asarray(creators, np.int64))
        keep["private"].append(np.asarray(private, np.bool_))
        keep["quality_score"].append(np.asarray([np.nan if s is None else s for s in scores], np.float64))
        keep["created_at"].append(np.asarray(created, np.int64))
        keep["updated_at"].append(np.asarray(updated, np.int64))
        keep["key"].append(np.asarray(list(map(terms.tie_key, ids, sources)), np.int64))
        self._titles += (title[:PREFIX] for title in titles)
        self._add_tags(low, tags)
        self._add_words(low, titles, prompts)

    def _add_tags(self, low: U64, tags: Sequence[bytes]) -> None:
        """Tags come in the wire format of int4[]: a header, then length and value of each, big-endian."""
        sizes = np.fromiter(map(len, tags), np.int64, len(tags))
        counts = np.maximum(sizes - _ARRAY_HEADER, 0) // 8
        body = b"".join(array[_ARRAY_HEADER:] for array in tags)
        values = np.frombuffer(body, ">u4").reshape(-1, 2)[:, 1].astype(np.uint64)
        self._tag_pairs.append(values << np.uint64(SEGMENT_BITS) | np.repeat(low, counts))

    def _add_words(self, low: U64, titles: Sequence[str], prompts: Sequence[str | None]) -> None:
        texts = b"\x01".join(map(_searchable, titles, prompts)) + b"\x01"
        tokens = texts.replace(_END, b" \x01 ").split()
        if len(max(tokens, key=len)) > MAX_WORD:
            tokens = [piece for token in tokens for piece in _cut(token)]
        numbers = np.fromiter(map(self._words.__getitem__, tokens), np.uint64, len(tokens))
        ends = numbers == 0
        row = np.cumsum(ends) - ends
        inside = ~ends
        self._word_pairs.append(numbers[inside] << np.uint64(SEGMENT_BITS) | low[row[inside]])

    def bitmaps(self, codes: Codes) -> Iterator[tuple[str, BitMap]]:
        """Every term of the segment with its documents."""
        if not self._titles:
            return
        columns = {name: np.concatenate(parts) for name, parts in self._columns.items()}
        low = columns["doc"]
        if (low[1:] < low[:-1]).any():
            order = np.argsort(low)
            columns = {name: column[order] for name, column in columns.items()}
            self._titles = [self._titles[place] for place in order.tolist()]
            low = columns["doc"]
        yield terms.ALL, self._bitmap(low)
        yield from self._fact_columns(columns, low)
        yield from ((f"tag:{number}", docs) for number, docs in self._grouped(np.concatenate(self._tag_pairs)))
        spelt = list(self._words)
        yield from (
            (f"word:{spelt[number].decode()}", docs) for number, docs in self._grouped(np.concatenate(self._word_pairs))
        )
        for field in ORDER_FIELDS:
            yield from self._ladder(field, columns, low, codes)

    def _fact_columns(self, columns: dict[str, npt.NDArray[Any]], low: U64) -> Iterator[tuple[str, BitMap]]:
        private = columns["private"]
        for name, chosen in (("vis:private", private), ("vis:public", ~private)):
            if chosen.any():
                yield name, self._bitmap(low[chosen])
        shift = np.uint64(SEGMENT_BITS)
        for number, docs in self._grouped(columns["source"] << shift | low):
            yield f"source:{number}", docs
        types = list(self._types)
        for number, docs in self._grouped(columns["type"] << shift | low):
            yield f"type:{types[number].decode()}", docs
        creators, places = np.unique(columns["creator"], return_inverse=True)
        for number, docs in self._grouped(places.astype(np.uint64) << shift | low):
            yield f"creator:{creators[number]}", docs

    def _ladder(
        self, field: OrderField, columns: dict[str, npt.NDArray[Any]], low: U64, codes: Codes
    ) -> Iterator[tuple[str, BitMap]]:
        if field == "title":
            numbers = codes[field].many(self._titles)
        else:
            keys = columns[field]
            if field == "quality_score":
                missing = np.isnan(keys)
                if missing.any():
                    yield terms.null(field), self._bitmap(low[missing])
                keys, low = keys[~missing], low[~missing]
            numbers = codes[field].many(keys)
        yield from ladder_bitmaps(field, numbers, (low + np.uint64(self._base)).astype(np.uint32))

    def _grouped(self, pairs: U64) -> Iterator[tuple[int, BitMap]]:
        """Pairs (number, document) in one: the documents of each number. Pairs may repeat."""
        if not len(pairs):
            return
        pairs = np.sort(pairs)
        pairs = pairs[np.concatenate(([True], pairs[1:] != pairs[:-1]))]
        numbers = pairs >> np.uint64(SEGMENT_BITS)
        docs = ((pairs & np.uint64(SEGMENT - 1)) + np.uint64(self._base)).astype(np.uint32)
        starts = np.flatnonzero(np.concatenate(([True], numbers[1:] != numbers[:-1])))
        stops = np.concatenate((starts[1:], [len(pairs)])).tolist()
        for number, start, stop in zip(numbers[starts].tolist(), starts.tolist(), stops, strict=True):
            yield number, from_sorted(docs[start:stop])

    def _bitmap(self, low: U64) -> BitMap:
        return from_sorted((low + np.uint64(self._base)).astype(np.uint32))


def ladder_bitmaps(
    field: OrderField, codes: npt.NDArray[np.uint16], docs: npt.NDArray[np.uint32]
) -> Iterator[tuple[str, BitMap]]:
    """The steps, bands and slices of documents with these codes."""
    for bit in range(terms.SLICES):
        chosen = docs[codes >> bit & 1 == 1]
        if len(chosen):
            yield terms.slice_(field, bit), from_sorted(chosen)
    bands = (codes >> terms.SLICES).astype(np.uint8)
    order = np.argsort(bands, kind="stable")
    edges = np.searchsorted(bands[order], np.arange(terms.BANDS + 1))
    under = BitMap()
    for number in range(terms.BANDS):
        if number and number % terms.BANDS_A_STEP == 0 and under:
            yield terms.step(field, number // terms.BANDS_A_STEP), under.copy()
        chosen = docs[order[edges[number] : edges[number + 1]]]
        if len(chosen):
            docs_in_band = from_sorted(chosen)
            under |= docs_in_band
            yield terms.band(field, number), docs_in_band


def sample_keys(rows: Sequence[Any]) -> dict[OrderField, list[Key]]:
    """The keys of every order field in rows of `rows.sql: sample`."""
    columns: dict[OrderField, list[Key]] = {field: [] for field in ORDER_FIELDS}
    for created, updated, score, title, item_id, source in rows:
        columns["created_at"].append(created)
        columns["updated_at"].append(updated)
        columns["title"].append(title)
        columns["key"].append(terms.tie_key(item_id, source))
        if score is not None:
            columns["quality_score"].append(score)
    return columns


def _searchable(title: str, prompt: str | None) -> bytes:
    """Title and prompt as words between spaces, in small letters."""
    text = f"{title} {prompt}" if prompt else title
    if text.isascii():
        return text.encode().translate(_ASCII_WORDS)
    return " ".join((*words(title), *words(prompt or ""))).encode()


def _cut(token: bytes) -> list[bytes]:
    """A word as `query.text` cuts it; those of texts with other letters are cut already."""
    if not token.isascii() or len(token) <= MAX_WORD:
        return [token]
    return [token[start : start + MAX_WORD] for start in range(0, len(token), MAX_WORD)]
