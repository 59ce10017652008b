"""Renames of columns and of the values of enumerations: rows follow, in both directions, on both databases."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sternpost.app.migrating import shape_of
from sternpost.migrations.history import read_history
from sternpost.migrations.planner import Answers, plan_steps, rename_questions, unknown_answers
from sternpost.migrations.runner import Runner
from sternpost.migrations.verify import verify
from sternpost.ports.migrator import Migrator
from tests.migrations.test_databases import added, run, scratch, target
from tests.support.contracts import contract_text, plan_of

__all__ = ["scratch", "target"]

ID = f"{1:032x}"


def _proved(scratch: Any, folder: Path, before: str, after: str, renames: dict[str, str]) -> None:
    """The steps lead from one to the other and back, with rows, and the next plan is empty."""
    plan = plan_of(after)
    added(folder, plan_of(before), "before")
    history = read_history(folder)
    answers = Answers(renames=renames)
    assert unknown_answers(history.shape(), shape_of(plan), answers) == []
    assert rename_questions(history.shape(), shape_of(plan), answers) == []
    history = added(folder, plan, "after", answers)
    assert plan_steps(history.shape(), shape_of(plan), Answers()) == ([], [])
    with scratch as make:
        problems = [text for proof in verify(history, plan, make(), make()) for text in proof.problems]
    assert problems == []


def _box(**fields: str) -> str:
    return contract_text({"Box": fields})


SWAPS: dict[str, tuple[dict[str, str], dict[str, str], dict[str, str]]] = {
    "two of one type": ({"a": "str", "b": "str"}, {"a": "str", "b": "str"}, {"a": "b", "b": "a"}),
    "two of different types": ({"a": "int", "b": "str | None"}, {"b": "int", "a": "str | None"}, {"a": "b", "b": "a"}),
    "three in a ring": (dict.fromkeys("abc", "int"), dict.fromkeys("abc", "int"), {"a": "b", "b": "c", "c": "a"}),
    "a chain": ({"a": "int", "b": "str"}, {"b": "int", "c": "str"}, {"a": "b", "b": "c"}),
    "with rules and indexes": (
        {
            "a": "str = field(max_length=20, unique='nocase', filter=True)",
            "b": "str = field(max_length=30, unique=True)",
            "c": "Literal['x', 'y'] = field(filter=True)",
            "d": "int = field(ge=0, default=1, filter=True)",
        },
        {
            "b": "str = field(max_length=20, unique='nocase', filter=True)",
            "a": "str = field(max_length=30, unique=True)",
            "d": "Literal['x', 'y'] = field(filter=True)",
            "c": "int = field(ge=0, default=1, filter=True)",
        },
        {"a": "b", "b": "a", "c": "d", "d": "c"},
    ),
    "named by words of SQL": (
        {"order": "str = field(unique='nocase', filter=True)", "lower": "str = field(unique='nocase', filter=True)"},
        {"lower": "str = field(unique='nocase', filter=True)", "order": "str = field(unique='nocase', filter=True)"},
        {"order": "lower", "lower": "order"},
    ),
    "to a word of SQL": (
        {"name": "str = field(unique='nocase', filter=True)", "level": "int = field(ge=1)"},
        {"group": "str = field(unique='nocase', filter=True)", "user": "int = field(ge=1)"},
        {"name": "group", "level": "user"},
    ),
}


@pytest.fixture(params=SWAPS)
def swap(request: pytest.FixtureRequest) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    return SWAPS[request.param]


def test_columns_swap_their_names(swap: Any, scratch: Any, tmp_path: Path) -> None:
    before, after, names = swap
    renames = {f"boxes.{old}": f"boxes.{new}" for old, new in names.items()}
    _proved(scratch, tmp_path, _box(**before), _box(**after), renames)


def test_columns_that_swap_their_names_keep_their_values(target: Migrator, tmp_path: Path) -> None:
    text = _box(a="str", b="str")
    added(tmp_path, plan_of(text), "before")
    history = added(tmp_path, plan_of(text), "after", Answers(renames={"boxes.a": "boxes.b", "boxes.b": "boxes.a"}))
    runner = Runner(target, history)
    runner.apply(to="0001")
    run(target, f"INSERT INTO boxes (id, a, b) VALUES ('{ID}', 'was a', 'was b')")
    runner.apply()
    assert run(target, "SELECT a, b FROM boxes") == [("was b", "was a")]
    runner.down()
    assert run(target, "SELECT a, b FROM boxes") == [("was a", "was b")]


def state(*values: str, default: str | None = None, more: str = "") -> str:
    options = f" = field(default={default!r}{more})" if default else f" = field({more.lstrip(', ')})" if more else ""
    return f"Literal[{', '.join(map(repr, values))}]{options}"


VALUES: dict[str, tuple[str, str, dict[str, str]]] = {
    "one": (_box(state=state("open", "done")), _box(state=state("active", "done")), {"state.open": "state.active"}),
    "two that swap": (
        _box(state=state("a", "b")),
        _box(state=state("a", "b")),
        {"state.a": "state.b", "state.b": "state.a"},
    ),
    "along with another that comes": (
        _box(state=state("open", "done", default="done")),
        _box(state=state("active", "done", "lost", default="done")),
        {"state.open": "state.active"},
    ),
    "along with another that goes": (
        _box(state=state("open", "done", "lost", default="done")),
        _box(state=state("active", "done", default="done")),
        {"state.open": "state.active"},
    ),
    "with its column": (
        _box(state=state("open", "done")),
        _box(phase=state("active", "done")),
        {"state": "phase", "phase.open": "phase.active"},
    ),
    "with its table": (
        _box(state=state("open", "done", default="open", more=", filter=True")),
        contract_text({"Crate": {"state": state("active", "done", default="active", more=", filter=True")}}),
        {"": "crates", "state.open": "state.active"},
    ),
    "of a column that may be null": (
        _box(state=state("open", "done").replace("]", "] | None")),
        _box(state=state("active", "done").replace("]", "] | None")),
        {"state.open": "state.active"},
    ),
    "with characters of other uses": (
        _box(state=state("it's: a.b", "done")),
        _box(state=state('c.d: "e"', "done")),
        {"state.it's: a.b": 'state.c.d: "e"'},
    ),
}


@pytest.mark.parametrize("case", VALUES)
def test_values_get_other_names(case: str, scratch: Any, tmp_path: Path) -> None:
    before, after, names = VALUES[case]
    table = names.get("", "boxes")
    renames = {f"{table}.{old}": f"{table}.{new}" for old, new in names.items() if old}
    renames |= {"boxes": table} if table != "boxes" else {}
    _proved(scratch, tmp_path, before, after, renames)


def test_rows_get_the_new_names_of_values(target: Migrator, tmp_path: Path) -> None:
    added(tmp_path, plan_of(_box(state=state("a", "b", "c"))), "before")
    after = _box(state=state("b", "c", "d"))
    renames = {"boxes.state.a": "boxes.state.b", "boxes.state.b": "boxes.state.d"}
    history = added(tmp_path, plan_of(after), "after", Answers(renames=renames))
    assert [step.loses for revision in history.revisions for step in revision.up if step.loses] == []
    runner = Runner(target, history)
    runner.apply(to="0001")
    rows = [f"INSERT INTO boxes (id, state) VALUES ('{n:032x}', '{value}')" for n, value in enumerate("abca")]
    run(target, *rows)
    runner.apply()
    assert run(target, "SELECT state FROM boxes ORDER BY id") == [("b",), ("d",), ("c",), ("b",)]
    runner.down()
    assert run(target, "SELECT state FROM boxes ORDER BY id") == [("a",), ("b",), ("c",), ("a",)]


def test_a_value_that_may_have_been_renamed_is_asked() -> None:
    old, new = (shape_of(plan_of(_box(state=state(*values, default="x")))) for values in (("x", "a"), ("x", "b")))
    (question,) = rename_questions(old, new, Answers())
    assert question.text == (
        "the value boxes.state.a is no longer in the contract: --rename boxes.state.a:boxes.state.b, or --drop boxes.state.a"
    )
    for answers in (Answers(renames={"boxes.state.a": "boxes.state.b"}), Answers(dropped=frozenset({"boxes.state.a"}))):
        assert rename_questions(old, new, answers) == []
        assert unknown_answers(old, new, answers) == []
    assert unknown_answers(old, new, Answers(renames={"boxes.state.x": "boxes.state.b"})) == [
        "--rename boxes.state.x:boxes.state.b: boxes.state.x is still in the contract"
    ]
    assert unknown_answers(old, new, Answers(renames={"boxes.state.a": "boxes.state.x"})) == [
        "--rename boxes.state.a:boxes.state.x: boxes.state.x is not new"
    ]


def test_the_command_takes_a_value_by_its_column(tmp_path: Path) -> None:
    def planned(text: str, *options: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "service.py").write_text(text + "\nfrom sternpost import Sternpost\napp = Sternpost(contract)\n")
        command = [sys.executable, "-m", "sternpost", "migrate", "plan", "service:app", *options]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert planned(_box(state=state("a:b", "x"))).returncode == 0
    after = _box(state=state("c.d", "x"))
    asked = planned(after)
    assert asked.returncode == 2
    assert "--rename boxes.state.a:b:boxes.state.c.d" in asked.stderr.replace("\n", "")
    done = planned(after, "--rename", "boxes.state.a:b:boxes.state.c.d")
    assert done.returncode == 0, done.stderr
    (file,) = tmp_path.glob("migrations/0002*.py")
    assert "WHEN 'a:b' THEN 'c.d'" in file.read_text()
