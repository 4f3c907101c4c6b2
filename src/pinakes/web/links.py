"""Sign-in links: `/sign-in?link=…` for one user, as `pinakes demo` prints them.

A link holds a user, scopes and a time, signed with `jwt-secret`; it is good for `LIFE_S` and may be used more than
once: it stands in a terminal whose reader could make another, and opening it on a second device is what
it is for. It is no bearer token: the API does not take it, and following it only shows whom one would be.
Signing in is the form on that page, so no other site can sign somebody in as somebody else.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from itsdangerous import BadData, SignatureExpired, URLSafeTimedSerializer

from pinakes.api.auth import SCOPES, make_token
from pinakes.errors import NotAuthenticated, SettingsError
from pinakes.settings import Settings

LIFE_S = 86_400
SESSION_S = 7 * 86_400


@dataclass(frozen=True, slots=True)
class Invited:
    """Whom a link is for."""

    user_id: int
    username: str
    scopes: tuple[str, ...]

    def token(self, settings: Settings) -> str:
        """The bearer token of their session."""
        return make_token(settings, self.user_id, self.username, self.scopes, SESSION_S)


def make_link(settings: Settings, user_id: int, username: str, scopes: Iterable[str]) -> str:
    """The address, from its path on.

    Raises:
        SettingsError: no secret is set.
    """
    text = _serializer(settings).dumps([user_id, username, sorted(scopes)])
    return f"/sign-in?link={text if isinstance(text, str) else text.decode()}"


def read_link(settings: Settings, text: str) -> Invited:
    """Whom the link is for.

    Raises:
        NotAuthenticated: it is not ours, or too old.
    """
    try:
        user_id, username, scopes = _serializer(settings).loads(text, max_age=LIFE_S)
    except SignatureExpired as error:
        raise NotAuthenticated("This sign-in link is too old.", hint="Ask for a new one.") from error
    except (BadData, ValueError, TypeError) as error:
        raise NotAuthenticated("This is no sign-in link of this site.", hint="Ask for a new one.") from error
    return Invited(user_id, username, tuple(scope for scope in scopes if scope in SCOPES))


def _serializer(settings: Settings) -> URLSafeTimedSerializer:
    if settings.jwt_secret is None:
        raise SettingsError("jwt-secret is not set, so no link can be signed.")
    return URLSafeTimedSerializer(settings.jwt_secret, salt="pinakes.sign-in")
