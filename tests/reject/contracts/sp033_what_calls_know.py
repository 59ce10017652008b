"""Checks that ask for what a row does not know."""

from __future__ import annotations

from datetime import datetime

from sternpost import Contract, One, Resource, authenticated, caller, check, no_overlap, now, public, scope, this


class User(Resource, prefix="usr", owner="id"):
    name: str


class Visit(
    Resource,
    prefix="vis",
    owner="user_id",
    checks=[
        public,
        authenticated,
        scope("visits:write") | (this.ends_at > this.starts_at),
        this.is_owner,
        this.user.is_owner,
        this.starts_at > now(),
        check(this.user == caller),
    ],
    no_overlap=[no_overlap("user", "starts_at", "ends_at", where=this.ends_at > now())],
):
    user: One[User]
    starts_at: datetime
    ends_at: datetime


contract = Contract("clinic", resources=[User, Visit])
