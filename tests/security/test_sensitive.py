"""What is planted in sensitive fields of every kind appears in no log line, in no observation and in no error answer, by
whatever way it comes, on each database."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from dataclasses import field as member
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

import pytest

from sternpost import (
    Browse,
    Conflict,
    Context,
    Contract,
    Create,
    Custom,
    Email,
    IPAddress,
    Json,
    Many,
    One,
    Owned,
    Payload,
    Read,
    Resource,
    Settings,
    Sternpost,
    Update,
    field,
    implements,
    public,
)
from sternpost.errors import Unavailable
from sternpost.ports.audit import AuditQuery
from sternpost.testing import Client, Response
from tests.conftest import LogLines

V1 = "/api/v1"

SECRETS: dict[str, Any] = {
    "ssn": "hush-text-4711",
    "mail": "hush-mail@secret.example",
    "pin": 918273645,
    "ratio": 0.918273,
    "wage": "91827.36",
    "born": "1907-11-23",
    "seen": "1908-12-24T03:04:05Z",
    "hour": "03:14:15.926535",
    "span": "PT3141592.65S",
    "mark": "4f9d2c7b-8a6e-4103-95d2-c4b6a8e0f117",
    "host": "198.51.100.231",
    "raw": base64.b64encode(b"hush-bytes-4711").decode(),
    "mood": "glum",
    "extra": {"inner": "hush-json-4711", "list": ["hush-json-4712"]},
    "tags": ["hush-tag-4711"],
    "codes": {"hush-key-4711": "hush-value-4711"},
    "home": {"street": "hush-street-4711", "code": "hush-code-4711"},
}
"""A value for each field of `Person`."""


def spellings(value: Any) -> set[str]:
    """The texts that would give a secret away."""
    if isinstance(value, dict):
        return set().union(
            *map(spellings, value.values()), *([] if "inner" in value or "street" in value else [set(value)])
        )
    if isinstance(value, list):
        return set().union(*map(spellings, value))
    return {str(value)}


GIVEN_AWAY = spellings({"a": list(SECRETS.values()), "inner": 0}) - {"0", "glum"} | {"hush-bytes-4711", "hush-"}
"""Not the choices of an enum: they stand in the contract, and in the message for every wrong one."""


class Home(Payload):
    street: str = field()
    code: str = field(sensitive=True)


class Asked(Payload):
    how: str = field()
    ssn: str = field(default="", sensitive=True)
    home: Home | None = field(default=None)


class Looked(Payload):
    ssn: str = field(default="", sensitive=True, max_length=20)


class Team(Resource, prefix="tea"):
    name: str = field(sensitive=True, unique=True)
    people: Many[Person]

    browse = Browse(allow=public)
    read = Read(allow=public)
    create = Create(allow=public)


class Card(Resource, prefix="car"):
    person: One[Person]
    number: str = field(sensitive=True, max_length=20)


class Person(
    Resource,
    prefix="per",
    plural="people",
    audit=True,
):
    team: One[Team] | None
    ssn: str = field(sensitive=True, unique=True, filter=True, max_length=40)
    mail: Email | None = field(default=None, sensitive=True, unique="nocase", filter=True)
    pin: int | None = field(default=None, sensitive=True, filter=["eq", "gt", "in"], le=2_000_000_000)
    ratio: float | None = field(default=None, sensitive=True)
    wage: Decimal | None = field(default=None, sensitive=True, decimal_places=2, max_digits=10, filter=True)
    born: date | None = field(default=None, sensitive=True, filter=True)
    seen: datetime | None = field(default=None, sensitive=True)
    hour: time | None = field(default=None, sensitive=True)
    span: timedelta | None = field(default=None, sensitive=True)
    mark: UUID | None = field(default=None, sensitive=True, filter=True)
    host: IPAddress | None = field(default=None, sensitive=True)
    raw: bytes | None = field(default=None, sensitive=True)
    mood: Literal["glum", "plain"] | None = field(default=None, sensitive=True)
    extra: Json = field(default=None, sensitive=True)
    tags: list[str] = field(default=[], sensitive=True)
    codes: dict[str, str] = field(default={}, sensitive=True)
    home: Home | None = field(default=None, sensitive=True)
    cards: Owned[Card]

    browse = Browse(allow=public, sort=["ssn"], search=["ssn"])
    read = Read(allow=public, audited=True)
    create = Create(allow=public, audited=True)
    update = Update(allow=public)
    fail = Custom(on="collection", input=Asked, output=None, allow=public)
    look = Custom(method="GET", on="collection", input=Looked, output=None, allow=public)


@implements(Person.fail)
async def fail(ctx: Context, asked: Asked) -> None:
    ctx.log.info("It is about to fail", ssn=asked.ssn, home={"code": asked.ssn}, nested=[{"ssn": asked.ssn}])
    text = f"it does not work for {asked.ssn}"
    match asked.how:
        case "value":
            raise ValueError(text)
        case "runtime":
            raise RuntimeError(text)
        case "type":
            raise TypeError(text)
        case "assert":
            assert not asked.ssn, text
        case "cause":
            try:
                raise RuntimeError(text)
            except RuntimeError as error:
                raise Unavailable("Not now") from error
        case "key":
            raise KeyError(asked.ssn)
        case "attribute":
            raise AttributeError(text)
        case "group":
            raise ExceptionGroup(text, [ValueError(text)])
        case "logged":
            try:
                raise RuntimeError(text)
            except RuntimeError:
                ctx.log.exception("It did not work")
        case "member":
            raise Conflict("It does not work", log={"ssn": asked.ssn})
        case _:
            ctx.after_commit(after)


@implements(Person.look)
async def look(ctx: Context, asked: Looked) -> None:
    raise RuntimeError(asked.ssn)


async def after() -> None:
    raise RuntimeError("hush-after-4711")


@dataclass
class Watched:
    """The service, with all that it tells anybody but the caller who sent a secret."""

    client: Client
    lines: LogLines
    observations: list[Any] = member(default_factory=list[Any])

    async def ask(self, method: str, path: str, **more: Any) -> Response:
        return await self.client.request(method, path, **more)

    def require_silence(self, answer: Response | None = None) -> None:
        for line in self.lines.raw:
            self.require_none_in(line.decode(), "the log")
        for observation in self.observations:
            known = {**vars(observation), **observation.members()}
            # whoever reads a path has to mask it, as the log does: clients write it, and it may hold anything
            shown = {name: known[name] for name in known.keys() - {"sink", "path"}}
            self.require_none_in(repr(shown), "an observation")
        if answer is not None and answer.status >= 400:
            self.require_none_in(answer.content.decode(), f"the answer {answer.status}")

    def require_none_in(self, text: str, where: str) -> None:
        found = [secret for secret in GIVEN_AWAY if secret in text]
        assert not found, f"{found} in {where}: {text}"


@pytest.fixture
async def watched(make_settings: Callable[..., Settings], log_lines: LogLines) -> AsyncIterator[Watched]:
    settings = make_settings(log_level="debug", log_repeats_a_second=0)
    contract = Contract("people", resources=[Team, Person, Card])
    app = Sternpost(contract, services=[fail, look], settings=settings, write_log=log_lines)
    async with Client(app) as client:
        found = Watched(client, log_lines)
        telemetry = app.running.telemetry
        telemetry._finished = (*telemetry._finished, found.observations.append)  # what another reader is told
        yield found


async def created(watched: Watched, **more: Any) -> Any:
    answer = await watched.ask(
        "POST", f"{V1}/people", json={**SECRETS, "cards": [{"number": "hush-card-4711"}], **more}
    )
    assert answer.status == 201, answer.content
    return answer.data


async def test_a_row_of_secrets_that_is_written_read_changed_and_listed(watched: Watched) -> None:
    row = await created(watched)
    assert (await watched.ask("GET", f"{V1}/people/{row['id']}")).status == 200
    assert (await watched.ask("PATCH", f"{V1}/people/{row['id']}", json={"ssn": "hush-text-4712"})).status == 200
    assert (await watched.ask("GET", f"{V1}/people?ssn=hush-text-4712&sort=ssn&search=hush")).status == 200
    watched.require_silence()
    assert len(watched.observations) == 4


@pytest.mark.parametrize("name", [*SECRETS, "unknown"])
@pytest.mark.parametrize("kind", ["secret of another kind", "too long", "nested"])
async def test_an_input_that_is_not_valid(watched: Watched, name: str, kind: str) -> None:
    wrong = {"secret of another kind": "hush-wrong-4711", "too long": "hush-" * 100, "nested": {"hush-a": ["hush-b"]}}
    body = {"ssn": "hush-text-4711", name: wrong[kind]}
    answer = await watched.ask("POST", f"{V1}/people", json=body)
    if name in SECRETS:  # the caller alone is told which key of a dictionary is wrong
        watched.require_silence(None if kind == "nested" else answer)
    else:
        assert answer.error["details"][0]["path"] == name, "names that nobody knows are no values"


@pytest.mark.parametrize(
    "body",
    [
        b'{"ssn": "hush-text-4711", "pin": 918273645',
        b'{"ssn": "hush-text-4711\xff"}',
        b'"hush-text-4711"',
        b'["hush-text-4711"]',
        b'{"ssn": hush-text-4711}',
        b'{"ssn": "hush-text-4711", "ssn": "hush-text-4712"}',
        b'{"pin": 918273645918273645918273645}',
        b'{"wage": "91827.3645", "born": "1907-11-23T", "mark": "4f9d2c7b-8a6e-4103-95d2-c4b6a8e0f117x"}',
        b'{"host": "198.51.100.231/40", "hour": "03:14:15.926535x", "mail": "hush-mail@secret.example@"}',
    ],
)
async def test_a_body_that_is_none(watched: Watched, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = await watched.ask("POST", f"{V1}/people", content=body, headers=headers)
    assert answer.status in (201, 400)  # of a member that comes twice the last one counts
    watched.require_silence(answer)


async def test_a_value_that_is_taken(watched: Watched) -> None:
    await created(watched)
    for body in (SECRETS, {"ssn": "hush-other-4711", "mail": "HUSH-mail@secret.example"}):
        answer = await watched.ask("POST", f"{V1}/people", json=body)
        assert answer.status == 409
        watched.require_silence(answer)
    team = {"name": "hush-team-4711"}
    assert (await watched.ask("POST", f"{V1}/teams", json=team)).status == 201
    answer = await watched.ask("POST", f"{V1}/teams", json=team)
    assert answer.status == 409
    watched.require_silence(answer)


@pytest.mark.parametrize(
    "query",
    [
        "ssn=hush-text-4711",
        "ssn.gt=hush-text-4711",
        "pin=hush-text-4711",
        "pin.in=918273645,hush-text-4711",
        "wage=hush-text-4711",
        "born=1907-11-23T",
        "mark=4f9d2c7b-8a6e-4103-95d2-c4b6a8e0f117x",
        "mail=hush-mail@secret.example",
        "raw=hush-bytes-4711",
        "search=hush-text-4711",
        "cursor=hush-text-4711",
        "page=hush-text-4711",
    ],
)
async def test_a_query(watched: Watched, query: str) -> None:
    answer = await watched.ask("GET", f"{V1}/people?{query}")
    watched.require_silence(answer)


async def test_parameters_of_an_own_operation(watched: Watched) -> None:
    for value, status in (("hush-text-4711", 500), ("hush-text-4711-hush-text-4711", 400)):
        answer = await watched.ask("GET", f"{V1}/people/look?ssn={value}")
        assert answer.status == status
        watched.require_silence(answer)


async def test_headers_and_cookies(watched: Watched) -> None:
    headers = {
        "Cookie": "session=hush-text-4711",
        "X-Api-Key": "hush-text-4711",
        "User-Agent": "hush-text-4711",
        "Referer": "https://example.com/hush-text-4711",
        "If-Match": '"hush-text-4711"',
        "Idempotency-Key": "hush-text-4711",
        "Accept": "hush-text/4711",
        "traceparent": "hush-text-4711",
    }
    row = await created(watched)
    for name, value in headers.items():
        answer = await watched.ask("PATCH", f"{V1}/people/{row['id']}", json={"pin": 1}, headers={name: value})
        watched.require_silence(answer)
    for value in ("Bearer hush-text-4711", "Basic hush-text-4711", "hush-text-4711"):
        answer = await watched.ask("GET", f"{V1}/people", headers={"Authorization": value})
        assert answer.status == 401
        watched.require_silence(answer)


async def test_an_address_in_a_path(watched: Watched) -> None:
    for path in (
        f"{V1}/people/hush-mail@secret.example",
        "/hush-mail@secret.example",
        f"{V1}/hush-mail@secret.example/x",
    ):
        answer = await watched.ask("GET", path)
        assert answer.status == 404
        watched.require_silence(answer)


async def test_a_batch_and_what_its_steps_refer_to(watched: Watched) -> None:
    create = {"operation": "people.create", "as": "made", "body": SECRETS}
    ways: list[tuple[dict[str, Any], int]] = [
        ({"operation": "people.read", "id": {"$ref": "made.ssn"}}, 404),
        ({"operation": "people.read", "id": {"$ref": "made.pin"}}, 400),
        ({"operation": "people.update", "id": {"$ref": "made.id"}, "body": {"pin": {"$ref": "made.ssn"}}}, 400),
        ({"operation": "people.update", "id": {"$ref": "made.id"}, "body": {"teamId": {"$ref": "made.ssn"}}}, 422),
        ({"operation": "people.create", "body": {"ssn": {"$ref": "made.ssn"}}}, 409),
        ({"operation": "people.fail", "body": {"how": "runtime", "ssn": {"$ref": "made.ssn"}}}, 500),
        ({"operation": "people.create", "body": {"ssn": {"$ref": "made.extra"}}}, 400),
    ]
    for step, status in ways:
        answer = await watched.ask("POST", f"{V1}/$batch", json={"operations": [create, step]})
        assert answer.status in (status, 400, 422), answer.content
        watched.require_silence(answer)


@pytest.mark.parametrize(
    "how",
    ["value", "runtime", "type", "assert", "cause", "key", "attribute", "group", "logged", "member", "after commit"],
)
async def test_an_operation_that_fails_with_the_secret_in_its_message(watched: Watched, how: str) -> None:
    body = {"how": how, "ssn": "hush-text-4711", "home": {"street": "x", "code": "hush-code-4711"}}
    answer = await watched.ask("POST", f"{V1}/people/fail", json=body)
    watched.require_silence(answer)
    if how != "member":
        assert any("stack" in line for line in watched.lines.lines), "where it failed is told all the same"


async def test_the_audit_trail_has_no_secret(watched: Watched) -> None:
    row = await created(watched)
    await watched.ask("PATCH", f"{V1}/people/{row['id']}", json={"ssn": "hush-text-4712", "pin": 1})
    storage = watched.client.app.running.runtime.storage
    entries = await storage.audit_trail().entries(AuditQuery(limit=100))
    assert len(entries) >= 2
    for entry in entries:
        watched.require_none_in(json.dumps([entry.before, entry.after], default=str), "the trail")
