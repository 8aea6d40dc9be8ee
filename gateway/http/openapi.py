"""GET /openapi.json: the API as OpenAPI 3.1 has it: made of the routes, of `gateway.http.reference`, of types."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from gateway.http.calls import Answer, Call
from gateway.http.fields import Field, Fields
from gateway.http.formats import Format
from gateway.http.problems import STATUS, Code, status_of_reason
from gateway.http.reference import REFERENCE, Body, Entry
from gateway.http.routes import OPEN_SEGMENT, Route
from gateway.http.shapes import PARTS
from gateway.policy.verdict import Reason

Json = dict[str, Any]

_REFERENCE_TEMPLATE: Final = "#/components/schemas/{name}"
_PROBLEM: Final = "#/components/schemas/ProblemView"
_NOT_HTTP: Final = (Code.INVALID_REQUEST, Code.INTERNAL)  # of every call
_WITH_KEY: Final = (Code.UNAUTHORIZED, Code.FORBIDDEN)
_WITH_BODY: Final = (Code.REQUEST_TIMEOUT, Code.TOO_LARGE, Code.UNSUPPORTED_MEDIA_TYPE, Code.QUEUE_FULL)
_DESCRIPTION: Final = (
    "Hand messages in, ask what became of them. Errors are problem documents (RFC 9457) with a stable `code`. "
    "Bodies are JSON in UTF-8, or MessagePack; answers come in the form of the request, or in that of `Accept`."
)


class OpenApi:
    """Describes the API to programs. The description needs no key: it holds nothing but what is in the documents."""

    def __init__(self, version: str) -> None:
        self._version = version
        self._body = b""

    @property
    def route(self) -> Route:
        """Where the description is."""
        return Route(method="GET", path="/openapi.json", handler=self.show)

    def describe(self, routes: Iterable[Route]) -> None:
        """Take the routes that there are, once they are all known."""
        self._body = msgspec.json.encode(document(routes, self._version))

    async def show(self, _: Call) -> Answer:
        """The description, always in JSON."""
        return Answer(200, self._body, Format.JSON.value)


def document(routes: Iterable[Route], version: str) -> Json:
    """The whole description of these routes. One without an entry is described by what is known of its kind."""
    entries = [(route, REFERENCE.get(route.label) or _unwritten(route)) for route in routes]
    types = dict.fromkeys(PARTS)
    for _, entry in entries:
        types |= dict.fromkeys(kind for kinds in entry.answers.values() for kind in kinds)
    answers, components = msgspec.json.schema_components(list(types), ref_template=_REFERENCE_TEMPLATE)
    schema_of = dict(zip(types, answers, strict=True))
    paths: dict[str, Json] = {}
    for route, entry in entries:
        operation = _operation(route, entry, schema_of)
        if entry.body is not None:
            components[entry.body.name] = _object(entry.body.members, entry.body.required)
            operation["requestBody"] = _request_body(route, entry.body)
        elif route.media_type:
            content = {route.media_type: {"schema": {"type": "string"}}}
            operation["requestBody"] = {"required": not route.body_is_optional, "content": content}
        paths.setdefault(route.path, {})[route.method.lower()] = operation
    described: Json = _portable(
        {
            "openapi": "3.1.0",
            "info": {"title": "Yizhan 驿站", "version": version, "description": _DESCRIPTION},
            "paths": paths,
            "components": {
                "schemas": components,
                "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            },
        }
    )
    return described


def _unwritten(route: Route) -> Entry:
    summary = (route.handler.__doc__ or route.label).partition("\n")[0]
    return Entry(summary=summary, answers={200: (dict[str, Any],)})


def _operation(route: Route, entry: Entry, schema_of: Mapping[Any, Json]) -> Json:
    operation: Json = {"operationId": _operation_id(route), "summary": entry.summary}
    parameters = [_parameter(name, field, entry.required) for name, field in entry.query.items()]
    if (segment := OPEN_SEGMENT.search(route.path)) is not None:
        schema = {"type": "string", "minLength": 1}
        parameters.insert(0, {"name": segment[0].strip("{}"), "in": "path", "required": True, "schema": schema})
    if entry.takes_idempotency_key:
        schema = {"type": "string", "pattern": r"\A[\x20-\x7e]{1,64}\Z"}
        parameters.append({"name": "Idempotency-Key", "in": "header", "schema": schema})
    if parameters:
        operation["parameters"] = parameters
    if route.scope is not None:
        operation["security"] = [{"key": []}]
        operation["x-scope"] = str(route.scope)
    operation["responses"] = _responses(route, entry, schema_of)
    return operation


def _operation_id(route: Route) -> str:
    words = route.path.replace("/v1/", "/").replace("{", "").replace("}", "").replace(".", "-").strip("/").split("/")
    words = [word for word in words if word] or ["page"]
    return "-".join([route.method.lower(), *words])


def _parameter(name: str, field: Field, required: tuple[str, ...]) -> Json:
    return {
        "name": name,
        "in": "query",
        "required": name in required,
        "description": field.rule,
        "schema": _schema(field),
    }


def _responses(route: Route, entry: Entry, schema_of: Mapping[Any, Json]) -> Json:
    responses: Json = {}
    for status, kinds in entry.answers.items():
        schemas = [schema_of[kind] for kind in kinds]
        schema = schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
        content = _both(schema) if kinds else {each: {"schema": {"type": "string"}} for each in entry.media_types}
        responses[str(status)] = {"description": "Done." if status < 300 else "Not now.", "content": content}
    for status, codes in sorted(_codes(route, entry).items()):
        problem = {"allOf": [{"$ref": _PROBLEM}, {"properties": {"code": {"enum": codes}}}]}
        shown = {"description": ", ".join(f"`{code}`" for code in codes), "content": _problem_content(problem)}
        if status in {429, 503}:
            header = {"description": "Seconds to wait before the same again.", "schema": {"type": "integer"}}
            shown["headers"] = {"Retry-After": header}
        responses[str(status)] = shown
    return responses


def _codes(route: Route, entry: Entry) -> dict[int, list[str]]:
    """What may go wrong with a call, by status."""
    codes = [*_NOT_HTTP, *entry.codes]
    if route.scope is not None:
        codes += _WITH_KEY
    if route.takes_body:
        codes += _WITH_BODY
    if OPEN_SEGMENT.search(route.path):
        codes.append(Code.NOT_FOUND)
    found: dict[int, list[str]] = {}
    for code in dict.fromkeys(codes):
        found.setdefault(STATUS[code], []).append(str(code))
    if entry.refuses:
        for reason in Reason:
            known = found.setdefault(status_of_reason(reason), [])
            if reason not in known:
                known.append(str(reason))
    return found


def _both(schema: Json) -> Json:
    return {form.value: {"schema": schema} for form in Format}


def _problem_content(schema: Json) -> Json:
    return {form.problem_content_type: {"schema": schema} for form in Format}


def _request_body(route: Route, body: Body) -> Json:
    one: Json = {"$ref": _REFERENCE_TEMPLATE.format(name=body.name)}
    if not body.most:
        schema = one
    else:
        many = {"type": "array", "items": one, "minItems": 1, "maxItems": body.most}
        schema = {"anyOf": [one, many]} if body.single else many
    return {"required": not route.body_is_optional, "content": _both(schema)}


def _object(members: Fields, required: tuple[str, ...]) -> Json:
    """An object of these members, and no others; null stands for one that is absent and may be."""
    properties = {}
    for name, field in members.items():
        schema = _schema(field)
        if name not in required:
            schema = {"anyOf": [schema, {"type": "null"}]}
        properties[name] = {**schema, "description": field.rule}
    shape = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**shape, "required": list(required)} if required else shape


def _schema(field: Field) -> Json:
    """What a member must be; types with a name are written out, there are few and they are small."""
    [schema], components = msgspec.json.schema_components([field.kind], ref_template="{name}")
    written: Json = _written_out(schema, components)
    return written


def _written_out(schema: Any, components: Mapping[str, Any]) -> Any:
    match schema:
        case {"$ref": name}:
            return _written_out(components[name], components)
        case dict():
            return {key: _written_out(value, components) for key, value in schema.items()}
        case list():
            return [_written_out(each, components) for each in schema]
        case _:
            return schema


def _portable(schema: Any) -> Any:
    r"""The same, with the ends of patterns as ECMA 262 writes them: ^ and $ for Python's \A and \Z."""
    match schema:
        case {"pattern": str(pattern), **rest}:
            written = pattern.replace(r"\A", "^").replace(r"\Z", "$")
            return {"pattern": written, **_portable(rest)}
        case dict():
            return {key: _portable(value) for key, value in schema.items()}
        case list():
            return [_portable(each) for each in schema]
        case _:
            return schema
