"""`contract explain` shows the statements that run and where values were declared, and cuts nothing off."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from clinic.app import app as clinic
from shop import services
from shop.contract import contract as shop_contract

from sternpost import (
    Browse,
    Contract,
    Create,
    Delete,
    Many,
    One,
    Owned,
    Read,
    Resource,
    Settings,
    Sternpost,
    Transition,
    Update,
    authenticated,
    computed,
    count_of,
    field,
    fixed_window,
    given,
    many,
    one,
    public,
    related,
    scope,
    searched,
    this,
    token_bucket,
)
from sternpost.cli.explain import explain_one, list_all
from sternpost.cli.output import Terminal
from sternpost.compile.compiler import compile_contract
from sternpost.derive.emit import dialects
from sternpost.storage.sql.explain import explain_operation
from sternpost.storage.sql.statement import Statement
from sternpost.storage.sql.statements import Statements
from sternpost.testing import Client
from tests.conftest import LogLines
from tests.support.commands import Shell


class Person(Resource, prefix="per"):
    """Somebody; their salary is for few."""

    name: str = field(filter=True)
    salary: int | None = field(default=None, read="people:pay")

    read = Read(allow=this.name.eq("Ada") | scope("admin"))
    browse = Browse(allow=this.name.eq("Ada") | scope("admin"))
    create = Create(allow=public)


class Project(Resource, prefix="prj", owner="lead_id", soft_delete=True):
    """Led by somebody."""

    title: str
    lead: One[Person] = one(link=public)
    state: Literal["open", "closed"] = field(default="open", write="never")
    tasks: Owned[Task] = many()

    read = Read(allow=this.is_owner | this.state.eq("closed"))
    browse = Browse(
        default_sort=["-title"],
        allow=(this.is_owner & ~this.state.eq("closed")) | this.lead.name.eq("Ada") | scope("all"),
    )
    create = Create(allow=authenticated)
    update = Update(allow=this.lead.name.ne("Eve"))
    close = Transition("state", source="open", target="closed", allow=this.is_owner)
    delete = Delete(allow=this.is_owner)


class Task(Resource, prefix="tsk"):
    """A part of a project."""

    project: One[Project]
    text: str
    cost: int | None = field(default=None, read="costs:read")


app = Sternpost(Contract("projects", resources=[Person, Project, Task]))


async def test_the_statements_are_those_that_run(
    make_settings: Callable[..., Settings], log_lines: LogLines, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    bind = Statement.bind

    def noted(self: Statement, *arguments: Any, **named: Any) -> tuple[Any, ...]:
        sent.append(self.text)
        return bind(self, *arguments, **named)

    monkeypatch.setattr(Statement, "bind", noted)
    app.use(make_settings())
    async with Client(app) as client:
        person = (await client.post("/api/v1/persons", json={"name": "Ada"})).data["id"]
        token = client.token(person)
        new = {"title": "a", "leadId": person, "tasks": [{"text": "x"}]}
        project = (await client.post("/api/v1/projects", json=new, token=token)).data["id"]
        statements = Statements(app.plan, dialects()[database])
        for operation, method, path, body in (
            ("persons.browse", "GET", "persons", None),
            ("persons.read", "GET", f"persons/{person}", None),
            ("projects.browse", "GET", "projects", None),
            ("projects.read", "GET", f"projects/{project}", None),
            ("projects.update", "PATCH", f"projects/{project}", {"title": "b", "leadId": person}),
            ("projects.close", "POST", f"projects/{project}/close", None),
            ("projects.delete", "DELETE", f"projects/{project}", None),
        ):
            sent.clear()
            await client.request(method, f"/api/v1/{path}", json=body, token=token)
            explained = [text for _, text in explain_operation(statements, operation)]
            # a reference that is sent is looked up, which depends on what is sent
            ran = [text for text in sent if "SELECT persons.id FROM persons" not in text]
            assert [text for text in ran if text not in explained] == [], operation


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_the_policy_as_sql_is_a_part_of_the_lists_statement(kind: str) -> None:
    statements = Statements(app.plan, dialects()[kind])
    for operation in ("persons.browse", "projects.browse"):
        explained = {what: " ".join(text.split()) for what, text in explain_operation(statements, operation)}
        assert explained["policy as SQL"] in explained["page"]
        assert explained["policy as SQL"] in explained["count, for a page without rows"]
    through = " ".join(dict(explain_operation(statements, "projects.browse"))["policy as SQL"].split())
    assert "(SELECT r1.name FROM persons AS r1 WHERE r1.id = projects.lead_id) = 'Ada'" in through


def test_no_statement_is_shown_for_a_policy_that_is_checked_on_the_row() -> None:
    statements = Statements(app.plan, dialects()["sqlite"])
    for operation in ("projects.read", "projects.update", "projects.close", "projects.delete"):
        assert "policy as SQL" not in dict(explain_operation(statements, operation))


# -- what is printed

LONG = "a_field_whose_name_is_long_enough_to_be_cut_off"
SERVICE = f"""
from __future__ import annotations
from sternpost import Browse, Change, Contract, Create, Resource, Sternpost, field, implements, public

class Base(Resource, abstract=True):
    inherited: str = field(max_length=5)
    browse = Browse(page_size=7, sort=["{LONG}"], allow=public)

class Thing(Base, prefix="thi"):
    {LONG}: str = field(filter=True)
    create = Create(allow=public)

@implements(Thing.create)
async def create(ctx, change: Change[Thing]):
    return await change.apply()

app = Sternpost(Contract("things", resources=[Thing]), services=[create])
"""


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    folder = tmp_path / "a_folder_with_a_long_name" / "and_one_below_it" / "project"
    (folder / "package").mkdir(parents=True)
    (folder / "package" / "app.py").write_text(SERVICE, encoding="utf-8")
    return Shell(folder, "sqlite:///x.sqlite")


@pytest.mark.parametrize("columns", [0, 20, 40, 80, 300])
def test_nothing_is_cut_off(shell: Shell, columns: int) -> None:
    """Neither for another program (0 columns) nor in a terminal however narrow."""

    def printed(*arguments: str) -> str:
        if columns:
            return re.sub(r"\x1b\[[0-9;]*m", "", shell.in_terminal(*arguments, columns=columns))
        return shell(*arguments).stdout

    browse = printed("contract", "explain", "things.browse", "--app", "package.app:app")
    create = printed("contract", "explain", "things.create", "--app", "package.app:app")
    checked = printed("contract", "check", "package.app:app")
    assert "…" not in browse + create + checked
    lines = SERVICE.splitlines()
    field = next(number for number, line in enumerate(lines, start=1) if line.startswith(f"    {LONG}"))
    inherited = next(number for number, line in enumerate(lines, start=1) if "inherited" in line)
    operation = next(number for number, line in enumerate(lines, start=1) if "browse =" in line)
    assert re.search(rf"^ *page_size +7 +package/app\.py:{operation}\s*$", browse, re.MULTILINE)
    assert f"package/app.py:{field}" in browse
    assert f"package/app.py:{inherited}" in browse
    assert LONG in browse
    assert re.search(r"service create  package/app\.py:\d+", create)
    assert f"ix_things_{LONG}"[:40] in checked
    assert re.search(r"^ok things: 1 resource, 2 operations, fingerprint [0-9a-f]{16}\s*$", checked, re.MULTILINE)


def test_a_mistake_names_its_place_from_the_folder(shell: Shell) -> None:
    file = shell.folder / "package" / "app.py"
    file.write_text(SERVICE.replace("max_length=5", "max_length=-5"), encoding="utf-8")
    assert (
        "\n  package/app.py:6: SP217 Base.inherited: max_length=-5"
        in shell("contract", "check", "package.app:app").stderr
    )


def printed(show: Callable[[Terminal], None]) -> str:
    terminal = Terminal()
    with terminal.capture() as found:
        show(terminal)
    return " ".join(found.get().split())


@pytest.mark.parametrize(
    ("operation", "told"),
    [
        ("practitioners.free", "input Day(day: date)"),
        ("practitioners.free", "output a list of Slot(startsAt: datetime, endsAt: datetime)"),
        ("appointments.cancel", "input Reason(reason: string)"),
        ("appointments.cancel", "errors TOO_LATE (409)"),
        ("appointments.browse", "filter patient.full_name, practitioner.specialty"),
        ("appointments.browse", "or_groups 3"),
        ("invoices.pdf", "output application/pdf"),
        ("patients.browse", "search (full_name, email)"),
    ],
)
def test_what_an_operation_takes_and_gives_is_told(operation: str, told: str) -> None:
    assert told in printed(lambda terminal: explain_one(clinic.compiled, operation, "sqlite", terminal))


def test_the_limits_of_an_operation_are_told_in_words() -> None:
    class Note(Resource, prefix="not"):
        text: str

        browse = Browse(allow=public, limit=None)
        read = Read(allow=public)
        create = Create(
            allow=public,
            limit=[
                token_bucket(10, per="minute", by="principal", burst=20),
                fixed_window(5, per="hour", by=given("text"), mode="shadow", name="repeated"),
            ],
        )

    throttle = fixed_window(1000, per="second", by="service")
    limited = compile_contract(
        Contract("notes", resources=[Note], limit=fixed_window(60, per=30, by="address"), throttle=throttle)
    )

    def lines(operation: str) -> list[str]:
        terminal = Terminal()
        with terminal.capture() as captured:
            explain_one(limited, operation, "sqlite", terminal)
        return [line.split(maxsplit=1)[1] for line in captured.get().splitlines() if line.startswith("limit ")]

    service = "service/all-second: 1000 calls per second in all; fixed window"
    assert lines("notes.browse") == [service]
    assert lines("notes.read") == [service, "address-30s: 60 calls per 30 seconds for each address; fixed window"]
    assert lines("notes.create") == [
        service,
        "principal-minute: 10 calls per minute for each principal; token bucket; burst 20",
        "repeated: 5 calls per hour for each text of the input; fixed window; shadow: refuses nobody",
    ]


def test_the_events_of_an_operation_are_told_with_their_statement() -> None:
    shop = Sternpost(shop_contract, services=[services]).compiled
    pay, ship = (printed(lambda t, op=op: explain_one(shop, op, "sqlite", t)) for op in ("orders.pay", "orders.ship"))
    assert re.search(r" emits order\.paid \S*contract\.py:\d+ ", pay)
    assert "-- event INSERT INTO sternpost_outbox (" in pay
    assert " emits nothing default " in ship
    assert "sternpost_outbox" not in ship


def test_the_list_of_operations_tells_what_is_open_to_all() -> None:
    class Doctor(Resource, prefix="doc"):
        name: str = field(filter=True)
        secret: str = field(filter=True, read="secrets")
        visits: Many[Visit]
        every: int = computed(count_of("visits", all=True))
        own: int = computed(count_of("visits"))

        browse = Browse(search=["name", searched("secret", all=True)], allow=public)
        read = Read(allow=public)

    class Visit(Resource, prefix="vis"):
        doctor: One[Doctor]

        browse = Browse(filter=["doctor.name", related("doctor.secret", all=True)], allow=public)

    compiled = Sternpost(Contract("doctors", resources=[Doctor, Visit])).compiled
    shown = printed(lambda terminal: list_all(compiled, terminal)).partition("(all=True)")[2].strip()
    assert shown == ("field Doctor.every search in secret of doctors.browse filter doctor.secret of visits.browse")
