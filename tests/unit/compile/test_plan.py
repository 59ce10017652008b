"""The compiled plan: its fingerprint, contracts side by side, and abstract bases."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any, Literal

import pytest

from sternpost import (
    Browse,
    Contract,
    ContractError,
    Create,
    Custom,
    Email,
    One,
    Payload,
    Read,
    Resource,
    Transition,
    authenticated,
    field,
    implements,
    one,
    public,
    scope,
    this,
)
from sternpost.compile.compiler import Compiled, compile_contract

SMALL = '''"""A small contract."""

from __future__ import annotations

from typing import Literal

from sternpost import Browse, Contract, Create, Many, One, Read, Resource, Transition, caller, field, one, public, scope, this


class User(Resource, prefix="usr", owner="id"):
    """A person."""

    name: str = field(max_length=100, filter=True)
    notes: Many[Note]

    browse = Browse(allow=scope("users:read") | this.is_owner)


class Note(Resource, prefix="not", owner="user_id", unique=[("user_id", "title")]):
    """A text."""

    user: One[User] = one(default=caller, write="create")
    title: str = field(min_length=1)
    status: Literal["draft", "sent"] = field(default="draft", write="never")
    size: int = field(ge=0, default=0)

    read = Read(allow=this.is_owner & ~this.status.eq("sent"))
    create = Create(allow=public)
    send = Transition("status", source="draft", target="sent", allow=this.user.is_owner)


contract = Contract("notes", title="Notes", resources=[User, Note])
'''
PRINT = """
import sys
sys.path.insert(0, sys.argv[1])
from small import contract
from sternpost.compile.compiler import compile_contract
print(compile_contract(contract).plan.fingerprint)
"""


def fingerprint(folder: Path, text: str, seed: int = 0) -> str:
    """The fingerprint of a contract's file, computed in a process of its own."""
    folder.mkdir(exist_ok=True)
    (folder / "small.py").write_text(text, encoding="utf-8")
    environment = {**os.environ, "PYTHONHASHSEED": str(seed), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", PRINT, os.fspath(folder)], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_the_fingerprint_depends_on_no_process_path_or_line(tmp_path: Path) -> None:
    moved = SMALL.replace('"""A small contract."""', '"""A small contract."""\n\n# Moved down.\n')
    found = {
        fingerprint(tmp_path / "one", SMALL, seed=1),
        fingerprint(tmp_path / "two", SMALL, seed=2),
        fingerprint(tmp_path / "three", moved),
    }
    assert len(found) == 1
    assert len(found.pop()) == 64


def compiled_text(text: str) -> Compiled:
    """The contract of a source text, compiled in this process."""
    module = type(sys)("small_contract")
    sys.modules[module.__name__] = module
    try:
        exec(compile(text, "small_contract.py", "exec"), vars(module))
        return compile_contract(module.contract)
    finally:
        del sys.modules[module.__name__]


CHANGES = {
    "name": ('Contract("notes"', 'Contract("papers"'),
    "title": ('title="Notes"', 'title="Papers"'),
    "version": ('title="Notes"', 'title="Notes", version="2.0.0"'),
    "api version": ('title="Notes"', 'title="Notes", api_version="v2"'),
    "description of a class": ('"""A person."""', '"""Somebody."""'),
    "prefix": ('prefix="usr"', 'prefix="per"'),
    "plural": ('prefix="not"', 'prefix="not", plural="papers"'),
    "table": ('prefix="not"', 'prefix="not", table="papers"'),
    "unique group": (', unique=[("user_id", "title")]', ""),
    "owner": (', owner="user_id"', ', owner="title"'),
    "length": ("max_length=100", "max_length=99"),
    "filter": (", filter=True", ', filter=["eq"]'),
    "write rule": ('write="create"', 'write="always"'),
    "default": ("ge=0, default=0", "ge=0, default=1"),
    "bound": ("ge=0, default=0", "ge=-1, default=0"),
    "choice": ('"draft", "sent"]', '"draft", "sent", "lost"]'),
    "nullable": ("title: str =", "title: str | None ="),
    "name of a field": ("size: int", "length: int"),
    "kind of a field": ("size: int = field(ge=0, default=0)", "size: float = field(ge=0, default=0)"),
    "on delete": ("one(default=caller", 'one(on_delete="cascade", default=caller'),
    "route of a list": ("notes: Many[Note]", "notes: Many[Note] = __import__('sternpost').many(route=False)"),
    "scope": ("users:read", "users:list"),
    "policy": ("& ~this", "| ~this"),
    "constant of a policy": ('~this.status.eq("sent")', '~this.status.eq("draft")'),
    "operator of a policy": ('~this.status.eq("sent")', '~this.status.ne("sent")'),
    "operation": ("    create = Create(allow=public)\n", ""),
    "name of an operation": ("send = Transition", "post = Transition"),
    "summary": ("Create(allow=public)", 'Create(allow=public, summary="Write a note")'),
    "timeout": ("Create(allow=public)", "Create(allow=public, timeout=1)"),
    "page size": ("Browse(allow", "Browse(page_size=10, allow"),
    "sort": ("Browse(allow", 'Browse(sort=["name"], allow'),
    "order of the resources": ("[User, Note]", "[Note, User]"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_fingerprint_changes_with_everything_in_the_contract(change: str) -> None:
    before, after = CHANGES[change]
    assert SMALL.count(before) == 1
    assert compiled_text(SMALL).plan.fingerprint != compiled_text(SMALL.replace(before, after)).plan.fingerprint


def test_the_schema_has_a_fingerprint_of_its_own() -> None:
    plan = compiled_text(SMALL).plan
    assert compiled_text(SMALL.replace("users:read", "users:list")).plan.storage_fingerprint == plan.storage_fingerprint
    assert (
        compiled_text(SMALL.replace("max_length=100", "max_length=99")).plan.storage_fingerprint
        != plan.storage_fingerprint
    )


def test_a_plan_cannot_be_changed() -> None:
    plan = compiled_text(SMALL).plan
    with pytest.raises(FrozenInstanceError):
        plan.name = "other"  # pyright: ignore[reportAttributeAccessIssue]
    assert {operation.policy for _, operation in plan.operations.values()}


def user_with(more: Callable[[], Any]) -> type[Resource]:
    """A resource named User; every call makes another class of that name."""

    class User(Resource, prefix="usr"):
        name: str

        browse = Browse(allow=more())

    return User


def test_two_contracts_in_one_process_do_not_know_of_each_other() -> None:
    first = compile_contract(Contract("first", resources=[user_with(lambda: public)]))
    second = compile_contract(Contract("second", resources=[user_with(lambda: scope("a"))]))
    again = compile_contract(Contract("first", resources=[user_with(lambda: public)]))
    assert first.plan.fingerprint == again.plan.fingerprint != second.plan.fingerprint
    assert first.classes["User"] is not second.classes["User"]


def test_one_resource_can_be_in_two_contracts() -> None:
    user = user_with(lambda: public)
    first, second = (compile_contract(Contract(name, resources=[user])) for name in ("first", "second"))
    assert first.plan.resources == second.plan.resources


def test_compiling_twice_gives_the_same() -> None:
    contract = Contract("twice", resources=[user_with(lambda: public)])
    assert compile_contract(contract).plan == compile_contract(contract).plan


class Stamped(Resource, abstract=True):
    """Lends fields and operations."""

    author: str
    state: Literal["open", "closed"] = field(default="open", write="never")

    browse = Browse(allow=public)
    archive = Transition("state", source="open", target="closed", allow=authenticated)
    check = Custom(output=None, allow=authenticated)


class Note(Stamped, prefix="not", owner="author"):
    text: str
    read = Read(allow=this.is_owner)


class Photo(Stamped, prefix="pho"):
    author: str | None
    note: One[Note] | None = one()
    browse = None
    create = Create(allow=authenticated)


class Sent(Payload):
    text: str


@implements(Note.check)
async def check_note(context: Any, note: Any) -> None:
    """Checks a note."""


@implements(Photo.check)
async def check_photo(context: Any, photo: Any) -> None:
    """Checks a photo."""


def test_an_abstract_base_lends_fields_and_operations() -> None:
    plan = compile_contract(Contract("album", resources=[Note, Photo]), [check_note, check_photo]).plan
    note, photo = plan.by_name["Note"], plan.by_name["Photo"]
    assert list(note.fields_by_name) == ["id", "author", "state", "text"]
    assert [operation.name for operation in note.operations] == ["browse", "archive", "check", "read"]
    assert photo.fields_by_name["author"].nullable, "what the class itself says comes before what it inherits"
    assert not note.fields_by_name["author"].nullable
    assert [operation.name for operation in photo.operations] == ["archive", "check", "create"], (
        "None takes an inherited operation away"
    )
    assert "Stamped" not in plan.by_name


def test_an_inherited_operation_is_implemented_for_each_resource_apart() -> None:
    compiled = compile_contract(Contract("album", resources=[Note, Photo]), [check_note, check_photo])
    assert compiled.functions == {"notes.check": check_note, "photos.check": check_photo}
    with pytest.raises(ContractError, match=r"SP414 Photo\.check"):
        compile_contract(Contract("album", resources=[Note, Photo]), [check_note])


def test_an_abstract_base_is_not_a_resource() -> None:
    with pytest.raises(ContractError, match="SP004 Stamped in resources is abstract"):
        compile_contract(Contract("album", resources=[Stamped]))


class Member(Resource, prefix="mem", table="members", unique=[("team", "second")]):
    """Somebody with two addresses."""

    email: Email = field(unique=True)
    second: Email = field(filter=True)
    third: Email = field(filter=True)
    team: str

    read = Read(allow=public)


@pytest.mark.parametrize("schema", ["own", "external"])
def test_only_in_a_database_of_ones_own_unique_addresses_ignore_case(schema: Literal["own", "external"]) -> None:
    """What the database of another program takes for equal is not known."""
    plan = compile_contract(Contract("members", resources=[Member], schema=schema)).plan
    fields = plan.by_name["Member"].fields
    found = {field.name for field in fields if field.ignore_case}
    assert found == ({"email", "second"} if schema == "own" else set())
