"""The description of `$batch`: several operations in one transaction."""

from __future__ import annotations

from typing import Any

from sternpost.plan.model import Plan
from sternpost.protocols.rest.batch import QUERY_MAX, STEP_NAME


def describe_batch(plan: Plan, operations: list[str]) -> dict[str, Any]:
    """The path item for OpenAPI."""
    reference = {
        "type": "object",
        "required": ["$ref"],
        "properties": {
            "$ref": {"type": "string", "description": "A name and a path into its result: `order.items.0.id`"}
        },
        "additionalProperties": False,
    }
    step = {
        "type": "object",
        "required": ["operation"],
        "additionalProperties": False,
        "properties": {
            "operation": {"type": "string", "enum": operations},
            "as": {"type": "string", "pattern": STEP_NAME, "description": "A name for later operations to refer to"},
            "id": {"oneOf": [{"type": "string"}, reference], "description": "The row it is about"},
            "query": {
                "type": "object",
                "additionalProperties": {"type": "string"},
                "maxProperties": QUERY_MAX,
                "description": "Parameters of a read",
            },
            "ifMatch": {
                "type": "string",
                "maxLength": 1000,
                "description": "The ETag of the version that the operation is about; in another it is answered 412",
            },
            "body": {
                "type": "object",
                "description": 'The input; `{"$ref": "name.member"}` stands for a value of an earlier result',
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
            "etag": {"type": "string", "description": "The ETag of data, for a row that counts its changes"},
            "data": {"description": "What the operation would have answered alone"},
            "meta": {"type": "object"},
        },
    }
    conditional = any(resource.version_field for resource in plan.resources)
    statuses = (400, 401, 403, 404, 406, 409, *((412, 428) if conditional else ()), 413, 415, 422, 500, 503)
    errors = {str(status): {"$ref": f"#/components/responses/Error{status}"} for status in statuses}
    return {
        "post": {
            "operationId": "$batch",
            "summary": "Several operations in one transaction: all of them, or none",
            "description": "Each operation is under its own policy. The first that fails ends the batch; its index stands in the details.",
            "tags": ["Batch"],
            "security": [{}, {"bearer": []}],
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
                    "description": "The results, in order",
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
