"""What operations of the author's own cannot take, or give."""

from __future__ import annotations

from sternpost import (
    Browse,
    Conflict,
    Contract,
    Custom,
    Json,
    Page,
    Payload,
    Read,
    Redirect,
    Resource,
    Transition,
    field,
    public,
)


class Nameless(Conflict):
    """It says nothing of its code."""


class Known(Conflict):
    code = "NOT_FOUND"


class Small(Conflict):
    code = "too_small"


class Full(Conflict):
    code = "FULL"


class Full2(Conflict):
    code = "FULL"


class Point(Payload):
    x: int


class Query(Payload):
    point: Point
    points: list[Point]
    table: dict[str, int]
    anything: Json
    count: int


class Room(Resource, prefix="roo"):
    state: str = field(write="never", default="a")

    browse = Browse(allow=public, errors=[Nameless, Known, Small, ValueError, Full, Full2])
    read = Read(allow=public, errors=["FULL"])
    search = Custom(method="GET", on="collection", input=Query, output=list[Point], allow=public, max_items=0)
    pages = Custom(on="collection", output=Page[Point], allow=public)
    rows = Custom(on="collection", output=list["Rooms"], allow=public)
    pair = Custom(on="collection", output=tuple[Point, Point], allow=public)
    empty = Custom(on="collection", output=Point, status=204, allow=public)
    failing = Custom(on="collection", output=Point, status=404, allow=public)
    elsewhere = Custom(on="collection", output=Redirect, status=201, allow=public)
    headed = Custom(on="item", allow=public, headers={"Content-Length": "how long", "X Y": "a blank", "X-Ok": "fine"})
    listed = Custom(on="item", allow=public, headers=["X-Ok"])


contract = Contract("rooms", resources=[Room])
