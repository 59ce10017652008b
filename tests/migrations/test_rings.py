"""Resources that refer to each other: created, migrated and removed on both databases, and their references hold."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sternpost import Settings
from sternpost.migrations.history import read_history
from sternpost.migrations.runner import Runner
from sternpost.migrations.verify import schema_of, verify
from sternpost.ports.migrator import Migrator
from sternpost.testing import Client
from tests.migrations.test_databases import added, run, scratch, target
from tests.support.contracts import app_of, contract_text, plan_of

__all__ = ["scratch", "target"]

Tables = dict[str, dict[str, str]]

NONE: Tables = {"Box": {"label": "str"}, "Crate": {"label": "str"}, "Pallet": {"label": "str"}}


def _with(**references: str) -> Tables:
    """The tables, each with the references that are given for it: `Box="crate:Crate"` for one that is required."""
    tables = {name: dict(fields) for name, fields in NONE.items()}
    for name, texts in references.items():
        for text in texts.split():
            relation, _, target = text.partition(":")
            cls, _, on_delete = target.partition("/")
            kind = f"One[{cls.removesuffix('?')}]{' | None' if '?' in cls else ''}"
            tables[name][relation] = kind + (f" = one(on_delete='{on_delete}')" if on_delete else "")
    return tables


RINGS: dict[str, Tables] = {
    "of two": _with(Box="crate:Crate?", Crate="box:Box"),
    "of two that are required": _with(Box="crate:Crate", Crate="box:Box"),
    "of three": _with(Box="crate:Crate?", Crate="pallet:Pallet?", Pallet="box:Box?"),
    "set_null and cascade": _with(Box="crate:Crate?/set_null", Crate="box:Box/cascade"),
    "two rings of one table": _with(Box="crate:Crate? pallet:Pallet?", Crate="box:Box?", Pallet="box:Box?"),
    "beside a reference to itself": _with(Box="box:Box? crate:Crate?", Crate="crate:Crate? box:Box?"),
    "with a table that hangs on it": _with(Box="crate:Crate?", Crate="box:Box?", Pallet="box:Box"),
    "two references each": _with(Box="crate:Crate? other:Crate?", Crate="box:Box? other:Box?"),
}


def _text(tables: Tables) -> str:
    return contract_text(tables, linked=True).replace("field, many", "field, many, one")


FEW = ("of two", "two rings of one table")


@pytest.fixture(params=[pytest.param(name, marks=[pytest.mark.slow] * (name not in FEW)) for name in RINGS])
def ring(request: pytest.FixtureRequest) -> Tables:
    return RINGS[request.param]


def _optional(text: str) -> str:
    """A required reference as one that may be null: rows that exist have none."""
    return re.sub(r"^(One\[\w+\])(?! \|)", r"\1 | None", text)


def _proved(scratch: Any, folder: Path, *contracts: Tables) -> None:
    """A history with one migration for each contract is proved, up and down, and leads to what the last one needs."""
    plans = [plan_of(_text(tables)) for tables in contracts]
    for number, plan in enumerate(plans):
        added(folder, plan, f"step {number}")
    history = read_history(folder)
    with scratch as make:
        proofs = verify(history, plans[-1], make(), make())
    assert [proof.problems for proof in proofs] == [[]] * len(plans)


def test_a_ring_is_created_by_the_first_migration(ring: Tables, scratch: Any, tmp_path: Path) -> None:
    _proved(scratch, tmp_path, ring)


def test_a_later_migration_closes_a_ring(ring: Tables, scratch: Any, tmp_path: Path) -> None:
    optional = {name: {field: _optional(text) for field, text in fields.items()} for name, fields in ring.items()}
    _proved(scratch, tmp_path, NONE, optional, NONE)


def test_a_ring_of_new_tables_comes_and_goes(ring: Tables, scratch: Any, tmp_path: Path) -> None:
    one: Tables = {"Ware": {"label": "str"}}
    _proved(scratch, tmp_path, one, {**one, **ring}, one)


def test_a_ring_is_left_by_one_table_after_the_other(scratch: Any, tmp_path: Path) -> None:
    two = {name: fields for name, fields in RINGS["two references each"].items() if name != "Pallet"}
    _proved(scratch, tmp_path, RINGS["of three"], RINGS["two references each"], two, {"Box": NONE["Box"]})


def test_references_of_a_ring_hold(database: str, target: Migrator, tmp_path: Path) -> None:
    """Each of them is a foreign key, whether the schema was made directly or by migrations."""
    plan = plan_of(_text(RINGS["of three"]))
    history = added(tmp_path, plan, "all")
    Runner(target, history).apply()
    migrated = target.run(lambda connection: schema_of(target, connection))
    keys = [
        f"fk_{table}_{field}"
        for table, field in (("boxes", "crate_id"), ("crates", "pallet_id"), ("pallets", "box_id"))
    ]
    for key in keys:
        assert any("REFERENCES" in table["rules"].get(key, "") for table in migrated.values()), key
    box, crate = f"{1:032x}", f"{2:032x}"
    run(target, f"INSERT INTO boxes (id, label) VALUES ('{box}', 'b')")
    with pytest.raises(Exception, match=r"(?i)foreign key"):
        run(
            target,
            *(["PRAGMA foreign_keys = ON"] if database == "sqlite" else []),
            f"UPDATE boxes SET crate_id = '{crate}'",
        )


async def test_a_ring_is_served(ring: Tables, make_settings: Callable[..., Settings]) -> None:
    """The schema is made directly; each reference of the ring is checked, and rows can refer to each other."""
    async with Client(app_of(_text(ring), make_settings())) as client:
        made: dict[str, str] = {}
        for resource in sorted(client.app.plan.resources, key=lambda one: sum(field.required for field in one.fields)):
            references = {
                field.public_name: field for field in resource.fields if field.references and field.name != "id"
            }
            known = {name: made.get(str(field.references)) for name, field in references.items()}
            if any(known[name] is None and not field.nullable for name, field in references.items()):
                continue  # of two rows that require each other none can be the first
            for name, field in references.items():
                nowhere = {name: f"{client.app.plan.by_name[str(field.references)].prefix}_{99:032x}"}
                answer = await client.request(
                    "POST", f"/api/v1/{resource.path}", json={"label": "x", **known, **nowhere}
                )
                assert answer.status == 422, answer.content
            answer = await client.request("POST", f"/api/v1/{resource.path}", json={"label": "x", **known})
            assert answer.status == 201, answer.content
            made[resource.name] = answer.json()["data"]["id"]
        assert len(made) == (1 if ring == RINGS["of two that are required"] else 3)
