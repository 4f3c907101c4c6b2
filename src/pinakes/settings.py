"""Every setting of Pinakes, in one typed table.

A value comes from, later winning: the default here; the JSON file `config/base.json` (keys
hyphenated: `redis-max-memory`), or another one that `PINAKES_CONFIG` names; the environment
(`PINAKES_REDIS_MAX_MEMORY`); what the caller passes. A null or an empty variable means "not set".
An unknown key in the file is an error, never ignored.

docs/configuration.md is generated from this table, so each field says what it does and its bounds.
"""

from __future__ import annotations

import ipaddress
import os
import re
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import quote, urlsplit

import orjson
from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings import SettingsError as EnvironmentValueError

from pinakes.address import PostgresAddress, RedisAddress, require_readable
from pinakes.errors import SettingsError

CONFIG_VARIABLE = "PINAKES_CONFIG"
DEFAULT_CONFIG = Path("config/base.json")
PREFIX = "PINAKES_"

EvictionPolicy = Literal[
    "allkeys-lru",
    "allkeys-lfu",
    "allkeys-random",
    "volatile-lru",
    "volatile-lfu",
    "volatile-random",
    "volatile-ttl",
    "noeviction",
]


def hyphenated(field: str) -> str:
    """The name of a field in the file, in messages and in the documentation."""
    return field.replace("_", "-")


class Settings(BaseSettings):
    """The settings of one process; made by `load_settings`, never changed afterwards."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="forbid", frozen=True, hide_input_in_errors=True
    )

    # Where the data is
    database_url: str | None = Field(
        None,
        repr=False,
        description="PostgreSQL to use, `postgresql://user@host/name`; unset: the embedded one",
    )
    redis_url: str | None = Field(
        None,
        repr=False,
        description="Redis to use, `redis://host:6379/1`; unset: `redis-host`, or the embedded one",
    )
    redis_host: str | None = Field(None, description="Redis host, where no `redis-url` is set")
    redis_port: int = Field(6379, ge=1, le=65535, description="Redis port, with `redis-host`")
    redis_db: int = Field(1, ge=0, le=15, description="Redis database of the cache; a Celery broker has 0")
    redis_password: str | None = Field(None, repr=False, description="Redis password, with `redis-host`")
    redis_max_memory: str = Field(
        "256mb", pattern=r"^[1-9][0-9]*(b|k|kb|m|mb|g|gb)?$", description="Memory limit of the embedded Redis"
    )
    redis_eviction_policy: EvictionPolicy = Field(
        "allkeys-lru", description="What the embedded Redis drops when it is full"
    )
    data_dir: Path = Field(Path("pinakes-data"), description="Directory of the embedded servers, their data and logs")

    # Serving
    host: str = Field("127.0.0.1", description="Address to listen on")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes any free one")
    workers: int = Field(1, ge=1, le=256, description="Web server processes")
    public_url: str | None = Field(
        None,
        pattern=r"^https?://[^/?#\s@]+(/[A-Za-z0-9._~-]+)*/?$",
        description="Address people use, where a proxy stands before the service, as `https://example.org/gallery`; "
        "what follows the host is the path everything stands below",
    )
    trusted_proxies: str | None = Field(
        None,
        description="Addresses or networks of proxies whose `Forwarded` and `X-Forwarded-…` headers are believed, "
        "separated by spaces",
    )
    drain_delay_seconds: float = Field(
        0.0,
        ge=0,
        le=3600,
        description="Seconds between SIGTERM and the end of a service in which `/readyz` fails and all else is "
        "answered, so that a balancer stops sending; two of its probes and a little. 0: none, as without a balancer",
    )
    open_operations: bool = Field(
        False, description="Whether `/ops` is open to everybody, as in the demo; else to administrators"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="How much is logged")

    # Connections of callers
    max_connections: int = Field(
        16_384,
        ge=16,
        le=1_000_000,
        description="Connections each process has open, idle ones too, where the system allows as many; near it, the "
        "longest idle are closed",
    )
    idle_timeout_seconds: float = Field(
        30.0,
        ge=1,
        le=3600,
        description="Seconds in which the header of a request comes, counted from the connection's beginning or its "
        "last answer; then it is closed",
    )
    send_timeout_seconds: float = Field(
        30.0,
        ge=1,
        le=3600,
        description="Seconds in which an answer is taken slower than `least-bytes-per-second`; then the connection is "
        "closed",
    )
    least_bytes_per_second: int = Field(
        1000,
        ge=0,
        le=1_000_000_000,
        description="How slowly a caller may send a body (after 5 s) or take an answer, in the mean; 0: any",
    )
    max_unread_bytes: int = Field(
        512 * 2**20,
        ge=2**20,
        le=2**40,
        description="Bytes of answers each process holds that callers have not taken; then 503, and the largest are "
        "dropped",
    )

    # Talking to PostgreSQL
    pool_min_size: int = Field(1, ge=0, le=1000, description="Connections each process keeps open")
    pool_max_size: int = Field(10, ge=1, le=1000, description="Most connections of each process for reading")
    pool_write_max_size: int = Field(
        3, ge=1, le=1000, description="Most further connections of each process, for writing: those wait for locks"
    )
    pool_max_waiting: int = Field(
        100, ge=0, le=100_000, description="Most requests of each process that wait for a connection; then 503"
    )
    pool_wait_ms: int = Field(
        2000, ge=1, le=3_600_000, description="Milliseconds a request waits for a connection; then 503"
    )
    connect_timeout_s: float = Field(10.0, gt=0, le=600, description="Seconds a new connection may take")
    statement_timeout_ms: int = Field(
        5000,
        ge=1,
        le=3_600_000,
        description="Milliseconds the database may work for one request, all its statements and its waiting for "
        "connections and locks together; then 504",
    )
    count_budget_ms: int = Field(
        1000, ge=1, le=3_600_000, description="Milliseconds an exact total may take; then `total_kind` is `lower_bound`"
    )

    # Ceilings on what is asked
    max_terms: int = Field(
        1000,
        ge=1,
        le=100_000,
        description="Most terms in one query, tags and words together; twice as many words, signs and brackets",
    )
    max_query_bytes: int = Field(65_536, ge=1024, le=1_048_576, description="Longest question, in an address or a form")
    max_search_bytes: int = Field(4096, ge=16, le=1_048_576, description="Longest search term")
    max_body_bytes: int = Field(2_000_000, ge=1024, le=1_073_741_824, description="Longest request body")
    max_bodies_bytes: int = Field(
        64 * 2**20, ge=1024, le=2**40, description="Bytes of request bodies each process holds at a time; then 503"
    )
    max_concurrent_requests: int = Field(
        500, ge=1, le=1_000_000, description="Requests each process works on at a time, waiting ones too; then 503"
    )
    body_timeout_seconds: float = Field(30.0, gt=0, le=3600, description="Seconds a request body may take; then 408")
    idempotency_hours: int = Field(24, ge=1, le=8760, description="Hours an `Idempotency-Key` is remembered")
    rate_limit_per_second: float = Field(
        50.0,
        ge=0,
        le=1_000_000,
        description="Work for each caller in each process, in units a second: a request that is not answered from the "
        "cache is one, and each hundredth of a second it takes another; then 429. 0: no limit",
    )
    rate_limit_burst: int = Field(3000, ge=1, le=1_000_000, description="Units a caller may use up at once")
    client_address_header: str | None = Field(
        None,
        pattern=r"^[A-Za-z][A-Za-z-]*$",
        description="Header in which a proxy of yours puts the caller's address, as `X-Forwarded-For`; its last "
        "entry counts. Unset: the connection's address",
    )
    default_page_size: int = Field(25, ge=1, le=1000, description="Items on a page where none is asked for")
    max_page_size: int = Field(1000, ge=1, le=1000, description="Most items on a page")

    # Who asks
    jwt_secret: str | None = Field(
        None, min_length=32, repr=False, description="HS256 secret of bearer tokens; unset: the embedded servers' own"
    )
    jwt_jwks_file: Path | None = Field(None, description="JWKS file with the keys of an identity provider")
    jwt_audience: str | None = Field(None, description="Audience (`aud`) a token must have")
    jwt_issuer: str | None = Field(None, description="Issuer (`iss`) a token must have")
    jwt_user_claim: str = Field(
        "sub", min_length=1, max_length=100, description="Claim of a token that holds the number of the user"
    )
    jwt_leeway_s: float = Field(0.0, ge=0, le=600, description="Seconds of clock difference forgiven")
    cors_origins: str | None = Field(
        None, description="Origins whose pages may read the API in a browser, separated by spaces; unset: none"
    )
    stats_public: bool = Field(
        True, description="Statistics and metrics are for everybody; false: for tokens with scope admin"
    )
    cursor_secret: str | None = Field(
        None, min_length=32, repr=False, description="Key that signs cursors; the same in all processes of one site"
    )

    # Engines
    engine: Literal["auto", "index", "matview", "base"] = Field(
        "auto", description="Who answers: `auto` is the quickest engine that is ready, else the one named"
    )
    wait_for_seconds: float = Field(
        30.0, ge=0, le=3600, description="Longest a write with `refresh=wait_for` waits to become visible"
    )

    # Read model and its worker
    view_policy: Literal["periodic", "event", "incremental"] = Field(
        "incremental", description="How the read model is kept; a changed value is taken over when a worker starts"
    )
    refresh_interval_seconds: float = Field(
        300.0, ge=1, le=86_400, description="Seconds between refreshes, policy `periodic`; 300 to 600 is usual"
    )
    event_debounce_seconds: float = Field(
        30.0, ge=0, le=3600, description="Quiet seconds after the last write before a refresh, policy `event`"
    )
    event_max_wait_seconds: float = Field(
        300.0, ge=0, le=86_400, description="Most seconds from the first write to its refresh, policy `event`"
    )
    epoch_interval_ms: int = Field(
        100, ge=1, le=60_000, description="Milliseconds between epochs, policy `incremental`"
    )
    epoch_batch: int = Field(5000, ge=1, le=1_000_000, description="Most dirty rows one epoch takes")
    change_log_seconds: float = Field(
        900.0, ge=1, le=604_800, description="Seconds the change log goes back; longer than any cached answer lives"
    )
    max_staleness_seconds: float | None = Field(
        None,
        gt=0,
        le=604_800,
        description="An older read model is not asked by engine `auto`; unset: 30, or twice the wait of the policy",
    )
    index_memory: str = Field(
        "512mb", pattern=r"^[1-9][0-9]*(kb|mb|gb)$", description="Memory of each process for bitmaps of the index"
    )
    celery_broker_url: str | None = Field(
        None, repr=False, description="Celery's broker; unset: database 0 of the cache's Redis"
    )

    # Result cache
    cache_strategy: Literal["off", "ttl", "event", "hybrid"] = Field(
        "hybrid",
        description="What makes a cached answer good: `ttl` its age, `event` that nothing it depends on changed, "
        "`hybrid` age for feeds without tag, creator or word and change for the rest; `off`: no cache",
    )
    cache_budget_ms: int = Field(
        1000, ge=400, le=3_600_000, description="How old an answer may be, an epoch included, `event` and `hybrid`"
    )
    cache_ttl_tagged_seconds: int = Field(
        600, ge=1, le=86_400, description="Longest life of an answer to a question with tags"
    )
    cache_ttl_seconds: int = Field(300, ge=1, le=86_400, description="Longest life of any other answer")
    cache_timeout_ms: int = Field(40, ge=5, le=1000, description="Milliseconds Redis may take before it is left alone")
    cache_process_bytes: int = Field(
        64 * 2**20, ge=0, le=2**36, description="Bytes of finished answers each process keeps itself"
    )

    # Figures
    figures_keep_hours: int = Field(
        72, ge=0, le=8760, description="Hours that figures of each minute are kept in the database; 0 stores none"
    )
    slow_query_ms: int = Field(
        100, ge=0, le=3_600_000, description="From here on the text of a query, not who asked it, is kept; 0 keeps none"
    )

    audit_one_in: int = Field(
        0,
        ge=0,
        le=1_000_000_000,
        description="One in so many answers from the cache is computed again to see that it "
        "is right, in the background; 0: none",
    )

    @field_validator("database_url")
    @classmethod
    def _postgresql(cls, value: str | None) -> str | None:
        if value is not None:
            PostgresAddress.parse(value)
        return value

    @field_validator("redis_url")
    @classmethod
    def _redis(cls, value: str | None) -> str | None:
        if value is not None:
            RedisAddress.parse(value)
        return value

    @field_validator("celery_broker_url")
    @classmethod
    def _broker(cls, value: str | None) -> str | None:
        if value is not None and value.startswith(("redis:", "rediss:", "redis+socket:", "unix:", "valkey")):
            RedisAddress.parse(value)
        elif value is not None:
            require_readable(value)
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: str | None) -> str | None:
        for each in re.split(r"[\s,]+", value or ""):
            if each:
                ipaddress.ip_network(each, strict=False)
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.default_page_size > self.max_page_size:
            raise ValueError("default-page-size is greater than max-page-size")
        if self.pool_min_size > self.pool_max_size:
            raise ValueError("pool-min-size is greater than pool-max-size")
        return self

    def redis_address(self) -> str | None:
        """The Redis that was asked for by `redis_url` or `redis_host`, or None: then it is the embedded one."""
        if self.redis_url is not None:
            plain = self.redis_url.startswith(("redis://", "rediss://", "unix://"))
            return self.redis_url if plain else RedisAddress.parse(self.redis_url).url()
        if self.redis_host is None:
            return None
        password = f":{quote(self.redis_password, safe='')}@" if self.redis_password else ""
        host = f"[{self.redis_host}]" if ":" in self.redis_host else self.redis_host
        return f"redis://{password}{host}:{self.redis_port}/{self.redis_db}"

    def redis_max_memory_bytes(self) -> int:
        """`redis_max_memory` in bytes; Redis' own reading of the units."""
        number = self.redis_max_memory.rstrip("bkmg")
        unit = self.redis_max_memory[len(number) :]
        units = {"k": 10**3, "kb": 2**10, "m": 10**6, "mb": 2**20, "g": 10**9, "gb": 2**30}
        return int(number) * units.get(unit, 1)

    def index_memory_bytes(self) -> int:
        """`index_memory` in bytes."""
        return int(self.index_memory[:-2]) << {"kb": 10, "mb": 20, "gb": 30}[self.index_memory[-2:]]

    def root_path(self) -> str:
        """The path of `public_url` that everything stands below, as `/gallery`; empty where there is none."""
        return urlsplit(self.public_url or "").path.rstrip("/")

    def environment(self) -> dict[str, str]:
        """Variables from which a child process reads exactly these settings and no file."""
        values = self.model_dump(mode="json", exclude_none=True)
        return {CONFIG_VARIABLE: "", **{PREFIX + name.upper(): str(value) for name, value in values.items()}}

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then environment, then the file."""
        return init_settings, env_settings, _ConfigFile(settings_cls)


class _ConfigFile(PydanticBaseSettingsSource):
    """The JSON file, with hyphenated keys."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Not used: the file is read as a whole."""
        raise NotImplementedError

    def __call__(self) -> dict[str, Any]:
        named = os.environ.get(CONFIG_VARIABLE)
        if named == "":
            return {}
        path = Path(named) if named else DEFAULT_CONFIG
        try:
            content = orjson.loads(path.read_bytes())
        except FileNotFoundError:
            if named:
                raise SettingsError(f"{CONFIG_VARIABLE} names {path}, which does not exist") from None
            return {}
        except OSError as error:
            raise SettingsError(f"{path} cannot be read: {error.strerror}") from error
        except orjson.JSONDecodeError as error:
            raise SettingsError(f"{path} is not valid JSON: {error}") from error
        if not isinstance(content, dict):
            raise SettingsError(f"{path} must hold one JSON object")
        known = {hyphenated(name): name for name in Settings.model_fields}
        unknown = sorted(content.keys() - known.keys())
        if unknown:
            raise SettingsError(f"{path} has unknown settings: {', '.join(unknown)}", allowed=sorted(known))
        return {known[key]: value for key, value in content.items() if value is not None}


def load_settings(**overrides: Any) -> Settings:
    """The settings of this process; an override that is None does not count.

    Raises SettingsError naming every setting at fault, never its value: it may be a secret.
    """
    try:
        return Settings(**{name: value for name, value in overrides.items() if value is not None})
    except ValidationError as error:
        raise SettingsError("; ".join(_problem(dict(problem)) for problem in error.errors())) from None
    except EnvironmentValueError as error:
        raise SettingsError(str(error)) from None


def _problem(problem: dict[str, Any]) -> str:
    """One line for one of pydantic's findings."""
    name = ".".join(hyphenated(str(part)) for part in problem["loc"])
    message = str(problem["msg"]).removeprefix("Value error, ")
    return f"{name}: {message}" if name else message
