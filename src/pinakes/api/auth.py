"""Who asks: bearer tokens (JWT) and the identity they carry.

    Authorization: Bearer <token>

Claims: `sub` the user's number as text (or another claim, `jwt-user-claim`, where an identity provider has
something else in `sub`), `name` the username, `scope` or `scp` names separated by spaces or a list of them, `exp`
required, `iat`, and `aud` and `iss` where the settings ask for them. Without the header one
is anonymous. A token that cannot be accepted is an error on every route, public ones too: whoever
sends a token expects to be somebody.

The algorithm is chosen by the key, never by the token alone: the secret verifies HS256 only, a
JWKS key only what its type does (RSA: RS256, P-256: ES256, Ed25519: EdDSA). A JWKS file with
symmetric keys is refused at start. Verified tokens are remembered until they expire or the keys change,
`MEMORY` bytes of them at most.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

import jwt
from jwt.types import Options

from pinakes.api.keys import Key, KeyRing
from pinakes.errors import Forbidden, NotAuthenticated, SettingsError
from pinakes.memory import Memory
from pinakes.settings import Settings
from pinakes.store.content import Author

WRITE = "content:write"
CONTENT_ADMIN = "content:admin"
ADMIN = "admin"
SCOPES = (WRITE, CONTENT_ADMIN, ADMIN)

MAX_TOKEN_CHARS = 8192
MEMORY = 4 * 2**20
"""Bytes of tokens that are remembered, some 5,000 of a usual length."""

_MAX_USER = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody known by a token, or nobody (`user_id` None)."""

    user_id: int | None = None
    username: str = ""
    scopes: frozenset[str] = frozenset()

    def author(self) -> Author:
        """This identity as one who may write.

        Raises:
            NotAuthenticated: anonymous.
            Forbidden: the token lacks the scope.
        """
        if self.user_id is None:
            raise NotAuthenticated("Writing needs a bearer token.")
        if not self.scopes & {WRITE, CONTENT_ADMIN}:
            raise Forbidden(f"Writing needs the scope {WRITE}.", allowed=[WRITE, CONTENT_ADMIN])
        return Author(self.user_id, admin=CONTENT_ADMIN in self.scopes)


ANONYMOUS = Identity()


class Authenticator:
    """Turns `Authorization` headers into identities, with the keys of the settings.

    Raises:
        SettingsError: the JWKS file cannot be read or holds no usable key.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._clock = clock
        self._ring = KeyRing(settings, clock)
        self._keys = self._ring.keys()
        self._known: Memory[str, tuple[Identity, float]] = Memory("tokens", MEMORY)

    def identify(self, header: str | None) -> Identity:
        """The identity in an `Authorization` header.

        Raises:
            NotAuthenticated: there is a header, but no acceptable token in it.
        """
        if header is None:
            return ANONYMOUS
        scheme, _, token = header.strip().partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token or len(token) > MAX_TOKEN_CHARS:
            raise NotAuthenticated("The Authorization header holds no bearer token.")
        self._renew()
        known = self._known.get(token)
        if known is not None and self._clock() < known[1]:
            return known[0]
        identity, until = self._verify(token)
        self._known.put(token, (identity, until))
        return identity

    def _renew(self) -> None:
        """A key that is gone must not live on in the tokens remembered."""
        keys = self._ring.keys()
        if keys is not self._keys:
            self._keys = keys
            self._known.clear()

    def _verify(self, token: str) -> tuple[Identity, float]:
        try:
            header = jwt.get_unverified_header(token)
            claims = self._claims(token, header)
            return self._identity(claims), self._until(claims)
        except jwt.PyJWTError as error:
            raise NotAuthenticated(f"The token is not accepted: {_reason(error)}.") from error
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            raise NotAuthenticated("The token is malformed.") from error

    def _claims(self, token: str, header: Mapping[str, Any]) -> dict[str, Any]:
        """The claims, by the first key that verifies them."""
        algorithm, key_id = header.get("alg"), header.get("kid")
        keys = [key for key in self._keys if key.algorithm == algorithm]
        named = [key for key in keys if key.key_id is not None and key.key_id == key_id]
        failure: jwt.PyJWTError = jwt.InvalidAlgorithmError("no key here verifies it")
        for key in named or [key for key in keys if key.key_id is None or key_id is None]:
            try:
                return self._decode(token, key)
            except jwt.InvalidSignatureError as error:
                failure = error
        raise failure

    def _decode(self, token: str, key: Key) -> dict[str, Any]:
        """Everything but the times, which follow the injected clock."""
        settings = self._settings
        options: Options = {
            "require": ["exp", settings.jwt_user_claim],
            "verify_exp": False,
            "verify_nbf": False,
            "verify_iat": False,
            "verify_aud": settings.jwt_audience is not None,
        }
        claims: dict[str, Any] = jwt.decode(
            token,
            key.key,
            algorithms=[key.algorithm],
            audience=settings.jwt_audience,
            issuer=settings.jwt_issuer,
            options=options,
        )
        now, leeway = self._clock(), settings.jwt_leeway_s
        if _moment(claims["exp"]) <= now - leeway:
            raise jwt.ExpiredSignatureError
        if _moment(claims.get("nbf", 0)) > now + leeway:
            raise jwt.ImmatureSignatureError
        return claims

    def _identity(self, claims: Mapping[str, Any]) -> Identity:
        name = claims.get("name") or ""
        if not isinstance(name, str):
            raise TypeError("name is a text")
        scopes = frozenset((*_names(claims.get("scope")), *_names(claims.get("scp"))))
        return Identity(self._user(claims), name, scopes)

    def _user(self, claims: Mapping[str, Any]) -> int:
        """The user's number; Pinakes keeps no other names of users that a provider could mean."""
        claim = self._settings.jwt_user_claim
        given = claims[claim]
        text = str(given) if type(given) is int else given
        # 19 digits hold every number there is; longer texts are not read.
        if (
            isinstance(text, str)
            and text.isascii()
            and text.isdigit()
            and len(text) <= 19
            and 0 < int(text) <= _MAX_USER
        ):
            return int(text)
        raise NotAuthenticated(
            f"The token is not accepted: its claim {claim} is no user's number.",
            hint="The setting jwt-user-claim names the claim that holds the number of the user.",
        )

    def _until(self, claims: Mapping[str, Any]) -> float:
        return _moment(claims["exp"]) + self._settings.jwt_leeway_s


def make_token(
    settings: Settings, user_id: int, username: str, scopes: Iterable[str], ttl: float, *, now: float | None = None
) -> str:
    """A token of our own, signed with the secret, good for `ttl` seconds.

    Raises:
        SettingsError: no secret is set.
    """
    if settings.jwt_secret is None:
        raise SettingsError("jwt-secret is not set, so no token can be signed.")
    issued = int(time.time() if now is None else now)
    claims = {"sub": str(user_id), "name": username, "scope": " ".join(sorted(scopes)), "iat": issued}
    claims |= {"exp": int(issued + ttl), settings.jwt_user_claim: str(user_id)}
    claims |= {"aud": settings.jwt_audience} if settings.jwt_audience is not None else {}
    claims |= {"iss": settings.jwt_issuer} if settings.jwt_issuer is not None else {}
    return jwt.encode(claims, settings.jwt_secret, algorithm="HS256")


def _moment(value: Any) -> float:
    """Seconds since 1970; neither endless nor no number."""
    moment = float(value)
    if not isfinite(moment):
        raise ValueError("no moment")
    return moment


def _names(value: Any) -> list[str]:
    """Names of scopes: a text with spaces between them, or a list."""
    names = value.split() if isinstance(value, str) else value or []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise TypeError("scopes are texts")
    return names


def _reason(error: jwt.PyJWTError) -> str:
    """Why a token is refused, in words that help its owner and nobody else."""
    reasons: dict[type[jwt.PyJWTError], str] = {
        jwt.ExpiredSignatureError: "it has expired",
        jwt.ImmatureSignatureError: "it is not valid yet",
        jwt.InvalidAudienceError: "it is for another audience",
        jwt.InvalidIssuerError: "it is from another issuer",
        jwt.InvalidSignatureError: "its signature is not ours",
        jwt.InvalidAlgorithmError: "no key here verifies its algorithm",
    }
    if isinstance(error, jwt.MissingRequiredClaimError):
        return f"it lacks the claim {error.claim}"
    return reasons.get(type(error), "it is malformed")
