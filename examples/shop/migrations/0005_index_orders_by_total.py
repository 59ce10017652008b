"""index orders by total"""

from sternpost.migrations import AddIndex, DropIndex, Index, Step

revision = "0005_index_orders_by_total"
down_revision = "0004_users_have_a_status"
fingerprints = {
    "sqlite": "415c71bf76ef36fa496303ce89866d1597494235724e1aa49e0e6ba82994c6d5",
    "postgresql": "239cd925e0b0c9cb0c23b1b3d8b21edfec45111e3a5e052cbaa2ac055b12949f",
}
irreversible = None


def upgrade() -> list[Step]:
    """The way there."""
    return [AddIndex("orders", Index("ix_orders_total_cents", ("total_cents",)))]


def downgrade() -> list[Step]:
    """The way back."""
    return [DropIndex("ix_orders_total_cents")]
