"""Bearer tokens: which are accepted, as whom, and for how long."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from pinakes.api.auth import ANONYMOUS, Authenticator, Identity, make_token
from pinakes.api.keys import LOOK_S
from pinakes.errors import NotAuthenticated, SettingsError
from pinakes.settings import Settings, load_settings

SECRET = "thirty-two characters or more, say"
SETTINGS = load_settings(jwt_secret=SECRET)


def claims(**changes: Any) -> dict[str, Any]:
    given = {"sub": "7", "name": "ada", "scope": "content:write", "exp": int(time.time()) + 60, **changes}
    return {name: value for name, value in given.items() if value is not None}


def signed(**changes: Any) -> str:
    return jwt.encode(claims(**changes), SECRET, algorithm="HS256")


def identify(token: str, settings: Settings = SETTINGS) -> Identity:
    return Authenticator(settings).identify(f"Bearer {token}")


def _base64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def by_hand(header: dict[str, Any], body: dict[str, Any], secret: bytes) -> str:
    """A token with any header, signed by HMAC-SHA256, or unsigned without a secret."""
    text = ".".join(_base64(json.dumps(part).encode()) for part in (header, body))
    return text + "." + (_base64(hmac.new(secret, text.encode(), hashlib.sha256).digest()) if secret else "")


def test_a_token_of_ours_is_its_user() -> None:
    token = make_token(SETTINGS, 7, "ada", ["content:write", "admin"], 60)
    assert identify(token) == Identity(7, "ada", frozenset({"content:write", "admin"}))


def test_without_a_header_one_is_anonymous() -> None:
    assert Authenticator(SETTINGS).identify(None) is ANONYMOUS


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic YTpi", "bearer\tx", "x", "Bearer " + "a" * 10_000])
def test_a_header_without_a_token_is_refused(header: str) -> None:
    with pytest.raises(NotAuthenticated):
        Authenticator(SETTINGS).identify(header)


@pytest.mark.parametrize(
    "token",
    [
        signed(exp=int(time.time()) - 1),
        signed(exp=None),
        signed(exp="soon"),
        signed(exp=float("nan")),
        signed(nbf=int(time.time()) + 60),
        signed(sub=None),
        signed(sub="ada"),
        signed(sub="-1"),
        signed(sub="0"),
        signed(sub="٧"),
        signed(sub="9223372036854775808"),
        signed(sub="1" * 5000),
        signed(sub="00000000000000000007" + "0" * 30),
        signed(sub="7fffffff-0000-4000-8000-000000000000"),
        signed(exp=float("inf")),
        signed(nbf=float("nan")),
        signed(nbf=float("-inf")),
        signed(name=3),
        signed(scope=[3]),
        signed(scope={"content:admin": True}),
        signed(scp=5),
        jwt.encode(claims(), "another secret of thirty-two characters", algorithm="HS256"),
        jwt.encode(claims(), "", algorithm="none"),
        jwt.encode(claims(), SECRET * 2, algorithm="HS512"),
        by_hand({"alg": "none", "typ": "JWT"}, claims(), b""),
        by_hand({"alg": "HS256", "typ": "JWT"}, claims(), b"x"),
        by_hand({"typ": "JWT"}, claims(), SECRET.encode()),
        by_hand({"alg": ["HS256"]}, claims(), SECRET.encode()),
        "a.b.c",
        "....",
        "é.é.é",
        _base64(b"[" * 4000) + ".e30.e30",
    ],
)
def test_a_token_that_cannot_be_accepted_is_refused(token: str) -> None:
    with pytest.raises(NotAuthenticated):
        identify(token)


def test_audience_and_issuer_are_checked_where_they_are_set() -> None:
    strict = load_settings(jwt_secret=SECRET, jwt_audience="gallery", jwt_issuer="us")
    assert identify(make_token(strict, 7, "ada", [], 60), strict).user_id == 7
    for changes in ({"aud": "shop", "iss": "us"}, {"aud": "gallery", "iss": "them"}, {"iss": "us"}, {"aud": "gallery"}):
        with pytest.raises(NotAuthenticated):
            identify(signed(**changes), strict)
    assert identify(signed(aud="anybody")).user_id == 7


@pytest.mark.parametrize(
    "changes",
    [
        {"scope": ["content:write", "admin"]},
        {"scope": None, "scp": ["content:write", "admin"]},
        {"scope": None, "scp": "content:write admin"},
        {"scope": "admin", "scp": ["content:write"]},
    ],
)
def test_scopes_are_understood_as_identity_providers_write_them(changes: dict[str, Any]) -> None:
    assert identify(signed(**changes)).scopes == {"content:write", "admin"}


def test_a_subject_that_is_no_number_is_refused_with_what_to_set() -> None:
    with pytest.raises(NotAuthenticated, match="its claim sub is no user's number") as refused:
        identify(signed(sub="auth0|5f7c8ec7c33c6c004bbafe82"))
    assert "jwt-user-claim" in refused.value.advice


@pytest.mark.parametrize("number", [7, "7"])
def test_the_number_of_the_user_may_stand_in_another_claim(number: int | str) -> None:
    mapped = load_settings(jwt_secret=SECRET, jwt_user_claim="pinakes_user")
    token = signed(sub="5f7c8ec7-c33c-4c00-bafe-82aa00000000", pinakes_user=number)
    assert identify(token, mapped).user_id == 7
    assert identify(make_token(mapped, 7, "ada", [], 60), mapped).user_id == 7
    for wrong in (None, True, 7.0, "ada", "", -7, 0, ["7"]):
        with pytest.raises(NotAuthenticated):
            identify(signed(sub="7", pinakes_user=wrong), mapped)


def test_a_remembered_token_still_expires() -> None:
    now = 1_000_000.0
    authenticator = Authenticator(SETTINGS, clock=lambda: now)
    header = f"Bearer {make_token(SETTINGS, 7, 'ada', [], 60, now=now)}"
    assert authenticator.identify(header).user_id == 7
    now += 59
    assert authenticator.identify(header).user_id == 7
    now += 1
    with pytest.raises(NotAuthenticated, match="expired"):
        authenticator.identify(header)


def test_leeway_forgives_slow_clocks() -> None:
    now = 1_000_000.0
    kind = load_settings(jwt_secret=SECRET, jwt_leeway_s=30)
    header = f"Bearer {make_token(kind, 7, 'ada', [], 60, now=now)}"
    now += 75
    assert Authenticator(kind, clock=lambda: now).identify(header).user_id == 7


RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()


def _public(algorithm: Any, key: Any, **more: str) -> dict[str, Any]:
    return {**json.loads(algorithm.to_jwk(key.public_key())), **more}


@pytest.fixture
def jwks(tmp_path: Path) -> Settings:
    keys = [
        _public(RSAAlgorithm, RSA, kid="r", use="sig"),
        _public(ECAlgorithm, EC, kid="e"),
        _public(OKPAlgorithm, ED),
        _public(RSAAlgorithm, rsa.generate_private_key(public_exponent=65537, key_size=2048), kid="x", use="enc"),
    ]
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps({"keys": keys}))
    return load_settings(jwt_jwks_file=path)


@pytest.mark.parametrize(("key", "algorithm", "key_id"), [(RSA, "RS256", "r"), (EC, "ES256", "e"), (ED, "EdDSA", None)])
def test_keys_of_an_identity_provider_verify_what_their_type_does(
    jwks: Settings, key: Any, algorithm: str, key_id: str | None
) -> None:
    headers = {"kid": key_id} if key_id else None
    assert identify(jwt.encode(claims(), key, algorithm=algorithm, headers=headers), jwks).user_id == 7
    assert identify(jwt.encode(claims(), key, algorithm=algorithm), jwks).user_id == 7


def test_a_public_key_is_no_secret(jwks: Settings) -> None:
    """The classic confusion: signing with HMAC under the public key as if it were the secret."""
    public = json.dumps(_public(RSAAlgorithm, RSA)).encode()
    for settings in (jwks, load_settings(jwt_secret=SECRET, jwt_jwks_file=jwks.jwt_jwks_file)):
        with pytest.raises(NotAuthenticated):
            identify(by_hand({"alg": "HS256", "kid": "r"}, claims(), public), settings)


def test_other_keys_and_other_algorithms_are_refused(jwks: Settings) -> None:
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    for token in (
        jwt.encode(claims(), stranger, algorithm="RS256", headers={"kid": "r"}),
        jwt.encode(claims(), stranger, algorithm="RS256"),
        jwt.encode(claims(), RSA, algorithm="RS512", headers={"kid": "r"}),
        jwt.encode(claims(), RSA, algorithm="PS256", headers={"kid": "r"}),
        jwt.encode(claims(), RSA, algorithm="RS256", headers={"kid": "unknown"}),
        signed(),
    ):
        with pytest.raises(NotAuthenticated):
            identify(token, jwks)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        '{"keys": []}',
        '{"keys": [{"kty": "RSA"}]}',
        '{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}',
        '{"keys": [{"kty": "EC", "crv": "P-384"}]}',
    ],
)
def test_a_jwks_file_without_usable_public_keys_stops_the_start(tmp_path: Path, content: str) -> None:
    path = tmp_path / "jwks.json"
    path.write_text(content)
    with pytest.raises(SettingsError):
        Authenticator(load_settings(jwt_jwks_file=path))


def _published(path: Path, *keys: dict[str, Any]) -> None:
    """Puts a key set in place as a provider's tool does: written beside, then moved."""
    beside = path.with_suffix(".new")
    beside.write_text(json.dumps({"keys": keys}))
    beside.replace(path)


def test_keys_rotate_without_a_restart(tmp_path: Path) -> None:
    """A new key comes in beside the old one; when the old one goes, its tokens end, remembered or not."""
    now = 1_000_000.0
    path = tmp_path / "jwks.json"
    old, new = _public(RSAAlgorithm, RSA, kid="old"), _public(ECAlgorithm, EC, kid="new")
    _published(path, old)
    authenticator = Authenticator(load_settings(jwt_jwks_file=path), clock=lambda: now)
    by_old = "Bearer " + jwt.encode(claims(exp=2_000_000), RSA, algorithm="RS256", headers={"kid": "old"})
    by_new = "Bearer " + jwt.encode(claims(exp=2_000_000), EC, algorithm="ES256", headers={"kid": "new"})
    assert authenticator.identify(by_old).user_id == 7
    with pytest.raises(NotAuthenticated):
        authenticator.identify(by_new)
    _published(path, old, new)
    now += LOOK_S
    assert authenticator.identify(by_new).user_id == authenticator.identify(by_old).user_id == 7
    _published(path, new)
    now += LOOK_S
    assert authenticator.identify(by_new).user_id == 7
    with pytest.raises(NotAuthenticated):
        authenticator.identify(by_old)


def test_a_clock_that_jumps_ends_and_brings_back_tokens_and_keys_are_looked_at(tmp_path: Path) -> None:
    """By the time of day a token ends, so it follows the jumps; nothing stays as it was at the wrong time."""
    now = 1_000_000.0
    path = tmp_path / "jwks.json"
    old, new = _public(RSAAlgorithm, RSA, kid="old"), _public(ECAlgorithm, EC, kid="new")
    _published(path, old)
    authenticator = Authenticator(load_settings(jwt_jwks_file=path, jwt_leeway_s=60), clock=lambda: now)
    by_old = "Bearer " + jwt.encode(claims(exp=1_003_600), RSA, algorithm="RS256", headers={"kid": "old"})
    by_new = "Bearer " + jwt.encode(claims(exp=1_003_600), EC, algorithm="ES256", headers={"kid": "new"})
    for jump in (0, 5 * 3600, -5 * 3600, -5 * 3600, 5 * 3600):
        now += jump
        if now > 1_003_600:
            with pytest.raises(NotAuthenticated, match="expired"):
                authenticator.identify(by_old)
        else:
            assert authenticator.identify(by_old).user_id == 7
    _published(path, new)
    now -= 3600
    assert authenticator.identify(by_new).user_id == 7, "a clock set back keeps nobody from looking"
    with pytest.raises(NotAuthenticated):
        authenticator.identify(by_old)


@pytest.mark.parametrize("content", ["", '{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}', None])
def test_a_damaged_key_set_leaves_the_keys_known_before(
    tmp_path: Path, content: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    now = 1_000_000.0
    path = tmp_path / "jwks.json"
    _published(path, _public(RSAAlgorithm, RSA))
    authenticator = Authenticator(load_settings(jwt_jwks_file=path), clock=lambda: now)
    if content is None:
        path.unlink()
    else:
        path.write_text(content)
    now += LOOK_S
    token = jwt.encode(claims(exp=2_000_000), RSA, algorithm="RS256")
    assert authenticator.identify(f"Bearer {token}").user_id == 7
    assert "the keys known so far go on" in caplog.text


def test_a_missing_jwks_file_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        Authenticator(load_settings(jwt_jwks_file=tmp_path / "none.json"))


def test_without_any_key_no_token_is_accepted_or_made() -> None:
    with pytest.raises(NotAuthenticated):
        identify(signed(), load_settings())
    with pytest.raises(SettingsError):
        make_token(load_settings(), 7, "ada", [], 60)
