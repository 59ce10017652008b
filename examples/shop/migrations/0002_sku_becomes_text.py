"""sku becomes text"""

from sternpost.migrations import AddRule, ChangeType, Check, DropRule, Step, sql, types

revision = "0002_sku_becomes_text"
down_revision = "0001_create_the_schema"
fingerprints = {
    "sqlite": "11845eb1177ee89e0c9f50735639d3b937493d30b063d5b6abb35caaca9df496",
    "postgresql": "32de34a9a464bc28ed5c28c3411bb316a9bafe3b1aa4d616d620dd97b6a2e498",
}
irreversible = None


def upgrade() -> list[Step]:
    """The way there."""
    return [
        DropRule("products", "ck_products_sku"),
        ChangeType("products", "sku", types.string, sql('CAST("sku" AS TEXT)')),
        AddRule("products", Check("ck_products_sku", sql('length("sku") >= 1 AND length("sku") <= 40'))),
    ]


def downgrade() -> list[Step]:
    """The way back."""
    return [
        DropRule("products", "ck_products_sku"),
        ChangeType(
            "products",
            "sku",
            types.integer,
            sql(sqlite='"sku"', postgresql='CAST("sku" AS BIGINT)'),
            "how its numbers were written",
        ),
        AddRule("products", Check("ck_products_sku", sql('"sku" >= 1'))),
    ]
