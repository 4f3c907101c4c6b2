"""Fixtures: Debian's chromium, and one demo for all browser tests: its own PostgreSQL, Redis, worker and web server.

Where chromium is missing the tests skip and say so. Every page that is opened is watched: what it writes to
the console, what it throws and what its policy forbids fails the test, unless the test expects it.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

CHROMIUM = shutil.which("chromium")
ITEMS = 500
PATIENCE_S = 240


def pytest_report_header() -> str:
    """Says at the top of every run whether there is a browser."""
    return f"chromium: {CHROMIUM or 'ABSENT, the browser tests will SKIP'}"


@dataclass(slots=True)
class Demo:
    """A demo that runs: where, the links it printed by name, and its data directory."""

    url: str
    links: dict[str, str]
    data_dir: Path

    async def pinakes(self, *arguments: str) -> str:
        """What `pinakes …` says about this demo's data."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "pinakes.cli.main", *arguments, "--data-dir", str(self.data_dir),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        output, _ = await asyncio.wait_for(process.communicate(), PATIENCE_S)
        assert process.returncode == 0, output.decode()
        return output.decode()


@pytest_asyncio.fixture(scope="session")
async def demo(short_tmp: Path) -> AsyncIterator[Demo]:
    """The demo of this pytest worker."""
    if CHROMIUM is None:
        pytest.skip("SKIPPED FOR LACK OF A BROWSER: install chromium")
    data_dir = short_tmp / "browser"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pinakes.cli.main", "demo", "--data-dir", str(data_dir), "--items", str(ITEMS), "--port",
        "0", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    said = ""
    while "Ctrl-C stops everything" not in said:
        line = await asyncio.wait_for(process.stdout.readline(), PATIENCE_S)
        assert line, f"ended with {await process.wait()}: {said}"
        said += line.decode()
    address = re.search(r"Pinakes serves at (\S+)", said)
    assert address is not None
    links = {
        name: address[1] + path for name, path in re.findall(r"Sign in as (\w+)[^\n]*\n\s*http://[^/]*(\S+)", said)
    }
    yield Demo(address[1], links, data_dir)
    process.terminate()
    await asyncio.wait_for(process.communicate(), PATIENCE_S)


@pytest_asyncio.fixture(scope="session")
async def browser(demo: Demo) -> AsyncIterator[Browser]:
    """Chromium, headless."""
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-background-networking"]
        )
        yield opened
        await opened.close()


@dataclass(slots=True)
class Visits:
    """Opens pages as somebody, and collects what went wrong on them."""

    browser: Browser
    demo: Demo
    wrong: list[str] = field(default_factory=list)
    contexts: list[BrowserContext] = field(default_factory=list)

    async def __call__(self, path: str = "/", *, who: str | None = None, **context: Any) -> Page:
        """A page at `path`, seen by `who` (a name of the demo's links), with the options of a browser context."""
        options: dict[str, Any] = {"base_url": self.demo.url, "viewport": {"width": 1280, "height": 800}, **context}
        opened = await self.browser.new_context(**options)
        opened.set_default_timeout(30_000)
        self.contexts.append(opened)
        page = await opened.new_page()
        page.on("console", lambda message: self._note(message.type, message.text))
        page.on("pageerror", lambda error: self.wrong.append(f"thrown: {error}"))
        page.on("dialog", lambda dialog: self.wrong.append(f"dialog: {dialog.message}"))
        if who is not None:
            await page.goto(self.demo.links[who])
            await page.get_by_role("button", name=f"Go on as {who}").click()
            await page.wait_for_url(f"{self.demo.url}/")
        await page.goto(path)
        return page

    def _note(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"}:
            self.wrong.append(f"{kind}: {text}")


Visit = Callable[..., Awaitable[Page]]


@pytest_asyncio.fixture
async def visits(browser: Browser, demo: Demo) -> AsyncIterator[Visits]:
    """Opens pages for a test; nothing may have gone wrong on any of them."""
    async with _closing(Visits(browser, demo)) as found:
        yield found
        assert not found.wrong, found.wrong


@asynccontextmanager
async def _closing(visits: Visits) -> AsyncIterator[Visits]:
    try:
        yield visits
    finally:
        for context in visits.contexts:
            await context.close()
