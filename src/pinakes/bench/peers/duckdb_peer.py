"""Peer `duckdb`: the analytic database in the process, on a file of its own.

Items in order of creation, taggings ordered by tag and words by word, so that min-max indexes skip
nearly all of what a tag or word does not need. Tags become semijoins. Rows come from PostgreSQL.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb

from pinakes.bench.draw import Ask
from pinakes.bench.peers.outside import SQL, OutsidePeer
from pinakes.bench.peers.printer import Printer
from pinakes.bench.peers.sql_peer import limit, order_by
from pinakes.store.pool import Connection

_FILE = "gallery.duckdb"
_SPLIT = """
    CREATE TABLE loaded AS
    SELECT doc, source_type, id, creator_id, is_private, content_type, quality_score, created_at::BIGINT AS created_at,
        updated_at::BIGINT AS updated_at, title, tags, words
    FROM read_csv('{file}', header = true, quote = '"', escape = '"', max_line_size = 16777216, columns = {{
        'doc': 'INTEGER', 'source_type': 'TINYINT', 'id': 'BIGINT', 'creator_id': 'BIGINT', 'is_private': 'BOOLEAN',
        'content_type': 'VARCHAR', 'quality_score': 'DOUBLE', 'created_at': 'DOUBLE', 'updated_at': 'DOUBLE',
        'title': 'VARCHAR', 'tags': 'VARCHAR', 'words': 'VARCHAR'}});
    CREATE TABLE items AS SELECT * EXCLUDE (tags, words) FROM loaded ORDER BY created_at;
    CREATE TABLE taggings AS
    SELECT tag, doc FROM (
        SELECT unnest(string_split(tags[2:-2], ','))::INTEGER AS tag, doc FROM loaded WHERE length(tags) > 2
    ) ORDER BY tag, doc;
    CREATE TABLE words AS
    SELECT DISTINCT word, doc FROM (
        SELECT unnest(string_split(trim(words), ' ')) AS word, doc FROM loaded
    ) WHERE word <> '' ORDER BY word, doc;
    DROP TABLE loaded;
    CHECKPOINT;
"""


class _Semijoins:
    """Tags and words by tables ordered by them; numbers are printed, so that whole blocks are skipped."""

    def all_of(self, printer: Printer, tags: list[int]) -> str:
        """One semijoin a tag."""
        return " AND ".join(self.any_of(printer, [tag]) for tag in tags)

    def any_of(self, printer: Printer, tags: list[int]) -> str:
        """One semijoin for all."""
        del printer
        return f"c.doc IN (SELECT doc FROM taggings WHERE tag IN ({', '.join(str(int(tag)) for tag in tags)}))"

    def word(self, printer: Printer, word: str) -> str:
        """One semijoin a word."""
        return f"c.doc IN (SELECT doc FROM words WHERE word = {printer.bind(word, 'text')})"


class DuckdbPeer(OutsidePeer):
    """An analytic database."""

    name = "duckdb"
    what = "analytic database in the process, tables ordered by tag and word, rows from PostgreSQL"
    _connection: Any = None

    async def load(self, connection: Connection) -> None:
        """Through a CSV file."""
        lines = self.folder / "items.csv"
        await connection.copy_from_query(SQL["items"], output=lines, format="csv", header=True)
        with duckdb.connect(str(self.folder / _FILE)) as database:
            database.execute(_SPLIT.format(file=_quoted(lines)))
        lines.unlink()

    def open(self) -> None:
        """Read only."""
        self._connection = duckdb.connect(str(self.folder / _FILE), read_only=True)

    def shut(self) -> None:
        """Closes the file; what it had in memory is gone."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def find(self, ask: Ask) -> tuple[list[tuple[int, int]], int]:
        """Two selects, as in PostgreSQL."""
        printer = Printer(_Semijoins())
        where = f"FROM items AS c WHERE {printer.condition(ask.formula)}"
        page = f"SELECT c.source_type, c.id {where} ORDER BY {order_by(ask.query)} {limit(ask.query)}"
        keys = self._connection.execute(page, printer.values).fetchall()
        total = self._connection.execute(f"SELECT count(*) {where}", printer.values).fetchone()
        return [(int(source), int(item)) for source, item in keys], int(total[0])


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
