"""Objects of a database that are declared wrongly."""

from __future__ import annotations

from sternpost import Contract, DatabaseObject, Resource


class User(Resource, prefix="usr"):
    name: str


contract = Contract(
    "users",
    resources=[User],
    database_objects=[
        DatabaseObject("sequence", "numbers"),
        DatabaseObject("view", ""),
        DatabaseObject("view", "active_users", on="users"),
        DatabaseObject("trigger", "tell"),
        DatabaseObject("index", "own_index", on=User),
        DatabaseObject("function", "count_users", only="mysql"),
        DatabaseObject("view", "twice"),
        DatabaseObject("view", "twice", only="sqlite"),
    ],
)
