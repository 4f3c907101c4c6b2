"""`/docs`: the OpenAPI description as one static page. No scripts, nothing loaded from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

CONTENT_SECURITY_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "code{font-family:ui-monospace,monospace}table{border-collapse:collapse;width:100%}"
    "td,th{border-top:1px solid #8884;padding:.3rem .6rem;text-align:left;vertical-align:top}"
    ":root{color-scheme:light dark}h2{margin-top:2.5rem}"
)


def render(openapi: dict[str, Any]) -> str:
    """The page for a description."""
    info = openapi["info"]
    return "".join(
        (
            '<!doctype html><html lang="en"><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width">',
            f"<title>{escape(info['title'])} API</title><style>{_STYLE}</style>",
            f"<h1>{escape(info['title'])} {escape(info['version'])}</h1><p>{escape(info['description'])} ",
            'The same as data: <a href="openapi.json">openapi.json</a>.</p>',
            *(
                part
                for path, methods in openapi["paths"].items()
                for method, operation in methods.items()
                for part in _operation(path, method, operation)
            ),
            "</html>",
        )
    )


def _operation(path: str, method: str, operation: dict[str, Any]) -> Iterator[str]:
    yield f"<h2><code>{method.upper()} {escape(path)}</code></h2><p>{escape(operation['summary'])}</p>"
    if operation["parameters"]:
        yield "<table><tr><th>parameter<th>takes<th>meaning</tr>"
        for parameter in operation["parameters"]:
            yield f"<tr><td><code>{escape(parameter['name'])}</code><td>{escape(_takes(parameter))}"
            yield f"<td>{escape(parameter['description'])}</tr>"
        yield "</table>"
    for kind, content in operation.get("requestBody", {"content": {}})["content"].items():
        named = content["schema"].get("$ref", "").rpartition("/")[2]
        what = f"<code>{escape(named)}</code> in openapi.json" if named else "the parameters of GET"
        yield f"<p>Body: <code>{escape(kind)}</code>, {what}.</p>"
    yield "<table><tr><th>status<th>meaning</tr>"
    for status, response in operation["responses"].items():
        yield f"<tr><td>{escape(status)}<td>{escape(response['description'])}</tr>"
    yield "</table>"


def _takes(parameter: dict[str, Any]) -> str:
    schema = parameter["schema"]
    repeatable = schema["type"] == "array"
    schema = schema["items"] if repeatable else schema
    text = ", ".join(schema["enum"]) if "enum" in schema else str(schema["type"])
    if "maximum" in schema:
        text += f" {schema['minimum']} to {schema['maximum']}"
    if schema.get("default") not in {None, ""}:
        text += f"; default {schema['default']}"
    return text + ("; repeatable" if repeatable else f"; in {parameter['in']}" if parameter["in"] != "query" else "")
