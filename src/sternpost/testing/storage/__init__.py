"""The suite that every storage driver passes. Its test is a subclass with a `storage` fixture, and nothing else."""

from __future__ import annotations

from sternpost.testing.storage.base import change, delete, paged
from sternpost.testing.storage.cancellation import CancellationSuite, cancelled_at
from sternpost.testing.storage.contract import LABELS, VIEW, shelf, storage_plan
from sternpost.testing.storage.data import BulkSuite, GroupSuite, TransactionSuite
from sternpost.testing.storage.deleted import DeletedSuite
from sternpost.testing.storage.exports import ExportSuite
from sternpost.testing.storage.outbox import OutboxSuite
from sternpost.testing.storage.reads import ReadSuite
from sternpost.testing.storage.relations import PositionSuite, RelationSuite
from sternpost.testing.storage.tenants import TenantSuite
from sternpost.testing.storage.trails import AuditSuite, KeySuite
from sternpost.testing.storage.writes import WriteSuite

__all__ = ["LABELS", "VIEW", "StorageSuite", "cancelled_at", "change", "delete", "paged", "shelf", "storage_plan"]


class StorageSuite(
    ReadSuite,
    RelationSuite,
    PositionSuite,
    WriteSuite,
    GroupSuite,
    BulkSuite,
    TransactionSuite,
    TenantSuite,
    DeletedSuite,
    KeySuite,
    AuditSuite,
    OutboxSuite,
    ExportSuite,
    CancellationSuite,
):
    """Inherit, and give it a fixture `storage` with a driver on an empty database."""
