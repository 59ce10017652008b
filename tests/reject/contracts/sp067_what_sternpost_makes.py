"""Objects on tables that are not there, and those that Sternpost makes."""

from __future__ import annotations

from sternpost import Contract, DatabaseObject, Resource, field, no_overlap


class User(Resource, prefix="usr", no_overlap=[no_overlap("first", "last")]):
    name: str = field(unique=True)
    first: int
    last: int


contract = Contract(
    "users",
    resources=[User],
    database_objects=[
        DatabaseObject("trigger", "tell", on="user"),
        DatabaseObject("index", "uq_users_name", on="users"),
        DatabaseObject("rule", "pk_users", on="users"),
        DatabaseObject("rule", "overlap_users_first_last", on="users"),
        DatabaseObject("trigger", "overlap_users_first_last_insert", on="users"),
        DatabaseObject("view", "sternpost_schema"),
    ],
)
