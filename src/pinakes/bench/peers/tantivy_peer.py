"""Peer `tantivy`: the search library, standing in for a cluster of search servers.

One document an item: tags, creator, privacy, source and words are indexed without positions or
frequencies; every order is a fast field with the item's rank in it, computed when the index is made.
That is the best a search library can be given: it knows nothing of ties and missing values last, and
it holds only as long as nothing changes. Documents lie in one segment, in order of creation.
"""

from __future__ import annotations

from typing import Any

import tantivy

from pinakes.bench.draw import Ask
from pinakes.bench.peers.outside import SQL, OutsidePeer
from pinakes.query.formula import And, Everything, Formula, Not, Nothing, Or, Term
from pinakes.query.gallery_query import GalleryQuery
from pinakes.store.pool import Connection

_RANKS = ("created_at", "updated_at", "title", "quality_score_asc", "quality_score_desc")
_TERMS = ("tag", "source", "creator", "private")
_ROWS = 2_000


class TantivyPeer(OutsidePeer):
    """A search library."""

    name = "tantivy"
    what = "search library: inverted index, ranks as fast fields, rows from PostgreSQL"
    _index: Any = None
    _searcher: Any = None

    async def load(self, connection: Connection) -> None:
        """About 60 µs a document."""
        index = tantivy.Index(_schema(), path=str(self.folder), sort_by_field="created_at")
        writer = index.writer(heap_size=256_000_000, num_threads=1)
        async for row in connection.cursor(SQL["ranked_rows"], prefetch=_ROWS):
            document = tantivy.Document()
            for tag in row["tags"]:
                document.add_unsigned("tag", tag)
            document.add_unsigned("source", row["source_type"])
            document.add_unsigned("id", row["id"])
            document.add_unsigned("creator", row["creator_id"])
            document.add_unsigned("private", int(row["is_private"]))
            document.add_text("word", row["words"])
            for rank in _RANKS:
                document.add_unsigned(rank, row[rank])
            writer.add_document(document)
        writer.commit()
        writer.wait_merging_threads()

    def open(self) -> None:
        """A searcher over the index as it is."""
        self._index = tantivy.Index.open(str(self.folder))
        self._index.reload()
        self._searcher = self._index.searcher()

    def shut(self) -> None:
        """Nothing is held."""
        self._index = self._searcher = None

    def find(self, ask: Ask) -> tuple[list[tuple[int, int]], int]:
        """One search gives both."""
        query = ask.query
        field, order = _order(query)
        found = self._searcher.search(
            self._query(ask.formula),
            limit=query.page_size,
            offset=(query.page - 1) * query.page_size,
            order_by_field=field,
            order=tantivy.Order.Asc if order == "asc" else tantivy.Order.Desc,
        )
        places = [place for _, place in found.hits]
        sources = self._searcher.fast_field_values("source", places)
        ids = self._searcher.fast_field_values("id", places)
        return list(zip(sources, ids, strict=True)), found.count

    def _query(self, formula: Formula) -> Any:
        query, schema = tantivy.Query, self._index.schema
        match formula:
            case Everything():
                return query.all_query()
            case Nothing():
                return query.empty_query()
            case Not():
                return query.boolean_query([self._clause(Everything()), self._clause(formula)])
            case And(parts):
                clauses = [self._clause(part) for part in parts]
                only_not = all(isinstance(part, Not) for part in parts)
                return query.boolean_query([self._clause(Everything()), *clauses] if only_not else clauses)
            case Or(parts):
                return query.boolean_query([(tantivy.Occur.Should, self._query(part)) for part in parts])
            case Term("word", str(word)):
                return query.term_query(schema, "word", word, "basic")
            case Term("vis", str(value)):
                return query.term_query(schema, "private", int(value == "private"))
            case Term(field, int(value)):
                return query.term_query(schema, field, value)
            case _:
                raise NotImplementedError(f"no workload asks for {formula}")

    def _clause(self, part: Formula) -> tuple[Any, Any]:
        if isinstance(part, Not):
            return tantivy.Occur.MustNot, self._query(part.part)
        return tantivy.Occur.Must, self._query(part)


def _order(query: GalleryQuery) -> tuple[str, str]:
    """The rank field and its direction; downwards with missing values last is an order of its own."""
    if query.sort_field == "quality_score":
        return f"quality_score_{query.sort_order}", "asc"
    return query.sort_field, query.sort_order


def _schema() -> Any:
    builder = tantivy.SchemaBuilder()
    for name in _TERMS:
        builder.add_unsigned_field(name, indexed=True, fast=name == "source")
    builder.add_unsigned_field("id", fast=True)
    builder.add_text_field("word", tokenizer_name="whitespace", index_option="basic")
    for rank in _RANKS:
        builder.add_unsigned_field(rank, fast=True)
    return builder.build()
