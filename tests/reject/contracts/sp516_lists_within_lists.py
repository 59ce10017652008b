"""A list within three others."""

from __future__ import annotations

from sternpost import Browse, Contract, Many, One, Resource, public, this


class Folder(Resource, prefix="fol"):
    parent: One[Folder] | None
    folders: Many[Folder]

    browse = Browse(allow=this.folders.any(this.folders.any(this.folders.none(this.folders.any(public)))))


contract = Contract("shop", resources=[Folder])
