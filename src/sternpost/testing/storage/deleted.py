"""Rows that are kept when they are deleted: nothing finds them until they are restored."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sternpost.errors import Duplicate, ReferenceNotFound, StillReferenced
from sternpost.ids import new_hex
from sternpost.plan.query import ALL, Assignment, Compare, Modify, Nested, Related, Remove, Select, Upsert, every
from sternpost.ports.storage import Statistics, Storage
from sternpost.testing.storage.kept import AT, AZURE, GUESTS, LATER, NAMES, WARD, KeptSuite, guest, remove, ward

BEDS = Select("Bed", ("label",))


class DeletedSuite(KeptSuite):
    """Removing, looking at what is deleted, restoring."""

    async def _restored(self, kept: Storage, key: str) -> bool:
        async with kept.transaction(Statistics(), visibility=AZURE) as session:
            return await session.restore("Ward", key)

    async def test_a_deleted_row_is_gone_for_every_query(self, kept: Storage) -> None:
        row, other = ward("gone"), ward("here")
        await self._put(kept, AZURE, row, other)
        async with kept.transaction(Statistics(), visibility=AZURE) as session:
            await session.replace_owned("Ward", "beds", row["id"], [{"id": new_hex(), "label": "b"}])
        assert await self._gone(kept, row["id"]) == 1
        assert await self._gone(kept, row["id"]) == 0
        reader = kept.reader(visibility=AZURE)
        assert await self._names(reader) == ["here"]
        assert await reader.get(WARD, row["id"]) is None
        assert await reader.position(NAMES, row["id"]) is None
        assert (await reader.select(NAMES, count=True)).total == 1
        assert (await reader.select(BEDS)).documents == []
        async with kept.transaction(Statistics(), visibility=AZURE) as session:
            assert await session.modify(Modify("Ward", ALL, (Assignment("code", "set", 0),)), ("x",)) == (1, [])
            with pytest.raises(ReferenceNotFound):
                await session.insert("Guest", guest("x", ward_id=row["id"]))

    async def test_who_asks_for_deleted_rows_finds_them(self, kept: Storage) -> None:
        row, other = ward("gone"), ward("here")
        await self._put(kept, AZURE, row, other)
        await self._gone(kept, row["id"])
        every_row = kept.reader(visibility=AZURE).with_deleted()
        assert await self._names(every_row) == ["gone", "here"]
        document = await self._document(every_row, WARD, row["id"])
        assert document["version"] == 2
        assert str(document["deletedAt"]).startswith("2026-05-01")
        gone = replace(NAMES, where=Compare(("deleted_at",), "isNotNull"))
        assert await self._names(every_row, gone) == ["gone"]
        assert await self._names(kept.reader(visibility=replace(AZURE, deleted=True))) == ["gone", "here"]
        async with kept.transaction(Statistics(), visibility=AZURE) as session:
            assert await self._names(session.with_deleted()) == ["gone", "here"]
            assert await self._names(session) == ["here"]

    async def test_a_restored_row_is_as_it_was(self, kept: Storage) -> None:
        row = ward("back", code="c")
        await self._put(kept, AZURE, row)
        async with kept.transaction(Statistics(), visibility=AZURE) as session:
            await session.replace_owned("Ward", "beds", row["id"], [{"id": new_hex(), "label": "b"}])
        await self._gone(kept, row["id"])
        assert await self._restored(kept, row["id"])
        assert not await self._restored(kept, row["id"])
        assert not await self._restored(kept, new_hex())
        query = replace(WARD, relations=(Nested("beds", BEDS),))
        document = await self._document(kept.reader(visibility=AZURE), query, row["id"])
        assert (document["name"], document["code"], document["deletedAt"]) == ("back", "c", None)
        assert (document["version"], document["beds"]) == (3, [{"label": "b"}])

    async def test_what_refers_to_a_deleted_row(self, kept: Storage) -> None:
        top, below, deep = ward("top"), ward("below"), ward("deep")
        below["above_id"], deep["above_id"] = top["id"], below["id"]
        await self._put(kept, AZURE, top, below, deep)
        memo = {"id": new_hex(), "text": "m", "ward_id": deep["id"]}
        await self._put(kept, AZURE, memo, resource="Memo")
        blocking = guest("blocks", ward_id=below["id"])
        await self._put(kept, AZURE, blocking, resource="Guest")
        reader = kept.reader(visibility=AZURE)
        with pytest.raises(StillReferenced):
            await self._gone(kept, top["id"])
        assert await self._names(reader) == ["below", "deep", "top"]
        await self._gone(kept, blocking["id"], resource="Guest")
        assert await self._gone(kept, top["id"]) == 1
        assert await self._names(reader) == []
        assert (await self._document(reader, Select("Memo", ("ward_id",)), memo["id"])) == {"wardId": None}
        assert await self._restored(kept, top["id"])
        assert await self._names(reader) == ["below", "deep", "top"]

    async def test_only_what_was_deleted_along_is_restored(self, kept: Storage) -> None:
        top, early, late = ward("top"), ward("early"), ward("late")
        early["above_id"] = late["above_id"] = top["id"]
        await self._put(kept, AZURE, top, early, late)
        await self._gone(kept, early["id"])
        async with kept.transaction(Statistics(), visibility=AZURE) as session:
            await remove(session, top["id"], at=LATER)
        assert await self._restored(kept, top["id"])
        assert await self._names(kept.reader(visibility=AZURE)) == ["late", "top"]

    async def test_a_restore_that_cannot_be(self, kept: Storage) -> None:
        top, below = ward("top"), ward("below")
        below["above_id"] = top["id"]
        await self._put(kept, AZURE, top, below)
        await self._gone(kept, top["id"])
        with pytest.raises(ReferenceNotFound):
            await self._restored(kept, below["id"])
        await self._put(kept, AZURE, ward("top"))
        with pytest.raises(Duplicate):
            await self._restored(kept, top["id"])
        assert await self._names(kept.reader(visibility=AZURE)) == ["top"]

    async def test_values_of_deleted_rows_are_free_again(self, kept: Storage) -> None:
        row = ward("same")
        await self._put(kept, AZURE, row)
        await self._gone(kept, row["id"])
        new = ward("same", code="new")
        changes = (Assignment("code", "set", 0),)
        upsert = Upsert("Ward", tuple(new), ("name",), changes, ("code",))
        async with kept.transaction(Statistics(), visibility=AZURE) as session:
            assert await session.upsert(upsert, new, ("changed",)) == {"code": "new"}
            assert await session.upsert(upsert, {**new, "id": new_hex()}, ("changed",)) == {"code": "changed"}
        with pytest.raises(Duplicate):
            await self._put(kept, AZURE, ward("same"))

    async def test_removals_of_rows_that_fit_mark_them(self, kept: Storage) -> None:
        await self._put(kept, AZURE, *(ward(f"w{number}") for number in range(4)))
        wanted = Compare(("name",), "in", 0)
        async with kept.transaction(Statistics(), visibility=AZURE) as session:
            assert await session.remove(Remove("Ward", wanted), (["w1", "w2", "w9"],), at=AT) == 2
        reader = kept.reader(visibility=AZURE)
        assert await self._names(reader) == ["w0", "w3"]
        assert await reader.with_deleted().count(NAMES) == 4

    async def test_relations_know_no_deleted_rows(self, kept: Storage) -> None:
        top, below = ward("top"), ward("below")
        below["above_id"] = top["id"]
        wish: dict[str, Any] = {"id": new_hex(), "word": "w"}
        await self._put(kept, AZURE, top, below)
        await self._put(kept, AZURE, wish, resource="Wish")
        async with kept.transaction(Statistics(), visibility=AZURE) as session:
            await session.link("Wish", "wards", wish["id"], [top["id"], below["id"]])
        await self._gone(kept, below["id"])
        reader = kept.reader(visibility=AZURE)
        linked = Select("Wish", ("word",), relations=(Nested("wards", NAMES),))
        assert (await self._document(reader, linked, wish["id"]))["wards"] == [{"name": "top"}]
        assert await self._names(reader, replace(NAMES, where=Related("below", "some", every(())))) == []
        assert await self._names(reader, replace(NAMES, relations=(Nested("below", NAMES),))) == ["top"]
        assert await reader.select(GUESTS) is not None
