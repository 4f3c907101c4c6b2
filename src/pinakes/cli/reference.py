"""Writes the tables of the reference pages from the code: settings, commands, errors, parameters.

    python -m pinakes.cli.reference            bring the pages up to date
    python -m pinakes.cli.reference --check    exit 1 if one is not

A generated part stands between `<!-- generated: name -->` and `<!-- end of name -->`; the rest of the
page is written by hand.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import click
import orjson

from pinakes import errors
from pinakes.advise.rules import RULES
from pinakes.api.metrics import FAMILIES
from pinakes.api.parameters import FACETS_ONLY, SUGGEST, TAGS, UNIFIED, Parameter
from pinakes.bench.report.markdown import captioned, markdown
from pinakes.bench.report.slim import grid
from pinakes.cli.main import COMMANDS, main
from pinakes.doctor.examine import CHECKS
from pinakes.doctor.server_settings import LIMITS
from pinakes.query.language.grammar import GRAMMAR
from pinakes.settings import Settings, hyphenated

DOCS = Path(__file__).resolve().parents[3] / "docs"
RESULTS = DOCS.parent / "bench" / "results"


def settings_table() -> str:
    """One row a setting, in the order of the class."""
    rows = ["| setting | default | allowed | what it does |", "|---|---|---|---|"]
    for name, schema in Settings.model_json_schema()["properties"].items():
        default = Settings.model_fields[name].default
        shown = "not set" if default is None else f"`{str(default).lower() if isinstance(default, bool) else default}`"
        rows.append(f"| `{hyphenated(name)}` | {shown} | {_allowed(schema)} | {schema['description']} |")
    return "\n".join(rows)


def _allowed(schema: dict[str, Any]) -> str:
    """What values a setting takes, in a few words."""
    for kind in schema.get("anyOf", [schema]):
        if kind.get("type") == "null":
            continue
        if "enum" in kind:
            return ", ".join(f"`{value}`" for value in kind["enum"])
        if kind.get("type") == "boolean":
            return "`true`, `false`"
        if "kb" in kind.get("pattern", ""):
            return "a number with `kb`, `mb` or `gb`"
        if "pattern" in kind:
            return f"text that matches `{kind['pattern'].replace('|', chr(92) + '|')}`"
        if "minLength" in kind:
            return f"text, {kind['minLength']} characters or more"
        if kind.get("type") in {"integer", "number"}:
            low = f"{kind['minimum']}" if "minimum" in kind else f"above {kind['exclusiveMinimum']}"
            return f"{low} to {kind['maximum']}"
        if kind.get("format") == "path":
            return "a path"
    return "text"


def command_reference() -> str:
    """A section a command: usage, help, options."""
    parent = click.Context(main, info_name="pinakes")
    sections = []
    for name in COMMANDS:
        command = main.get_command(parent, name)
        assert command is not None
        context = click.Context(command, info_name=name, parent=parent)
        usage = f"pinakes {name} {' '.join(command.collect_usage_pieces(context))}"
        options = [_option(param, context) for param in command.params if isinstance(param, click.Option)]
        text = inspect.cleandoc(command.help or "")
        tables = ["\n".join(["| option | what it does |", "|---|---|", *options])] if options else []
        if isinstance(command, click.Group):
            tables.append("\n".join(["| command | what it does |", "|---|---|", *_commands_of(command, context)]))
        sections.append("\n\n".join([f"### pinakes {name}", f"    {usage}", text, *tables]))
    return "\n\n".join(sections)


def _commands_of(group: click.Group, context: click.Context) -> Iterator[str]:
    """One row a command of a group."""
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        inner = click.Context(command, info_name=name, parent=context)
        usage = " ".join([name, *(piece for piece in command.collect_usage_pieces(inner) if piece != "[OPTIONS]")])
        flags = [_option(param, inner) for param in command.params if isinstance(param, click.Option)]
        own = [flag for flag in flags if not flag.startswith(("| `--data-dir", "| `--database-url", "| `--redis-url"))]
        more = "".join(f" `{cells[1].strip(' `')}`: {cells[2].strip()}" for cells in (flag.split("|") for flag in own))
        yield f"| `{usage.replace('|', ' or ')}` | {command.get_short_help_str(200)}{more} |"


def _option(option: click.Option, context: click.Context) -> str:
    """One row of a command's table."""
    found = option.get_help_record(context)
    assert found is not None
    spelled, text = found
    return f"| `{spelled.replace('|', ' or ')}` | {re.sub(r'  +', ' ', text)} |".replace("<", "&lt;")


def errors_table() -> str:
    """One row an error, by code."""
    rows = ["| code | status | name | meaning | hint |", "|---|---|---|---|---|"]
    found = [cls for _, cls in inspect.getmembers(errors, inspect.isclass) if issubclass(cls, errors.PinakesError)]
    rows += [
        f"| `{cls.code}` | {cls.status} | `{cls.__name__}` | {cls.title()} | {cls.hint} |"
        for cls in sorted(found, key=lambda cls: cls.code)
    ]
    return "\n".join(rows)


def parameters_table(parameters: tuple[Parameter, ...]) -> str:
    """One row a parameter of a route, in the order of its table."""
    rows = ["| parameter | takes | default | |", "|---|---|---|---|"]
    for parameter in parameters:
        allowed = parameter.allowed
        takes = allowed if isinstance(allowed, str) else ", ".join(f"`{value}`" for value in allowed)
        again = "; repeatable" if parameter.repeatable else ""
        default = parameter.schema.get("default", "")
        shown = f"`{default}`" if default != "" else ""
        rows.append(f"| `{parameter.name}` | {takes}{again} | {shown} | {parameter.doc} |".replace("|  |", "| |"))
    return "\n".join(rows)


def metrics_table() -> str:
    """One row a metric, in the order of the table."""
    rows = ["| metric | kind | labels | |", "|---|---|---|---|"]
    for family in FAMILIES:
        name = f"{family.name}_total" if family.kind == "counter" else family.name
        rows.append(f"| `{name}` | {family.kind} | {', '.join(family.labels)} | {family.said} |")
    return "\n".join(rows)


def checks_table() -> str:
    """One row a check of `pinakes doctor`, and below them the limits of settings."""
    rows = ["| check | what must be so |", "|---|---|"]
    rows += [f"| `{name}` | {_first_line(check)} |" for name, check in CHECKS.items()]
    rows += ["", "| setting of PostgreSQL | a finding is a | because | set it to |", "|---|---|---|---|"]
    rows += [f"| `{limit.name}` | {limit.level} | {limit.why} | {limit.fix} |" for limit in LIMITS]
    return "\n".join(rows)


def _first_line(documented: object) -> str:
    return (inspect.getdoc(documented) or "").splitlines()[0]


def rules_table() -> str:
    """One row a rule of `pinakes advise`, in the order of the table."""
    rows = ["| rule | holds when | then | |", "|---|---|---|---|"]
    for rule in RULES:
        part = "" if rule.part == "nothing" else f"{rule.part}: "
        rows.append(f"| `{rule.name}` | {rule.when} | {part}{rule.verdict} | {rule.then} |")
    return "\n".join(rows)


def grammar() -> str:
    """The grammar of the search box as it is run."""
    return f"```\n{GRAMMAR.strip()}\n```"


def benchmark(name: str, *only: str) -> str:
    """The tables of one file of results; `only` some of them."""
    return markdown([orjson.loads((RESULTS / f"{name}.json").read_bytes())], only)


def slim(*names: str) -> str:
    """Slim galleries side by side."""
    found = grid([orjson.loads((RESULTS / f"slim-{name}.json").read_bytes()) for name in names])
    return captioned(found, names=False)


# Page -> its generated parts.
GENERATED: dict[str, dict[str, Callable[[], str]]] = {
    "configuration.md": {"settings": settings_table, "commands": command_reference},
    "benchmarks.md": {
        "slim": partial(slim, "1m", "10m", "50m-512mb", "50m"),
        "1m": partial(benchmark, "1m", "latencies", "ratios", "kinds", "sizes"),
        "1m-rum": partial(benchmark, "1m-rum", "latencies", "ratios"),
        "100k": partial(benchmark, "100k", "latencies", "ratios", "sizes"),
        "writes": partial(benchmark, "100k", "writes"),
        "10m": partial(benchmark, "10m", "latencies", "ratios", "kinds", "sizes"),
        "10m-tags": partial(benchmark, "10m-tags", "latencies", "ratios", "kinds"),
        "refresh": partial(benchmark, "refresh", "refreshes"),
    },
    "errors.md": {"errors": errors_table},
    "operations.md": {"rules": rules_table, "checks": checks_table},
    "metrics.md": {"metrics": metrics_table},
    "search.md": {
        "grammar": grammar,
        "suggest": lambda: parameters_table(SUGGEST),
        "facets": lambda: parameters_table(FACETS_ONLY),
    },
    "api.md": {"unified": lambda: parameters_table(UNIFIED), "tags": lambda: parameters_table(TAGS)},
}


def up_to_date(name: str, page: str) -> str:
    """`page` with every generated part renewed. Raises ValueError where one has no place in it."""
    for part, generate in GENERATED[name].items():
        begin, end = f"<!-- generated: {part} -->", f"<!-- end of {part} -->"
        if page.count(begin) != 1 or page.count(end) != 1:
            raise ValueError(f"{name} needs {begin} and {end}, once each")
        head, rest = page.split(begin)
        page = f"{head}{begin}\n\n{generate()}\n\n{end}{rest.split(end)[1]}"
    return page


@click.command()
@click.option("--check", is_flag=True, help="Change nothing; exit 1 if a page is out of date.")
def reference(check: bool) -> None:
    """Write the generated parts of the reference pages."""
    for name in GENERATED:
        path = DOCS / name
        before = path.read_text(encoding="utf-8")
        after = up_to_date(name, before)
        if check and before != after:
            raise click.ClickException(f"docs/{name} is out of date; run `make docs`")
        if not check:
            path.write_text(after, encoding="utf-8")


if __name__ == "__main__":
    reference()
