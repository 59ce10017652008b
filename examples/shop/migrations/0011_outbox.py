"""outbox"""

from sternpost.migrations import Column, CreateTable, DropTable, Index, PrimaryKey, Step, TableShape, Type, types

revision = "0011_outbox"
down_revision = "0010_keys_of_changes"
fingerprints = {
    "sqlite": "8e8a907b3e703fecd6d35acb412ff1e1f6c181afb2f2abcaa00e03d3e0b09ccf",
    "postgresql": "72644c49d7e0d93615511d10f06b2039f6589cd2255fc341ead9cdd6ee05013b",
}
irreversible = None


def upgrade() -> list[Step]:
    """The steps of the migration."""
    return [
        CreateTable(
            TableShape(
                "sternpost_outbox",
                (
                    Column("id", Type("INTEGER", "BIGINT GENERATED ALWAYS AS IDENTITY", form="counted")),
                    Column(
                        "xid",
                        Type(
                            "INTEGER DEFAULT 0",
                            "INT8 DEFAULT GREATEST(pg_current_xact_id()::text::int8,pg_snapshot_xmax(pg_current_snapshot())::text::int8-1)",
                            form="transaction",
                        ),
                    ),
                    Column("event_id", types.id),
                    Column("name", types.string),
                    Column("version", Type("INTEGER", "INTEGER", form="version")),
                    Column("resource", types.string),
                    Column("row_id", types.string, nullable=True),
                    Column("operation", types.string),
                    Column("request_id", types.string, nullable=True),
                    Column("trace_id", types.string, nullable=True),
                    Column("tenant", types.string, nullable=True),
                    Column("actor", types.string, nullable=True),
                    Column("occurred_at", Type("TEXT", "TIMESTAMPTZ", form="instant")),
                    Column("payload", types.json, nullable=True),
                ),
                PrimaryKey("pk_sternpost_outbox", ("id",)),
                indexes=(Index("ix_sternpost_outbox_xid", ("xid", "id")),),
            ),
        ),
    ]


def downgrade() -> list[Step]:
    """The steps that undo it."""
    return [DropTable("sternpost_outbox")]
