"""Values that are unique ignoring case are so to every rule that asks whether values are equal, on both databases."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from sternpost import (
    Browse,
    Contract,
    Create,
    Delete,
    Email,
    One,
    Owned,
    Read,
    Replace,
    Resource,
    Settings,
    Sternpost,
    Update,
    authenticated,
    field,
    one,
    public,
    scope,
    this,
)
from sternpost.compile.compiler import compile_contract
from sternpost.errors import Duplicate
from sternpost.testing import Client
from tests.support.contracts import plan_of

V1 = "/api/v1"


class Team(Resource, prefix="tea"):
    slug: str = field(unique="nocase", filter=True, max_length=40)

    browse = Browse(allow=public)
    create = Create(allow=public)


class Member(Resource, prefix="mem", unique=[("team_id", "code")]):
    email: Email = field(unique=True, filter=["eq", "ne", "in", "startsWith", "contains"])
    contact: Email | None = field(default=None, filter=True)
    code: str = field(default="x")
    team: One[Team] | None = one(filter=True)
    aliases: Owned[Alias]

    browse = Browse(allow=public, sort=["email"], page_size=2)
    read = Read(allow=public)
    create = Create(allow=public)
    update = Update(allow=this.email.ne("Root@Example.com"))
    replace = Replace(allow=this.email.ne("Root@Example.com"))
    delete = Delete(allow=this.email.ne("Root@Example.com"))


class Alias(Resource, prefix="ali", unique=[("member_id", "address")]):
    member: One[Member]
    address: Email


class Guest(Resource, prefix="gue", soft_delete=True, owner="email"):
    email: Email = field(unique=True)

    browse = Browse(allow=this.is_owner)
    create = Create(allow=public)
    delete = Delete(allow=public)
    read = Read(allow=this.is_owner)


CLUB = Contract("club", resources=[Team, Member, Alias, Guest])


@pytest.fixture
async def client(make_settings: Callable[..., Settings]) -> AsyncIterator[Client]:
    async with Client(Sternpost(CLUB, settings=make_settings(), write_log=lambda line: None)) as client:
        yield client


async def found(client: Client, query: str) -> list[str]:
    answer = await client.get(f"{V1}/members?{query}")
    assert answer.status == 200, answer.text
    return [row["email"] for row in answer.json()["data"]]


async def member(client: Client, email: str, **more: Any) -> Any:
    answer = await client.post(f"{V1}/members", json={"email": email, **more})
    assert answer.status == 201, answer.text
    return answer.json()["data"]


async def test_a_second_address_that_differs_in_case_alone_is_refused_everywhere(client: Client) -> None:
    ada = await member(client, "Ada@Example.com", code="1")
    assert ada["email"] == "Ada@Example.com", "kept as it was written"
    bob = await member(client, "bob@example.com", code="2")
    second = {"email": "ada@EXAMPLE.com", "code": "3"}
    steps = [{"operation": "members.create", "body": second}]
    batch = await client.post("/api/v1/$batch", json={"operations": steps})
    answers = [
        await client.post(f"{V1}/members", json=second),
        await client.patch(f"{V1}/members/{bob['id']}", json={"email": "ADA@example.com"}),
        await client.put(f"{V1}/members/{bob['id']}", json=second),
    ]
    for answer in answers:
        assert answer.status == 409, answer.text
        assert [(one["path"], one["code"]) for one in answer.json()["error"]["details"]] == [("email", "duplicate")]
    assert (batch.status, batch.json()["error"]["details"][0]["path"]) == (409, "operations.0.email")
    assert (await client.patch(f"{V1}/members/{ada['id']}", json={"email": "ADA@example.com"})).status == 200
    assert await found(client, "sort=email") == ["ADA@example.com", "bob@example.com"]


async def test_filters_that_ask_for_equal_values_ignore_case(client: Client) -> None:
    for number, email in enumerate(("Ada@Example.com", "bob@example.com", "Éva@example.com".replace("É", "E"))):
        await member(client, email, code=str(number), contact=email)
    assert await found(client, "email=aDA@example.COM") == ["Ada@Example.com"]
    assert await found(client, "email[in]=ADA@example.com,BOB@example.com&sort=email") == [
        "Ada@Example.com",
        "bob@example.com",
    ]
    assert await found(client, "email[ne]=ada@example.com&sort=email") == ["Eva@example.com", "bob@example.com"]
    assert await found(client, "email[startsWith]=ada") == [], "the others look at the text as it is"
    assert await found(client, "email[contains]=Ada") == ["Ada@Example.com"]
    assert await found(client, "contact=ada@example.com") == [], "an address that is not unique is text as any"


async def test_a_walk_by_cursor_shows_each_address_once(client: Client) -> None:
    wanted = sorted(["Ada@x.org", "ab@x.org", "Zoe@x.org", "aa@x.org", "ZA@x.org"])
    for number, email in enumerate(wanted):
        await member(client, email, code=str(number))
    seen: list[str] = []
    path: str | None = f"{V1}/members?sort=email"
    while path:
        answer = await client.get(path)
        seen += [row["email"] for row in answer.json()["data"]]
        after = answer.json()["meta"].get("nextCursor")
        path = f"{V1}/members?sort=email&cursor={after}" if after else None
    assert seen == wanted


async def test_text_can_be_declared_so(client: Client) -> None:
    assert (await client.post(f"{V1}/teams", json={"slug": "Red"})).status == 201
    assert (await client.post(f"{V1}/teams", json={"slug": "rED"})).status == 409
    assert (await client.post(f"{V1}/teams", json={"slug": "éa"})).status == 201
    assert (await client.post(f"{V1}/teams", json={"slug": "Éa"})).status == 201, "of ASCII letters alone"
    assert len((await client.get(f"{V1}/teams?slug=RED")).json()["data"]) == 1


async def test_a_group_with_an_address_ignores_its_case(client: Client) -> None:
    body = {"email": "ada@x.org", "aliases": [{"address": "A@x.org"}, {"address": "a@X.org"}]}
    answer = await client.post(f"{V1}/members", json=body)
    assert answer.status == 409, answer.text
    await member(client, "ada@x.org", aliases=[{"address": "A@x.org"}, {"address": "b@x.org"}])


async def test_policies_ignore_case_before_and_after(client: Client) -> None:
    root, ada = await member(client, "root@example.COM"), await member(client, "ada@example.com", code="1")
    token = client.token("someone")
    for body in ({"code": "2"}, {"email": "free@example.com"}):
        assert (await client.patch(f"{V1}/members/{root['id']}", json=body, token=token)).status == 403
    assert (await client.delete(f"{V1}/members/{root['id']}", token=token)).status == 403
    assert (await client.delete(f"{V1}/members/{root['id']}")).status == 401
    assert (await client.delete(f"{V1}/members/{ada['id']}", token=token)).status == 204
    eve = await member(client, "eve@example.com", code="3")
    assert (
        await client.patch(f"{V1}/members/{eve['id']}", json={"email": "ROOT@example.net"}, token=token)
    ).status == 200
    assert (
        await client.patch(f"{V1}/members/{eve['id']}", json={"email": "eVe@example.com"}, token=token)
    ).status == 200


async def test_an_owner_by_address_is_so_in_lists_and_by_id(client: Client) -> None:
    made = await client.post(f"{V1}/guests", json={"email": "Ada@x.org"})
    assert made.status == 201, made.text
    token = client.token("ada@X.ORG")
    assert len((await client.get(f"{V1}/guests", token=token)).json()["data"]) == 1
    path = f"{V1}/guests/{made.json()['data']['id']}"
    assert (await client.get(path, token=token)).status == 200
    assert (await client.get(path, token=client.token("adA@x.com"))).status == 404


class Holder(Resource, prefix="hol", owner="handle", plural="holders"):
    handle: str = field(unique="nocase", filter=True, max_length=3000)
    n: str | None = field(default=None, unique="nocase")
    n_nocase: str | None = field(default=None, unique=True)

    browse = Browse(allow=this.is_owner | scope("all"))
    read = Read(allow=this.is_owner | scope("all"))
    create = Create(allow=public)


class Place(Resource, prefix="pla", tenant="org", unique=[("org", "code")]):
    org: Email
    code: str = field(default="1")

    browse = Browse(allow=authenticated)
    create = Create(allow=authenticated)


LETTERS = Contract("letters", resources=[Holder, Place])


@pytest.fixture
async def letters(make_settings: Callable[..., Settings]) -> AsyncIterator[Client]:
    async with Client(Sternpost(LETTERS, settings=make_settings(), write_log=lambda line: None)) as client:
        yield client


async def test_letters_outside_ascii_are_told_apart_by_lists_and_checks_alike(letters: Client) -> None:
    """K is the Kelvin sign, which Unicode makes a k of."""
    names = ["Éva", "\u212aate", "İx", "ß", "ẞ", "kate2", "STRAßE"]
    ids: dict[str, str] = {}
    for name in names:
        made = await letters.post(f"{V1}/holders", json={"handle": name})
        assert made.status == 201, made.text
        ids[name] = made.json()["data"]["id"]
    for caller in [*names, "éva", "kate", "KATE2", "ix", "straße", "STRASSE"]:
        token = letters.token(caller)
        listed = [row["handle"] for row in (await letters.get(f"{V1}/holders", token=token)).json()["data"]]
        read = [
            name for name, key in ids.items() if (await letters.get(f"{V1}/holders/{key}", token=token)).status == 200
        ]
        lower = "".join(letter.lower() if letter.isascii() else letter for letter in caller)
        own = [n for n in names if "".join(letter.lower() if letter.isascii() else letter for letter in n) == lower]
        assert listed == read == own, caller


async def test_no_rule_takes_the_place_of_another_with_the_same_name(letters: Client) -> None:
    assert (await letters.post(f"{V1}/holders", json={"handle": "a", "n": "Red", "nNocase": "1"})).status == 201
    assert (await letters.post(f"{V1}/holders", json={"handle": "b", "n": "rED", "nNocase": "2"})).status == 409
    assert (await letters.post(f"{V1}/holders", json={"handle": "b", "n": "x", "nNocase": "1"})).status == 409


async def test_a_text_that_no_index_takes_is_refused(letters: Client) -> None:
    """PostgreSQL's indexes hold about 2,700 bytes of a value that cannot be compressed."""
    text = "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyzåäöéèßøæ", k=3000))
    answer = await letters.post(f"{V1}/holders", json={"handle": text})
    assert answer.status in (201, 422), answer.text


async def test_tenants_are_compared_exactly(letters: Client) -> None:
    for tenant in ("Ada@x.org", "ada@x.org"):
        made = await letters.post(f"{V1}/places", json={}, token=letters.token("s", tenant=tenant))
        assert made.status == 201, made.text
    for tenant in ("Ada@x.org", "ada@x.org"):
        listed = await letters.get(f"{V1}/places", token=letters.token("s", tenant=tenant))
        assert len(listed.json()["data"]) == 1
    listed = await letters.get(f"{V1}/places", token=letters.token("s", tenant="ADA@x.org"))
    assert listed.json()["data"] == []


def test_long_names_of_rules_stay_different() -> None:
    text = (
        "class A(Resource, prefix='aaa', table='a_rather_long_table_name_for_things'):\n"
        "    the_electronic_address_a: str = field(unique='nocase')\n"
        "    the_electronic_address_b: str = field(unique='nocase')\n"
        "    read = Read(allow=public)\n"
        "contract = Contract('names', resources=[A])\n"
    )
    plan = plan_of("from sternpost import Contract, Read, Resource, field, public\n" + text)
    names = list(plan.resources[0].unique_rules)
    assert len(set(names)) == 2
    assert all(len(name) <= 63 for name in names)


async def test_an_address_of_a_deleted_row_is_free_again(client: Client) -> None:
    made = (await client.post(f"{V1}/guests", json={"email": "Ada@x.org"})).json()["data"]
    assert (await client.post(f"{V1}/guests", json={"email": "ada@x.org"})).status == 409
    assert (await client.delete(f"{V1}/guests/{made['id']}")).status == 204
    assert (await client.post(f"{V1}/guests", json={"email": "ada@x.org"})).status == 201


async def test_the_data_client_ignores_it_too(make_settings: Callable[..., Settings]) -> None:
    app = Sternpost(CLUB, settings=make_settings())
    app.use(make_settings())
    async with app.data() as db:
        await db.access.model.storage.create_schema()
        members = db.table(Member)
        ada = await members.create({"email": "Ada@x.org"})
        with pytest.raises(Duplicate):
            await members.create({"email": "ada@X.org", "code": "2"})
        same = await members.upsert({"email": "ADA@x.org"}, create={"code": "3"}, update={"code": "4"})
        assert (same.id, same.code, same.email) == (ada.id, "4", "Ada@x.org")
        assert (await members.get({"email": "ada@x.ORG"})).id == ada.id
        assert await members.count({"email": {"notIn": ["aDa@x.org"]}}) == 0
        assert await members.count({"NOT": {"email": "aDa@x.org"}}) == 0
        assert await members.create_many([{"email": "ADA@X.ORG"}], on_conflict="skip") == 0
        assert (await members.update({"email": "ADA@x.org"}, {"code": "5"})).code == "5"


def test_what_it_is_about() -> None:
    plan = compile_contract(CLUB).plan
    ignoring = {
        f"{resource.name}.{one.name}" for resource in plan.resources for one in resource.fields if one.ignore_case
    }
    assert ignoring == {"Team.slug", "Member.email", "Alias.address", "Guest.email"}
