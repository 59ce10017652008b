"""External tables: `Contract(…, schema="external")` serves those of another program, to which nothing is added."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sternpost.compile.database_names import column_problem
from sternpost.compile.diagnostics import Report
from sternpost.compile.draft import ResourceDraft
from sternpost.compile.features.feature import Feature
from sternpost.compile.names import SNAKE, a, listed
from sternpost.compile.options import FIELD, Add, is_database_name, shown, well_typed
from sternpost.contract.contract import Contract
from sternpost.contract.fields import FieldDeclaration, field
from sternpost.contract.resource import Declaration
from sternpost.contract.source import attribute_source
from sternpost.kinds import KINDS
from sternpost.plan.model import FieldPlan, Kind

_USUAL: dict[str, Any] = field().options
"""The options of a field declared without field()."""


class External(Feature):
    """Tables, schemas, columns and keys as another program has named and typed them."""

    class_keywords = ("schema",)

    def check_contract(self, contract: Contract, add: Add) -> None:
        if contract.schema not in ("own", "external"):  # pyright: ignore[reportUnnecessaryContains]
            add(
                "schema",
                "SP009",
                f"schema={shown(contract.schema)} is neither 'own' nor 'external'",
                'write schema="external" for an existing database that Sternpost must not change, or leave it out',
            )

    def read(self, draft: ResourceDraft, report: Report) -> None:
        _read_schema(draft, report)
        _check_columns(draft, report)

    def read_all(self, drafts: Mapping[str, ResourceDraft], report: Report) -> None:
        """A foreign key column is stored in the same way as the key that it refers to."""
        for draft in drafts.values():
            for name, found in draft.fields.items():
                target = drafts.get(found.references or "")
                if target is not None and found.storage is None and found.name != "id":
                    draft.fields[name] = replace(found, storage=target.fields["id"].storage)

    def resource(self, draft: ResourceDraft) -> Mapping[str, Any]:
        return {"schema": draft.schema}

    def plan(self, contract: Contract, options: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"schema": "external" if contract.schema == "external" else "own"}


def _read_schema(draft: ResourceDraft, report: Report) -> None:
    schema = draft.keyword("schema")
    if schema is None or (draft.external and is_database_name(schema)):
        draft.schema = schema
        return
    report.add(
        draft.where_keyword("schema"),
        "SP110",
        f"{draft.name}: schema={shown(schema)} is not a valid name of a database schema"
        if draft.external
        else f"{draft.name}: schema is only allowed for existing tables of an external database",
        'write schema="sales"' if draft.external else 'leave it out, or write Contract(…, schema="external")',
    )


def _check_columns(draft: ResourceDraft, report: Report) -> None:
    """In Sternpost's own databases columns follow the naming rules; no two writable fields share a column."""
    seen: dict[str, str] = {}
    for found in draft.fields.values():
        other = seen.setdefault(found.column_name, found.name)
        wrong = None if draft.external or not is_well_named(found) else column_problem(found.column_name)
        if wrong is None and other != found.name:
            wrong = f"is already used by {other}", "choose another column"
        if wrong is not None:
            problem, fix = wrong
            report.add(
                draft.where(found.name, "column"),
                "SP221",
                f"{draft.name}.{found.name}: its column {found.column_name!r} {problem}",
                fix,
            )
        if found.storage is not None and not draft.external:
            report.add(
                draft.where(found.name, "storage"),
                "SP222",
                f"{draft.name}.{found.name}: storage is only allowed for existing tables of an external database",
                'leave it out, or write Contract(…, schema="external")',
            )


# -- what names and values of an external database may be


def is_well_named(field: FieldPlan) -> bool:
    """Whether the name of its column was given for it, or can be one: a field's own name is checked as such."""
    return field.column is not None or SNAKE.fullmatch(field.name) is not None


def column(name: str, given: Any) -> str | None:
    """The column of a field, where that has another name."""
    return None if given == name else given


def storage(kind: Kind, wanted: Any, add: Add) -> str | None:
    """How an external database stores values of a kind; None for the default, and after a diagnostic."""
    possible = KINDS[kind].storage
    if wanted is None or wanted in possible:
        return wanted
    add(
        "storage",
        "SP222",
        f"storage={shown(wanted)} is unknown for {a(kind)}",
        f"use one of {listed(possible)}" if possible else "remove it: there is only one way to store this type",
    )
    return None


def key(declaration: Declaration, report: Report, *, external: bool) -> FieldPlan:
    """The id. For an external database `id: str = field(column=…, storage=…)` declares it; else an integer."""

    def add(option: str, code: str, message: str, fix: str) -> None:
        where = attribute_source(declaration.source, declaration.name, "id", option or None)
        report.add(where, code, f"{declaration.name}.id: {message}", fix)

    plan = FieldPlan(name="id", public_name="id", kind="id", write="never", generated="id", references=declaration.name)
    declared = declaration.attributes.get("id")
    options = {} if declared is None else _key_options(declared, add, external=external)
    if not external:
        return plan
    kept = storage("id", options.get("storage"), add) or "integer"
    return replace(
        plan,
        column=column("id", options.get("column")),
        storage=kept,
        generated="id" if kept == "uuid" and options.get("auto") != "database" else "database",
        description=options.get("description", ""),
    )


def _key_options(declared: Any, add: Add, *, external: bool) -> dict[str, Any]:
    given = declared.options if isinstance(declared, FieldDeclaration) else None
    said = {} if given is None else {name: value for name, value in given.items() if value != _USUAL.get(name)}
    unknown = sorted(said.keys() - {"column", "storage", "auto"})
    if given is None or unknown or not external:
        add(
            "",
            "SP110",
            "only an external database can declare its id; here Sternpost defines it"
            if not external
            else f"the id takes only column, storage and auto, not {listed(unknown) if unknown else shown(declared)}",
            'leave it out; with Contract(…, schema="external") write id: str = field(column="AlbumId")',
        )
        return {}
    return well_typed(said, FIELD, add)
