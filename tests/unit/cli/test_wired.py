"""`contract explain` and `contract check` on an application with hooks, providers, middleware and own answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.commands import Shell

SERVICE = """from __future__ import annotations
from sternpost import *
from sternpost import Contract, Create, Custom, HttpContext, Media, Redirect, Resource, Sternpost, implements, public

class Mailer:
    pass

class Thing(Resource, prefix="thi"):
    name: str
    create = Create(allow=public)
    pdf = Custom(method="GET", output=Media("application/pdf"), allow=public)
    go = Custom(on="collection", output=Redirect, allow=public)
    look = Custom(on="collection", output=None, allow=public)

@implements(Thing.create)
async def create(ctx, change: Change[Thing], *, mailer: Mailer):
    return await change.apply()

@implements(Thing.pdf)
async def pdf(ctx, thing: Thing): ...

@implements(Thing.go)
async def go(ctx): ...

@implements(Thing.look)
async def look(ctx: HttpContext): ...

async def first(call): ...
async def around(call, proceed): ...
async def last(call): ...

class Gzip:
    def __init__(self, app): ...

app = Sternpost(
    Contract("things", resources=[Thing]), services=[create, pdf, go, look], provide=[provide(Mailer)],
    hooks=[after_commit(last), around_handler(around, Thing.create), after_validation(first)],
    middleware=[Gzip], mounts={"/old": Gzip},
)
"""


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    (tmp_path / "app.py").write_text(SERVICE, encoding="utf-8")
    return Shell(tmp_path, "sqlite:///x.sqlite")


def test_explain_shows_hooks_in_the_order_of_a_call_and_what_is_given(shell: Shell) -> None:
    shown = shell("contract", "explain", "things.create", "--app", "app:app").stdout
    lines = [line.split("  ")[0] for line in shown.splitlines()]
    hooks = [line for line in lines if line.startswith("hook")]
    assert hooks == ["hook", "hook", "hook"]
    order = [shown.index(text) for text in ("after validation: first", "around handler: around", "after commit: last")]
    assert order == sorted(order)
    assert "mailer: Mailer, one per app" in shown
    assert "app.py:28" in shown


@pytest.mark.parametrize(
    ("operation", "why"),
    [
        ("things.pdf", "because it answers with application/pdf"),
        ("things.go", "because it answers with another address"),
        ("things.look", "because it looks at the request"),
    ],
)
def test_explain_says_what_http_alone_serves(shell: Shell, operation: str, why: str) -> None:
    assert (
        f"over HTTP alone, {why}; batches leave it out"
        in shell("contract", "explain", operation, "--app", "app:app").stdout
    )


def test_explain_lists_what_is_outside_of_the_pipeline(shell: Shell) -> None:
    shown = shell("contract", "explain", "--app", "app:app").stdout
    assert "outside the pipeline\n  middleware Gzip\n  mount /old\n" in shown


def test_check_says_what_http_alone_serves(shell: Shell) -> None:
    done = shell("contract", "check", "app:app")
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stdout.splitlines() if line.startswith("http")] == [
        f"http things.{name} is served over HTTP alone; batches leave it out" for name in ("pdf", "go", "look")
    ]


def test_check_reads_services_hooks_and_factories(shell: Shell) -> None:
    file = shell.folder / "app.py"
    broken = SERVICE.replace("async def last(call): ...", "SEEN = {}\nasync def last(call):\n    SEEN[call.id] = 1")
    file.write_text(broken, encoding="utf-8")
    done = shell("contract", "check", "app:app")
    assert done.returncode == 1
    assert "The services and what is beside them have 1 mistake" in done.stderr
    assert "app.py:30: SP636 SEEN is shared by all calls" in done.stderr
    assert "or say why: # sternpost: allow[state]" in done.stderr
    file.write_text(
        broken.replace("SEEN = {}", "SEEN = {}  # sternpost: allow[state] a test of one call"), encoding="utf-8"
    )
    assert shell("contract", "check", "app:app").returncode == 0


def test_what_is_missing_is_told_by_check(shell: Shell) -> None:
    file = shell.folder / "app.py"
    file.write_text(SERVICE.replace("provide=[provide(Mailer)]", "provide=[]"), encoding="utf-8")
    done = shell("contract", "check", "app:app")
    assert (done.returncode, "SP625 create → Mailer: nothing provides Mailer" in done.stderr) == (1, True)
