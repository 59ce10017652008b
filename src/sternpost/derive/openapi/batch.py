"""The description of `$batch`: several operations in one transaction."""

from __future__ import annotations

from typing import Any

from sternpost.derive.openapi.answers import with_replays
from sternpost.derive.openapi.parameters import key
from sternpost.plan.model import OperationPlan, Plan
from sternpost.protocols.rest.batch import QUERY_MAX, STEP_NAME


def describe_batch(plan: Plan, batch: OperationPlan, operations: list[str], errors: dict[str, Any]) -> dict[str, Any]:
    """The path item for OpenAPI; `errors` are the answers that refuse one of the operations."""
    reference = {
        "type": "object",
        "required": ["$ref"],
        "properties": {
            "$ref": {
                "type": "string",
                "description": "The name of an earlier operation and a path into its result: `order.items.0.id`",
            }
        },
        "additionalProperties": False,
    }
    step = {
        "type": "object",
        "required": ["operation"],
        "additionalProperties": False,
        "properties": {
            "operation": {"type": "string", "enum": operations},
            "as": {
                "type": "string",
                "pattern": STEP_NAME,
                "description": "A name by which later operations refer to the result",
            },
            "id": {
                "oneOf": [{"type": "string"}, reference],
                "description": "The id of the row that the operation acts on",
            },
            "query": {
                "type": "object",
                "additionalProperties": {"type": "string"},
                "maxProperties": QUERY_MAX,
                "description": "Query parameters of a read",
            },
            "ifMatch": {
                "type": "string",
                "maxLength": 1000,
                "description": "The expected ETag of the row; if its version is another, the operation fails with 412",
            },
            "body": {
                "type": "object",
                "description": 'The input; `{"$ref": "name.member"}` is replaced by a value of an earlier result',
            },
        },
    }
    result = {
        "type": "object",
        "required": ["operation", "status"],
        "properties": {
            "operation": {"type": "string"},
            "as": {"type": "string"},
            "status": {"type": "integer"},
            "etag": {"type": "string", "description": "The ETag of data, if the resource has a version field"},
            "data": {"description": "The response that the operation would give outside a batch"},
            "meta": {"type": "object"},
        },
    }
    return {
        "post": {
            "operationId": "$batch",
            "summary": "Execute several operations in one transaction",
            "description": "Each operation is authorized by its own policy. The first failure undoes the whole batch; "
            "the details name its index.",
            "tags": ["Batch"],
            "security": [{}, {"bearer": []}],
            **({"parameters": parameters} if (parameters := key(plan, batch)) else {}),
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {
                        "schema": {
                            "type": "object",
                            "required": ["operations"],
                            "additionalProperties": False,
                            "properties": {
                                "operations": {
                                    "type": "array",
                                    "minItems": 1,
                                    "maxItems": plan.batch_max,
                                    "items": step,
                                }
                            },
                        }
                    }
                },
            },
            "responses": {
                "200": {
                    **with_replays(plan, batch, {}),
                    "description": "The results, in the order of the operations",
                    "content": {
                        "application/json": {
                            "schema": {
                                "type": "object",
                                "required": ["data", "meta"],
                                "properties": {
                                    "data": {"type": "array", "items": result},
                                    "meta": {
                                        "type": "object",
                                        "required": ["requestId"],
                                        "properties": {"requestId": {"type": "string"}},
                                    },
                                },
                            }
                        }
                    },
                },
                **errors,
            },
        }
    }
