"""What PostgreSQL's catalogue says of tables that were there before."""

from __future__ import annotations

from typing import Any

from sternpost.plan.model import Plan
from sternpost.storage.sql.external import Columns, named_tables

BASE_TYPE = """
    CASE WHEN e.typtype = 'e' THEN 'enum'
         WHEN e.typcategory = 'A' THEN 'array'
         ELSE format_type(e.oid, NULL) END
"""
"""The name of a type `e` without its length; a domain has been followed to what it is made of."""

FOLLOWED_DOMAIN = "CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END"

_COLUMNS = f"""
    SELECT a.attname, {BASE_TYPE} AS type
    FROM pg_attribute a
    JOIN pg_type t ON t.oid = a.atttypid
    JOIN pg_type e ON e.oid = {FOLLOWED_DOMAIN}
    WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped
"""


async def found_columns(connection: Any, plan: Plan) -> Columns:
    """The columns of the tables that the contract names, as far as there are any."""
    found: Columns = {}
    for schema, table, _ in named_tables(plan):
        rows = await connection.fetch(_COLUMNS, ".".join(quoted(name) for name in (schema, table) if name))
        if rows:
            found[schema, table] = {row["attname"]: row["type"] for row in rows}
    return found


def quoted(name: str) -> str:
    """An identifier, quoted."""
    return '"' + name.replace('"', '""') + '"'
