"""Every statement on a resource keeps its tenant, its deleted rows and its version, whatever it is for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest

from sternpost.plan.query import (
    ALL,
    TENANT,
    Aggregate,
    Assignment,
    Compare,
    Measure,
    Modify,
    Nested,
    OwnedBy,
    Related,
    Remove,
    Select,
    Under,
    Upsert,
    every,
    key_is,
    ordered,
)
from sternpost.ports.storage import EVERY_TENANT, NO_TENANT, Visibility
from sternpost.storage.postgresql.dialect import PostgresqlDialect
from sternpost.storage.sql.gate import Gate
from sternpost.storage.sql.statements import Statements
from sternpost.storage.sqlite.dialect import SqliteDialect
from sternpost.testing.storage.kept import kept_plan

PLAN = kept_plan()
WITH_DELETED = Visibility(deleted=True)
ALIVE = Compare(("deleted_at",), "isNull")
OF_TENANT = Compare(("team",), "eq", TENANT)
WARDS = Select("Ward", ("name",), order=(ordered("name", False),), limit=0)


def filters(visibility: Visibility) -> dict[str, object]:
    gate = Gate(PLAN, visibility)
    return {resource.name: gate.row_filters(resource) for resource in PLAN.resources}


def test_the_conditions_of_each_visibility() -> None:
    whole = every((OF_TENANT, ALIVE))
    assert filters(NO_TENANT) == {
        "Ward": whole,
        "Bed": OwnedBy(whole),
        "Guest": OF_TENANT,
        "Memo": OF_TENANT,
        "Wish": ALL,
    }
    assert filters(EVERY_TENANT) == {"Ward": ALIVE, "Bed": OwnedBy(ALIVE), "Guest": ALL, "Memo": ALL, "Wish": ALL}
    assert filters(WITH_DELETED)["Ward"] == OF_TENANT
    assert set(filters(Visibility(every=True, deleted=True)).values()) == {ALL}


def test_a_tenant_changes_no_statement() -> None:
    statements = Statements(PLAN, SqliteDialect())
    assert statements.of(Visibility("azure")) is statements.of(Visibility("birch")) is statements
    assert statements.of(EVERY_TENANT) is statements.of(replace(EVERY_TENANT, tenant="azure")) is not statements
    assert statements.of(EVERY_TENANT).of(NO_TENANT) is statements


def texts(statements: Statements) -> Iterator[tuple[str, str]]:
    """A statement of each kind on wards, with its name."""
    rename = (Assignment("name", "set", 0),)
    yield "point", statements.point(WARDS).one.text
    yield "points", statements.point(WARDS).many.text
    listing = statements.listing(WARDS)
    yield "page", listing.page.text
    yield "counted page", listing.counted.text
    yield "count", listing.count.text
    yield "behind", statements.listing(WARDS.behind(("a", "b"))).page.text
    yield "under", statements.listing(replace(WARDS, where=Under("Wish", "wards", 1))).page.text
    yield "distinct", statements.listing(replace(WARDS, distinct=("code",))).page.text
    yield "place", statements.place(WARDS).text
    yield "related", statements.listing(Select("Guest", ("id",), where=Related("ward", "some", ALL))).page.text
    yield "path", statements.listing(Select("Guest", ("id",), facts=(("ward_id", "name"),))).page.text
    ((_, facts, _),) = statements.facts("Guest", (("ward_id", "name"),))
    yield "facts of a row that is not stored yet", facts.text
    yield "referring", statements.referring("Ward", "id").text
    yield "nested", statements.nested("Wish", Nested("wards", WARDS, 3)).statement.text
    yield "nested one", statements.nested("Guest", Nested("ward", Select("Ward", ("name",)))).statement.text
    yield "aggregate", statements.aggregate(Aggregate("Ward", (Measure("count"),))).text
    yield "modify", statements.modify(Modify("Ward", key_is(1), rename))[0].text
    yield "remove", statements.remove(Remove("Ward", ALL)).text
    yield "matching keys", statements.matching_keys(Remove("Ward", ALL)).text
    yield "lock", statements.lock("Ward").text
    yield "mark", statements.mark("Ward").text
    yield "erase", statements.erase("Ward").text
    yield "references", statements.references("Ward", "above_id").text
    yield "nullify", statements.nullify("Ward", "above_id").text
    yield "upsert", statements.upsert(Upsert("Ward", ("id", "name", "team"), ("name",), rename, ("id",)))[0].text
    yield "present", statements.present("Ward").text
    yield "items", statements.listing(Select("Bed", ("label",))).page.text
    yield "items of a list", statements.delete_owned(PLAN.by_name["Ward"].relations_by_name["beds"]).text
    yield "pair", statements.delete_link(PLAN.by_name["Wish"].relations_by_name["wards"]).text
    yield "linked", statements.linked(PLAN.by_name["Wish"].relations_by_name["wards"]).text
    yield "pairs", statements.delete_links(PLAN.by_name["Wish"].relations_by_name["wards"]).text


@pytest.mark.parametrize("dialect", [SqliteDialect, PostgresqlDialect])
def test_each_kind_of_statement_keeps_them(dialect: type[SqliteDialect | PostgresqlDialect]) -> None:
    statements = Statements(PLAN, dialect())
    for name, text in texts(statements):
        condition = text.replace("\n", " ")
        assert re.search(r"\bteam = (\?|\$\d+)", condition), name
        assert re.search(r"\bdeleted_at IS NULL", condition), name
    for name, text in texts(statements.of(EVERY_TENANT)):
        assert not re.search(r"\bteam = ", text), name
        assert "deleted_at IS NULL" in text, name
    for name, text in texts(statements.of(WITH_DELETED)):
        assert re.search(r"\bteam = ", text), name
        alone = "ON CONFLICT" not in text  # an upsert names the index of those that are not deleted
        assert not alone or "deleted_at IS NULL" not in text, name


def test_a_change_counts_the_version() -> None:
    statements = Statements(PLAN, SqliteDialect())
    changes = [
        statements.modify(Modify("Ward", key_is(1), (Assignment("name", "set", 0),)))[0].text,
        statements.upsert(Upsert("Ward", ("id",), ("name",), (Assignment("name", "set", 0),), ("id",)))[0].text,
        statements.mark("Ward").text,
        statements.undelete("Ward").text,
        statements.nullify("Ward", "above_id").text,
    ]
    assert [
        text for text in changes if "version=(wards.version + 1)" not in text.replace("version = ", "version=")
    ] == []
    unchanged = statements.upsert(Upsert("Ward", ("id",), ("name",), (), ("id",)))[0].text
    assert "version +" not in unchanged
