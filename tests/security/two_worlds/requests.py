"""What an attacker sends: the operations of `tests/model`, about rows that they see, rows that they may not, and rows that never were."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from sternpost import Context, implements
from tests.model.contracts import ALL, LISTS_MAX, PUBLIC, SEE, Res, Spec, Value, _policy, lists_in, random_contract
from tests.model.model import Answer, Caller
from tests.model.operations import Generator, Op

from .worlds import Sight

ME = "attacker"
EXPORTS = ("application/x-ndjson", "text/csv")


@dataclass
class Served(Spec):
    """A random contract as it is served here: with exports, with fields that are computed of lists, and with operations of
    an author who names rows without asking who may see them."""

    def text(self) -> str:
        own = [f"    {line}" for res in self.asked for line in _own_operations(res)]
        text = super().text().replace("browse = Browse(", "browse = Browse(export=True, ")
        text = text.replace("    work = Custom(", "\n".join([*own, "    work = Custom("]))
        text = text.replace("class Spot(", f"{WHICH}class Spot(")
        text = text.replace("from sternpost import (", "from sternpost import (\n    count_of, exists_of, latest_of,")
        for res in self.resources:
            begin = f'    """A {res.name.lower()}."""\n\n'
            text = text.replace(begin, begin + "".join(f"    {line}\n" for line in self.computed(res)))
        return text

    def computed(self, res: Res) -> Iterator[str]:
        """What is told of each list whose rows somebody may read, to those who may see what tells it."""
        for rows in res.lists:
            target = self.by_name[rows.target]
            if rows.kind != "owned" and target.reading is None:
                continue
            back = [value for value in target.refs if value.to == res.name and rows.by in (None, value.name)]
            scope = back[0].read if rows.kind == "many" else None
            told = f', read="{scope}"' if scope else ""
            yield f'n_{rows.name}: int = computed(count_of("{rows.name}"){told})'
            for value in self.shown(target, scope)[:2]:
                seen = f', read="{value.read or scope}"' if value.read or scope else ""
                last = f'latest_of("{rows.name}", "{value.name}")'
                yield f"last_{rows.name}_{value.name}: {value.kind} | None = computed({last}{seen})"
                if value.nullable:
                    has = f'exists_of("{rows.name}", where=this.{value.name}.is_null)'
                    yield f"has_{rows.name}_{value.name}: bool = computed({has}{seen})"

    def shown(self, res: Res, scope: str | None) -> list[Value]:
        """The fields of a row of a list that can be told with one scope, those with one of their own first."""
        plain = [
            value
            for value in res.fields
            if value.kind in ("int", "str")
            and value.name != "id"
            and not (value.to or value.auto or value.computed)
            and (scope is None or value.read in (None, scope))
        ]
        return sorted(plain, key=lambda value: value.read is None)

    @property
    def asked(self) -> list[Res]:
        return [res for res in self.main if res.name != "Org"]

    def services(self, module: dict[str, Any]) -> list[Any]:
        return [function for res in self.asked for function in _functions(module, res)]


WHICH = """class Which(Payload):
    row: str


"""


def _own_operations(res: Res) -> list[str]:
    return [
        f'every{res.plural} = Custom(method="GET", on="collection", output=list["{res.name}"], allow=public)',
        f'one{res.name.lower()} = Custom(method="GET", on="collection", input=Which, output="{res.name}", allow=public)',
    ]


def _functions(module: dict[str, Any], res: Res) -> list[Any]:
    """All rows that there are, in the order of their ids, and one."""

    @implements(getattr(module["Sailor"], f"every{res.plural}"))
    async def every(ctx: Context) -> list[Any]:
        return await ctx.repository(module[res.name]).find(order=["id"])

    @implements(getattr(module["Sailor"], f"one{res.name.lower()}"))
    async def one(ctx: Context, which: Any) -> Any:
        return which.row

    return [every, one]


def served(seed: int) -> Served:
    """The contract of a seed, with more to hide: who may not see a row may mostly not do anything else with it."""
    made, rng = random_contract(seed), Random(f"hiding {seed}")
    spec = Served(made.resources, made.tenants)
    for res in spec.main:
        res.spans = []  # which of them are taken says as much as which values are, and no more
        if res.name in ("Org", "Sailor") or rng.random() < 0.2:
            continue
        for value in res.refs:
            if value.nullable and not value.caller and rng.random() < 0.4:
                value.read = SEE  # who refers to whom is hidden
        far = [(str(key.relation), value.name) for key, value in _hidden_behind(spec, res)]
        res.far = rng.sample(far, min(len(far), 4))
        seeing = _policy(rng, spec, res, "read", depth=1)
        for name, policy in res.allow.items():
            if name in ("browse", "read"):
                res.allow[name] = seeing
            elif name == "restore":
                res.allow[name] = ("scope", ALL)
            elif name != "create":
                both = lists_in(seeing) + lists_in(policy) <= LISTS_MAX
                res.allow[name] = seeing if policy == PUBLIC or not both else ("and", seeing, policy)
    return spec


def _hidden_behind(spec: Spec, res: Res) -> Iterator[tuple[Value, Value]]:
    """References to rows that may be hidden, and the fields behind them that a list can be filtered by."""
    for key in res.refs:
        for value in spec.by_name[str(key.to)].fields if key.to not in ("Org", "Sailor") else ():
            if value.filters and not value.to:
                yield key, value


@dataclass
class _Service:
    """What the generator looks at: one of the two worlds, and who calls."""

    model: Sight
    callers: dict[str, Caller]
    answers: dict[Any, Answer] = field(default_factory=dict)


Queries = dict[str, list[list[tuple[str, str]]]]
"""Parameters that were sent before, by what they are for: to make a statement takes longer than to run it."""

QUERIES = 25
"""How many of them are made up for each list."""


class Asker(Generator):
    """Makes up the requests of one attacker to two worlds."""

    def __init__(
        self, spec: Spec, rng: Random, attacker: Caller, sights: tuple[Sight, Sight], queries: Queries
    ) -> None:
        self.queries = queries
        self.rng, self.spec, self.attacker = rng, spec, attacker
        self.ops, self.n = [], 0
        self.sights = sights
        self.service: Any = _Service(sights[0], defaultdict(lambda: attacker))
        self.look_at(sights)
        self.tags: dict[str, str] = {}
        """The ETag of each row that was answered last."""

    def look_at(self, sights: tuple[Sight, Sight]) -> None:
        """Goes on with what is there now."""
        self.sights = sights
        self.ids: dict[str, tuple[list[str], list[str], list[str]]] = {}
        for res in self.spec.main:
            every = sorted({key for sight in sights for key in sight.tables[res.name]})
            known = [key for key in every if key in sights[0].known]
            hidden = [key for key in every if key not in sights[0].known]
            gone = [
                key
                for key in every
                for row in [sights[0].tables[res.name].get(key)]
                if row is not None and row["deleted"]
            ]
            self.ids[res.name] = known, hidden, gone

    def next(self) -> Op:
        """The next request."""
        self.n += 1
        self.service.model = self.rng.choice(self.sights)
        chance = self.rng.random()
        if chance < 0.1:
            return self.batch()
        if chance < 0.15:
            return self.export()
        if chance < 0.22 and (found := self.below()):
            return found
        if chance < 0.27:
            return self.own()
        if chance < 0.33 and (found := self.guess()):
            return found
        return self.rest(ME)

    def below(self) -> Op | None:
        """A list of the rows that belong to another."""
        every = [(res, rows) for res in self.spec.main for rows in res.lists if rows.kind != "owned"]
        if not every:
            return None
        told = [(res, rows) for res, rows in every if rows.by and self.spec.by_name[rows.target].at(rows.by).read]
        res, rows = self.rng.choice(told if told and self.rng.random() < 0.5 else every)
        query = self.query(self.spec.by_name[rows.target])
        return Op(self.n, "nested", ME, res.name, self.some_row(res, ME), rows.name, query=query)

    def own(self) -> Op:
        """An operation of the author's own that answers with rows of a resource."""
        res = self.rng.choice([res for res in self.spec.main if res.name != "Org"])
        if self.rng.random() < 0.4:
            return Op(self.n, "own", ME, "Sailor", name=f"every{res.plural}")
        return Op(self.n, "own", ME, "Sailor", name=f"one{res.name.lower()}", query=[("row", self.some_row(res, ME))])

    def export(self) -> Op:
        res = self.rng.choice([res for res in self.spec.main if res.name != "Org"])
        query = [part for part in self.query(res) if part[0] not in ("page", "pageSize", "cursor", "count")]
        return Op(self.n, "browse", ME, res.name, name=self.rng.choice(EXPORTS), query=query)

    def caller(self) -> str:
        return ME

    # -- the parts that differ from those of the model's operations

    def some_row(self, res: Res, caller: str, deleted: bool = False) -> str:
        known, hidden, gone = self.ids[res.name]
        chance = self.rng.random()
        rows = gone if deleted and chance < 0.6 else known if chance < 0.6 else hidden
        rows = rows or hidden or known
        if not rows or chance > 0.95:
            return f"{res.prefix}_{'f' * 32}"
        return self.rng.choice(rows)

    def some_match(self, res: Res, row: str | None = None) -> Any:
        chance = self.rng.random()
        if res.version is None and chance < 0.9:
            return None
        return "*" if chance < 0.1 else self.tag(res, row) if chance < 0.7 else None

    def read_before(self, res: Res, row: str) -> Any:
        return self.tag(res, row) if self.rng.random() < 0.3 else None

    def tag(self, res: Res, row: str | None) -> str | None:
        """The row's ETag as it was answered, or one with its version, be it hidden or not."""
        if row in self.tags and self.rng.random() < 0.7:
            return self.tags[row]
        kept = next((sight.tables[res.name][row] for sight in self.sights if row in sight.tables[res.name]), None)
        return f'"{kept[res.version] if kept and res.version else 1}-0"'

    def body(self, res: Res, caller: str, *, creating: bool = True, partial: bool = False) -> dict[str, Any]:
        body = super().body(res, caller, creating=creating, partial=partial)
        sailor = str(self.attacker.sub).startswith("sai_")
        if "keeperId" in body and sailor and self.rng.random() < 0.6:
            body["keeperId"] = self.attacker.sub
        return body

    def query(self, res: Res) -> list[tuple[str, str]]:
        return self.again(f"list of {res.name}", lambda: super(Asker, self).query(res))

    def chosen(self, res: Res) -> list[tuple[str, str]]:
        return self.again(f"row of {res.name}", lambda: super(Asker, self).chosen(res))

    def again(self, what: str, make: Callable[[], list[tuple[str, str]]]) -> list[tuple[str, str]]:
        """One of the parameters that are made up for all attackers of a contract."""
        kept = self.queries.setdefault(what, [])
        if len(kept) < QUERIES:
            kept.append(make())
            return list(kept[-1])
        return list(self.rng.choice(kept))

    def own_test(self, res: Res) -> tuple[str, str] | None:
        """Filters over rows that are referred to, mostly."""
        if not res.far or self.rng.random() < 0.3:
            return super().own_test(res)
        relation, name = self.rng.choice(res.far)
        return self.test_of(self.spec.by_name[str(res.at(relation).to)].at(name), f"{relation}.")

    def guess(self) -> Op | None:
        """A list, filtered over rows that are referred to by what a hidden one of these holds."""
        every = [(res, *path) for res in self.spec.main for path in res.far]
        self.rng.shuffle(every)
        for res, relation, name in every:
            target = self.spec.by_name[str(res.at(relation).to)]
            value = target.at(name)
            plain = [operator for operator in value.operators if operator not in ("isNull", "in")]
            left, right = ({key: row[name] for key, row in sight.tables[target.name].items()} for sight in self.sights)
            kept = {
                each
                for key in left | right
                if left.get(key) != right.get(key)
                for each in (left.get(key), right.get(key))
            }
            kept = sorted((each for each in kept if isinstance(each, str | int)), key=repr)
            if kept and plain and value.kind in ("str", "int", "enum"):
                operator = self.rng.choice(plain)
                filtered = f"{relation}.{value.public}" + ("" if operator == "eq" else f"[{operator}]")
                return Op(self.n, "browse", ME, res.name, query=[(filtered, str(self.rng.choice(kept)))])
        return None

    def sort(self, res: Res) -> str:
        if self.rng.random() < 0.25:  # what the list is not sorted by, so that no order tells of it
            veiled = [value for value in res.fields if value.read]
            return self.rng.choice(["", "-"]) + self.rng.choice(veiled or res.fields).public
        return super().sort(res)


def parts(op: Op) -> Iterator[tuple[int | None, Op]]:
    """The operation, or the steps of a batch with their numbers."""
    if op.kind != "batch":
        yield None, op
    else:
        yield from enumerate(op.steps)


def page(op: Op, cursor: str) -> Op:
    """The list of a walk from a cursor on."""
    return replace(op, kind="nested" if op.name else "browse", query=[*op.query, ("cursor", cursor)])
