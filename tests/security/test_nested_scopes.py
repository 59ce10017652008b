"""Read scopes at every depth of random contracts: whoever asked before, each caller gets what their scopes allow."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from sternpost import Settings, Sternpost
from sternpost.testing import Client

SCOPES = ("s:a", "s:b", "s:c", "s:d")
CONTRACTS = 12
CALLS = 60
DEPTH = 3
PATHS_MAX = 8

_HEAD = """from __future__ import annotations
from sternpost import Browse, Contract, Create, Many, One, Owned, Read, Resource, field, many, one, public, scope
"""


@dataclass
class Part:
    """A resource of a random contract.

    Attributes:
        fields: by name, the scope that reads it, or None.
        references: by relation, the resource that it leads to and the scope that reads it.
        lists: by relation, the resource that refers back, and by which of its relations.
        items: the resource of its owned list, or None.
        policy: the scope that reads its rows, or None for everybody.
    """

    name: str
    fields: dict[str, str | None] = field(default_factory=dict[str, str | None])
    references: dict[str, tuple[str, str | None]] = field(default_factory=dict[str, tuple[str, str | None]])
    lists: dict[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    items: str | None = None
    policy: str | None = None


def some_contract(rng: random.Random) -> dict[str, Part]:
    def scope() -> str | None:
        return rng.choice((None, *SCOPES))

    def fields() -> dict[str, str | None]:
        return {f"f{number}": scope() for number in range(rng.randint(1, 4))}

    names = [f"R{number}" for number in range(rng.randint(2, 4))]
    parts = {name: Part(name, fields(), policy=rng.choice((None, None, scope()))) for name in names}
    for place, name in enumerate(names):
        for number in range(rng.randint(1, 2)):
            target = rng.choice(names[: place + 1])  # a ring of tables cannot be created at once
            parts[name].references[f"to{number}"] = (target, scope())
            if rng.random() < 0.7:
                parts[target].lists[f"back_{name.lower()}_{number}"] = (name, f"to{number}")
        if rng.random() < 0.7:
            items = parts[f"{name}Item"] = Part(f"{name}Item", fields())
            if place and rng.random() < 0.6:
                items.references["about"] = (rng.choice(names[:place]), scope())
            parts[name].items = items.name
    return parts


def source(parts: dict[str, Part]) -> str:
    lines = [_HEAD]
    owner_of = {part.items: part.name for part in parts.values() if part.items}
    for number, part in enumerate(parts.values()):
        lines.append(f'class {part.name}(Resource, prefix="r{chr(97 + number)}"):')
        if part.name in owner_of:
            lines.append(f"    owner: One[{owner_of[part.name]}]")
        lines += [f'    {name}: str = field(default="v", read={scope!r})' for name, scope in part.fields.items()]
        for name, (target, scope) in part.references.items():
            lines.append(f"    {name}: One[{target}] | None = one(read={scope!r})")
        lines += [f'    {name}: Many[{other}] = many(by="{by}")' for name, (other, by) in part.lists.items()]
        if part.items:
            lines.append(f"    items: Owned[{part.items}]")
        if part.name not in owner_of:
            allow = "public" if part.policy is None else f"scope({part.policy!r})"
            lines += [f"    read = Read(allow={allow})", f"    browse = Browse(allow={allow})"]
    lines.append(f'contract = Contract("nested", resources=[{", ".join(parts)}])')
    return "\n".join(lines)


def contract_of(text: str) -> Any:
    module = sys.modules["nested_contract"] = type(sys)("nested_contract")  # where annotations are looked up
    exec(compile(text, "nested_contract.py", "exec"), vars(module))
    return module.contract


def camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def some_include(rng: random.Random, parts: dict[str, Part], part: Part, depth: int) -> dict[str, Any]:
    """Relations to include, each with what is included below."""
    found: dict[str, Any] = {}
    for name, target in [
        *((n, t) for n, (t, _) in part.references.items()),
        *((n, t) for n, (t, _) in part.lists.items()),
    ]:
        if depth and rng.random() < 0.5:
            found[name] = some_include(rng, parts, parts[target], depth - 1)
    return found


def paths(tree: dict[str, Any], before: str = "") -> list[str]:
    return [
        path
        for name, below in tree.items()
        for path in (before + camel(name), *paths(below, f"{before}{camel(name)}."))
    ]


def holds(scope: str | None, scopes: frozenset[str]) -> bool:
    return scope is None or scope in scopes


def is_allowed(parts: dict[str, Part], part: Part, tree: dict[str, Any], scopes: frozenset[str]) -> bool:
    """Whether a caller may ask for these relations: those whose reference they may read."""
    for name, below in tree.items():
        if name in part.references:
            target, scope = part.references[name]
        else:
            target, by = part.lists[name]
            scope = parts[target].references[by][1]
        if not holds(scope, scopes) or not is_allowed(parts, parts[target], below, scopes):
            return False
    return True


def check(
    parts: dict[str, Part], part: Part, tree: dict[str, Any], scopes: frozenset[str], row: dict[str, Any]
) -> None:
    """That a row has the members that these scopes may see, and no others, at every depth."""
    wanted = {"id", *(name for name, scope in part.fields.items() if holds(scope, scopes))}
    wanted |= {f"{camel(name)}Id" for name, (_, scope) in part.references.items() if holds(scope, scopes)}
    wanted |= {camel(name) for name in tree} | ({"items"} if part.items else set())
    assert set(row) == wanted, (part.name, sorted(scopes), tree)
    for item in row.get("items", ()):
        check(parts, parts[str(part.items)], {}, scopes, item)
    for name, below in tree.items():
        target = parts[(part.references.get(name) or part.lists[name])[0]]
        found = row[camel(name)]
        if not holds(target.policy, scopes):
            assert found in (None, []), f"{name} leads to rows that this caller may not see"
        for each in found if isinstance(found, list) else [found] if found else ():
            check(parts, target, below, scopes, each)


@pytest.mark.parametrize("seed", range(CONTRACTS))
async def test_each_caller_gets_what_their_scopes_allow(make_settings: Callable[..., Settings], seed: int) -> None:
    rng = random.Random(seed)
    parts = some_contract(rng)
    contract = contract_of(source(parts))
    app = Sternpost(contract, settings=make_settings(), write_log=lambda line: None)
    async with Client(app) as client:
        resources = {resource.__name__: resource for resource in contract.resources}
        main = [part for part in parts.values() if "Item" not in part.name]
        async with app.data() as db:
            ids = {part.name: (await db.table(resources[part.name]).create({})).id for part in main}
            for part in main:
                targets = {f"{name}_id": ids[target] for name, (target, _) in part.references.items()}
                change: dict[str, Any] = targets
                if part.items:
                    about = {f"{n}_id": ids[t] for n, (t, _) in parts[part.items].references.items()}
                    change["items"] = {"set": [about, about]}
                await db.table(resources[part.name]).update(ids[part.name], change)
        allowed = 0
        for _ in range(CALLS):
            part = rng.choice(main)
            scopes = frozenset(scope for scope in SCOPES if rng.random() < 0.6)
            tree = some_include(rng, parts, part, rng.randint(0, DEPTH))
            while len(paths(tree)) > PATHS_MAX:
                tree = some_include(rng, parts, part, rng.randint(0, DEPTH))
            path = app.plan.by_name[part.name].path
            address = f"/api/v1/{path}" + rng.choice((f"/{ids[part.name]}", ""))
            query = f"?include={','.join(paths(tree))}" if tree else ""
            answer = await client.get(address + query, token=client.token("someone", *scopes, "other"))
            if not holds(part.policy, scopes):
                assert answer.status in (400, 403), answer.content
                continue
            if not is_allowed(parts, part, tree, scopes):
                assert answer.status == 400, answer.content
                continue
            assert answer.status == 200, (query, sorted(scopes), answer.json())
            for row in answer.data if isinstance(answer.data, list) else [answer.data]:
                check(parts, part, tree, scopes, row)
                allowed += 1
        assert allowed > CALLS // 10
