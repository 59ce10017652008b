"""What services are given by type: when it is made and torn down, what fails, and what tests put in its place."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any

import pytest

from sternpost import (
    Change,
    Conflict,
    Context,
    Contract,
    ContractError,
    Create,
    Custom,
    Payload,
    Resource,
    Settings,
    Sternpost,
    implements,
    provide,
    public,
)
from sternpost.errors import StartupError, WriteConflict
from sternpost.testing import Client
from tests.conftest import LogLines

pytestmark = pytest.mark.parametrize("database", ["sqlite"])

V1 = "/api/v1"
events: list[str] = []


@pytest.fixture(autouse=True)
def no_events() -> None:
    events.clear()


class Server:
    def __init__(self, settings: Settings) -> None:
        events.append(f"server for {settings.env}")


class Mailer:
    def __init__(self, server: Server) -> None:
        self.server = server

    def send(self, text: str) -> None:
        events.append(f"sent {text}")


class Visit:
    def __init__(self, who: str) -> None:
        self.who = who


class Basket:
    """Never asked for by a call that does not need it."""


async def make_mailer(server: Server) -> AsyncGenerator[Mailer]:
    events.append("mailer opens")
    yield Mailer(server)
    events.append("mailer closes")


def make_visit(ctx: Context, mailer: Mailer) -> Generator[Visit]:
    assert isinstance(mailer, Mailer | FakeMailer)
    events.append("visit opens")
    yield Visit(ctx.principal.subject if ctx.principal else "nobody")
    events.append("visit closes")


async def make_basket(visit: Visit, size: int = 3) -> Basket:
    events.append(f"basket of {visit.who}, {size}")
    return Basket()


class FakeMailer:
    def send(self, text: str) -> None:
        events.append(f"kept {text}")


class Line(Resource, prefix="lin"):
    text: str

    create = Create(allow=public)
    look = Custom(method="GET", on="collection", output=None, allow=public)


class Nothing(Payload):
    text: str


@implements(Line.create, retry_safe=True)
async def create(ctx: Context, change: Change[Line], *, mailer: Mailer, basket: Basket, visit: Visit) -> Line:
    events.append("function")
    line = await change.apply()
    ctx.after_commit(mailer.send, line.text)
    if line.text == "refused":
        raise Conflict("Not this one")
    if line.text == "again" and events.count("function") == 1:
        raise WriteConflict
    return line


@implements(Line.look)
async def look(ctx: Context, *, visit: Visit | None) -> None:
    events.append(f"look of {visit.who if visit else 'none'}")


CONTRACT = Contract("lines", resources=[Line])
PROVIDERS = (
    provide(Basket, make_basket, per="call"),
    provide(Mailer, make_mailer),
    provide(Visit, make_visit, per="call"),
    provide(Server),
)
Make = Callable[..., Sternpost]


@pytest.fixture
def make(make_settings: Callable[..., Settings], log_lines: LogLines) -> Make:
    def made(*providers: Any, services: Any = (create, look), **more: Any) -> Sternpost:
        settings = make_settings()
        return Sternpost(CONTRACT, services=services, provide=providers, settings=settings, write_log=log_lines, **more)

    return made


async def test_values_live_as_long_as_they_are_declared_to(make: Make) -> None:
    async with Client(make(*PROVIDERS)) as client:
        assert events == ["server for test", "mailer opens"]
        events.clear()
        assert (await client.post(f"{V1}/lines", json={"text": "x"}, token=client.token("ann"))).status == 201
        assert events == ["visit opens", "basket of ann, 3", "function", "sent x", "visit closes"]
        events.clear()
        assert (await client.get(f"{V1}/lines/look")).status == 204
        assert events == ["visit opens", "look of nobody", "visit closes"]
        events.clear()
    assert events == ["mailer closes"]


async def test_those_of_a_call_end_where_it_is_refused(make: Make) -> None:
    async with Client(make(*PROVIDERS)) as client:
        events.clear()
        assert (await client.post(f"{V1}/lines", json={"text": "refused"})).status == 409
        assert events == ["visit opens", "basket of nobody, 3", "function", "visit closes"]


async def test_a_call_that_runs_again_gets_new_ones(make: Make) -> None:
    async with Client(make(*PROVIDERS)) as client:
        events.clear()
        assert (await client.post(f"{V1}/lines", json={"text": "again"})).status == 201
        once = ["visit opens", "basket of nobody, 3", "function"]
        assert events == [*once, "visit closes", *once, "sent again", "visit closes"]


async def test_each_step_of_a_batch_has_its_own_until_the_end_of_the_batch(make: Make) -> None:
    async with Client(make(*PROVIDERS)) as client:
        events.clear()
        steps = [{"operation": "lines.create", "body": {"text": text}} for text in "xy"]
        assert (await client.post(f"{V1}/$batch", json={"operations": steps})).status == 200
        once = ["visit opens", "basket of nobody, 3", "function"]
        assert events == [*once, *once, "sent x", "sent y", "visit closes", "visit closes"]


async def test_a_factory_that_fails_in_a_call_fails_the_call(make: Make, log_lines: LogLines) -> None:
    def broken() -> Visit:
        raise ValueError("s3cret")

    async with Client(make(*PROVIDERS[:2], provide(Visit, broken, per="call"), PROVIDERS[3])) as client:
        answer = await client.post(f"{V1}/lines", json={"text": "x"})
        assert (answer.status, b"s3cret" in answer.content) == (500, False)
        assert "builtins.ValueError" in str(log_lines.lines)


async def test_an_end_that_fails_is_logged_and_the_others_end(make: Make, log_lines: LogLines) -> None:
    def visit(ctx: Context) -> Generator[Visit]:
        yield Visit("x")
        raise ValueError("s3cret")

    def basket(visit: Visit) -> Generator[Basket]:
        yield Basket()
        events.append("basket closes")
        yield Basket()

    providers = (
        *(provide(Basket, basket, per="call"), provide(Visit, visit, per="call")),
        *(provide(Mailer, make_mailer), provide(Server)),
    )
    async with Client(make(*providers)) as client:
        assert (await client.post(f"{V1}/lines", json={"text": "x"})).status == 201
        assert "basket closes" in events
    logged = [line for line in log_lines.lines if line["message"] == "What was provided could not be torn down"]
    assert [line["provided"] for line in logged] == ["Basket", "Visit"]
    assert "yields more than once" in logged[0]["stack"]


async def test_a_failed_start_ends_what_was_made(make: Make, log_lines: LogLines) -> None:
    def broken(server: Server, mailer: Mailer) -> Basket:
        raise ValueError("no room")

    def closing(server: Server) -> Generator[Mailer]:
        yield Mailer(server)
        events.append("mailer closes")
        raise OSError("s3cret")

    app = make(provide(Basket, broken), provide(Mailer, closing), provide(Server), services=(plain, idle))
    with pytest.raises(StartupError, match="Basket could not be provided: ValueError: no room"):
        await app.start()
    assert events == ["server for test", "mailer closes"]
    assert not app.started
    (logged,) = [line for line in log_lines.lines if line["message"] == "What was provided could not be torn down"]
    assert (logged["name"], "OSError" in logged["stack"]) == ("Mailer", True)


@implements(Line.create)
async def plain(ctx: Context, change: Change[Line]) -> Line:
    return await change.apply()


@implements(Line.look)
async def idle(ctx: Context) -> None:
    """Does nothing."""


async def test_a_factory_that_makes_nothing_is_told_of(make: Make) -> None:
    def nothing() -> Generator[Mailer]:
        if events:
            yield Mailer(Server(Settings()))

    async def forgotten() -> None:
        """Forgets to return it."""

    for factory in (nothing, forgotten):
        app = make(provide(Mailer, factory), services=(plain, idle))
        with pytest.raises(StartupError, match="The factory of Mailer has made nothing"):
            await app.start()


def test_what_is_missing_is_told_with_the_way_that_led_there(make: Make) -> None:
    with pytest.raises(ContractError, match="create → Mailer → Server: nothing provides Server"):
        make(*PROVIDERS[:3])


async def test_a_test_puts_another_value_in_place(make: Make) -> None:
    app = make(*PROVIDERS)
    with app.override(Mailer, FakeMailer()):  # pyright: ignore[reportArgumentType]
        async with Client(app) as client:
            assert "mailer opens" not in events
            await client.post(f"{V1}/lines", json={"text": "x"})
            assert "kept x" in events
            with app.override(Visit, Visit("somebody")):
                await client.get(f"{V1}/lines/look")
            assert "look of somebody" in events
            events.clear()
            await client.get(f"{V1}/lines/look")
            assert events == ["visit opens", "look of nobody", "visit closes"]
    async with Client(app) as client:
        with app.override(Mailer, FakeMailer()):  # pyright: ignore[reportArgumentType]
            await client.post(f"{V1}/lines", json={"text": "y"})
        assert "kept y" in events
        with (
            pytest.raises(RuntimeError, match="Mailer was made with Server when the application started"),
            app.override(Server, Server(app.settings)),
        ):
            pass


async def test_functions_at_start_and_stop(make: Make, log_lines: LogLines) -> None:
    async def prepare(*, mailer: Mailer) -> None:
        mailer.send("start")

    async def broken() -> None:
        raise ValueError("s3cret")

    async def finish(*, mailer: Mailer) -> None:
        mailer.send("stop")

    app = make(*PROVIDERS, on_start=[prepare], on_stop=[broken, finish])
    async with Client(app):
        assert events == ["server for test", "mailer opens", "sent start"]
    assert events[3:] == ["sent stop", "mailer closes"]
    (logged,) = [line for line in log_lines.lines if line["message"] == "A function at the stop failed"]
    assert ("broken" in logged["name"], "builtins.ValueError" in logged["stack"]) == (True, True)
    events.clear()
    failing = make(*PROVIDERS, on_start=[prepare, broken], on_stop=[finish])
    with pytest.raises(StartupError, match="broken failed at the start: ValueError"):
        await failing.start()
    assert events == ["server for test", "mailer opens", "sent start", "mailer closes"]
