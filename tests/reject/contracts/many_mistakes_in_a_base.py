"""Mistakes in an abstract base are told where they stand, once for each resource."""

from __future__ import annotations

from sternpost import Browse, Contract, Resource, Transition, Url, authenticated, field, this


class Stamped(Resource, abstract=True, owner="author"):
    created_at: str = field(auto="created")
    author: str

    browse = Browse(sort=["time"], allow=authenticated)
    archive = Transition("state", source="open", target="closed", allow=this.is_owner)


class Note(Stamped, prefix="not", owner="author"):
    text: str


class Photo(Stamped, prefix="pho"):
    url: Url


contract = Contract("album", resources=[Note, Photo])
