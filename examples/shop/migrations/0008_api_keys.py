"""api keys"""

from sternpost.migrations import Column, CreateTable, DropTable, PrimaryKey, Step, Table, Type, Unique

revision = "0008_api_keys"
down_revision = "0007_indexes_end_in_the_id"
fingerprints = {
    "sqlite": "3583681a8cf10d3bf791a8512047a8e7466f99bf127bdf4ee0f6b906c0279505",
    "postgresql": "e3eebfc13471a5885189352929c76aea5ad95b34c2a6f0bb9f11bde133923016",
}
irreversible = None


def upgrade() -> list[Step]:
    """The way there."""
    return [
        CreateTable(
            Table(
                "sternpost_api_keys",
                (
                    Column("id", Type("TEXT", "TEXT")),
                    Column("name", Type("TEXT", "TEXT")),
                    Column("digest", Type("TEXT", "TEXT")),
                    Column("start", Type("TEXT", "TEXT")),
                    Column("subject", Type("TEXT", "TEXT")),
                    Column("tenant", Type("TEXT", "TEXT"), nullable=True),
                    Column("scopes", Type("TEXT", "TEXT")),
                    Column("created_at", Type("TEXT", "TEXT")),
                    Column("expires_at", Type("TEXT", "TEXT"), nullable=True),
                    Column("revoked_at", Type("TEXT", "TEXT"), nullable=True),
                    Column("last_used_at", Type("TEXT", "TEXT"), nullable=True),
                ),
                PrimaryKey("pk_sternpost_api_keys", ("id",)),
                rules=(Unique("uq_sternpost_api_keys_digest", ("digest",)),),
            ),
        ),
    ]


def downgrade() -> list[Step]:
    """The way back."""
    return [DropTable("sternpost_api_keys")]
