"""Connecting to PostgreSQL: by any form of address, directly or through a pooler that gives each client its session.

A session is set up by statements, not by parameters of the connection: PgBouncer passes on only the few it
knows (time zone, name, encoding) and refuses a connection with others.

Pinakes needs sessions of its own, for locks, notifications and prepared statements. A pooler that hands one session
to several clients in turns (PgBouncer's `pool_mode = transaction` or `statement`) would break each of them quietly, so
it is refused: where a pooler is between, two connections open at the same time must not meet in one server process.
"""

from __future__ import annotations

import asyncio
import configparser
import os
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
from asyncpg import exceptions as pg

from pinakes.address import PostgresAddress
from pinakes.errors import SettingsError, UnfitDatabase
from pinakes.store.queries import load

_SQL = load("session")
_NAME = "pinakes"
_PATIENCE_S = 5.0
_LEAST_TIMEOUT_S = 2  # libpq's own
# How a driver finds out that its statement was prepared in somebody else's session, or its own by somebody else.
SHARED = (pg.DuplicatePreparedStatementError, pg.InvalidSQLStatementNameError)


def shared_sessions() -> UnfitDatabase:
    """The error where a session is not its connection's alone."""
    return UnfitDatabase(
        "A pooler between Pinakes and PostgreSQL shares sessions (pool_mode transaction or statement)",
        hint="Use pool_mode = session for this database in PgBouncer; docs/operations.md has the lines.",
    )


def arguments(url: str, *, name: str = _NAME, patience_s: float = 60.0) -> dict[str, Any]:
    """What the driver is called with; `name` is what the session calls itself, unless the address says another.

    Raises:
        SettingsError: the address cannot be read, or names a service or certificate that is not there.
    """
    try:
        address = PostgresAddress.parse(url)
    except ValueError as error:
        raise SettingsError(f"database-url: {error}") from None
    given = address.parameters
    called = given.get("application_name") or given.get("fallback_application_name") or _NAME
    told: dict[str, Any] = {
        "dsn": address.dsn(),
        "timeout": patience_s,
        "server_settings": {"timezone": "UTC", "application_name": name.replace(_NAME, called, 1)[:63]},
    }
    if (seconds := int(given.get("connect_timeout", 0))) > 0:
        told["timeout"] = max(seconds, _LEAST_TIMEOUT_S)
    if "options" in given:
        told["server_settings"]["options"] = given["options"]
    if "service" in given:
        _require_service(given["service"])
    if given.get("sslrootcert") == "system":
        told["ssl"] = _system_certificates(given)
        told["dsn"] = PostgresAddress(
            address.hosts,
            address.user,
            address.password,
            address.database,
            {name: value for name, value in given.items() if not name.startswith("ssl") or name == "sslnegotiation"},
        ).dsn()
    return told


async def connect(
    url: str, *, name: str = _NAME, patience_s: float = 60.0, settings: Mapping[str, str] | None = None
) -> asyncpg.Connection[asyncpg.Record]:
    """A session of its own with `settings`, which `translate_errors` should be around.

    Raises:
        SettingsError: the address cannot be used.
        UnfitDatabase: a pooler shares sessions.
        OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError: it cannot be opened.
    """
    with_arguments = arguments(url, name=name, patience_s=patience_s)
    connection: asyncpg.Connection[asyncpg.Record] | None = None
    try:
        async with refusals():
            connection = await asyncpg.connect(**with_arguments)
            await set_up(connection, settings or {})
            await require_own_session(connection, url)
    except BaseException:
        if connection is not None:
            connection.terminate()
        raise
    return connection


@asynccontextmanager
async def refusals() -> AsyncIterator[None]:
    """What the driver says of an address it cannot use, and of a session that is not ours, as our errors."""
    try:
        yield
    except SHARED:
        raise shared_sessions() from None
    except pg.ProtocolViolationError as error:
        if "statement pooling" in str(error):
            raise shared_sessions() from None
        raise
    except pg.ClientConfigurationError as error:
        raise SettingsError(f"database-url: {error}") from None
    except ssl.SSLCertVerificationError:  # a ValueError, too
        raise
    except ValueError:  # its text may quote a piece of the address
        raise SettingsError("database-url: the driver cannot use this address") from None


async def set_up(connection: Any, settings: Mapping[str, str]) -> None:
    """Gives a new session its settings."""
    if settings:
        await connection.execute(_SQL["set"], list(settings), list(settings.values()))


async def require_own_session(connection: Any, url: str) -> None:
    """Returns where the session is this connection's alone.

    Raises:
        UnfitDatabase: a pooler gives it to others in between.
    """
    process = await connection.fetchval(_SQL["process"])
    if process == connection.get_server_pid():
        return  # nobody is between
    other = await asyncpg.connect(**arguments(url, patience_s=_PATIENCE_S), statement_cache_size=0)
    try:
        async with asyncio.timeout(_PATIENCE_S):
            for _ in range(3):
                mine, its = await _process(connection), await _process(other)
                if mine in (its, None) or mine != process:
                    raise shared_sessions()
    except TimeoutError:
        return  # all sessions are taken, though the first of the two does nothing: it keeps its own
    finally:
        other.terminate()


async def _process(connection: Any) -> int | None:
    """The server process that answers now; in a transaction, so that it is one."""
    try:
        async with connection.transaction():
            found: int = await connection.fetchval(_SQL["process"])
            return found
    except (pg.PostgresConnectionError, pg.InterfaceError):
        # Transactions are not allowed where each statement has another session: it ends the connection.
        return None


def _require_service(name: str) -> None:
    """The driver passes over a service that is not there, and would connect to whatever is on this machine."""
    path = Path(os.environ.get("PGSERVICEFILE") or Path.home() / ".pg_service.conf")
    services = configparser.ConfigParser(interpolation=None)
    try:
        services.read(path)
    except configparser.Error:
        raise SettingsError("database-url: the service file cannot be read") from None
    if name not in services.sections():
        raise SettingsError(f"database-url: the service is not in {path}", hint="PGSERVICEFILE names another file.")


def _system_certificates(given: Mapping[str, str]) -> ssl.SSLContext:
    """Full verification by the certificates this system trusts, which is what libpq does with `sslrootcert=system`."""
    if given.get("sslmode", "verify-full") != "verify-full":
        raise SettingsError("database-url: sslrootcert=system needs sslmode=verify-full, or none")
    context = ssl.create_default_context()
    context.set_alpn_protocols(["postgresql"])
    if "sslcert" in given:
        try:
            context.load_cert_chain(given["sslcert"], given.get("sslkey"), given.get("sslpassword"))
        except (OSError, ssl.SSLError) as error:
            raise SettingsError(f"database-url: the certificate of sslcert cannot be used: {error.strerror}") from None
    return context
