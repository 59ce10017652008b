"""e-mail ignores case"""

from sternpost.migrations import AddIndex, AddRule, DropIndex, DropRule, Index, Step, Unique

revision = "0009_e_mail_ignores_case"
down_revision = "0008_api_keys"
fingerprints = {
    "sqlite": "2814dc6a5fb060f9a6603c1bc4163902094c8cf8042e8127b089d8710c1ad570",
    "postgresql": "7695c5fe63932a6a161b1fc742a258ca14ce8db5b3876c24d5ee40b049026287",
}
irreversible = None


def upgrade() -> list[Step]:
    """The steps of the migration."""
    return [
        AddIndex("users", Index("uq_users_email_nocase", ("lower(email)",), unique=True)),
        DropRule("users", "uq_users_email"),
    ]


def downgrade() -> list[Step]:
    """The steps that undo it."""
    return [DropIndex("uq_users_email_nocase"), AddRule("users", Unique("uq_users_email", ("email",)))]
