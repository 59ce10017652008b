"""A service whose limits a test uses up, and what of it the test sees."""

from __future__ import annotations

from sternpost import (
    Browse,
    Contract,
    Resource,
    Sternpost,
    field,
    fixed_window,
    leaky_bucket,
    public,
    sliding_window,
    token_bucket,
)

QUANTITY = 100
_HOW = {"per": "day", "by": "service"}


class Fixed(Resource, prefix="fix"):
    name: str = field(max_length=40)
    browse = Browse(allow=public, limit=fixed_window(QUANTITY, **_HOW))


class Sliding(Resource, prefix="sli"):
    name: str = field(max_length=40)
    browse = Browse(allow=public, limit=sliding_window(QUANTITY, **_HOW))


class Token(Resource, prefix="tok"):
    name: str = field(max_length=40)
    browse = Browse(allow=public, limit=token_bucket(QUANTITY, **_HOW))


class Leaky(Resource, prefix="lea"):
    name: str = field(max_length=40)
    browse = Browse(allow=public, limit=leaky_bucket(QUANTITY, **_HOW, depth=QUANTITY))


app = Sternpost(Contract("limited", resources=[Fixed, Sliding, Token, Leaky]))
