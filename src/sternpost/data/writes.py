"""What an author writes as `data`: values, arithmetic, and changes of related rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, cast

from sternpost.data.model import DataModel
from sternpost.data.where import Reading
from sternpost.data.writing import complete, computed_values, refuse_counted, stamp
from sternpost.errors import ConstraintViolated, NotFound, ReferenceNotFound
from sternpost.kinds import KINDS, NUMBERS
from sternpost.plan.model import FieldPlan, RelationPlan, ResourcePlan
from sternpost.plan.query import Arithmetic, Assignment, Compare, Modify, Nested, Node, Select, every, key_is
from sternpost.ports.storage import Arguments, Document, Session, Visibility

ARITHMETIC: tuple[Arithmetic, ...] = ("set", "increment", "decrement", "multiply", "divide")

VERBS: dict[str, tuple[str, ...]] = {
    "one": ("connect", "create", "disconnect"),
    "owned": ("create", "set"),
    "linked": ("connect", "create", "disconnect", "set"),
    "many": ("connect", "create", "disconnect", "set"),
}
"""What may be done to each kind of relation."""


@dataclass(slots=True)
class Parts:
    """An author's data, taken apart: values of fields, changes of them, and what happens to related rows."""

    values: dict[str, Any] = field(default_factory=lambda: {})
    changes: dict[str, tuple[Arithmetic, Any]] = field(default_factory=lambda: {})
    related: dict[str, dict[str, Any]] = field(default_factory=lambda: {})


class Writer:
    """Writes rows with what belongs to them, in one transaction."""

    def __init__(self, model: DataModel, session: Session) -> None:
        self.model = model
        self.session = session

    # -- creating

    async def create(self, resource: ResourcePlan, given: Mapping[str, Any], **keys: Any) -> str:
        """Adds a row and what is nested in it; the digits of its id. `keys` are references that the nesting itself
        gives."""
        parts = taken_apart(self.model, resource, given)
        if parts.changes:
            raise TypeError(
                f"{resource.name}: {next(iter(parts.changes))} cannot be computed from what it is in a new row"
            )
        values = {**parts.values, **keys, **await self._references(resource, parts)}
        owned = {relation.name: await self._items(relation, parts) for relation in resource.owned_relations}
        values.update(computed_values(resource, owned))
        row = complete(resource, values, self.model.new_id, self.model.clock)
        document = await self.session.insert(resource.name, row)
        key = self.model.instances.digits(resource.name, document["id"])
        for relation in resource.owned_relations:
            if owned[relation.name]:
                await self._replace_owned(resource, relation, key, owned[relation.name])
        await self._lists(resource, key, parts)
        return key

    async def update(self, resource: ResourcePlan, key: str, given: Mapping[str, Any]) -> None:
        """Changes a row and what is nested in the change. Raises `NotFound` and `ConstraintViolated`."""
        parts = taken_apart(self.model, resource, given)
        owned = [relation for relation in resource.owned_relations if relation.name in parts.related]
        if owned or not (parts.values or parts.changes):
            await self._locked(resource, key)
        parts.values.update(await self._references(resource, parts))
        for relation in owned:
            items = await self._items(relation, parts)
            if "set" in parts.related[relation.name]:
                await self._replace_owned(resource, relation, key, items)
            else:
                items = await self._append_owned(relation, key, items)
            parts.values.update(computed_values(resource, {relation.name: items}))
        if parts.values or parts.changes or parts.related:
            reading = Reading(self.model.plan, self.model.checks)
            where = key_is(reading.slot(key))
            modify = Modify(resource.name, where, assignments(self.model, resource, parts, reading))
            changes = modify.assignments or resource.version_field is not None
            if changes and not (await self.session.modify(modify, reading.slots))[0]:
                if await self.session.get(Select(resource.name, ("id",)), key) is not None:
                    raise ConstraintViolated.dropped()
                raise NotFound(f"There is no such {resource.name}")
        await self._lists(resource, key, parts)

    # -- to-one

    async def _references(self, resource: ResourcePlan, parts: Parts) -> dict[str, Any]:
        """The keys that changes of to-one relations come to."""
        keys: dict[str, Any] = {}
        for relation in resource.relations:
            if relation.kind != "one" or relation.name not in parts.related:
                continue
            verbs = parts.related[relation.name]
            name, target = f"{resource.name}.{relation.name}", self.model.plan.by_name[relation.target]
            if len(verbs) != 1:
                raise TypeError(f"{name} takes one of {', '.join(VERBS['one'])}, not {', '.join(verbs) or 'nothing'}")
            verb, wanted = next(iter(verbs.items()))
            if relation.local_field in parts.values:
                raise TypeError(f"{name} and {relation.local_field} both say which row; give one of them")
            if verb == "create":
                keys[relation.local_field] = await self.create(target, wanted)
            elif verb == "connect":
                keys[relation.local_field] = await self.key(target, wanted)
            else:
                if not resource.fields_by_name[relation.local_field].nullable:
                    raise TypeError(f"{name} cannot be None, so it cannot be disconnected; connect another row")
                keys[relation.local_field] = None
        return keys

    async def key(self, resource: ResourcePlan, wanted: Any) -> str:
        """The digits of a row by its id or a unique key. Raises `ReferenceNotFound` where a unique key fits none."""
        if not isinstance(wanted, Mapping):
            return self.model.instances.from_author(resource.fields_by_name["id"], _id_of(wanted))
        found = await self.find_key(resource, cast("Mapping[str, Any]", wanted))
        if found is None:
            raise ReferenceNotFound(f"There is no {resource.name} with this {' and '.join(wanted)}")  # pyright: ignore[reportUnknownArgumentType]
        return found

    async def find_key(self, resource: ResourcePlan, wanted: Mapping[str, Any]) -> str | None:
        """The digits of the row with these values of a unique key, or None."""
        unique_key(resource, wanted, self.session.visibility)
        reading = Reading(self.model.plan, self.model.checks)
        query = reading.query(resource, where=wanted, fields=("id",), limit=2)
        documents = (await self.session.select(query, Arguments(reading.slots))).documents
        return self.model.instances.digits(resource.name, documents[0]["id"]) if documents else None

    # -- owned lists

    async def _items(self, relation: RelationPlan, parts: Parts) -> list[dict[str, Any]]:
        """New items of an owned list as whole rows."""
        verbs = parts.related.get(relation.name, {})
        if len(verbs) > 1:
            raise TypeError(f"{relation.name} takes create or set, not both")
        target = self.model.plan.by_name[relation.target]
        rows: list[dict[str, Any]] = []
        for given in many(next(iter(verbs.values()), ())):
            item = taken_apart(self.model, target, given)
            values = {**item.values, **await self._references(target, item)}
            rows.append(complete(target, values, self.model.new_id, self.model.clock))
        return rows

    async def _append_owned(self, relation: RelationPlan, key: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Puts rows behind those that an owned list has; all of them."""
        target = self.model.plan.by_name[relation.target]
        present = await self._present_items(relation, key)
        for number, row in enumerate(rows, start=len(present)):
            position = {target.position_column: number} if target.position_column else {}
            await self.session.insert(target.name, {**row, relation.remote_field: key, **position})
        return [*present, *rows]

    async def _present_items(self, relation: RelationPlan, key: str) -> list[dict[str, Any]]:
        """The items that an owned list has, in the form in which they are written."""
        target = self.model.plan.by_name[relation.target]
        owner = self.model.plan.by_name[str(target.owned_by)]
        items = Nested(relation.name, Select(target.name, tuple(target.fields_by_name)))
        row = await self.session.get(Select(owner.name, ("id",), relations=(items,)), key)
        documents: list[Document] = row.document[relation.public_name] if row else []
        return self.model.instances.written_rows(target, documents)

    async def _replace_owned(
        self, resource: ResourcePlan, relation: RelationPlan, key: str, rows: list[dict[str, Any]]
    ) -> None:
        await self.session.replace_owned(resource.name, relation.name, key, rows)

    # -- lists of rows that stand by themselves

    async def _lists(self, resource: ResourcePlan, key: str, parts: Parts) -> None:
        for relation in resource.relations:
            verbs = parts.related.get(relation.name)
            if not verbs or relation.kind in ("one", "owned"):
                continue
            if relation.kind == "linked":
                await self._linked(resource, relation, key, verbs)
            else:
                await self._children(resource, relation, key, verbs)

    async def _linked(self, resource: ResourcePlan, relation: RelationPlan, key: str, verbs: dict[str, Any]) -> None:
        target = self.model.plan.by_name[relation.target]
        if "set" in verbs:
            targets = [await self.key(target, wanted) for wanted in many(verbs["set"])]
            await self.session.replace_links(resource.name, relation.name, key, targets)
        if "disconnect" in verbs:
            gone = [await self.key(target, wanted) for wanted in many(verbs["disconnect"])]
            await self.session.unlink(resource.name, relation.name, key, gone)
        new = [await self.key(target, wanted) for wanted in many(verbs.get("connect", ()))]
        new += [await self.create(target, given) for given in many(verbs.get("create", ()))]
        if new:
            await self.session.link(resource.name, relation.name, key, new)

    async def _children(self, resource: ResourcePlan, relation: RelationPlan, key: str, verbs: dict[str, Any]) -> None:
        target = self.model.plan.by_name[relation.target]
        if ("disconnect" in verbs or "set" in verbs) and not target.fields_by_name[relation.remote_field].nullable:
            raise TypeError(
                f"{target.name}.{relation.remote_field} cannot be None, so {resource.name}.{relation.name} cannot be "
                "disconnected or set: delete the rows, or connect them elsewhere"
            )
        if "set" in verbs:
            await self._point(target, relation, None, Compare((relation.remote_field,), "eq", 1), key)
        if "disconnect" in verbs:
            gone = [await self.key(target, wanted) for wanted in many(verbs["disconnect"])]
            await self._point_rows(target, relation, None, gone, only=key)
        wanted = [
            await self.key(target, item) for item in (*many(verbs.get("set", ())), *many(verbs.get("connect", ())))
        ]
        if wanted and await self._point_rows(target, relation, key, wanted) < len(set(wanted)):
            raise ReferenceNotFound(f"{resource.name}.{relation.name}: not every row to connect exists")
        for given in many(verbs.get("create", ())):
            await self.create(target, given, **{relation.remote_field: key})

    async def _point_rows(
        self, target: ResourcePlan, relation: RelationPlan, key: str | None, rows: list[str], only: str | None = None
    ) -> int:
        """Makes the reference of some rows point to a row, or to none."""
        ids = Compare(("id",), "in", 1)
        if only is None:
            return await self._point(target, relation, key, ids, rows)
        mine = Compare((relation.remote_field,), "eq", 2)
        return await self._point(target, relation, key, every((ids, mine)), rows, only)

    async def _point(
        self, target: ResourcePlan, relation: RelationPlan, key: str | None, where: Node, *more: Any
    ) -> int:
        slots = [key, *more]
        changes = [Assignment(relation.remote_field, "set", 0)]
        for name, value in stamp(target, {}, self.model.clock).items():
            changes.append(Assignment(name, "set", len(slots)))
            slots.append(value)
        count, _ = await self.session.modify(Modify(target.name, where, tuple(changes)), slots)
        return count

    async def _locked(self, resource: ResourcePlan, key: str) -> None:
        """Keeps the row until the transaction ends. Raises `NotFound`."""
        if await self.session.get(Select(resource.name, ("id",), lock=True), key) is None:
            raise NotFound(f"There is no such {resource.name}")


def taken_apart(model: DataModel, resource: ResourcePlan, given: Mapping[str, Any]) -> Parts:
    """An author's data by what has to be done with it. Raises `TypeError` and `ValueError` for what does not fit."""
    if not isinstance(given, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"{resource.name} is written from a mapping of its fields, not from {type(given).__name__}")
    parts = Parts()
    for name, value in given.items():
        if name in resource.fields_by_name:
            _take_field(model, resource, resource.fields_by_name[name], value, parts)
        elif name in resource.relations_by_name:
            parts.related[name] = _verbs(resource, resource.relations_by_name[name], value)
        else:
            raise TypeError(
                f"{resource.name} has no field or relation {name!r}; it has "
                f"{', '.join((*resource.fields_by_name, *resource.relations_by_name))}"
            )
    return parts


def _take_field(model: DataModel, resource: ResourcePlan, field: FieldPlan, value: Any, parts: Parts) -> None:
    refuse_counted(resource, field)
    values = model.checks
    if not isinstance(value, Mapping) or not KINDS[field.kind].ordered:
        parts.values[field.name] = values.stored(resource, field, value)
        return
    verbs = cast("Mapping[str, Any]", value)
    verb = next(iter(verbs), None)
    if len(verbs) != 1 or verb not in ARITHMETIC:
        raise TypeError(
            f'{resource.name}.{field.name} takes a value, or one of {", ".join(ARITHMETIC)}: {{"increment": 1}}'
        )
    amount = verbs[verb]
    if verb == "set":
        parts.values[field.name] = values.stored(resource, field, amount)
        return
    if field.kind not in NUMBERS:
        raise TypeError(f"{resource.name}.{field.name} is no number, so it cannot be {verb}ed")
    if amount is None:
        raise TypeError(f"{resource.name}.{field.name}: {verb!r} needs a number")
    exact = field.decimal_places is not None and verb in ("multiply", "divide")
    found = values.checked(resource, field, amount) if exact else values.stored(resource, field, amount)
    if verb == "divide" and not found:
        raise ValueError(f"{resource.name}.{field.name} cannot be divided by 0")
    parts.changes[field.name] = (verb, found)


def _verbs(resource: ResourcePlan, relation: RelationPlan, value: Any) -> dict[str, Any]:
    known = VERBS[relation.kind]
    name = f"{resource.name}.{relation.name}"
    if not isinstance(value, Mapping):
        raise TypeError(f'{name} is a relation: {{"{relation.name}": {{"{known[0]}": …}}}}')
    verbs = dict(cast("Mapping[str, Any]", value))
    unknown = [verb for verb in verbs if verb not in known]
    if unknown:
        raise TypeError(f"{name} takes {', '.join(known)}, not {unknown[0]!r}")
    return verbs


def assignments(model: DataModel, resource: ResourcePlan, parts: Parts, reading: Reading) -> tuple[Assignment, ...]:
    """The changes of an update, in the order of the resource's fields, with the time of the change."""
    stamped = stamp(resource, parts.values, model.clock)
    found: list[Assignment] = []
    for entry in resource.fields:
        if entry.name in parts.changes:
            verb, amount = parts.changes[entry.name]
            found.append(Assignment(entry.name, verb, reading.slot(_amount(entry, verb, amount))))
        elif entry.name in stamped:
            found.append(Assignment(entry.name, "set", reading.slot(stamped[entry.name])))
    return tuple(found)


def _amount(field: FieldPlan, verb: Arithmetic, amount: Any) -> Any:
    """What the slot of a change holds; for the product of a decimal also the fraction, as two whole numbers."""
    if field.decimal_places is not None and verb in ("multiply", "divide"):
        part, whole = Decimal(amount).as_integer_ratio()
        if verb == "divide":
            part, whole = (whole, part) if part > 0 else (-whole, -part)
        return (amount, part, whole)
    return amount


def unique_key(resource: ResourcePlan, key: Mapping[str, Any], visibility: Visibility) -> tuple[str, ...]:
    """The names of a declared unique key. Raises `TypeError` where these fields are none.

    Values are unique within a tenant: across all of them a key has to say whose it is.
    """
    groups = [rule.declared for rule in resource.unique_rules.values()]
    whole = [rule.fields for rule in resource.unique_rules.values()]
    keys = [("id",), *dict.fromkeys(whole if visibility.every else [*groups, *whole])]
    found = next((names for names in keys if set(names) == set(key)), None)
    if found is None:
        shown = " or ".join(" + ".join(names) for names in keys)
        raise TypeError(f"{resource.name} has no unique key of {', '.join(key) or 'nothing'}; it has {shown}")
    return found


def many(wanted: Any) -> Sequence[Any]:
    """One thing or a list of them."""
    return cast("Sequence[Any]", wanted) if isinstance(wanted, Sequence) and not isinstance(wanted, str) else [wanted]


def _id_of(wanted: Any) -> Any:
    """An id from an id, or from a row."""
    return wanted if isinstance(wanted, str) else getattr(wanted, "id", wanted)
