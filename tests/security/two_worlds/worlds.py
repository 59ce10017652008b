"""What is in a database, what of it an attacker may see (from the documentation alone), and a second world that they cannot tell from it.

The rows are raw: as the database keeps them. The second world is made of the first by changes to what is hidden: rows that
come, go, are deleted or hold other values, and values that a read scope hides. A change is kept where the view stays the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from random import Random
from typing import Any

from tests.model.contracts import Policy, Res, Spec, Value
from tests.model.contracts import parts as parts_of
from tests.model.model import Caller, Model, Row

Pair = tuple[str, str]


@dataclass
class World:
    """All rows of a database: of each table by id, and the pairs of each many-to-many relation."""

    rows: dict[str, dict[str, Row]] = field(default_factory=dict)
    pairs: dict[str, set[Pair]] = field(default_factory=dict)

    def copy(self) -> World:
        """Another one with the same content; rows are changed by replacing them."""
        return World({name: dict(rows) for name, rows in self.rows.items()}, {n: set(p) for n, p in self.pairs.items()})


class Sight(Model):
    """A world as an attacker may see it, after write-a-policy.md, keep-tenants-apart.md, keep-deleted-rows.md and refer-to-rows.md."""

    def __init__(self, spec: Spec, world: World, attacker: Caller) -> None:
        super().__init__(spec)
        self.attacker = attacker
        self.pairs = world.pairs
        for res in spec.main:
            lists = [(rows.name, spec.by_name[rows.target], f"{res.name.lower()}_id") for rows in res.owned]
            for key, raw in world.rows[res.name].items():
                row = {value.name: raw[value.name] for value in res.fields}
                row["deleted"] = raw["deleted_at"] if res.soft else None
                row |= {name: [] for name, _, _ in lists}
                self.tables[res.name][key] = row
            for name, item, back in lists:
                for raw in sorted(world.rows[item.name].values(), key=lambda raw: raw["position"]):
                    self.tables[res.name][raw[back]][name].append(raw)

    def is_id(self, res: Res, text: Any) -> bool:
        return isinstance(text, str) and text.startswith(f"{res.prefix}_")

    def reachable(self, res: Res, row: Row) -> bool:
        """Whether some operation of the attacker reads a row or acts on it: then they may know of it."""
        if self.find(res, row["id"], self.attacker.tenant, deleted=True) is None:
            return False
        if row["deleted"] is not None:
            return "restore" in res.allow and self.fold(res.allow["restore"], self.attacker) is not False
        return any(
            self.holds(policy, res, row, self.attacker, self.attacker.tenant)
            for name, policy in res.allow.items()
            if name != "create"
        )

    @cached_property
    def known(self) -> set[str]:
        """The ids of all rows that the attacker may know of."""
        return {
            row["id"] for res in self.spec.main for row in self.tables[res.name].values() if self.reachable(res, row)
        }

    @cached_property
    def view(self) -> dict[str, Any]:
        """Everything that may decide what the attacker is answered, but for `unavoidable.py`."""
        found: dict[str, Any] = {}
        for res in self.spec.main:
            readable = [v.name for v in res.fields if self.sees(v, self.attacker)]
            for key, row in self.tables[res.name].items():
                if key not in self.known:
                    continue
                shown = [row[name] for name in readable]
                items = [
                    [item[v.name] for v in target.fields if self.sees(v, self.attacker)] + self.verdicts(target, item)
                    for rows in res.owned
                    for target in [self.spec.by_name[rows.target]]
                    for item in row[rows.name]
                ]
                found[key] = shown, items, row["deleted"], self.verdicts(res, row)
        for name, pairs in self.pairs.items():
            found[name] = {pair for pair in pairs if self.known.issuperset(pair)}
        return found

    def verdicts(self, res: Res, row: Row) -> list[Any]:
        """What each part of a policy says that looks at the row: directly, through a reference to it, or in a list.

        What rows of lists hold is declared to decide what callers may do, whoever may read them (ask-lists-and-claims.md).
        """
        return [self.verdict(leaf, res, row) for leaf in leaves_from(self.spec)[res.name]]

    def verdict(self, leaf: Policy, res: Res, row: Row) -> Any:
        tenant = self.attacker.tenant
        if leaf[0] not in ("value", "rows"):
            return self.holds(leaf, res, row, self.attacker, tenant), self.holds(
                leaf, res, row, self.attacker, tenant, negated=True
            )
        found = self._follow(res, row, leaf[1], tenant)
        if found is None:
            return None
        if leaf[0] == "value":
            return found[1][found[0].at(leaf[2]).name]
        rows = self.related(found[0].rows(leaf[2]), found[1], tenant)
        return [list(other.values()) for other in rows]


_LEAVES: dict[int, tuple[Spec, dict[str, list[Policy]]]] = {}


def leaves_from(spec: Spec) -> dict[str, list[Policy]]:
    """For each resource the ends of all policies of the contract that lead through it."""
    if (kept := _LEAVES.get(id(spec))) is not None and kept[0] is spec:
        return kept[1]
    found: dict[str, dict[Policy, None]] = {res.name: {} for res in spec.resources}
    for res in spec.main:
        for policy in res.allow.values():
            _note_leaves(spec, res, None, policy, found)
    _LEAVES.clear()
    _LEAVES[id(spec)] = spec, {name: list(kept) for name, kept in found.items()}
    return _LEAVES[id(spec)][1]


def _note_leaves(
    spec: Spec, res: Res, outside: Res | None, policy: Policy, found: dict[str, dict[Policy, None]]
) -> None:
    """Notes the parts of a policy by the resources of the rows that they look at."""
    for leaf in leaves(policy):
        compared = leaf[4] if leaf[0] == "cmp" else None
        beyond = isinstance(compared, tuple) and compared[:1] == ("outer",)
        if beyond:  # what that comes to depends on both rows
            assert outside is not None
            _note_along(spec, res, ("value", leaf[1], leaf[2]), 1, found)
            _note_along(spec, outside, ("value", compared[1], compared[2]), 1, found)
        elif leaf[0] != "list":
            _note_along(spec, res, leaf, 1, found)
        else:
            _, _, refs, name, inner = leaf
            holder = _end(spec, res, refs)
            target = spec.by_name[holder.rows(name).target]
            if _looks_outside(inner):
                found[res.name][leaf] = None
                _note_along(spec, res, ("rows", refs, name), 1, found)
            else:
                _note_along(spec, res, leaf, 2, found)
            _note_leaves(spec, target, res, inner, found)


def _note_along(spec: Spec, res: Res, leaf: Policy, at: int, found: dict[str, dict[Policy, None]]) -> None:
    """Notes a part for each resource on the way of its references, which are at some place in it."""
    refs = leaf[at]
    for number in range(len(refs) + 1):
        found[_end(spec, res, refs[:number]).name][(*leaf[:at], refs[number:], *leaf[at + 1 :])] = None


def _end(spec: Spec, res: Res, refs: tuple[str, ...]) -> Res:
    for name in refs:
        res = spec.by_name[str(res.at(name).to)]
    return res


def _looks_outside(policy: Policy) -> bool:
    """Whether a condition on the rows of a list compares them with the row outside."""
    if policy[0] == "cmp":
        return isinstance(policy[4], tuple) and policy[4][:1] == ("outer",)
    return policy[0] != "list" and any(map(_looks_outside, parts_of(policy)))


def leaves(policy: Policy) -> Iterator[Policy]:
    """The parts of a policy that look at rows."""
    if policy[0] in ("owner", "cmp", "mine", "list"):
        yield policy
    else:
        for part in parts_of(policy):
            yield from leaves(part)


# -- what can be in a database


def whole(spec: Spec, world: World) -> bool:
    """Whether a world could have come about: keys lead to rows of the same tenant that are not deleted, unique values do not
    repeat, and no row breaks a check."""
    rules = Model(spec)
    return (
        not any(rules.broken(res, row) for res in spec.resources for row in world.rows[res.name].values())
        and all(_refers_well(spec, world, res) for res in spec.resources)
        and all(_unique(res, world) for res in spec.main)
        and all(_links_well(spec, world, name) for name in world.pairs)
    )


def _links_well(spec: Spec, world: World, through: str) -> bool:
    left, right = pair_sides(spec, through)
    ours, theirs = world.rows[left.name], world.rows[right.name]
    return not (left.tenant and right.tenant) or all(
        ours[one][left.tenant] == theirs[other][right.tenant] for one, other in world.pairs[through]
    )


def _refers_well(spec: Spec, world: World, res: Res) -> bool:
    above = spec.by_name[res.owned_by] if res.owned_by else None
    for row in world.rows[res.name].values():
        holder, held = (above, world.rows[above.name][row[f"{above.name.lower()}_id"]]) if above else (res, row)
        for value in res.refs:
            if row[value.name] is None or value.back:
                continue
            target = spec.by_name[str(value.to)]
            other = world.rows[target.name].get(row[value.name])
            if other is None or (target.soft and other["deleted_at"] and not (holder.soft and held["deleted_at"])):
                return False
            if target.tenant and holder.tenant and other[target.tenant] != held[holder.tenant]:
                return False
    return True


def _unique(res: Res, world: World) -> bool:
    for group in groups(res):
        seen: set[Any] = set()
        for row in world.rows[res.name].values():
            values = tuple(res.at(name).told(row[name]) for name in group)
            if None in values or (res.soft and row["deleted_at"]):
                continue
            entry = (row[res.tenant] if res.tenant else None, values)
            if entry in seen:
                return False
            seen.add(entry)
    return True


def groups(res: Res) -> list[tuple[str, ...]]:
    """What may not repeat within a tenant."""
    return [(value.name,) for value in res.fields if value.unique] + res.together


# -- the second world


class Changer:
    """Changes what an attacker may not see."""

    def __init__(self, spec: Spec, world: World, attacker: Caller, rng: Random) -> None:
        self.spec, self.world, self.attacker, self.rng = spec, world.copy(), attacker, rng
        self.sight = Sight(spec, self.world, attacker)
        self.view = self.sight.view
        self.changes: list[str] = []
        self.pool = {
            (res.name, value.name): list({repr(kept): kept for kept in (row[value.name] for row in rows)}.values())
            for res in spec.resources
            if (rows := world.rows[res.name].values())
            for value in res.fields
        }
        self.stamps = [row["deleted_at"] for res in spec.main if res.soft for row in world.rows[res.name].values()]
        self.made = 0

    def change(self, tries: int) -> World:
        """The second world, after that many attempts."""
        kinds: list[Callable[[World], str | None]] = [
            self.value, self.value, self.value, self.key, self.remove, self.add, self.add, self.fall, self.link,
            self.veiled, self.veiled, self.veiled, self.veiled, self.behind, self.behind, self.behind,
        ]  # fmt: skip
        for _ in range(tries):
            after = self.world.copy()
            what = self.rng.choice(kinds)(after)
            if what is None or not whole(self.spec, after):
                continue
            sight = Sight(self.spec, after, self.attacker)
            if sight.view == self.view:
                self.world, self.sight = after, sight
                self.changes.append(what)
        return self.world

    def hidden(self) -> tuple[Res, Row] | None:
        """A row that the attacker may not see."""
        every = [
            (res, row)
            for res in self.spec.main
            for row in self.world.rows[res.name].values()
            if row["id"] not in self.sight.known
        ]
        return self.rng.choice(every) if every else None

    def put(self, after: World, res: Res, row: Row, **values: Any) -> str:
        after.rows[res.name][row["id"]] = {**row, **values}
        return f"{row['id']}: " + ", ".join(f"{name}={value!r}" for name, value in values.items())

    def free(self, res: Res) -> list[Value]:
        """The fields whose values a change may choose."""
        return [v for v in res.fields if v.name != "id" and not v.to and not v.computed and v.auto != "version"]

    def value(self, after: World) -> str | None:
        """Another value of a hidden row's field, its tenant among them."""
        if (found := self.hidden()) is None or not (names := self.free(found[0])):
            return None
        name = self.rng.choice(names).name
        return self.put(after, *found, **{name: self.rng.choice(self.pool[found[0].name, name])})

    def behind(self, after: World) -> str | None:
        """Another value of a hidden row's field by which the rows that refer to it can be filtered."""
        every = [
            (target, self.world.rows[target.name][row[key.name]], name)
            for res in self.spec.main
            for relation, name in res.far
            for key in [res.at(relation)]
            for target in [self.spec.by_name[str(key.to)]]
            for row in self.world.rows[res.name].values()
            if row["id"] in self.sight.known and row[key.name] and row[key.name] not in self.sight.known
        ]
        if not every:
            return None
        target, row, name = self.rng.choice(every)
        return self.put(after, target, row, **{name: self.rng.choice(self.pool[target.name, name])})

    def key(self, after: World) -> str | None:
        """Another row that a hidden one refers to."""
        if (found := self.hidden()) is None or not (refs := found[0].refs):
            return None
        value = self.rng.choice(refs)
        others: list[Any] = [*self.world.rows[str(value.to)], *([None] if value.nullable else [])]
        return self.put(after, *found, **{value.name: self.rng.choice(others)})

    def remove(self, after: World) -> str | None:
        """A hidden row is not there, nor what is part of it."""
        if (found := self.hidden()) is None:
            return None
        res, row = found
        del after.rows[res.name][row["id"]]
        for rows in res.owned:
            items = after.rows[rows.target]
            for key in [key for key, item in items.items() if item[f"{res.name.lower()}_id"] == row["id"]]:
                del items[key]
        for name, pairs in after.pairs.items():
            after.pairs[name] = {pair for pair in pairs if row["id"] not in pair}
        return f"{row['id']} is not there"

    def add(self, after: World) -> str | None:
        """A hidden row more: like one that is there, seen or not, with some other values."""
        res = self.rng.choice([res for res in self.spec.main if res.name not in ("Sailor", "Org")])
        rows = list(self.world.rows[res.name].values())
        if not rows:
            return None
        self.made += 1
        row = {**self.rng.choice(rows), "id": f"{res.prefix}_{'e' * 24}{self.rng.getrandbits(32):08x}"}
        for value in [*self.free(res), *res.refs]:
            if value.unique or any(value.name in group for group in res.together) or self.rng.random() < 0.5:
                row[value.name] = self.rng.choice([*self.pool[res.name, value.name], *self.fresh(value)])
        row |= {value.name: 0 for value in res.fields if value.computed}
        if res.soft:
            row["deleted_at"] = self.rng.choice([None, *self.stamps])
        for name, pairs in after.pairs.items():
            like = self.rng.choice(sorted(pairs) or [("", "")])
            side = 0 if like[0].startswith(f"{res.prefix}_") else 1 if like[1].startswith(f"{res.prefix}_") else None
            if side is not None and self.rng.random() < 0.6:
                after.pairs[name] |= {(row["id"], like[1]) if side == 0 else (like[0], row["id"])}
        return "new: " + self.put(after, res, row, **row)

    def fresh(self, value: Value) -> list[Any]:
        """Values of a unique field that no row may hold yet, of those that requests send."""
        if not value.unique:
            return []
        return {"int": list(range(13)), "str": list("abcdefghij")}.get(value.kind, [])

    def fall(self, after: World) -> str | None:
        """A hidden row is deleted, or is not."""
        found = self.hidden()
        if found is None or not found[0].soft or not any(self.stamps):
            return None
        stamp = None if found[1]["deleted_at"] else next(filter(None, self.stamps))
        return self.put(after, *found, deleted_at=stamp)

    def link(self, after: World) -> str | None:
        """A pair with a hidden row more, or less."""
        for name, pairs in after.pairs.items():
            left, right = pair_sides(self.spec, name)
            if pairs and self.rng.random() < 0.3:
                pair = self.rng.choice(sorted(pairs))
                after.pairs[name] = pairs - {pair}
                return f"not linked: {pair}"
            ours, theirs = list(after.rows[left.name]), list(after.rows[right.name])
            if ours and theirs:
                pair = (self.rng.choice(ours), self.rng.choice(theirs))
                after.pairs[name] = pairs | {pair}
                return f"linked: {pair}" if pair not in pairs else None
        return None

    def veiled(self, after: World) -> str | None:
        """Another value of a field that a read scope hides, in any row."""
        every = [
            (res, value)
            for res in self.spec.resources
            if after.rows[res.name]
            for value in res.fields
            if not self.sight.sees(value, self.attacker)
        ]
        if not every:
            return None
        keys = [(res, value) for res, value in every if value.to]
        res, value = self.rng.choice(keys if keys and self.rng.random() < 0.5 else every)
        row = self.rng.choice(list(after.rows[res.name].values()))
        choice: list[Any] = self.pool[res.name, value.name]
        if value.to:
            choice = [*self.world.rows[value.to], *([None] if value.nullable else [])]
        return self.put(after, res, row, **{value.name: self.rng.choice(choice)})


def pair_sides(spec: Spec, through: str) -> tuple[Res, Res]:
    """The two resources of a many-to-many relation, in the order of its pairs."""
    for res in spec.main:
        for rows in res.lists:
            if rows.through == through and rows.first:
                return res, spec.by_name[rows.target]
    raise AssertionError(through)
