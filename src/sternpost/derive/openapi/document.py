"""The OpenAPI document as a whole: its paths, and what each operation is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sternpost.derive.openapi.answers import (
    Answers,
    conditional_responses,
    error_response,
    error_schema,
    errors,
    success_status,
    used,
    with_own,
    with_replays,
)
from sternpost.derive.openapi.batch import describe_batch
from sternpost.derive.openapi.examples import example_of
from sternpost.derive.openapi.limits import told, with_limits
from sternpost.derive.openapi.parameters import QueryParameters, conditions, id_parameter, key
from sternpost.derive.openapi.schemas import Schema, Schemas
from sternpost.plan.model import BATCH, OperationPlan, Plan, RelationPlan, ResourcePlan
from sternpost.plan.policy import Named, PolicyNode, Public, describe, within
from sternpost.plan.scopes import alternatives


def openapi(plan: Plan) -> dict[str, Any]:
    """The description of everything that REST serves of a plan."""
    return _Document(plan).build()


class _Document:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.schemas = Schemas(plan)
        self.answers = Answers(self.schemas)
        self.parameters = QueryParameters(self.schemas)

    def build(self) -> dict[str, Any]:
        paths: dict[str, dict[str, Any]] = {}
        for resource in self.plan.resources:
            for operation in resource.operations:
                paths.setdefault(operation.path, {})[operation.method.lower()] = self._operation(resource, operation)
            for relation in resource.relations:
                nested = self.plan.by_name[relation.target].listing
                if nested is not None and relation.nested_route:
                    path = f"{self.plan.base_path}/{resource.path}/{{id}}/{relation.public_name}"
                    paths.setdefault(path, {})["get"] = self._nested(resource, relation, nested)
        if self.plan.batch is not None:
            steps = [o.id for r in self.plan.resources for o in r.operations if o.in_batches]
            refused = dict(sorted((errors(self.plan.batch, has_body=True) | _refusals(paths)).items()))
            described = describe_batch(self.plan, self.plan.batch, steps, refused)
            limits = told(self.plan, self.plan.batch)
            paths[f"{self.plan.base_path}/{BATCH}"] = {"post": with_limits(described["post"], limits)}
        self.schemas.named["Error"] = error_schema()
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
                "schemas": dict(sorted(self.schemas.named.items())),
                "responses": {f"Error{status}": error_response(status) for status in used(paths)},
            },
        }

    # -- operations

    def _operation(self, resource: ResourcePlan, operation: OperationPlan) -> Schema:
        parameters = [id_parameter(resource)] if operation.on_item else []
        parameters += self.parameters.of(resource, operation) + conditions(resource, operation)
        parameters += key(self.plan, operation)
        described: Schema = {
            "operationId": operation.id.replace(".", "_"),
            "tags": [resource.name],
            "summary": operation.summary,
            "description": _description(operation),
            "security": _security(operation),
            **self._deprecated(),
        }
        if parameters:
            described["parameters"] = parameters
        body = self._body(resource, operation)
        if body is not None:
            described["requestBody"] = body
        described["responses"] = with_own(
            {
                success_status(operation): with_replays(
                    self.plan, operation, self.answers.success(resource, operation)
                ),
                **errors(operation, has_body=body is not None),
                **conditional_responses(resource, operation),
            },
            operation,
        )
        return with_limits(described, told(self.plan, operation))

    def _deprecated(self) -> Schema:
        return {"deprecated": True} if self.plan.deprecated else {}

    def _nested(self, resource: ResourcePlan, relation: RelationPlan, operation: OperationPlan) -> Schema:
        target = self.plan.by_name[relation.target]
        described: Schema = {
            "operationId": f"{resource.path.replace('-', '_')}_{relation.name}_{operation.name}",
            "tags": [resource.name],
            "summary": f"List the {relation.name.replace('_', ' ')} of one {resource.name}",
            "description": _allowed(operation.policy),
            "security": _security(operation),
            **self._deprecated(),
            "parameters": [id_parameter(resource), *self.parameters.of(target, operation)],
            "responses": {
                "200": self.answers.many(target, export=operation.export),
                **errors(operation, has_body=False),
                "404": {"$ref": "#/components/responses/Error404"},
            },
        }
        return with_limits(described, told(self.plan, operation))

    def _body(self, resource: ResourcePlan, operation: OperationPlan) -> Schema | None:
        if operation.takes is None or operation.has_parameters:
            return None
        schema = (
            self.schemas.input(operation.takes, resource)
            if operation.input is None
            else self.schemas.payload(operation.input)
        )
        types = (
            ["application/merge-patch+json", "application/json"] if operation.takes.partial else ["application/json"]
        )
        example = example_of(self.plan, resource, operation)
        filled = {"schema": schema} if example is None else {"schema": schema, "example": example}
        return {"required": True, "content": dict.fromkeys(types, filled)}


def _description(operation: OperationPlan) -> str:
    alone = " Served over HTTP alone: it cannot be part of a batch." if operation.http_only else ""
    return f"{_allowed(operation.policy)}{alone}"


def _security(operation: OperationPlan) -> list[Schema]:
    """What a caller has to show: nothing, or a token, with the scopes of one of the alternatives (OpenAPI 3.1, 4.8.30:
    where no OAuth is described, these are names of roles)."""
    if isinstance(operation.policy, Public):
        return [{}, {"bearer": []}]
    return [{"bearer": [*scopes]} for scopes in alternatives(operation.policy)]


def _refusals(paths: Mapping[str, Mapping[str, Any]]) -> Schema:
    """The answers that refuse some operation."""
    responses = [operation["responses"] for path in paths.values() for operation in path.values()]
    return {status: answer for each in responses for status, answer in each.items() if status >= "400"}


def _allowed(policy: PolicyNode) -> str:
    """Who may, and what others are told of it."""
    told = {each.name: each.text for each in within(policy) if isinstance(each, Named)}
    texts = "".join(f" 403 tells `{name}`: {text}" for name, text in told.items())
    return f"Allowed for: `{describe(policy)}`.{texts}"
