"""Addresses: every form that people have is read alike, and none is quoted."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from asyncpg import connect_utils
from click.testing import CliRunner

from pinakes.address import PostgresAddress, RedisAddress
from pinakes.cli.main import main
from pinakes.errors import SettingsError
from pinakes.settings import Settings, load_settings
from pinakes.store.connection import arguments
from pinakes.store.pool import open_pool
from pinakes.view.session import session
from pinakes.worker.celery_app import broker_url

WHOLE = PostgresAddress((("h", 5433),), "ada", "p w/@'", "a b", {})
SECRET = "sec4711"


def driver(url: str) -> tuple[list[object], dict[str, object]]:
    """The addresses and parameters the driver makes of what we give it."""
    told = arguments(url)
    none = dict.fromkeys(
        ("host", "port", "user", "password", "passfile", "database", "service", "servicefile", "direct_tls",
         "target_session_attrs", "krbsrvname", "gsslib")
    )  # fmt: skip
    hosts, found = connect_utils._parse_connect_dsn_and_args(  # type: ignore[attr-defined]
        dsn=told["dsn"], ssl=told.get("ssl"), server_settings=told["server_settings"], **none
    )
    return hosts, found._asdict() if hasattr(found, "_asdict") else {n: getattr(found, n) for n in found._fields}


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://ada:p%20w%2F%40%27@h:5433/a%20b",
        "postgres://ada:p%20w%2F%40%27@h:5433/a%20b",
        "postgresql+asyncpg://ada:p%20w%2F%40%27@h:5433/a%20b",
        "postgresql+psycopg://ada:p%20w%2F%40%27@h:5433/a%20b",
        "  POSTGRESQL://ada:p%20w%2F%40%27@h:5433/a%20b\n",
        "postgresql://h:5433/a%20b?user=ada&password=p%20w%2F%40%27",
        "postgresql://?host=h&port=5433&dbname=a%20b&user=ada&password=p%20w/@'",
        "jdbc:postgresql://h:5433/a%20b?user=ada&password=p%20w/%40'",
        r"host=h port=5433 user=ada password='p w/@\'' dbname='a b'",
        r"host = h  port=5433 user = ada password=p\ w/@\' dbname=a\ b",
    ],
)
def test_all_forms_of_an_address_are_the_same_address(text: str) -> None:
    assert PostgresAddress.parse(text) == WHOLE
    hosts, found = driver(text)
    assert hosts == [("h", 5433)]
    assert (found["user"], found["password"], found["database"]) == ("ada", "p w/@'", "a b")


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("postgresql://u@/d?host=/run/pg", ["/run/pg/.s.PGSQL.5432"]),
        ("postgresql://u@%2Frun%2Fpg/d", ["/run/pg/.s.PGSQL.5432"]),
        ("postgresql://u@%2Frun%2Fpg:5433/d", ["/run/pg/.s.PGSQL.5433"]),
        ("host=/run/pg user=u port=5433", ["/run/pg/.s.PGSQL.5433"]),
        ("postgresql://u@[::1]:5433/d", [("::1", 5433)]),
        ("host=::1 port=5433 user=u", [("::1", 5433)]),
        ("postgresql://u@[2001:db8::7]/d", [("2001:db8::7", 5432)]),
        ("postgresql://u@one:1,two:2,three/d", [("one", 1), ("two", 2), ("three", 5432)]),
        ("host=one,two port=1,2 user=u", [("one", 1), ("two", 2)]),
        ("host=one,two port=7 user=u", [("one", 7), ("two", 7)]),
        ("postgresql:///d?user=u&host=one:1,/run/pg", [("one", 1), "/run/pg/.s.PGSQL.5432"]),
    ],
)
def test_hosts_and_sockets(text: str, hosts: list[object]) -> None:
    assert driver(text)[0] == hosts


def test_parameters_reach_the_driver_or_the_session() -> None:
    url = (
        "postgresql://u@h/d?sslmode=require&target_session_attrs=read-write&connect_timeout=7&application_name=mine"
        "&options=-c%20search_path%3Dx&channel_binding=prefer&gssencmode=disable&client_encoding=UTF8"
    )
    told = arguments(url, name="pinakes applier")
    assert told["timeout"] == 7
    assert told["server_settings"] == {
        "timezone": "UTC", "application_name": "mine applier", "options": "-c search_path=x",
    }  # fmt: skip
    found = driver(url)[1]
    assert getattr(found["target_session_attrs"], "value", None) == "read-write"
    assert isinstance(found["ssl"], ssl.SSLContext)
    assert driver("postgresql://u@h/d?ssl=disable")[1]["ssl"] is False
    assert arguments("postgresql://u@h/d?connect_timeout=0", patience_s=3)["timeout"] == 3


def test_the_systems_certificates(monkeypatch: pytest.MonkeyPatch) -> None:
    context = driver("postgresql://u@h/d?sslrootcert=system")[1]["ssl"]
    assert isinstance(context, ssl.SSLContext)
    assert context.check_hostname
    assert context.verify_mode == ssl.CERT_REQUIRED
    with pytest.raises(SettingsError, match="verify-full"):
        arguments("postgresql://u@h/d?sslrootcert=system&sslmode=require")


def test_a_service_is_read_and_a_missing_one_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "services"
    file.write_text(f"[gallery]\nhost=there\nport=5433\nuser=ada\npassword={SECRET}%\ndbname=d\n")
    monkeypatch.setenv("PGSERVICEFILE", str(file))
    with pytest.raises(SettingsError, match="service is not in"):
        arguments("service=another")
    file.write_text(file.read_text().replace("%", ""))
    for text in ("service=gallery", "postgresql:///?service=gallery"):
        hosts, found = driver(text)
        assert hosts == [("there", 5433)]
        assert (found["user"], found["password"]) == ("ada", SECRET)


def test_a_password_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "passwords"
    file.write_text(f"h:5432:d:u:{SECRET}\n")
    file.chmod(0o600)
    assert driver(f"postgresql://u@h/d?passfile={file}")[1]["password"] == SECRET


@pytest.mark.parametrize("character", ["/", "@", "#", "?", "%", "/x@", "?x=1", " ", ",", "%zz"])
@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+asyncpg", "redis", "rediss"])
def test_a_password_that_is_not_encoded_is_refused_with_the_way_out(scheme: str, character: str) -> None:
    name = "redis_url" if scheme.startswith("redis") else "database_url"
    url = f"{scheme}://u:{SECRET}{character}{SECRET}@h:1234/1"
    with pytest.raises(SettingsError, match="percent-encoded") as refused:
        load_settings(**{name: url})
    assert SECRET not in str(refused.value) + str(refused.value.extra) + refused.value.advice
    # Whoever is handed an address past the settings says no more.
    with pytest.raises(ValueError, match="percent-encoded") as read:
        (RedisAddress if name == "redis_url" else PostgresAddress).parse(url)
    assert SECRET not in repr(read.value)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("mysql://u:sec4711@h/d", "must begin with postgresql://"),
        ("u:sec4711@h/d", "must begin with postgresql://"),
        ("postgresql://u:sec4711@h:port/d", "percent-encoded"),
        ("postgresql://u:sec4711@h:99999/d", "percent-encoded"),
        ("postgresql://u:sec4711@h:0/d", "port"),
        ("host=h port=x password=sec4711", "port"),
        ("host=h password='sec4711", "cannot be read"),
        ("host=h password=sec4711 more", "cannot be read"),
        ("postgresql://u:sec4711@h/d?channel_binding=require", "channel_binding.*verify-full"),
        ("postgresql://u:sec4711@h/d?client_encoding=LATIN1", "client_encoding"),
        ("postgresql://u:sec4711@h/d?keepalives_idle=5", "keepalives_idle: leave it out"),
        ("postgresql://u:sec4711@h/d?search_path=x", "search_path: use options"),
        ("postgresql://u:sec4711@h/d?sslmode=sec4711", "sslmode must be one of disable"),
        ("postgresql://u:sec4711@h/d?target_session_attrs=sec4711", "target_session_attrs must be one of any"),
        ("postgresql://u:sec4711@h/d?connect_timeout=sec4711", "connect_timeout must be a number"),
        ("postgresql://u:sec4711@h/d?sec4711=sec4711", "a parameter that cannot be used: leave it out"),
        ("postgresql://u:sec4711@h/d?sec4711", "without a value"),
        ("host=one,two port=1,2,3", "as many ports"),
    ],
)
def test_what_cannot_be_used_is_named_and_no_value_is(text: str, named: str) -> None:
    with pytest.raises(SettingsError, match=named) as refused:
        load_settings(database_url=text)
    assert SECRET not in str(refused.value) + str(refused.value.extra)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("redis://:p%2Fw@h/1", "redis://:p%2Fw@h:6379/1"),
        ("h:6380", "redis://h:6380/0"),
        ("[::1]:6380", "redis://[::1]:6380/0"),
        ("valkeys://ada:p@h/3", "rediss://ada:p@h:6379/3"),
        ("redis://h?db=4", "redis://h:6379/4"),
        ("rediss://h/2?ssl_cert_reqs=none", "rediss://h:6379/2?ssl_cert_reqs=none"),
        ("unix:///run/r.sock?db=1", "unix:///run/r.sock?db=1"),
        ("unix://ada:p%40w@/run/r.sock", "unix://ada:p%40w@/run/r.sock?db=0"),
        ("redis+socket:///run/r.sock?virtual_host=2", "unix:///run/r.sock?db=2"),
    ],
)
def test_forms_of_a_redis_address(text: str, url: str) -> None:
    assert RedisAddress.parse(text).url() == url


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("http://:sec4711@h", "must begin with redis://"),
        ("redis://:sec4711@h/x", "no database number"),
        ("redis://:sec4711@h:1,h2:2/0", "several hosts"),
        ("redis://:sec4711@h/0?socket_timeout=1", "socket_timeout"),
        ("redis://:sec4711@h/0?sec4711=1", "not known$"),
        ("rediss://:sec4711@h/0?ssl_cert_reqs=sec4711", "ssl_cert_reqs"),
    ],
)
def test_what_is_wrong_with_a_redis_address_is_named(text: str, named: str) -> None:
    for name in ("redis_url", "celery_broker_url"):
        if name == "celery_broker_url" and text.startswith("http"):
            continue
        with pytest.raises(SettingsError, match=named) as refused:
            load_settings(**{name: text})
        assert SECRET not in str(refused.value) + str(refused.value.extra)


def test_the_broker_has_the_cache_s_address_in_celerys_form() -> None:
    def of(url: str) -> str:
        return broker_url(load_settings(redis_url=url))

    assert of("unix://ada:p%40w@/run/r.sock?db=3") == "redis+socket://ada:p%40w@/run/r.sock?virtual_host=0"
    assert of("rediss://:p@h/3") == "rediss://:p@h:6379/0?ssl_cert_reqs=required"
    assert of("h:6380") == "redis://h:6380/0"


async def test_a_session_is_opened_by_any_form_of_address(settings: Settings) -> None:
    known = PostgresAddress.parse(settings.database_url or "")
    ((host, _),) = known.hosts
    for text in (
        f"postgresql+asyncpg://pinakes@/{known.database}?host={host}",
        f"host='{host}' dbname={known.database} user=pinakes connect_timeout=5 application_name=mine",
        f"postgres://pinakes@{host.replace('/', '%2F')}/{known.database}?options=-c%20plan_cache_mode%3Dauto",
    ):
        changed = load_settings(database_url=text)
        async with session(changed) as connection:
            told = "SELECT current_database() || ' ' || current_setting('plan_cache_mode')"
            assert await connection.fetchval(told) == f"{known.database} force_custom_plan"
            assert await connection.fetchval("SHOW client_connection_check_interval") == "1s"
        pool = await open_pool(changed, max_size=1)
        assert await pool.fetchval("SHOW timezone") == "UTC"
        await pool.close()


@pytest.mark.parametrize(
    "words",
    [
        ["migrate"], ["serve", "--port", "0"], ["worker"], ["doctor"], ["check"], ["export", "out"], ["view", "status"],
        ["index", "status"], ["index", "build"], ["cache", "stats"], ["advise"],
        ["token", "--user", "x"], ["check", "cache"],
    ],
    ids=" ".join,
)  # fmt: skip
@pytest.mark.parametrize("name", ["--database-url", "--redis-url"])
def test_no_command_shows_a_password(words: list[str], name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    scheme = "redis" if name == "--redis-url" else "postgresql"
    option = "PINAKES_" + name.strip("-").upper().replace("-", "_")
    monkeypatch.setenv(option, f"{scheme}://u:{SECRET}/{SECRET}@127.0.0.1:1/1")
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 1, result.output
    assert "percent-encoded" in result.output
    assert SECRET not in result.output
    assert "Traceback" not in result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)


def test_nothing_shows_an_address() -> None:
    assert SECRET not in repr(PostgresAddress.parse(f"postgresql://u:{SECRET}@h/d"))
    assert SECRET not in repr(RedisAddress.parse(f"redis://:{SECRET}@h"))
