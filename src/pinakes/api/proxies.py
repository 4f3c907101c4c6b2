"""Proxies: what stands before the service, and so who asks, over what, of which host, and below which path.

A proxy hides the caller's address, the scheme and perhaps the host, and tells them in headers: `Forwarded` (RFC 7239)
or `X-Forwarded-For`, `-Proto` and `-Host`. Anybody can send these, so they are believed of `trusted-proxies` only;
but who says `https` gets cookies marked Secure, whoever they are, which can harm nobody else.

`public-url` is the address people use. Its path, if any, is the root path: the service takes addresses with and
without it, since some proxies strip it and others do not, and writes every address of its own with it. Code and
templates know addresses without it; `link` is the one place that puts it before them.
"""

from __future__ import annotations

import ipaddress
import re
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from pinakes.settings import Settings

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_root: ContextVar[str] = ContextVar("root", default="")
_PORTS = {"http": ":80", "https": ":443"}
_PAIR = re.compile(r'([a-z]+)\s*=\s*("[^"]*"|[^;,\s]*)', re.IGNORECASE)


def root_path() -> str:
    """The path that this request's addresses stand below, as `/gallery`; empty where they stand at the root."""
    return _root.get()


def link(path: str) -> str:
    """An address of ours as a browser is given it; one that has the root path already stays as it is."""
    root = _root.get()
    below = path == root or path.startswith((f"{root}/", f"{root}?"))
    return path if not root or below or not path.startswith("/") else root + path


class Below:
    """ASGI middleware, the outermost: takes the root path off what is asked, where the proxy has not."""

    def __init__(self, app: ASGIApp, root: str) -> None:
        self._app = app
        self._root = root

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on."""
        path: str = scope.get("path", "")
        if path == self._root or path.startswith(f"{self._root}/"):
            scope = {**scope, "path": path[len(self._root) :] or "/"}
        before = _root.set(self._root)
        try:
            await self._app(scope, receive, send)
        finally:
            _root.reset(before)


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as its sender made it: the caller's address (empty if unknown), `https` or not, hosts it may name."""

    address: str
    https: bool
    hosts: frozenset[str]


def seen(request: HTTPConnection, settings: Settings) -> Seen:
    """What the connection and the proxies before it say of `request`."""
    peer = request.client.host if request.client is not None else ""
    told = _told(request)
    named = told.get("host", ()) if _within(peer, trusted(settings.trusted_proxies)) else ()
    public = urlsplit(settings.public_url or "")
    hosts = {request.headers.get("host", ""), public.netloc, *named}
    scheme = public.scheme or (told.get("proto") or [request.scope.get("scheme", "")])[0]
    return Seen(
        address=caller(request, settings),
        https=scheme.lower() == "https",
        hosts=frozenset(plain(host, each) for host in hosts if host for each in _PORTS),
    )


def caller(request: HTTPConnection, settings: Settings) -> str:
    """The address of who asks: of `client-address-header`, else the last one that is no proxy of ours."""
    peer = request.client.host if request.client is not None else ""
    header = settings.client_address_header
    if header is not None:
        return ",".join(request.headers.getlist(header)).rpartition(",")[2].strip() or peer
    networks = trusted(settings.trusted_proxies)
    address = peer
    if _within(peer, networks):
        for each in reversed(_told(request).get("for", [])):
            if not _is_address(each):
                break
            address = each
            if not _within(each, networks):
                break
    return address


def plain(host: str, scheme: str) -> str:
    """A host and port in small letters, without the port that goes without saying."""
    return host.lower().removesuffix(_PORTS.get(scheme, ""))


@lru_cache(16)
def trusted(text: str | None) -> tuple[Network, ...]:
    """The networks of `trusted-proxies`; raises ValueError."""
    return tuple(ipaddress.ip_network(each, strict=False) for each in re.split(r"[\s,]+", text or "") if each)


def _within(text: str, networks: tuple[Network, ...]) -> bool:
    if not networks or not _is_address(text):
        return False
    address = ipaddress.ip_address(text)
    mapped = getattr(address, "ipv4_mapped", None)
    return any((mapped or address) in network for network in networks)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _told(request: HTTPConnection) -> dict[str, list[str]]:
    """What the headers of proxies say, the proxy next to the caller first."""

    def entries(name: str) -> list[str]:
        return [each.strip() for each in ",".join(request.headers.getlist(name)).split(",") if each.strip()]

    found: dict[str, list[str]] = {}
    for name, value in _PAIR.findall(",".join(request.headers.getlist("forwarded"))):
        found.setdefault(name.lower(), []).append(value.strip('"'))
    for name, headers in {
        "for": ("x-forwarded-for",),
        "proto": ("x-forwarded-proto", "x-forwarded-scheme"),
        "host": ("x-forwarded-host",),
    }.items():
        for header in headers:
            if name not in found and (values := entries(header)):
                found[name] = values
    switches = (request.headers.get(name, "").lower() for name in ("x-forwarded-ssl", "front-end-https"))
    if "proto" not in found and "on" in switches:
        found["proto"] = ["https"]
    if "for" in found:
        found["for"] = [_without_port(each) for each in found["for"]]
    return found


def _without_port(text: str) -> str:
    """The address in `192.0.2.1:47011` and `[2001:db8::1]:4711`."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text
