"""The OpenAPI 3.1 document of a gate, made from its pages and from the types of their bodies.

    python -m monitor.gate_server.openapi > docs/openapi.json

A test compares the file with what this makes, another the answers of a real server with it.
"""

from __future__ import annotations

import sys
from functools import cache
from typing import Any, Final, get_args

import msgspec

from monitor.gate_server.refusal import ERRORS, FaultBody
from monitor.gate_server.routes import PAGES, Page, Parameter

VERSION: Final = "1"
_JSON: Final = "application/json"
_REF: Final = "#/components/schemas/{name}"
_OBJECTS: Final = ("args", "attributes")
"""Fields of raw JSON that have to be objects; `result` may be anything."""
_DESCRIPTION: Final = (
    "Interlock's gate judges a call of an agent's tool before it runs. docs/gate.md describes it."
)


@cache
def open_api() -> bytes:
    """The document, as JSON."""
    types = {page.gives for page in PAGES} | {page.takes for page in PAGES} | {FaultBody}
    shapes = sorted((_shape(t) for t in types - {None}), key=lambda shape: str(shape.__name__))
    _, components = msgspec.json.schema_components(shapes, ref_template=_REF)
    components["Fault"]["properties"]["code"] = {"enum": sorted(ERRORS)}
    paths: dict[str, dict[str, Any]] = {}
    for page in PAGES:
        paths.setdefault(page.path, {})[page.method.lower()] = _operation(page)
    document = {
        "openapi": "3.1.0",
        "info": {"title": "Interlock gate", "version": VERSION, "description": _DESCRIPTION},
        "paths": paths,
        "components": {
            "schemas": dict(sorted(components.items())),
            "responses": {code: _error(code) for code in sorted(ERRORS)},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
            },
        },
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n"


def _operation(page: Page) -> dict[str, Any]:
    described: dict[str, Any] = {"operationId": page.name, "summary": page.meaning}
    parameters = [_parameter(parameter) for parameter in page.query]
    if "{id}" in page.path:
        text = {"type": "string", "maxLength": 128}
        place = {"name": "id", "in": "path", "required": True}
        parameters.append({**place, "description": "The id of the held call.", "schema": text})
    if parameters:
        described["parameters"] = parameters
    if page.takes is not None:
        schema = {"$ref": _REF.format(name=page.takes.__name__)}
        described["requestBody"] = {"required": True, "content": {_JSON: {"schema": schema}}}
    # Over a Unix socket the user id is enough: `{}` is "no token".
    described["security"] = [] if page.is_open else [{"token": []}, {}]
    described["responses"] = {"200": _success(page), **_errors(page)}
    return described


def _parameter(parameter: Parameter) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": parameter.type}
    if parameter.type == "integer":
        schema["minimum"] = 0
    return {
        "name": parameter.name,
        "in": "query",
        "required": parameter.is_required,
        "description": parameter.meaning,
        "schema": schema,
    }


def _success(page: Page) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    if page.gives is not None:
        schema = {"$ref": _REF.format(name=page.gives.__name__)}
    elif page.media_type != _JSON:
        schema = {"type": "string"}
    return {"description": "Success.", "content": {page.media_type: {"schema": schema}}}


def _errors(page: Page) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for code in page.codes:
        status = str(ERRORS[code][0].value)
        responses[status] = {"$ref": f"#/components/responses/{code}"}
        if page.media_type != _JSON and code == "not_ready":
            content = {page.media_type: {"schema": {"type": "string"}}}
            responses[status] = {"description": "The reason.", "content": content}
    return dict(sorted(responses.items()))


def _error(code: str) -> dict[str, Any]:
    content = {_JSON: {"schema": {"$ref": _REF.format(name="FaultBody")}}}
    return {"description": f"`{code}`: {ERRORS[code][1]}.", "content": content}


@cache
def _shape(type_: Any) -> Any:
    """The type with JSON's own types in place of raw bytes, which have no schema."""
    fields: list[Any] = []
    for field in msgspec.structs.fields(type_):
        shape = _in_json(field.type, field.name)
        if field.required:
            fields.append((field.name, shape))
        elif bytes(field.default) == b"" if isinstance(field.default, msgspec.Raw) else False:
            fields.append((field.name, shape | msgspec.UnsetType, msgspec.UNSET))
        else:
            default = field.default
            if field.default_factory is not msgspec.NODEFAULT:
                default = msgspec.field(default_factory=field.default_factory)
            fields.append((field.name, shape, default))
    config = type_.__struct_config__
    made = msgspec.defstruct(
        type_.__name__, fields, forbid_unknown_fields=config.forbid_unknown_fields, kw_only=True
    )
    made.__doc__ = type_.__doc__
    return made


def _in_json(type_: Any, name: str) -> Any:
    if type_ is msgspec.Raw:
        return dict[str, Any] if name in _OBJECTS else Any
    if isinstance(type_, type) and issubclass(type_, msgspec.Struct):
        return _shape(type_)
    parts = get_args(type_)
    if type_.__class__.__name__ == "GenericAlias" and parts:
        return type_.__origin__[tuple(_in_json(part, name) for part in parts)]
    if parts and any(isinstance(part, type) and issubclass(part, msgspec.Struct) for part in parts):
        whole = _in_json(parts[0], name)
        for part in parts[1:]:
            whole = whole | _in_json(part, name)
        return whole
    return type_


if __name__ == "__main__":
    sys.stdout.write(open_api().decode())
