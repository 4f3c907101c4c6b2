"""The keys that verify bearer tokens: the secret of the settings, and those of a JWKS file.

The file may change while we run: an identity provider brings a new key in beside the old one, and
takes the old one out when its tokens have expired. The file is looked at again every `LOOK_S` seconds
(one stat, some 2 µs) and read when it is another one. What cannot be read then is logged and the
keys known before go on: a half-written file must not lock everybody out. At start it is an error.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
import orjson

from pinakes.errors import SettingsError
from pinakes.settings import Settings

LOOK_S = 5.0

_ALGORITHMS: dict[tuple[str, str | None], str] = {
    ("RSA", None): "RS256",
    ("EC", "P-256"): "ES256",
    ("OKP", "Ed25519"): "EdDSA",
}
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Key:
    """A key and the one algorithm it verifies."""

    algorithm: str
    key_id: str | None
    key: Any


class KeyRing:
    """The keys of the settings as they are now.

    Raises:
        SettingsError: the JWKS file cannot be read or holds no usable key.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float]) -> None:
        secret = settings.jwt_secret
        self._own = () if secret is None else (Key("HS256", None, secret),)
        self._path = settings.jwt_jwks_file
        self._clock = clock
        self._looked = clock()
        self._seen = None if self._path is None else _look(self._path)
        self._keys = self._own if self._path is None else (*self._own, *read_keys(self._path))

    def keys(self) -> tuple[Key, ...]:
        """The keys; the same object for as long as they are the same."""
        now = self._clock()
        # A clock that was set back must not stop us from looking.
        if self._path is not None and not 0 <= now - self._looked < LOOK_S:
            self._looked = now
            self._look_again(self._path)
        return self._keys

    def _look_again(self, path: Path) -> None:
        seen = _look(path)
        if seen == self._seen:
            return
        try:
            self._keys = (*self._own, *read_keys(path))
        except SettingsError as error:
            _log.error("the keys known so far go on: %s", error.detail)
        else:
            _log.info("read %d keys from %s", len(self._keys) - len(self._own), path)
        self._seen = seen


def _look(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def read_keys(path: Path) -> tuple[Key, ...]:
    """The keys for signatures in a JWKS file.

    Raises:
        SettingsError: it cannot be read, or holds no usable key, or one that is no public key.
    """
    try:
        listed = orjson.loads(path.read_bytes())["keys"]
        found = tuple(key for entry in listed if entry.get("use", "sig") == "sig" for key in _jwk(entry))
    except OSError as error:
        raise SettingsError(f"jwt-jwks-file {path} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError, jwt.PyJWTError) as error:
        raise SettingsError(f"jwt-jwks-file {path} is no JSON Web Key Set.") from error
    if not found:
        raise SettingsError(f"jwt-jwks-file {path} holds no RSA, P-256 or Ed25519 key for signatures.")
    return found


def _jwk(entry: Mapping[str, Any]) -> Iterable[Key]:
    """The key of a JWKS entry; none where its type verifies nothing we accept."""
    kind, curve = str(entry.get("kty")), entry.get("crv")
    if kind == "oct":
        raise SettingsError("A JWKS file must hold public keys only; this one has a symmetric key.")
    algorithm = _ALGORITHMS.get((kind, curve))
    if algorithm is not None and entry.get("alg", algorithm) == algorithm:
        yield Key(algorithm, entry.get("kid"), jwt.PyJWK(dict(entry), algorithm=algorithm).key)
