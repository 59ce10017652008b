"""Rows of tenants: for one tenant those of others do not exist, whatever is asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from sternpost.errors import ReferenceNotFound, TenantRequired
from sternpost.ids import new_hex
from sternpost.plan.query import (
    ALL,
    Aggregate,
    Assignment,
    Compare,
    Measure,
    Modify,
    Nested,
    Related,
    Remove,
    Select,
    Under,
    Upsert,
    every,
    key_is,
    ordered,
)
from sternpost.ports.storage import EVERY_TENANT, NO_TENANT, Arguments, Session, Statistics, Storage, Visibility
from sternpost.testing.storage.kept import AZURE, BIRCH, GUESTS, NAMES, WARD, KeptSuite, guest, remove, ward


class TenantSuite(KeptSuite):
    """Visibility of one tenant, of all, and of none."""

    async def _both(self, kept: Storage) -> tuple[dict[str, Any], dict[str, Any]]:
        """A ward of each tenant, with a bed and a guest."""
        rows = ward("blue"), ward("bark")
        for row, visibility in zip(rows, (AZURE, BIRCH), strict=True):
            await self._put(kept, visibility, row)
            await self._put(kept, visibility, guest(f"{row['name']} guest", ward_id=row["id"]), resource="Guest")
            async with kept.transaction(Statistics(), visibility=visibility) as session:
                bed = {"id": new_hex(), "label": f"{row['name']} bed"}
                await session.replace_owned("Ward", "beds", row["id"], [bed])
        return rows

    async def test_reads_find_the_rows_of_one_tenant(self, kept: Storage) -> None:
        mine, theirs = await self._both(kept)
        azure = kept.reader(visibility=AZURE)
        assert await self._names(azure) == ["blue"]
        assert (await self._document(azure, WARD, mine["id"]))["team"] == "azure"
        assert await azure.get(WARD, theirs["id"]) is None
        assert await azure.count(NAMES) == 1
        assert await azure.position(NAMES, theirs["id"]) is None
        assert await azure.aggregate(Aggregate("Guest", (Measure("count"),))) == [[1]]
        beds = Select("Bed", ("label",))
        assert [row["label"] for row in (await azure.select(beds)).documents] == ["blue bed"]
        under = replace(GUESTS, where=Under("Ward", "guests", 0))
        assert await self._names(azure, under, Arguments((theirs["id"],))) == []
        whole = replace(NAMES, relations=(Nested("guests", GUESTS), Nested("beds", beds)))
        (row,) = (await azure.select(whole, count=True)).documents
        assert row == {"name": "blue", "guests": [{"name": "blue guest"}], "beds": [{"label": "blue bed"}]}
        parts = [part async for part in kept.export(NAMES, Arguments(), Statistics(), AZURE)]
        assert parts == [[{"name": "blue"}]]

    async def test_all_tenants_and_none(self, kept: Storage) -> None:
        await self._both(kept)
        assert await self._names(kept.reader(visibility=EVERY_TENANT)) == ["bark", "blue"]
        assert await self._names(kept.reader(visibility=NO_TENANT)) == []
        assert await self._names(kept.reader(visibility=Visibility("nobody"))) == []
        async with kept.transaction(Statistics(), visibility=EVERY_TENANT) as session:
            document = await session.insert("Ward", ward("given", team="cedar"))
            assert document["team"] == "cedar"
        assert await self._names(kept.reader(visibility=Visibility("cedar"))) == ["given"]

    async def test_a_new_row_gets_its_tenant(self, kept: Storage) -> None:
        document = await kept.insert("Ward", ward("alone"), Statistics(), AZURE)
        assert document["team"] == "azure"
        async with kept.transaction(Statistics(), visibility=AZURE) as session:
            _, documents = await session.insert_rows("Ward", [ward("x"), ward("y")], skip=False, returning=("team",))
            assert documents == [{"team": "azure"}] * 2
            row = ward("z")
            upsert = Upsert("Ward", tuple(row), ("name",), (), ("team",))
            assert await session.upsert(upsert, row, ()) == {"team": "azure"}

    async def test_a_new_row_without_its_tenant_or_of_another_is_refused(self, kept: Storage) -> None:
        refusals: list[tuple[Visibility, dict[str, Any], type[Exception]]] = [
            (NO_TENANT, ward("x"), TenantRequired),
            (AZURE, ward("x", team="birch"), RuntimeError),
            (EVERY_TENANT, ward("x"), RuntimeError),
        ]
        for visibility, row, error in refusals:
            with pytest.raises(error):
                await self._put(kept, visibility, row)
            with pytest.raises(error):
                await kept.insert("Ward", row, Statistics(), visibility)
        assert await self._names(kept.reader(visibility=EVERY_TENANT)) == []

    async def test_changes_and_removals_reach_no_other_tenant(self, kept: Storage) -> None:
        _, theirs = await self._both(kept)
        rename = (Assignment("code", "set", 0),)
        async with kept.transaction(Statistics(), visibility=AZURE) as session:
            assert await session.modify(Modify("Ward", ALL, rename), ("changed",)) == (1, [])
            one = Modify("Ward", key_is(1), rename, ("name",))
            assert await session.modify(one, ("changed", theirs["id"])) == (0, [])
            assert await session.remove(Remove("Guest", ALL), ()) == 1
            assert await remove(session, theirs["id"]) == 0
            assert not await session.restore("Ward", theirs["id"])
            with pytest.raises(RuntimeError):
                await session.modify(Modify("Ward", ALL, (Assignment("team", "set", 0),)), ("birch",))
        birch = kept.reader(visibility=BIRCH)
        assert (await self._document(birch, WARD, theirs["id"]))["code"] is None
        assert await self._names(birch, GUESTS) == ["bark guest"]

    async def test_a_reference_to_another_tenants_row_is_refused(self, kept: Storage) -> None:
        mine, theirs = await self._both(kept)
        wish = {"id": new_hex(), "word": "w"}
        await self._put(kept, NO_TENANT, wish, resource="Wish")
        key, point = theirs["id"], Assignment("ward_id", "set", 0)
        row = ward("up", above_id=key)
        upsert = Upsert("Ward", tuple(row), ("name",), (), ("name",))

        def set_again(session: Session) -> Awaitable[Any]:
            changes = (Assignment("above_id", "set", 0),)
            return session.upsert(replace(upsert, assignments=changes), ward("blue"), (key,))

        ways: list[Callable[[Session], Awaitable[Any]]] = [
            lambda session: session.insert("Guest", guest("x", ward_id=key)),
            lambda session: session.insert_rows("Guest", [guest("x"), guest("y", ward_id=key)], skip=False),
            lambda session: session.insert_rows("Guest", [guest("y", ward_id=key)], skip=True),
            lambda session: session.modify(Modify("Guest", ALL, (point,)), (key,)),
            lambda session: session.upsert(upsert, row, ()),
            set_again,
            lambda session: session.replace_links("Wish", "wards", wish["id"], [mine["id"], key]),
            lambda session: session.link("Wish", "wards", wish["id"], [key]),
            lambda session: session.link("Ward", "wishes", key, [wish["id"]]),
        ]
        for way in ways:
            with pytest.raises(ReferenceNotFound):
                async with kept.transaction(Statistics(), visibility=AZURE) as session:
                    await way(session)
        assert await kept.reader(visibility=EVERY_TENANT).count(replace(GUESTS, where=ALL)) == 2

    async def test_pairs_with_rows_of_others_stay(self, kept: Storage) -> None:
        mine, theirs = await self._both(kept)
        wish = {"id": new_hex(), "word": "w"}
        await self._put(kept, NO_TENANT, wish, resource="Wish")
        for row, visibility in ((mine, AZURE), (theirs, BIRCH)):
            async with kept.transaction(Statistics(), visibility=visibility) as session:
                await session.link("Wish", "wards", wish["id"], [row["id"]])
        async with kept.transaction(Statistics(), visibility=AZURE) as session:
            await session.unlink("Wish", "wards", wish["id"], [theirs["id"]])
            await session.unlink("Ward", "wishes", theirs["id"], [wish["id"]])
            await session.replace_links("Wish", "wards", wish["id"], [])
        wards = Select("Wish", ("word",), relations=(Nested("wards", NAMES),))
        found = {
            visibility: (await self._document(kept.reader(visibility=visibility), wards, wish["id"]))["wards"]
            for visibility in (AZURE, BIRCH)
        }
        assert found == {AZURE: [], BIRCH: [{"name": "bark"}]}

    async def test_values_are_unique_within_a_tenant(self, kept: Storage) -> None:
        await self._put(kept, AZURE, ward("same"))
        await self._put(kept, BIRCH, ward("same"))
        row = ward("same")
        changes = (Assignment("code", "set", 0),)
        async with kept.transaction(Statistics(), visibility=BIRCH) as session:
            upsert = Upsert("Ward", tuple(row), ("name",), changes, ("team", "code"))
            assert await session.upsert(upsert, row, ("changed",)) == {"team": "birch", "code": "changed"}
        azure = kept.reader(visibility=AZURE)
        assert [row["code"] for row in (await azure.select(WARD)).documents] == [None]

    async def test_conditions_over_relations_see_no_other_tenant(self, kept: Storage) -> None:
        await self._both(kept)
        query = Select("Ward", ("name",), where=Related("guests", "some", every(())), order=(ordered("name", False),))
        assert await self._names(kept.reader(visibility=AZURE), query) == ["blue"]
        path = replace(GUESTS, where=Compare(("ward_id", "name"), "isNotNull"))
        assert await self._names(kept.reader(visibility=AZURE), path) == ["blue guest"]
        paths = [("ward_id", "name")]
        theirs = (await kept.reader(visibility=BIRCH).select(WARD)).documents[0]["id"].removeprefix("wrd_")
        facts = await kept.reader(visibility=AZURE).facts("Guest", {"ward_id": theirs}, paths)
        assert facts == {("ward_id", "name"): None}
