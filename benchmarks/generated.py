"""Contracts with many resources, written as a user would write them: what a big application costs."""

from __future__ import annotations

from pathlib import Path

from benchmarks.databases import Application
from benchmarks.stacks import HOME

USERS = '''"""{title}; generated."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from sternpost import (
    Browse, Contract, Create, Delete, Email, One, Read, Replace, Resource, Sternpost, Transition, Update, field, one,
    public, scope, this,
)

UserStatus = Literal["pending", "active", "suspended"]
Status = Literal["draft", "open", "closed"]
admin = scope("admin")


class User(Resource, prefix="usr", owner="id"):
    """The users of the shop, so that the same requests can be sent."""

    name: str = field(min_length=1, max_length=100, filter=["eq", "contains", "startsWith"])
    email: Email = field(unique=True, sensitive=True)
    status: UserStatus = field(default="pending", write="never", filter=True)
    created_at: datetime = field(auto="created", filter=True)
    updated_at: datetime = field(auto="updated", filter=True)

    browse = Browse(sort=["created_at", "updated_at", "name"], allow=scope("users:read") | admin)
    read = Read(allow={read})
    create = Create(allow=public{create})
    replace = Replace(allow=this.is_owner | admin)
    update = Update(allow=this.is_owner | admin)
    delete = Delete(allow=admin)
'''
"""What every generated contract begins with; `read` is who may read, `create` is added to the arguments of `Create(…)`."""

READERS = 'this.is_owner | scope("users:read") | admin'

RESOURCE = '''

class Item{number}(Resource, prefix="{prefix}", owner="user_id"):
    """Item {number}."""

    user: One[User] = one(write="create", filter=True)
    {relation}code: str = field(unique=True, min_length=1, max_length=40, filter=True)
    title: str = field(min_length=1, max_length=200, filter=["eq", "contains"])
    amount: int = field(ge=0, le=1_000_000, filter=True)
    status: Status = field(default="draft", write="never", filter=True)
    created_at: datetime = field(auto="created", filter=True)
    updated_at: datetime = field(auto="updated", filter=True)

    browse = Browse(sort=["created_at", "amount", "title"], allow=this.is_owner | admin)
    read = Read(allow=this.is_owner | admin)
    create = Create(allow=this.is_owner | admin)
    replace = Replace(allow=this.is_owner | admin)
    update = Update(allow=this.is_owner | admin)
    delete = Delete(allow=admin)
    open = Transition("status", source="draft", target="open", allow=this.is_owner | admin)
    close = Transition("status", source="open", target="closed", allow=this.is_owner | admin)
'''

TAIL = """

contract = Contract("many{count}", version="1.0.0", resources=[{names}])
app = Sternpost(contract)
"""


def application(count: int) -> Application:
    """Writes a contract of this many resources: the users, and others that each refer to users and to the one before."""
    names = ["User", *(f"Item{number}" for number in range(1, count))]
    parts = [USERS.format(title=f"{count} resources", read=READERS, create="")]
    for number in range(1, count):
        relation = f"before: One[Item{number - 1}] = one(filter=True)\n    " if number > 1 else ""
        parts.append(RESOURCE.format(number=number, prefix=prefix(number), relation=relation))
    parts.append(TAIL.format(count=count, names=", ".join(names)))
    folder = HOME / "generated"
    folder.mkdir(parents=True, exist_ok=True)
    module = f"many{count}"
    Path(folder / f"{module}.py").write_text("".join(parts), encoding="utf-8")
    return Application(f"{module}:app", folder)


def prefix(number: int) -> str:
    """An id prefix: lower-case letters only."""
    return "it" + chr(ord("a") + number // 26) + chr(ord("a") + number % 26)
