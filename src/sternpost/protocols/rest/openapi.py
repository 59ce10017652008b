"""OpenAPI 3.1 of a plan."""

from __future__ import annotations

from typing import Any

from sternpost.errors import CATALOGUE
from sternpost.ids import pattern as id_pattern
from sternpost.pipeline.inputs import decimal_pattern
from sternpost.pipeline.runtime import BoundOperation, Runtime
from sternpost.pipeline.selection import IN_MAX, PAGE_MAX, SORTS_MAX, Rules, Selector
from sternpost.pipeline.views import FIELDS_MAX, INCLUDES_MAX
from sternpost.plan.model import BATCH, FieldPlan, OperationPlan, PayloadPlan, RelationPlan, ResourcePlan
from sternpost.plan.policy import Public, describe
from sternpost.protocols.rest.batch import describe_batch

Schema = dict[str, Any]

NO_NUL = "^[^\\u0000]*$"
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
    500: "INTERNAL_ERROR",
    503: "UNAVAILABLE",
}


def openapi(runtime: Runtime) -> dict[str, Any]:
    """The description of everything REST serves."""
    return _Document(runtime).build()


class _Document:
    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.plan = runtime.plan
        self.schemas: dict[str, Schema] = {}

    def build(self) -> dict[str, Any]:
        paths: dict[str, dict[str, Any]] = {}
        for resource in self.plan.resources:
            for operation in resource.operations:
                paths.setdefault(operation.path, {})[operation.method.lower()] = self._operation(resource, operation)
            for relation in resource.relations:
                nested = self.runtime.nested(resource, relation)
                if nested is not None:
                    path = f"{self.plan.base_path}/{resource.path}/{{id}}/{relation.public_name}"
                    paths.setdefault(path, {})["get"] = self._nested(resource, relation, nested)
        if self.plan.batch_max:
            batch = [o.id for r in self.plan.resources for o in r.operations if o.kind != "custom" or o.method != "GET"]
            paths[f"{self.plan.base_path}/{BATCH}"] = describe_batch(self.plan, batch)
        self.schemas["Error"] = _error_schema()
        served = [resource for resource in self.plan.resources if resource.operations]
        return {
            "openapi": "3.1.0",
            "info": {
                "title": self.plan.title,
                "version": self.plan.version,
                "description": self.plan.description or self.plan.title,
                **({"license": {"name": licence, "identifier": licence}} if (licence := self.plan.license) else {}),
            },
            "servers": [{"url": "/"}],
            "tags": [
                {"name": resource.name, "description": resource.description or resource.name} for resource in served
            ],
            "paths": dict(sorted(paths.items())),
            "components": {
                "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
                "schemas": dict(sorted(self.schemas.items())),
                "responses": {f"Error{status}": _error_response(status) for status in _used(paths)},
            },
        }

    # -- operations

    def _operation(self, resource: ResourcePlan, operation: OperationPlan) -> Schema:
        bound = self.runtime.operations[operation.id]
        parameters = [self._id_parameter(resource)] if operation.on_item else []
        parameters += self._list_parameters(bound) + _conditions(resource, operation)
        described: Schema = {
            "operationId": operation.id.replace(".", "_"),
            "tags": [resource.name],
            "summary": operation.summary,
            "description": f"Allowed for: `{describe(operation.policy)}`.",
            "security": _security(operation),
            **self._deprecated(),
        }
        if parameters:
            described["parameters"] = parameters
        body = self._body(resource, operation, bound)
        if body is not None:
            described["requestBody"] = body
        described["responses"] = {
            str(operation.status): self._success(resource, operation),
            **_errors(operation, has_body=body is not None),
            **_conditional_responses(resource, operation),
        }
        return described

    def _resource(self, bound: BoundOperation) -> ResourcePlan:
        """As it is in the version of the API that is described."""
        return self.plan.by_name[bound.resource.name]

    def _deprecated(self) -> Schema:
        return {"deprecated": True} if self.plan.deprecated else {}

    def _nested(self, resource: ResourcePlan, relation: RelationPlan, bound: BoundOperation) -> Schema:
        operation, target = bound.plan, self._resource(bound)
        return {
            "operationId": f"{resource.path.replace('-', '_')}_{relation.name}_{operation.name}",
            "tags": [resource.name],
            "summary": f"List the {relation.name.replace('_', ' ')} of one {resource.name}",
            "description": f"Allowed for: `{describe(operation.policy)}`.",
            "security": _security(operation),
            **self._deprecated(),
            "parameters": [self._id_parameter(resource), *self._list_parameters(bound)],
            "responses": {
                "200": self._many(target, export=operation.export),
                **_errors(operation, has_body=False),
                "404": {"$ref": "#/components/responses/Error404"},
            },
        }

    def _body(self, resource: ResourcePlan, operation: OperationPlan, bound: BoundOperation) -> Schema | None:
        if bound.input is None:
            return None
        match operation.kind:
            case "create":
                schema = self._input(resource, "Create", ("always", "create"), partial=False)
            case "replace":
                schema = self._input(resource, "Replace", ("always",), partial=False)
            case "update":
                schema = self._input(resource, "Update", ("always",), partial=True)
            case _:
                assert operation.input is not None
                schema = self._payload(operation.input)
        types = (
            ["application/merge-patch+json", "application/json"] if operation.kind == "update" else ["application/json"]
        )
        return {"required": True, "content": {media: {"schema": schema} for media in types}}

    def _success(self, resource: ResourcePlan, operation: OperationPlan) -> Schema:
        if operation.returns_nothing:
            return {"description": "Success; the response has no body"}
        if operation.kind == "browse":
            return self._many(resource, export=operation.export)
        if operation.kind == "read":
            data, meta = self._chosen(resource), _meta({})
            meta["properties"]["truncated"] = _TRUNCATED
        else:
            data = self._payload(operation.output) if operation.output else self._output(resource)
            meta = _meta({})
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

    def _many(self, resource: ResourcePlan, *, export: bool) -> Schema:
        counts: Schema = {
            name: {"type": "integer", "minimum": 0} for name in ("page", "pageSize", "totalCount", "totalPages")
        }
        more: Schema = {
            "nextCursor": {
                "type": ["string", "null"],
                "description": "The `cursor` of the next page; null on the last page",
            },
            "truncated": _TRUNCATED,
        }
        by_page = _meta(counts)
        by_page["properties"].update(more)
        by_cursor = _meta({name: counts[name] for name in ("pageSize",)} | {"nextCursor": more["nextCursor"]})
        by_cursor["properties"].update(totalCount=counts["totalCount"], truncated=_TRUNCATED)
        data = {"type": "array", "items": self._chosen(resource)}
        return {
            "description": f"One page of {resource.path.replace('-', ' ')}",
            "headers": {
                "Link": {
                    "description": 'The URL of the next page, with rel="next" (RFC 8288); absent on the last page',
                    "schema": {"type": "string"},
                }
            },
            "content": {
                "application/json": {"schema": _envelope(data, {"anyOf": [by_page, by_cursor]})},
                **(_EXPORTS if export else {}),
            },
        }

    # -- parameters

    def _id_parameter(self, resource: ResourcePlan) -> Schema:
        return {
            "name": "id",
            "in": "path",
            "required": True,
            "description": f"The id of a {resource.name}",
            "schema": {"type": "string", "pattern": id_pattern(resource.prefix)},
        }

    def _list_parameters(self, bound: BoundOperation) -> list[Schema]:
        selector, operation = bound.selector, bound.plan
        parameters: list[Schema] = []
        if selector.is_list:
            parameters.append(
                _query(
                    "page",
                    "The page number, starting at 1",
                    {"type": "integer", "minimum": 1, "maximum": PAGE_MAX, "default": 1},
                )
            )
            size = {"type": "integer", "minimum": 1, "maximum": operation.max_page_size, "default": operation.page_size}
            parameters.append(_query("pageSize", "The number of rows per page", size))
            parameters.append(
                _query(
                    "cursor",
                    "The meta.nextCursor of the previous page, with the same sort and filters; empty at first. "
                    "Cannot be combined with page",
                    {"type": "string"},
                )
            )
            parameters.append(
                _query("count", "With cursor: also return the total count", {"type": "boolean", "enum": [True]})
            )
        if selector.rules.sortable:
            names = [sign + name for name in selector.rules.sortable for sign in ("", "-")]
            parameters.append(
                _listed("sort", "Fields to sort by; a leading - sorts in descending order", {"enum": names}, SORTS_MAX)
            )
        if selector.includes:
            names = [relation.public_name for relation in self.runtime.views.includable(self._resource(bound))]
            parameters.append(
                _listed(
                    "include",
                    "Relations to include; dots lead to relations of relations",
                    {"enum": names},
                    INCLUDES_MAX,
                )
            )
        if selector.chooses:
            parameters.append(self._fields_parameter(bound))
        parameters += self._filters(selector.rules, "")
        if selector.includes:
            for relation in self.runtime.views.includable(self._resource(bound)):
                parameters += self._of_relation(selector, relation)
        return parameters

    def _fields_parameter(self, bound: BoundOperation) -> Schema:
        relations = [relation.public_name for relation in self.runtime.views.includable(self._resource(bound))]
        names = [field.public_name for field in self._resource(bound).fields if not field.hidden] + relations
        text = "Return only these fields. Naming a relation includes it; a dot selects one of its fields"
        return _listed("fields", text, {"enum": names}, FIELDS_MAX)

    def _of_relation(self, selector: Selector, relation: RelationPlan) -> list[Schema]:
        """The parameters of an included list. Deeper relations take the same ones; those are not described."""
        if relation.kind == "one":
            return []
        name = relation.public_name
        rules = selector.rules_of(relation)
        limit = {"type": "integer", "minimum": 1, "maximum": relation.max_items}
        parameters = [_query(f"{name}.limit", f"Includes {name}: the maximum number of rows", limit)]
        if rules.sortable:
            names = [sign + field for field in rules.sortable for sign in ("", "-")]
            parameters.append(
                _listed(f"{name}.sort", f"Includes {name}: the fields to sort by", {"enum": names}, SORTS_MAX)
            )
        return parameters + self._filters(rules, f"{name}.")

    def _filters(self, rules: Rules, prefix: str) -> list[Schema]:
        parameters: list[Schema] = []
        for name, field in rules.filters.items():
            schema = self._filter_schema(field)
            for operator in field.filters:
                shown = prefix + (name if operator == "eq" else f"{name}[{operator}]")
                if operator == "in":
                    parameters.append(
                        _listed(shown, f"{name} is one of these values, separated by commas", schema, IN_MAX)
                    )
                elif operator == "isNull":
                    parameters.append(_query(shown, f"Whether {name} is null", {"type": "boolean"}))
                else:
                    parameters.append(_query(shown, f"{name} {_WORDS[operator]} this value", schema))
        return parameters

    def _filter_schema(self, field: FieldPlan) -> Schema:
        match field.kind:
            case "integer":
                return {"type": "integer", "format": "int64", "minimum": -(2**63), "maximum": 2**63 - 1}
            case "number":
                return {"type": "number"}
            case "string":
                return {"type": "string", "pattern": NO_NUL}
            case _:
                return self._value(field)

    # -- schemas

    def _value(self, field: FieldPlan) -> Schema:
        schema: Schema
        match field.kind:
            case "id":
                schema = {"type": "string", "pattern": id_pattern(self.plan.by_name[str(field.references)].prefix)}
            case "string":
                schema = {"type": "string", "pattern": field.pattern or NO_NUL}
                schema.update(_given(minLength=field.min_length, maxLength=field.max_length, format=field.format))
            case "integer":
                schema = {"type": "integer", "format": "int64", **_given(minimum=field.minimum, maximum=field.maximum)}
            case "number":
                schema = {"type": "number", **_given(minimum=field.minimum, maximum=field.maximum)}
            case "boolean":
                schema = {"type": "boolean"}
            case "decimal":
                schema = {
                    "type": "string",
                    "pattern": decimal_pattern(field),
                    "description": "A decimal number, written as a string",
                }
            case "datetime":
                schema = {"type": "string", "format": "date-time"}
            case "date":
                schema = {"type": "string", "format": "date"}
            case "uuid":
                schema = {"type": "string", "format": "uuid"}
            case "enum":
                schema = {"type": "string", "enum": list(field.choices)}
            case "json":
                schema = {}
        if field.description:
            schema["description"] = field.description
        return schema

    def _member(self, field: FieldPlan) -> Schema:
        schema = self._value(field)
        if not field.nullable or field.kind == "json":
            return schema
        if "enum" in schema:
            return {**schema, "type": ["string", "null"], "enum": [*schema["enum"], None]}
        return {**schema, "type": [schema["type"], "null"]}

    def _output(self, resource: ResourcePlan) -> Schema:
        if resource.name not in self.schemas:
            self.schemas[resource.name] = {}  # a relation may come back to it
            properties: Schema = {
                field.public_name: self._member(field) for field in resource.fields if not field.hidden
            }
            required = [field.public_name for field in resource.fields if field.read_scope is None and not field.hidden]
            for relation in self.runtime.views.includable(resource):
                target = self._output(self.plan.by_name[relation.target])
                if relation.kind == "one":
                    properties[relation.public_name] = {
                        "oneOf": [target, {"type": "null"}],
                        "description": f"Present only with include={relation.public_name}",
                    }
                else:
                    properties[relation.public_name] = {"type": "array", "items": target}
                if relation.kind == "owned":
                    required.append(relation.public_name)
            self.schemas[resource.name] = {
                "type": "object",
                "description": resource.description or resource.name,
                "properties": properties,
                "required": required,
                "additionalProperties": False,
            }
        return {"$ref": f"#/components/schemas/{resource.name}"}

    def _chosen(self, resource: ResourcePlan) -> Schema:
        """A resource of which a client may have chosen the fields."""
        return {"anyOf": [self._output(resource), self._part(resource)]}

    def _part(self, resource: ResourcePlan) -> Schema:
        name = f"{resource.name}Part"
        if name not in self.schemas:
            self.schemas[name] = {}  # a relation may come back to it
            self._output(resource)
            whole = self.schemas[resource.name]
            properties: Schema = {
                field.public_name: self._member(field) for field in resource.fields if not field.hidden
            }
            for relation in self.runtime.views.includable(resource):
                target = self._part(self.plan.by_name[relation.target])
                properties[relation.public_name] = (
                    {"oneOf": [target, {"type": "null"}]}
                    if relation.kind == "one"
                    else {"type": "array", "items": target}
                )
            self.schemas[name] = {
                "type": "object",
                "description": f"The fields selected with `fields` of: {whole.get('description', resource.name)}",
                "properties": properties,
                "additionalProperties": False,
            }
        return {"$ref": f"#/components/schemas/{name}"}

    def _input(self, resource: ResourcePlan, suffix: str, writable: tuple[str, ...], *, partial: bool) -> Schema:
        name = f"{resource.name}{suffix}"
        if name not in self.schemas:
            properties: Schema = {}
            required: list[str] = []
            for field in resource.fields:
                if field.write in writable:
                    properties[field.public_name] = self._with_default(field, partial)
                    if field.required and not partial:
                        required.append(field.public_name)
            for relation in resource.relations:
                if relation.input_name is not None:
                    target = self.plan.by_name[relation.target]
                    item = (
                        self._input(target, "Create", ("always", "create"), partial=False)
                        if relation.kind == "owned"
                        else {"type": "string", "pattern": id_pattern(target.prefix)}
                    )
                    properties[relation.input_name] = {
                        "type": "array",
                        "items": item,
                        "minItems": relation.min_items,
                        "maxItems": relation.max_items,
                    }
                    if relation.min_items and not partial:
                        required.append(relation.input_name)
            self.schemas[name] = {
                "type": "object",
                "properties": properties,
                "required": required,
                "additionalProperties": False,
            }
            if not required:
                del self.schemas[name]["required"]
        return {"$ref": f"#/components/schemas/{name}"}

    def _payload(self, payload: PayloadPlan) -> Schema:
        if payload.name not in self.schemas:
            required = [field.public_name for field in payload.fields if field.required]
            self.schemas[payload.name] = {
                "type": "object",
                "description": payload.description or payload.name,
                "properties": {field.public_name: self._with_default(field, False) for field in payload.fields},
                **({"required": required} if required else {}),
                "additionalProperties": False,
            }
        return {"$ref": f"#/components/schemas/{payload.name}"}

    def _with_default(self, field: FieldPlan, partial: bool) -> Schema:
        schema = self._member(field)
        if field.default is not None and not partial:
            schema["default"] = field.default
        if field.caller_default and not partial:
            schema["description"] = "Defaults to the caller's id"
        return schema


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
    "description": "Included relations that were cut off at their limit for at least one row",
}
_WORDS = {
    "eq": "is",
    "ne": "is not",
    "gt": "is greater than",
    "gte": "is at least",
    "lt": "is less than",
    "lte": "is at most",
    "contains": "contains",
    "startsWith": "starts with",
}


def _query(name: str, description: str, schema: Schema) -> Schema:
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema}


def _listed(name: str, description: str, item: Schema, most: int) -> Schema:
    items = {"type": "string", **item} if "type" not in item else item
    array: Schema = {"type": "array", "items": items, "minItems": 1, "maxItems": most}
    return {**_query(name, description, array), "style": "form", "explode": False}


def _given(**values: Any) -> Schema:
    return {name: value for name, value in values.items() if value is not None}


def _security(operation: OperationPlan) -> list[Schema]:
    return [{}, {"bearer": []}] if isinstance(operation.policy, Public) else [{"bearer": []}]


def _meta(properties: Schema) -> Schema:
    every = {**properties, "requestId": {"type": "string"}}
    return {"type": "object", "properties": every, "required": list(every)}


def _envelope(data: Schema, meta: Schema) -> Schema:
    return {"type": "object", "properties": {"data": data, "meta": meta}, "required": ["data", "meta"]}


def _errors(operation: OperationPlan, *, has_body: bool) -> Schema:
    statuses = [400, 401, 403, 406, 500, 503]
    if operation.on_item:
        statuses.append(404)
    if operation.method != "GET":
        statuses += [409, 422]
    if has_body or operation.method == "POST":
        statuses += [413]
    if has_body:
        statuses += [415]
    return {str(status): {"$ref": f"#/components/responses/Error{status}"} for status in sorted(statuses)}


def _used(paths: Any) -> list[int]:
    """The statuses whose answers some operation refers to."""
    text = str(paths)
    return [status for status in _ERRORS if f"/responses/Error{status}'" in text]


_ETAG: Schema = {
    "description": "The version of the row and of this representation (RFC 9110, 8.8.3)",
    "required": True,
    "schema": {"type": "string"},
}
_TAGS: Schema = {
    "type": "string",
    "pattern": '^(\\*|(W/)?"[!#-~]*"(, *(W/)?"[!#-~]*"){0,20})$',
    "maxLength": 1000,
}


def _is_tagged(resource: ResourcePlan, operation: OperationPlan) -> bool:
    """Whether the answer is one row that counts its changes."""
    return resource.version_field is not None and not (
        operation.kind == "browse" or operation.returns_nothing or operation.output is not None
    )


def _conditions(resource: ResourcePlan, operation: OperationPlan) -> list[Schema]:
    if resource.version_field is None or not operation.on_item:
        return []
    if operation.method == "GET":
        said = (
            "ETags that the client has; if one is still current, the response is 304 without a body (RFC 9110, 13.1.2)"
        )
        return [{"name": "If-None-Match", "in": "header", "required": False, "description": said, "schema": _TAGS}]
    said = "ETags; the operation is executed only if one of them is that of the current row (RFC 9110, 13.1.1)"
    required = operation.require_match
    return [{"name": "If-Match", "in": "header", "required": required, "description": said, "schema": _TAGS}]


def _conditional_responses(resource: ResourcePlan, operation: OperationPlan) -> Schema:
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


def _error_response(status: int) -> Schema:
    response: Schema = {
        "description": CATALOGUE[_ERRORS[status]].message,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }
    if status == 401:
        response["headers"] = {"WWW-Authenticate": {"required": True, "schema": {"type": "string"}}}
    return response


def _error_schema() -> Schema:
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
