"""Reads existing tables from PostgreSQL's catalogue."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from sternpost.plan.model import Plan
from sternpost.storage.sql.external import Columns, named_tables
from sternpost.storage.sql.tables import Found, FoundColumn, FoundForeignKey, FoundTable

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


async def read_tables(connection: Any, schemas: Sequence[str], only: frozenset[str] | None = None) -> Found:
    """The tables of some schemas, or of the one that is searched first where none is named."""
    first: str = await connection.fetchval("SELECT current_schema()") or "public"
    wanted = list(schemas) or [first]
    rows = await connection.fetch(_TABLES, wanted)
    rows = [row for row in rows if only is None or row["name"] in only or f"{row['schema']}.{row['name']}" in only]
    tables = [await _table(connection, row, first) for row in rows if row["kind"] in ("r", "p")]
    left_out = [(str(row["name"]), _OTHERS[row["kind"]]) for row in rows if row["kind"] in _OTHERS]
    return Found("postgresql", tuple(tables), tuple(left_out))


async def _table(connection: Any, row: Any, first: str) -> FoundTable:
    oid = row["oid"]
    columns = await connection.fetch(_DETAILS, oid)
    constraints = await connection.fetch(_CONSTRAINTS, oid)
    indexes = await connection.fetch(_INDEXES, oid)
    checks = [str(found["condition"]) for found in constraints if found["kind"] == "c"]
    for column in columns:
        checks += [_DOMAIN_VALUE.sub(quoted(column["name"]), condition) for condition in column["domain_checks"]]
    return FoundTable(
        None if row["schema"] == first else row["schema"],
        row["name"],
        tuple(map(_column, columns)),
        next((tuple(found["columns"]) for found in constraints if found["kind"] == "p"), ()),
        tuple(sorted({tuple(found["columns"]) for found in indexes if found["unique"]})),
        tuple(
            FoundForeignKey(
                tuple(found["columns"]),
                None if found["remote_schema"] == first else found["remote_schema"],
                found["remote_table"],
                tuple(found["remote_columns"]),
                _ON_DELETE[found["on_delete"]],
            )
            for found in constraints
            if found["kind"] == "f"
        ),
        tuple(dict.fromkeys(str(found["columns"][0]) for found in indexes)),
        tuple(checks),
        row["comment"] or "",
    )


def _column(row: Any) -> FoundColumn:
    kind, modifier = str(row["type"]), int(row["modifier"])
    sized = modifier >= 4 and kind in ("character varying", "character")
    exact = modifier >= 4 and kind == "numeric"
    default = row["default"]
    return FoundColumn(
        name=row["name"],
        type=kind,
        nullable=not row["required"],
        length=modifier - 4 if sized else None,
        precision=((modifier - 4) >> 16) & 0xFFFF if exact else None,
        scale=(modifier - 4) & 0x7FF if exact else None,
        element=row["element"],
        choices=tuple(row["choices"]),
        default=default,
        counted=bool(row["identity"]) or (default is not None and default.startswith("nextval(")),
        generated=bool(row["generated"]) or row["identity"] == "a",
        comment=row["comment"] or "",
    )


_DOMAIN_VALUE = re.compile(r"\bVALUE\b")
_OTHERS = {"v": "a view", "m": "a materialized view", "f": "a foreign table"}
_ON_DELETE = {"a": "NO ACTION", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}

_TABLES = """
    SELECT c.oid, n.nspname AS schema, c.relname AS name, c.relkind::text AS kind,
           obj_description(c.oid, 'pg_class') AS comment
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = ANY($1) AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
      AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
    ORDER BY n.nspname, c.relname
"""
_DETAILS = f"""
    SELECT a.attname AS name, {BASE_TYPE} AS type,
           CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END AS modifier,
           a.attnotnull OR t.typnotnull AS required,
           COALESCE(pg_get_expr(d.adbin, d.adrelid), t.typdefault) AS default,
           a.attidentity::text AS identity, a.attgenerated::text AS generated,
           CASE WHEN e.typcategory = 'A' THEN format_type(e.typelem, NULL) END AS element,
           ARRAY(SELECT l.enumlabel::text FROM pg_enum l WHERE l.enumtypid = e.oid ORDER BY l.enumsortorder) AS choices,
           ARRAY(SELECT pg_get_expr(k.conbin, 0) FROM pg_constraint k
                 WHERE k.contypid = t.oid AND k.contype = 'c' ORDER BY k.conname) AS domain_checks,
           col_description(a.attrelid, a.attnum) AS comment
    FROM pg_attribute a
    JOIN pg_type t ON t.oid = a.atttypid
    JOIN pg_type e ON e.oid = {FOLLOWED_DOMAIN}
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY a.attnum
"""
_NAMES = """ARRAY(SELECT a.attname::text FROM unnest({keys}) WITH ORDINALITY AS k(number, place)
                 JOIN pg_attribute a ON a.attrelid = {table} AND a.attnum = k.number ORDER BY k.place)"""
_CONSTRAINTS = f"""
    SELECT c.contype::text AS kind, {_NAMES.format(keys="c.conkey", table="c.conrelid")} AS columns,
           n.nspname AS remote_schema, r.relname AS remote_table,
           {_NAMES.format(keys="c.confkey", table="c.confrelid")} AS remote_columns,
           c.confdeltype::text AS on_delete, pg_get_expr(c.conbin, c.conrelid) AS condition
    FROM pg_constraint c
    LEFT JOIN pg_class r ON r.oid = c.confrelid
    LEFT JOIN pg_namespace n ON n.oid = r.relnamespace
    WHERE c.conrelid = $1 AND c.contype IN ('p', 'f', 'c')
    ORDER BY c.conname
"""
_INDEXES = f"""
    SELECT i.indisunique AND NOT i.indisprimary AS unique,
        {_NAMES.format(keys="i.indkey", table="i.indrelid")} AS columns
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    WHERE i.indrelid = $1 AND i.indpred IS NULL AND i.indexprs IS NULL AND i.indisvalid
    ORDER BY NOT i.indisprimary, c.relname
"""
