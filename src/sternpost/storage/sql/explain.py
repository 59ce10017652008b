"""The statements of an operation, as `sternpost contract explain` shows them and golden files keep them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from sqlalchemy import select

from sternpost.plan.caller import OfCaller
from sternpost.plan.derived import readable_rows, selecting
from sternpost.plan.model import OfRows, OperationPlan, RelatedFilter, ResourcePlan
from sternpost.plan.policy import CallerIs, conditions_on_rows, paths, scopes
from sternpost.plan.query import (
    ALL,
    NONE,
    Assignment,
    Compare,
    Constant,
    Fact,
    Matches,
    Modify,
    Nested,
    Node,
    Remove,
    Select,
    by_rank,
    every,
    in_order,
    key_is,
    lists_in,
    ordered,
)
from sternpost.ports.storage import EVERY_TENANT, Visibility
from sternpost.storage.sql.removal import EVERY_ROW
from sternpost.storage.sql.statement import Assembly
from sternpost.storage.sql.statements import Statements

WITH_DELETED = Visibility(deleted=True)


def explain_operation(statements: Statements, operation_id: str) -> list[tuple[str, str]]:
    """Each statement that the operation sends, for a caller who has none of the scopes its policy names, or, where such
    a caller is always refused, for one who has all of them. What else policies ask of the caller is there, and as they
    want it."""
    resource, operation = statements.plan.operations[operation_id]
    held: frozenset[str] = frozenset()
    rows = conditions_on_rows(operation.policy, known=True, scopes=held, decide=_granted)
    if rows == NONE:  # without scopes nothing is left to see: show it for a caller who has them
        held = frozenset(scopes(operation.policy))
        rows = conditions_on_rows(operation.policy, known=True, scopes=held, decide=_granted)
    query = _view(statements, resource, held if operation.kind in ("browse", "read") else None)
    texts: list[tuple[str, str]] = []
    if operation.kind == "browse":
        order = tuple(ordered(name.removeprefix("-"), name.startswith("-")) for name in operation.default_sort)
        listing = statements.listing(replace(query, where=rows, order=order, limit=0, offset=1))
        texts += [("page", listing.counted.text), ("count, for a page without rows", listing.count.text)]
        if operation.search:
            search = Matches(tuple(each.name for each in operation.search), 1, 2)
            found = replace(query, where=every((search, rows)), order=(by_rank(search),), limit=0, offset=1)
            texts.append(("page, of a search for one word", statements.listing(found).counted.text))
    elif operation.on_item:
        seeing = conditions_on_rows(resource.seeing, known=True, scopes=held, decide=_granted)
        looked_at: frozenset[Fact] = paths(operation.policy) | paths(resource.seeing)
        looked_at |= lists_in(rows) | lists_in(seeing)
        one = replace(query, facts=in_order(looked_at), lock=operation.method != "GET")
        reading = statements.of(WITH_DELETED) if operation.kind == "restore" else statements
        if one.lock and rows != ALL and statements.dialect.locks_rows:
            unlocked = replace(one, fields=("id",), relations=(), lock=False)
            texts.append(("what the policy looks at, before the row is locked", reading.point(unlocked).one.text))
        texts.append(("row", reading.point(one).one.text))
    texts += _writes(statements, resource, operation)
    if operation.emits:
        texts.append(("event", statements.emission.text))
    for nested in query.relations:
        texts.append((f"{nested.relation}", statements.nested(resource.name, nested).statement.text))
    answered = _view(statements, resource, held)
    if operation.method != "GET" and operation.status != 204 and operation.gives_own_row and answered.computes:
        texts.append(("answer, with what is computed", statements.point(answered).one.text))
    if rows != ALL and operation.kind == "browse":
        texts.append(("policy as SQL", _condition(statements, resource, rows)))
    texts += [_member(statements, resource, each) for each in operation.related if each.members and not each.path]
    return texts


def _member(statements: Statements, resource: ResourcePlan, declared: RelatedFilter) -> tuple[str, str]:
    """A member of an object as a filter compares it: what an index of the author's has to hold."""
    path = (declared.field, *declared.members)
    condition = _condition(statements, resource, Compare(path, "isNotNull"))
    return f"{'.'.join(path)}, as it is compared", condition.removesuffix(" IS NOT NULL")


def _granted(asked: OfCaller | CallerIs) -> bool:
    return True


def _condition(statements: Statements, resource: ResourcePlan, rows: Node) -> str:
    """A condition as it stands in the statement of a list: by itself, what it looks up through a reference would not
    be looked up for the row at hand."""
    table = statements.schema.tables[resource.name]
    assembly = Assembly(statements.dialect, statements.alias_prefix)
    condition = statements.conditions.condition(rows, resource, table, assembly)
    every_row = select(table.c.id)
    before = assembly.statement(every_row).text
    return assembly.statement(every_row.where(condition)).text.removeprefix(before).strip().removeprefix("WHERE ")


def _writes(statements: Statements, resource: ResourcePlan, operation: OperationPlan) -> list[tuple[str, str]]:
    fields = [field for field in resource.fields if field.name != "id" and field.generated != "deleted"]
    names = tuple(sorted(field.name for field in fields))
    match operation.kind:
        case "create":
            return [("insert", statements.insert(resource.name, tuple(sorted((*names, "id"))))[0].text)]
        case "replace" | "update":
            writable = tuple(
                name
                for name in names
                if resource.fields_by_name[name].write == "always"
                or resource.fields_by_name[name].generated == "updated"
            )
            return [("update, of what is sent", _changed(statements, resource, writable))]
        case "transition":
            updated = {field.name for field in resource.fields if field.generated == "updated"}
            changed = tuple(sorted({str(operation.state_field)} | updated))
            state = Compare((str(operation.state_field),), "in", Constant(operation.sources))
            return [("guarded update", _changed(statements, resource, changed, state))]
        case "delete" if resource.name in statements.plan.removed_with_care:
            return _removal(statements, resource)
        case "delete":
            return [("delete", statements.remove(Remove(resource.name, key_is(0))).text)]
        case "restore":
            return [
                ("deleted row", statements.of(WITH_DELETED).deleted(resource.name).text),
                ("restore", statements.undelete(resource.name).text),
            ]
        case _:
            return []


def _changed(statements: Statements, resource: ResourcePlan, names: tuple[str, ...], *conditions: Compare) -> str:
    assignments = tuple(Assignment(name, "set", number) for number, name in enumerate(names, start=1))
    fields = tuple(field.name for field in resource.fields)
    modify = Modify(resource.name, every((key_is(0), *conditions)), assignments, fields)
    return statements.modify(modify)[0].text


def _removal(statements: Statements, resource: ResourcePlan) -> list[tuple[str, str]]:
    """What is sent where the database alone could not remove a row as it has to be; see `storage.sql.removal`."""
    across = statements.of(EVERY_TENANT if resource.soft_delete else EVERY_ROW)
    found = [("lock", statements.lock(resource.name).text)]
    for other, field in statements.plan.referrers[resource.name]:
        if field.on_delete == "set_null":
            found.append((f"set {other.name}.{field.name} to null", across.nullify(other.name, field.name).text))
        elif resource.soft_delete or field.on_delete == "cascade":
            found.append((f"{other.name}.{field.name}", across.referring(other.name, field.name).text))
    for relation in resource.owned_relations:
        every = statements.of(EVERY_ROW).referring(relation.target, relation.remote_field)
        found.append((f"{relation.target}.{relation.remote_field}", every.text))
    if resource.soft_delete:
        return [*found, ("mark as deleted", statements.mark(resource.name).text)]
    return [*found, ("delete", across.erase(resource.name).text)]


def _view(statements: Statements, resource: ResourcePlan, held: frozenset[str] | None) -> Select:
    """What a caller with these scopes gets of a row, or, for None, what an operation reads for its own use."""
    owned = tuple(
        Nested(relation.name, _view(statements, statements.plan.by_name[relation.target], held))
        for relation in resource.owned_relations
    )
    visible = [f for f in resource.shown if held is None or (not f.hidden and f.read_scope in (None, *held))]
    stored = [field.name for field in visible if field.derived is None]
    computed = [field for field in visible if field.derived is not None and held is not None]

    def readable(of: OfRows) -> Node:
        policy = partial(conditions_on_rows, known=True, scopes=held or frozenset(), decide=_granted)
        relation = resource.relations_by_name[of.relation]
        return ALL if of.all else readable_rows(statements.plan, relation, policy)

    return selecting(resource, stored, computed, (), readable=readable, relations=owned)
