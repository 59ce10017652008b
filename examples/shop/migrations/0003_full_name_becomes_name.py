"""full_name becomes name"""

from sternpost.migrations import Index, RenameColumn, RenameIndex, RenameRule, Step

revision = "0003_full_name_becomes_name"
down_revision = "0002_sku_becomes_text"
fingerprints = {
    "sqlite": "4b2277ee006d6ef0b325234f48e2a5aa25195588bf1e431fb1d165e7494ef867",
    "postgresql": "8fed1adcd3fe11532b5b1182252cf18157b4426147e3bc9701ad1ee98a806e36",
}
irreversible = None


def upgrade() -> list[Step]:
    """The way there."""
    return [
        RenameColumn("users", "full_name", "name"),
        RenameRule("users", "ck_users_full_name", "ck_users_name"),
        RenameIndex("users", Index("ix_users_full_name", ("name",)), "ix_users_name"),
    ]


def downgrade() -> list[Step]:
    """The way back."""
    return [
        RenameColumn("users", "name", "full_name"),
        RenameRule("users", "ck_users_name", "ck_users_full_name"),
        RenameIndex("users", Index("ix_users_name", ("full_name",)), "ix_users_full_name"),
    ]
