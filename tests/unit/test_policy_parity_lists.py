"""Policies that look into lists and compare with claims allow the same rows in SQL and row by row, on each database, and
those that a third way of saying it allows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import strategies as st

from sternpost import Contract, Many, One, Owned, Resource, many, one
from sternpost.compile.compiler import compile_contract
from sternpost.pipeline.authorize import RowCheck, fold_for
from sternpost.plan.caller import OfCaller
from sternpost.plan.model import Plan
from sternpost.plan.policy import (
    AllOf,
    AnyOf,
    CallerIs,
    Compare,
    Named,
    Not,
    Outside,
    Owner,
    PolicyNode,
    Scope,
    Through,
)
from sternpost.plan.query import Path, Select, facts_of, in_order
from sternpost.ports.authenticator import Principal
from sternpost.ports.storage import Arguments, Asking, Statistics, Storage
from sternpost.storage.postgresql.database import PostgresqlStorage
from sternpost.storage.sqlite.database import SqliteStorage
from tests.support.rounds import for_drawn, rounds


class User(Resource, prefix="usr", owner="id"):
    name: str | None


class Team(Resource, prefix="tea", soft_delete=True):
    lead: One[User] | None
    members: Many[Member]
    tasks: Many[Task]


class Member(Resource, prefix="mem", soft_delete=True):
    team: One[Team] | None
    user: One[User] | None
    level: int | None


class Label(Resource, prefix="lab"):
    name: str | None


class Part(Resource, prefix="prt"):
    task: One[Task]
    user: One[User] | None
    level: int | None


class Task(Resource, prefix="tsk"):
    team: One[Team] | None
    user: One[User] | None
    parent: One[Task] | None = one()
    children: Many[Task]
    parts: Owned[Part]
    labels: Many[Label] = many(through="task_labels")
    level: int | None
    title: str | None


PLAN: Plan = compile_contract(Contract("lists", resources=[User, Team, Member, Label, Part, Task])).plan
NOW = datetime(2026, 1, 1, tzinfo=UTC)
TITLES = ("a", "b", "ä")


def key(kind: int, number: int) -> str:
    return f"{kind:016x}{number:016x}"


def pick(choices: tuple[Any, ...], number: int) -> Any:
    return (None, *choices)[number % (len(choices) + 1)]


USERS, TEAMS, TASKS = ([key(kind, n) for n in range(count)] for kind, count in ((1, 3), (2, 4), (4, 14)))
ROWS: dict[str, list[dict[str, Any]]] = {
    "User": [{"id": digits, "name": pick(TITLES, n)} for n, digits in enumerate(USERS)],
    "Team": [{"id": digits, "lead_id": pick((USERS[0], USERS[1]), n)} for n, digits in enumerate(TEAMS)],
    "Member": [
        {
            "id": key(3, n),
            "team_id": pick(tuple(TEAMS[:3]), n),
            "user_id": pick(tuple(USERS[:2]), n // 2),
            "level": pick((1, 2, 3), n // 3),
        }
        for n in range(18)
    ],
    "Label": [{"id": key(5, n), "name": pick(TITLES, n)} for n in range(4)],
    "Task": [
        {
            "id": digits,
            "team_id": pick(tuple(TEAMS), n),
            "user_id": pick(tuple(USERS[:2]), n // 2),
            "parent_id": pick(tuple(TASKS[:2]), n) if n > 1 else None,
            "level": pick((1, 2, 3), n // 2),
            "title": pick(TITLES, n),
        }
        for n, digits in enumerate(TASKS)
    ],
}
GONE = {"Team": {TEAMS[2]}, "Member": {key(3, n) for n in (1, 5, 10)}}
"""Rows that are deleted, and kept."""
PARTS = {
    task: [
        {"id": key(6, 10 * n + m), "user_id": pick(tuple(USERS[:2]), n + m), "level": pick((1, 2), m)}
        for m in range(n % 3)
    ]
    for n, task in enumerate(TASKS)
}
LABELS = {task: [key(5, m) for m in range(4) if (n + m) % 3 == 0] for n, task in enumerate(TASKS)}
REFERENCES = {
    ("Task", "team_id"): "Team",
    ("Task", "parent_id"): "Task",
    ("Task", "user_id"): "User",
    ("Team", "lead_id"): "User",
    ("Member", "team_id"): "Team",
    ("Member", "user_id"): "User",
    ("Part", "task_id"): "Task",
    ("Part", "user_id"): "User",
}
PREFIX = {"User": "usr", "Team": "tea", "Task": "tsk"}
LISTS: dict[str, tuple[tuple[Path, str, str], ...]] = {
    "Task": (
        ((), "children", "Task"),
        ((), "parts", "Part"),
        ((), "labels", "Label"),
        (("team_id",), "members", "Member"),
        (("team_id",), "tasks", "Task"),
        (("parent_id", "team_id"), "members", "Member"),
        (("parent_id",), "labels", "Label"),
        (("parent_id",), "parts", "Part"),
    ),
    "Member": ((("team_id",), "tasks", "Task"),),
    "Part": ((("task_id",), "labels", "Label"), (("task_id", "team_id"), "members", "Member")),
    "Label": (),
}
NUMBERS = {"Task": ("level",), "Member": ("level",), "Part": ("level",), "Label": ()}
OWNERS = {
    "Task": (("user_id",), ("team_id", "lead_id")),
    "Member": (("user_id",),),
    "Part": (("user_id",),),
    "Label": (),
}
TEXT = {"Task": "title", "Label": "name"}
LEVEL, LEVELS = OfCaller("claim", "level", "integer"), OfCaller("claim", "levels", "integer", many=True)
WORD = OfCaller("claim", "word", "string")
TEAM = OfCaller("tenant", "", "id", "tea")
OPERATORS = ("eq", "ne", "lt", "gte")


def alive(kind: str, digits: str | None) -> dict[str, Any] | None:
    """A row that there is."""
    if kind == "Part":
        found = [{**part, "task_id": task} for task, parts in PARTS.items() for part in parts if part["id"] == digits]
    else:
        found = [row for row in ROWS[kind] if row["id"] == digits and digits not in GONE.get(kind, ())]
    return found[0] if found else None


def at(kind: str, row: dict[str, Any] | None, path: Path) -> tuple[str, dict[str, Any] | None]:
    for name in path:
        target = REFERENCES[kind, name]
        kind, row = target, None if row is None or row[name] is None else alive(target, row[name])
    return kind, row


def members(kind: str, row: dict[str, Any] | None, relation: str) -> list[tuple[str, dict[str, Any]]]:
    """The rows of a list that there are."""
    if row is None:
        return []
    if relation == "labels":
        return [("Label", found) for digits in LABELS[row["id"]] if (found := alive("Label", digits))]
    if relation == "parts":
        return [("Part", {**part, "task_id": row["id"]}) for part in PARTS[row["id"]]]
    target, field = {"children": ("Task", "parent_id"), "tasks": ("Task", "team_id"), "members": ("Member", "team_id")}[
        relation
    ]
    return [(target, each) for each in ROWS[target] if each[field] == row["id"] and alive(target, each["id"])]


def signs(left: Any, operator: str, right: Any) -> bool:
    if left is None or right is None:
        return False
    order = (left > right) - (left < right)
    return order in {"eq": (0,), "ne": (-1, 1), "lt": (-1,), "gte": (0, 1)}[operator]


class Meaning:
    """What a policy means for a caller, said without the framework."""

    def __init__(self, caller: Principal | None) -> None:
        self.caller = caller

    def value(self, of: OfCaller) -> Any:
        if self.caller is None:
            return None
        if of is TEAM:
            tenant = self.caller.tenant or ""
            return tenant[4:] if tenant.startswith("tea_") and len(tenant) == 36 else None
        found = self.caller.claims.get(of.name)
        wanted = tuple if of.many else str if of is WORD else int
        whole = not of.many or all(type(each) is int for each in found) if type(found) is wanted else False
        return found if whole else None

    def absent(self, node: PolicyNode) -> bool:
        """Whether a policy asks for what the caller does not have."""
        match node:
            case Compare(_, _, OfCaller() as of) | CallerIs(of):
                return self.value(of) is None
            case AllOf(parts) | AnyOf(parts):
                return any(map(self.absent, parts))
            case Not(part) | Named(_, _, part) | Through(_, _, _, part):
                return self.absent(part)
            case _:
                return False

    def holds(self, node: PolicyNode, kind: str, row: Any, outer: Any = None, *, negated: bool = False) -> bool:
        match node:
            case Not(part):
                return self.holds(part, kind, row, outer, negated=not negated)
            case Named(_, _, part):
                return self.holds(part, kind, row, outer, negated=negated)
            case AllOf(parts) | AnyOf(parts):
                every = all if isinstance(node, AllOf) is not negated else any
                return every([self.holds(part, kind, row, outer, negated=negated) for part in parts])
            case Through(path, relation, _, where):
                if negated and self.absent(where):
                    return False
                rows = members(*at(kind, row, path), relation)
                return any(self.holds(where, *each, (kind, row)) for each in rows) is not negated
            case Compare(_, _, OfCaller() as of) | CallerIs(of) if self.value(of) is None:
                return False
            case _:
                return self.leaf(node, kind, row, outer) is not negated

    def leaf(self, node: PolicyNode, kind: str, row: Any, outer: Any) -> bool:
        match node:
            case Scope(name):
                return self.caller is not None and name in self.caller.scopes
            case CallerIs(of, "in", constants):
                return self.value(of) in constants
            case CallerIs(of, operator, constant):
                return signs(self.value(of), operator, constant)
            case Owner(path):
                found = self.at(kind, row, path)
                return self.caller is not None and found is not None and self.caller.subject == f"usr_{found}"
            case Compare(path, "isNull"):
                return self.at(kind, row, path) is None
            case Compare(path, "in", OfCaller() as of):
                return self.at(kind, row, path) in self.value(of) and self.at(kind, row, path) is not None
            case Compare(path, operator, OfCaller() as of):
                return signs(self.at(kind, row, path), operator, self.value(of))
            case Compare(path, operator, Outside(other)):
                return signs(self.at(kind, row, path), operator, self.at(*outer, other))
            case Compare(path, operator, constant):
                return signs(self.at(kind, row, path), operator, constant)
            case _:
                raise AssertionError(node)

    def at(self, kind: str, row: Any, path: Path) -> Any:
        _, found = at(kind, row, path[:-1])
        return None if found is None else found[path[-1]]


def leaves(kind: str, outer: str | None) -> st.SearchStrategy[PolicyNode]:
    found: list[st.SearchStrategy[PolicyNode]] = [
        st.just(Scope("s")),
        st.builds(CallerIs, st.just(LEVEL), st.sampled_from(("eq", "ne")), st.sampled_from((1, 2))),
        st.just(CallerIs(WORD, "in", ("a", "x"))),
    ]
    if OWNERS[kind]:
        found += [st.sampled_from(OWNERS[kind]).map(Owner)] * 2
    if TEXT.get(kind):
        found.append(st.builds(Compare, st.just((TEXT[kind],)), st.sampled_from(("eq", "ne")), st.just(WORD)))
        found.append(st.just(Compare((TEXT[kind],), "isNull")))
    for name in NUMBERS[kind]:
        values = st.one_of(st.sampled_from((1, 2, 3)), st.just(LEVEL))
        found.append(st.builds(Compare, st.just((name,)), st.sampled_from(OPERATORS), values))
        found.append(st.just(Compare((name,), "in", LEVELS)))
        if outer is not None and NUMBERS[outer]:
            found += [
                st.builds(Compare, st.just((name,)), st.sampled_from(OPERATORS), st.just(Outside(("level",))))
            ] * 2
    if outer is not None and OWNERS[kind] and outer in ("Task", "Member", "Part"):
        found += [st.just(Compare(("user_id",), "eq", Outside(("user_id",))))] * 2
    if kind == "Task":
        found.append(st.builds(Compare, st.just(("team_id",)), st.sampled_from(("eq", "ne")), st.just(TEAM)))
        if outer == "Task":
            found.append(st.just(Compare(("team_id",), "eq", Outside(("parent_id", "team_id")))))
    return st.one_of(found)


def trees(kind: str, outer: str | None = None, depth: int = 0) -> st.SearchStrategy[PolicyNode]:
    ends = leaves(kind, outer)
    if depth < 3 and LISTS[kind]:
        into = st.sampled_from(LISTS[kind]).flatmap(
            lambda each: st.builds(
                Through, st.just(each[0]), st.just(each[1]), st.just(each[2]), trees(each[2], kind, depth + 1)
            )
        )
        ends = st.one_of(ends, into, into) if depth else st.one_of(into, into, ends)
    return st.recursive(
        ends,
        lambda parts: st.one_of(
            st.lists(parts, min_size=1, max_size=3).map(lambda chosen: AllOf(tuple(chosen))),
            st.lists(parts, min_size=1, max_size=3).map(lambda chosen: AnyOf(tuple(chosen))),
            parts.map(Not),
        ),
        max_leaves=3 if depth else 4,
    )


claims = st.fixed_dictionaries(
    {},
    optional={
        "level": st.sampled_from((1, 2, "1", True)),
        "levels": st.sampled_from(((1, 2), (), (3,), (1, "2"), 2)),
        "word": st.sampled_from(("a", "b", "", 3)),
    },
)
callers = st.one_of(
    st.none(),
    st.builds(
        Principal,
        st.sampled_from((f"usr_{USERS[0]}", f"usr_{USERS[1]}", "someone")),
        st.frozensets(st.just("s")),
        st.sampled_from((None, f"tea_{TEAMS[0]}", "elsewhere")),
        claims,
    ),
)


@pytest.fixture
async def filled(database: str, database_url: str) -> AsyncIterator[Storage]:
    storage: Storage = (
        SqliteStorage(database_url.removeprefix("sqlite:///"))
        if database == "sqlite"
        else PostgresqlStorage(database_url, pool_size=1)
    )
    await storage.open(PLAN)
    await storage.create_schema()
    async with storage.transaction(Statistics()) as session:
        for kind, rows in ROWS.items():
            for values in rows:
                await session.insert(kind, values)
        for task, parts in PARTS.items():
            await session.replace_owned("Task", "parts", task, parts)
            await session.replace_links("Task", "labels", task, LABELS[task])
        stamp = "'2026-01-01T00:00:00.000000Z'" if database == "sqlite" else "now()"
        for kind, deleted in GONE.items():  # marked by hand, so that what refers to a team stays
            table = PLAN.by_name[kind].table
            for digits in sorted(deleted):
                text = f"UPDATE {table} SET deleted_at = {stamp} WHERE id = :id"
                await session.execute(text, {"id": session.key(kind, digits)})
    yield storage
    await storage.close()


def check() -> RowCheck:
    """The check of tasks, for every value that a policy of this test may look at."""
    paths: set[Path] = {("level",), ("title",), ("team_id",), ("user_id",), ("team_id", "lead_id")}
    fields = {path: PLAN.field_at(PLAN.by_name["Task"], path) for path in paths}
    prefixes = {path: PREFIX[str(field.references)] for path, field in fields.items() if field.references}
    return RowCheck(fields, prefixes)


@pytest.mark.timeout(600)
@rounds(60, 800)
async def test_lists_and_claims_allow_the_same_rows_in_every_way(filled: Storage, rounds: int) -> None:
    sizes: set[int] = set()
    tasks = {task: alive("Task", task) for task in TASKS}

    async def agree(policy: PolicyNode, caller: Principal | None) -> None:
        folded = fold_for(policy, caller)
        asking = Asking(caller.subject if caller else None, NOW, caller)
        listed = await filled.reader().select(
            Select("Task", ("id",), where=folded), Arguments(asking=asking), count=True
        )
        by_sql = {document["id"] for document in listed.documents}
        assert listed.total == len(by_sql)
        meaning = Meaning(caller)
        wanted = {f"tsk_{task}" for task, row in tasks.items() if meaning.holds(policy, "Task", row)}
        assert by_sql == wanted, (policy, caller)
        by_check: set[str] = set()
        query = Select("Task", ("id",), facts=in_order(facts_of(folded)))
        for task in TASKS:
            row = await filled.reader().get(query, task, Arguments(asking=asking))
            assert row is not None
            if check().allows(folded, row.facts, asking):
                by_check.add(row.document["id"])
        assert by_check == wanted, (policy, caller)
        sizes.add(len(by_sql))

    await for_drawn(rounds, agree, trees("Task"), callers)
    assert len(sizes) > 5, "the policies have to tell rows apart"
