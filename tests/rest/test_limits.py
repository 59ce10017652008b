"""Rate limits over HTTP: what is counted for whom, what answers tell of it, and what a batch costs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, date, datetime
from typing import Any

import http_sf
import pytest
from openapi_spec_validator import validate

from sternpost import (
    Browse,
    Change,
    Context,
    Contract,
    Create,
    Custom,
    One,
    Owned,
    Payload,
    Read,
    Removed,
    Resource,
    Settings,
    Sternpost,
    Update,
    Version,
    authenticated,
    by_claim,
    claim,
    field,
    fixed_window,
    given,
    implements,
    leaky_bucket,
    many,
    public,
    scope,
    sliding_window,
    token_bucket,
)
from sternpost.errors import Unavailable, WriteConflict
from sternpost.limits.process import ProcessStore
from sternpost.ports.limits import Charge, Verdict
from sternpost.testing import Client, ManualClock, Response
from tests.conftest import LogLines

V1 = "/api/v1"
NIGHT = datetime(2026, 3, 1, 23, 59, tzinfo=UTC)


class Line(Resource, prefix="lin"):
    letter: One[Letter]
    text: str


class Letter(Resource, prefix="let"):
    """What is limited by nearly everything."""

    to: str = field(max_length=100, default="")
    email: str | None = field(unique="nocase", max_length=100, default=None)
    pages: int = field(ge=0, le=50, default=1)
    lines: Owned[Line] = many(max_length=20)

    browse = Browse(allow=public)
    read = Read(allow=public, limit=None)
    create = Create(allow=public, limit=sliding_window(3, per="hour", by=given("to"), cost=given("lines")))
    update = Update(allow=scope("letters:write"), limit=token_bucket(2, per="minute", by=given("email")))


class Note(Resource, prefix="not"):
    """What is limited once for each of these."""

    text: str = field(default="", max_length=100)

    read = Read(allow=authenticated, limit=fixed_window(2, per="minute", by="address"))
    create = Create(allow=public, limit=fixed_window(2, per="day", by="principal"))
    update = Update(allow=public, limit=fixed_window(2, per="minute", by="tenant"))
    browse = Browse(
        allow=public,
        limit=[
            fixed_window(3, per="minute", by="principal"),
            fixed_window(2, per="hour", by=claim("team")),
            fixed_window(1, per="minute", by="principal", mode="shadow", name="soon"),
        ],
    )


class Plan(Resource, prefix="pla"):
    """What a claim decides, and what the service adds."""

    name: str = field(default="")

    browse = Browse(
        allow=public, limit=fixed_window(by_claim("plan", {"pro": 3, 7: 2}, default=1), per="day", by="principal")
    )
    create = Create(allow=public, limit=[leaky_bucket(2, per="second", by="service", depth=2, name="drip")])


class Text(Payload):
    words: list[str] = field(max_length=20)


class Memo(Resource, prefix="mem"):
    """With the default limit, and a function of its own."""

    text: str = field(default="")

    read = Read(allow=public)
    browse = Browse(allow=public)
    create = Create(allow=public)
    say = Custom(
        allow=public,
        on="collection",
        input=Text,
        output=Text,
        limit=fixed_window(5, per="minute", by="service", cost=given("words")),
    )


tries: list[str] = []


@implements(Memo.say)
async def say(ctx: Context, given: Text) -> Text:
    return given


@implements(Memo.create, retry_safe=True)
async def create_memo(ctx: Context, change: Change[Memo]) -> Memo:
    """Fails once for each text, as the database does."""
    tries.append(change["text"])
    made = await change.apply()
    if tries.count(change["text"]) == 1:
        raise WriteConflict
    return made


CONTRACT = Contract(
    "limited",
    resources=[Letter, Line, Note, Plan, Memo],
    api_version="v2",
    limit=fixed_window(4, per="minute", by="principal"),
    throttle=fixed_window(12, per="hour", by="address"),
    older=[Version("v1", changes=[Removed(Memo, "say")], sunset=date(2030, 1, 1))],
)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NIGHT)


@pytest.fixture
def make(make_settings: Callable[..., Settings], log_lines: LogLines, clock: ManualClock) -> Callable[..., Client]:
    """A client of the contract above, or of another one."""

    def made(
        contract: Contract = CONTRACT, *, limits: Any = None, services: Sequence[Any] = (say, create_memo), **more: Any
    ) -> Client:
        app = Sternpost(
            contract,
            services=services,
            settings=make_settings(**more),
            clock=clock,
            write_log=log_lines,
            limits=limits,
        )
        return Client(app)

    return made


def told(answer: Response, name: str) -> dict[str, dict[str, Any]]:
    """A header of limits, read as a structured field."""
    if name not in answer.headers:
        return {}
    return {str(item): parameters for item, parameters in http_sf.parse(answer.headers[name].encode(), tltype="list")}


def statuses(answers: Sequence[Response]) -> list[int]:
    return [answer.status for answer in answers]


async def several(count: int, call: Callable[[], Awaitable[Response]]) -> list[Response]:
    return [await call() for _ in range(count)]


async def test_a_day_is_one_in_utc(make: Callable[..., Client], clock: ManualClock) -> None:
    async with make() as client:
        token = client.token("ada")
        answers = await several(3, lambda: client.post(f"{V1}/notes", json={}, token=token))
        assert statuses(answers) == [201, 201, 429]
        assert answers[-1].headers["retry-after"] == "60"
        assert answers[-1].error["code"] == "RATE_LIMITED"
        assert answers[-1].error["details"] == [
            {"path": "", "code": "rate_limited", "message": "The limit principal-day lets 2 calls pass per day"}
        ]
        clock.travel(seconds=59, milliseconds=999)
        assert (await client.post(f"{V1}/notes", json={}, token=token)).headers["retry-after"] == "1"
        clock.travel(milliseconds=1)
        assert (await client.post(f"{V1}/notes", json={}, token=client.token("ada"))).status == 201


async def test_each_answer_tells_its_limits_in_structured_fields(make: Callable[..., Client]) -> None:
    async with make() as client:
        token = client.token("ada")
        good = await client.post(f"{V1}/notes", json={}, token=token)
        assert told(good, "ratelimit-policy") == {
            "service/address-hour": {"q": 12, "w": 3600},
            "principal-day": {"q": 2, "w": 86400},
        }
        assert told(good, "ratelimit") == {
            "service/address-hour": {"r": 11, "t": 60},
            "principal-day": {"r": 1, "t": 60},
        }
        invalid = await client.post(f"{V1}/notes", json={"nonsense": 1}, token=token)
        assert invalid.status == 400
        assert told(invalid, "ratelimit")["principal-day"] == {"r": 0, "t": 60}
        refused = await client.post(f"{V1}/notes", json={}, token=token)
        assert refused.status == 429
        assert told(refused, "ratelimit")["principal-day"] == {"r": 0, "t": 60}
        missing = await client.get(f"{V1}/letters/let_{'0' * 32}")
        assert missing.status == 404
        assert told(missing, "ratelimit") == {"service/address-hour": {"r": 8, "t": 60}}
        unknown = await client.get(f"{V1}/nowhere")
        assert "ratelimit" not in unknown.headers


async def test_a_limit_by_address_counts_before_anybody_is_known(make: Callable[..., Client]) -> None:
    async with make() as client:
        answers = await several(3, lambda: client.get(f"{V1}/notes/not_{'0' * 32}", token="forged"))
        assert statuses(answers) == [401, 401, 429]
        assert told(answers[0], "ratelimit")["address-minute"] == {"r": 1, "t": 60}


async def test_callers_are_counted_apart_and_strangers_by_their_address(make: Callable[..., Client]) -> None:
    async with make() as client:
        for token in (client.token("ada"), client.token("bob"), None):
            answers = await several(3, lambda: client.post(f"{V1}/notes", json={}, token=token))  # noqa: B023
            assert statuses(answers) == [201, 201, 429]


async def test_callers_of_a_tenant_are_counted_together(make: Callable[..., Client]) -> None:
    async with make() as client:
        note = f"{V1}/notes/{(await client.post(f'{V1}/notes', json={})).data['id']}"
        first, second = client.token("ada", tenant="acme"), client.token("bob", tenant="acme")
        answers = [await client.patch(note, json={}, token=token) for token in (first, second, first)]
        assert statuses(answers) == [200, 200, 429]
        assert (await client.patch(note, json={}, token=client.token("ada", tenant="other"))).status == 200
        assert (await client.patch(note, json={}, token=client.token("acme"))).status == 200  # no tenant: itself


async def test_of_several_limits_a_refused_call_costs_none(make: Callable[..., Client]) -> None:
    async with make() as client:
        red = client.token("ada", claims={"team": "red"})
        answers = await several(4, lambda: client.get(f"{V1}/notes", token=red))
        assert statuses(answers) == [200, 200, 429, 429]
        assert [told(answer, "ratelimit")["principal-minute"]["r"] for answer in answers] == [2, 1, 1, 1]
        blue = await client.get(f"{V1}/notes", token=client.token("ada", claims={"team": "blue"}))
        assert told(blue, "ratelimit")["principal-minute"]["r"] == 0
        listed = await client.get(f"{V1}/notes", token=client.token("eve", claims={"team": ["red"]}))
        assert told(listed, "ratelimit")["team-hour"]["r"] == 1  # a list with the value is another value


async def test_a_shadow_limit_counts_and_logs_and_refuses_nobody(
    make: Callable[..., Client], log_lines: LogLines
) -> None:
    async with make() as client:
        answers = await several(2, lambda: client.get(f"{V1}/notes"))
        assert statuses(answers) == [200, 200]
        assert "soon" not in answers[1].headers["ratelimit-policy"]
    lines = [line for line in log_lines.lines if line.get("shadow")]
    assert [(line["limit"], line["wouldRefuse"], line["level"]) for line in lines] == [
        ("notes.browse/soon", True, "info")
    ]
    assert lines[0]["traceId"] == log_lines.requests[1]["traceId"]


async def test_a_claim_decides_the_quantity(make: Callable[..., Client]) -> None:
    async with make() as client:
        for subject, claims, quantity in (
            ("ada", {"plan": "pro"}, 3),
            ("bob", {"plan": 7}, 2),
            ("cyd", {"plan": "7"}, 1),
            ("eve", {"plan": True}, 1),
            ("fay", {}, 1),
        ):
            answer = await client.get(f"{V1}/plans", token=client.token(subject, claims=claims))
            assert told(answer, "ratelimit-policy")["principal-day"]["q"] == quantity
            assert told(answer, "ratelimit")["principal-day"]["r"] == quantity - 1


async def test_a_limit_by_input_counts_valid_calls_at_their_cost(make: Callable[..., Client]) -> None:
    def letter(to: str, lines: int) -> dict[str, Any]:
        return {"to": to, "lines": [{"text": str(number)} for number in range(lines)]}

    async with make() as client:
        wrong = await client.post(f"{V1}/letters", json={**letter("ada", 2), "nonsense": 1})
        assert (wrong.status, "to-hour" in wrong.headers["ratelimit"]) == (400, False)
        first = await client.post(f"{V1}/letters", json=letter("ada", 2))
        assert (first.status, told(first, "ratelimit")["to-hour"]["r"]) == (201, 1)
        assert (await client.post(f"{V1}/letters", json=letter("ada", 2))).status == 429
        assert (await client.post(f"{V1}/letters", json=letter("ada", 0))).status == 201  # nothing is free
        assert (await client.post(f"{V1}/letters", json=letter("ada", 0))).status == 429
        assert (await client.post(f"{V1}/letters", json=letter("bob", 3))).status == 201
        much = await client.post(f"{V1}/letters", json=letter("cyd", 4))
        assert (much.status, much.error["details"][0]["code"]) == (422, "cost_exceeds_limit")
        assert "retry-after" not in much.headers


async def test_who_may_not_call_uses_up_nothing_of_others(make: Callable[..., Client]) -> None:
    async with make() as client:
        path = f"{V1}/letters/{(await client.post(f'{V1}/letters', json={})).data['id']}"
        stranger, writer = client.token("eve"), client.token("ada", "letters:write")
        body = {"email": "Ada@example.com"}
        steps = {"operations": [{"operation": "letters.update", "id": path.rpartition("/")[2], "body": body}]}
        assert statuses(await several(3, lambda: client.patch(path, json=body, token=stranger))) == [403] * 3
        assert statuses(await several(3, lambda: client.post(f"{V1}/$batch", json=steps, token=stranger))) == [403] * 3
        assert (await client.patch(path, json=body, token=writer)).status == 200
        other_case = await client.patch(path, json={"email": "ADA@example.com"}, token=writer)
        assert told(other_case, "ratelimit")["email-minute"]["r"] == 0


async def test_operations_without_a_limit_have_the_default_each_by_itself(make: Callable[..., Client]) -> None:
    async with make() as client:
        answers = await several(5, lambda: client.get(f"{V1}/memos"))
        assert statuses(answers) == [200, 200, 200, 200, 429]
        assert (await client.get(f"{V1}/letters")).status == 200
        opted_out = await client.get(f"{V1}/letters/let_{'0' * 32}")
        assert [*told(opted_out, "ratelimit")] == ["service/address-hour"]


async def test_a_throttle_counts_all_operations_of_all_versions(make: Callable[..., Client]) -> None:
    async with make() as client:
        paths = [f"/api/{version}/{name}" for version in ("v1", "v2") for name in ("letters", "memos", "notes")]
        answers = [await client.get(path, token=client.token(who)) for who in ("ada", "bob") for path in paths]
        assert statuses(answers) == [200] * 12
        last = await client.get(f"{V1}/letters", token=client.token("new"))
        assert (last.status, [*told(last, "ratelimit")]) == (429, ["service/address-hour"])


async def test_an_older_version_shares_the_counts_of_the_newest(make: Callable[..., Client]) -> None:
    async with make() as client:
        token = client.token("ada")
        answers = [await client.post(f"/api/{version}/notes", json={}, token=token) for version in ("v1", "v2", "v1")]
        assert statuses(answers) == [201, 201, 429]


async def test_a_transaction_that_is_tried_again_is_counted_once(make: Callable[..., Client]) -> None:
    tries.clear()
    async with make() as client:
        answer = await client.post(f"{V1}/memos", json={"text": "twice"})
        assert (answer.status, tries) == (201, ["twice", "twice"])
        assert told(answer, "ratelimit")["principal-minute"]["r"] == 3


async def test_an_export_tells_its_limits(make: Callable[..., Client]) -> None:
    class Row(Resource, prefix="row"):
        browse = Browse(allow=public, export=True, limit=fixed_window(1, per="minute", by="address"))
        name: str

    async with make(Contract("rows", resources=[Row]), services=()) as client:
        export = await client.get(f"{V1}/rows", headers={"accept": "text/csv"})
        assert (export.status, told(export, "ratelimit")["address-minute"]["r"]) == (200, 0)
        assert (await client.get(f"{V1}/rows", headers={"accept": "text/csv"})).status == 429


async def test_the_log_says_which_limit_refused(make: Callable[..., Client], log_lines: LogLines) -> None:
    async with make() as client:
        await several(3, lambda: client.post(f"{V1}/notes", json={}))
    assert [line.get("rateLimited") for line in log_lines.requests] == [None, None, "notes.create/principal-day"]
    assert [line["limit"] for line in log_lines.lines if "limit" in line] == ["notes.create/principal-day"]


# -- batches


def batch(*steps: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    return {"operations": [{"operation": operation, "body": body} for operation, body in steps]}


async def test_each_step_of_a_batch_costs_what_it_costs_alone(make: Callable[..., Client]) -> None:
    async with make() as client:
        token = client.token("ada")
        taken = await client.post(
            f"{V1}/$batch", json=batch(("notes.create", {}), ("memos.create", {"text": "b1"})), token=token
        )
        assert taken.status == 200
        assert told(taken, "ratelimit") == {
            "service/address-hour": {"r": 11, "t": 60},
            "notes.create/principal-day": {"r": 1, "t": 60},
            "memos.create/principal-minute": {"r": 3, "t": 60},
        }
        refused = await client.post(
            f"{V1}/$batch", json=batch(("memos.create", {}), ("notes.create", {}), ("notes.create", {})), token=token
        )
        assert (refused.status, refused.error["details"][0]["path"]) == (429, "operations.2")
        assert refused.headers["retry-after"] == "60"
        alone = await client.post(f"{V1}/notes", json={}, token=token)  # the refused batch cost nothing
        assert (alone.status, told(alone, "ratelimit")["principal-day"]["r"]) == (201, 0)
        assert told(alone, "ratelimit")["service/address-hour"]["r"] == 9  # but for the service's own


async def test_a_batch_that_a_limit_never_holds_is_told_so(make: Callable[..., Client]) -> None:
    async with make() as client:
        answer = await client.post(f"{V1}/$batch", json=batch(*[("notes.create", {})] * 3))
        assert answer.status == 422
        assert [(detail["path"], detail["code"]) for detail in answer.error["details"]] == [
            ("operations.2", "cost_exceeds_limit")
        ]


async def test_steps_are_counted_by_the_same_values_as_calls(make: Callable[..., Client]) -> None:
    async with make() as client:
        lines = [{"text": "a"}]
        assert (await client.post(f"{V1}/letters", json={"to": "ada", "lines": lines})).status == 201
        answer = await client.post(f"{V1}/$batch", json=batch(("letters.create", {"to": "ada", "lines": lines * 2})))
        assert (answer.status, told(answer, "ratelimit")["letters.create/to-hour"]["r"]) == (200, 0)
        wrong = await client.post(
            f"{V1}/$batch", json=batch(("memos.say", {"words": []}), ("letters.create", {"to": 7}))
        )
        assert (wrong.status, wrong.error["details"][0]["path"]) == (400, "operations.1.to")


async def test_a_value_that_decides_a_limit_cannot_be_a_reference(make: Callable[..., Client]) -> None:
    tries.clear()
    async with make() as client:
        steps = {
            "operations": [
                {"operation": "memos.create", "as": "memo", "body": {"text": "ada"}},
                {"operation": "letters.create", "body": {"to": {"$ref": "memo.text"}}},
            ]
        }
        answer = await client.post(f"{V1}/$batch", json=steps)
        assert answer.status == 400
        assert [(detail["path"], detail["code"]) for detail in answer.error["details"]] == [
            ("operations.1.to", "reference_in_limit")
        ]
        assert tries == []  # before anything was done
        steps["operations"][1]["body"] = {"to": "ada", "lines": [{"text": {"$ref": "memo.text"}}]}
        answer = await client.post(f"{V1}/$batch", json=steps)
        assert (answer.status, told(answer, "ratelimit")["letters.create/to-hour"]["r"]) == (200, 2)


async def test_many_steps_do_not_make_long_headers(make: Callable[..., Client]) -> None:
    def limited() -> Custom:
        names = [f"a-rather-long-name-of-a-limit-number-{number}" for number in range(8)]
        limits = [fixed_window(9, per="hour", by="address", name=name) for name in names]
        return Custom(allow=public, on="collection", output=None, limit=limits)

    operations = {f"operation_number_{number}": limited() for number in range(12)}
    Wide = type(
        "Wide", (Resource,), {"__module__": __name__, "__annotations__": {"name": "str"}, **operations}, prefix="wid"
    )

    def implementing(name: str) -> Any:
        async def nothing(ctx: Context) -> None:
            return None

        return implements(operations[name])(nothing)

    contract = Contract("wide", resources=[Wide])
    async with make(contract, services=[implementing(name) for name in operations]) as client:
        steps = [(f"wides.operationNumber{number}", {}) for number in range(12)]
        answer = await client.post(f"{V1}/$batch", json={"operations": [{"operation": name} for name, _ in steps]})
        assert answer.status == 200, answer.content
        assert len(told(answer, "ratelimit")) == 8
        assert len(answer.headers["ratelimit"]) + len(answer.headers["ratelimit-policy"]) < 2000


class Writing:
    """A store that is asked over a network: while it counts, somebody else changes a row, with all connections."""

    dependency = None

    def __init__(self, clock: ManualClock) -> None:
        self.inner = ProcessStore(lambda: int(clock.now().timestamp() * 1_000_000))
        self.app: Sternpost | None = None
        self.charges: list[int] = []

    async def charge(self, charges: Sequence[Charge]) -> Sequence[Verdict]:
        assert self.app is not None
        async with self.app.data() as db:
            await db.table(Memo).create({"text": "counted"})
        self.charges.append(len(charges))
        return self.inner.charge(charges)

    async def check(self) -> None: ...

    async def close(self) -> None: ...


async def test_nothing_is_held_while_a_batch_is_counted(
    make: Callable[..., Client], clock: ManualClock, log_lines: LogLines
) -> None:
    """The one connection of the pool, and the writer of SQLite, are free for whoever wants to change a row then."""
    store = Writing(clock)
    client = make(limits=store, database_pool_size=1)
    store.app = client.app
    async with client:
        answer = await client.post(f"{V1}/$batch", json=batch(("memos.create", {"text": "held"}), ("notes.create", {})))
        assert answer.status == 200
        assert store.charges == [1, 2]  # the service's own, and all steps at once
        assert "operations" not in str([line for line in log_lines.lines if line["level"] == "error"])


# -- stores that are away


class Away:
    """A store that cannot be reached."""

    dependency = None

    def __init__(self) -> None:
        self.asked = 0

    async def charge(self, charges: Sequence[Charge]) -> Sequence[Verdict]:
        self.asked += 1
        raise Unavailable("No connection to redis")

    async def check(self) -> None: ...

    async def close(self) -> None: ...


class Door(Resource, prefix="dor"):
    name: str = field(default="")

    browse = Browse(allow=public, limit=fixed_window(1, per="minute", by="address"))
    create = Create(allow=public, limit=fixed_window(1, per="minute", by="address", when_unavailable="refuse"))


DOORS = Contract("doors", resources=[Door])


async def test_without_the_store_limits_fail_as_they_are_declared(
    make: Callable[..., Client], log_lines: LogLines, clock: ManualClock
) -> None:
    store = Away()
    async with make(DOORS, limits=store, services=()) as client:
        passed = await client.get(f"{V1}/doors")
        assert (passed.status, "ratelimit" in passed.headers) == (200, False)
        refused = await client.post(f"{V1}/doors", json={})
        assert (refused.status, refused.error["code"], refused.headers["retry-after"]) == (503, "UNAVAILABLE", "1")
        assert "redis" not in refused.content.decode()
        await several(2, lambda: client.get(f"{V1}/doors"))
        clock.travel(seconds=2)
        await client.get(f"{V1}/doors")
        assert store.asked == 5
    lines = [line for line in log_lines.lines if line["message"].startswith("Calls pass")]
    assert (lines[0]["limit"], lines[0]["calls"]) == ("doors.browse/address-minute", 1)
    assert sum(line["calls"] for line in lines) == 4


# -- leaky buckets that queue


async def test_calls_in_a_queue_wait_for_their_turn(make: Callable[..., Client]) -> None:
    class Drip(Resource, prefix="dri"):
        name: str = field(default="")

        browse = Browse(allow=public, limit=leaky_bucket(20, per="second", by="service", depth=3, queue=True))
        create = Create(
            allow=public, timeout=0.5, limit=leaky_bucket(1, per="second", by="service", depth=5, queue=True)
        )

    async with make(Contract("drips", resources=[Drip]), services=()) as client:
        loop, ended = asyncio.get_running_loop(), list[float]()

        async def call() -> int:
            answer = await client.get(f"{V1}/drips")
            if answer.status == 200:
                ended.append(loop.time())
            return answer.status

        began = loop.time()
        found = await asyncio.gather(*(call() for _ in range(6)))
        assert max(found) == 429
        assert len(ended) == found.count(200)
        assert ended[-1] - began >= 0.05 * (len(ended) - 1)
        assert (await client.post(f"{V1}/drips", json={})).status == 201
        began = loop.time()
        late = await client.post(f"{V1}/drips", json={})  # its turn would be behind its time limit
        assert (late.status, loop.time() - began < 0.4) == (429, True)
        assert late.headers["retry-after"] == "1"


# -- the description


async def test_the_description_tells_limits(make: Callable[..., Client]) -> None:
    async with make() as client:
        document = (await client.get("/openapi.json")).json()
    validate(document)
    create = document["paths"]["/api/v2/notes"]["post"]
    assert create["x-rate-limit"][1] == {
        "name": "principal-day",
        "algorithm": "fixed_window",
        "quantity": 2,
        "periodSeconds": 86400,
        "by": ["principal"],
        "description": "2 calls per day for each principal; fixed window",
        "cost": 1,
    }
    assert create["responses"]["429"] == {"$ref": "#/components/responses/Error429"}
    assert {"RateLimit", "RateLimit-Policy"} <= create["responses"]["201"]["headers"].keys()
    assert document["components"]["responses"]["Error429"]["headers"]["Retry-After"]["required"] is True
    names = [limit["name"] for limit in document["paths"]["/api/v2/notes"]["get"]["x-rate-limit"]]
    assert names == ["service/address-hour", "principal-minute", "team-hour"]  # no shadow
    assert "429" in document["paths"]["/api/v2/$batch"]["post"]["responses"]
