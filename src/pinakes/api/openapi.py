"""The OpenAPI description: parameters from their tables, bodies from Draft and Change, the rest by hand.

`GET /openapi.json` gives it, `/docs` shows it. It is built once for each application.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pinakes import errors
from pinakes.api.body import FORM
from pinakes.api.parameters import Parameter
from pinakes.query.fieldset import ALWAYS, LARGE
from pinakes.query.sources import SOURCES
from pinakes.store.content import Change, Draft

_TEXT = {"type": "string"}
_NULLABLE_TEXT = {"type": ["string", "null"]}
_NULLABLE_OBJECT = {"type": ["object", "null"]}
_TIME = {"type": "string", "format": "date-time"}

SOURCE_TYPE = {
    "name": "source_type",
    "in": "path",
    "required": True,
    "description": "The source of the item.",
    "schema": {"type": "string", "enum": [source.name for source in SOURCES]},
}
ID = {
    "name": "id",
    "in": "path",
    "required": True,
    "description": "The number of the item or tag.",
    "schema": {"type": "integer", "minimum": 0},
}


def _object(properties: dict[str, Any], **optional: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": {**properties, **optional}, "required": list(properties)}


def _listed(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


_COUNTED_TAG = {"id": {"type": "integer"}, "name": _TEXT, "category": _TEXT, "count": {"type": "integer"}}
_SUGGESTION = _object({**_COUNTED_TAG, "alias": _NULLABLE_TEXT, "label": _TEXT, "typo": {"type": "boolean"}})
_RELATED = _object({**_COUNTED_TAG, "together": {"type": "integer"}, "cosine": {"type": "number"}})

_FACETS = {
    "facets": _listed(_object(_COUNTED_TAG)),
    "kind": {"type": "string", "enum": ["exact", "sampled"]},
    "total_count": {"type": "integer"},
    "total_kind": {"type": "string", "enum": ["exact", "lower_bound"]},
    "counted": {"type": "integer", "description": "Hits whose tags were counted."},
}
_CAME = {
    "query": {"type": ["string", "null"], "description": "`q` as it was understood, in canonical form."},
    "warnings": _listed(_TEXT),
    "engine": _TEXT,
    "as_of": _TIME,
    "epoch": {"type": ["integer", "null"]},
}
_CACHED = {
    "_from_cache": {"type": "boolean"},
    "_cached_at": {"type": ["string", "null"], "format": "date-time"},
    "_cache_ttl": {"type": ["integer", "null"], "description": "Seconds."},
    "_cache_age_seconds": {"type": ["integer", "null"]},
}

_ITEM: dict[str, Any] = {
    "source_type": SOURCE_TYPE["schema"],
    "id": {"type": "integer"},
    "external_id": _TEXT,
    "title": _TEXT,
    "content_type": _TEXT,
    "content_data": _NULLABLE_TEXT,
    "path_thumb": _NULLABLE_TEXT,
    "path_thumbs_alt_res": _NULLABLE_OBJECT,
    "prompt": _NULLABLE_TEXT,
    "creator_id": {"type": "integer"},
    "creator_username": _TEXT,
    "item_metadata": _NULLABLE_OBJECT,
    "is_private": {"type": "boolean"},
    "quality_score": {"type": ["number", "null"]},
    "created_at": _TIME,
    "updated_at": _TIME,
    "tags": {"type": "array", "items": {"$ref": "#/components/schemas/Tag"}},
}
_OMITTED: dict[str, Any] = {
    "type": "array",
    "items": {"type": "string", "enum": list(LARGE)},
    "description": "Fields that are null here because their values are too large for a list.",
}

SCHEMAS: dict[str, Any] = {
    "Tag": _object({"id": {"type": "integer"}, "name": _TEXT, "category": _TEXT}),
    "Tags": _object(
        {"tags": {"type": "array", "items": {"$ref": "#/components/schemas/Tag"}}, "next_after": _NULLABLE_TEXT}
    ),
    "Item": _object(
        _ITEM,
        omitted=_OMITTED,
        warnings={**_listed(_TEXT), "description": "What a write kept otherwise than it was sent; else absent."},
    ),
    "ListedItem": {
        "type": "object",
        "properties": {**_ITEM, "omitted": _OMITTED},
        "required": list(ALWAYS),
        "description": "An item with the fields that were asked for.",
    },
    "Written": {
        "anyOf": [
            {"$ref": "#/components/schemas/Item"},
            {
                **_object({"source_type": SOURCE_TYPE["schema"], "id": {"type": "integer"}}),
                "description": "Where the writer may not read the item.",
            },
        ]
    },
    "Pagination": _object(
        {
            "page": {"type": ["integer", "null"]},
            "page_size": {"type": "integer"},
            "total_count": {"type": "integer"},
            "total_kind": {"type": "string", "enum": ["exact", "lower_bound"]},
            "total_pages": {"type": "integer"},
            "has_next": {"type": "boolean"},
            "has_previous": {"type": "boolean"},
            "next_cursor": _NULLABLE_TEXT,
            "prev_cursor": _NULLABLE_TEXT,
        }
    ),
    "Answer": _object(
        {
            "items": {"type": "array", "items": {"$ref": "#/components/schemas/ListedItem"}},
            "pagination": {"$ref": "#/components/schemas/Pagination"},
            **_CAME,
            **_CACHED,
        },
        facets=_object(_FACETS),
        explain={"type": "object", "description": "What the answer took, where `explain=true` asked for it."},
    ),
    "Facets": _object({**_FACETS, **_CAME, **_CACHED}),
    "Suggestions": _object({"suggestions": _listed(_SUGGESTION), "warnings": _listed(_TEXT)}),
    "Related": _object(
        {
            "related": _listed(_RELATED),
            "kind": {"type": "string", "enum": ["exact", "bounded"]},
            **_CAME,
            **_CACHED,
        }
    ),
    "Histogram": _object(
        {
            "field": _TEXT,
            "buckets": _listed(_object({"from": {}, "to": {}, "count": {"type": "integer"}})),
            "missing": {"type": "integer", "description": "Hits without a value."},
            "total_count": {"type": "integer"},
            **_CAME,
            **_CACHED,
        }
    ),
    "Around": _object(
        {
            "previous": {"anyOf": [{"$ref": "#/components/schemas/Item"}, {"type": "null"}]},
            "item": {"$ref": "#/components/schemas/Item"},
            "next": {"anyOf": [{"$ref": "#/components/schemas/Item"}, {"type": "null"}]},
            "rank": {"type": "integer", "description": "Counted from 1."},
            "total_count": {"type": "integer"},
            **_CAME,
            **_CACHED,
        }
    ),
    "TagChange": {
        "type": "object",
        "properties": {"name": _TEXT, "category": _TEXT, "keep_alias": {"type": "boolean", "default": False}},
    },
    "Merge": _object({"into": {"type": "integer"}}),
    "Merged": _object(
        {
            "into": {"$ref": "#/components/schemas/Tag"},
            "taggings": {"type": "integer"},
            "steps_left_out": {"type": "integer", "description": "Of the hierarchy; they would have made a circle."},
        }
    ),
    "Alias": _object({"alias": _TEXT, "tag": _TEXT}),
    "Aliases": _object({"aliases": _listed({"$ref": "#/components/schemas/Alias"}), "next_after": _NULLABLE_TEXT}),
    "Parent": _object({"child": _TEXT, "parent": _TEXT}),
    "Parents": _object(
        {
            "parents": _listed({"$ref": "#/components/schemas/Parent"}),
            "next_after": {"anyOf": [{"$ref": "#/components/schemas/Parent"}, {"type": "null"}]},
        }
    ),
    "CacheStats": {"type": "object", "required": ["strategy"], "properties": {"strategy": _TEXT}},
    "Invalidation": {
        "type": "object",
        "properties": {
            "tags": {"type": "array", "items": {"type": "integer"}},
            "creators": {"type": "array", "items": {"type": "integer"}},
            "all": {"type": "boolean"},
        },
    },
    "Invalidated": _object({"invalidated": {"type": "array", "items": _TEXT}}),
    "Problem": {
        "type": "object",
        "required": ["type", "title", "status", "detail", "code", "hint"],
        "properties": {
            "type": _TEXT,
            "title": _TEXT,
            "status": {"type": "integer"},
            "detail": _TEXT,
            "code": _TEXT,
            "hint": _TEXT,
            "parameter": {**_TEXT, "description": "The parameter at fault."},
            "position": {"type": "integer", "description": "Where in `q`, in characters from 0."},
            "expected": {"type": "array", "items": _TEXT, "description": "What could stand there."},
            "suggestion": {**_TEXT, "description": "What may have been meant."},
            "field": {**_TEXT, "description": "The field of the body at fault."},
            "allowed": {"description": "What is allowed there: a text, or a list of choices."},
        },
    },
    "Health": {"type": "object", "required": ["status"], "properties": {"status": _TEXT, "parts": {"type": "object"}}},
    "Draft": Draft.model_json_schema(),
    "Change": {**Change.model_json_schema(), "required": []},
}
# Not given means unchanged, so the defaults that stand in for "not given" are no news to a caller.
for _property in SCHEMAS["Change"]["properties"].values():
    _property.pop("default", None)


def operation(
    summary: str,
    answer: str | None,
    *,
    status: int = 200,
    path: Iterable[dict[str, Any]] = (),
    query: Iterable[Parameter] = (),
    headers: Sequence[str] = (),
    body: str | None = None,
    form: Sequence[Parameter] = (),
    refusals: Iterable[type[errors.PinakesError]] = (),
    later: str | None = None,
) -> dict[str, Any]:
    """One operation: what it answers, takes, and refuses.

    `form` are the parameters a body may have; `later` says what a 202 means, where there is one.
    """
    success: dict[str, Any] = {"description": summary}
    if answer is not None:
        success["content"] = {"application/json": {"schema": {"$ref": f"#/components/schemas/{answer}"}}}
    described: dict[str, Any] = {
        "summary": summary,
        "parameters": [*path, *map(_query_parameter, query), *map(_header, headers)],
        "responses": {
            str(status): success,
            **({"202": {"description": later}} if later is not None else {}),
            **({"304": {"description": "It still says what it said."}} if "If-None-Match" in headers else {}),
            **_refusals(refusals),
        },
        "security": [{}, {"bearer": []}],
    }
    if body is not None:
        schema = {"$ref": f"#/components/schemas/{body}"}
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    if form:
        fields = {each.name: {**_schema(each), "description": each.doc} for each in form}
        asked = {"type": "object", "properties": fields, "additionalProperties": False}
        described["requestBody"] = {"required": False, "content": {FORM: {"schema": asked}}}
    return described


def _schema(parameter: Parameter) -> dict[str, Any]:
    return {"type": "array", "items": parameter.schema} if parameter.repeatable else dict(parameter.schema)


def _query_parameter(parameter: Parameter) -> dict[str, Any]:
    schema = _schema(parameter)
    described: dict[str, Any] = {"name": parameter.name, "in": "query", "description": parameter.doc, "schema": schema}
    if parameter.repeatable:
        described |= {"style": "form", "explode": True}
    return described | ({"allowEmptyValue": True} if parameter.empty else {})


def _header(name: str) -> dict[str, Any]:
    said = _HEADERS.get(name, "The ETag of an earlier answer.")
    return {"name": name, "in": "header", "description": said, "schema": _TEXT}


_HEADERS = {"Idempotency-Key": "Of your choice; the same request sent again with it makes nothing again."}


def _refusals(kinds: Iterable[type[errors.PinakesError]]) -> dict[str, Any]:
    """One response a status, naming the codes it can have."""
    by_status: dict[int, list[type[errors.PinakesError]]] = {}
    for kind in kinds:
        by_status.setdefault(kind.status, []).append(kind)
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        str(status): {"description": " ".join(f"{kind.code}: {kind.title()}" for kind in found), "content": problem}
        for status, found in sorted(by_status.items())
    }


def description(version: str, paths: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The whole document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Pinakes",
            "version": version,
            "description": "Huge tagged galleries: the right page and the exact total.",
        },
        "paths": paths,
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }
