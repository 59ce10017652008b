"""Calls of the data client: made up, carried out by the model, and sent (work-with-data.md, coming-from-prisma.md)."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sternpost import Database
from sternpost.errors import SternpostError

from .compare import differences
from .contracts import LISTS, LOWER, NESTED, Res, Rows, Spec, Value
from .known import LeftOut
from .model import COMPARE, EVERYONE, Answer, Caller, Model, Refused, Row, ordered

if TYPE_CHECKING:
    from .operations import Generator, Op
    from .run import Backend, Difference, Run

NOT_SENT = ("scope", "deleted", "service")
BROKEN = "ConstraintViolated or ReferenceNotFound or Duplicate or Overlapping"
"""A rule of the data is broken; which of several mistakes is told is not documented."""

READS = ("find", "first", "count", "exists", "get", "aggregate")
BINDS = ("create_many", "create", "update", "upsert")
"""Calls after which all rows are compared, since not every new id is told."""


# -- making calls up


class Maker:
    """Makes one call up."""

    def __init__(self, generator: Generator) -> None:
        self.generator = generator
        self.rng = generator.rng
        self.spec = generator.spec
        self.model = generator.model
        callers = generator.service.callers
        self.scope: str | None = None
        if self.spec.tenants:
            self.scope = self.rng.choice([callers["ada"].tenant, callers["ada"].tenant, callers["eve"].tenant])

    def call(self, res: Res | None = None, name: str | None = None) -> Op:
        """A call on some table, for a tenant or (reading) for all."""
        from .operations import Op

        rng = self.rng
        res = res or rng.choice([res for res in self.spec.main if res.name != "Org"])
        name = name or rng.choice(
            ["find"] * 6
            + ["count", "count", "exists", "first", "get", "aggregate", "aggregate"]
            + ["create"] * 4
            + ["create_many", "create_many", "update", "update", "update", "update", "update_many", "update_many"]
            + ["upsert", "delete", "delete_many", "restore"]
        )
        if name == "restore" and not res.soft:
            name = "find"
        if self.spec.tenants and name in READS and rng.random() < 0.2:
            self.scope = EVERYONE
        in_service = self.scope != EVERYONE and rng.random() < 0.3
        arguments = getattr(self, name)(res)
        return Op(
            self.generator.n,
            "data",
            f"data of {self.scope}",
            res.name,
            name=name,
            body={"scope": self.scope, **({"service": True} if in_service else {}), **arguments},
        )

    # -- reading

    def find(self, res: Res) -> dict[str, Any]:
        found: dict[str, Any] = {"where": self.where(res)}
        if self.rng.random() < 0.7:
            found["order"] = self.order(res)
        if self.rng.random() < 0.4:
            found["limit"] = self.rng.randint(0, 3)
        if self.rng.random() < 0.3:
            found["offset"] = self.rng.randint(0, 2)
        if self.rng.random() < 0.4 and (include := self.include(res)):
            found["include"] = include
        if res.soft and self.rng.random() < 0.15:
            found["deleted"] = True
            found.pop("include", None)
        return found

    def first(self, res: Res) -> dict[str, Any]:
        return {"where": self.where(res), "order": self.order(res)}

    def count(self, res: Res) -> dict[str, Any]:
        return {"where": self.where(res)}

    exists = count

    def get(self, res: Res) -> dict[str, Any]:
        return {"key": self.key(res)}

    def key(self, res: Res) -> Any:
        """An id, or the values of a unique key."""
        groups = [] if self.scope == EVERYONE else self.model.groups(res)
        rows = self.model.standing(res, self.scope)
        if groups and rows and self.rng.random() < 0.4:
            group, row = self.rng.choice(groups), self.rng.choice(rows)
            if all(row[name] is not None for name in group) and all(not res.at(name).to for name in group):
                return {name: row[name] for name in group}
        return self.some(res)

    def aggregate(self, res: Res) -> dict[str, Any]:
        numbers = [v.name for v in res.fields if v.kind in ("int", "decimal")]
        plain_values = [
            v.name for v in res.fields if v.kind in ("int", "decimal", "date", "str") and v.name != "opened_by"
        ]
        by = [v.name for v in res.fields if v.kind in ("enum", "bool", "int") and not v.auto]
        found: dict[str, Any] = {"where": self.where(res)}
        if numbers:
            found["sum"] = [self.rng.choice(numbers)]
        if plain_values:
            found[self.rng.choice(["min", "max"])] = [self.rng.choice(plain_values)]
        if by and self.rng.random() < 0.7:
            found["by"] = [self.rng.choice(by)]
        return found

    def where(self, res: Res, depth: int = 0) -> dict[str, Any]:
        rng = self.rng
        found: dict[str, Any] = {}
        for _ in range(rng.choice([0, 1, 1, 2])):
            chance = rng.random()
            lists = [(rows.name, rows.target, rows) for rows in res.lists]
            refs = [(str(v.relation), str(v.to), None) for v in res.refs if not v.back]
            if chance < 0.2 and depth < 2:
                word = rng.choice(["NOT", "OR", "AND"])
                parts = [self.where(res, depth + 1) for _ in range(rng.randint(1, 2))]
                found[word] = parts[0] if word == "NOT" and rng.random() < 0.5 else parts
            elif chance < 0.45 and depth < 2 and (lists or refs):
                name, target, rows = rng.choice(lists + refs)
                inner = self.where(self.spec.by_name[target], depth + 1)
                if rows is not None:
                    found[name] = {rng.choice(["some", "every", "none"]): inner}
                else:
                    found[name] = rng.choice([None, {"is": inner}, {"isNot": inner}, {"isNot": None}])
            else:
                values = [v for v in res.fields if v.kind not in ("json", "map", "spot", "way") and not v.back]
                value = rng.choice(values)
                found[value.name] = self.test(value, res)
        return found

    def test(self, value: Value, res: Res) -> Any:
        rng = self.rng
        operators = ["eq", "ne", "in", "notIn", "isNull"]
        operators += (
            ["gt", "gte", "lt", "lte"] if value.kind in ("int", "float", "decimal", "date", "datetime", "str") else []
        )
        operators += ["contains", "startsWith", "endsWith"] if value.kind == "str" else []
        if value.kind == "bool":
            operators = ["eq", "ne", "isNull"]
        if value.kind in LISTS:
            operators = ["has", "hasAny", "hasAll", "isNull"]
        if value.name == "opened_by":  # it holds ids, whose symbols only compare by being equal
            operators = ["eq", "ne", "in", "notIn"]
        operator = rng.choice(operators)
        if operator == "isNull":
            return {"isNull": rng.random() < 0.5}
        if operator in ("in", "notIn", "hasAny", "hasAll"):
            return {operator: [self.constant(value, res) for _ in range(rng.randint(0, 3))]}
        if operator in ("eq", "ne") and rng.random() < 0.15:
            return {operator: None}
        constant = self.constant(value, res)
        if (
            value.kind == "str"
            and rng.random() < 0.15
            and value.name != "opened_by"
            and operator in ("eq", "ne", "contains")
        ):
            return {operator: constant, "mode": "insensitive"}
        return constant if operator == "eq" and rng.random() < 0.5 else {operator: constant}

    def constant(self, value: Value, res: Res) -> Any:
        from .operations import some_value

        if value.kind in LISTS:
            return self.rng.choice(["a", "ab", "B", "é"] if value.kind == "strs" else [2, 7, -1])
        if value.kind == "id":
            return self.some(self.spec.by_name[value.to] if value.to else res)
        if value.auto in ("created", "updated"):
            return self.model.now
        return some_value(
            self.rng, Value(value.name, value.kind, choices=value.choices, unique=value.unique, nocase=value.nocase)
        )

    def some(self, res: Res, missing: float = 0.05) -> str:
        rows = self.model.standing(res, self.scope) if res.owned_by is None else []
        if not rows or self.rng.random() < missing:
            return f"@999.00.{res.prefix}"
        return self.rng.choice(rows)["id"]

    def order(self, res: Res) -> list[Any]:
        rng = self.rng
        names = [
            v.name
            for v in res.fields
            if v.kind not in ("json", "id", *NESTED) and v.name not in ("opened_by", res.tenant)
        ]
        names += [f"{v.relation}.name" for v in res.refs if not v.back and self.spec.by_name[str(v.to)].value("name")]
        found: list[Any] = []
        for name in rng.sample(names, min(len(names), rng.randint(0, 2))):
            entry = rng.choice(["", "-"]) + name
            found.append({"by": entry, "nulls": rng.choice(["first", "last"])} if rng.random() < 0.25 else entry)
        return found

    def include(self, res: Res) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for rows in res.lists:
            if rows.kind == "owned" or self.rng.random() < 0.5:
                continue
            target = self.spec.by_name[rows.target]
            options: dict[str, Any] = {"order": self.order(target)} if self.rng.random() < 0.5 else {}
            options |= {"limit": self.rng.randint(1, 2)} if self.rng.random() < 0.4 else {}
            options |= {"offset": 1} if self.rng.random() < 0.2 else {}
            options |= {"where": self.where(target, 1)} if self.rng.random() < 0.4 else {}
            found[rows.name] = options or True
        return found

    # -- writing

    def values(self, res: Res, *, partial: bool = False, nested: bool = True) -> dict[str, Any]:
        from .operations import some_value

        rng = self.rng
        found: dict[str, Any] = {}
        for value in res.fields:
            if (
                value.name == "id"
                or value.auto
                or value.computed
                or value.name == res.tenant
                or value.back
                or value.name == "state"
            ):
                continue
            if not ((value.required or value.caller) and not partial and not value.nullable) and rng.random() > (
                0.3 if partial else 0.6
            ):
                continue
            if value.to is None:
                found[value.name] = some_value(rng, value)
            elif value.nullable and rng.random() < 0.3:
                found[value.name] = None
            elif nested and rng.random() < 0.25:
                found[str(value.relation)] = self.reference(self.spec.by_name[value.to])
            else:
                found[value.name] = self.some(self.spec.by_name[value.to])
        return found

    def reference(self, target: Res) -> dict[str, Any]:
        if (
            self.rng.random() < 0.4
            and target.name != "Org"
            and not any(v.name == "id" and v.caller for v in target.fields)
        ):
            return {"create": self.values(target, nested=False)}
        return {"connect": self.some(target)}

    def lists(self, res: Res, *, changing: bool) -> dict[str, Any]:
        rng = self.rng
        found: dict[str, Any] = {}
        for rows in res.lists:
            if rng.random() < 0.6:
                continue
            target = self.spec.by_name[rows.target]
            if rows.kind == "owned":
                verb = rng.choice(["create", "set"]) if changing else "create"
                found[rows.name] = {verb: [self.values(target, nested=False) for _ in range(rng.randint(0, 2))]}
                continue
            verbs: dict[str, Any] = {}
            nullable = rows.kind == "linked" or target.at(str(rows.by)).nullable
            if rng.random() < 0.5:
                verbs["connect"] = [self.some(target) for _ in range(rng.randint(1, 2))]
            if rng.random() < 0.4:
                item = self.values(target, nested=False)
                item.pop(str(rows.by), None)
                verbs["create"] = [item]
            if changing and nullable and rng.random() < 0.3:
                verbs["disconnect"] = [self.some(target, 0)]
            elif changing and nullable and rng.random() < 0.3:
                verbs["set"] = list(dict.fromkeys(self.some(target) for _ in range(rng.randint(0, 2))))
            if verbs:
                found[rows.name] = verbs
        return found

    def create(self, res: Res) -> dict[str, Any]:
        return {"data": {**self.values(res), **(self.lists(res, changing=False) if self.rng.random() < 0.6 else {})}}

    def create_many(self, res: Res) -> dict[str, Any]:
        rows = [self.values(res, nested=False) for _ in range(self.rng.randint(1, 4))]
        return {
            "rows": rows,
            "on_conflict": self.rng.choice(["error", "error", "skip"]),
            "returning": self.rng.random() < 0.5,
        }

    def changes(self, res: Res, nested: bool) -> dict[str, Any]:
        found = self.values(res, partial=True, nested=nested)
        for name in list(found):
            value = res.value(name)
            if value and value.kind in ("int", "decimal") and not value.unique and self.rng.random() < 0.4:
                amount: Any = self.rng.choice([1, 2, -1]) if value.kind == "int" else Decimal("0.25")
                verbs = ["increment", "decrement"] + (["multiply"] if value.kind == "int" else [])
                found[name] = {self.rng.choice(verbs): amount}
        return found

    def update(self, res: Res) -> dict[str, Any]:
        lists = self.lists(res, changing=True) if self.rng.random() < 0.5 else {}
        return {"key": self.key(res), "data": {**self.changes(res, True), **lists}}

    def update_many(self, res: Res) -> dict[str, Any]:
        changes = self.changes(res, False)
        if not changes and not any(v.auto == "updated" for v in res.fields):
            changes = {v.name: self.constant(v, res) for v in res.fields if v.kind == "enum" and not v.auto}
        return {"where": self.where(res), "data": changes}

    def upsert(self, res: Res) -> dict[str, Any]:
        key = self.key(res)
        names = set(key) if isinstance(key, dict) else set()
        make = {name: value for name, value in self.values(res, nested=False).items() if name not in names}
        change = {name: value for name, value in self.changes(res, False).items() if name not in names}
        return {"key": key, "create": make, "update": change}

    def delete(self, res: Res) -> dict[str, Any]:
        return {"key": self.key(res)}

    def delete_many(self, res: Res) -> dict[str, Any]:
        return {"where": self.where(res)}

    def restore(self, res: Res) -> dict[str, Any]:
        gone = [row for row in self.model.standing(res, self.scope, deleted=True) if row["deleted"] is not None]
        return {"key": self.rng.choice(gone)["id"] if gone else self.some(res)}


# -- the model's side


def perform_data(model: Model, op: Op) -> Answer:
    return Answer(200, DataModel(model, op).call())


class DataModel:
    """What the data client gives for a call."""

    def __init__(self, model: Model, op: Op) -> None:
        self.model = model
        self.spec = model.spec
        self.op = op
        self.arguments = op.body
        self.scope: str | None = op.body["scope"]
        self.res = model.spec.by_name[op.resource]
        self.deleted = bool(op.body.get("deleted"))

    def call(self) -> Any:
        return getattr(self, str(self.op.name))()

    def rows(self) -> list[Row]:
        rows = self.model.standing(self.res, self.scope, self.deleted)
        return [row for row in rows if self.fits(self.res, row, self.arguments.get("where") or {})]

    def shown(self, row: Row) -> Any:
        return modelled(self.spec, self.res, row)

    # -- reading

    def find(self) -> Any:
        rows = self.in_order(self.res, self.rows(), self.arguments.get("order", ()))
        start = self.arguments.get("offset", 0)
        rows = rows[start:]
        if self.arguments.get("limit") is not None:
            rows = rows[: self.arguments["limit"]]
        return [{**self.shown(row), **self.included(row)} for row in rows]

    def included(self, row: Row) -> Row:
        found: Row = {}
        for name, given in (self.arguments.get("include") or {}).items():
            rows = self.res.rows(name)
            target = self.spec.by_name[rows.target]
            options = {} if given is True else given
            others = self.model.related(rows, row, self.scope)
            others = [other for other in others if self.fits(target, other, options.get("where") or {})]
            others = self.in_order(target, others, options.get("order", ()))[options.get("offset", 0) :]
            others = others[: options["limit"]] if "limit" in options else others
            found[name] = [modelled(self.spec, target, other) for other in others]
        return found

    def first(self) -> Any:
        rows = self.in_order(self.res, self.rows(), self.arguments["order"])
        return self.shown(rows[0]) if rows else None

    def count(self) -> Any:
        return len(self.rows())

    def exists(self) -> Any:
        return bool(self.rows())

    def get(self) -> Any:
        return self.shown(self.by_key(self.arguments["key"]))

    def by_key(self, key: Any) -> Row:
        """The row with an id or the values of a unique key."""
        if isinstance(key, dict):
            rows = self.model.standing(self.res, self.scope)
            found = next(
                (
                    row
                    for row in rows
                    if all(
                        self.res.at(name).told(row[name]) == self.res.at(name).told(value)
                        for name, value in key.items()
                    )
                ),
                None,
            )
        else:
            found = self.model.find(self.res, key, self.scope)
        if found is None:
            raise Refused(404, "NotFound")
        return found

    def aggregate(self) -> Any:
        by = self.arguments.get("by", [])
        groups: dict[Any, list[Row]] = {} if by else {(): []}
        for row in self.rows():
            groups.setdefault(tuple(row[name] for name in by), []).append(row)
        found: list[Any] = []
        for key, rows in groups.items():
            one: dict[str, Any] = {"by": dict(zip(by, key, strict=True)), "count": len(rows)}
            for function, compute in (("sum", sum), ("min", min), ("max", max)):
                values = {
                    name: [row[name] for row in rows if row[name] is not None]
                    for name in self.arguments.get(function, ())
                }
                one[function] = {name: compute(kept) if kept else None for name, kept in values.items()}
            found.append(one)
        return ordered(found, [(lambda group, name=name: group["by"][name], False, False) for name in by])

    def in_order(self, res: Res, rows: list[Row], order: Any) -> list[Row]:
        keys: list[Any] = []
        for entry in order:
            text, nulls = (entry["by"], entry["nulls"]) if isinstance(entry, dict) else (entry, None)
            descending, path = text.startswith("-"), text.removeprefix("-").split(".")
            keys.append((self.at_path(res, path), descending, nulls == "first" if nulls else descending))
        last = keys[-1][1] if keys else False  # rows that are equal follow the direction of the last entry
        return ordered(rows, [*keys, (lambda row: row["id"], last, False)])

    def at_path(self, res: Res, path: list[str]) -> Any:
        def get(row: Row) -> Any:
            found = self.model._follow(res, row, tuple(path[:-1]), self.scope)
            return None if found is None else found[1][path[-1]]

        return get

    def fits(self, res: Res, row: Row, where: dict[str, Any]) -> bool:
        """Every entry holds; null is a value like others, and `NOT` the exact complement."""
        return all(self.entry(res, row, name, wanted) for name, wanted in where.items())

    def entry(self, res: Res, row: Row, name: str, wanted: Any) -> bool:
        if name in ("AND", "NOT"):
            parts = wanted if isinstance(wanted, list) else [wanted]
            return all(self.fits(res, row, part) for part in parts) is (name == "AND")
        if name == "OR":
            return any(self.fits(res, row, part) for part in wanted)
        if (value := res.value(name)) is not None:
            return self.value_fits(value, row[name], wanted)
        ref = next((value for value in res.refs if value.relation == name), None)
        if ref is not None:
            return self.reference_fits(ref, row, wanted)
        rows = res.rows(name)
        target = self.spec.by_name[rows.target]
        ((quantifier, inner),) = wanted.items()
        held = [self.fits(target, other, inner) for other in self.model.related(rows, row, self.scope, self.deleted)]
        return {"some": any(held), "none": not any(held), "every": all(held)}[quantifier]

    def reference_fits(self, ref: Value, row: Row, wanted: Any) -> bool:
        target = self.model.target(ref)
        if wanted is None:
            return row[ref.name] is None
        ((word, inner),) = wanted.items()
        if inner is None:
            return (row[ref.name] is None) is (word == "is")
        found = self.model.find(target, row[ref.name], self.scope, self.deleted) if row[ref.name] is not None else None
        return (found is not None and self.fits(target, found, inner)) is (word == "is")

    def value_fits(self, value: Value, kept: Any, wanted: Any) -> bool:
        tests = wanted if isinstance(wanted, dict) else {"eq": wanted}
        fold = tests.get("mode") == "insensitive"
        tests = {operator: constant for operator, constant in tests.items() if operator != "mode"}
        if fold:
            kept = kept.translate(LOWER) if kept is not None else None
            tests = {name: None if constant is None else constant.translate(LOWER) for name, constant in tests.items()}
        return all(
            self.test(operator, value.told(kept), value.told(constant))
            if operator in ("eq", "ne", "in", "notIn")
            else self.test(operator, kept, constant)
            for operator, constant in tests.items()
        )

    def test(self, operator: str, kept: Any, constant: Any) -> bool:
        match operator:
            case "isNull":
                return (kept is None) is constant
            case "ne":
                return kept is not None and kept != constant
            case "notIn":
                return kept is not None and kept not in constant
            case "eq":
                return kept == constant
            case _:
                return kept is not None and COMPARE[operator](kept, constant)

    # -- writing

    def create(self) -> Any:
        return self.shown(self.add(self.res, self.arguments["data"]))

    def add(self, res: Res, data: dict[str, Any], **keys: Any) -> Row:
        """A new row with what is nested in it: first what it refers to, then the row, then what refers to it."""
        values = {name: value for name, value in data.items() if res.value(name)} | keys
        values |= self.references(res, data)
        row = self.model.complete(res, values, self.scope)
        self.model.with_items(res, row, {n: v.get("create", []) for n, v in data.items() if isinstance(v, dict)})
        items = {rows.name: data.get(rows.name, {}).get("create", []) for rows in res.owned}
        self.bounds(res, row)
        self.bounds_of_items(res, items)
        self.model.insert(res, row, {**values, **items}, self.scope)
        self.lists(res, row, data)
        return row

    def bounds(self, res: Res, row: Row) -> None:
        """The contract's rules hold because the database keeps them; whether that or another mistake is told is not."""
        for value in res.fields:
            kept = row.get(value.name)
            if kept is None:
                continue
            if value.kind in NESTED:
                continue
            if value.low is not None and not value.low <= kept <= value.high:
                raise Refused(422, BROKEN)
            if value.max_length and len(kept) > value.max_length:
                raise Refused(422, BROKEN)
            if value.kind == "decimal" and abs(kept) >= 10**7:
                raise Refused(422, BROKEN)

    def bounds_of_items(self, res: Res, items: dict[str, list[Row]]) -> None:
        """The same of parts."""
        for rows in res.owned:
            target = self.spec.by_name[rows.target]
            for item in items.get(rows.name, []):
                self.bounds(target, item)

    def references(self, res: Res, data: dict[str, Any]) -> Row:
        found: Row = {}
        for value in res.refs:
            verbs = data.get(str(value.relation))
            if verbs is None or value.back:
                continue
            ((verb, wanted),) = verbs.items()
            found[value.name] = self.add(self.model.target(value), wanted)["id"] if verb == "create" else wanted
        return found

    def lists(self, res: Res, row: Row, data: dict[str, Any]) -> None:
        for rows in res.lists:
            verbs = data.get(rows.name)
            if not verbs or rows.kind == "owned":
                continue
            target = self.spec.by_name[rows.target]
            if rows.kind == "linked":
                self.linked(rows, row, target, verbs)
            else:
                self.children(rows, row, target, verbs)

    def linked(self, rows: Rows, row: Row, target: Res, verbs: dict[str, Any]) -> None:
        through = str(rows.through)
        if "set" in verbs:
            self.there(target, verbs["set"])
            self.model.set_links(rows, row, verbs["set"], self.scope)
        if "disconnect" in verbs:
            pairs = {(row["id"], key) if rows.first else (key, row["id"]) for key in verbs["disconnect"]}
            self.model.pairs[through] = self.model.pairs.get(through, set()) - pairs
        new = list(verbs.get("connect", []))
        new += [self.add(target, item)["id"] for item in verbs.get("create", [])]
        self.there(target, new)
        self.model.set_links(rows, row, new, self.scope, keep=True)

    def there(self, target: Res, keys: list[str]) -> None:
        if any(self.model.find(target, key, self.scope) is None for key in keys):
            raise Refused(422, "ReferenceNotFound")

    def children(self, rows: Rows, row: Row, target: Res, verbs: dict[str, Any]) -> None:
        by = str(rows.by)
        if "set" in verbs:
            for other in self.model.related(rows, row, self.scope):
                other[by] = None
                self.model.touch(target, other)
        for key in dict.fromkeys(verbs.get("disconnect", ())):
            other = self.model.find(target, key, self.scope)
            if other is not None and other[by] == row["id"]:
                other[by] = None
                self.model.touch(target, other)
        for key in dict.fromkeys([*verbs.get("set", ()), *verbs.get("connect", ())]):
            other = self.model.find(target, key, self.scope)
            if other is None:
                raise Refused(422, "ReferenceNotFound")
            other[by] = row["id"]
            self.model.touch(target, other)
            self.unique(target, other)
        for item in verbs.get("create", ()):
            self.add(target, item, **{by: row["id"]})

    def unique(self, res: Res, row: Row) -> None:
        codes = ["Duplicate"] if self.model.taken(res, row) else []
        codes += ["ConstraintViolated"] if self.model.broken(res, row) else []
        codes += ["Overlapping"] if self.model.overlapping(res, row) else []
        if codes:
            raise Refused(409, " or ".join(codes))

    def create_many(self) -> Any:
        made: list[Row] = []
        skip = self.arguments.get("on_conflict") == "skip"
        for data in self.arguments["rows"]:
            row = self.model.complete(self.res, data, self.scope)
            row |= {rows.name: [] for rows in self.res.owned}
            self.model.compute(self.res, row)
            self.bounds(self.res, row)
            row["id"] = "@new"
            if skip and not self.model.broken(self.res, row) and self._is_left_out(row):
                self.model.made += 1  # the id is made, and not used
                continue
            try:
                self.model.insert(self.res, row, data, self.scope)
            except Refused as refused:
                rows = [self.model.complete(self.res, each, self.scope) for each in self.arguments["rows"]]
                codes = {refused.code}
                codes |= {"REFERENCE_NOT_FOUND"} if any(map(self._refers_to_nothing, rows)) else set()
                codes |= {BROKEN} if any(map(self._breaks, rows)) else set()
                codes |= {"DUPLICATE"} if self._repeats(rows) else set()
                codes |= {"OVERLAP"} if any(map(self._overlaps, rows)) else set()
                codes |= {"CONSTRAINT_VIOLATED"} if any(self.model.broken(self.res, each) for each in rows) else set()
                if len(codes) > 1:  # which of several is told is not documented
                    raise Refused(0, " or ".join(sorted(codes))) from None
                raise refused from None
            made.append(row)
        shown = [
            {name: kept for name, kept in self.shown(row).items() if not any(r.name == name for r in self.res.owned)}
            for row in made
        ]
        return shown if self.arguments.get("returning") else len(made)

    def _is_left_out(self, row: Row) -> bool:
        return bool(self.model.taken(self.res, row) or self.model.overlapping(self.res, row))

    def _overlaps(self, row: Row) -> bool:
        row.setdefault("id", "@new")
        return bool(self.res.spans) and bool(self.model.overlapping(self.res, row))

    def _breaks(self, row: Row) -> bool:
        try:
            self.bounds(self.res, row)
        except Refused:
            return True
        return False

    def _repeats(self, rows: list[Row]) -> bool:
        """Whether a unique value is given twice, or is another row's."""
        for number, row in enumerate(rows):
            row["id"] = f"@new {number}"
            if self.model.taken(self.res, row):
                return True
            for group in self.model.groups(self.res):
                told = [tuple(self.res.at(name).told(each[name]) for name in group) for each in (row, *rows[:number])]
                if None not in told[0] and told[0] in told[1:]:
                    return True
        return False

    def _refers_to_nothing(self, row: Row) -> bool:
        return any(not self.model.referable(v, row, self.scope, None) for v in self.res.refs if row[v.name] is not None)

    def changed(self, res: Res, row: Row, data: dict[str, Any]) -> Row:
        """The fields of a change as they come to be."""
        found: Row = {}
        for name, wanted in data.items():
            value = res.value(name)
            if value is None:
                continue
            if isinstance(wanted, dict) and value.kind not in ("json", *NESTED):
                ((verb, amount),) = wanted.items()
                kept = row[name]
                found[name] = (
                    None
                    if kept is None
                    else {"increment": kept + amount, "decrement": kept - amount, "multiply": kept * amount}[verb]
                )
            else:
                found[name] = wanted
        return found

    def update(self) -> Any:
        key, data = self.arguments["key"], self.arguments["data"]
        try:
            row = self.by_key(key)
        except Refused:
            # which is told first, the row that is not there or one that it would refer to or make, is not documented
            raise Refused(404, f"NotFound or {BROKEN}" if self.refers(data) else "NotFound") from None
        values = self.changed(self.res, row, data)
        values |= self.references(self.res, data)
        after = {**row, **values}
        for rows in self.res.owned:
            if rows.name in data:
                kept = row[rows.name] if "create" in data[rows.name] else []
                made = [
                    self.model.complete(self.spec.by_name[rows.target], i, None)
                    for i in next(iter(data[rows.name].values()))
                ]
                after[rows.name] = [*kept, *made]
        self.model.compute(self.res, after)
        items = {rows.name: next(iter(data[rows.name].values())) for rows in self.res.owned if rows.name in data}
        self.bounds(self.res, after)
        self.bounds_of_items(self.res, items)
        self.model.check(self.res, after, {**values, **items}, self.scope, None, writing=set(values))
        row.update(values)
        if data:
            self.model.touch(self.res, row)
        for rows in self.res.owned:
            if rows.name in data:
                keep = row[rows.name] if "create" in data[rows.name] else None
                self.model.place_items(self.res, rows, row, items[rows.name], keep)
        self.lists(self.res, row, data)
        return self.shown(row)

    def refers(self, data: dict[str, Any]) -> bool:
        """Whether a change leads to other rows."""
        return any(value.name in data or str(value.relation) in data for value in self.res.refs)

    def update_many(self) -> Any:
        data = self.arguments["data"]
        if not data and not any(v.auto == "updated" for v in self.res.fields):
            raise Refused(400, "TypeError")
        rows = self.rows()
        values = {value.name: data[value.name] for value in self.res.refs if value.name in data}
        for row in rows:
            row.update(self.changed(self.res, row, data))
            self.model.touch(self.res, row)
        for row in rows:
            self.bounds(self.res, row)
            self.model.check(self.res, row, {}, self.scope, None, writing=set(values))
        return len(rows)

    def upsert(self) -> Any:
        key, make, change = (self.arguments[name] for name in ("key", "create", "update"))
        try:
            row = self.by_key(key)
        except Refused:
            row = None
        if row is None:
            if not isinstance(key, dict):
                raise LeftOut("an id that the caller chooses")
            row = self.add(self.res, {**key, **make})
            return self.shown(row)
        required = [
            v.name
            for v in self.res.fields
            if (v.required or (v.caller and not v.nullable))
            and v.name not in make
            and v.name not in (key if isinstance(key, dict) else {})
            and v.name not in ("id", self.res.tenant)
        ]
        if required:
            raise LeftOut("an upsert that could not create")
        with_key = {**make, **(key if isinstance(key, dict) else {})}
        try:
            self.bounds(self.res, with_key)
            if self.model.broken(self.res, self.model.complete(self.res, with_key, self.scope)):
                raise Refused(422, BROKEN)
        except Refused:
            raise LeftOut("an upsert that could not create") from None
        row.update(self.changed(self.res, row, change))
        if change or any(v.auto == "updated" for v in self.res.fields):
            self.model.touch(self.res, row)
        self.bounds(self.res, row)
        self.model.check(self.res, row, {}, self.scope, None, writing=set(change))
        return self.shown(row)

    def delete(self) -> Any:
        try:
            row = self.by_key(self.arguments["key"])
        except Refused:
            return False
        self.model.remove(self.res, [row])
        return True

    def delete_many(self) -> Any:
        rows = self.rows()
        self.model.remove(self.res, rows)
        return len(rows)

    def restore(self) -> Any:
        row = self.model.find(self.res, self.arguments["key"], self.scope, deleted=True)
        if row is None or row["deleted"] is None:
            raise Refused(404, "NotFound")
        self.model.bring_back(self.res, row)
        return self.shown(row)


CODES = {
    "NotFound": "NotFound",
    "Duplicate": "DUPLICATE",
    "StillReferenced": "STILL_REFERENCED",
    "ReferenceNotFound": "REFERENCE_NOT_FOUND",
    "ConstraintViolated": "CONSTRAINT_VIOLATED",
    "Overlapping": "OVERLAP",
}


# -- the services' side


async def send_data(run: Run, op: Op, expected: Answer) -> Difference | None:
    """Calls the data client of each service."""
    from .run import Difference

    said: list[Any] = []
    for backend in run.backends:
        result = await called(run.spec, backend, op)
        if expected.code is not None:
            codes = set(str(expected.code).split(" or "))
            codes |= {name for name, code in CODES.items() if code in codes}
            problems = (
                []
                if isinstance(result, Failed) and result.name in codes
                else [f"{backend.names.named(result)!r}, expected {expected.code}"]
            )
        elif isinstance(result, Failed):
            problems = [f"{result.name}: {backend.names.named(result.text)}"]
        else:
            problems = differences(expected.data, result, backend.names, "result")
        if problems:
            return Difference(op, f"{backend.kind} and the model differ", problems)
        said.append(result.name if isinstance(result, Failed) else None)
    if (different := run.between(op, said)) is not None:
        return different
    return await run.content(op) if op.name in BINDS and expected.code is None else None


class Failed:
    """What a call raised."""

    def __init__(self, error: Exception) -> None:
        self.name = type(error).__name__
        self.text = str(error)

    def __repr__(self) -> str:
        return f"{self.name}: {self.text}"


def scope_of(spec: Spec, backend: Backend, scope: str | None) -> dict[str, Any]:
    if not spec.tenants:
        return {}
    return {"tenants": "all"} if scope == EVERYONE else {"tenant": backend.names.sent(scope)}


async def called(spec: Spec, backend: Backend, op: Op) -> Any:
    """The result of a call, as the model keeps values."""
    arguments = {
        name: instances(backend.names.sent(value), backend.classes)
        for name, value in op.body.items()
        if name not in NOT_SENT
    }
    results: list[Any] = []

    async def work(db: Database) -> None:
        table = db.table(backend.classes[op.resource])
        table = table.with_deleted() if op.body.get("deleted") else table
        try:
            result = await getattr(table, str(op.name))(*positional(op, arguments), **arguments)
            results.append(result_of(spec, spec.by_name[op.resource], op, result))
        except (SternpostError, TypeError, ValueError) as error:
            results.append(Failed(error))
            raise

    if op.body.get("service"):
        backend.work.todo = work
        tenant = op.body["scope"]
        caller = Caller("service", tenant is not None, "root", frozenset(), tenant)
        answer = await backend.client.post("/api/v1/sailors/work", token=backend.token(caller))
        if (answer.status == 204) is isinstance(results[-1], Failed):
            return f"status {answer.status}, {results[-1]}"
    else:
        with suppress(SternpostError, TypeError, ValueError):
            async with backend.client.app.data(**scope_of(spec, backend, op.body["scope"])) as db:
                await work(db)
    return results[-1]


def instances(value: Any, classes: dict[str, Any]) -> Any:
    """A value with instances of the contract's payloads, which are told by their members; no other value has such."""
    if isinstance(value, list):
        return [instances(item, classes) for item in value]
    if not isinstance(value, dict):
        return value
    if "label" in value:
        return classes["Spot"](**value)
    if value.get("kind") in ("sail", "motor"):
        return classes[value["kind"].capitalize()](**value)
    return {name: instances(item, classes) for name, item in value.items()}


MEMBERS = {"Spot": ("label", "depth"), "Sail": ("kind", "area"), "Motor": ("kind", "fuel", "tanks")}


def plain_value(kept: Any) -> Any:
    """A value of a row without instances of payloads."""
    names = MEMBERS.get(type(kept).__name__)
    return kept if names is None else {name: getattr(kept, name) for name in names}


def positional(op: Op, arguments: dict[str, Any]) -> list[Any]:
    """What a call takes by position; it is taken out of the arguments."""
    names = {
        "get": ["key"],
        "create": ["data"],
        "create_many": ["rows"],
        "update": ["key", "data"],
        "update_many": ["where", "data"],
        "upsert": ["key"],
        "delete": ["key"],
        "restore": ["key"],
        "aggregate": [],
    }.get(str(op.name), ["where"])
    return [arguments.pop(name) for name in names]


def result_of(spec: Spec, res: Res, op: Op, result: Any) -> Any:
    if op.name == "aggregate":
        return [
            {"by": dict(g.by), "count": g.count, "sum": dict(g.sum), "min": dict(g.min), "max": dict(g.max)}
            for g in result
        ]
    if isinstance(result, list):
        if op.name == "create_many":
            return [plain(spec, res, row, owned=False) for row in result]
        return [{**plain(spec, res, row), **included(spec, res, row, op)} for row in result]
    return result if result is None or isinstance(result, bool | int) else plain(spec, res, result)


def included(spec: Spec, res: Res, row: Any, op: Op) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in op.body.get("include") or ():
        target = spec.by_name[res.rows(name).target]
        found[name] = [plain(spec, target, other) for other in getattr(row, name)]
    return found


def plain(spec: Spec, res: Res, row: Any, owned: bool = True) -> dict[str, Any]:
    """An instance of the data client as the model keeps a row."""
    found: dict[str, Any] = {}
    for value in res.fields:
        if value.back:
            continue
        if value.to is not None:
            held = getattr(row, str(value.relation))
            found[value.name] = None if held is None else held.id
        else:
            found[value.name] = plain_value(getattr(row, value.name))
    for rows in res.owned if owned else ():
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
        rows = model.standing(res, EVERYONE, deleted=True)
        found[res.name] = [{**modelled(model.spec, res, row), "deleted": row["deleted"] is not None} for row in rows]
        for relation in res.lists:
            if relation.kind == "linked":
                found[f"{res.name}.{relation.name}"] = {
                    f"row {number}": [other["id"] for other in model.related(relation, row, EVERYONE)]
                    for number, row in enumerate(model.standing(res, EVERYONE))
                }
    return found


async def contents(spec: Spec, backend: Backend) -> dict[str, Any]:
    """The same of a service."""
    found: dict[str, Any] = {}
    async with backend.client.app.data(**scope_of(spec, backend, EVERYONE)) as db:
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
