"""`pinakes demo`: from nothing to a served gallery, and again from where it was.

Order: the data directory and its one demo, the port, the servers, the schema, the items, the web
server. What can be refused is refused before the long work. Everything that runs is ended in the
opposite order, whatever ends the demo; after `kill -9` the web server ends by itself and the
servers wait for the next start.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

import click

from pinakes.api.auth import SCOPES, WRITE
from pinakes.bench.generator.names import ADMIN
from pinakes.cli import web
from pinakes.cli.children import Children
from pinakes.cli.common import data_dir_option, progress, run_async, status
from pinakes.cli.drain import Drain
from pinakes.cli.gallery import DEFAULT_ITEMS, Gallery
from pinakes.embedded import DataDirectory, connected
from pinakes.embedded.demo import OneDemo
from pinakes.settings import Settings, load_settings
from pinakes.store.bulk_seal import seal_unfinished
from pinakes.store.migrate import migrate
from pinakes.store.pool import open_pool
from pinakes.store.users import User
from pinakes.web.links import make_link


@click.command()
@data_dir_option
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on; 0 takes any free one.  [default: 8000]")
@click.option(
    "--items", type=click.IntRange(0, 200_000_000),
    help=f"Generated items the gallery is to hold; 0 for an empty one.  [default: {DEFAULT_ITEMS}, or what is there]",
)  # fmt: skip
@click.option("--workers", type=click.IntRange(1, 256), help="Web server processes.  [default: 1]")
def command(data_dir: Path | None, port: int | None, items: int | None, workers: int | None) -> None:
    """Serve a gallery of generated items, with nothing to install, until Ctrl-C.

    PostgreSQL and Redis run from the data directory. A second start serves what the first one made.
    """
    settings = load_settings(data_dir=data_dir, port=port, workers=workers)
    # The demo is its embedded servers, also where the environment names others.
    own = {"database_url": None, "redis_url": None, "redis_host": None}
    run_async(_demo(settings.model_copy(update=own), items), exit_code=0)


async def _demo(settings: Settings, items: int | None) -> None:
    async with AsyncExitStack() as stack:
        directory = DataDirectory.open(settings.data_dir)
        demo = stack.enter_context(OneDemo.of(directory))
        address = web.resolve(settings.host)
        patience = web.LINGER_S if demo.predecessor_was_killed else 0.0
        claimed = stack.enter_context(await web.claim_port(address, settings.port, patience_s=patience))
        port = claimed.getsockname()[1]
        demo.announce(web.url(address, port))

        live = await stack.enter_async_context(connected(settings, on_status=status))
        live = live.model_copy(update={"host": address, "port": port, "open_operations": True})
        assert live.database_url is not None
        await migrate(live.database_url)
        pool = await open_pool(live)
        try:
            await seal_unfinished(pool, status)
            gallery = Gallery(directory, pool)
            with progress("Generating items") as advance:
                await gallery.fill(items, advance, status)
            tags = await gallery.example_tags()
            people = await gallery.people()
        finally:
            await pool.close()

        # Whatever is to run beside the web server joins it here, before it: children stop in
        # the opposite order, and all of them before the servers.
        drain = stack.enter_context(Drain(live.drain_delay_seconds))
        children = await stack.enter_async_context(Children(live, directory.log, drain.environment()))
        await children.start("worker", "pinakes.cli.worker", kept=True)
        claimed.close()
        await web.serving(children, address, port)
        click.echo(_welcome(web.url(address, port), settings.data_dir, tags, _links(live, people)))
        await drain.after(children.watch(), children.release)


def _links(settings: Settings, people: list[User]) -> list[tuple[str, str]]:
    """What to say of each of the demo's people, and where they sign in."""
    found = []
    for user in people:
        scopes, said = (
            (SCOPES, f"{user.username}, administrator") if user.username == ADMIN else ((WRITE,), user.username)
        )
        found.append((said, make_link(settings, user.id, user.username, scopes)))
    return found


def _welcome(url: str, data_dir: Path, tags: list[str], links: list[tuple[str, str]]) -> str:
    """What to do next, ready to paste."""
    gallery = f"{url}/api/v1/content/unified"
    where = f"--data-dir '{data_dir}'"
    named = " ".join(f"--data-urlencode 'tags_all={tag}'" for tag in tags if "'" not in tag)
    lines = [
        "",
        f"Pinakes serves at {url}",
        "",
        f"  The gallery: {url}/    Operations: {url}/ops",
        *(f"  Sign in as {said}:\n    {url}{link}" for said, link in links),
        "",
        "  The newest items, and how many there are:",
        f"    curl '{gallery}?page_size=3'",
        *(
            [
                f"  Tagged {' and '.join(tags)}, best first:",
                f"    curl -G '{gallery}' {named} -d sort_field=quality_score -d page_size=3",
            ]
            if named
            else []
        ),
        "  As yourself, allowed to write:",
        f'    TOKEN="$(pinakes token {where} --user ada --create --scope content:write)"',
        f"""    curl -H "Authorization: Bearer $TOKEN" '{gallery}?creator_filter=user'""",
        f"  All routes: {url}/docs    Logs: {data_dir}/log",
        "",
        "Ctrl-C stops everything; the gallery stays.",
    ]
    return "\n".join(lines)
