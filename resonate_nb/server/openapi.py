"""The OpenAPI document of the resource."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from resonate_nb.promise import NEVER, SETTLED_BY_CLIENTS, State

Json = dict[str, Any]

_TEXTS: Json = {"type": "object", "additionalProperties": {"type": "string"}}
_TIME: Json = {
    "type": "integer",
    "minimum": 0,
    "maximum": NEVER,
    "description": "milliseconds since the epoch",
}
_ANY: Json = {"description": "any JSON"}
_OPAQUE: Json = {
    "type": "object",
    "description": "a value that JSON can't hold: signed bytes, never opened by a server",
    "properties": {
        "headers": _TEXTS,
        "data": {"type": "string", "format": "byte"},
        "buffers": {"type": "array"},
    },
}


def document() -> Json:
    """Return the document, OpenAPI 3.1."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Durable promises", "version": version("resonate-nb")},
        "paths": {
            "/promises": {"get": _list()},
            "/promises/{id}": {
                "parameters": [
                    _parameter("id", "path", {"type": "string", "minLength": 1, "maxLength": 1024})
                ],
                "get": _one(
                    "read", "Return a promise", {"200": _answer("the promise"), "404": _error("absent")}
                ),
                "put": _create(),
                "patch": _settle(),
            },
        },
        "components": {"schemas": {"Promise": _promise(), "Error": _error_schema()}},
    }


def _create() -> Json:
    fields = {"param": _ANY, "tags": _TEXTS, "timeoutAt": _TIME}
    answers = {"201": _answer("created"), "200": _answer("it exists: the record as stored")}
    return _one("create", "Create a pending promise", answers | _refusals(), body=_body(fields, required=[]))


def _settle() -> Json:
    states = {"type": "string", "enum": sorted(SETTLED_BY_CLIENTS)}
    fields = {"state": states, "value": _ANY, "comment": {"type": "string"}}
    answers = {
        "200": _answer("settled, now or before in the same way"),
        "404": _error("absent"),
        "409": _answer("settled before with another outcome"),
        "422": _error("an answer that the question refuses"),
    }
    return _one("settle", "Settle a promise", answers | _refusals(), body=_body(fields, required=["state"]))


def _list() -> Json:
    parameters = [
        _parameter("prefix", "query", {"type": "string"}),
        _parameter("state", "query", {"type": "string", "enum": sorted(State)}),
        _parameter("tag", "query", {"type": "array", "items": {"type": "string", "pattern": "^[^:]+:"}}),
        _parameter("limit", "query", {"type": "integer", "minimum": 1, "maximum": 1000}),
        _parameter("cursor", "query", {"type": "string"}),
    ]
    page = {
        "type": "object",
        "required": ["promises", "cursor"],
        "properties": {
            "promises": {"type": "array", "items": {"$ref": "#/components/schemas/Promise"}},
            "cursor": {"type": ["string", "null"]},
        },
    }
    answers = {"200": {"description": "a page, without values", **_content(page)}, "400": _error("refused")}
    return _one("list", "List promises", answers) | {"parameters": parameters}


def _promise() -> Json:
    return {
        "type": "object",
        "required": ["id", "state", "tags", "timeoutAt", "createdAt", "settledAt"],
        "properties": {
            "id": {"type": "string"},
            "state": {"type": "string", "enum": sorted(State)},
            "param": _ANY,
            "value": _ANY,
            "paramOpaque": _OPAQUE,
            "valueOpaque": _OPAQUE,
            "tags": _TEXTS,
            "timeoutAt": _TIME,
            "createdAt": _TIME,
            "settledAt": {"anyOf": [_TIME, {"type": "null"}]},
        },
    }


def _error_schema() -> Json:
    return {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}


def _one(name: str, summary: str, answers: Json, *, body: Json | None = None) -> Json:
    operation = {"operationId": name, "summary": summary, "responses": answers}
    return operation if body is None else operation | {"requestBody": body}


def _body(properties: Json, *, required: list[str]) -> Json:
    schema = {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }
    return {"required": bool(required), **_content(schema)}


def _parameter(name: str, place: str, schema: Json) -> Json:
    return {"name": name, "in": place, "required": place == "path", "schema": schema}


def _answer(description: str) -> Json:
    return {"description": description, **_content({"$ref": "#/components/schemas/Promise"})}


def _error(description: str) -> Json:
    return {"description": description, **_content({"$ref": "#/components/schemas/Error"})}


def _refusals() -> Json:
    return {"400": _error("the request is not understood"), "503": _error("the store can't be used now")}


def _content(schema: Json) -> Json:
    return {"content": {"application/json": {"schema": schema}}}
