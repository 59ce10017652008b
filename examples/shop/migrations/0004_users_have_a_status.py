"""users have a status"""

from sternpost.migrations import (
    AddColumn,
    AddIndex,
    AddRule,
    Check,
    Column,
    DropColumn,
    DropIndex,
    DropRule,
    Index,
    Nullable,
    Step,
    Update,
    sql,
    types,
)

revision = "0004_users_have_a_status"
down_revision = "0003_full_name_becomes_name"
fingerprints = {
    "sqlite": "90131e014dcdb79a616f7912fbf6436d5d2fb5fb85c84f557b11af21a454b58b",
    "postgresql": "7dc7b3ea386234794e7e07d7f4801a759de8f069ada51d31d14e5a2c8b24c80f",
}
irreversible = None


def upgrade() -> list[Step]:
    """The way there."""
    return [
        AddColumn("users", Column("status", types.enum, nullable=True, fill=sql("'pending'"))),
        Update("users", values={"status": sql("'active'")}, where=sql('"status" IS NULL')),
        Nullable("users", "status", nullable=False, fill=sql("'active'")),
        AddRule("users", Check("ck_users_status", sql("\"status\" IN ('pending', 'active', 'suspended')"))),
        AddIndex("users", Index("ix_users_status", ("status",))),
    ]


def downgrade() -> list[Step]:
    """The way back."""
    return [DropRule("users", "ck_users_status"), DropIndex("ix_users_status"), DropColumn("users", "status")]
