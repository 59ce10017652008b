"""API keys, and the record of changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from sternpost.ids import encode, new_hex
from sternpost.plan.query import ALL, Assignment, Modify, key_is
from sternpost.ports.audit import AuditEntry, AuditQuery
from sternpost.ports.keys import StoredKey
from sternpost.ports.storage import NO_TENANT, Origin, Statistics, Storage
from sternpost.testing.storage.kept import AT, AZURE, BIRCH, LATER, KeptSuite, remove, ward

KEY = StoredKey("key_1", "first", "d1", "sp_1", "ann", "azure", ("a:read", "b"), AT)
ANN = Origin("ann", "wards.update", "req_1")


class KeySuite(KeptSuite):
    """Keys are found by their digest, and revoked once."""

    async def test_keys_come_back_as_they_were_added(self, kept: Storage) -> None:
        keys = kept.keys()
        second = StoredKey(
            "key_2", "second", "d2", "sp_2", "bob", None, (), LATER, expires_at=LATER + timedelta(days=1)
        )
        for key in (second, KEY):
            await keys.add(key)
        assert await keys.find("d1") == KEY
        assert await keys.find("d2") == second
        assert await keys.find("d3") is None
        assert await keys.all() == [KEY, second]

    async def test_a_key_is_revoked_once_and_still_found(self, kept: Storage) -> None:
        keys = kept.keys()
        await keys.add(KEY)
        assert await keys.revoke("key_1", AT)
        assert not await keys.revoke("key_1", LATER)
        assert not await keys.revoke("key_2", AT)
        assert await keys.find("d1") == replace(KEY, revoked_at=AT)

    async def test_its_last_use_is_noted(self, kept: Storage) -> None:
        keys = kept.keys()
        await keys.add(KEY)
        await keys.used("key_1", AT)
        await keys.used("key_1", LATER)
        await keys.used("key_2", LATER)
        assert await keys.find("d1") == replace(KEY, last_used_at=LATER)


class AuditSuite(KeptSuite):
    """Each change of an audited row leaves an entry, in the transaction that makes it."""

    async def _entries(self, kept: Storage, **wanted: Any) -> list[AuditEntry]:
        return await kept.audit_trail().entries(AuditQuery(**wanted))

    async def test_what_happens_to_a_row_is_recorded(self, kept: Storage) -> None:
        row = ward("w", code="secret")
        row_id = encode("wrd", row["id"])
        async with kept.transaction(Statistics(), visibility=AZURE) as session:
            await session.attribute(ANN)
            await session.insert("Ward", row)
            await session.modify(Modify("Ward", key_is(1), (Assignment("name", "set", 0),)), ("v", row["id"]))
            await remove(session, row["id"])
            await session.restore("Ward", row["id"])
        entries = await self._entries(kept, row_id=row_id)
        assert [entry.action for entry in entries] == ["restore", "delete", "update", "create"]
        assert {(entry.actor, entry.operation, entry.request_id, entry.tenant) for entry in entries} == {
            ("ann", "wards.update", "req_1", "azure")
        }
        created, updated = entries[3], entries[2]
        assert created.before is None
        assert created.after is not None
        assert (created.after["name"], created.after["team"], created.after["version"]) == ("w", "azure", 1)
        assert created.after["code"] != "secret", "a sensitive value is not recorded"
        assert updated.before is not None
        assert updated.after is not None
        assert (updated.before["name"], updated.after["name"]) == ("w", "v")
        assert set(updated.before) <= {"name", "version"}

    async def test_every_way_of_writing_is_recorded(self, kept: Storage) -> None:
        rows = [ward("a"), ward("b")]
        async with kept.transaction(Statistics(), visibility=AZURE) as session:
            await session.attribute(replace(ANN, actor="bulk"))
            await session.insert_rows("Ward", rows, skip=False)
            await session.modify(Modify("Ward", ALL, (Assignment("code", "set", 0),)), ("c",))
            await session.execute("UPDATE wards SET name = name || '!'", {})
        found = await self._entries(kept, actor="bulk")
        assert [entry.action for entry in found] == ["update"] * 4 + ["create"] * 2
        assert {entry.row_id for entry in found} == {encode("wrd", row["id"]) for row in rows}

    async def test_pairs_are_recorded(self, kept: Storage) -> None:
        row, wish = ward("w"), {"id": new_hex(), "word": "x"}
        await self._put(kept, AZURE, row)
        await self._put(kept, NO_TENANT, wish, resource="Wish")
        async with kept.transaction(Statistics(), visibility=AZURE) as session:
            await session.attribute(ANN)
            await session.link("Ward", "wishes", row["id"], [wish["id"]])
            await session.unlink("Ward", "wishes", row["id"], [wish["id"]])
        gone, added = (await self._entries(kept, actor="ann"))[:2]
        assert (added.action, gone.action) == ("link", "unlink")
        assert (added.row_id, added.after) == (encode("wrd", row["id"]), {"wishes": encode("wsh", wish["id"])})
        assert (gone.before, gone.after) == ({"wishes": encode("wsh", wish["id"])}, None)

    async def test_what_is_undone_is_not_recorded(self, kept: Storage) -> None:

        async def fail() -> None:
            async with kept.transaction(Statistics(), visibility=AZURE) as session:
                await session.insert("Ward", ward("x"))
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await fail()
        assert await self._entries(kept) == []

    async def test_one_call_is_not_attributed_to_the_next(self, kept: Storage) -> None:
        async with kept.transaction(Statistics(), visibility=AZURE) as session:
            await session.attribute(ANN)
            await session.insert("Ward", ward("a"))
        await self._put(kept, AZURE, ward("b"))
        last, first = await self._entries(kept)
        assert (first.actor, last.actor, last.operation, last.request_id) == ("ann", None, None, None)

    async def test_entries_are_asked_for_by_what_they_say(self, kept: Storage) -> None:
        for actor, visibility in (("ann", AZURE), ("bob", BIRCH), ("ann", BIRCH)):
            async with kept.transaction(Statistics(), visibility=visibility) as session:
                await session.attribute(Origin(actor, f"{actor}.does", f"req_{actor}"))
                await session.insert("Ward", ward(f"of {actor}"))
        counts = {
            "everything": len(await self._entries(kept)),
            "actor": len(await self._entries(kept, actor="ann")),
            "tenant": len(await self._entries(kept, tenant="birch")),
            "both": len(await self._entries(kept, actor="ann", tenant="birch")),
            "operation": len(await self._entries(kept, operation="bob.does")),
            "request": len(await self._entries(kept, request_id="req_bob")),
            "resource": len(await self._entries(kept, resource="Ward")),
            "action": len(await self._entries(kept, action="delete")),
            "limit": len(await self._entries(kept, limit=2)),
        }
        assert counts == {
            "everything": 3,
            "actor": 2,
            "tenant": 2,
            "both": 1,
            "operation": 1,
            "request": 1,
            "resource": 3,
            "action": 0,
            "limit": 2,
        }
        entries = await self._entries(kept)
        assert [entry.id for entry in entries] == sorted((entry.id for entry in entries), reverse=True)
        middle = entries[1].at
        since = await self._entries(kept, since=middle)
        assert {entry.id for entry in since} >= {entry.id for entry in entries[:2]}
        assert await self._entries(kept, until=entries[-1].at - timedelta(seconds=1)) == []
