"""create the schema"""

from sternpost.migrations import (
    Check,
    Column,
    CreateTable,
    DropTable,
    ForeignKey,
    Index,
    PrimaryKey,
    Step,
    Table,
    Unique,
    sql,
    types,
)

revision = "0001_create_the_schema"
down_revision = None
fingerprints = {
    "sqlite": "ca27576bd973bfce1e9743b3ee07db89f6ce8f6d14b90fece23d0f107177d98f",
    "postgresql": "97390a4ad94817828656bb84b8ad19172c6a3d107e7beac19c1158082dc7235a",
}
irreversible = None


def upgrade() -> list[Step]:
    """The way there."""
    return [
        CreateTable(
            Table(
                "products",
                (
                    Column("id", types.id),
                    Column("sku", types.integer),
                    Column("name", types.string),
                    Column("price_cents", types.integer),
                    Column("stock", types.integer, fill=sql("0")),
                ),
                PrimaryKey("pk_products", ("id",)),
                rules=(
                    Check("ck_products_name", sql('length("name") >= 1 AND length("name") <= 200')),
                    Check("ck_products_price_cents", sql('"price_cents" >= 0 AND "price_cents" <= 100000000')),
                    Check("ck_products_sku", sql('"sku" >= 1')),
                    Check("ck_products_stock", sql('"stock" >= 0 AND "stock" <= 1000000000')),
                    Unique("uq_products_sku", ("sku",)),
                ),
                indexes=(
                    Index("ix_products_name", ("name",)),
                    Index("ix_products_price_cents", ("price_cents",)),
                    Index("ix_products_stock", ("stock",)),
                ),
            ),
        ),
        CreateTable(
            Table(
                "users",
                (
                    Column("id", types.id),
                    Column("full_name", types.string),
                    Column("email", types.string),
                    Column(
                        "created_at",
                        types.datetime,
                        fill=sql(sqlite="strftime('%Y-%m-%dT%H:%M:%f', 'now')", postgresql="now()"),
                    ),
                    Column(
                        "updated_at",
                        types.datetime,
                        fill=sql(sqlite="strftime('%Y-%m-%dT%H:%M:%f', 'now')", postgresql="now()"),
                    ),
                ),
                PrimaryKey("pk_users", ("id",)),
                rules=(
                    Check("ck_users_email", sql('length("email") <= 254')),
                    Check("ck_users_full_name", sql('length("full_name") >= 1 AND length("full_name") <= 100')),
                    Unique("uq_users_email", ("email",)),
                ),
                indexes=(
                    Index("ix_users_created_at", ("created_at",)),
                    Index("ix_users_full_name", ("full_name",)),
                    Index("ix_users_updated_at", ("updated_at",)),
                ),
            ),
        ),
        CreateTable(
            Table(
                "orders",
                (
                    Column("id", types.id),
                    Column("user_id", types.id),
                    Column("status", types.enum, fill=sql("'draft'")),
                    Column("total_cents", types.integer),
                    Column(
                        "created_at",
                        types.datetime,
                        fill=sql(sqlite="strftime('%Y-%m-%dT%H:%M:%f', 'now')", postgresql="now()"),
                    ),
                    Column(
                        "updated_at",
                        types.datetime,
                        fill=sql(sqlite="strftime('%Y-%m-%dT%H:%M:%f', 'now')", postgresql="now()"),
                    ),
                ),
                PrimaryKey("pk_orders", ("id",)),
                rules=(
                    Check(
                        "ck_orders_status",
                        sql("\"status\" IN ('draft', 'placed', 'paid', 'shipped', 'cancelled')"),
                    ),
                    ForeignKey("fk_orders_user_id", ("user_id",), "users", on_delete="RESTRICT"),
                ),
                indexes=(
                    Index("ix_orders_created_at", ("created_at",)),
                    Index("ix_orders_status", ("status",)),
                    Index("ix_orders_updated_at", ("updated_at",)),
                    Index("ix_orders_user_id", ("user_id",)),
                ),
            ),
        ),
        CreateTable(
            Table(
                "order_items",
                (
                    Column("id", types.id),
                    Column("order_id", types.id),
                    Column("product_id", types.id),
                    Column("quantity", types.integer),
                    Column("unit_price_cents", types.integer),
                    Column("position", types.position, fill=sql("0")),
                ),
                PrimaryKey("pk_order_items", ("id",)),
                rules=(
                    Check("ck_order_items_quantity", sql('"quantity" >= 1 AND "quantity" <= 999')),
                    Check("ck_order_items_unit_price_cents", sql('"unit_price_cents" >= 0')),
                    ForeignKey("fk_order_items_order_id", ("order_id",), "orders", on_delete="CASCADE"),
                    ForeignKey("fk_order_items_product_id", ("product_id",), "products", on_delete="RESTRICT"),
                ),
                indexes=(
                    Index("ix_order_items_order_id", ("order_id",)),
                    Index("ix_order_items_product_id", ("product_id",)),
                ),
            ),
        ),
    ]


def downgrade() -> list[Step]:
    """The way back."""
    return [DropTable("order_items"), DropTable("orders"), DropTable("users"), DropTable("products")]
