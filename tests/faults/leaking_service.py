"""A service whose author is careless with the secrets of its callers: they are in messages of errors, in log lines and in
spans. `FAULTS_PLANT` plants bugs into what masks them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

from opentelemetry import trace

from sternpost import (
    Browse,
    Context,
    Contract,
    Create,
    Custom,
    Email,
    Payload,
    Read,
    Resource,
    Sternpost,
    Update,
    authenticated,
    field,
    implements,
    public,
)
from sternpost.errors import CATALOGUE, Conflict
from sternpost.protocols.http import errors
from sternpost.telemetry import failures, log

VARIABLE = "FAULTS_PLANT"


class Login(Payload):
    """What a caller proves to be somebody with."""

    how: str
    password: str = field(sensitive=True)


class Person(Resource, prefix="per", plural="people", audit=True):
    """Somebody with secrets."""

    name: str = field(max_length=80, filter=True)
    email: Email = field(unique=True, sensitive=True, filter=True)
    password: str = field(max_length=80, sensitive=True)
    card: str = field(max_length=19, default="", sensitive=True, filter=True)

    browse = Browse(allow=authenticated)
    read = Read(allow=public)
    create = Create(allow=public, audited=True)
    update = Update(allow=public, audited=True)
    login = Custom(on="collection", input=Login, output=None, allow=public)


@implements(Person.login)
async def login(ctx: Context, asked: Login) -> None:
    """Fails, and tells the secret to whatever is told of it."""
    text = f"the password {asked.password} is wrong"
    span = trace.get_current_span()
    span.set_attribute("password", asked.password)
    span.add_event("tried", {"password": asked.password})
    ctx.log.warning("It is about to fail", password=asked.password, nested=[{"password": asked.password}])
    match asked.how:
        case "conflict":
            raise Conflict("It does not work", log={"password": asked.password})
        case "cause":
            try:
                raise ValueError(text)
            except ValueError as error:
                raise RuntimeError(text) from error
        case "statement":
            await ctx.data.sql(
                "SELECT name FROM people WHERE password = :password AND nothing = 1", password=asked.password
            )
        case _:
            raise ValueError(text)


def masks_nothing() -> None:
    """Values of sensitive fields are logged and traced as they are."""
    log.Log.masked = lambda self, values: dict(values)


def tells_messages() -> None:
    """The messages of all errors are logged."""
    failures.told_as = log.told_as = repr


def answers_with_causes() -> None:
    """An error that nobody expected is answered with its message."""
    encode = errors.encode_error

    def telling(*given: Any) -> Any:
        status, headers, content = encode(*given)
        message = CATALOGUE["INTERNAL_ERROR"].message
        return status, headers, content.replace(message.encode(), str(sys.exception()).encode())

    errors.encode_error = telling


def addresses_as_they_are() -> None:
    """E-mail addresses in paths are told."""
    log._redacted = lambda text: text


PLANTS: dict[str, Callable[[], None]] = {
    found.__name__: found for found in (masks_nothing, tells_messages, answers_with_causes, addresses_as_they_are)
}

for _name in os.environ.get(VARIABLE, "").split(","):
    if _name:
        PLANTS[_name]()
contract = Contract("people", resources=[Person], api_keys=True)
app = Sternpost(contract, services=[login])
