"""The documentation at /api/docs: one calm page, made from the description alone."""

import asyncio
import json
import secrets
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from aiohttp import web

from handlers.api.happenings import EXAMPLE
from handlers.api.happenings import KINDS as HAPPENINGS
from handlers.api.problems import KINDS
from handlers.pictures.colour import readable_on
from handlers.web.site import NONCE, Handler
from store.shops import DEFAULT_BRAND

HERE = Path(__file__).parent
TEMPLATES = HERE.parent / "web"
VERIFY = (HERE / "verify.py.txt").read_text()
_IN_PATHS = {"id": "7", "external_id": "HD-1042", "code": "K7MD-2QXW-9HPTA"}


def page(described: Callable[[], dict[str, Any]], public_url: str) -> Handler:
    """The handler that shows a description to people. What it shows is made when somebody first looks."""

    @cache
    def shown() -> tuple[jinja2.Template, dict[str, Any], list[tuple[str, list[dict[str, Any]]]]]:
        spec = described()
        groups = [(tag["name"], _operations(spec, tag["name"], public_url)) for tag in spec["tags"]]
        return _template(), spec["info"], groups

    async def show(request: web.Request) -> web.Response:
        template, info, groups = await asyncio.to_thread(shown)
        html = template.render(
            lang="en", csp_nonce=request.get(NONCE) or secrets.token_urlsafe(12), brand=DEFAULT_BRAND,
            on_brand=readable_on(DEFAULT_BRAND), theme=request.cookies.get("theme", ""), info=info,
            groups=groups, problems=KINDS, public_url=public_url, happenings=_happenings(), verify=VERIFY,
            happening=json.dumps(EXAMPLE, indent=2, ensure_ascii=False),
        )  # fmt: skip
        return web.Response(text=html, content_type="text/html")

    return show


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([HERE, TEMPLATES, TEMPLATES / "templates"]), autoescape=True,
        extensions=["jinja2.ext.i18n"], trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    environment.install_null_translations(newstyle=True)  # type: ignore[attr-defined]
    environment.filters["code"] = _code_marks
    return environment.get_template("docs.html")


def _happenings() -> list[tuple[str, str, str]]:
    """(kind, when it comes, an example of its facts) of all that webhooks tell."""
    return [(name, kind.words, json.dumps(kind.data, ensure_ascii=False)) for name, kind in HAPPENINGS.items()]


async def stylesheet(_request: web.Request) -> web.FileResponse:
    """The page's own style; the rest is every page's."""
    return web.FileResponse(HERE / "docs.css", headers={"Cache-Control": "no-cache"})


def _operations(spec: dict[str, Any], group: str, public_url: str) -> list[dict[str, Any]]:
    """What the template shows of each call of a group."""
    shown = []
    for path, methods in spec["paths"].items():
        for method, operation in methods.items():
            if group not in operation["tags"]:
                continue
            body = operation.get("requestBody")
            sent = _resolved(spec, _schema(body)) if body else None
            good = [
                (status, response["description"], _resolved(spec, _schema(response)))
                for status, response in operation["responses"].items() if status < "300"
            ]  # fmt: skip
            shown.append({
                "id": operation["operationId"], "method": method.upper(), "path": path,
                "summary": operation["summary"], "words": operation.get("description", ""),
                "parameters": [one | {"type": _type(spec, one["schema"])} for one in operation["parameters"]],
                "sent": _fields(spec, sent) if sent else [], "answers": [
                    {"status": status, "words": words} for status, words, _ in good
                ],
                "returned": _fields(spec, good[0][2]), "request": _curl(method, path, operation, sent, public_url),
                "response": json.dumps(good[0][2]["examples"][0], indent=2, ensure_ascii=False),
                "refusals": [
                    code for code, kind in KINDS.items()
                    for status, response in operation["responses"].items()
                    if status == str(kind.status) and f"`{code}`" in response["description"]
                ],
            })  # fmt: skip
    return shown


def _schema(holder: dict[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = next(iter(holder["content"].values()))
    schema: dict[str, Any] = content["schema"]
    return schema


def _resolved(spec: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = spec["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]]
    return schema


def _fields(spec: dict[str, Any], schema: dict[str, Any], prefix: str = "") -> list[dict[str, Any]]:
    """Every field of an object, those of objects inside it beneath theirs."""
    rows: list[dict[str, Any]] = []
    for name, field in schema.get("properties", {}).items():
        rows.append({
            "name": prefix + name, "type": _type(spec, field), "words": field.get("description", ""),
            "required": name in schema.get("required", []), "limits": _limits(field),
        })  # fmt: skip
        inner, many = _inside(spec, field)
        if inner is not None:
            rows += _fields(spec, inner, f"{prefix}{name}{'[]' if many else ''}.")
    return rows


def _inside(spec: dict[str, Any], field: dict[str, Any]) -> tuple[dict[str, Any] | None, bool]:
    """The object that a field holds, and whether it holds a list of them."""
    for one in field.get("anyOf", [field]):
        schema = _resolved(spec, one)
        if "properties" in schema:
            return schema, False
        if schema.get("type") == "array":
            inner = _resolved(spec, schema["items"])
            if "properties" in inner:
                return inner, True
    return None, False


def _type(spec: dict[str, Any], field: dict[str, Any]) -> str:
    """A field's type in a few words."""
    if "anyOf" in field:
        return " or ".join(_type(spec, one) for one in field["anyOf"])
    schema = _resolved(spec, field)
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        return f"list of {_type(spec, schema['items'])}"
    return {"date-time": "time", "date": "date"}.get(schema.get("format", "")) or str(schema.get("type", "any"))


def _limits(field: dict[str, Any]) -> str:
    """What bounds a field, as people write it."""
    schema = next((one for one in field.get("anyOf", [field]) if one.get("type") != "null"), field)
    said = []
    if "minimum" in schema:
        said.append(f"≥ {schema['minimum']:,}")
    if "maximum" in schema and schema["maximum"] < 2**62:
        said.append(f"≤ {schema['maximum']:,}")
    if "maxLength" in schema:
        said.append(f"≤ {schema['maxLength']} signs")
    return ", ".join(said)


def _curl(method: str, path: str, operation: dict[str, Any], sent: dict[str, Any] | None, public_url: str) -> str:
    """The call as a command line."""
    query = []
    lines = ['  -H "Authorization: Bearer $KEY"']
    for one in operation["parameters"]:
        if one["in"] == "path":
            path = path.replace(f"{{{one['name']}}}", _IN_PATHS[one["name"]])
        elif one["in"] == "query" and one["required"]:
            query.append(f"{one['name']}={one['schema']['examples'][0]}")
        elif one["in"] == "header":
            lines.append(f'  -H "{one["name"]}: goodwill-1042"')
    if sent is not None:
        lines.append("  --json '" + json.dumps(sent["examples"][0], ensure_ascii=False) + "'")
    address = f"{public_url}{path}{'?' + '&'.join(query) if query else ''}"
    return " \\\n".join([f"curl -X {method.upper()} '{address}'", *lines])


def _code_marks(words: str) -> Any:
    """Text with `code` between backticks marked as such, all else escaped."""
    from markupsafe import Markup, escape

    parts = [
        Markup("<code>{}</code>").format(part) if index % 2 else escape(part)
        for index, part in enumerate(words.split("`"))
    ]
    return Markup("").join(parts)
