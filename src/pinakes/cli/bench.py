"""`pinakes bench`: engines and peers side by side on one gallery, every answer checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import click
import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from pinakes.bench.gallery import Law
from pinakes.bench.generator.gallery import DEFAULT_MEAN_TAGS, DEFAULT_TAGS
from pinakes.bench.generator.vocabulary import MAX_TAGS, MIN_TAGS
from pinakes.bench.measure import ENGINES, FORMAT, Measurement, Plan
from pinakes.bench.peers.registry import PEERS
from pinakes.bench.report.html import merged, pictures, report
from pinakes.bench.report.markdown import markdown
from pinakes.bench.slim import Slim, SlimPlan
from pinakes.bench.workload import load_workload
from pinakes.bench.writes import RATE
from pinakes.cli.bench_table import tables
from pinakes.cli.common import run_async
from pinakes.cli.live import live
from pinakes.errors import SettingsError
from pinakes.settings import Settings, load_settings

_DEFAULT_ITEMS = 20_000


class _Names(click.ParamType[tuple[str, ...]]):
    """Names from a closed list, separated by commas; `none` for none of them."""

    name = "NAME,…"

    def __init__(self, allowed: tuple[str, ...]) -> None:
        self._allowed = allowed

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """The names, in our order."""
        if isinstance(value, tuple):
            return value
        given = [] if value == "none" else [part.strip() for part in str(value).split(",") if part.strip()]
        for name in given:
            if name not in self._allowed:
                self.fail(f"{name!r} is none of {', '.join(self._allowed)}", param, ctx)
        return tuple(name for name in self._allowed if name in given)


class _Sizes(click.ParamType[tuple[int, ...]]):
    """Rising numbers of items, separated by commas."""

    name = "N,…"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """The numbers."""
        if isinstance(value, tuple):
            return value
        try:
            sizes = tuple(int(part.replace("_", "")) for part in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r} is not a number of items", param, ctx)
        if sizes != tuple(sorted(set(sizes))) or sizes[0] < 1:
            self.fail("sizes are 1 or more, each larger than the one before", param, ctx)
        return sizes


_FILE = click.Path(dir_okay=False, path_type=Path)
_EXISTING = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option("--items", type=_Sizes(), help=f"Sizes of the generated gallery, rising.  [default: {_DEFAULT_ITEMS}]")
@click.option("--import", "files", type=_EXISTING, multiple=True, help="Measure these import files instead.")
@click.option("--as-is", is_flag=True, help="Measure the gallery that is there; adds nothing to it.")
@click.option("--slim", is_flag=True, help="Fill the read model alone, short texts; engine `index` only, one size.")
@click.option("--engines", type=_Names(ENGINES), default=ENGINES, help=f"Of {', '.join(ENGINES)}.  [default: all]")
@click.option("--peers", type=_Names(PEERS), default=PEERS, help=f"Of {', '.join(PEERS)}, or none.")
@click.option(
    "--workload",
    metavar="NAME|FILE",
    default="default",
    show_default=True,
    help="What is asked: default, tags, or a TOML file.",
)
@click.option("--queries", type=click.IntRange(1), default=200, show_default=True, help="Questions drawn.")
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True, help="Warm rounds over them.")
@click.option("--cold", type=click.IntRange(0), default=30, show_default=True, help="Questions also asked cold.")
@click.option("--writes", type=click.IntRange(0), default=0, show_default=True,
              help="Also measure writing so many items in each way.")  # fmt: skip
@click.option("--rate", type=click.IntRange(1), default=RATE, show_default=True,
              help="Items made a second, with --writes, to see how soon they are visible.")  # fmt: skip
@click.option("--burst", type=click.IntRange(0), default=0, show_default=True,
              help="Also measure how soon so many changes made at once are visible.")  # fmt: skip
@click.option("--refreshes", is_flag=True, help="Also measure refreshes of the read model.")
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of gallery and questions.")
@click.option(
    "--tags",
    type=click.IntRange(MIN_TAGS, MAX_TAGS),
    default=DEFAULT_TAGS,
    show_default=True,
    help="Tags to generate with.",
)
@click.option("--tags-per-item", type=click.FloatRange(1, 100), default=DEFAULT_MEAN_TAGS, show_default=True)
@click.option("--private-share", type=click.FloatRange(0, 1), help="Share of private items.  [default: by the law]")
@click.option("--creators", type=click.IntRange(1), help="At most so many creators.  [default: by the law]")
@click.option("--share-s", type=click.FloatRange(0), default=120.0, show_default=True, help="Seconds for each once.")
@click.option("--timeout-s", type=click.FloatRange(0.001), default=20.0, show_default=True, help="For one answer.")
@click.option("--json", "json_file", type=_FILE, help="Write the results there; `-` prints them.", metavar="FILE")
@click.option("--html", "html_file", type=_FILE, help="Write a report with plots there.", metavar="FILE")
@click.option("--markdown", "markdown_file", type=_FILE, help="Write the tables there, as Markdown.", metavar="FILE")
@click.option("--plots", "plots_dir", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
              help="Write each plot there, as SVG.")  # fmt: skip
@click.option("--from", "earlier", type=_EXISTING, multiple=True, metavar="FILE",
              help="Report on these results (JSON) instead of measuring; several are shown over scale.")  # fmt: skip
@click.option("--resume", is_flag=True, help="Go on with a measurement that was interrupted.")
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), default=Path("pinakes-bench"),
              show_default=True, help="Where journals, peers' files and the embedded servers are.")  # fmt: skip
@click.option("--data-dir", type=click.Path(file_okay=False, path_type=Path), help="Servers' data.  [FOLDER/data]")
@click.option("--database-url", metavar="URL", help="PostgreSQL to use instead.")
def command(**given: Any) -> None:
    """Measure engines and peers side by side, every answer checked.

    All of them get the same questions in turn, first for the first time, then warm, then cold. The gallery
    is generated in a folder of its own unless you say otherwise. docs/benchmarks.md says what is measured.

    Exits with 1 if an engine gave a wrong answer. A peer that is wrong is reported.
    """
    if given["earlier"]:
        results = [_read(path) for path in given["earlier"]]
        _write(merged(results), given["json_file"])
        _report(results, given)
        return
    sizes: tuple[int, ...] = given["items"] or (() if given["files"] or given["as_is"] else (_DEFAULT_ITEMS,))
    if (given["items"] and (given["files"] or given["as_is"])) or (given["files"] and given["as_is"]):
        raise click.UsageError("--items, --import and --as-is exclude each other")
    if given["slim"]:
        if len(sizes) != 1:
            raise click.UsageError("--slim needs one size")
        slim = SlimPlan(
            items=sizes[0], queries=given["queries"], rounds=given["rounds"], cold=given["cold"],
            seed=given["seed"], timeout_s=given["timeout_s"],
        )  # fmt: skip
        _write_slim(run_async(_measure_slim(_settings(given), slim, given["folder"])), given["json_file"])
        return
    plan = Plan(
        workload=load_workload(given["workload"]),
        items=sizes,
        files=given["files"],
        law=Law(
            seed=given["seed"],
            tags=given["tags"],
            mean_tags=given["tags_per_item"],
            private_share=given["private_share"],
            creators=given["creators"],
        ),
        engines=given["engines"],
        peers=given["peers"],
        queries=given["queries"],
        rounds=given["rounds"],
        cold=given["cold"],
        writes=given["writes"],
        rate=given["rate"],
        burst=given["burst"],
        refreshes=given["refreshes"],
        share_s=given["share_s"],
        timeout_s=given["timeout_s"],
        resume=given["resume"],
    )
    measured = run_async(_measure(_settings(given), plan, given["folder"]))
    _write(measured, given["json_file"])
    _report([measured], given)
    if any(one["wrong"] for scale in measured["scales"] for one in scale["contestants"] if one["kind"] == "engine"):
        raise click.exceptions.Exit(1)


def _settings(given: dict[str, Any]) -> Settings:
    given["folder"].mkdir(parents=True, exist_ok=True)
    return load_settings(data_dir=given["data_dir"] or given["folder"] / "data", database_url=given["database_url"])


async def _measure(settings: Settings, plan: Plan, folder: Path) -> dict[str, Any]:
    with _shown() as (say, progress):
        async with live(settings, migrating=True, on_status=say) as found:
            return await Measurement(found, plan, folder, say, progress).run()


async def _measure_slim(settings: Settings, plan: SlimPlan, folder: Path) -> dict[str, Any]:
    with _shown() as (say, progress):
        async with live(settings, migrating=True, on_status=say) as found:
            assert found.database_url is not None
            return await Slim(found.database_url, plan, folder, say, progress).run()


def _write_slim(told: dict[str, Any], json_file: Path | None) -> None:
    text = orjson.dumps(told, option=orjson.OPT_INDENT_2).decode() + "\n"
    if json_file is None or str(json_file) == "-":
        click.echo(text, nl=False)
    else:
        _put(json_file, text)


def _write(results: dict[str, Any], json_file: Path | None) -> None:
    text = orjson.dumps(results, option=orjson.OPT_INDENT_2).decode() + "\n"
    if json_file is not None and str(json_file) == "-":
        click.echo(text, nl=False)
        return
    console = Console()
    if not console.is_terminal:
        console = Console(width=120)
    for each in tables(results):
        console.print(each)
    if json_file is not None:
        _put(json_file, text)


def _report(results: list[dict[str, Any]], given: dict[str, Any]) -> None:
    if given["plots_dir"] is not None:
        given["plots_dir"].mkdir(parents=True, exist_ok=True)
        for name, svg in pictures(results).items():
            (given["plots_dir"] / f"{name}.svg").write_text(svg, encoding="utf-8")
    if given["html_file"] is not None:
        _put(given["html_file"], report(results))
    if given["markdown_file"] is not None:
        _put(given["markdown_file"], f"{markdown(results)}\n")


def _put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _read(path: Path) -> dict[str, Any]:
    try:
        found = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        raise SettingsError(f"{path} is not valid JSON: {error}") from error
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise SettingsError(f"{path} holds no results of `pinakes bench`, or those of another version.")
    return found


@contextmanager
def _shown() -> Iterator[tuple[Callable[[str], None], Callable[[str, int, int], None]]]:
    """What goes on, as a line, and how far it is, as a bar; on stderr."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        shown: dict[str, TaskID] = {}
        told = monotonic()

        def say(message: str) -> None:
            console.print(f"{message} …", highlight=False, markup=False)

        def progress(what: str, done: int, of: int) -> None:
            nonlocal told
            if what not in shown:
                for task in shown.values():
                    bar.remove_task(task)
                shown.clear()
                shown[what] = bar.add_task(what, total=of)
                if not console.is_terminal:
                    say(what)
            elif not console.is_terminal and monotonic() - told > 60:
                # A log has no bar; it gets a line a minute.
                told = monotonic()
                say(f"{what}: {done:,} of {of:,}")
            bar.update(shown[what], completed=done, total=of)

        yield say, progress
