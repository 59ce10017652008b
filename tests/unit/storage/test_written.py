"""What a transaction remembers of its own writes, for policies that look into lists."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sternpost import Browse, Contract, Many, One, Owned, Resource, many, one, public, this
from sternpost.compile.compiler import compile_contract
from sternpost.plan.model import Plan
from sternpost.storage.sql.written import ROWS_MAX, Written


class Team(Resource, prefix="tea"):
    members: Many[Member]
    notes: Owned[Note]
    tags: Many[Tag] = many(through="team_tags")

    browse = Browse(allow=this.members.any(public) & this.notes.none(public) & this.tags.any(public))


class Member(Resource, prefix="mem"):
    team: One[Team] = one(on_delete="cascade")


class Note(Resource, prefix="not"):
    team: One[Team]


class Tag(Resource, prefix="tag"):
    name: str


class Other(Resource, prefix="oth"):
    name: str


PLAN: Plan = compile_contract(Contract("written", resources=[Team, Member, Note, Tag, Other])).plan


def bound(resource: str, ids: Iterable[str]) -> list[str]:
    return [f"{resource}:{each}" for each in ids]


def value(written: Written, name: str, row: tuple[str, str] | None = None) -> Any:
    return written.value(name, row, bound)


def relation(name: str) -> Any:
    return PLAN.by_name["Team"].relations_by_name[name]


def test_nothing_is_remembered_of_what_no_policy_looks_into() -> None:
    written = Written(PLAN)
    written.added("Other", "1")
    written.changed("Other", "1")
    written.removed("Other")
    assert not written


def test_new_and_changed_rows() -> None:
    written = Written(PLAN)
    written.added("Member", "1")
    assert written
    assert (value(written, "written.Member"), value(written, "changed.Member")) == (["Member:1"], 0)
    written.changed("Member", "2")
    assert (value(written, "written.Member"), value(written, "changed.Member")) == (["Member:1", "Member:2"], 1)
    own = ("Member", "2")
    assert (value(written, "written.Member", own), value(written, "changed.Member", own)) == (["Member:1"], 0)
    assert value(written, "unsure.Member") == 0
    written.changed("Member", None)
    assert (value(written, "unsure.Member"), value(written, "changed.Member", own)) == (1, 1)


def test_rows_that_go_along_count_as_removed() -> None:
    written = Written(PLAN)
    written.removed("Team")
    found = [value(written, f"changed.{name}", ("Team", "1")) for name in ("Member", "Note", "Tag")]
    assert found == [1, 1, 0]
    assert value(written, "unsure.Member") == 0
    written.restored("Team")
    assert value(written, "unsure.Member") == 1


def test_items_are_part_of_their_row_until_the_next_step() -> None:
    written, own, other = Written(PLAN), ("Team", "1"), ("Team", "2")
    written.added("Note", "7")
    written.owned("Team", relation("notes"), "1", ["7"])
    assert (value(written, "written.Note", own), value(written, "changed.Note", own)) == ([], 0)
    assert (value(written, "written.Note", other), value(written, "changed.Note", other)) == (["Note:7"], 1)
    written.next_step()
    assert (value(written, "written.Note", own), value(written, "changed.Note", own)) == (["Note:7"], 1)


def test_links_are_part_of_their_row_until_the_next_step() -> None:
    written, own = Written(PLAN), ("Team", "1")
    written.linked("Team", relation("tags"), "1", own=True)
    assert [value(written, "unsure.team_tags", row) for row in (own, ("Team", "2"), None)] == [0, 1, 1]
    written.next_step()
    assert value(written, "unsure.team_tags", own) == 1
    other = Written(PLAN)
    other.linked("Team", relation("tags"), "1", own=False)
    assert value(other, "unsure.team_tags", own) == 1


def test_of_very_many_rows_it_is_not_known_which_they_are() -> None:
    written = Written(PLAN)
    for number in range(ROWS_MAX + 1):
        written.added("Member", str(number))
    assert len(value(written, "written.Member")) == ROWS_MAX
    assert value(written, "unsure.Member") == 1
