"""The users of the shop with a limit per principal: what is measured as *Sternpost, hardened*.

Fields and policies are those of `examples/shop`, so that the same requests pass. The rest of the hardened profile is not
declared: it is on always, or set by variables; `benchmarks/stacks.py` has them.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from sternpost import (
    Browse,
    Contract,
    Create,
    Delete,
    Email,
    Read,
    Replace,
    Resource,
    Sternpost,
    Update,
    field,
    public,
    scope,
    this,
    token_bucket,
)

UserStatus = Literal["pending", "active", "suspended"]
admin = scope("users:admin")


class User(Resource, prefix="usr", owner="id"):
    """A person who can place orders."""

    name: str = field(min_length=1, max_length=100, filter=["eq", "contains", "startsWith"])
    email: Email = field(unique=True, sensitive=True)
    status: UserStatus = field(default="pending", write="never", filter=True)
    created_at: datetime = field(auto="created", filter=True)
    updated_at: datetime = field(auto="updated", filter=True)

    browse = Browse(sort=["created_at", "updated_at", "name"], allow=scope("users:read") | admin)
    read = Read(allow=this.is_owner | scope("users:read") | admin)
    create = Create(allow=public)
    replace = Replace(allow=this.is_owner | scope("users:write") | admin)
    update = Update(allow=this.is_owner | scope("users:write") | admin)
    delete = Delete(allow=admin)


contract = Contract(
    "hardened-users",
    version="1.0.0",
    resources=[User],
    limit=token_bucket(1_000_000, per="minute", by="principal"),
)
app = Sternpost(contract)
