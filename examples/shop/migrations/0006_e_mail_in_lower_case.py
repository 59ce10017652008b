"""e-mail in lower case"""

from sternpost.migrations import Step, Update, sql

revision = "0006_e_mail_in_lower_case"
down_revision = "0005_index_orders_by_total"
fingerprints = {
    "sqlite": "415c71bf76ef36fa496303ce89866d1597494235724e1aa49e0e6ba82994c6d5",
    "postgresql": "239cd925e0b0c9cb0c23b1b3d8b21edfec45111e3a5e052cbaa2ac055b12949f",
}
irreversible = None


def upgrade() -> list[Step]:
    """Addresses are compared as they are written, so they are all written alike."""
    return [Update("users", {"email": sql("lower(email)")}, where=sql("email <> lower(email)"), batch_rows=500)]


def downgrade() -> list[Step]:
    """An address in lower case is as good as before."""
    return []
