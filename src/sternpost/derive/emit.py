"""Everything derived from a contract, as files to review and to compare."""

from __future__ import annotations

from typing import Any

import orjson

from sternpost.compile.compiler import Compiled
from sternpost.derive.diagrams import diagrams
from sternpost.derive.openapi.document import openapi
from sternpost.plan.model import Plan
from sternpost.storage.sql.dialect import Dialect
from sternpost.storage.sql.explain import explain_operation
from sternpost.storage.sql.statements import Statements

_JSON = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE


def dialects() -> dict[str, Dialect]:
    """The dialect of each database there is a driver for."""
    from sternpost.storage.postgresql.dialect import PostgresqlDialect
    from sternpost.storage.sqlite.dialect import SqliteDialect

    return {"sqlite": SqliteDialect(), "postgresql": PostgresqlDialect()}


def emitted_files(compiled: Compiled) -> dict[str, bytes]:
    """The files by name: plan, OpenAPI, diagrams, and for each database the schema and the statements of each "
    "operation."""
    plan = compiled.plan
    files = {
        "plan.json": orjson.dumps(plan_data(compiled), option=_JSON),
        "openapi.json": openapi_file(plan),
    }
    files |= {name: text.encode() for name, text in diagrams(plan).items()}
    for name, dialect in dialects().items():
        statements = Statements(plan, dialect)
        files[f"schema.{name}.sql"] = ("\n".join(f"{statement};\n" for statement in statements.schema.ddl())).encode()
        files[f"operations.{name}.sql"] = _operations(statements).encode()
    return files


def openapi_file(plan: Plan) -> bytes:
    """The OpenAPI document alone."""
    return orjson.dumps(openapi(plan), option=_JSON)


def plan_data(compiled: Compiled) -> dict[str, Any]:
    """The plan, with its fingerprint, and those of older versions where there are any."""
    plan = compiled.plan
    older = {"older": [version.plan.as_data() for version in compiled.older]} if compiled.older else {}
    return {"fingerprint": plan.fingerprint, **plan.as_data(), **older}


def _operations(statements: Statements) -> str:
    parts: list[str] = []
    for operation_id in statements.plan.operations:
        parts.append(f"-- {operation_id}")
        for purpose, text in explain_operation(statements, operation_id):
            one_line = " ".join(text.split())
            parts.append(f"-- {purpose}\n{one_line};")
        parts.append("")
    return "\n".join(parts)
