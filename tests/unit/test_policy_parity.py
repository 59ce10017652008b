"""Both forms of a policy, the SQL of the storage and the check of one row, allow the same rows: on each database.

What those rows are is said a third time, here: the two forms share how a policy is folded and what an operator does.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Literal

import pytest
from hypothesis import strategies as st

from sternpost import Contract, One, Resource, field, one
from sternpost.compile.compiler import compile_contract
from sternpost.pipeline.authorize import RowCheck, fold_for
from sternpost.plan.model import FieldPlan, Plan
from sternpost.plan.policy import (
    AllOf,
    AnyOf,
    Authenticated,
    Compare,
    Not,
    Now,
    Owner,
    PolicyNode,
    Public,
    Scope,
    ValueAt,
    conditions_on_rows,
)
from sternpost.plan.query import Node, Path, Select, facts_of
from sternpost.ports.authenticator import Principal
from sternpost.ports.storage import Arguments, Asking, Statistics, Storage
from sternpost.storage.postgresql.database import PostgresqlStorage
from sternpost.storage.sqlite.database import SqliteStorage
from tests.support.rounds import for_drawn, rounds

OPERATORS: tuple[Literal["eq", "ne", "gt", "gte", "lt", "lte"], ...] = ("eq", "ne", "gt", "gte", "lt", "lte")
LEVELS = ("low", "mid", "high")


class User(Resource, prefix="usr", owner="id"):
    name: str | None


class Team(Resource, prefix="tea", owner="lead_id"):
    lead: One[User] | None
    budget: Decimal | None = field(decimal_places=2)


class Project(Resource, prefix="prj", owner="team_id"):
    team: One[Team] | None
    contact: str | None
    partner: uuid.UUID | None
    started: datetime | None


class Task(Resource, prefix="tsk", owner="user_id"):
    project: One[Project] | None
    user: One[User] | None
    parent: One[Task] | None = one()
    level: Literal["low", "mid", "high"] | None
    done: bool | None
    hours: int | None
    weight: float | None
    cost: Decimal | None = field(decimal_places=2)
    title: str | None
    due: date | None
    seen: datetime | None


PLAN: Plan = compile_contract(Contract("parity", resources=[User, Team, Project, Task])).plan


def key(kind: int, number: int) -> str:
    """The digits of a fixed row."""
    return f"{kind:016x}{number:016x}"


TEXTS = ("", "a", "b", "B", "ä", "it's", "a%", "z\U0001f600", "\uffee")
INSTANTS = (
    datetime(2026, 1, 1, tzinfo=UTC),
    datetime(2026, 1, 1, 0, 0, 0, 500_000, tzinfo=UTC),
    datetime(2026, 1, 1, 0, 0, 1, tzinfo=UTC),
    datetime(1999, 12, 31, tzinfo=UTC),
)
DAYS = (date(2026, 1, 1), date(2026, 1, 2), date(1999, 12, 31))
AMOUNTS = (Decimal(0), Decimal("-0.01"), Decimal("9.99"), Decimal(10), Decimal("100.5"))
PARTNERS = (uuid.UUID(key(9, 1)), uuid.UUID(key(9, 2)))


def pick(choices: tuple[Any, ...], number: int) -> Any:
    """One of the choices or, in turn, nothing."""
    return (None, *choices)[number % (len(choices) + 1)]


def rows() -> list[tuple[str, dict[str, Any]]]:
    """About forty rows: every value, and nothing in every place."""
    made: list[tuple[str, dict[str, Any]]] = [("User", {"id": key(1, n), "name": pick(TEXTS, n)}) for n in range(4)]
    made += [
        ("Team", {"id": key(2, n), "lead_id": pick((key(1, 0), key(1, 1)), n), "budget": pick(AMOUNTS, n)})
        for n in range(4)
    ]
    made += [
        (
            "Project",
            {
                "id": key(3, n),
                "team_id": pick((key(2, 0), key(2, 1), key(2, 2)), n),
                "contact": pick((f"usr_{key(1, 0)}", "someone", "tsk"), n),
                "partner": pick(PARTNERS, n // 2),
                "started": pick(INSTANTS, n),
            },
        )
        for n in range(8)
    ]
    made += [
        (
            "Task",
            {
                "id": key(4, n),
                "project_id": pick(tuple(key(3, p) for p in range(8)), n),
                "user_id": pick((key(1, 0), key(1, 1)), n // 2),
                "parent_id": pick((key(4, 0), key(4, 1)), n) if n > 1 else None,
                "level": pick(LEVELS, n),
                "done": pick((True, False), n // 3),
                "hours": pick((0, 1, -(2**63), 2**63 - 1, 10), n),
                "weight": pick((0.0, 0.1, -1.5, 1e300), n),
                "cost": pick(AMOUNTS, n // 2),
                "title": pick(TEXTS, n),
                "due": pick(DAYS, n),
                "seen": pick(INSTANTS, n),
            },
        )
        for n in range(26)
    ]
    return made


TASKS = tuple(values["id"] for kind, values in rows() if kind == "Task")

COMPARED: tuple[tuple[Path, tuple[Any, ...]], ...] = (
    (("level",), LEVELS),
    (("done",), (True, False)),
    (("hours",), (0, 1, 10, -(2**63), 2**63 - 1)),
    (("weight",), (0.0, 0.1, -1.5, 1e300, 5e-324)),
    (("cost",), ("0", "9.99", "10.00", "-0.01", "100.5")),
    (("title",), TEXTS),
    (("due",), ("2026-01-01", "1999-12-31")),
    (("seen",), ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00.500000Z", "2026-01-01T01:00:00+01:00")),
    (("project_id", "contact"), ("someone", f"usr_{key(1, 0)}")),
    (("project_id", "started"), ("2026-01-01T00:00:00Z",)),
    (("project_id", "team_id", "budget"), ("9.99", "10.00")),
    (("parent_id", "hours"), (0, 1)),
    (("parent_id", "parent_id", "title"), ("a",)),
    (("user_id", "name"), ("a", "b")),
)
OWNED: tuple[Path, ...] = (
    ("id",),
    ("user_id",),
    ("project_id",),
    ("parent_id", "user_id"),
    ("project_id", "team_id"),
    ("project_id", "team_id", "lead_id"),
    ("project_id", "contact"),
    ("project_id", "partner"),
    ("title",),
    ("parent_id", "parent_id", "user_id"),
    ("parent_id", "project_id", "team_id", "lead_id"),
)
SUBJECTS = (
    f"usr_{key(1, 0)}",
    f"usr_{key(1, 1)}",
    f"usr_{key(1, 9)}",
    f"tea_{key(2, 0)}",
    f"tsk_{key(4, 3)}",
    f"prj_{key(3, 1)}",
    "someone",
    "a",
    "",
    "usr_",
    f"USR_{key(1, 0)}",
    str(PARTNERS[0]),
    PARTNERS[1].hex,
    str(PARTNERS[1]).upper(),
    str(PARTNERS[0]).translate({ord(digit): ord(digit) - ord("0") + 0x0660 for digit in "0123456789"}),
    f"{{{PARTNERS[0]}}}",
    f"urn:uuid:{PARTNERS[0]}",
    f" {PARTNERS[1].hex[1:]}",
    "usr_" + "g" * 32,
    "\U0001f600",
)
SCOPES = ("tasks:read", "tasks:write")

ALIKE: tuple[tuple[Path, Path], ...] = (
    (("hours",), ("parent_id", "hours")),
    (("parent_id", "hours"), ("parent_id", "parent_id", "hours")),
    (("title",), ("user_id", "name")),
    (("user_id",), ("parent_id", "user_id")),
    (("user_id",), ("project_id", "team_id", "lead_id")),
    (("cost",), ("project_id", "team_id", "budget")),
    (("seen",), ("project_id", "started")),
    (("level",), ("parent_id", "level")),
)
"""Values that are kept alike, so that they can be compared."""

TIMES: tuple[Path, ...] = (("seen",), ("project_id", "started"))

compares = st.one_of(
    st.sampled_from(COMPARED).flatmap(
        lambda chosen: st.builds(Compare, st.just(chosen[0]), st.sampled_from(OPERATORS), st.sampled_from(chosen[1]))
    ),
    st.sampled_from(COMPARED).flatmap(
        lambda chosen: st.lists(st.sampled_from(chosen[1]), min_size=1, max_size=3, unique=True).map(
            lambda values: Compare(chosen[0], "in", tuple(values))
        )
    ),
    st.sampled_from([path for path, _ in COMPARED]).map(lambda path: Compare(path, "isNull")),
    st.tuples(st.sampled_from(ALIKE), st.sampled_from(OPERATORS)).map(
        lambda drawn: Compare(drawn[0][0], drawn[1], ValueAt(drawn[0][1]))
    ),
    st.tuples(st.sampled_from(TIMES), st.sampled_from(OPERATORS)).map(lambda drawn: Compare(*drawn, Now())),
)
leaves = st.one_of(
    compares,
    st.sampled_from(OWNED).map(Owner),
    compares,
    st.sampled_from(OWNED).map(Owner),
    st.sampled_from(SCOPES).map(Scope),
    st.just(Authenticated()),
    st.just(Public()),
)
trees: st.SearchStrategy[PolicyNode] = st.recursive(
    leaves,
    lambda parts: st.one_of(
        st.lists(parts, min_size=1, max_size=3).map(lambda chosen: AllOf(tuple(chosen))),
        st.lists(parts, min_size=1, max_size=3).map(lambda chosen: AnyOf(tuple(chosen))),
        parts.map(Not),
    ),
    max_leaves=7,
)
callers = st.one_of(st.none(), st.builds(Principal, st.sampled_from(SUBJECTS), st.frozensets(st.sampled_from(SCOPES))))


def field_at(path: Path) -> FieldPlan:
    """The field at the end of a path from a task."""
    resource = PLAN.by_name["Task"]
    for name in path[:-1]:
        resource = PLAN.by_name[str(resource.fields_by_name[name].references)]
    return resource.fields_by_name[path[-1]]


PATHS = tuple(sorted({path for path, _ in COMPARED} | set(OWNED) | {path for pair in ALIKE for path in pair}))
CHECK = RowCheck(
    {path: field_at(path) for path in PATHS},
    {path: PLAN.by_name[target].prefix for path in PATHS if (target := field_at(path).references)},
)


# -- what a policy means, said without the framework

ROWS = {(kind, values["id"]): values for kind, values in rows()}
TARGETS = {
    "project_id": "Project",
    "user_id": "User",
    "parent_id": "Task",
    "team_id": "Team",
    "lead_id": "User",
}
PREFIX_OF = {"User": "usr", "Team": "tea", "Project": "prj", "Task": "tsk"}
SIGNS = {"eq": (0,), "ne": (-1, 1), "gt": (1,), "gte": (0, 1), "lt": (-1,), "lte": (-1, 0)}


def value_at(kind: str, row: str, path: Path) -> Any:
    """The value at the end of a path, as it was stored; None where a reference on the way is null."""
    *steps, last = path
    for step in steps:
        row = ROWS[kind, row][step]
        if row is None:
            return None
        kind = TARGETS[step]
    return ROWS[kind, row][last]


def prefix_at(path: Path) -> str | None:
    """The prefix of the ids at the end of a path; None where its values are no ids."""
    *steps, last = path
    target = ("Task", *(TARGETS[step] for step in steps))[-1] if last == "id" else TARGETS.get(last)
    return None if target is None else PREFIX_OF[target]


def compared(value: Any, operator: str, constant: Any) -> bool:
    """A comparison with what the contract has. One with nothing does not hold."""
    if value is None:
        return False
    if isinstance(value, Decimal):
        constant = Decimal(constant)
    elif isinstance(value, datetime):
        constant = constant if isinstance(constant, datetime) else datetime.fromisoformat(constant)
    elif isinstance(value, date):
        constant = date.fromisoformat(constant)
    elif isinstance(value, str):
        value, constant = value.encode(), constant.encode()
    return (value > constant) - (value < constant) in SIGNS[operator]


def is_caller(value: Any, prefix: str | None, subject: str | None) -> bool:
    """Whether a value names the caller."""
    if value is None or subject is None:
        return False
    if isinstance(value, uuid.UUID):
        return subject.replace("-", "").lower() == value.hex
    return subject == (value if prefix is None else f"{prefix}_{value}")


def holds(policy: PolicyNode, row: str, subject: str | None, scopes: frozenset[str], *, known: bool) -> bool:
    """Whether a policy allows a task. A negation is the exact complement."""
    match policy:
        case Public():
            return True
        case Authenticated():
            return known
        case Scope(name):
            return name in scopes
        case Owner(path):
            return known and is_caller(value_at("Task", row, path), prefix_at(path), subject)
        case Compare(path, "isNull"):
            return value_at("Task", row, path) is None
        case Compare(path, "in", tuple(constants)):
            return any(compared(value_at("Task", row, path), "eq", constant) for constant in constants)
        case Compare(path, operator, ValueAt(other)):
            right = value_at("Task", row, other)
            return right is not None and compared(value_at("Task", row, path), operator, right)
        case Compare(path, operator, Now()):
            return compared(value_at("Task", row, path), operator, INSTANTS[1])
        case Compare(path, operator, constant):
            return compared(value_at("Task", row, path), operator, constant)
        case AllOf(parts):
            return all(holds(part, row, subject, scopes, known=known) for part in parts)
        case AnyOf(parts):
            return any(holds(part, row, subject, scopes, known=known) for part in parts)
        case Not(part):
            return not holds(part, row, subject, scopes, known=known)


def allowed(
    policy: PolicyNode, subject: str | None, scopes: frozenset[str] = frozenset(), *, known: bool = True
) -> set[str]:
    """The tasks that a policy allows."""
    return {f"tsk_{row}" for row in TASKS if holds(policy, row, subject, scopes, known=known)}


@dataclass
class Filled:
    """A database with the rows, and what a policy has to know about each task."""

    storage: Storage
    facts: dict[str, dict[Path, Any]]

    async def by_sql(self, condition: Node, subject: str | None) -> set[str]:
        """The tasks that the database says the caller may see."""
        query = Select("Task", ("id",), where=condition)
        found = await self.storage.reader().select(query, Arguments(asking=Asking(subject, INSTANTS[1])), count=True)
        assert found.total == len(found.documents)
        return {document["id"] for document in found.documents}

    def by_check(self, condition: Node, subject: str | None) -> set[str]:
        """The tasks that the check of single rows says the caller may see."""
        return {
            row for row, facts in self.facts.items() if CHECK.allows(condition, facts, Asking(subject, INSTANTS[1]))
        }


def on_rows(policy: PolicyNode) -> Node:
    """What a policy asks of a row, for a caller without scopes."""
    return conditions_on_rows(policy, known=True, scopes=frozenset())


@pytest.fixture
async def filled(database: str, database_url: str) -> AsyncIterator[Filled]:
    storage: Storage = (
        SqliteStorage(database_url.removeprefix("sqlite:///"))
        if database == "sqlite"
        else PostgresqlStorage(database_url, pool_size=1)
    )
    await storage.open(PLAN)
    await storage.create_schema()
    async with storage.transaction(Statistics()) as session:
        for kind, values in rows():
            await session.insert(kind, values)
    facts: dict[str, dict[Path, Any]] = {}
    for digits in TASKS:
        row = await storage.reader().get(Select("Task", ("id",), facts=PATHS), digits)
        assert row is not None
        facts[row.document["id"]] = row.facts
    yield Filled(storage, facts)
    await storage.close()


@rounds(100, 2000)
async def test_a_policy_allows_the_same_rows_in_sql_and_row_by_row(filled: Filled, rounds: int) -> None:
    sizes: set[int] = set()

    async def agree(policy: PolicyNode, caller: Principal | None) -> None:
        folded = fold_for(policy, caller)
        assert facts_of(folded) <= set(PATHS)
        subject = caller.subject if caller else None
        by_sql = await filled.by_sql(folded, subject)
        assert by_sql == filled.by_check(folded, subject)
        scopes = caller.scopes if caller else frozenset[str]()
        assert by_sql == allowed(policy, subject, scopes, known=caller is not None), (policy, caller)
        sizes.add(len(by_sql))

    await for_drawn(rounds, agree, trees, callers)
    assert len(sizes) > 10, "the policies have to tell rows apart"


async def test_every_single_node_and_its_negation(filled: Filled) -> None:
    """Each path with each subject, and each comparison with each operator: none is left to chance."""
    single: list[tuple[PolicyNode, str | None]] = [
        (Owner(path), subject) for path in OWNED for subject in (*SUBJECTS, None)
    ]
    single += [
        (Compare(path, operator, constant), None)
        for path, constants in COMPARED
        for operator in OPERATORS
        for constant in constants
    ]
    single += [(Compare(path, "in", tuple(constants[:2])), None) for path, constants in COMPARED]
    single += [(Compare(path, "isNull"), None) for path in PATHS]
    single += [(Compare(path, operator, Now()), None) for path in TIMES for operator in OPERATORS]
    single += [(Compare(left, operator, ValueAt(right)), None) for left, right in ALIKE for operator in OPERATORS]
    for node, subject in single:
        for policy in (node, Not(node)):
            condition = on_rows(policy)
            by_sql = await filled.by_sql(condition, subject)
            assert by_sql == filled.by_check(condition, subject), (policy, subject)
            assert by_sql == allowed(policy, subject), (policy, subject)


async def test_folding_changes_no_answer(filled: Filled) -> None:
    """What depends on the caller alone is decided before; a row is allowed with it exactly where it would be without."""
    caller = Principal(SUBJECTS[0], frozenset({"tasks:read"}))
    cases: dict[PolicyNode, PolicyNode] = {
        AllOf((Scope("tasks:read"), Owner(("user_id",)))): Owner(("user_id",)),
        AnyOf((Scope("tasks:write"), Owner(("user_id",)))): Owner(("user_id",)),
        Not(Not(Owner(("user_id",)))): Owner(("user_id",)),
    }
    for policy, plain in cases.items():
        folded, wanted = fold_for(policy, caller), on_rows(plain)
        assert filled.by_check(folded, caller.subject) == filled.by_check(wanted, caller.subject)
        assert await filled.by_sql(folded, caller.subject) == await filled.by_sql(wanted, caller.subject)
        assert filled.by_check(folded, caller.subject) == allowed(policy, caller.subject, caller.scopes) != set()


async def test_a_policy_and_its_negation_together_allow_every_row(filled: Filled) -> None:
    """And no row twice: a comparison with null, or with a caller who can be no such value, does not hold."""
    policies: list[tuple[PolicyNode, None]] = [(Compare(path, "eq", values[0]), None) for path, values in COMPARED]
    policies += [(Compare(path, "in", tuple(values)), None) for path, values in COMPARED]
    policies += [(Compare(left, "eq", ValueAt(right)), None) for left, right in ALIKE]
    for policy, subject in [*policies, *((Owner(path), subject) for path in OWNED for subject in SUBJECTS)]:
        one, other = [await filled.by_sql(on_rows(each), subject) for each in (policy, Not(policy))]
        assert one | other == {f"tsk_{row}" for row in TASKS}, policy
        assert not one & other, policy
