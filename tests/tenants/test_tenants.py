"""Tenants: every path gives a caller the rows of its own tenant, and takes references to those alone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import strategies as st

from sternpost import Contract, Create, Delete, One, Read, Resource, Settings, Sternpost, field, public
from sternpost.auth.api_keys import ApiKeyAuthenticator, make_key
from sternpost.clock import SystemClock
from sternpost.compile.compiler import compile_contract
from sternpost.errors import NotFound, ReferenceNotFound
from sternpost.plan.indexes import indexes
from sternpost.plan.query import ALL
from sternpost.ports.keys import StoredKey
from sternpost.storage.sql.gate import Gate
from sternpost.testing import Client
from tests.conftest import LogLines
from tests.support.rounds import for_drawn, rounds
from tests.tenants.agency import WORK, Fact, Note, Organization, Person, Project, Tag, Topic, contract, work

MARKS = ("azure", "birch")
"""They are no part of anything else that an answer holds."""


class Agency:
    """Two tenants with rows of the same shape; every text of one holds its mark."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.ids: dict[str, dict[str, str]] = {}
        self.tokens: dict[str, str] = {}

    async def fill(self) -> None:
        for mark in MARKS:
            made = await self.client.post("/api/v1/organizations", json={"name": "tenant"})
            own = self.ids[mark] = {"organization": made.data["id"]}
            self.tokens[mark] = self.client.token("someone", tenant=own["organization"])
            own["person"] = (await self.post(mark, "people", {"name": f"{mark} person"})).data["id"]
            own["tag"] = (await self.post(mark, "tags", {"word": f"{mark} tag"})).data["id"]
            body = {
                "name": f"{mark} project",
                "code": "code",
                "personId": own["person"],
                "steps": [{"text": f"{mark} step", "doerId": own["person"]}],
                "tagIds": [own["tag"]],
            }
            own["project"] = (await self.post(mark, "projects", body)).data["id"]
            own["note"] = (await self.post(mark, "notes", {"text": "note", "projectId": own["project"]})).data["id"]

    async def call(self, mark: str, method: str, path: str, body: Any = None, **more: Any) -> Any:
        return await self.client.request(method, f"/api/v1/{path}", json=body, token=self.tokens[mark], **more)

    async def post(self, mark: str, path: str, body: Any) -> Any:
        return await self.call(mark, "POST", path, body)

    async def rows_of(self, mark: str) -> str:
        """All that a tenant has, as one text."""
        found: list[Any] = []
        async with self.client.app.data(tenant=self.ids[mark]["organization"]) as db:
            for cls in (Person, Project, Tag):
                include = {"steps": True, "tags": True} if cls is Project else None
                found += [str(vars(row)) for row in await db.table(cls).find(include=include)]
        return "\n".join(found)


@pytest.fixture
async def agency(make_settings: Callable[..., Settings], log_lines: LogLines) -> AsyncIterator[Agency]:
    app = Sternpost(contract, services=[work], settings=make_settings(), write_log=log_lines)
    async with Client(app) as client:
        agency = Agency(client)
        await agency.fill()
        yield agency


class FoundKey:
    """A store that holds one key."""

    def __init__(self, stored: StoredKey) -> None:
        self.stored = stored

    async def find(self, digest: str) -> StoredKey | None:
        return self.stored if digest == self.stored.digest else None

    async def used(self, id: str, at: datetime) -> None:
        """Notes nothing."""


# -- who may


async def test_without_a_tenant_nobody_gets_in(agency: Agency) -> None:
    nobody = await agency.client.get("/api/v1/projects")
    assert (nobody.status, nobody.error["code"]) == (401, "UNAUTHENTICATED")
    for tenant in (None, "elsewhere", "per_" + "0" * 32):
        token = agency.client.token("someone", tenant=tenant)
        refused = await agency.client.get("/api/v1/projects", token=token)
        assert (refused.status, refused.error["code"]) == (403, "TENANT_REQUIRED")
    assert (await agency.client.get("/api/v1/organizations")).status == 200


async def test_what_is_nobodys_shows_no_row_of_a_tenant_to_those_without(agency: Agency) -> None:
    answer = await agency.client.get("/api/v1/notes?include=project")
    assert [row["project"] for row in answer.data] == [None, None]
    nested = await agency.client.get(f"/api/v1/organizations/{agency.ids['azure']['organization']}?include=projects")
    assert nested.data["projects"] == []


async def test_a_client_cannot_say_whose_a_row_is(agency: Agency) -> None:
    own, other = agency.ids["azure"], agency.ids["birch"]
    for path, method in (("projects", "POST"), (f"projects/{own['project']}", "PUT")):
        body = {"name": "mine", "organizationId": other["organization"]}
        answer = await agency.call("azure", method, path, body)
        assert answer.status == 400
        assert answer.error["details"][0] | {"message": ""} == {
            "path": "organizationId",
            "code": "read_only",
            "message": "",
        }
    made = await agency.post("azure", "projects", {"name": "mine"})
    assert made.data["organizationId"] == own["organization"]


async def test_tenants_that_are_names_and_uuids(agency: Agency) -> None:
    client, accounts = agency.client, [UUID(int=5), UUID(int=6)]
    for path, name, tenants in (("memos", "company", ["a", "b"]), ("facts", "account", [str(one) for one in accounts])):
        for tenant in tenants:
            token = client.token("someone", tenant=tenant)
            made = await client.post(f"/api/v1/{path}", json={"text": tenant}, token=token)
            assert (made.status, made.data[name]) == (201, tenant)
        for tenant in tenants:
            token = client.token("someone", tenant=tenant)
            assert [row["text"] for row in (await client.get(f"/api/v1/{path}", token=token)).data] == [tenant]
    assert (await client.get("/api/v1/facts", token=client.token("someone", tenant="a"))).status == 403
    async with client.app.data(tenants="all") as db:
        assert await db.table(Fact).count() == 2


# -- references and uniqueness


@pytest.mark.parametrize("member", ["personId", "tagIds", "steps"])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
async def test_a_row_of_another_tenant_is_as_if_it_did_not_exist(agency: Agency, member: str, method: str) -> None:
    own = agency.ids["azure"]
    path = "projects" if method == "POST" else f"projects/{own['project']}"
    answers: list[Any] = []
    before = await agency.rows_of("azure")
    for person, tag in (
        (agency.ids["birch"]["person"], agency.ids["birch"]["tag"]),
        ("per_" + "f" * 32, "tag_" + "f" * 32),
    ):
        value = {"personId": person, "tagIds": [tag], "steps": [{"text": "t", "doerId": person}]}[member]
        headers = {"content-type": "application/merge-patch+json"} if method == "PATCH" else None
        answer = await agency.call("azure", method, path, {"name": "new", member: value}, headers=headers)
        answers.append((answer.status, answer.error["code"], answer.error["details"]))
    assert answers[0] == answers[1]
    assert answers[0][:2] == (422, "REFERENCE_NOT_FOUND")
    assert await agency.rows_of("azure") == before


async def test_what_is_nobodys_cannot_refer_to_another_tenants_row(agency: Agency) -> None:
    body = {"text": "note", "projectId": agency.ids["birch"]["project"]}
    assert (await agency.post("azure", "notes", body)).status == 422
    assert (await agency.client.post("/api/v1/notes", json=body)).status == 422
    assert (await agency.post("birch", "notes", body)).status == 201


async def test_links_of_what_is_everybodys_are_each_tenants_own(agency: Agency) -> None:
    made = await agency.post("azure", "topics", {"name": "t", "peopleIds": [agency.ids["azure"]["person"]]})
    assert made.status == 201, made.content
    path, patch = f"topics/{made.data['id']}", {"content-type": "application/merge-patch+json"}
    for mark in MARKS:
        body = {"peopleIds": [agency.ids[mark]["person"]]}
        assert (await agency.call(mark, "PATCH", path, body, headers=patch)).status == 200
    assert (await agency.call("birch", "PATCH", path, {"peopleIds": []}, headers=patch)).status == 200
    async with agency.client.app.data(tenant=agency.ids["birch"]["organization"]) as db:
        await db.table(Topic).update(made.data["id"], {"people": {"disconnect": [agency.ids["azure"]["person"]]}})
    for mark, expected in zip(MARKS, (["azure person"], []), strict=True):
        seen = await agency.call(mark, "GET", f"{path}?include=people")
        assert [person["name"] for person in seen.data["people"]] == expected


async def test_an_item_refers_to_no_row_of_another_tenant_of_its_owners_kind(agency: Agency) -> None:
    own, other = agency.ids["azure"]["project"], agency.ids["birch"]["project"]
    for project, status in ((own, 201), (other, 422)):
        body = {"name": f"after {status}", "steps": [{"text": "t", "afterId": project}]}
        assert (await agency.post("azure", "projects", body)).status == status


async def test_an_api_key_acts_for_its_tenant(agency: Agency) -> None:
    key, stored = make_key(
        "k", "robot", (), id="key_1", now=datetime.now(UTC), tenant=agency.ids["birch"]["organization"]
    )
    store = FoundKey(stored)
    authenticator = ApiKeyAuthenticator(store, SystemClock(), agency.client.app.running.runtime.authenticator)
    agency.client.app.running.runtime.authenticator = authenticator
    answer = await agency.client.get("/api/v1/projects", token=key)
    assert [row["name"] for row in answer.data] == ["birch project"]
    await authenticator.close()


async def test_values_are_unique_within_a_tenant(agency: Agency) -> None:
    for mark in MARKS:
        again = await agency.post(mark, "projects", {"name": "other", "code": "code"})
        assert (again.status, again.error["details"][0]["path"]) == (409, "code")
        assert len(again.error["details"]) == 1
        pair = await agency.post(mark, "projects", {"name": f"{mark} project"})
        assert (pair.status, [detail["path"] for detail in pair.error["details"]]) == (409, ["name", "state"])
        assert (await agency.post(mark, "tags", {"word": "same"})).status == 201


def test_indexes_begin_with_the_tenant_where_lists_need_them() -> None:
    plan = compile_contract(contract, [work]).plan
    columns = {tuple(name for name, _ in index.columns) for index in indexes(plan.by_name["Project"])}
    assert ("organization_id", "budget", "id") in columns
    assert ("person_id", "id") in columns  # the database follows references by these alone
    assert {index.name for index in indexes(plan.by_name["Memo"])} == {"ix_memos_company"}


# -- batches


async def test_a_batch_works_for_the_caller(agency: Agency) -> None:
    other = agency.ids["birch"]["project"]
    steps = [
        {"operation": "projects.create", "as": "made", "body": {"name": "in a batch"}},
        {"operation": "projects.read", "id": {"$ref": "made.id"}},
        {"operation": "projects.browse"},
    ]
    url = "$batch"
    answer = await agency.post("azure", url, {"operations": steps})
    assert answer.status == 200, answer.content
    assert "birch" not in answer.content.decode()
    refused = await agency.post("azure", url, {"operations": [{"operation": "projects.read", "id": other}]})
    assert refused.status == 404


# -- scripts


async def test_a_script_says_for_whom_it_works(agency: Agency) -> None:
    app, own = agency.client.app, agency.ids["azure"]
    with pytest.raises(TypeError, match=r"belongs to tenants: write app\.data\(tenant="):
        async with app.data():
            pass
    with pytest.raises(TypeError, match="not both"):
        async with app.data(tenant=own["organization"], tenants="all"):
            pass
    async with app.data(tenants="all") as db:
        assert await db.table(Project).count() == 2
        with pytest.raises(RuntimeError, match="must name its tenant"):
            await db.table(Project).create({"name": "whose"})
        with pytest.raises(TypeError, match="no unique key"):
            await db.table(Project).get({"code": "code"})
        key = {"code": "code", "organization_id": own["organization"]}
        assert (await db.table(Project).get(key)).name == "azure project"
        row = await db.table(Project).upsert(key, create={"name": "x"}, update={"budget": 3})
        assert (row.id, row.budget) == (own["project"], 3)
        with pytest.raises(RuntimeError, match="cannot be changed"):
            await db.table(Project).update_many({}, {"organization_id": own["organization"]})


async def test_the_data_client_takes_no_reference_to_another_tenant(agency: Agency) -> None:
    own, other = agency.ids["azure"], agency.ids["birch"]
    async with agency.client.app.data(tenant=own["organization"]) as db:
        projects = db.table(Project)
        for attempt in (
            projects.create({"name": "a", "person_id": other["person"]}),
            projects.create({"name": "a", "tags": {"connect": [other["tag"]]}}),
            projects.create({"name": "a", "steps": {"create": [{"text": "t", "doer_id": other["person"]}]}}),
            projects.create_many(
                [{"name": "a", "person_id": own["person"]}, {"name": "b", "person_id": other["person"]}]
            ),
            projects.update(own["project"], {"person": {"connect": other["person"]}}),
            projects.update_many({}, {"person_id": other["person"]}),
            projects.update(own["project"], {"tags": {"set": [other["tag"]]}}),
            projects.upsert({"code": "new"}, create={"name": "a", "person_id": other["person"]}, update={"budget": 1}),
            projects.upsert({"code": "code"}, create={"name": "a"}, update={"person_id": other["person"]}),
            db.table(Person).update(own["person"], {"projects": {"connect": [other["project"]]}}),
            db.table(Note).create({"text": "t", "project_id": other["project"]}),
        ):
            with pytest.raises(ReferenceNotFound):
                await attempt
        with pytest.raises(RuntimeError, match="always the current tenant"):
            await projects.create({"name": "a", "organization_id": other["organization"]})
        with pytest.raises(NotFound):
            await projects.update(other["project"], {"name": "mine"})
        assert await projects.delete(other["project"]) is False
        assert [row.name for row in await projects.find()] == ["azure project"]
        assert await db.table(Organization).count() == 2


# -- a property


OTHERS = st.sampled_from(MARKS)
QUERIES = st.sampled_from(
    [
        "",
        "?include=tags,steps,person,notes",
        "?include=person.projects.tags&sort=-name",
        "?sort=budget&fields=name,code",
        "?cursor=&pageSize=1",
        "?name[contains]=e",
        "?name=azure%20project",
    ]
)
ROW_QUERIES = st.sampled_from(["", "", "?fields=id", "?include=tags,steps,person,notes", "?include=projects"])
TEXTS = st.sampled_from(["x", "code", "y", "z", "e"])
CALL = st.one_of(
    st.tuples(st.just("list"), st.sampled_from(["projects", "people", "tags", "notes", "organizations"]), QUERIES),
    st.tuples(st.just("export"), st.sampled_from(["projects", "people"]), QUERIES),
    st.tuples(st.just("read"), st.sampled_from(["project", "person", "tag", "note", "organization"]), ROW_QUERIES),
    st.tuples(
        st.just("nested"),
        st.sampled_from(
            [("person", "projects"), ("tag", "projects"), ("project", "tags"), ("organization", "projects")]
        ),
        QUERIES,
    ),
    st.tuples(st.just("write"), st.sampled_from(["POST", "PUT", "PATCH"]), st.tuples(OTHERS, OTHERS, OTHERS, TEXTS)),
    st.tuples(st.just("delete"), st.sampled_from(["project", "person"]), st.none()),
    st.tuples(st.just("close"), st.none(), st.none()),
    st.tuples(st.just("work"), st.sampled_from(WORK), st.tuples(OTHERS, TEXTS)),
    st.tuples(st.just("batch"), st.none(), st.tuples(OTHERS, TEXTS)),
)
PATHS = {"project": "projects", "person": "people", "tag": "tags", "note": "notes", "organization": "organizations"}
SEQUENCES = st.lists(st.tuples(OTHERS, OTHERS, CALL), min_size=4, max_size=12)


async def carry_out(agency: Agency, caller: str, whose: str, call: tuple[Any, Any, Any]) -> tuple[int, str]:
    """One call by one tenant with ids of another, or its own; the answer's status and text."""
    kind, what, more = call
    ids = agency.ids[whose]
    match kind:
        case "list":
            answer = await agency.call(caller, "GET", f"{what}{more}")
        case "export":
            answer = await agency.call(caller, "GET", what, headers={"accept": "application/x-ndjson"})
        case "read":
            answer = await agency.call(caller, "GET", f"{PATHS[what]}/{ids[what]}{more}")
        case "nested":
            answer = await agency.call(caller, "GET", f"{PATHS[what[0]]}/{ids[what[0]]}/{what[1]}{more}")
        case "write":
            person, tag, doer, text = more
            body = {
                "name": f"{caller} {text}",
                "personId": agency.ids[person]["person"],
                "tagIds": [agency.ids[tag]["tag"]],
                "steps": [{"text": caller, "doerId": agency.ids[doer]["person"]}],
            }
            path = "projects" if what == "POST" else f"projects/{ids['project']}"
            headers = {"content-type": "application/merge-patch+json"} if what == "PATCH" else None
            answer = await agency.call(caller, what, path, body, headers=headers)
        case "delete":
            answer = await agency.call(caller, "DELETE", f"{PATHS[what]}/{ids[what]}")
        case "close":
            answer = await agency.post(caller, f"projects/{ids['project']}/close", None)
        case "work":
            other, text = more
            body = {
                "what": what,
                "row": ids["project"],
                "other": agency.ids[other]["person"],
                "text": f"{caller} {text}",
            }
            body["other"] = agency.ids[other]["tag" if what == "connect" else "person"]
            answer = await agency.post(caller, "projects/work", body)
        case _:
            other, text = more
            steps = [
                {"operation": "projects.update", "id": ids["project"], "body": {"name": f"{caller} {text}"}},
                {"operation": "notes.create", "body": {"text": "n", "projectId": agency.ids[other]["project"]}},
                {"operation": "projects.browse"},
            ]
            answer = await agency.post(caller, "$batch", {"operations": steps})
    assert answer.status < 500, (call, answer.content)
    return answer.status, answer.content.decode()


async def kept_within(agency: Agency, caller: str, whose: str, call: tuple[Any, Any, Any]) -> int:
    """Fails where a call showed or changed something of the other tenant; its status."""
    other = MARKS[1 - MARKS.index(caller)]
    before = await agency.rows_of(other)
    status, text = await carry_out(agency, caller, whose, call)
    assert other not in text, f"{caller} saw {other}: {call} {text}"
    assert await agency.rows_of(other) == before, f"{caller} changed rows of {other}: {call}"
    return status


def every_call(own: str) -> list[tuple[tuple[Any, Any, Any], int, int]]:
    """A call of each kind with references to rows of one's own: its status on those, and on another tenant's."""
    refers = (own, own, own, "x")
    nested = [("person", "projects"), ("tag", "projects"), ("project", "tags"), ("project", "notes")]
    return [
        (("list", "projects", "?include=tags,steps,person,notes"), 200, 200),
        (("export", "projects", ""), 200, 200),
        *((("read", what, ""), 200, 404) for what in ("project", "person", "tag")),
        (("read", "project", "?include=tags,steps,person,notes"), 200, 404),
        *((("nested", what, ""), 200, 404) for what in nested),
        (("write", "POST", refers), 201, 201),
        (("write", "PUT", refers), 200, 404),
        (("write", "PATCH", refers), 200, 404),
        (("close", None, None), 200, 404),
        (("delete", "project", None), 204, 404),
        (("delete", "person", None), 204, 404),
        *((("work", what, (own, "x")), 200, 404) for what in ("update", "connect", "repository update")),
        (("batch", None, (own, "x")), 200, 404),
    ]


@pytest.mark.parametrize("caller", MARKS)
async def test_each_call_works_on_ones_own_rows_and_finds_none_of_others(agency: Agency, caller: str) -> None:
    other = MARKS[1 - MARKS.index(caller)]
    for call, allowed, refused in every_call(caller):
        for whose, expected in ((other, refused), (caller, allowed)):
            await refill(agency)
            assert await kept_within(agency, caller, whose, call) == expected, (call, whose)
    for method in ("POST", "PUT", "PATCH"):  # a row of one's own that would refer to one of theirs
        for refers in ((other, caller, caller, "x"), (caller, other, caller, "x"), (caller, caller, other, "x")):
            await refill(agency)
            assert await kept_within(agency, caller, caller, ("write", method, refers)) == 422, (method, refers)
    await refill(agency)
    assert await kept_within(agency, caller, caller, ("batch", None, (other, "x"))) == 422


@rounds(15, 600)
async def test_no_sequence_of_calls_crosses_the_border(agency: Agency, rounds: int) -> None:
    reached: dict[tuple[str, bool], set[int]] = {}

    async def one(sequence: list[Any]) -> None:
        await refill(agency)
        for caller, whose, call in sequence:
            status = await kept_within(agency, caller, whose, call)
            reached.setdefault((call[0], caller == whose), set()).add(status)

    await for_drawn(rounds, one, SEQUENCES)
    for kind in ("list", "export", "read", "nested", "write", "delete", "close", "work", "batch"):
        assert any(status < 300 for status in reached[kind, True]), f"no {kind} of one's own was allowed: {reached}"
        if kind not in ("list", "export", "work"):
            assert 404 in reached[kind, False], f"no {kind} of another's was refused: {reached}"


@pytest.mark.parametrize("whose", MARKS)
async def test_no_way_of_a_service_crosses_the_border(agency: Agency, whose: str) -> None:
    reads = [("list", path, "") for path in PATHS.values()] + [("read", name, "") for name in PATHS]
    included = [
        ("list", "projects", "?include=tags,steps,person,notes"),
        ("list", "people", "?include=projects&sort=-name"),
    ]
    works = [("work", what, (other, "x")) for what in WORK for other in MARKS]
    told: set[int] = set()
    for call in (*reads, *included, *works):
        await refill(agency)
        status = await kept_within(agency, "azure", whose, call)
        if whose == "azure" and "birch" not in (call[2] or ""):
            assert status == 200, call
        told.add(status)
    assert told == {200, 404, 422}, "some work, and what is refused is refused as what is not there"


async def refill(agency: Agency) -> None:
    """Begins from the same rows again."""
    async with agency.client.app.data(tenants="all") as db:
        for cls in (Note, Project, Tag, Person):
            await db.table(cls).delete_many({})
    await agency.fill()


async def test_the_check_finds_what_is_seen_and_changed_without_the_condition(
    make_settings: Callable[..., Settings], log_lines: LogLines, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = Sternpost(contract, services=[work], settings=make_settings(), write_log=log_lines)
    async with Client(app) as client:
        agency = Agency(client)
        await agency.fill()
        kept = await agency.rows_of("birch")
        monkeypatch.setattr(Gate, "row_filters", lambda self, resource: ALL)
        statements: Any = client.app.running.runtime.storage.statements  # type: ignore[attr-defined]
        statements._cache.clear()
        assert "birch" in (await carry_out(agency, "azure", "azure", ("list", "projects", "")))[1]
        assert "birch" in (await carry_out(agency, "azure", "birch", ("read", "project", "")))[1]
        for what in ("find", "steps", "aggregate", "related", "repository"):
            assert "birch" in (await carry_out(agency, "azure", "azure", ("work", what, ("azure", "x"))))[1]
        await carry_out(agency, "azure", "birch", ("close", None, None))
        monkeypatch.undo()
        statements._cache.clear()
        assert await agency.rows_of("birch") != kept


class Firm(Resource, prefix="frm"):
    name: str = field(default="")

    create = Create(allow=public)


class Norm(Resource, prefix="nrm", soft_delete=True):
    """Everybody's, and what rows of tenants refer to."""

    name: str = field(default="")

    read = Read(allow=public)
    create = Create(allow=public)
    delete = Delete(allow=public)


class Audit(Resource, prefix="aud", tenant="firm_id"):
    firm: One[Firm]
    norm: One[Norm]

    create = Create(allow=public)
    delete = Delete(allow=public)


async def test_what_another_tenant_refers_to_cannot_be_removed(make_settings: Callable[..., Settings]) -> None:
    """The database's own rules know no tenants, and those of rows that are kept do not either."""
    app = Sternpost(Contract("norms", resources=[Firm, Norm, Audit]), settings=make_settings())
    async with Client(app) as client:
        firms = [(await client.post("/api/v1/firms", json={})).data["id"] for _ in range(2)]
        ours, theirs = [client.token("someone", tenant=firm) for firm in firms]
        norm = (await client.post("/api/v1/norms", json={}, token=ours)).data["id"]
        audit = (await client.post("/api/v1/audits", json={"normId": norm}, token=theirs)).data["id"]
        for token in (ours, theirs, None):
            refused = await client.delete(f"/api/v1/norms/{norm}", token=token)
            assert (refused.status, refused.error["code"]) == (409, "STILL_REFERENCED")
        assert (await client.delete(f"/api/v1/audits/{audit}", token=theirs)).status == 204
        assert (await client.delete(f"/api/v1/norms/{norm}", token=ours)).status == 204
