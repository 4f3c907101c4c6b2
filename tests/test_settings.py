"""Settings: where values come from, and what is said about wrong ones."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from pinakes.errors import SettingsError
from pinakes.settings import CONFIG_VARIABLE, DEFAULT_CONFIG, Settings, hyphenated, load_settings

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "base.json"
    monkeypatch.setenv(CONFIG_VARIABLE, str(path))
    return path


def test_later_sources_win(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_bytes(orjson.dumps({"port": 1001, "workers": 2, "redis-max-memory": "1gb"}))
    monkeypatch.setenv("PINAKES_PORT", "1002")
    monkeypatch.setenv("PINAKES_WORKERS", "3")
    settings = load_settings(workers=4)
    assert (settings.redis_max_memory, settings.port, settings.workers) == ("1gb", 1002, 4)
    assert settings.pool_max_size == 10


def test_null_empty_and_none_mean_not_set(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_bytes(orjson.dumps({"redis-host": None, "port": None, "workers": 2}))
    monkeypatch.setenv("PINAKES_WORKERS", "")
    settings = load_settings(workers=None)
    assert (settings.redis_host, settings.port, settings.workers) == (None, 8000, 2)


def test_the_default_file_is_found_in_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CONFIG_VARIABLE)
    monkeypatch.chdir(tmp_path)
    assert load_settings().port == 8000
    (tmp_path / "config").mkdir()
    (tmp_path / DEFAULT_CONFIG).write_bytes(orjson.dumps({"port": 1001}))
    assert load_settings().port == 1001


def test_the_file_in_the_repository_says_what_the_defaults_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CONFIG_VARIABLE, str(ROOT / DEFAULT_CONFIG))
    shipped = load_settings()
    monkeypatch.setenv(CONFIG_VARIABLE, "")
    assert shipped == load_settings()


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ('{"prot": 1}', "prot"),
        ('{"redis_db": 1}', "redis_db"),  # hyphens, or the same key could stand twice
        ('{"port": "many"}', "port"),
        ('{"port": 70000}', "port"),
        ('{"redis-eviction-policy": "sometimes"}', "redis-eviction-policy"),
        ('{"redis-max-memory": "lots"}', "redis-max-memory"),
        ('{"default-page-size": 100, "max-page-size": 50}', "default-page-size"),
        ('{"database-url": "mysql://x"}', "database-url"),
        ("[]", "object"),
        ("{", "JSON"),
    ],
)
def test_a_wrong_file_is_an_error_that_names_the_setting(config: Path, content: str, named: str) -> None:
    config.write_text(content)
    with pytest.raises(SettingsError, match=named):
        load_settings()


def test_a_named_file_that_is_missing_is_an_error(config: Path) -> None:
    with pytest.raises(SettingsError, match=str(config)):
        load_settings()


def test_every_problem_is_named_and_no_value_is_shown() -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(jwt_secret="hunter2", cursor_secret="hunter3", port=-1)
    for part in ("jwt-secret", "cursor-secret", "port"):
        assert part in caught.value.detail
    assert "hunter" not in caught.value.detail


def test_secrets_do_not_appear_in_the_repr() -> None:
    secret = {"jwt_secret": "j" * 32, "cursor_secret": "c" * 32, "redis_password": "pw1234"}
    shown = repr(load_settings(**secret, database_url="postgresql://u:pw1234@h/d"))
    assert not [value for value in (*secret.values(), "pw1234") if value in shown]


def test_redis_is_addressed_by_url_or_by_its_parts() -> None:
    assert load_settings().redis_address() is None
    assert load_settings(redis_host="h", redis_password="a/b").redis_address() == "redis://:a%2Fb@h:6379/1"
    assert load_settings(redis_host="::1", redis_db=2).redis_address() == "redis://[::1]:6379/2"
    assert load_settings(redis_host="h", redis_url="redis://x/5").redis_address() == "redis://x/5"


def test_a_child_process_reads_exactly_the_same_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = load_settings(port=1234, data_dir=tmp_path, jwt_secret="j" * 32, connect_timeout_s=2.5)
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    assert load_settings() == settings


def test_every_setting_is_described() -> None:
    undescribed = [hyphenated(name) for name, field in Settings.model_fields.items() if not field.description]
    assert not undescribed
