"""A service whose operation keeps its process busy for some milliseconds, so that few clients bring more than it can do."""

from __future__ import annotations

import hashlib

from sternpost import Browse, Context, Contract, Custom, Payload, Resource, Sternpost, field, implements, public

ROUNDS = 30_000
"""Of a slow hash: about 10 ms, which depends on the machine."""


class Hashed(Payload):
    """What came of the work."""

    digest: str


class Job(Resource, prefix="job"):
    """Something to do."""

    name: str = field(max_length=40)

    browse = Browse(allow=public)
    work = Custom(method="GET", on="collection", output=Hashed, allow=public)


@implements(Job.work)
async def work(ctx: Context) -> Hashed:
    """Leaves nobody else a turn meanwhile, as a service does that computes."""
    return Hashed(digest=hashlib.pbkdf2_hmac("sha256", b"work", b"salt", ROUNDS).hex())


app = Sternpost(Contract("jobs", resources=[Job]), services=[work])
