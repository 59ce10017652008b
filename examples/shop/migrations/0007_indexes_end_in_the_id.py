"""indexes end in the id"""

from sternpost.migrations import AddIndex, DropIndex, Index, Step

revision = "0007_indexes_end_in_the_id"
down_revision = "0006_e_mail_in_lower_case"
fingerprints = {
    "sqlite": "2f4f8105661eb1e553749487bd1d6287246b2c0f871e306a9156a28a28699a41",
    "postgresql": "083f38aeb65dfe01d77dd2b85eae0f4666a96ca1ad2ecaa3df133ce92de5d432",
}
irreversible = None


def upgrade() -> list[Step]:
    """The way there."""
    return [
        DropIndex("ix_products_name"),
        DropIndex("ix_products_price_cents"),
        DropIndex("ix_products_stock"),
        DropIndex("ix_users_created_at"),
        DropIndex("ix_users_name"),
        DropIndex("ix_users_updated_at"),
        DropIndex("ix_users_status"),
        DropIndex("ix_orders_created_at"),
        DropIndex("ix_orders_status"),
        DropIndex("ix_orders_updated_at"),
        DropIndex("ix_orders_user_id"),
        DropIndex("ix_orders_total_cents"),
        DropIndex("ix_order_items_order_id"),
        DropIndex("ix_order_items_product_id"),
        AddIndex("products", Index("ix_products_name", ("name", "id"))),
        AddIndex("products", Index("ix_products_price_cents", ("price_cents", "id"))),
        AddIndex("products", Index("ix_products_stock", ("stock", "id"))),
        AddIndex("users", Index("ix_users_created_at", ("created_at", "id"))),
        AddIndex("users", Index("ix_users_name", ("name", "id"))),
        AddIndex("users", Index("ix_users_updated_at", ("updated_at", "id"))),
        AddIndex("users", Index("ix_users_status", ("status", "id"))),
        AddIndex("orders", Index("ix_orders_created_at", ("created_at", "id"))),
        AddIndex("orders", Index("ix_orders_status", ("status", "id"))),
        AddIndex("orders", Index("ix_orders_updated_at", ("updated_at", "id"))),
        AddIndex("orders", Index("ix_orders_user_id", ("user_id", "id"))),
        AddIndex("orders", Index("ix_orders_total_cents", ("total_cents", "id"))),
        AddIndex("order_items", Index("ix_order_items_order_id", ("order_id", "id"))),
        AddIndex("order_items", Index("ix_order_items_product_id", ("product_id", "id"))),
    ]


def downgrade() -> list[Step]:
    """The way back."""
    return [
        DropIndex("ix_products_name"),
        DropIndex("ix_products_price_cents"),
        DropIndex("ix_products_stock"),
        DropIndex("ix_users_created_at"),
        DropIndex("ix_users_name"),
        DropIndex("ix_users_status"),
        DropIndex("ix_users_updated_at"),
        DropIndex("ix_orders_created_at"),
        DropIndex("ix_orders_status"),
        DropIndex("ix_orders_total_cents"),
        DropIndex("ix_orders_updated_at"),
        DropIndex("ix_orders_user_id"),
        DropIndex("ix_order_items_order_id"),
        DropIndex("ix_order_items_product_id"),
        AddIndex("products", Index("ix_products_name", ("name",))),
        AddIndex("products", Index("ix_products_price_cents", ("price_cents",))),
        AddIndex("products", Index("ix_products_stock", ("stock",))),
        AddIndex("users", Index("ix_users_created_at", ("created_at",))),
        AddIndex("users", Index("ix_users_name", ("name",))),
        AddIndex("users", Index("ix_users_status", ("status",))),
        AddIndex("users", Index("ix_users_updated_at", ("updated_at",))),
        AddIndex("orders", Index("ix_orders_created_at", ("created_at",))),
        AddIndex("orders", Index("ix_orders_status", ("status",))),
        AddIndex("orders", Index("ix_orders_total_cents", ("total_cents",))),
        AddIndex("orders", Index("ix_orders_updated_at", ("updated_at",))),
        AddIndex("orders", Index("ix_orders_user_id", ("user_id",))),
        AddIndex("order_items", Index("ix_order_items_order_id", ("order_id",))),
        AddIndex("order_items", Index("ix_order_items_product_id", ("product_id",))),
    ]
