"""Addresses of PostgreSQL and Redis, in all forms that people have: read once, and never quoted in an error.

    postgresql://user:password@host:5432,other/name?sslmode=require      also postgres://, postgresql+asyncpg://, jdbc:…
    postgresql://user@/name?host=/run/postgresql                        a socket; also %2Frun%2Fpostgresql as the host
    host=/run/postgresql dbname=name password='it''s'                   libpq's other form
    redis://user:password@host:6379/1, rediss://…, unix:///run/redis.sock?db=1, host:6379

URLs are taken apart by pydantic's parser, which the settings have loaded anyway and which knows several hosts. What
separates the parts must be percent-encoded inside a password: every address in which such a character may have been
forgotten is refused, since guessing would connect somewhere else. Parameters are those of libpq; each is handed to
the driver, translated for it, or refused by its name. Addresses have some hundred bytes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

from pydantic_core import MultiHostUrl, ValidationError

_ENCODE = (
    "cannot be read; in a user or password the characters / ? # @ % : , and spaces must be percent-encoded"
    " (/ is %2F, @ is %40, # is %23, ? is %3F, % is %25)"
)
_SCHEME = re.compile(r"(?i)^(?:jdbc:)?([a-z][a-z0-9+]*)://")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_NAME = re.compile(r"[a-z_]{1,32}")
_PAIR = re.compile(r"\s*([A-Za-z_]+)\s*=\s*('(?:[^'\\]|\\.)*'|(?:[^\s'\\]|\\.)*)(?=\s|$)", re.DOTALL)

# Parameters of libpq that asyncpg reads from its address by the same name.
_DRIVERS = frozenset(
    (
        "passfile", "sslmode", "sslcert", "sslkey", "sslrootcert", "sslnegotiation", "sslcrl", "sslpassword",
        "ssl_min_protocol_version", "ssl_max_protocol_version", "target_session_attrs", "krbsrvname", "gsslib",
        "service",
    )
)  # fmt: skip
# Parameters that change nothing when they have one of these values: what the driver does anyway.
_AS_IT_IS = {
    "channel_binding": ("disable", "prefer"),
    "gssencmode": ("disable", "prefer"),
    "gssdelegation": ("0",),
    "sslcompression": ("0",),
    "sslsni": ("1",),
    "load_balance_hosts": ("disable",),
    "client_encoding": ("utf8", "utf-8", "auto", "unicode"),
    "requiressl": ("0",),
    "replication": ("false", "off", "no", "0"),
}
_WORDS = {
    "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "target_session_attrs": ("any", "primary", "standby", "read-write", "read-only", "prefer-standby"),
    "sslnegotiation": ("postgres", "direct"),
    "gsslib": ("gssapi", "sspi"),
}
_SSL = {"true": "require", "1": "require", "on": "require", "false": "disable", "0": "disable", "off": "disable"}
_INSTEAD = {
    "channel_binding": "the driver cannot bind channels; use sslmode=verify-full, which refuses whoever sits between",
    "client_encoding": "Pinakes speaks UTF-8 only",
    "schema": "use options=-c%20search_path=…",
    "search_path": "use options=-c%20search_path=…",
    "statement_timeout": "use the setting statement-timeout-ms",
    "hostaddr": "put the address into the place of the host",
}


@dataclass(frozen=True, slots=True)
class PostgresAddress:
    """Where a PostgreSQL is; `parameters` are libpq's, `hosts` are (host or folder of the socket, port or None)."""

    hosts: tuple[tuple[str, int | None], ...]
    user: str | None
    password: str | None
    database: str | None
    parameters: dict[str, str]

    def __repr__(self) -> str:
        return "PostgresAddress(…)"

    @classmethod
    def parse(cls, text: str) -> PostgresAddress:
        """Reads any of the forms. Raises ValueError, whose message quotes only names of known parameters."""
        text = text.strip()
        scheme = _SCHEME.match(text)
        if scheme is None:
            if "://" in text or "=" not in text:
                raise ValueError("must begin with postgresql:// or have the form host=… dbname=…")
            return cls._of({}, _pairs(text), {})
        kind = scheme[1].lower().partition("+")[0]
        if kind not in ("postgresql", "postgres"):
            raise ValueError("must begin with postgresql://")
        parts = _url(f"postgresql://{text[scheme.end() :]}")
        return cls._of(parts, {}, _query(parts["query"]))

    @classmethod
    def _of(cls, parts: dict[str, Any], pairs: dict[str, str], query: dict[str, str]) -> PostgresAddress:
        given = {**pairs, **query}
        hosts = parts.get("hosts") or []
        named = given.pop("host", None) or (given.pop("hostaddr", None) if not hosts else None)
        ports = [_port(port) for port in given.pop("port", "").split(",") if port]
        if not hosts and named is not None:
            hosts = [_host(host) for host in named.split(",")]
        if len(ports) > 1 and len(ports) != len(hosts):
            raise ValueError("has not as many ports as hosts")
        if ports:
            every = ports if len(ports) > 1 else ports * max(len(hosts), 1)
            hosts = [(host, port or own) for (host, port), own in zip(hosts or [("", None)], every, strict=True)]
        user = given.pop("user", None) or parts.get("user")
        password = given.pop("password", None) or parts.get("password")
        database = given.pop("dbname", None) or given.pop("database", None) or parts.get("path")
        return cls(tuple(hosts), user, password, database or None, _parameters(given))

    def dsn(self) -> str:
        """The address in the driver's own form, without what `parameters` say that is ours to do."""
        hosts = ",".join(f"[{h}]" if ":" in h and not h.startswith("/") else h for h, _ in self.hosts)
        ports = ",".join(str(port or 5432) for _, port in self.hosts)
        query = {
            "host": hosts,
            "port": ports if any(port for _, port in self.hosts) else "",
            "user": self.user or "",
            "password": self.password or "",
            "dbname": self.database or "",
            **{name: value for name, value in self.parameters.items() if name in _DRIVERS},
        }
        told = "&".join(f"{name}={quote(value, safe='/')}" for name, value in query.items() if value)
        return f"postgresql://{'?' if told else ''}{told}"


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """Where a Redis is: the path of a Unix socket, or host and port; `files` are names of redis-py's TLS options."""

    path: str | None
    host: str
    port: int
    db: int
    username: str | None
    password: str | None
    tls: bool
    files: dict[str, str]

    def __repr__(self) -> str:
        return "RedisAddress(…)"

    @classmethod
    def parse(cls, text: str) -> RedisAddress:
        """Reads any of the forms. Raises ValueError, whose message quotes nothing."""
        text = text.strip()
        if "://" not in text:
            text = f"redis://{text}"
        scheme, _, rest = text.partition("://")
        scheme = {"valkey": "redis", "valkeys": "rediss", "redis+socket": "unix"}.get(scheme.lower(), scheme.lower())
        if scheme not in ("redis", "rediss", "unix"):
            raise ValueError("must begin with redis://, rediss:// or unix://")
        parts = _url(f"{scheme}://{rest}")
        given = _query(parts["query"])
        unix = scheme == "unix"
        if len(parts["hosts"]) > (0 if unix else 1):
            raise ValueError("names a host beside its socket" if unix else "names several hosts, one is possible")
        host, port = parts["hosts"][0] if parts["hosts"] else ("127.0.0.1", None)
        number = given.pop("db", given.pop("virtual_host", "")) or ("" if unix else parts["path"].strip("/")) or "0"
        if not re.fullmatch(r"[0-9]{1,5}", number):
            raise ValueError("names no database number")
        files = {name: given.pop(name) for name in list(given) if name in _REDIS_TLS}
        if files.get("ssl_cert_reqs", "required") not in ("none", "optional", "required"):
            raise ValueError("ssl_cert_reqs must be none, optional or required")
        username = given.pop("username", None) or parts["user"]
        password = given.pop("password", None) or parts["password"]
        for name in ("protocol", "client_name"):
            given.pop(name, None)
        if given:
            raise ValueError(f"has a parameter that is not known{_named(next(iter(given)))}")
        path = f"/{parts['path']}" if unix else None
        return cls(path, host or "127.0.0.1", port or 6379, int(number), username, password, scheme == "rediss", files)

    def url(self, db: int | None = None) -> str:
        """The address as redis-py reads it, of database `db` or its own."""
        number = self.db if db is None else db
        user = quote(self.username or "", safe="")
        who = f"{user}:{quote(self.password, safe='')}@" if self.password is not None else f"{user}@" if user else ""
        if self.path is not None:
            return f"unix://{who}{quote(self.path, safe='/')}?db={number}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        more = "&".join(f"{name}={quote(value, safe='/')}" for name, value in self.files.items())
        return f"redis{'s' if self.tls else ''}://{who}{host}:{self.port}/{number}{'?' if more else ''}{more}"


_REDIS_TLS = frozenset({"ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs", "ssl_check_hostname"})


def require_readable(text: str) -> None:
    """Raises ValueError, quoting nothing, where a URL of any kind cannot be read."""
    _url(text.strip())


def _url(text: str) -> dict[str, Any]:
    """The parts of a URL, decoded. Raises ValueError where a character may have been left as it is in a password."""
    scheme, _, rest = text.partition("://")
    cut = re.search(r"[/?#]", rest)
    authority, behind = (rest, "") if cut is None else (rest[: cut.start()], rest[cut.start() :])
    user, at, where = authority.rpartition("@")
    forgotten = "@" in user or "#" in behind or ("@" in behind and authority and not at) or " " in authority
    if forgotten or _BAD_ESCAPE.search(authority + behind):
        raise ValueError(_ENCODE)
    if at and not where:  # a user and a socket
        text = f"{scheme}://{user}@-{behind}"
    try:
        read = MultiHostUrl(text)
    except ValidationError:
        raise ValueError(_ENCODE if at else "is no address that can be read") from None
    found = read.hosts()
    first = found[0] if found else None
    if at and (first is None or (first["username"] is None and first["password"] is None and user.strip(":"))):
        raise ValueError(_ENCODE)
    hosts = [] if at and not where else [(unquote(one["host"] or "").strip("[]"), one["port"]) for one in found]
    if any(port == 0 for _, port in hosts):
        raise ValueError("names a port that is no number between 1 and 65535")
    return {
        "hosts": hosts,
        "user": unquote(first["username"]) if first and first["username"] else None,
        "password": unquote(first["password"]) if first and first["password"] else None,
        "path": unquote((read.path or "").removeprefix("/")),
        "query": read.query or "",
    }


def _query(text: str) -> dict[str, str]:
    given = {}
    for pair in text.split("&") if text else []:
        name, equals, value = pair.partition("=")
        if not equals:
            raise ValueError(f"has a parameter without a value; if it is part of a password, it {_ENCODE}")
        given[unquote(name)] = unquote(value)
    return given


def _pairs(text: str) -> dict[str, str]:
    """libpq's `name=value name='a value'`."""
    given, at = {}, 0
    while at < len(text.rstrip()):
        found = _PAIR.match(text, at)
        if found is None:
            raise ValueError("cannot be read; values with spaces or quotes are written 'so', with \\ before ' and \\")
        value = found[2][1:-1] if found[2].startswith("'") else found[2]
        given[found[1]] = re.sub(r"\\(.)", r"\1", value, flags=re.DOTALL)
        at = found.end()
    return given


def _host(text: str) -> tuple[str, int | None]:
    """A host with its port, of a parameter `host`."""
    if text.startswith("/"):
        return text, None
    found = re.fullmatch(r"\[([0-9A-Fa-f:.%]+)\](?::([0-9]+))?|([^:\[\]]*):([0-9]+)|([^\[\]]*)", text)
    if found is None:
        raise ValueError("names a host that cannot be read")
    port = found[2] or found[4]
    return found[1] or found[3] or found[5] or "", _port(port) if port else None


def _port(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 0 < int(text) < 65536:
        raise ValueError("names a port that is no number between 1 and 65535")
    return int(text)


def _parameters(given: dict[str, str]) -> dict[str, str]:
    """What is left of the parameters, for the driver and for us."""
    kept: dict[str, str] = {}
    if "ssl" in given:  # other drivers' word for it
        value = given.pop("ssl").lower()
        given.setdefault("sslmode", _SSL.get(value, value))
    for name, value in given.items():
        if name in _AS_IT_IS and value.lower() in _AS_IT_IS[name]:
            continue
        if name in _WORDS and value not in _WORDS[name]:
            raise ValueError(f"{name} must be one of {', '.join(_WORDS[name])}")
        if name == "connect_timeout" and not re.fullmatch(r"-?[0-9]{1,6}", value):
            raise ValueError("connect_timeout must be a number of seconds")
        if name not in _DRIVERS | {"connect_timeout", "application_name", "fallback_application_name", "options"}:
            advice = _INSTEAD.get(name, "leave it out")
            raise ValueError(f"has a parameter that cannot be used{_named(name)}: {advice}")
        kept[name] = value
    return kept


def _named(name: str) -> str:
    """The name of a parameter, for a message; nothing where it may be a piece of something else."""
    known = _AS_IT_IS.keys() | _INSTEAD.keys() | _LIBPQ
    return f", {name}" if name in known else ""


# Names that can only be a parameter's; another one may be a piece of a password.
_LIBPQ = frozenset(
    (
        "hostaddr", "require_auth", "keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count",
        "tcp_user_timeout", "sslcertmode", "sslcrldir", "requirepeer", "min_protocol_version", "max_protocol_version",
        "scram_client_key", "scram_server_key", "sslkeylogfile", "servicefile", "oauth_issuer", "oauth_client_id",
        "pgbouncer", "connection_limit", "pool_timeout", "prepared_statement_cache_size", "statement_cache_size",
        "async_fallback", "server_settings", "command_timeout", "socket_timeout", "socket_connect_timeout",
        "retry_on_timeout", "max_connections", "health_check_interval", "decode_responses", "encoding",
    )
)  # fmt: skip
