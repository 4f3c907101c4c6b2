"""Every address of the pages in one table: path, method, and what answers it.

/                      the gallery             /tags, /tags/{id}      tags
/{source}/{id}         an item                 /new                   a new item
/{source}/{id}/edit    changing it             /sign-in, /sign-out    sessions
/ops                   operations              /page/…                parts that scripts fetch
/static/…, /art/…      files and pictures that are kept for ever
"""

from __future__ import annotations

from collections.abc import Callable

from pinakes.api import values
from pinakes.api.parameters import UNIFIED, Parameter
from pinakes.query.sources import SOURCES
from pinakes.web import assets, editing, gallery, item, ops, parts, pictures, signin, tags
from pinakes.web.page import NOTHING, Handler, Takes, fragment, page

_PAGES: dict[str, dict[str, Handler]] = {
    "/": {"GET": gallery.show},
    "/tags": {"GET": tags.browse},
    "/tags/{id}": {"GET": tags.one},
    "/new": {"GET": editing.new, "POST": editing.create},
    "/sign-in": {"GET": signin.show, "POST": signin.sign_in},
    "/sign-out": {"POST": signin.sign_out},
    "/ops": {"GET": ops.show},
    "/ops/explain": {"GET": ops.explain},
    **{f"/{source.name}/{{id}}": {"GET": item.show} for source in SOURCES},
    **{f"/{source.name}/{{id}}/edit": {"GET": editing.edit, "POST": editing.change} for source in SOURCES},
    **{f"/{source.name}/{{id}}/delete": {"POST": editing.delete} for source in SOURCES},
}
_PARTS: dict[str, Handler] = {
    "/page/grid": gallery.grid,
    "/page/facets": parts.facets,
    "/page/histogram": parts.spread,
    "/page/suggest": parts.completions,
}


_GALLERY = Takes(UNIFIED, besides=frozenset(("order",)), read_by_page=True)
_ITEM = Takes(UNIFIED, read_by_page=True)


def _text(name: str, doc: str, read: Callable[[str], str] = values.text, allowed: str = "text") -> Parameter:
    return Parameter(name, doc, read, allowed, {"type": "string"}, empty=True)


_TAKES: dict[str, Takes] = {
    "/": _GALLERY,
    "/page/grid": _GALLERY,
    "/page/facets": _GALLERY,
    "/page/histogram": _GALLERY,
    "/page/suggest": Takes((_text("q", "What is typed."), _text("within", "The question of the gallery."))),
    "/tags": Takes(
        (
            _text("q", "What is typed.", values.prefix, values.PREFIX),
            _text("from", "What names begin with.", values.prefix, values.PREFIX),
            _text("after", "The last name of the page before.", values.prefix, values.PREFIX),
        )
    ),
    "/sign-in": Takes((_text("link", "A sign-in link."), _text("back", "Where to go afterwards."))),
    "/ops": Takes((_text("range", "How far back.", values.one_of(("", *ops.RANGES)), ", ".join(ops.RANGES)),)),
    "/ops/explain": Takes((_text("query", "The query to explain."),)),
    **{f"/{source.name}/{{id}}": _ITEM for source in SOURCES},
}
"""The parameters of each page and part; those that are not here have none."""


def by_path() -> dict[str, dict[str, Handler]]:
    """The handlers by path and method; HEAD is GET without its body."""
    found = {
        path: {method: page(handler, _TAKES.get(path, NOTHING)) for method, handler in methods.items()}
        for path, methods in _PAGES.items()
    }
    found |= {path: {"GET": fragment(handler, _TAKES.get(path, NOTHING))} for path, handler in _PARTS.items()}
    found |= {assets.PATH: {"GET": assets.give}, pictures.PATH: {"GET": pictures.give}}
    return {
        path: {**methods, **({"HEAD": methods["GET"]} if "GET" in methods else {})} for path, methods in found.items()
    }
