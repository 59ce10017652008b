"""A table of pairs with too few columns, and a name that is none."""

from __future__ import annotations

from sternpost import Contract, Many, Resource, many


class Playlist(Resource, prefix="pla", table="Playlist"):
    name: str
    tracks: Many[Track] = many(through="PlaylistTrack", columns=["PlaylistId"])


class Track(Resource, prefix="trk", table="Track"):
    name: str
    playlists: Many[Playlist] = many(through="")


contract = Contract("store", resources=[Playlist, Track], schema="external")
