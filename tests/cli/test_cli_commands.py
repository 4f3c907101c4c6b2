"""The command line: help, errors, migrate, token, and its reference page."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Iterator

import click
import jwt
import pytest
from click.testing import CliRunner

from pinakes.cli import reference
from pinakes.cli.common import Failure, run_async
from pinakes.cli.main import COMMANDS, main
from pinakes.errors import NotFound, PinakesError, SettingsError
from pinakes.settings import Settings
from pinakes.store.migrate import revisions

SECRET = "a-secret-of-the-tests-and-of-nothing-else"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[CliRunner]:
    """Runs commands; their handlers of signals and event loop do not reach the tests' own."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    monkeypatch.setenv("PINAKES_JWT_SECRET", SECRET)
    yield CliRunner()
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(run: CliRunner, name: str) -> None:
    result = run.invoke(main, [name, "--help"])
    assert result.exit_code == 0
    assert "Usage:" in result.output


def test_an_unknown_command_or_option_is_wrong_usage(run: CliRunner) -> None:
    assert run.invoke(main, ["dmeo"]).exit_code == 2
    assert run.invoke(main, ["migrate", "--tp", "head"]).exit_code == 2


def test_our_errors_become_message_code_and_hint(run: CliRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PINAKES_PORT", "many")
    result = run.invoke(main, ["migrate"])
    assert result.exit_code == 1
    assert "port" in result.stderr
    assert SettingsError.code in result.stderr
    assert "Hint:" in result.stderr
    assert "Traceback" not in result.output


def test_an_interrupted_command_exits_with_the_signals_number() -> None:
    async def interrupt() -> None:
        signal.raise_signal(signal.SIGTERM)
        await asyncio.Event().wait()

    with pytest.raises(click.exceptions.Exit) as caught:
        run_async(interrupt())
    assert caught.value.exit_code == 128 + signal.SIGTERM


@pytest.mark.parametrize("name", reference.GENERATED)
def test_the_reference_pages_are_up_to_date(name: str) -> None:
    page = (reference.DOCS / name).read_text(encoding="utf-8")
    assert page == reference.up_to_date(name, page), "run: make docs"


def test_the_reference_names_every_setting_and_every_option() -> None:
    table = reference.settings_table()
    assert all(f"`{name.replace('_', '-')}`" in table for name in Settings.model_fields)
    text = reference.command_reference()
    for name in COMMANDS:
        command = main.get_command(click.Context(main), name)
        assert command is not None
        assert all(option in text for param in command.params for option in param.opts if option.startswith("--"))


class TestOnADatabase:
    """Commands with a `--database-url`. They run their own event loop, so these tests are not async."""

    def test_migrate_goes_up_down_and_says_where_it_is(self, run: CliRunner, blank_database_url: str) -> None:
        where = ["--database-url", blank_database_url]
        up = run.invoke(main, ["migrate", *where])
        assert up.exit_code == 0, up.output
        assert f"The schema is at {revisions()[-1]}." in up.stdout
        assert "migrated" not in run.invoke(main, ["migrate", *where]).stdout
        down = run.invoke(main, ["migrate", "--to", "base", *where])
        assert down.exit_code == 0, down.output
        assert "The schema is at base." in down.stdout

    def test_token_is_for_an_existing_user_or_makes_one(self, run: CliRunner, database_url: str) -> None:
        arguments = ["token", "--database-url", database_url, "--user", "Ada", "--scope", "content:write"]
        missing = run.invoke(main, arguments)
        assert missing.exit_code == 1
        assert NotFound.code in missing.stderr
        assert "--create" in missing.stderr

        made = run.invoke(main, [*arguments, "--create"])
        assert made.exit_code == 0, made.output
        claims = jwt.decode(made.stdout.strip(), SECRET, algorithms=["HS256"])
        assert claims["name"] == "Ada"
        assert claims["scope"] == "content:write"
        again = jwt.decode(run.invoke(main, arguments).stdout.strip(), SECRET, algorithms=["HS256"])
        assert again["sub"] == claims["sub"]

    def test_a_token_needs_a_secret(self, run: CliRunner, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("PINAKES_JWT_SECRET")
        result = run.invoke(main, ["token", "--database-url", database_url, "--user", "Ada"])
        assert result.exit_code == 1
        assert "jwt-secret" in result.stderr

    def test_serve_refuses_a_database_without_schema(self, run: CliRunner, blank_database_url: str) -> None:
        result = run.invoke(main, ["serve", "--port", "0", "--database-url", blank_database_url])
        assert result.exit_code == 1
        assert "pinakes migrate" in result.stderr


def test_every_error_can_be_shown(capsys: pytest.CaptureFixture[str]) -> None:
    Failure(PinakesError("It went wrong", hint="Do this.", allowed=["a", "b"])).show(sys.stderr)
    assert capsys.readouterr().err.splitlines() == ["Error: It went wrong [PK000]", "Allowed: a, b", "Hint: Do this."]
