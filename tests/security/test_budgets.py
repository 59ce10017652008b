"""An answer has a budget of rows and bytes, which holds while it is read."""

from __future__ import annotations

import asyncio
import gc
import sys
import time
import tracemalloc
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from itertools import pairwise, product
from typing import Any, TypeVar

import orjson
import pytest

from sternpost import (
    Browse,
    Context,
    Contract,
    Create,
    Custom,
    Delete,
    Json,
    Many,
    One,
    Owned,
    Payload,
    Read,
    Replace,
    Resource,
    Settings,
    Sternpost,
    Update,
    field,
    implements,
    many,
    one,
    public,
)
from sternpost.errors import WriteConflict
from sternpost.pipeline import runtime
from sternpost.pipeline.views import RELATIONS_MAX
from sternpost.plan.shapes import INCLUDE_DEPTH_MAX
from sternpost.storage.sql import reader as reader_module
from sternpost.storage.sql.reader import SqlReader
from sternpost.testing import Client, Response

V1 = "/api/v1"
LONG = "é" * 5_000  # 10 kB

T = TypeVar("T")


class Node(Resource, prefix="nod"):
    text: str = field(default="", filter=True)
    extra: Json = field(default=None)
    parent: One[Node] | None = one(filter=True)
    children: Many[Node] = many(by="parent")
    friends: Many[Friend] = many(through="friendships", max_length=1000)

    browse = Browse(allow=public, max_page_size=1000, sort=["text"], export=True)
    read = Read(allow=public)
    create = Create(allow=public)
    update = Update(allow=public)


class Friend(Resource, prefix="fri"):
    name: str = field(default="")
    nodes: Many[Node] = many(through="friendships", max_length=1000)

    browse = Browse(allow=public)
    create = Create(allow=public)


CONTRACT = Contract("nodes", resources=[Node, Friend])
BYTES = 300_000


@pytest.fixture
async def client(make_settings: Callable[..., Settings]) -> AsyncIterator[Client]:
    app = Sternpost(CONTRACT, settings=make_settings(answer_bytes_max=BYTES), write_log=lambda line: None)
    async with Client(app) as client:
        yield client


async def family(client: Client, children: int, **values: Any) -> str:
    """A row with so many below it."""
    async with client.app.data() as db:
        top = await db.table(Node).create(values)
        await db.table(Node).create_many([{"parent_id": top.id, **values} for _ in range(children)])
    return top.id


def is_too_large(answer: Response) -> bool:
    details = answer.json().get("error", {}).get("details", [])
    return answer.status == 400 and [detail["code"] for detail in details] == ["answer_too_large"]


async def test_a_list_of_long_texts(client: Client) -> None:
    await family(client, 40, text=LONG)
    assert is_too_large(await client.get(f"{V1}/nodes?pageSize=40"))
    answer = await client.get(f"{V1}/nodes?pageSize=25")
    assert (answer.status, len(answer.data)) == (200, 25)
    assert len(answer.content) < BYTES
    assert (await client.get(f"{V1}/nodes?pageSize=41&fields=parentId")).status == 200


async def test_json_counts_too(client: Client) -> None:
    await family(client, 10, extra={"a": [LONG] * 5})
    assert is_too_large(await client.get(f"{V1}/nodes?pageSize=11"))
    assert (await client.get(f"{V1}/nodes?pageSize=4")).status == 200


async def test_what_occurs_often_counts_as_often(client: Client) -> None:
    top = await family(client, 60, text=LONG[:1000])
    assert (await client.get(f"{V1}/nodes/{top}?include=children")).status == 200
    assert is_too_large(await client.get(f"{V1}/nodes/{top}?include=children.parent.children"))
    assert is_too_large(await client.get(f"{V1}/nodes?pageSize=61&include=parent.children.parent"))


async def test_what_occurs_often_far_below_counts_as_often(client: Client) -> None:
    """Each row is short and read once; the answer holds it 60 times 60 times."""
    top = await family(client, 60, text=LONG[:100])
    assert (await client.get(f"{V1}/nodes/{top}?include=children.parent")).status == 200
    assert is_too_large(await client.get(f"{V1}/nodes/{top}?include=children.parent.children"))


async def test_the_steps_of_a_batch_share_it(client: Client) -> None:
    await family(client, 20, text=LONG)
    step = {"operation": "nodes.browse", "query": {"pageSize": "20"}}
    one = await client.post(f"{V1}/$batch", json={"operations": [step]})
    assert one.status == 200, one.content
    assert (await client.post(f"{V1}/$batch", json={"operations": [step] * 2})).status == 400


async def test_no_statement_brings_more_rows_than_an_answer_may_hold(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    brought: list[int] = []
    fetch: Any = SqlReader._fetch  # pyright: ignore[reportPrivateUsage]

    async def counted(self: SqlReader, *arguments: Any, **more: Any) -> Sequence[Any]:
        rows = await fetch(self, *arguments, **more)
        brought.append(len(rows))
        return rows

    most = 1000
    monkeypatch.setattr(runtime, "ANSWER_ROWS_MAX", most)
    async with client.app.data() as db:
        await db.table(Friend).create_many([{"name": str(number)} for number in range(60)])
        friends = [row.id for row in await db.table(Friend).find()]
        await db.table(Node).create_many([{"text": str(number)} for number in range(60)])
        for row in await db.table(Node).find():
            await db.table(Node).update(row.id, {"friends": {"connect": friends}})
    monkeypatch.setattr(SqlReader, "_fetch", counted)
    refused = await client.get(f"{V1}/nodes?pageSize=60&include=friends")
    assert is_too_large(refused), refused.content
    assert most < max(brought) <= most + 60 + 1


@pytest.fixture
def brought(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The bytes of text that each statement has brought."""
    sizes: list[int] = []
    fetch: Any = SqlReader._fetch  # pyright: ignore[reportPrivateUsage]

    async def counted(self: SqlReader, *arguments: Any, **more: Any) -> Sequence[Any]:
        rows = await fetch(self, *arguments, **more)
        sizes.append(sum(len(value.encode()) for row in rows for value in row if isinstance(value, str)))
        return rows

    monkeypatch.setattr(SqlReader, "_fetch", counted)
    return sizes


@pytest.mark.parametrize("include", ["children", "friends", "parent.children"])
async def test_no_statement_brings_more_bytes_than_an_answer_may_hold(
    client: Client, brought: list[int], include: str
) -> None:
    """A relation of 300 rows of 10 kB each: 3 MB, of which a tenth may be read."""
    top = await family(client, 300, text=LONG)
    async with client.app.data() as db:
        below = await db.table(Node).find({"parent_id": top})
        friends = [await db.table(Friend).create({"name": LONG}) for _ in range(100)]
        await db.table(Node).update(top, {"friends": {"connect": [friend.id for friend in friends]}})
    at = below[0].id if include.startswith("parent") else top
    brought.clear()
    assert is_too_large(await client.get(f"{V1}/nodes/{at}?include={include}"))
    assert max(brought) <= BYTES + 2 * len(LONG.encode()) + 100_000


PAGES = ["page=1", "page=2", "cursor=", "cursor=&sort=text", "sort=text&page=1"]


@pytest.mark.parametrize("page", PAGES)
async def test_no_page_brings_more_bytes_than_an_answer_may_hold(client: Client, brought: list[int], page: str) -> None:
    await family(client, 250, text=LONG)
    brought.clear()
    assert is_too_large(await client.get(f"{V1}/nodes?pageSize=100&{page}"))
    assert max(brought) <= BYTES + 2 * len(LONG.encode()) + 100_000


async def test_a_walk_over_long_rows_shows_each_once(client: Client, brought: list[int]) -> None:
    """The row behind a page, which tells that there are more, is no part of the answer."""
    async with client.app.data() as db:
        for number in range(1, 8):
            await db.table(Node).create({"text": str(number), "extra": ["x" * (BYTES * 2 // 3)]})
    for size, sort in ((1, "text"), (1, "-text")):
        found, cursor = list[str](), ""
        while cursor is not None:
            answer = await client.get(f"{V1}/nodes?pageSize={size}&sort={sort}&cursor={cursor}")
            assert answer.status == 200, answer.content[:500]
            found += [row["text"] for row in answer.data]
            cursor = answer.json()["meta"]["nextCursor"]
        assert sorted(found) == [str(number) for number in range(1, 8)]


async def test_no_related_row_is_lost_to_the_budget(client: Client) -> None:
    """Either the answer is whole, or it is refused: also where the database counts more bytes than JSON takes."""
    top = await family(client, 20, extra=["a"] * (BYTES // 40))
    answer = await client.get(f"{V1}/nodes/{top}?include=children&fields=children.extra")
    assert is_too_large(answer) or len(answer.data["children"]) == 20


class Book(Resource, prefix="bok"):
    shelf: One[Shelf]
    text: str = field(default="")

    browse = Browse(allow=public)


class Shelf(Resource, prefix="shf", plural="shelves"):
    books: Many[Book] = many(max_length=3)

    browse = Browse(allow=public)


async def test_the_row_that_tells_of_more_does_not_count(make_settings: Callable[..., Settings]) -> None:
    """Each shelf has more books than are shown, and the next one is long."""
    app = Sternpost(Contract("shelves", resources=[Shelf, Book]), settings=make_settings(answer_bytes_max=BYTES))
    async with Client(app) as client:
        async with app.data() as db:
            for shelf in [await db.table(Shelf).create({}) for _ in range(20)]:
                texts = ["0", "1", "2", LONG * 2]
                await db.table(Book).create_many([{"shelf_id": shelf.id, "text": text} for text in texts])
        answer = await client.get(f"{V1}/shelves?include=books")
        assert answer.status == 200, answer.content[:300]
        assert [[book["text"] for book in shelf["books"]] for shelf in answer.data] == [["0", "1", "2"]] * 20
        assert answer.json()["meta"]["truncated"] == ["books"]


async def test_control_characters_count_as_they_are_written(client: Client) -> None:
    await family(client, 10, text="\x01" * 5000)
    answer = await client.get(f"{V1}/nodes?pageSize=11&fields=text")
    assert is_too_large(answer)
    assert (await client.get(f"{V1}/nodes?pageSize=9&fields=text")).status == 200


@pytest.mark.parametrize("include", ["", "&include=parent"])
async def test_an_export_is_read_in_parts_that_fit(
    client: Client, monkeypatch: pytest.MonkeyPatch, include: str
) -> None:
    """Its parts are smaller where rows are wide; together they are every row, once."""
    for _ in range(6):
        await family(client, 20, text=LONG)
    sizes: list[int] = []
    parts: Any = SqlReader.export

    async def watched(self: SqlReader, *arguments: Any) -> AsyncIterator[Any]:
        async for part in parts(self, *arguments):
            sizes.append(len(orjson.dumps(part)))
            yield part

    monkeypatch.setattr(SqlReader, "export", watched)
    answer = await client.get(f"{V1}/nodes?fields=text{include}", headers={"accept": "application/x-ndjson"})
    assert answer.status == 200, answer.content
    rows = [orjson.loads(line) for line in answer.content.splitlines()]
    assert len(rows) == 6 * 21
    if include:
        assert sum(row["parent"] is not None for row in rows) == 6 * 20
    assert len(sizes) > 3
    assert max(sizes) < BYTES + 11 * len(LONG.encode())


async def test_an_export_does_not_break_off_at_a_row_that_is_too_large_alone(client: Client) -> None:
    wide = ["x" * 1000] * (BYTES // 900)
    async with client.app.data() as db:
        top = await db.table(Node).create({"extra": wide})
        await db.table(Node).create_many([{"parent_id": top.id} for _ in range(3)])
    answer = await client.get(f"{V1}/nodes?include=parent&fields=id,parent", headers={"accept": "application/x-ndjson"})
    assert answer.status == 200, answer.content
    rows = [orjson.loads(line) for line in answer.content.splitlines()]
    assert [row["parent"] and row["parent"]["extra"] == wide for row in rows] == [None, True, True, True]


def requests_of(size: int) -> dict[str, Any]:
    """Requests whose work is to grow as they do."""
    text = "a@" * size
    return {
        "path": ("GET", f"/x{text}", None),
        "query": ("GET", f"/nodes?sort={text}", None),
        "filter": ("GET", f"/nodes?parentId[in]={','.join(['x'] * size)}", None),
        "include": ("GET", f"/nodes?include={'.'.join(['children'] * (size // 8))}", None),
        "many problems": ("POST", "/nodes", {"zz" * 3 + str(number): 0 for number in range(size)}),
        "long text": ("POST", "/nodes", {"text": text}),
        "json": ("POST", "/nodes", {"extra": [{"a": [1, "b"]}] * size}),
        "batch of zeros": ("POST", "/$batch", {"operations": [0] * size}),
        "batch of lists": ("POST", "/$batch", {"operations": [{"operation": "nodes.browse"}] * min(size // 16, 50)}),
        "links": ("POST", "/nodes", {"friendIds": [f"fri_{number:032x}" for number in range(size)]}),
    }


@pytest.mark.parametrize("kind", list(requests_of(8)))
async def test_work_grows_no_faster_than_what_is_asked(client: Client, kind: str) -> None:
    """Calls of functions and bytes allocated at n, 2n and 4n."""
    await family(client, 30, text="short")
    calls, peaks = list[int](), list[int]()
    for size in (200, 400, 800):
        method, path, body = requests_of(size)[kind]
        await send(client, method, path, body)  # what is made once is made
        calls.append(await calls_of(send(client, method, path, body)))
        tracemalloc.start()
        try:
            await send(client, method, path, body)
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    for measured, slack in ((calls, 500), (peaks, 200_000)):
        assert measured[1] <= 2.3 * measured[0] + slack, (kind, calls, peaks)
        assert measured[2] <= 2.3 * measured[1] + slack, (kind, calls, peaks)


async def calls_of(work: Coroutine[Any, Any, Any]) -> int:
    """How many functions some work calls."""
    count = 0

    def note(frame: Any, event: str, argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        await work
    finally:
        sys.setprofile(None)
    return count


class Leaf(Resource, prefix="lea"):
    tree: One[Tree]
    number: int = field(default=0)
    extra: Json = field(default=None)
    secret: str = field(default="", read="secrets")


class Tree(Resource, prefix="tre"):
    leaves: Owned[Leaf] = many(max_length=1000)

    create = Create(allow=public)
    read = Read(allow=public)
    replace = Replace(allow=public)


@pytest.mark.parametrize("new", ["reversed", "other"])
async def test_work_on_items_that_are_partly_hidden_grows_as_they_do(
    make_settings: Callable[..., Settings], new: str
) -> None:
    app = Sternpost(Contract("trees", resources=[Tree, Leaf]), settings=make_settings(), write_log=lambda line: None)
    calls: list[int] = []
    async with Client(app) as client:
        for size in (100, 200, 400):
            items = [{"number": number, "extra": [number]} for number in range(size)]
            tree = (await client.post(f"{V1}/trees", json={"leaves": items})).data["id"]
            changed = items[::-1] if new == "reversed" else [{"number": -1 - number} for number in range(size)]
            calls.append(await calls_of(client.put(f"{V1}/trees/{tree}", json={"leaves": changed})))
    assert calls[1] <= 2.3 * calls[0] + 500, calls
    assert calls[2] <= 2.3 * calls[1] + 500, calls


async def test_items_that_are_partly_hidden_are_known_by_what_a_client_can_tell_apart(
    make_settings: Callable[..., Settings],
) -> None:
    """1 is not true, although Python finds them equal; 1.0 is 1, and the order of members does not count."""
    app = Sternpost(Contract("trees", resources=[Tree, Leaf]), settings=make_settings(), write_log=lambda line: None)
    async with Client(app) as client:
        token, values = client.token("ann", "secrets"), [1, True, "1", {"a": 2, "b": [0.5]}, None, [1], [True]]
        items = [{"extra": value, "secret": str(number)} for number, value in enumerate(values)]
        tree = (await client.post(f"{V1}/trees", json={"leaves": items}, token=token)).data["id"]
        changed = [[True], [1.0], None, {"b": [0.5], "a": 2.0}, "1", True, 1.0]
        sent = {"leaves": [{"extra": value} for value in changed]}
        assert (await client.put(f"{V1}/trees/{tree}", json=sent)).status == 200
        kept = (await client.get(f"{V1}/trees/{tree}", token=token)).data["leaves"]
        assert [leaf["secret"] for leaf in kept] == list("6543210")


async def send(client: Client, method: str, path: str, body: Any) -> Response:
    answer = await (client.get(V1 + path) if method == "GET" else client.post(V1 + path, json=body))
    assert answer.status < 500, answer.content
    return answer


@pytest.mark.slow
async def test_lists_in_a_batch_leave_the_event_loop(client: Client) -> None:
    """What else is to be done meanwhile is done between them, and while each of them takes long."""
    async with client.app.data() as db:
        await db.table(Node).create_many([{"text": f"{number:05} {'x' * 40}"} for number in range(20_000)])
    steps = [{"operation": "nodes.browse", "query": {"text[contains]": f"{n}y"}} for n in range(30)]
    answer, share = await watched(client.post(f"{V1}/$batch", json={"operations": steps}))
    assert answer.status == 200, answer.content
    assert share < 1 / 4, "no part of it holds the loop for long"


async def watched(work: Coroutine[Any, Any, T]) -> tuple[T, float]:
    """The result of some work, and which share of its time is the longest for which it held the event loop."""
    turns: list[float] = []

    async def watch() -> None:
        while True:
            turns.append(time.perf_counter())
            await asyncio.sleep(0)

    gc.collect()
    gc.disable()  # a collection of all that the tests have left would be a part of it
    watching = asyncio.create_task(watch())
    await asyncio.sleep(0)
    try:
        result = await work
    finally:
        gc.enable()
        watching.cancel()
    turns.append(time.perf_counter())
    longest = max(later - earlier for earlier, later in pairwise(turns))
    return result, longest / (turns[-1] - turns[0])


class Wheel(Resource, prefix="whl", audit=True):
    car: One[Car]
    turns: int = field(default=0)


class Seat(Resource, prefix="sea", soft_delete=True):
    car: One[Car] = one(on_delete="cascade")


class Car(Resource, prefix="car", soft_delete=True):
    name: str = field(default="")
    seats: Many[Seat] = many()

    delete = Delete(allow=public)


class Spoke(Resource, prefix="spk"):
    rim: One[Rim] = one(on_delete="cascade")
    number: int = field(default=0)


class Rim(Resource, prefix="rim"):
    name: str = field(default="")

    delete = Delete(allow=public)


@pytest.fixture
async def cars(make_settings: Callable[..., Settings]) -> AsyncIterator[Client]:
    contract = Contract("cars", resources=[Wheel, Seat, Car, Spoke, Rim])
    async with Client(Sternpost(contract, settings=make_settings(), write_log=lambda line: None)) as client:
        yield client


ROWS = 12_000


@pytest.mark.slow
async def test_changes_of_many_rows_leave_the_event_loop(cars: Client) -> None:
    async with cars.app.data() as db:
        car = await db.table(Car).create({})
        await db.table(Wheel).create_many([{"car_id": car.id}] * ROWS)
        changed, share = await watched(db.table(Wheel).update_many({}, {"turns": {"increment": 1}}))
        assert (changed, await db.table(Wheel).count({"turns": 1})) == (ROWS, ROWS)
        assert share < 1 / 4
        removed, share = await watched(db.table(Wheel).delete_many({"turns": 1}))
        assert (removed, await db.table(Wheel).count()) == (ROWS, 0)
        assert share < 1 / 4


@pytest.mark.slow
@pytest.mark.parametrize(("one_of", "many_of", "kept"), [(Rim, Spoke, False), (Car, Seat, True)])
async def test_a_row_that_many_go_with_leaves_the_event_loop(
    cars: Client, one_of: type[Resource], many_of: type[Resource], kept: bool
) -> None:
    async with cars.app.data() as db:
        top = await db.table(one_of).create({})
        await db.table(many_of).create_many([{f"{one_of.__name__.lower()}_id": top.id}] * ROWS)
        answer, share = await watched(cars.delete(f"{V1}/{one_of.__name__.lower()}s/{top.id}"))
        assert answer.status == 204, answer.content
        assert await db.table(many_of).count() == 0
        assert kept == bool(await db.table(many_of).with_deleted().count())
        assert share < 1 / 2


async def test_rows_by_id_count_in_a_batch(client: Client) -> None:
    node = (await client.post(f"{V1}/nodes", json={"text": LONG})).data["id"]
    for operation in ("nodes.read", "nodes.update"):
        body = {"body": {}} if operation == "nodes.update" else {}
        steps = [{"operation": operation, "id": node, **body}] * 20
        assert (await client.post(f"{V1}/$batch", json={"operations": steps})).status == 200
        assert is_too_large(await client.post(f"{V1}/$batch", json={"operations": steps + steps}))


class Hop(Resource, prefix="hop"):
    first: One[Hop] | None = one()
    second: One[Hop] | None = one()
    third: One[Hop] | None = one()

    browse = Browse(allow=public)


async def test_a_request_names_a_bounded_number_of_relations(make_settings: Callable[..., Settings]) -> None:
    """Each costs a statement, however it is named."""
    steps = ("first", "second", "third")
    paths = [path for length in range(1, INCLUDE_DEPTH_MAX + 1) for path in product(steps, repeat=length)]
    fields = [".".join((*path, "id")) for path in paths]
    assert len(fields) > RELATIONS_MAX
    async with Client(Sternpost(Contract("hops", resources=[Hop]), settings=make_settings())) as client:
        for count, status in ((RELATIONS_MAX, 200), (RELATIONS_MAX + 1, 400)):
            answer = await client.get(f"{V1}/hops?fields={','.join(fields[:count])}")
            assert answer.status == status, answer.content
    assert f"At most {RELATIONS_MAX} relations can be requested" in answer.error["details"][0]["message"]


SMALL_ITEMS: dict[str, Any] = {
    "lists": [[]] * 15_000,
    "texts": [""] * 15_000,
    "objects": [{}] * 15_000,
    "numbers": [-(2**63)] * 2_200,
    "fractions": [-1.2345678901234567] * 2_200,
    "names": {"\x01" * 28 + str(number): 0 for number in range(250)},
    "quotes": '"' * 23_000,
}


@pytest.mark.parametrize("kind", list(SMALL_ITEMS))
async def test_an_answer_counts_as_it_is_written_whatever_it_holds(client: Client, kind: str) -> None:
    """On both databases, although jsonb is sent with blanks; in lists, with relations, and in batches."""
    extra = SMALL_ITEMS[kind]
    size = len(orjson.dumps(extra))
    fits, top = BYTES * 19 // 20 // size, await family(client, 20, extra=extra)
    read = {"operation": "nodes.read", "id": top}
    for ask in (
        lambda count: client.get(f"{V1}/nodes?pageSize={count}"),
        lambda count: client.get(f"{V1}/nodes?pageSize={count}&include=parent&fields=id,parent.extra&sort=-text"),
        lambda count: client.post(f"{V1}/$batch", json={"operations": [read] * count}),
    ):
        answer = await ask(fits)
        assert answer.status == 200, answer.content[:300]
        assert fits * size * 9 // 10 < len(answer.content) <= BYTES
        assert is_too_large(await ask(BYTES // size + 2))


class Summary(Payload):
    texts: Json


class Journal(Resource, prefix="jou"):
    text: str = field(default="")

    browse = Browse(allow=public)
    sum_up = Custom(on="collection", output=Summary, allow=public)
    close = Custom(on="collection", output=None, allow=public)


@implements(Journal.sum_up)
async def sum_up(ctx: Context) -> Summary:
    number = await ctx.data.table(Journal).count() + 1
    await ctx.data.table(Journal).create({})
    return Summary(texts=[""] * (BYTES // 4 * number))


async def test_an_output_counts_before_its_change_is_kept(make_settings: Callable[..., Settings]) -> None:
    contract, settings = Contract("journals", resources=[Journal]), make_settings(answer_bytes_max=BYTES)
    async with Client(Sternpost(contract, services=[sum_up, close], settings=settings)) as client:
        assert (await client.post(f"{V1}/journals/sum-up")).status == 200
        step = {"operation": "journals.sumUp"}
        assert is_too_large(await client.post(f"{V1}/journals/sum-up"))
        assert is_too_large(await client.post(f"{V1}/$batch", json={"operations": [step]}))
        assert len((await client.get(f"{V1}/journals")).data) == 1


tries: list[int] = []


@implements(Journal.close, retry_safe=True)
async def close(ctx: Context) -> None:
    """Fails once, as the database does where another transaction was the first."""
    tries.append(1)
    if len(tries) == 1:
        raise WriteConflict


async def test_a_second_try_has_the_whole_budget(
    make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    class AtOnce:
        async def wait(self, number: int) -> None:
            pass

    tries.clear()
    contract, settings = Contract("journals", resources=[Journal]), make_settings(answer_bytes_max=BYTES)
    app = Sternpost(contract, services=[sum_up, close], settings=settings, write_log=lambda line: None)
    async with Client(app) as client:
        monkeypatch.setattr(app.running.runtime, "backoff", AtOnce())
        async with app.data() as db:
            await db.table(Journal).create_many([{"text": LONG}] * 20)
        steps = [{"operation": "journals.browse"}, {"operation": "journals.close"}]
        answer = await client.post(f"{V1}/$batch", json={"operations": steps})
        assert (answer.status, len(tries)) == (200, 2), answer.content[:300]
        assert len(answer.content) > BYTES / 2


async def turns_during(work: Coroutine[Any, Any, T]) -> tuple[T, int]:
    """The result, and how often others got their turn meanwhile."""
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    counting = asyncio.create_task(count())
    try:
        return await work, turns
    finally:
        counting.cancel()


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)  # whose short reads are no wait
async def test_many_rows_of_a_relation_are_prepared_in_turns_with_others(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent = (await client.post(f"{V1}/nodes", json={"text": "x"})).data["id"]
    async with client.app.data() as db:
        await db.table(Node).create_many([{"text": "y", "parent_id": parent}] * 100)
    path = f"{V1}/nodes/{parent}?fields=children.text"
    turns: list[int] = []
    for rows in (1000, 5):
        monkeypatch.setattr(reader_module, "ROWS_AT_ONCE", rows)
        await client.get(path)
        answer, taken = await turns_during(client.get(path))
        assert answer.status == 200
        turns.append(taken)
    assert turns[1] >= turns[0] + 5


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
async def test_others_get_their_turn_before_each_new_statement(client: Client) -> None:
    node = (await client.post(f"{V1}/nodes", json={"text": "x"})).data["id"]
    path = f"{V1}/nodes/{node}?include=children,friends&children.sort=-text"
    _, first = await turns_during(client.get(path))
    _, again = await turns_during(client.get(path))
    assert (first, again) == (1, 0), "the first of two turns starts the count"
