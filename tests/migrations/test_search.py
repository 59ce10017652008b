"""Indexes of words in migrations, and under every way to write: they come, change and go, on both databases."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from sternpost.app.migrating import migrator_of, shape_of
from sternpost.migrations.history import is_additive
from sternpost.migrations.lint import lint
from sternpost.migrations.planner import Answers, plan_steps
from sternpost.migrations.runner import MigrationFailed, Runner
from sternpost.migrations.verify import verify
from sternpost.plan.words import words_in
from sternpost.ports.migrator import Migrator
from sternpost.ports.schema import Search
from sternpost.ports.steps import AddSearch, DropSearch
from sternpost.storage.postgresql.dialect import PostgresqlDialect
from sternpost.storage.sqlite.dialect import SqliteDialect
from tests.migrations.test_databases import added, run, scratch, target
from tests.support.contracts import contract_text, plan_of

__all__ = ["scratch", "target"]

FIELDS = {"name": "str", "notes": "str | None", "age": "int = field(default=1)"}
OTHER = {"Box": {"label": "str"}}


def patients(*searched: str, called: str = "Patient", rules: str = "", **fields: str) -> str:
    """A contract with one table, whose list is searched in some fields."""
    text = contract_text({**OTHER, called: {**FIELDS, **fields}}, rules={called: rules})
    listing = f"    browse = Browse(allow=public, search={[*searched]})\n    read = Read"
    start = text.index(f"class {called}")
    return text[:start].replace("import Contract", "import Browse, Contract") + text[start:].replace(
        "    read = Read", listing, 1
    )


def renamed() -> str:
    return patients("full_name", "notes").replace("    name: str", "    full_name: str")


CHANGES: dict[str, tuple[str, str, Mapping[str, str]]] = {
    "a search comes": (patients(), patients("name", "notes"), {}),
    "a search has other fields": (patients("notes", "age_text", age_text="str"), patients("name", "notes"), {}),
    "a searched table comes": (contract_text(OTHER), patients("name"), {}),
    "a column is called otherwise": (patients("name", "notes"), renamed(), {"patients.name": "patients.full_name"}),
    "the table is called otherwise": (patients("name"), patients("name", called="Client"), {"patients": "clients"}),
    "searched columns have other types": (
        patients("name", code="int"),
        patients("name", "code", name="str | None", code="str"),
        {},
    ),
    "the table is made anew": (
        patients("name", note="str | None", extra="int = field(default=1)"),
        patients("name", note="str = field(default='')", rules="soft_delete=True, audit=True"),
        {},
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_searches_are_migrated_there_and_back(change: str, scratch: Any, tmp_path: Path) -> None:
    before, after, renames = CHANGES[change]
    added(tmp_path, plan_of(before), "before")
    plan = plan_of(after)
    dropped = frozenset(f"patients.{name}" for name in ("extra", "age_text") if name in before)
    fills = {f"patients.{name}": "''" for name in ("note", "age_text", "name") if f" {name}: str" in before}
    history = added(tmp_path, plan, "after", Answers(dict(renames), dropped, fills))
    assert plan_steps(history.shape(), shape_of(plan), Answers()) == ([], [])
    with scratch as make:
        proofs = verify(history, plan, make(), make())
    assert [proof.problems for proof in proofs] == [[], []]
    assert proofs[-1].rows >= 7, "there are rows"


ADD = (
    "INSERT INTO patients (id, name, notes, age) VALUES "
    "('{0:032x}', 'Ann {0}', 'high fever', 1), ('{1:032x}', 'Bob', NULL, 1)"
)


def found(target: Migrator, word: str, *, columns: tuple[int, ...] = (0, 1)) -> str:
    """The names of the rows that a word finds."""
    if target.name == "postgresql":
        asked = PostgresqlDialect().search.every([word], columns)
        condition = f"_words @@ '{asked.replace(chr(39), chr(39) * 2)}'::tsquery"
    else:
        asked = SqliteDialect().search.every([word], columns)
        condition = (
            "id IN (SELECT n.id FROM sternpost_search_patients_fts JOIN sternpost_search_patients_ids n ON docid = "
            f"sternpost_search_patients_fts.rowid WHERE sternpost_search_patients_fts MATCH '{asked}')"
        )
    return " ".join(row[0] for row in run(target, f"SELECT name FROM patients WHERE {condition} ORDER BY name"))


def test_every_way_to_write_keeps_the_index(target: Migrator, tmp_path: Path) -> None:
    added(tmp_path, plan_of(patients()), "before")
    added(tmp_path, plan_of(patients("name")), "one")
    added(tmp_path, plan_of(patients("name", "notes")), "both")
    history = added(
        tmp_path,
        plan_of(patients("name", "notes", name="str | None", rules="checks=[this.age > 0]")),
        "closed",
        Answers(fills={"patients.name": "''"}),
    )
    runner = Runner(target, history)
    runner.apply(to="0001")
    run(target, ADD.format(1, 2), *(f"UPDATE patients SET name = 'Ann 1' WHERE age = {n}" for n in (7, 8)))
    runner.apply(to="0002")
    run(target, ADD.format(3, 4))
    assert found(target, "ann", columns=(0,)) == "Ann 1 Ann 3"
    runner.apply(to="0003")
    assert found(target, "feve") == "Ann 1 Ann 3"
    runner.apply()  # SQLite makes the table anew
    assert found(target, "feve") == "Ann 1 Ann 3"
    run(target, f"UPDATE patients SET notes = 'Cough', name = 'Ann' WHERE id = '{1:032x}'", ADD.format(5, 6))
    assert (found(target, "fever"), found(target, "cough"), found(target, "ann")) == (
        "Ann 3 Ann 5",
        "Ann",
        "Ann Ann 3 Ann 5",
    )
    run(target, f"UPDATE patients SET id = '{9:032x}' WHERE id = '{3:032x}'", "DELETE FROM patients WHERE name = 'Ann'")
    assert found(target, "a") == "Ann 3 Ann 5"
    if target.name == "sqlite":
        run(target, f"REPLACE INTO patients (id, name, age) VALUES ('{9:032x}', 'Anew', 1)", "VACUUM")
        assert (found(target, "a"), found(target, "fever")) == ("Anew Ann 5", "Ann 5")
        (count,) = run(target, "SELECT count(*) FROM sternpost_search_patients_fts")
        assert count[0] == len(run(target, "SELECT id FROM patients"))
    run(target, *(f"DELETE FROM patients WHERE id = '{number:032x}'" for number in range(1, 10)))
    assert found(target, "a") == ""
    runner.down(to="base", allow_destructive=True)
    if target.name == "sqlite":
        assert run(target, "SELECT name FROM sqlite_master WHERE name LIKE 'sternpost_search%'") == []


def test_other_columns_do_not_touch_the_index_and_nothing_is_scanned(target: Migrator, tmp_path: Path) -> None:
    history = added(tmp_path, plan_of(patients("name", "notes")), "first")
    Runner(target, history).apply()
    run(target, ADD.format(1, 2))
    if target.name == "postgresql":
        run(target, "UPDATE patients SET _words = NULL")
    else:
        run(target, "UPDATE sternpost_search_patients_fts SET f0 = 'lost', f1 = NULL")
    run(target, "UPDATE patients SET age = 7")
    assert found(target, "ann") == "", "the trigger would have mended it"
    run(target, "UPDATE patients SET name = 'Ann' WHERE notes IS NOT NULL")
    assert found(target, "ann") == "Ann"
    if target.name == "sqlite":
        number = "(SELECT docid FROM sternpost_search_patients_ids WHERE id = 'x')"
        for statement in ("DELETE FROM {} WHERE rowid = ", "UPDATE {} SET f0 = 'x' WHERE rowid = "):
            text = f"EXPLAIN QUERY PLAN {statement.format('sternpost_search_patients_fts')}{number}"
            steps = " / ".join(row[-1] for row in run(target, text))
            assert "USING COVERING INDEX" in steps, steps
            assert "VIRTUAL TABLE INDEX 0:=" in steps, steps


def test_a_migration_that_was_interrupted_goes_on(target: Migrator, tmp_path: Path) -> None:
    added(tmp_path, plan_of(patients()), "before")
    history = added(tmp_path, plan_of(patients("name")), "after")
    runner = Runner(target, history)
    runner.apply(to="0001")
    run(target, ADD.format(1, 2))
    (step,) = history.revisions[-1].up
    assert isinstance(step, AddSearch)
    clash = "CREATE TABLE sternpost_search_patients_fts (id TEXT)"
    gone = "DROP TABLE sternpost_search_patients_fts"
    if target.name == "postgresql":
        clash, gone = "CREATE VIEW sternpost_search_patients AS SELECT 1", "DROP VIEW sternpost_search_patients"
    run(target, clash)
    with pytest.raises(MigrationFailed):
        runner.apply()
    run(target, gone)
    runner.apply()
    assert found(target, "ann", columns=(0,)) == "Ann 1"


def test_it_is_added_under_load_and_removed_with_a_warning(tmp_path: Path) -> None:
    (add,), _ = plan_steps(shape_of(plan_of(patients())), shape_of(plan_of(patients("name"))), Answers())
    assert add == AddSearch("patients", Search("sternpost_search_patients", ("name",)))
    assert is_additive([add])
    modes = [action.mode for action in migrator_of("postgresql:").actions([add])]
    assert modes == ["together", "batches", "outside"]
    assert lint(migrator_of("postgresql:"), [add]) == []
    (drop,), _ = plan_steps(shape_of(plan_of(patients("name"))), shape_of(plan_of(patients())), Answers())
    assert drop == DropSearch("patients", "sternpost_search_patients")
    assert not is_additive([drop]), "older processes search"


def test_both_databases_see_the_same_words(target: Migrator, tmp_path: Path) -> None:
    """For every character up to U+1FFFF by itself, and what is longer than any search."""
    history = added(tmp_path, plan_of(patients("name")), "first")
    Runner(target, history).apply()
    codes = [code for code in range(1, 0x20000) if not 0xD800 <= code < 0xE000]
    texts = [
        " ".join(f"{code:05x}q{chr(code)}q" for code in codes[at : at + 1000]) for at in range(0, len(codes), 1000)
    ]
    values = ", ".join(
        f"('{number:032x}', '{text.replace(chr(39), chr(39) * 2)}', NULL, 1)" for number, text in enumerate(texts)
    )
    run(target, f"INSERT INTO patients (id, name, notes, age) VALUES {values}")
    if target.name == "postgresql":
        long = "SELECT sternpost_words('a', NULL, repeat('b ', 60000) || 'End', repeat('c ', 99999) || 'far') AS w"
        assert run(target, f"SELECT w::text FROM ({long}) AS of") == [("'aa' 'cb' 'cend' 'dc'",)]
        rows = run(target, "SELECT unnest(tsvector_to_array(_words)) FROM patients")
        indexed = {row[0][1:] for row in rows}
    else:
        run(target, "CREATE VIRTUAL TABLE seen USING fts5vocab(sternpost_search_patients_fts, row)")
        indexed = {row[0] for row in run(target, "SELECT term FROM seen")}
    assert indexed == {word for text in texts for word in words_in(text)}
