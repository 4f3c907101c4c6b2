"""`pinakes token`: a bearer token for one user, signed with the secret the server checks with."""

from __future__ import annotations

import click

from pinakes.api.auth import make_token
from pinakes.cli.common import connection_options, run_async, status
from pinakes.embedded import connected
from pinakes.errors import NotFound, SettingsError
from pinakes.settings import Settings
from pinakes.store import users
from pinakes.store.pool import open_pool, translate_errors

SCOPES = ("content:write", "content:admin", "admin")
DAY_S = 86_400


@click.command()
@click.option("--user", "username", required=True, metavar="NAME", help="The user the bearer will be.")
@click.option("--scope", "scopes", multiple=True, type=click.Choice(SCOPES), help="What they may do; repeatable.")
@click.option(
    "--days", type=click.FloatRange(min=0.001, max=3650), default=30, show_default=True, help="Life of the token."
)
@click.option("--create", is_flag=True, help="Make the user if there is none of that name.")
@connection_options
def command(settings: Settings, username: str, scopes: tuple[str, ...], days: float, create: bool) -> None:
    """Make a bearer token and print it.

    A token without scope shows its bearer their own private items, and allows no writing.
    """
    run_async(_token(settings, username, scopes, round(days * DAY_S), create))


async def _token(settings: Settings, username: str, scopes: tuple[str, ...], seconds: int, create: bool) -> None:
    async with connected(settings, on_status=status) as live:
        if live.jwt_secret is None:
            raise SettingsError(
                "jwt-secret: not set, so there is nothing to sign a token with",
                hint="Set PINAKES_JWT_SECRET to the server's; with a JWKS file, the identity provider makes tokens.",
            )
        user_id, name = await _user(live, username, create)
        click.echo(make_token(live, user_id, name, scopes, seconds))


async def _user(settings: Settings, username: str, create: bool) -> tuple[int, str]:
    pool = await open_pool(settings, max_size=1)
    try:
        with translate_errors():
            async with pool.acquire() as conn:
                found = await (users.ensure if create else users.by_name)(conn, username)
    finally:
        await pool.close()
    if found is None:
        raise NotFound(f"There is no user {username!r}", hint="Check the spelling, or add --create.")
    return found.id, found.username
