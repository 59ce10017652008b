"""Random operations of several callers, as data: what is sent, with symbols where ids will be."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID

from .contracts import DO, LISTS, NESTED, SCOPES, SEE, Res, Rows, Spec, Value, within
from .known import LeftOut
from .model import SEVERAL, Answer, Caller, Model, Refused, Row, to_json
from .written import Written

TICK = timedelta(milliseconds=1)
"""How far the clock goes on for each operation."""

OPERATIONS = 25
"""How many operations a seed has, after the rows that it begins with."""


@dataclass
class Op:
    """One operation. `kind` is that of the contract, or `nested`, `walk` (a list by cursor), `batch`, `data`."""

    n: int
    kind: str
    caller: str
    resource: str
    row: str | None = None
    name: str | None = None  # of a transition, of a nested list, of a call of the data client
    body: Any = None
    query: list[tuple[str, str]] = field(default_factory=list)
    match: Any = None  # the number of the operation whose ETag is sent, or "*"
    steps: list[Op] = field(default_factory=list)
    alias: str | None = None
    setup: bool = False

    def __str__(self) -> str:
        parts = [f"{self.n:3} {self.caller}: {self.kind}", self.resource, self.name or "", str(self.row or "")]
        parts.append("?" + "&".join(f"{name}={value}" for name, value in self.query) if self.query else "")
        parts.append(repr(self.body) if self.body is not None else "")
        parts.append(f"If-Match of {self.match}" if self.match is not None else "")
        text = " ".join(part for part in parts if part)
        return "\n".join([text, *(f"      {step}" for step in self.steps)])


CLAIMS: dict[str, dict[str, Any]] = {
    "whole": {
        "plan": "pro",
        "mark": "a",
        "marks": ["a", "B"],
        "level": 2,
        "levels": [2, 7],
        "shade": "red",
        "shades": ["open", "held"],
        "on": True,
        "friend": "@003.00.sai",
        "friends": ["@002.00.sai", "@003.00.sai"],
    },
    "other": {
        "plan": "free",
        "mark": "Ab",
        "marks": [],
        "level": 0,
        "levels": [],
        "shade": "open",
        "shades": ["red"],
        "on": False,
        "friend": "@002.00.sai",
        "friends": [],
    },
    "wrong": {
        "plan": ["pro"],
        "mark": 7,
        "marks": "a",
        "level": "2",
        "levels": [2, "7"],
        "shade": "plaid",
        "shades": [True],
        "on": "true",
        "friend": "bob",
        "friends": ["@002.00.sai", "x"],
    },
    "long": {
        "plan": "team",
        "mark": "x" * 256,
        "marks": ["a"] * 101,
        "level": True,
        "levels": [0, True],
        "shade": "done",
        "shades": ["done", "red"],
        "on": 1,
        "friend": "@999.00.sai",
        "friends": ["@003.00.sai"],
    },
}
"""What tokens say of callers: as policies ask for it, otherwise, of wrong types, and too long. Bob's has none of it."""


def callers(spec: Spec) -> dict[str, Caller]:
    """Who calls: nobody, two sailors, someone of another tenant, someone who may everything, someone of no tenant."""
    north, south = {"text": ("north", "south"), "reference": ("@000.00.org", "@001.00.org")}.get(
        str(spec.tenants), (None, None)
    )
    found = [
        Caller("anonymous"),
        Caller("ada", True, "@002.00.sai", frozenset(), north, CLAIMS["whole"]),
        Caller("bob", True, "@003.00.sai", frozenset({SEE}), north),
        Caller("root", True, "root", frozenset(SCOPES), north, CLAIMS["other"]),
        Caller("eve", True, "@003.00.sai", frozenset({SEE, DO}), south, CLAIMS["wrong"]),
        Caller("nan", True, "a", frozenset({DO}), None, CLAIMS["long"]),
    ]
    return {caller.name: caller for caller in found}


class Service:
    """The model behind the operations: each is carried out whole, or not at all."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.model = Model(spec)
        self.callers = callers(spec)
        self.answers: dict[int, Answer] = {}

    def perform(self, op: Op) -> Answer:
        """What an operation is answered. Raises `LeftOut` where it meets a known difference."""
        from .data import perform_data

        self.model.number, self.model.made = op.n, 0
        self.model.written = Written()
        before = None if op.kind in ("browse", "read", "nested", "walk") else self.model.snapshot()
        try:
            answer = perform_data(self.model, op) if op.kind == "data" else self._perform(op)
        except (Refused, LeftOut) as error:
            if before is not None:
                self.model.go_back(before)
            if isinstance(error, LeftOut):
                raise
            answer = Answer(error.status, code=error.code, paths=error.paths, others=error.others)
        self.answers[op.n] = answer
        return answer

    def _perform(self, op: Op) -> Answer:
        model, caller = self.model, self.callers[op.caller]
        if op.kind == "batch":
            return self._batch(op)
        res = self.spec.by_name[op.resource]
        match = op.match if op.match in (None, "*") else self._version(op.match)
        key = op.row or ""
        if op.kind == "nested" or (op.kind == "walk" and op.name):
            rows = res.rows(str(op.name))
            query = op.query + ([("cursor", "")] if op.kind == "walk" else [])
            return model.browse(self.spec.by_name[rows.target], caller, query, (res, rows, key))
        if op.kind == "walk":
            return model.browse(res, caller, [*op.query, ("cursor", "")])
        match op.kind:
            case "browse":
                return model.browse(res, caller, op.query)
            case "read":
                before = self.answers.get(op.match)
                if before is not None and before.loose:
                    raise LeftOut("the ETag of an answer that is not known whole")
                return model.read(res, caller, key, op.query, before)
            case "create":
                return model.create(res, caller, op.body)
            case "update" | "replace":
                return model.change(res, op.kind, caller, key, op.body, match)
            case "delete":
                return model.delete(res, caller, key, match)
            case "restore":
                return model.restore(res, caller, key)
            case "transition":
                return model.transition(res, str(op.name), caller, key, match)
        raise AssertionError(op.kind)

    def _version(self, number: int) -> int | None:
        answer = self.answers.get(number)
        return answer.version if answer else None

    def whole_list(self, op: Op) -> list[Any]:
        """All rows of a walk: what its pages are together."""
        caller, res = self.callers[op.caller], self.spec.by_name[op.resource]
        target, parent = res, None
        if op.name:
            rows = res.rows(op.name)
            target, parent = self.spec.by_name[rows.target], (res, rows, op.row or "")
        query = self.model.parse(target, op.query, caller, True)
        rows_found = self.model.listed(target, caller, query, parent)
        return [self.model.view(target, row, caller, query.asked, set()) for row in rows_found]

    def _batch(self, op: Op) -> Answer:
        results: list[Answer] = []
        named: dict[str, Any] = {}
        self._caller_of_batch(op)
        for number, step in enumerate(op.steps):
            self.model.written.next_step()
            try:
                sent = Op(**{**vars(step), "row": resolved(step.row, named), "body": resolved(step.body, named)})
                answer = self._perform(sent)
            except Refused as refused:
                paths, *others = (
                    None
                    if each is None
                    else {f"operations.{number}.{path}" for path in each} or {f"operations.{number}"}
                    for each in (refused.paths, *refused.others)
                )
                raise Refused(refused.status, refused.code, paths, filter(None, others)) from None
            results.append(answer)
            if step.alias:
                named[step.alias] = answer.data
        return Answer(200, results, {})

    def _caller_of_batch(self, op: Op) -> None:
        """Before its first step, a batch without a token is refused for the first step that needs a caller."""
        if self.callers[op.caller].known:
            return
        for number, step in enumerate(op.steps):
            operation = str(step.name) if step.kind == "transition" else step.kind
            if self.model.may_nobody(self.spec.by_name[step.resource], operation):
                raise Refused(401, "UNAUTHENTICATED", {f"operations.{number}"})


def resolved(value: Any, named: dict[str, Any]) -> Any:
    """`{"$ref": "a.id"}` is the id of an earlier result of the batch."""
    if isinstance(value, dict):
        if set(value) == {"$ref"}:
            name, _, member = value["$ref"].partition(".")
            if name not in named or not isinstance(named[name], dict) or member not in named[name]:
                raise LeftOut("a reference of a batch to what is not there")
            return named[name][member]
        return {key: resolved(item, named) for key, item in value.items()}
    if isinstance(value, list):
        return [resolved(item, named) for item in value]
    return value


# -- values

TEXTS = ("a", "B", "ab", "Ab", "é", "z%", "a_b", "", "zz", "\U0001f600", "aB c")
POOLS: dict[str, tuple[Any, ...]] = {
    "str": TEXTS,
    "int": (-2, -1, 0, 1, 2, 3, 7),
    "float": (-1.5, 0.0, 0.25, 2.5, 1e10),
    "bool": (True, False),
    "decimal": tuple(map(Decimal, ("-1.00", "0.00", "0.05", "1.10", "9.99", "12.50"))),
    "date": (date(2024, 2, 29), date(2025, 1, 1), date(2025, 1, 2), date(1969, 12, 31)),
    "datetime": (
        datetime(2025, 1, 1, tzinfo=UTC),
        datetime(2025, 1, 1, 0, 0, 0, 500_000, tzinfo=UTC),
        datetime(2025, 1, 1, 0, 0, 0, 123_456, tzinfo=UTC),
        datetime(1970, 1, 1, 12, 30, tzinfo=UTC),
    ),
    "uuid": tuple(UUID(int=number) for number in (0, 7, 2**64, 2**127 + 5)),
    "json": ({"a": [1, None, "x"]}, [], "text", 3, False, {}),
    "strs": ([], ["a"], ["ab", "B"], ["zz", "a"], ["é", "", "a"], ["a", "a"]),
    "ints": ([], [2], [1, 2, 7], [0, -1], [7, 7]),
    "map": ({}, {"a": 1}, {"a": 2, "é b": 0}, {"": 7, "k.k": -1, "z": 3}),
    "spot": ({"label": "a", "depth": 3}, {"label": "é", "depth": -5}, {"label": "", "depth": 1}),
    "way": (
        {"kind": "sail", "area": 5},
        {"kind": "motor", "fuel": "gas", "tanks": [1, 2]},
        {"kind": "motor", "fuel": "", "tanks": []},
    ),
}
SENT: dict[str, tuple[Any, ...]] = {
    "strs": (["x" * 9], ["a"] * 4, ["a", 1], "a"),
    "ints": ([51], [1, "2"], [1] * 4, [True], {}),
    "map": ({"a": 51}, {"a": "x", "b": 1}, {"a": 1, "b": 2, "c": 3, "d": 4}, []),
    "spot": (
        {"label": "b"},
        {"label": "longer"},
        {"depth": 3},
        {"label": "a", "depth": 10},
        {"label": "a", "x": 1},
        "a",
    ),
    "way": (
        {"kind": "motor", "fuel": "oil"},
        {"kind": "motor", "fuel": "longer"},
        {"kind": "sail"},
        {"kind": "sail", "area": 1, "fuel": "gas"},
        {"kind": "oars"},
        {"area": 1},
    ),
}
"""What a client sends of nested values now and then: wrong, or with a part left out."""


def some_value(rng: Random, value: Value) -> Any:
    """A value that a field takes."""
    if value.nullable and rng.random() < 0.25:
        return None
    if value.choices:
        return rng.choice(value.choices)
    if value.name in ("starts", "ends"):
        return rng.randint(0, 6) if value.name == "starts" else rng.randint(5, 12)
    if value.low is not None and value.kind == "int" and rng.random() < 0.97:
        return rng.choice([value.low, 0, 1, 2, 7] if value.low < 0 else [0, 1, 2, 7])
    if value.max_length and value.kind == "str" and rng.random() > 0.97:
        return "x" * (value.max_length + 1)
    if value.unique and value.kind == "int":
        return rng.randint(0, 12)
    if value.unique and value.kind == "str":
        return rng.choice("abcdeABCDE" if value.nocase else "abcdefghij")
    if value.unique and value.kind == "uuid":
        return UUID(int=rng.randint(0, 12))
    return rng.choice(POOLS[value.kind])


def sent_value(rng: Random, value: Value) -> Any:
    """The same as a client sends it."""
    if value.kind in NESTED and rng.random() < 0.12:
        return rng.choice(SENT[value.kind])
    kept = some_value(rng, value)
    if value.kind == "datetime" and kept is not None and rng.random() < 0.3:
        return kept.astimezone().isoformat() if rng.random() < 0.5 else kept.isoformat()
    return to_json(value, kept)


# -- making operations up


class Generator:
    """Makes up operations, with the model beside it to know what there is."""

    def __init__(self, spec: Spec, seed: int) -> None:
        self.rng = Random(f"operations {seed}")
        self.spec = spec
        self.service = Service(spec)
        self.ops: list[Op] = []
        self.n = 0

    @property
    def model(self) -> Model:
        return self.service.model

    def run(self) -> list[Op]:
        self.begin()
        for _ in range(OPERATIONS):
            self.add(self.random_op())
        return self.ops

    def works(self, op: Op) -> bool:
        """Whether an operation would be carried out now; nothing of it is kept."""
        before, answers, now = self.model.snapshot(), dict(self.service.answers), self.model.now
        self.model.now += TICK
        try:
            return self.service.perform(op).status < 400
        except LeftOut:
            return False
        finally:
            self.model.go_back(before)
            self.service.answers, self.model.now = answers, now

    def mostly(self, make: Callable[[], Op], tries: int = 4) -> Op:
        """An operation that is mostly one that works."""
        op = make()
        for _ in range(tries):
            if self.rng.random() < 0.15 or self.works(op):
                break
            op = make()
        return op

    def add(self, op: Op) -> None:
        self.ops.append(op)
        self.n = op.n + 1
        self.model.now += TICK
        with suppress(LeftOut):
            self.service.perform(op)

    def begin(self) -> None:
        """Two tenants, two sailors, and a few rows of each resource."""
        from .data import Maker

        for number, name in enumerate(("north", "south")):
            if self.spec.tenants == "reference":
                self.add(Op(number, "create", "anonymous", "Org", body={"name": name}, setup=True))
        self.n = 2
        sailor = self.spec.by_name["Sailor"]
        for name in ("Ada", "Bob"):
            body = {v.public: sent_value(self.rng, v) for v in sailor.fields if v.required and v.name != "id"}
            body = {
                **body,
                "name": name,
                **{
                    v.public: str(UUID(int=self.n)) if v.kind == "uuid" else body[v.public]
                    for v in sailor.fields
                    if v.unique and v.public in body
                },
            }
            self.add(Op(self.n, "create", "root", "Sailor", body=body, setup=True))
        others = [res for res in self.spec.main if res.name not in ("Org", "Sailor")]
        for res in others * 2:
            self.add(self.mostly(lambda res=res: self.create(res, self.rng.choice(["root", "ada", "bob", "eve"])), 8))
            self.add(self.mostly(lambda res=res: Maker(self).call(res, "create"), 8))  # no policy is asked

    def caller(self) -> str:
        return self.rng.choice(["anonymous", "ada", "ada", "bob", "bob", "root", "root", "eve", "nan"])

    def random_op(self) -> Op:
        from .data import Maker

        rng = self.rng
        chance = rng.random()
        if chance < 0.3:
            return self.mostly(lambda: Maker(self).call())
        if chance < 0.38:
            return self.mostly(self.batch)
        return self.mostly(lambda: self.rest(self.caller()))

    def rest(self, caller: str, in_batch: bool = False) -> Op:
        rng = self.rng
        res = rng.choice([res for res in self.spec.main if res.name != "Org"])
        weights = {"browse": 5, "walk": 2, "read": 3, "create": 3, "update": 6, "replace": 5, "delete": 2, "nested": 3}
        weights |= {"restore": 2, "transition": 4}
        kinds = [kind for kind, weight in weights.items() for _ in range(weight) if self.offered(res, kind)]
        kind = rng.choice(kinds)
        if in_batch and kind in ("walk", "nested"):
            kind = "create"
        if kind == "create":
            return self.create(res, caller)
        lists = [rows for rows in res.lists if rows.kind != "owned"]
        if kind == "nested":
            rows = rng.choice(lists)
            target = self.spec.by_name[rows.target]
            return Op(
                self.n, "nested", caller, res.name, self.some_row(res, caller), rows.name, query=self.query(target)
            )
        if kind == "walk":
            nested = rng.choice(lists) if lists and rng.random() < 0.3 else None
            target = self.spec.by_name[nested.target] if nested else res
            query = [
                (name, value)
                for name, value in self.query(target)
                if name not in ("page", "cursor", "count", "pageSize")
            ]
            query.append(("pageSize", str(rng.randint(1, 3))))
            row = self.some_row(res, caller) if nested else None
            return Op(self.n, "walk", caller, res.name, row, nested.name if nested else None, query=query)
        if kind == "transition":
            name = rng.choice(list(res.moves))
            return Op(self.n, kind, caller, res.name, self.some_row(res, caller), name, match=self.some_match(res))
        if kind == "browse":
            return Op(self.n, kind, caller, res.name, query=self.query(res))
        row = self.some_row(res, caller, deleted=kind == "restore")
        if kind == "read":
            return Op(self.n, kind, caller, res.name, row, query=self.chosen(res), match=self.read_before(res, row))
        if kind in ("update", "replace"):
            body = self.body(res, caller, creating=False, partial=kind == "update")
            return Op(self.n, kind, caller, res.name, row, body=body, match=self.some_match(res, row))
        return Op(self.n, kind, caller, res.name, row, match=None if kind == "restore" else self.some_match(res, row))

    def offered(self, res: Res, kind: str) -> bool:
        """Whether there is such an operation, and something for it to do."""
        match kind:
            case "walk":
                return True
            case "nested":
                return any(rows.kind != "owned" for rows in res.lists)
            case "transition":
                return bool(res.moves)
            case "restore":
                return kind in res.allow and any(row["deleted"] for row in self.model.tables[res.name].values())
            case _:
                return kind in res.allow

    def create(self, res: Res, caller: str) -> Op:
        return Op(self.n, "create", caller, res.name, body=self.body(res, caller))

    def batch(self) -> Op:
        """Operations that refer to each other's results; at most one deletes, since what goes at one instant comes back together."""
        caller = self.caller()
        steps: list[Op] = self.own_writes(caller) if self.rng.random() < 0.4 else []
        for number in range(len(steps), self.rng.randint(1, 4)):
            step = self.rest(caller, in_batch=True)
            if step.kind in ("delete", "restore") and any(other.kind in ("delete", "restore") for other in steps):
                step = self.create(self.spec.by_name[step.resource], caller)
            if step.kind == "transition" or step.match is not None:
                step.match = None
            step.alias = f"s{number}"
            made = [other for other in steps if other.kind == "create"]
            for value in self.spec.by_name[step.resource].refs:
                fitting = [other for other in made if other.resource == value.to]
                if fitting and isinstance(step.body, dict) and value.public in step.body and self.rng.random() < 0.7:
                    step.body[value.public] = {"$ref": f"{fitting[0].alias}.id"}
            same = [other for other in made if other.resource == step.resource]
            if same and step.row is not None and step.kind != "restore" and self.rng.random() < 0.5:
                step.row = {"$ref": f"{same[0].alias}.id"}  # type: ignore[assignment]
            steps.append(step)
        return Op(self.n, "batch", caller, "$batch", steps=steps)

    def own_writes(self, caller: str) -> list[Op]:
        """What a policy looks for in a list is written, and then asked for by the same call (own-writes.md)."""
        every = [
            (res, name, part)
            for res in self.spec.main
            for name, policy in res.allow.items()
            if name in ("update", "delete", "read", "browse")
            for part in within(policy)
            if part[0] == "list"
        ]
        if not every:
            return []
        res, name, part = self.rng.choice(every)
        target = self.spec.by_name[self.model.end(res, part[2]).rows(part[3]).target]
        written = target if target.owned_by is None else self.spec.by_name[target.owned_by]
        kind = self.rng.choice([kind for kind in ("create", "update", "update", "delete") if kind in written.allow])
        body, row = None, None if kind == "create" else self.some_row(written, caller)
        if kind != "delete":
            body = self.body(written, caller, creating=kind == "create", partial=kind == "update")
        steps = [Op(self.n, kind, caller, written.name, row, body=body, alias="s0")]
        if name != "delete" or kind != "delete":
            row = None if name == "browse" else self.some_row(res, caller)
            body = self.body(res, caller, creating=False, partial=True) if name == "update" else None
            steps.append(Op(self.n, name, caller, res.name, row, body=body, alias="s1"))
        return steps

    # -- parts

    def some_row(self, res: Res, caller: str, deleted: bool = False) -> str:
        """The id of a row: mostly one that is there for the caller."""
        rng, who = self.rng, self.service.callers[caller]
        mine = self.model.standing(res, who.tenant, deleted)
        if deleted:
            mine = [row for row in mine if row["deleted"] is not None] or mine
        else:
            mine = [row for row in mine if self.seen(res, row, who)] or mine
        every = [*self.model.tables[res.name].values()]
        rows = mine if mine and rng.random() < 0.85 else every
        if not rows or rng.random() < 0.04:
            return f"@999.00.{res.prefix}"
        return rng.choice(rows)["id"]

    def seen(self, res: Res, row: Row, caller: Caller) -> bool:
        """Whether a caller sees a row."""
        try:
            return res.reading is not None and self.model.holds(res.reading, res, row, caller, caller.tenant)
        except LeftOut:
            return False

    def some_match(self, res: Res, row: str | None = None) -> Any:
        chance = self.rng.random()
        if res.version is None and chance < 0.9:
            return None
        if chance < 0.08:
            return "*"
        if chance < 0.7:
            about = [n for n, answer in self.service.answers.items() if answer.version is not None]
            mine = [
                n
                for n in about
                if row
                and isinstance(self.service.answers[n].data, dict)
                and self.service.answers[n].data.get("id") == row
            ]
            if mine:
                return mine[-1] if self.rng.random() < 0.8 else mine[0]
        return None

    def read_before(self, res: Res, row: str) -> Any:
        found = [
            n
            for n, answer in self.service.answers.items()
            if answer.version and isinstance(answer.data, dict) and answer.data.get("id") == row
        ]
        return found[-1] if found and self.rng.random() < 0.4 else None

    def body(self, res: Res, caller: str, *, creating: bool = True, partial: bool = False) -> dict[str, Any]:
        """What a client sends; now and then something is wrong with it."""
        rng = self.rng
        writes = ("always", "create") if creating else ("always",)
        body: dict[str, Any] = {}
        scopes = self.service.callers[caller].scopes
        for value in res.fields:
            if (
                value.name == "id"
                or value.auto
                or value.computed
                or value.write not in writes
                or value.name == res.tenant
            ):
                continue
            if value.read and value.read not in scopes and not value.required and rng.random() < 0.9:
                continue
            if (value.required and not partial) or rng.random() < (0.35 if partial else 0.7):
                body[value.public] = self.key(value, caller) if value.to else sent_value(rng, value)
                if value.name == "opened_by" and rng.random() < 0.7:
                    body[value.public] = self.service.callers[caller].sub or "a"
                if (
                    value.name == "keeper_id"
                    and rng.random() < 0.6
                    and str(self.service.callers[caller].sub).endswith(".sai")
                ):
                    body[value.public] = self.service.callers[caller].sub
        for rows in res.lists:
            chance = 0.3 if partial else 0.6 if creating else 0.4
            if rows.kind == "linked" and creating:
                chance = 0.9
            if rows.kind != "many" and rows.write != "never" and rng.random() < chance:
                body[rows.input] = self.list_body(rows, caller)
        if rng.random() < 0.05:
            name = rng.choice([*body, "nope", "id", "createdAt", "version", "total", *(v.public for v in res.fields)])
            body[name] = rng.choice([[], {"x": 1}]) if name != "extra" else "x"
        return body

    def list_body(self, rows: Rows, caller: str) -> list[Any]:
        target = self.spec.by_name[rows.target]
        if rows.kind == "linked":
            return list(dict.fromkeys(self.some_row(target, caller) for _ in range(self.rng.choice([0, 1, 1, 2, 3]))))
        return [self.body_of_item(target, caller) for _ in range(self.rng.randint(0, 3))]

    def body_of_item(self, item: Res, caller: str) -> dict[str, Any]:
        body: dict[str, Any] = {}
        for value in item.fields:
            if value.name == "id" or value.write == "never" or (value.read and self.rng.random() < 0.9):
                continue
            if value.required or self.rng.random() < 0.5:
                body[value.public] = self.key(value, caller) if value.to else sent_value(self.rng, value)
        return body

    def key(self, value: Value, caller: str) -> str | None:
        rows = self.model.standing(self.spec.by_name[str(value.to)], self.service.callers[caller].tenant)
        if value.nullable and self.rng.random() < (0.3 if rows else 0.9):
            return None
        return self.some_row(self.spec.by_name[str(value.to)], caller)

    def query(self, res: Res) -> list[tuple[str, str]]:
        """Parameters of a list."""
        rng = self.rng
        found: dict[str, str] = {}
        for _ in range(rng.choice([0, 0, 1, 1, 2])):
            if test := self.own_test(res):
                found[test[0]] = test[1]
        for _ in range(rng.choice([2, 3, 4]) if res.or_groups and rng.random() < 0.25 else 0):
            if test := self.own_test(res):
                found[f"or.{rng.choice('ab' if rng.random() < 0.95 else 'abc')}.{test[0]}"] = test[1]
        if res.sort and rng.random() < 0.5:
            found["sort"] = self.sort(res)
        if res.search and rng.random() < 0.2:
            found["search"] = self.words(res)
        chance = rng.random()
        if chance < 0.15:
            found["cursor"] = ""
            if rng.random() < 0.5:
                found["count"] = "true"
        elif chance < 0.35:
            found["page"] = str(rng.choice([1, 2, 2, 3]))
        if rng.random() < 0.4:
            found["pageSize"] = str(rng.choice([1, 2, 3, 5, 101] if rng.random() < 0.2 else [1, 2, 3, 5]))
        found.update(self.chosen(res))
        items = list(found.items())
        rng.shuffle(items)
        return items

    def words(self, res: Res) -> str:
        """What is searched for: the beginnings of texts, which may hold no word, or too many."""
        texts = (self.text(res.at(self.rng.choice(res.search))) for _ in range(self.rng.choice([1, 1, 1, 2])))
        return " ".join(text[: self.rng.choice([1, 1, 2, 3, 300])] for text in texts)

    def sort(self, res: Res) -> str:
        names = self.rng.sample(res.sort, self.rng.randint(1, min(2, len(res.sort))))
        return ",".join(self.rng.choice(["", "-"]) + res.at(name).public for name in names)

    def own_test(self, res: Res) -> tuple[str, str] | None:
        """A filter of a list: of its own rows, or of those that they refer to."""
        if not res.far or self.rng.random() < 0.6:
            return self.test(res)
        relation, name = self.rng.choice(res.far)
        return self.test_of(self.spec.by_name[str(res.at(relation).to)].at(name), f"{relation}.")

    def test(self, res: Res, prefix: str = "") -> tuple[str, str] | None:
        values = [value for value in res.fields if value.filters and "browse" in res.allow]
        if not values:
            return None
        return self.test_of(self.rng.choice(values), prefix)

    def test_of(self, value: Value, prefix: str = "") -> tuple[str, str]:
        operator = self.rng.choice(value.operators)
        name = f"{prefix}{value.public}" + ("" if operator == "eq" else f"[{operator}]")
        if operator == "isNull":
            return name, self.rng.choice(["true", "false"])
        texts = [self.text(value) for _ in range(self.rng.randint(1, 3) if operator in SEVERAL else 1)]
        return name, ",".join(texts)

    def text(self, value: Value) -> str:
        """A value as the text of a parameter."""
        if value.to:
            return self.some_row(self.spec.by_name[value.to], "root")
        if value.auto in ("created", "updated"):
            return to_json(value, self.model.now)
        if value.kind in LISTS:
            return str(self.rng.choice(["a", "ab", "B", "é"] if value.kind == "strs" else [2, 7, -1]))
        plain = Value(value.name, value.kind, choices=value.choices, unique=value.unique, nocase=value.nocase)
        kept = to_json(plain, some_value(self.rng, plain))
        return {True: "true", False: "false"}[kept] if isinstance(kept, bool) else str(kept)

    def chosen(self, res: Res) -> list[tuple[str, str]]:
        """Includes and fields."""
        rng = self.rng
        found: dict[str, str] = {}
        paths = [path for path in (self.path(res) for _ in range(rng.choice([0, 0, 1, 2]))) if path]
        if paths:
            found["include"] = ",".join(dict.fromkeys(path for path, _ in paths))
        for path, rows in paths:
            if rows is None or rows.kind == "owned" or rng.random() < 0.5:
                continue
            target = self.spec.by_name[rows.target]
            if rng.random() < 0.4:
                found[f"{path}.limit"] = str(rng.randint(1, 3 if rows.most > 2 else 2))
            if target.sort and rng.random() < 0.4:
                found[f"{path}.sort"] = self.sort(target)
            if rng.random() < 0.4 and (test := self.test(target, f"{path}.")):
                found[test[0]] = test[1]
        if rng.random() < 0.2:
            names = [rng.choice(res.fields).public for _ in range(2)]
            for path, _ in paths:
                target = self.at_path(res, path)
                names.append(rng.choice([path, f"{path}.{rng.choice(target.fields).public}"]))
            found["fields"] = ",".join(dict.fromkeys(names))
        return list(found.items())

    def path(self, res: Res, depth: int = 0) -> tuple[str, Rows | None] | None:
        every: list[tuple[str, str, Rows | None]] = [(str(v.relation), str(v.to), None) for v in res.refs if not v.back]
        every += [(rows.public, rows.target, rows) for rows in res.lists]
        if not every:
            return None
        name, target, rows = self.rng.choice(every)
        if depth < 2 and self.rng.random() < 0.3 and (below := self.path(self.spec.by_name[target], depth + 1)):
            return f"{name}.{below[0]}", below[1]
        return name, rows

    def at_path(self, res: Res, path: str) -> Res:
        for part in path.split("."):
            value = next((value for value in res.refs if value.relation == part), None)
            rows = next((rows for rows in res.lists if rows.public == part), None)
            res = self.spec.by_name[str(value.to) if value else rows.target]  # type: ignore[union-attr]
        return res
