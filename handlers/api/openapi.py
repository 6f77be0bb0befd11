"""The description of the API in OpenAPI 3.1, made from the calls themselves and pydantic's own schemas (decision 0004)."""

from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from handlers.api.calls import Call
from handlers.api.happenings import EXAMPLE
from handlers.api.happenings import KINDS as HAPPENINGS
from handlers.api.problems import KINDS, Problem

ALWAYS = ("unauthorized", "rate_limited", "busy", "store_unreachable", "internal")
"""Problems that every call may answer with."""
WITH_INPUT = ("invalid",)
WITH_BODY = ("invalid_json", "too_large", "invalid")
_PATH_WORDS = {
    "id": "Our number of it.",
    "external_id": "Your order's id, percent-encoded (`A%2F1` for `A/1`).",
    "code": "The voucher's code.",
}
_ABOUT = """\
What a till, a web shop or a CRM needs to make its buyers regulars: customers, orders that earn points, vouchers, the \
settlement between shops.

Every call but this description carries `Authorization: Bearer KEY`. A key belongs to one shop (`regulars apikey create \
--shop SHOP`) and may call 2,000 times in 10 seconds. Money is whole đồng, points are whole, times carry their zone. \
Wherever a `customer` is named it is `{"id": 7}` or `{"phone": "0903 123 456"}`. Fields we don't know are ignored. What a \
call refuses is an RFC 9457 problem with a stable `code`, and has changed nothing."""


def document(calls: Sequence[Call], base: str) -> dict[str, Any]:
    """The whole description, ready for JSON."""
    schemas, refs = _schemas(calls)
    paths: dict[str, dict[str, Any]] = {}
    for call in calls:
        paths.setdefault(base + call.path, {})[call.method.lower()] = _operation(call, refs)
    paths[f"{base}/openapi.json"] = {"get": _itself()}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Regulars", "version": _version(), "summary": "Loyalty over HTTP", "description": _ABOUT},
        "servers": [{"url": "/"}],
        "security": [{"key": []}],
        "tags": [{"name": group} for group in dict.fromkeys(call.group for call in calls)],
        "paths": paths,
        "webhooks": _webhooks(),
        "components": {
            "schemas": schemas,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "The shop's API key."}},
        },
    }


Mode = Literal["validation", "serialization"]
Refs = Mapping[tuple[Any, Mode], dict[str, Any]]


def _schemas(calls: Sequence[Call]) -> tuple[dict[str, Any], Refs]:
    wanted: dict[tuple[type[BaseModel], Mode], None] = {(Problem, "serialization"): None}
    for call in calls:
        for model in (call.body, call.query):
            if model is not None:
                wanted[model, "validation"] = None
        for model in call.answers.values():
            wanted[model, "serialization"] = None
    refs, found = models_json_schema(list(wanted), ref_template="#/components/schemas/{model}", by_alias=True)
    schemas: dict[str, Any] = found["$defs"]
    for model in {call.query for call in calls if call.query is not None}:
        # A query is told as parameters; as a schema nothing refers to it.
        schemas.pop(refs[model, "validation"]["$ref"].rsplit("/", 1)[-1])
    return dict(sorted(schemas.items())), refs


def _operation(call: Call, refs: Refs) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": call.name, "summary": call.summary, "tags": [call.group], "parameters": _parameters(call),
        "responses": {
            str(status): {"description": _GOOD[status], "content": _content(refs[model, "serialization"])}
            for status, model in call.answers.items()
        },
    }  # fmt: skip
    if call.words:
        operation["description"] = call.words
    if call.body is not None:
        operation["requestBody"] = {"required": True, "content": _content(refs[call.body, "validation"])}
    inputs = WITH_BODY if call.body is not None else WITH_INPUT if call.query is not None or _free(call) else ()
    by_status: dict[int, list[str]] = {}
    for code in dict.fromkeys((*inputs, *call.refusals, *ALWAYS)):
        by_status.setdefault(KINDS[code].status, []).append(code)
    for status, codes in sorted(by_status.items()):
        response: dict[str, Any] = {
            "description": "; ".join(f"`{code}`: {KINDS[code].title}" for code in codes),
            "content": _content(refs[Problem, "serialization"], "application/problem+json"),
        }
        if status in {429, 503}:
            response["headers"] = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}
        operation["responses"][str(status)] = response
    return operation


def _free(call: Call) -> bool:
    """Whether the path holds text of the caller's own, which may hold signs that can't be kept."""
    return "{external_id}" in call.path


def _parameters(call: Call) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for part in call.path.split("/"):
        if part.startswith("{"):
            name = part.strip("{}")
            schema = {"type": "integer", "minimum": 1} if name == "id" else {"type": "string"}
            found.append(
                {"name": name, "in": "path", "required": True, "description": _PATH_WORDS[name], "schema": schema}
            )
    found += [
        {
            "name": header, "in": "header", "required": True, "description": "One for each intention, the same at a retry.",
            "schema": {"type": "string", "minLength": 1, "maxLength": 200},
        }
        for header in call.headers
    ]  # fmt: skip
    if call.query is not None:
        whole = call.query.model_json_schema(by_alias=True)
        for name, told in whole["properties"].items():
            schema = _given(told, whole.get("$defs", {}))
            words = schema.pop("description", "")
            found.append({
                "name": name, "in": "query", "required": name in whole.get("required", []), "description": words,
                "schema": schema,
            })  # fmt: skip
    return found


def _given(schema: dict[str, Any], inner: Mapping[str, Any]) -> dict[str, Any]:
    """What a parameter may be, standing by itself: what is left out is no null, and nothing refers elsewhere."""
    choices = [one for one in schema.get("anyOf", []) if one.get("type") != "null"]
    if len(choices) == 1:
        schema = {name: value for name, value in schema.items() if name not in {"anyOf", "default"}} | choices[0]
    if "$ref" in schema:
        schema = {**inner[schema["$ref"].rsplit("/", 1)[-1]], **{k: v for k, v in schema.items() if k != "$ref"}}
    return schema


def _content(schema: dict[str, Any], kind: str = "application/json") -> dict[str, Any]:
    return {kind: {"schema": schema}}


def _webhooks() -> dict[str, Any]:
    """What is posted to a registered webhook, kind by kind."""
    signed = [
        {"name": name, "in": "header", "required": True, "description": words, "schema": {"type": "string"}}
        for name, words in (
            ("webhook-id", "The same whenever this is posted again: take it once."),
            ("webhook-timestamp", "Seconds since 1970 of this post. Refuse what is older than 5 minutes."),
            (
                "webhook-signature",
                "`v1,` and the base64 HMAC-SHA256 of `id.timestamp.body`; two with a space for a day after a new secret.",
            ),
        )
    ]
    return {
        kind: {
            "post": {
                "operationId": f"webhook_{kind.replace('.', '_')}", "summary": about.words, "tags": ["Webhooks"],
                "security": [], "parameters": signed,
                "requestBody": {"required": True, "content": {"application/json": {
                    "schema": {"type": "object"},
                    "example": {**EXAMPLE, "id": f"9041.{kind}", "type": kind, "data": about.data},
                }}},
                "responses": {"2XX": {"description": "Taken. Any other status, or none in 10 s: it is posted again."}},
            }
        }
        for kind, about in HAPPENINGS.items()
    }  # fmt: skip


def _itself() -> dict[str, Any]:
    return {
        "operationId": "openapi", "summary": "Read this description", "security": [], "tags": [],
        "responses": {"200": {"description": "OpenAPI 3.1", "content": _content({"type": "object"})}},
    }  # fmt: skip


_GOOD = {200: "OK", 201: "Created", 202: "Accepted"}


def _version() -> str:
    try:
        return version("regulars")
    except PackageNotFoundError:
        return "0"
