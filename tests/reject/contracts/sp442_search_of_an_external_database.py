"""A list of another program's table, to which no index of words can be added."""

from __future__ import annotations

from sternpost import Browse, Contract, Resource, field, public


class Album(Resource, table="Album", prefix="alb"):
    id: int = field(column="AlbumId")
    title: str = field(column="Title")

    browse = Browse(allow=public, search=["title"])


contract = Contract("music", resources=[Album], schema="external")
