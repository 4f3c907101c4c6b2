"""Run a file of SQL statements inside a migration.

SQLAlchemy would prepare each statement and read `:name` as a parameter, so a whole file goes
straight to the driver, in the migration's own transaction. Files are a few kilobytes.
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

_FOLDER = Path(__file__).parent / "sql"

# A migration that cannot get its locks gives up instead of queueing every reader behind it.
_LOCK_TIMEOUT = "SET LOCAL lock_timeout = '10s'"


def read(name: str) -> str:
    """The text of `sql/<name>`."""
    return (_FOLDER / name).read_text(encoding="utf-8")


def run(sql: str) -> None:
    """Execute many statements at once, in the transaction of the running migration."""
    bind = op.get_bind()
    # Through SQLAlchemy first: it opens the transaction lazily, at its own first statement.
    bind.exec_driver_sql(_LOCK_TIMEOUT)
    driver = bind.connection.dbapi_connection
    assert driver is not None
    driver.run_async(lambda connection: connection.execute(sql))
