"""Reads existing tables from PostgreSQL's catalogue."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from sternpost.plan.model import Plan
from sternpost.storage.sql.external import Columns, named_tables
from sternpost.storage.sql.keys import KEY_BYTES
from sternpost.storage.sql.tables import (
    EVERYTHING,
    Found,
    FoundColumn,
    FoundForeignKey,
    FoundTable,
    Place,
    Selection,
    key_of_many_forms,
    short_text_key,
    shown,
    too_long_key,
)

BASE_TYPE = """
    CASE WHEN e.typtype = 'e' THEN 'enum'
         WHEN e.typcategory = 'A' THEN 'array'
         WHEN EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_type'::regclass AND d.objid = e.oid
                      AND d.deptype = 'e') THEN e.typname::text
         ELSE format_type(e.oid, NULL) END
"""
"""The name of a type `e` without its length, and without the schema in which an extension was installed."""

FOLLOWED_DOMAIN = """
    JOIN LATERAL (
        WITH RECURSIVE chain (oid, kind, base, modifier, required, name, depth) AS (
            SELECT t.oid, t.typtype, t.typbasetype, t.typtypmod, t.typnotnull, t.typname, 0
            UNION ALL
            SELECT b.oid, b.typtype, b.typbasetype, b.typtypmod, b.typnotnull, b.typname, depth + 1
            FROM chain JOIN pg_type b ON b.oid = chain.base WHERE chain.kind = 'd'
        )
        SELECT (array_agg(oid ORDER BY depth DESC))[1] AS base,
               (array_agg(modifier ORDER BY depth DESC))[2] AS modifier,
               bool_or(required) AS required,
               array_agg(oid ORDER BY depth) AS types,
               COALESCE(array_agg(name::text ORDER BY depth) FILTER (WHERE kind = 'd'), '{}') AS domains
        FROM chain
    ) f ON true
    JOIN pg_type e ON e.oid = f.base
"""
"""From a type `t`, through every domain that it is made of, to the type `e` at their base, whose length the innermost
domain tells."""

_COLUMNS = f"""
    SELECT a.attname,
           CASE WHEN e.typcategory = 'A' THEN format_type(e.typelem, NULL) || '[]' ELSE {BASE_TYPE} END AS type
    FROM pg_attribute a
    JOIN pg_type t ON t.oid = a.atttypid
    {FOLLOWED_DOMAIN}
    WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped
"""
_HEIRS = """
    ARRAY(SELECT h.relname::text FROM pg_inherits i JOIN pg_class h ON h.oid = i.inhrelid
          WHERE i.inhparent = {table} AND NOT h.relispartition ORDER BY h.relname)
"""
"""Tables that inherit from one. Its own rows and theirs are one list, in which a key is not unique."""


async def found_columns(connection: Any, plan: Plan) -> Columns:
    """The columns of the tables that the contract names, as far as there are any."""
    found: Columns = {}
    for schema, table, _ in named_tables(plan):
        rows = await connection.fetch(_COLUMNS, _qualified(schema, table))
        if rows:
            found[schema, table] = {row["attname"]: row["type"] for row in rows}
    return found


async def unfit_tables(connection: Any, plan: Plan) -> Mapping[Place, str]:
    """The tables that the contract names and that cannot be served, each with the reason."""
    found: dict[Place, str] = {}
    for schema, table, _ in named_tables(plan):
        heirs = await connection.fetchval(f"SELECT {_HEIRS.format(table='to_regclass($1)')}", _qualified(schema, table))
        if heirs:
            found[schema, table] = _shared_with(heirs)
    return found


def _qualified(schema: str | None, table: str) -> str:
    return ".".join(quoted(name) for name in (schema, table) if name)


def _shared_with(heirs: Sequence[str]) -> str:
    return f"its rows include those of {', '.join(heirs)} (INHERITS), so that a key is not unique"


def quoted(name: str) -> str:
    """An identifier, quoted."""
    return '"' + name.replace('"', '""') + '"'


async def read_tables(connection: Any, schemas: Sequence[str], selection: Selection = EVERYTHING) -> Found:
    """The tables of some schemas, or of the one that is searched first where none is named."""
    first: str = await connection.fetchval("SELECT current_schema()") or "public"
    rows = await connection.fetch(_TABLES, list(schemas) or [first])
    rows = [row for row in rows if (row["schema"], row["name"]) in selection]
    tables = [await _table(connection, row, first) for row in rows if row["kind"] in ("r", "p")]
    left_out = [
        (shown(_schema(row["schema"], first), row["name"]), _OTHERS[row["kind"]])
        for row in rows
        if row["kind"] in _OTHERS
    ]
    if not schemas and selection.only is None:
        for schema, count in await connection.fetch(_OTHER_SCHEMAS, first):
            several = f"{count} tables, which are" if count > 1 else "one table, which is"
            left_out.append((f"schema {schema}", f"it has {several} read with --schema {schema}"))
    return Found("postgresql", tuple(tables), tuple(left_out))


def _schema(name: str, first: str) -> str | None:
    return None if name == first else name


async def _table(connection: Any, row: Any, first: str) -> FoundTable:
    oid = row["oid"]
    columns = await connection.fetch(_DETAILS, oid)
    constraints = await connection.fetch(_CONSTRAINTS, oid)
    indexes = await connection.fetch(_INDEXES, oid)
    triggers = await connection.fetch(_TRIGGERS, oid)
    checks = [str(found["condition"]) for found in constraints if found["kind"] == "c"]
    for column in columns:
        checks += [_of_column(condition, column["name"]) for condition in column["domain_checks"]]
    described = tuple(_column(column, row["role"]) for column in columns)
    key = next((tuple(found["columns"]) for found in constraints if found["kind"] == "p"), ())
    plain = [index for index in indexes if not index["partial"]]
    return FoundTable(
        _schema(row["schema"], first),
        row["name"],
        described,
        key,
        tuple(sorted({tuple(found["columns"]) for found in plain if found["unique"]})),
        tuple(_foreign_key(found, first) for found in constraints if found["kind"] == "f"),
        tuple(dict.fromkeys(str(found["columns"][0]) for found in plain)),
        tuple(checks),
        row["comment"] or "",
        (
            *(str(found["definition"]) for found in constraints if found["kind"] == "x"),
            *(str(index["definition"]) for index in indexes if index["partial"] and index["unique"]),
            *(f"trigger {trigger['name']}" for trigger in triggers),
            *(["row level security"] if row["secured"] else []),
        ),
        _unfit(row) or await _unfit_key(connection, row, short_text_key(described, key)),
    )


async def _unfit_key(connection: Any, table: Any, key: str | None) -> str:
    if key is None:
        return ""
    if await connection.fetchval(_TELLS_TEXTS_APART, table["oid"], key) is False:
        return key_of_many_forms(key)
    rows = f"SELECT 1 FROM {_qualified(table['schema'], table['name'])}"
    found = await connection.fetchval(f"{rows} WHERE octet_length({quoted(key)}::text) > {KEY_BYTES} LIMIT 1")
    return too_long_key(key) if found else ""


def _unfit(table: Any) -> str:
    if not table["readable"]:
        return f"the role {table['role']} may not read it"
    return _shared_with(table["heirs"]) if table["heirs"] else ""


def _of_column(condition: str, column: str) -> str:
    """The condition of a domain as one of a column: VALUE stands for it, but not within a text or a name."""
    return _DOMAIN_VALUE.sub(lambda match: quoted(column) if match[0] == "VALUE" else match[0], condition)


def _foreign_key(found: Any, first: str) -> FoundForeignKey:
    return FoundForeignKey(
        tuple(found["columns"]),
        _schema(found["remote_schema"], first),
        found["remote_table"],
        tuple(found["remote_columns"]),
        _ON_DELETE[found["on_delete"]],
    )


def _column(row: Any, role: str) -> FoundColumn:
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
        scale=_signed(modifier - 4) if exact else None,
        element=row["element"],
        dimensions=row["dimensions"],
        choices=tuple(row["choices"]),
        default=default,
        counted=bool(row["identity"]) or (default is not None and default.startswith("nextval(")),
        generated=bool(row["generated"]) or row["identity"] == "a",
        comment=row["comment"] or "",
        domains=tuple(row["domains"]),
        unreadable="" if row["readable"] else f"the role {role} may not read it",
    )


def _signed(modifier: int) -> int:
    """The scale of a numeric: eleven bits, of which the first is the sign."""
    return ((modifier & 0x7FF) ^ 0x400) - 0x400


_DOMAIN_VALUE = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|\bVALUE\b")
_OTHERS = {"v": "it is a view", "m": "it is a materialized view", "f": "it is a foreign table"}
_ON_DELETE = {"a": "NO ACTION", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}

_NOT_OF_AN_EXTENSION = """
    NOT EXISTS (SELECT 1 FROM pg_depend d
                WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
"""
_TABLES = f"""
    SELECT c.oid, n.nspname AS schema, c.relname AS name, c.relkind::text AS kind, current_user AS role,
           obj_description(c.oid, 'pg_class') AS comment, c.relrowsecurity AS secured,
           has_schema_privilege(n.oid, 'USAGE') AND has_any_column_privilege(c.oid, 'SELECT') AS readable,
           {_HEIRS.format(table="c.oid")} AS heirs
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = ANY($1) AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
      AND {_NOT_OF_AN_EXTENSION}
    ORDER BY n.nspname, c.relname
"""
_OTHER_SCHEMAS = f"""
    SELECT n.nspname, count(*)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname <> $1 AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
      AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND {_NOT_OF_AN_EXTENSION}
    GROUP BY n.nspname ORDER BY n.nspname
"""
_DETAILS = f"""
    SELECT a.attname AS name, {BASE_TYPE} AS type,
           COALESCE(f.modifier, a.atttypmod) AS modifier,
           a.attnotnull OR f.required AS required,
           COALESCE(pg_get_expr(d.adbin, d.adrelid), t.typdefault) AS default,
           a.attidentity::text AS identity, a.attgenerated::text AS generated,
           CASE WHEN e.typcategory = 'A' THEN format_type(e.typelem, NULL) END AS element,
           GREATEST(a.attndims, (SELECT max(typndims) FROM pg_type WHERE oid = ANY(f.types))) AS dimensions,
           ARRAY(SELECT l.enumlabel::text FROM pg_enum l WHERE l.enumtypid = e.oid ORDER BY l.enumsortorder) AS choices,
           ARRAY(SELECT pg_get_expr(k.conbin, 0) || CASE WHEN k.convalidated THEN '' ELSE ' NOT VALID' END
                 FROM pg_constraint k
                 WHERE k.contypid = ANY(f.types) AND k.contype = 'c' ORDER BY k.conname) AS domain_checks,
           f.domains, has_column_privilege(a.attrelid, a.attnum, 'SELECT') AS readable,
           col_description(a.attrelid, a.attnum) AS comment
    FROM pg_attribute a
    JOIN pg_type t ON t.oid = a.atttypid
    {FOLLOWED_DOMAIN}
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY a.attnum
"""
_TELLS_TEXTS_APART = """
    SELECT c.collisdeterministic FROM pg_attribute a JOIN pg_collation c ON c.oid = a.attcollation
    WHERE a.attrelid = $1 AND a.attname = $2
"""
_NAMES = """ARRAY(SELECT a.attname::text FROM unnest({keys}) WITH ORDINALITY AS k(number, place)
                 JOIN pg_attribute a ON a.attrelid = {table} AND a.attnum = k.number
                 WHERE k.place <= {count} ORDER BY k.place)"""
_CONSTRAINTS = f"""
    SELECT c.contype::text AS kind, {_NAMES.format(keys="c.conkey", table="c.conrelid", count="cardinality(c.conkey)")}
               AS columns,
           n.nspname AS remote_schema, r.relname AS remote_table,
           {_NAMES.format(keys="c.confkey", table="c.confrelid", count="cardinality(c.confkey)")} AS remote_columns,
           c.confdeltype::text AS on_delete, pg_get_constraintdef(c.oid) AS definition,
           pg_get_expr(c.conbin, c.conrelid) || CASE WHEN c.convalidated THEN '' ELSE ' NOT VALID' END AS condition
    FROM pg_constraint c
    LEFT JOIN pg_class r ON r.oid = c.confrelid
    LEFT JOIN pg_namespace n ON n.oid = r.relnamespace
    WHERE c.conrelid = $1 AND c.contype IN ('p', 'f', 'c', 'x')
      AND c.conparentid = 0
    ORDER BY c.conname
"""
"""A reference to a partitioned table is kept once more for each partition, with the first as their parent.

Stored rows may break a condition that is NOT VALID; those words stay with it, so that no rule is read from it.
"""
_INDEXES = f"""
    SELECT i.indisunique AND NOT i.indisprimary AS unique,
        {_NAMES.format(keys="i.indkey", table="i.indrelid", count="i.indnkeyatts")} AS columns,
        i.indpred IS NOT NULL OR i.indexprs IS NOT NULL AS partial, pg_get_indexdef(i.indexrelid) AS definition
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    WHERE i.indrelid = $1 AND i.indisvalid
      AND NOT EXISTS (SELECT 1 FROM pg_constraint x WHERE x.conindid = i.indexrelid AND x.contype = 'x')
    ORDER BY NOT i.indisprimary, c.relname
"""
_TRIGGERS = """
    SELECT tgname AS name FROM pg_trigger WHERE tgrelid = $1 AND NOT tgisinternal AND tgenabled <> 'D' ORDER BY tgname
"""
