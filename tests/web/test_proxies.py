"""Behind proxies: nginx as people set it up, and what its headers are believed for."""

from __future__ import annotations

import asyncio
import re
import shutil
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import unescape
from pathlib import Path

import httpx
import pytest
from starlette.requests import Request

from api.application import ADA, Gallery
from api.serving import serve
from pinakes.api.auth import make_token
from pinakes.api.proxies import caller, seen
from pinakes.errors import SettingsError
from pinakes.settings import Settings, load_settings
from pinakes.web.session import FIELD, SESSION
from pinakes.web.site import create_site
from web.site import BROWSER, send, visiting

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
needs_nginx = pytest.mark.skipif(NGINX is None, reason="SKIPPED FOR LACK OF NGINX: apt-get install nginx-light")
FRAME = """
daemon off; master_process off; pid {place}/pid; error_log {place}/error.log;
events {{ }}
http {{
  access_log off; client_body_temp_path {place}/b; proxy_temp_path {place}/p; fastcgi_temp_path {place}/f;
  uwsgi_temp_path {place}/u; scgi_temp_path {place}/s;
  server {{ listen 127.0.0.1:{port}{tls}; {inside} }}
}}
"""


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@asynccontextmanager
async def nginx(place: Path, port: int, inside: str, tls: str = "") -> AsyncIterator[None]:
    """nginx on `port` with this in its server block."""
    assert NGINX is not None
    place.mkdir(exist_ok=True)
    (place / "conf").write_text(FRAME.format(place=place, port=port, tls=tls, inside=inside))
    process = await asyncio.create_subprocess_exec(
        NGINX, "-p", str(place), "-c", str(place / "conf"), "-e", str(place / "error.log")
    )
    try:
        async with asyncio.timeout(60):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    assert process.returncode is None, (place / "error.log").read_text()
                    await asyncio.sleep(0.02)
                else:
                    writer.close()
                    break
        yield
    finally:
        process.terminate()
        await process.wait()


async def sign_in_and_look_around(client: httpx.AsyncClient, settings: Settings, root: str, origin: str) -> None:
    """Signs in by the form as a browser does, and follows every address of every page."""
    client.headers["origin"] = origin
    answer = await send(client, f"{root}/sign-in", {"token": make_token(settings, ADA, "ada", ("content:write",), 600)})
    assert (answer.status_code, answer.headers["location"]) == (303, f"{root}/")
    cookie = next(line for line in answer.headers.get_list("set-cookie") if line.startswith(SESSION))
    assert f"Path={root or '/'};" in f"{cookie};"
    assert ("Secure" in cookie) == origin.startswith("https")
    todo, done = [f"{root}/", f"{root}/docs", f"{root}/sign-in", f"{root}/new"], set()
    while todo:
        address = todo.pop()
        done.add(address)
        page = await client.get(address)
        while page.is_redirect:
            assert page.headers["location"].startswith(f"{root}/"), address
            page = await client.get(page.headers["location"])
        assert page.status_code == 200, (address, page.status_code)
        if "html" not in page.headers["content-type"]:
            continue
        for found in re.findall(r'(?:href|src|action|data-facets|data-histogram)="([^"#]*)"', page.text):
            told = unescape(found)
            if address.endswith("/docs"):
                assert told == "openapi.json"
                continue
            assert told.startswith(f"{root}/"), (address, told)
            plain = told.partition("?")[0]
            forms = ("/delete", "/sign-out", "/ops")
            if plain not in {each.partition("?")[0] for each in (*done, *todo)} and not plain.endswith(forms):
                todo.append(told)
    assert len(done) > 15
    described = (await client.get(f"{root}/openapi.json")).json()
    assert described["servers"] == [{"url": root or "/"}]
    made = await client.post(
        f"{root}/api/v1/content/regular",
        json={"title": "x", "content_type": "image"},
        headers={"authorization": f"Bearer {make_token(settings, ADA, 'ada', ('content:write',), 600)}"},
    )
    assert (await client.get(made.headers["location"])).status_code == 200
    assert (await client.get(f"{root}/tags/?q=a")).headers["location"] == f"{root}/tags?q=a"
    shown = (await client.get(f"{root}/new")).text
    key = re.search(rf'name="{FIELD}" value="([^"]+)"', shown)
    assert key is not None
    assert (await client.post(f"{root}/sign-out", data={FIELD: key[1]})).headers["location"] == f"{root}/"
    assert SESSION not in client.cookies


@needs_nginx
async def test_signing_in_works_behind_nginx_as_it_comes(settings: Settings, gallery: Gallery, tmp_path: Path) -> None:
    """`proxy_pass` alone rewrites Host; over plain http a browser says Origin only, over https Sec-Fetch-Site, too."""
    port = free_port()
    public = f"http://127.0.0.1:{port}"
    told = settings.model_copy(update={"public_url": public})
    async with (
        serve(told) as (_, url, _),
        nginx(tmp_path / "n", port, f"location / {{ proxy_pass {url}; }}"),
        httpx.AsyncClient(base_url=public, headers=BROWSER) as client,
    ):
        await sign_in_and_look_around(client, settings, "", public)


@needs_nginx
async def test_signing_in_works_behind_tls_on_another_port(
    settings: Settings, gallery: Gallery, tmp_path: Path
) -> None:
    port = free_port()
    key, certificate = tmp_path / "key", tmp_path / "certificate"
    process = await asyncio.create_subprocess_exec(
        "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", str(key), "-out", str(certificate),
        "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert await process.wait() == 0
    headers = "proxy_set_header Host $host; proxy_set_header X-Forwarded-Proto $scheme;"
    inside = f"ssl_certificate {certificate}; ssl_certificate_key {key};"
    verify = ssl.create_default_context(cafile=str(certificate))
    public = f"https://127.0.0.1:{port}"
    async with serve(settings) as (_, url, _):
        inside += f"location / {{ proxy_pass {url}; {headers} }}"
        async with (
            nginx(tmp_path / "n", port, inside, " ssl"),
            httpx.AsyncClient(base_url=public, headers=BROWSER, verify=verify) as client,
        ):
            client.headers["sec-fetch-site"] = "same-origin"
            await sign_in_and_look_around(client, settings, "", public)


@needs_nginx
@pytest.mark.parametrize("stripped", [True, False])
async def test_everything_works_below_a_path(
    settings: Settings, gallery: Gallery, tmp_path: Path, *, stripped: bool
) -> None:
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    told = settings.model_copy(update={"public_url": f"{origin}/art-of/gallery"})
    async with serve(told) as (_, url, _):
        inside = f"location /art-of/gallery/ {{ proxy_pass {url}{'/' if stripped else ''}; }}"
        async with (
            nginx(tmp_path / "n", port, inside),
            httpx.AsyncClient(base_url=origin, headers=BROWSER) as client,
        ):
            await sign_in_and_look_around(client, settings, "/art-of/gallery", origin)


def request(peer: str, **headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "scheme": "http", "client": (peer, 1), "headers": raw})


@pytest.mark.parametrize(
    ("peer", "headers", "address"),
    [
        ("10.0.0.9", {}, "10.0.0.9"),
        ("10.0.0.9", {"x_forwarded_for": "6.6.6.6, 192.0.2.7, 10.0.0.3"}, "192.0.2.7"),
        ("10.0.0.9", {"x_forwarded_for": "6.6.6.6, rubbish, 10.0.0.3"}, "10.0.0.3"),
        ("10.0.0.9", {"forwarded": 'for=6.6.6.6, for="[2001:db8::7]:4711";proto=https'}, "2001:db8::7"),
        ("10.0.0.9", {"x_forwarded_for": "192.0.2.7:51000"}, "192.0.2.7"),
        ("192.0.2.1", {"x_forwarded_for": "6.6.6.6", "forwarded": "for=6.6.6.6"}, "192.0.2.1"),
        ("::ffff:10.0.0.9", {"x_forwarded_for": "192.0.2.7"}, "192.0.2.7"),
    ],
)
def test_the_caller_is_the_last_who_is_no_proxy_of_ours(peer: str, headers: dict[str, str], address: str) -> None:
    settings = load_settings(trusted_proxies="10.0.0.0/8, 2001:db8:1::/48")
    assert caller(request(peer, **headers), settings) == address


def test_the_header_of_the_settings_counts_as_before() -> None:
    settings = load_settings(client_address_header="X-Real-IP", trusted_proxies="10.0.0.0/8")
    assert caller(request("10.0.0.9", x_real_ip="192.0.2.7", x_forwarded_for="6.6.6.6"), settings) == "192.0.2.7"


@pytest.mark.parametrize(
    ("headers", "https"),
    [
        ({}, False), ({"x_forwarded_proto": "https"}, True), ({"x_forwarded_proto": "https, http"}, True),
        ({"x_forwarded_proto": "HTTPS"}, True), ({"x_forwarded_proto": "http"}, False),
        ({"x_forwarded_proto": "http, https"}, False), ({"forwarded": "for=192.0.2.7;proto=https;by=10.0.0.1"}, True),
        ({"forwarded": 'proto="https"'}, True), ({"x_forwarded_ssl": "on"}, True), ({"front_end_https": "on"}, True),
        ({"x_forwarded_scheme": "https"}, True),
    ],
)  # fmt: skip
def test_however_a_proxy_spells_https_cookies_are_secure(headers: dict[str, str], https: bool) -> None:
    assert seen(request("192.0.2.1", **headers), load_settings()).https is https


def test_the_public_address_says_the_scheme_and_is_a_host_of_ours() -> None:
    told = seen(request("192.0.2.1", host="backend:8000"), load_settings(public_url="https://Gallery.example:443/a"))
    assert told.https
    assert told.hosts == {"backend:8000", "gallery.example", "gallery.example:443"}


async def test_a_foreign_host_is_believed_of_trusted_proxies_only(settings: Settings, gallery: Gallery) -> None:
    token = {"token": make_token(settings, ADA, "ada", (), 60)}
    for trusted, status in ((None, 403), ("127.0.0.1", 303)):
        async with visiting(settings.model_copy(update={"trusted_proxies": trusted})) as site:
            site.headers.update({"origin": "https://shown.example", "x-forwarded-host": "shown.example"})
            assert (await send(site, "/sign-in", token)).status_code == status


@pytest.mark.parametrize(
    "public", ["ftp://x", "https://", "https://x/?q=1", "https://u@x/", "https://x/a b", "gallery"]
)
def test_a_public_address_that_is_none_is_refused(public: str) -> None:
    with pytest.raises(SettingsError, match="public-url"):
        load_settings(public_url=public)


def test_a_network_that_is_none_is_refused() -> None:
    with pytest.raises(SettingsError, match="trusted-proxies"):
        load_settings(trusted_proxies="10.0.0.0/8 nginx")


def test_a_root_path_that_is_an_address_of_the_site_is_refused(settings: Settings) -> None:
    with pytest.raises(SettingsError, match="its path begins with tags"):
        create_site(settings.model_copy(update={"public_url": "https://example.org/tags"}))
