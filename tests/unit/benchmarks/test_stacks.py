"""Who is measured: what stacks are started with, what is installed anew, and which of them take turns."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

from benchmarks.databases import Sqlite
from benchmarks.installing import GO_PACKAGES, PEERS, StackError, install_go, made_of
from benchmarks.measure import Course
from benchmarks.results import locked
from benchmarks.rows import Size
from benchmarks.sink import Sink
from benchmarks.stacks import OWN_HARDENED, ROOT, STACKS, Stack

SINK = Sink(1, "http://127.0.0.1:4318", Path("spans"))


def stack(name: str) -> Stack:
    (found,) = [stack for stack in STACKS if stack.name == name]
    return found


def test_all_who_export_are_told_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    monkeypatch.setenv("STERNPOST_LOG_LEVEL", "error")
    found = [stack.variables("sqlite:///x", 1, SINK) for stack in STACKS if stack.exports]
    assert len(found) == 5
    told = [{name: value for name, value in one.items() if name.startswith("OTEL_")} for one in found]
    assert told == [told[0]] * 5
    assert told[0]["OTEL_EXPORTER_OTLP_ENDPOINT"] == SINK.endpoint
    assert told[0]["OTEL_TRACES_SAMPLER"] == "always_on"
    assert "OTEL_SDK_DISABLED" not in told[0]
    assert all("STERNPOST_LOG_LEVEL" not in one for one in found)


def test_who_does_not_export_is_told_nothing() -> None:
    for one in STACKS:
        assert not [name for name in one.variables("sqlite:///x", 1) if name.startswith("OTEL_")]


def test_the_hardened_stack_serves_the_users_of_the_shop_with_a_limit() -> None:
    module = runpy.run_path(str(ROOT / "benchmarks/applications/hardened_users.py"))
    shop = runpy.run_path(str(ROOT / "examples/shop/shop/contract.py"))
    own, theirs = module["User"], shop["User"]
    for operation in ("browse", "read"):
        assert repr(getattr(own, operation).allow) == repr(getattr(theirs, operation).allow)
    operations = module["app"].plan.operations
    assert {name.partition(".")[0] for name in operations} == {"users"}
    assert stack(OWN_HARDENED).environment["STERNPOST_CORS_ORIGINS"] == "https://app.example"
    assert len(stack(OWN_HARDENED).environment["STERNPOST_OPS_TOKEN"]) >= 32


def test_a_slow_stack_is_measured_in_the_first_round_only(tmp_path: Path) -> None:
    chosen = [stack("fastify-bare"), stack("nestjs-hardened"), stack("go-bare")]
    course = Course(chosen, ["W1", "W3"], [32, 128], 3, 1.0, 1.0, Size(1000, 0, 10))
    postgresql: Any = Sqlite(tmp_path / "files")
    postgresql.name = "postgresql"
    rounds = [[one.name for one in course.taking_turns(postgresql, number)] for number in range(3)]
    assert rounds == [["fastify-bare", "nestjs-hardened", "go-bare"], *[["fastify-bare", "go-bare"]] * 2]
    assert course.measurements(postgresql) == (3 + 2 + 2) * 2 * 2
    assert course.measurements(Sqlite(tmp_path / "others")) == 3 * 2 * 2


def test_what_is_compiled_is_installed_anew_when_a_source_changes(tmp_path: Path) -> None:
    (tmp_path / "main.go").write_text("package main")
    (tmp_path / "node_modules").mkdir()
    before = made_of(tmp_path)
    (tmp_path / "node_modules" / "x.go").write_text("made")
    assert made_of(tmp_path) == before
    (tmp_path / "main.go").write_text("package main // changed")
    assert made_of(tmp_path) != before


def test_what_is_not_compiled_is_installed_anew_with_its_lock_file_only(tmp_path: Path) -> None:
    (tmp_path / "uv.lock").write_text("1")
    (tmp_path / "app.py").write_text("1")
    before = made_of(tmp_path)
    (tmp_path / "app.py").write_text("2")
    assert made_of(tmp_path) == before
    (tmp_path / "uv.lock").write_text("2")
    assert made_of(tmp_path) != before


def test_what_is_missing_for_go_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StackError) as error:
        install_go(tmp_path)
    for package in GO_PACKAGES:
        assert package in str(error.value)
    assert "--stacks" in str(error.value)


@pytest.mark.parametrize("peer", sorted(path.name for path in PEERS.iterdir()))
def test_versions_of_peers_are_those_of_their_lock_files(peer: str) -> None:
    if peer == "go":  # its libraries are packages of the system, which may not be there
        assert set(locked(PEERS / peer)) <= {"go", "pgx"}
        return
    found = locked(PEERS / peer)
    assert found
    assert all(number[0].isdigit() for number in found.values())
