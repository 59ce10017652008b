"""Calls of the data client: made up, carried out by the model, and sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .contracts import Res, Spec
    from .model import Answer, Model
    from .operations import Generator, Op
    from .run import Backend, Difference, Run


def random_data(generator: Generator) -> Op:
    return generator.rest(generator.caller())


def perform_data(model: Model, op: Op) -> Answer:
    raise NotImplementedError


async def send_data(run: Run, op: Op, expected: Answer) -> Difference | None:
    raise NotImplementedError


def plain(spec: Spec, res: Res, row: Any) -> dict[str, Any]:
    """An instance of the data client as the model keeps a row."""
    found: dict[str, Any] = {}
    for value in res.fields:
        if value.back:
            continue
        if value.to is not None:
            held = getattr(row, str(value.relation))
            found[value.name] = None if held is None else held.id
        else:
            found[value.name] = getattr(row, value.name)
    for rows in res.owned:
        target = spec.by_name[rows.target]
        found[rows.name] = [plain(spec, target, item) for item in getattr(row, rows.name)]
    return found


def modelled(spec: Spec, res: Res, row: dict[str, Any]) -> dict[str, Any]:
    """A row of the model in the same form."""
    found = {value.name: row[value.name] for value in res.fields if not value.back}
    for rows in res.owned:
        found[rows.name] = [modelled(spec, spec.by_name[rows.target], item) for item in row[rows.name]]
    return found


def expected_contents(model: Model) -> dict[str, Any]:
    """Every row of every table, deleted or not, and every pair of rows that are there."""
    found: dict[str, Any] = {}
    for res in model.spec.main:
        rows = model.standing(res, "every tenant", deleted=True)
        found[res.name] = [{**modelled(model.spec, res, row), "deleted": row["deleted"] is not None} for row in rows]
        for relation in res.lists:
            if relation.kind == "linked":
                found[f"{res.name}.{relation.name}"] = {
                    f"row {number}": [other["id"] for other in model.related(relation, row, "every tenant")]
                    for number, row in enumerate(model.standing(res, "every tenant"))
                }
    return found


async def contents(spec: Spec, backend: Backend) -> dict[str, Any]:
    """The same of a service."""
    found: dict[str, Any] = {}
    async with backend.client.app.data(**({"tenants": "all"} if spec.tenants else {})) as db:
        for res in spec.main:
            table = db.table(backend.classes[res.name])
            rows = await (table.with_deleted() if res.soft else table).find()
            there = {row.id for row in await table.find(fields=["id"])} if res.soft else {row.id for row in rows}
            found[res.name] = [{**plain(spec, res, row), "deleted": row.id not in there} for row in rows]
            for relation in res.lists:
                if relation.kind == "linked":
                    linked = await table.find(include={relation.name: True})
                    found[f"{res.name}.{relation.name}"] = {
                        f"row {number}": sorted(other.id for other in getattr(row, relation.name))
                        for number, row in enumerate(linked)
                    }
    return found
