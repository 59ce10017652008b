"""The answers of operations: what succeeds, what is refused, and the headers of both."""

from __future__ import annotations

from typing import Any

from sternpost.derive.openapi.limits import refused_headers
from sternpost.derive.openapi.schemas import Schema, Schemas
from sternpost.errors import CATALOGUE
from sternpost.plan.model import OperationPlan, OwnError, Plan, ResourcePlan
from sternpost.plan.policy import implies

_ERRORS = {
    400: "VALIDATION_ERROR",
    401: "UNAUTHENTICATED",
    403: "FORBIDDEN",
    404: "NOT_FOUND",
    406: "NOT_ACCEPTABLE",
    409: "STATE_CONFLICT",
    412: "PRECONDITION_FAILED",
    413: "PAYLOAD_TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
    422: "UNPROCESSABLE",
    428: "PRECONDITION_REQUIRED",
    429: "RATE_LIMITED",
    500: "INTERNAL_ERROR",
    503: "UNAVAILABLE",
    504: "TIMEOUT",
}


_EXPORTS: Schema = {
    "application/x-ndjson": {
        "schema": {
            "type": "string",
            "description": "The whole list, one JSON object per line; not available with page or cursor",
        }
    },
    "text/csv": {"schema": {"type": "string", "description": "The whole list as CSV (RFC 4180) with a header row"}},
}
_TRUNCATED: Schema = {
    "type": "array",
    "items": {"type": "string"},
    "description": "Included relations that were cut off at their limit for at least one row, as they are written in "
    "`include`: `posts.comments`",
}
_LOCATION: Schema = {
    "description": "Where the client is sent to",
    "required": True,
    "schema": {"type": "string", "format": "uri-reference"},
}
_ETAG: Schema = {
    "description": "The version of the row and of this representation (RFC 9110, 8.8.3)",
    "required": True,
    "schema": {"type": "string"},
}


_REPLAYED: Schema = {
    "description": "Where it is there, the request came before with this Idempotency-Key, and this is the answer to it",
    "schema": {"type": "string", "const": "true"},
}

_COUNTS: Schema = {name: {"type": "integer", "minimum": 0} for name in ("page", "pageSize", "totalCount", "totalPages")}


class Answers:
    """Describes what comes back when an operation succeeds."""

    def __init__(self, schemas: Schemas) -> None:
        self.schemas = schemas

    def _row(self, resource: ResourcePlan, operation: OperationPlan) -> Schema:
        """The row that an operation is about: who may do it, but not read the row, is given its id."""
        if operation.kind == "create" or implies(operation.policy, resource.seeing):
            return self.schemas.output(resource)
        return self.schemas.or_id(resource)

    def _declared(self, resource: ResourcePlan, operation: OperationPlan) -> Schema:
        """What a custom operation or a change gives."""
        if operation.output is not None:
            one = self.schemas.payload(operation.output)
        elif operation.output_rows is not None:
            one = self.schemas.output(self.schemas.plan.by_name[operation.output_rows])
        else:
            return self._row(resource, operation)
        if operation.output_form == "one":
            return one
        most = operation.max_items if operation.output_form == "list" else operation.max_page_size
        return {"type": "array", "items": one, "maxItems": most}

    def success(self, resource: ResourcePlan, operation: OperationPlan) -> Schema:
        """The answer of an operation."""
        if operation.returns_nothing:
            return {"description": "Success; the response has no body"}
        if operation.redirects:
            return {"description": "The client is sent to another address", "headers": {"Location": _LOCATION}}
        if operation.media is not None:
            return {
                "description": operation.success_message,
                "content": {operation.media.type: {"schema": {"type": "string"}}},
            }
        if operation.kind == "browse":
            return self.many(resource, export=operation.export)
        if operation.kind == "read":
            data, meta = self.schemas.chosen(resource), _meta({})
            meta["properties"]["truncated"] = _TRUNCATED
        else:
            data, meta = self._declared(resource, operation), _meta(_COUNTS if operation.is_paged else {})
        response: Schema = {
            "description": operation.success_message,
            "content": {"application/json": {"schema": _envelope(data, meta)}},
        }
        if _is_tagged(resource, operation):
            response["headers"] = {"ETag": _ETAG}
        if operation.kind == "create":
            response["headers"] = {
                **response.get("headers", {}),
                "Location": {
                    "description": "The URL of the new resource",
                    "required": True,
                    "schema": {"type": "string"},
                },
            }
        return response

    def many(self, resource: ResourcePlan, *, export: bool) -> Schema:
        """A page of a list."""
        more: Schema = {
            "nextCursor": {
                "type": ["string", "null"],
                "description": "The `cursor` of the next page; null on the last page",
            },
            "truncated": _TRUNCATED,
        }
        by_page = _meta(_COUNTS)
        by_page["properties"].update(more)
        by_cursor = _meta({name: _COUNTS[name] for name in ("pageSize",)} | {"nextCursor": more["nextCursor"]})
        by_cursor["properties"].update(totalCount=_COUNTS["totalCount"], truncated=_TRUNCATED)
        data = {"type": "array", "items": self.schemas.chosen(resource)}
        return {
            "description": f"One page of {resource.path.replace('-', ' ')}",
            "headers": {
                "Link": {
                    "description": 'The URL of the next page, with rel="next" (RFC 8288); absent on the last page, '
                    "and where it would be longer than 6 kB",
                    "schema": {"type": "string"},
                }
            },
            "content": {
                "application/json": {"schema": _envelope(data, {"anyOf": [by_page, by_cursor]})},
                **(_EXPORTS if export else {}),
            },
        }


def _meta(properties: Schema) -> Schema:
    every = {**properties, "requestId": {"type": "string"}}
    return {"type": "object", "properties": every, "required": list(every)}


def _envelope(data: Schema, meta: Schema) -> Schema:
    return {"type": "object", "properties": {"data": data, "meta": meta}, "required": ["data", "meta"]}


def success_status(operation: OperationPlan) -> str:
    """The status of an answer that succeeds; a function chooses among those of redirects."""
    return "3XX" if operation.redirects else str(operation.status)


def errors(operation: OperationPlan, *, has_body: bool) -> Schema:
    """References to the answers that refuse."""
    statuses = [400, 401, 403, 406, 500, 503, 504]
    if operation.on_item:
        statuses.append(404)
    if operation.method != "GET":
        statuses += [409, 422]
    if has_body or operation.method == "POST":
        statuses += [413]
    if has_body:
        statuses += [415]
    return {str(status): {"$ref": f"#/components/responses/Error{status}"} for status in sorted(statuses)}


def with_replays(plan: Plan, operation: OperationPlan, described: Schema) -> Schema:
    """The answer of a change, which may be given again to who sends it again."""
    if not plan.keeps_answers or operation.method == "GET":
        return described
    return {**described, "headers": {**described.get("headers", {}), "Idempotent-Replayed": _REPLAYED}}


def with_own(described: Schema, operation: OperationPlan) -> Schema:
    """The answers of an operation with its own headers and errors."""
    if operation.headers:
        success = described[success_status(operation)]
        own = {name: {"description": text, "schema": {"type": "string"}} for name, text in operation.headers}
        described[success_status(operation)] = {**success, "headers": {**success.get("headers", {}), **own}}
    by_status: dict[int, list[OwnError]] = {}
    for error in operation.errors:
        by_status.setdefault(error.status, []).append(error)
    for status, errors_of in by_status.items():
        usual = CATALOGUE[_ERRORS[status]].message if status in _ERRORS else "An own error"
        told = "; ".join(f"`{error.code}`: {error.message}" for error in errors_of)
        examples = {error.code: {"value": _example(error)} for error in errors_of}
        described[str(status)] = {
            "description": f"{usual}. {told}",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}, "examples": examples}},
        }
    return described


def _example(error: OwnError) -> Schema:
    told: Schema = {"code": error.code, "message": error.message, "details": [], "fix": error.fix, "requestId": "req_…"}
    return {"error": told}


def used(paths: Any) -> list[int]:
    """The statuses whose answers some operation refers to."""
    text = str(paths)
    return [status for status in _ERRORS if f"/responses/Error{status}'" in text]


def _is_tagged(resource: ResourcePlan, operation: OperationPlan) -> bool:
    """Whether the answer is one row that counts its changes."""
    return resource.version_field is not None and not (
        operation.kind == "browse"
        or operation.returns_nothing
        or operation.redirects
        or operation.media is not None
        or not operation.gives_own_row
    )


def conditional_responses(resource: ResourcePlan, operation: OperationPlan) -> Schema:
    """The answers that depend on the version of the row."""
    if resource.version_field is None or not operation.on_item:
        return {}
    found: Schema = {"412": {"$ref": "#/components/responses/Error412"}}
    if operation.method == "GET" and _is_tagged(resource, operation):
        found["304"] = {
            "description": "Not modified: the client already has this representation",
            "headers": {"ETag": _ETAG},
        }
    if operation.require_match:
        found["428"] = {"$ref": "#/components/responses/Error428"}
    return found


def error_response(status: int) -> Schema:
    """The answer that refuses with a status."""
    entry = CATALOGUE[_ERRORS[status]]
    told = _example(OwnError(entry.code, status, entry.message, entry.fix))
    response: Schema = {
        "description": entry.message,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}, "example": told}},
    }
    if status == 429:
        response["headers"] = refused_headers()
    if status == 401:
        response["headers"] = {"WWW-Authenticate": {"required": True, "schema": {"type": "string"}}}
    return response


def error_schema() -> Schema:
    """The body of every answer that refuses."""
    detail = {
        "type": "object",
        "required": ["path", "code", "message"],
        "properties": {"path": {"type": "string"}, "code": {"type": "string"}, "message": {"type": "string"}},
    }
    error = {
        "type": "object",
        "required": ["code", "message", "details"],
        "properties": {
            "code": {"type": "string", "examples": ["VALIDATION_ERROR"]},
            "message": {"type": "string"},
            "details": {"type": "array", "items": detail},
            "fix": {"type": "string"},
            "requestId": {"type": "string"},
        },
    }
    return {"type": "object", "required": ["error"], "properties": {"error": error}}
