"""keys of changes"""

from sternpost.migrations import Column, CreateTable, DropTable, Index, PrimaryKey, Step, TableShape, types

revision = "0010_keys_of_changes"
down_revision = "0009_e_mail_ignores_case"
fingerprints = {
    "sqlite": "33c8b64eab71d7746d90c9a1915385122a3180b0313fb15203dd1047ca7bea13",
    "postgresql": "61774c98cb544b628e99c9788c49539d0375230379ac9f515d4b2ffe0105b14e",
}
irreversible = None


def upgrade() -> list[Step]:
    """The steps of the migration."""
    return [
        CreateTable(
            TableShape(
                "sternpost_idempotency",
                (
                    Column("id", types.bytes),
                    Column("request", types.bytes),
                    Column("head", types.string),
                    Column("body", types.bytes),
                    Column("expires_at", types.datetime),
                ),
                PrimaryKey("pk_sternpost_idempotency", ("id",)),
                indexes=(Index("ix_sternpost_idempotency_expires_at", ("expires_at",)),),
            ),
        ),
    ]


def downgrade() -> list[Step]:
    """The steps that undo it."""
    return [DropTable("sternpost_idempotency")]
