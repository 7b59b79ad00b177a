"""The OpenAPI description, made from the declarations of the endpoints."""

from __future__ import annotations

import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from carrel import __version__
from carrel.core.errors import CarrelError, Forbidden, RateLimited, Unauthenticated, Unavailable, Unprocessable
from carrel.core.scopes import SCOPES
from carrel.hub.urls import API
from carrel.hub.web.endpoint import VERBS, Declaration, declaration_of
from carrel.hub.web.errors import PROBLEM_JSON
from carrel.hub.web.routing import Route

_PARAMETER = re.compile(r"\{(\w+)(?::[^{}]+)?\}")
_REFERENCE = "#/components/schemas/{model}"
_PROBLEM = {
    "type": "object",
    "description": "Problem details (RFC 9457). Clients match on `code`.",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "detail": {"type": "string"},
    },
    "required": ["type", "title", "status", "code", "detail"],
    "additionalProperties": True,
}


def describe(routes: Iterable[Route], title: str, server: str) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of the REST API among *routes*."""
    paths: dict[str, dict[str, Any]] = {}
    operations = [
        (route, verb, declaration)
        for route in routes
        if route.template.startswith(f"{API}/")
        for verb in VERBS
        if verb != "head" and (declaration := declaration_of(route.handler, verb)) is not None
    ]
    models = _models(declaration for _route, _verb, declaration in operations)
    for route, verb, declaration in operations:
        path = _PARAMETER.sub(r"{\1}", route.template)
        paths.setdefault(path, {})[verb] = _operation(route, verb, declaration, models)
    _mappings, definitions = models_json_schema(sorted(models, key=lambda item: (item[0].__name__, item[1])), ref_template=_REFERENCE)
    scopes = "\n".join(f"- `{item.scope}`: {item.summary}" for item in SCOPES)
    return {
        "openapi": "3.1.0",
        "info": {"title": f"{title} hub", "version": __version__, "description": f"Scopes of tokens:\n\n{scopes}"},
        "servers": [{"url": server}],
        "paths": paths,
        "components": {
            "schemas": {**definitions.get("$defs", {}), "Problem": _PROBLEM},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "A token; `Authorization: token …` works too"},
                "basic": {"type": "http", "scheme": "basic", "description": "`__token__` and a token; a password only to create a token"},
                "session": {"type": "apiKey", "in": "cookie", "name": "carrel_session", "description": "Unsafe verbs need `X-XSRFToken`"},
            },
        },
    }


def _models(declarations: Iterable[Declaration]) -> list[tuple[type[BaseModel], Any]]:
    found: dict[tuple[type[BaseModel], Any], None] = {}
    for declaration in declarations:
        if declaration.request is not None:
            found[declaration.request, "validation"] = None
        if declaration.response is not None:
            found[declaration.response, "serialization"] = None
    return list(found)


def _operation(route: Route, verb: str, declaration: Declaration, models: list[tuple[type[BaseModel], Any]]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": f"{route.handler.__name__.removesuffix('Handler')}.{verb}" + ("" if not route.template.endswith("/") else ".slash"),
        "summary": declaration.summary,
        "tags": [route.handler.__module__.split(".")[-2]],
        "parameters": [_path_parameter(name) for name in _PARAMETER.findall(route.template)] + _query_parameters(declaration),
        "responses": _responses(declaration, getattr(route.handler, "error_media_type", PROBLEM_JSON)),
        "security": _security(declaration),
    }
    if declaration.description:
        operation["description"] = declaration.description
    if declaration.scope is not None:
        operation["x-scope"] = declaration.scope.value
    if declaration.request is not None:
        schema = {"$ref": _REFERENCE.format(model=declaration.request.__name__)}
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    elif verb == "put" and "{filename}" in route.template:
        operation["requestBody"] = {"required": True, "content": {"application/octet-stream": {"schema": {}}}}
    return operation


def _path_parameter(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _query_parameters(declaration: Declaration) -> list[dict[str, Any]]:
    if declaration.query is None:
        return []
    schema = declaration.query.model_json_schema(ref_template=_REFERENCE)
    definitions = schema.get("$defs", {})
    return [
        {"name": name, "in": "query", "required": name in schema.get("required", ()), "schema": _inlined(item, definitions)}
        for name, item in schema.get("properties", {}).items()
    ]


def _inlined(schema: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(schema, dict):
        reference = schema.get("$ref")
        if isinstance(reference, str):
            return _inlined(definitions[reference.rsplit("/", 1)[-1]], definitions)
        return {key: _inlined(value, definitions) for key, value in schema.items()}
    if isinstance(schema, list):
        return [_inlined(item, definitions) for item in schema]
    return schema


def _responses(declaration: Declaration, error_media_type: str) -> dict[str, Any]:
    normal: dict[str, Any] = {"description": HTTPStatus(declaration.status).phrase}
    if declaration.response is not None:
        schema: dict[str, Any] = {"$ref": _REFERENCE.format(model=declaration.response.__name__)}
        normal["content"] = {declaration.media_type: {"schema": schema}}
    elif declaration.status != HTTPStatus.NO_CONTENT:
        normal["content"] = {declaration.media_type: {"schema": {}}}
    responses = {str(declaration.status): normal}
    errors: list[type[CarrelError]] = [*declaration.errors, Unavailable]
    if not declaration.anonymous:
        errors.append(Unauthenticated)
    if declaration.scope is not None:
        errors += [Unauthenticated, Forbidden]
    if declaration.request is not None or declaration.query is not None:
        errors.append(Unprocessable)
    if declaration.password:
        errors.append(RateLimited)
    problem = {"$ref": _REFERENCE.format(model="Problem")}
    by_status: dict[int, set[str]] = {}
    for error in errors:
        by_status.setdefault(error.status, set()).add(error.default_code)
    for status, codes in sorted(by_status.items()):
        responses[str(status)] = {
            "description": f"{HTTPStatus(status).phrase}: {', '.join(f'`{code}`' for code in sorted(codes))}",
            "content": {error_media_type: {"schema": problem if error_media_type == PROBLEM_JSON else {}}},
        }
    return responses


def _security(declaration: Declaration) -> list[dict[str, list[str]]]:
    schemes: list[dict[str, list[str]]] = [{"token": []}, {"session": []}, {"basic": []}]
    return [{}, *schemes] if declaration.anonymous else schemes
