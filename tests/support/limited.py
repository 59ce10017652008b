"""A service with limits, for tests of the ops port: who calls is told by a header that a hook of no contract needs."""

from __future__ import annotations

import os

from sternpost import (
    Context,
    Contract,
    Custom,
    Payload,
    Resource,
    Sternpost,
    authenticated,
    claim,
    fixed_window,
    given,
    implements,
    public,
    token_bucket,
)


class Call(Payload):
    email: str


class Who(Payload):
    """Who answers."""

    pid: int


class Bell(Resource, prefix="bel"):
    """Something that is rung."""

    tone: str

    ring = Custom(
        on="collection", output=Who, allow=authenticated, limit=fixed_window(3, per="day", by="principal", name="daily")
    )
    knock = Custom(on="collection", output=Who, allow=public, limit=fixed_window(3, per="day", by="address"))
    call = Custom(
        on="collection",
        input=Call,
        output=Who,
        allow=authenticated,
        limit=token_bucket(2, per="day", by=("tenant", given("email")), name="calls"),
    )
    plan = Custom(
        on="collection",
        output=Who,
        allow=authenticated,
        limit=fixed_window(2, per="day", by=claim("plan"), name="plan"),
    )


@implements(Bell.ring)
async def ring(ctx: Context) -> Who:
    return Who(pid=os.getpid())


@implements(Bell.knock)
async def knock(ctx: Context) -> Who:
    return Who(pid=os.getpid())


@implements(Bell.call)
async def call(ctx: Context, asked: Call) -> Who:
    return Who(pid=os.getpid())


@implements(Bell.plan)
async def plan(ctx: Context) -> Who:
    return Who(pid=os.getpid())


def make(**more: object) -> Sternpost:
    """The service anew."""
    contract = Contract("bells", resources=[Bell], throttle=fixed_window(1000, per="day", by="service", name="all"))
    return Sternpost(contract, services=[ring, knock, call, plan], **more)  # type: ignore[arg-type]


app = make()
