"""The suite's second contract: rows of tenants, rows that are kept when they are deleted, a record of changes,
events."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from sternpost.compile.compiler import compile_contract
from sternpost.contract.contract import Contract
from sternpost.contract.fields import field
from sternpost.contract.operations import Browse, Restore
from sternpost.contract.policy import public
from sternpost.contract.relations import Many, One, Owned, many, one
from sternpost.contract.resource import Resource
from sternpost.ids import new_hex
from sternpost.plan.model import Plan
from sternpost.plan.query import Remove, Select, key_is, ordered
from sternpost.ports.storage import Arguments, Document, Reader, Session, Statistics, Storage, Visibility

AZURE = Visibility("azure")
BIRCH = Visibility("birch")
AT = datetime(2026, 5, 1, 12, 0, 0, 123456, tzinfo=UTC)
LATER = datetime(2026, 5, 2, tzinfo=UTC)


class Ward(Resource, prefix="wrd", tenant="team", soft_delete=True, audit=True):
    """A tenant's, kept when it is deleted, and recorded."""

    team: str
    name: str = field(unique=True)
    code: str | None = field(default=None, sensitive=True)
    beds: Owned[Bed]
    guests: Many[Guest]
    memos: Many[Memo]
    wishes: Many[Wish] = many(through="ward_wishes")
    above: One[Ward] | None = one(on_delete="cascade")
    below: Many[Ward] = many(by="above")
    version: int = field(auto="version")

    browse = Browse(allow=public)
    restore = Restore(allow=public, emits="ward.restored")


class Bed(Resource, prefix="bed"):
    """Part of a ward."""

    ward: One[Ward]
    label: str


class Guest(Resource, prefix="gst", tenant="team"):
    """Keeps its ward from being deleted."""

    team: str
    name: str
    ward: One[Ward] | None


class Memo(Resource, prefix="mem", tenant="team"):
    """Forgets its ward when that is deleted."""

    team: str
    text: str
    ward: One[Ward] | None = one(on_delete="set_null")


class Wish(Resource, prefix="wsh"):
    """Everybody's, and linked with wards."""

    word: str
    wards: Many[Ward] = many(through="ward_wishes")

    browse = Browse(allow=public)


def kept_plan() -> Plan:
    """The plan of the second contract."""
    resources = [Ward, Bed, Guest, Memo, Wish]
    return compile_contract(Contract("storage-suite-kept", resources=resources, api_keys=True)).plan


NAMES = Select("Ward", ("name",), order=(ordered("name", False),))
WARD = Select("Ward", ("id", "team", "name", "code", "above_id", "version", "deleted_at"))
GUESTS = Select("Guest", ("name",))


def ward(name: str, **values: Any) -> dict[str, Any]:
    """A whole row without its tenant, which the storage fills in."""
    return {"id": new_hex(), "name": name, "code": None, "above_id": None, "version": 1, **values}


def guest(name: str, **values: Any) -> dict[str, Any]:
    """The same of another resource."""
    return {"id": new_hex(), "name": name, "ward_id": None, **values}


class KeptSuite:
    """Inherit, and give it a fixture `storage` with a driver on an empty database."""

    @pytest.fixture
    async def kept(self, storage: Storage) -> AsyncIterator[Storage]:
        await storage.open(kept_plan())
        assert await storage.create_schema()
        yield storage
        await storage.close()

    async def _put(self, kept: Storage, visibility: Visibility, *rows: dict[str, Any], resource: str = "Ward") -> None:
        async with kept.transaction(Statistics(), visibility=visibility) as session:
            for row in rows:
                await session.insert(resource, row)

    async def _names(self, reader: Reader, query: Select = NAMES, arguments: Arguments | None = None) -> list[str]:
        return [row["name"] for row in (await reader.select(query, arguments or Arguments())).documents]

    async def _document(self, reader: Reader, query: Select, key: str) -> Document:
        row = await reader.get(query, key)
        assert row is not None
        return row.document

    async def _gone(self, kept: Storage, key: str, visibility: Visibility = AZURE, resource: str = "Ward") -> int:
        async with kept.transaction(Statistics(), visibility=visibility) as session:
            return await remove(session, key, resource)


async def remove(session: Session, key: str, resource: str = "Ward", at: datetime = AT) -> int:
    """Removes one row, or marks it as deleted."""
    return await session.remove(Remove(resource, key_is(0)), (key,), at=at)
