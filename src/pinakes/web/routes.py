"""Every address of the pages in one table: path, method, and what answers it.

/                      the gallery             /tags, /tags/{id}      tags
/{source}/{id}         an item                 /new                   a new item
/{source}/{id}/edit    changing it             /sign-in, /sign-out    sessions
/ops                   operations              /page/…                parts that scripts fetch
/static/…, /art/…      files and pictures that are kept for ever
"""

from __future__ import annotations

from pinakes.query.sources import SOURCES
from pinakes.web import assets, editing, gallery, item, ops, parts, pictures, signin, tags
from pinakes.web.page import Handler, fragment, page

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


def by_path() -> dict[str, dict[str, Handler]]:
    """The handlers by path and method; HEAD is GET without its body."""
    found = {path: {method: page(handler) for method, handler in methods.items()} for path, methods in _PAGES.items()}
    found |= {path: {"GET": fragment(handler)} for path, handler in _PARTS.items()}
    found |= {assets.PATH: {"GET": assets.give}, pictures.PATH: {"GET": pictures.give}}
    return {
        path: {**methods, **({"HEAD": methods["GET"]} if "GET" in methods else {})} for path, methods in found.items()
    }
