"""The pictures of the documentation, taken of a demo that runs: `make pictures`.

    python tests/browser/pictures.py URL FOLDER MINUTES

For so many minutes the gallery is asked beforehand, so that the operations page has something to draw. Each picture
is kept in few colours, so that none is over 300 kB.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import sys
import time
from pathlib import Path

import httpx
from PIL import Image
from playwright.async_api import Browser, async_playwright

MOST_BYTES = 300_000

# name: (address, width, height, colour scheme, scale)
PICTURES = {
    "gallery-light": ("/", 1360, 850, "light"),
    "gallery-dark": ("/?tags_all=castle&tags_none=dragon&sort_field=quality_score", 1360, 850, "dark"),
    "gallery-phone": ("/?q=sunset", 390, 780, "light"),
    "item": ("/?tags_all=watercolor&tags_all=sunset&tags_all=sea&sort_field=quality_score", 1360, 850, "light"),
    "operations": ("/ops?range=15m", 1360, 1100, "dark"),
}


async def take(browser: Browser, url: str, folder: Path) -> None:
    """Takes all of them."""
    for name, (address, width, height, scheme) in PICTURES.items():
        context = await browser.new_context(
            base_url=url,
            viewport={"width": width, "height": height},
            color_scheme="dark" if scheme == "dark" else "light",
        )
        page = await context.new_page()
        for _ in range(2):  # the second time as most visitors see it: from the cache
            await page.goto(address)
        if name == "item":
            await page.locator(".card a").first.click()
        await page.wait_for_load_state("networkidle")
        file = folder / f"{name}.png"
        await page.screenshot(path=file)
        await context.close()
        await shrink(file)
        print(f"{file}: {file.stat().st_size:,} bytes")  # noqa: T201


async def shrink(file: Path) -> None:
    """Few colours, dithered; fewer where the picture is still too large."""
    image = Image.open(file).convert("RGB")
    for colors in (256, 128, 64):
        palette = image.quantize(colors, Image.Quantize.MEDIANCUT)
        image.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG).save(file, optimize=True)
        if file.stat().st_size <= MOST_BYTES:
            return


async def ask(url: str, minutes: float) -> None:
    """Asks for pages as people do: few questions often, many once; now and then in bursts."""
    chance = random.Random(1)
    async with httpx.AsyncClient(base_url=url, timeout=30) as client:
        tags = [tag["name"] for tag in (await client.get("/api/v1/tags?limit=1000")).json()["tags"]]
        until = time.monotonic() + 60 * minutes
        while time.monotonic() < until:
            tag = tags[int(len(tags) * chance.random() ** 3)]
            params = {"q": f'tag:"{tag}"', "page": str(chance.choice((1, 1, 1, 2, 7)))}
            await client.get("/api/v1/content/unified", params=params)
            await asyncio.sleep(chance.expovariate(30 if int(time.monotonic() / 45) % 3 else 8))


async def main(url: str, folder: str, minutes: str) -> None:
    """Opens the browser and takes them."""
    await ask(url, float(minutes))
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-background-networking"]
        )
        await take(browser, url, Path(folder))
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:4]))
