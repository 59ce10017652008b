"""The statements of an operation, as `sternpost contract explain` shows them and golden files keep them."""

from __future__ import annotations

from sternpost.plan.model import OperationPlan, ResourcePlan
from sternpost.plan.policy import ALLOW, DENY, Path, fold, paths, scopes
from sternpost.ports.storage import EVERY_TENANT, Include, ListShape, Scope, View
from sternpost.storage.sql.statements import Statements

WITH_DELETED = Scope(deleted=True)


def explain_operation(statements: Statements, operation_id: str) -> list[tuple[str, str]]:
    """Each statement that the operation sends, for a caller who has none of the scopes its policy
    names, or, where such a caller is always refused, for one who has all of them."""
    resource, operation = statements.plan.operations[operation_id]
    view = _view(statements, resource)
    folded = fold(operation.policy, known=True, scopes=frozenset())
    if folded == DENY:  # without scopes nothing is left to see: show it for a caller who has them
        folded = fold(operation.policy, known=True, scopes=frozenset(scopes(operation.policy)))
    rows = None if folded == ALLOW else folded
    texts: list[tuple[str, str]] = []
    if operation.kind == "browse":
        listing = statements.listing(ListShape(view, rows, sort=_default_sort(operation)))
        texts += [("page", listing.counted.text), ("count, for a page without rows", listing.count.text)]
    elif operation.on_item:
        looked_at = paths(operation.policy) | (
            paths(resource.reading.policy) if resource.reading else frozenset[Path]()
        )
        one = View(view.resource, view.fields, view.includes, tuple(sorted(looked_at)))
        reading = statements.of(WITH_DELETED) if operation.kind == "restore" else statements
        texts.append(("row", reading.get(one, lock=operation.method != "GET").one.text))
    texts += _writes(statements, resource, operation)
    if operation.kind != "delete":
        for include in view.includes:
            texts.append((f"{include.relation}", statements.included(resource.name, include)[0].text))
    if rows is not None and operation.kind != "create":
        table = statements.schema.tables[resource.name]
        condition = statements.policy.condition(rows, resource, table)
        texts.append(("policy as SQL", str(condition.compile(dialect=statements.dialect.compiler))))
    return texts


def _writes(statements: Statements, resource: ResourcePlan, operation: OperationPlan) -> list[tuple[str, str]]:
    plain = View(resource.name, tuple(field.name for field in resource.fields))
    fields = [field for field in resource.fields if field.name != "id" and field.generated != "deleted"]
    names = tuple(sorted(field.name for field in fields))
    match operation.kind:
        case "create":
            return [("insert", statements.insert(plain, tuple(sorted((*names, "id"))))[0].text)]
        case "replace" | "update":
            writable = tuple(
                name
                for name in names
                if resource.fields_by_name[name].write == "always"
                or resource.fields_by_name[name].generated == "updated"
            )
            return [("update, of what is sent", statements.update(plain, writable, None)[0].text)]
        case "transition":
            changed = tuple(
                sorted(
                    {str(operation.state_field)}
                    | {field.name for field in resource.fields if field.generated == "updated"}
                )
            )
            return [
                (
                    "guarded update",
                    statements.update(plain, changed, (str(operation.state_field), operation.sources))[0].text,
                )
            ]
        case "delete" if resource.name in statements.plan.removed_with_care:
            return _removal(statements, resource)
        case "delete":
            return [("delete", statements.delete(resource.name).text)]
        case "restore":
            return [
                ("deleted row", statements.of(WITH_DELETED).deleted(resource.name).text),
                ("restore", statements.bring_back(resource.name).text),
            ]
        case _:
            return []


def _removal(statements: Statements, resource: ResourcePlan) -> list[tuple[str, str]]:
    """What is sent where the database alone could not remove a row as it has to be; see `storage.sql.removal`."""
    across = statements.of(EVERY_TENANT)
    found = [("lock", statements.lock(resource.name).text)]
    for other, field in statements.plan.referrers[resource.name]:
        if field.on_delete == "set_null":
            found.append((f"set {other.name}.{field.name} to null", across.let_go(other.name, field.name).text))
        elif resource.soft_delete:
            found.append((f"{other.name}.{field.name}", across.referring(other.name, field.name).text))
    return [*found, ("mark as deleted" if resource.soft_delete else "delete", statements.remove(resource.name).text)]


def _view(statements: Statements, resource: ResourcePlan) -> View:
    owned = tuple(
        Include(relation.name, _view(statements, statements.plan.by_name[relation.target]), None)
        for relation in resource.owned_relations
    )
    return View(resource.name, tuple(field.name for field in resource.fields), owned)


def _default_sort(operation: OperationPlan) -> tuple[tuple[str, bool], ...]:
    return tuple((name.removeprefix("-"), name.startswith("-")) for name in operation.default_sort)
