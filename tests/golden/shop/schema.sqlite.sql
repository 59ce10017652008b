CREATE TABLE products (
    id TEXT NOT NULL,
    sku TEXT NOT NULL,
    name TEXT NOT NULL,
    price_cents INTEGER NOT NULL,
    stock INTEGER NOT NULL,
    CONSTRAINT pk_products PRIMARY KEY (id),
    CONSTRAINT uq_products_sku UNIQUE (sku),
    CONSTRAINT ck_products_sku CHECK (length("sku") >= 1 AND length("sku") <= 40),
    CONSTRAINT ck_products_name CHECK (length("name") >= 1 AND length("name") <= 200),
    CONSTRAINT ck_products_price_cents CHECK ("price_cents" >= 0 AND "price_cents" <= 100000000),
    CONSTRAINT ck_products_stock CHECK ("stock" >= 0 AND "stock" <= 1000000000)
)
 STRICT;

CREATE INDEX ix_products_name ON products (name, id);

CREATE INDEX ix_products_price_cents ON products (price_cents, id);

CREATE INDEX ix_products_stock ON products (stock, id);

CREATE TABLE sternpost_api_keys (
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    digest TEXT NOT NULL,
    start TEXT NOT NULL,
    subject TEXT NOT NULL,
    tenant TEXT,
    scopes TEXT NOT NULL,
    created_at TEXT NOT NULL,
    expires_at TEXT,
    revoked_at TEXT,
    last_used_at TEXT,
    CONSTRAINT pk_sternpost_api_keys PRIMARY KEY (id),
    CONSTRAINT uq_sternpost_api_keys_digest UNIQUE (digest)
)
 STRICT;

CREATE TABLE sternpost_idempotency (
    id BLOB NOT NULL,
    request BLOB NOT NULL,
    head TEXT NOT NULL,
    body BLOB NOT NULL,
    expires_at TEXT NOT NULL,
    CONSTRAINT pk_sternpost_idempotency PRIMARY KEY (id)
)
 STRICT;

CREATE INDEX ix_sternpost_idempotency_expires_at ON sternpost_idempotency (expires_at);

CREATE TABLE sternpost_outbox (
    id INTEGER NOT NULL,
    xid INTEGER DEFAULT 0 NOT NULL,
    event_id TEXT NOT NULL,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    resource TEXT NOT NULL,
    row_id TEXT,
    operation TEXT NOT NULL,
    request_id TEXT,
    trace_id TEXT,
    tenant TEXT,
    actor TEXT,
    occurred_at TEXT NOT NULL,
    payload TEXT,
    CONSTRAINT pk_sternpost_outbox PRIMARY KEY (id)
)
 STRICT;

CREATE INDEX ix_sternpost_outbox_xid ON sternpost_outbox (xid, id);

CREATE TABLE sternpost_schema (
    fingerprint TEXT NOT NULL,
    created_at TEXT NOT NULL
)
 STRICT;

CREATE TABLE users (
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    email TEXT NOT NULL,
    status TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    CONSTRAINT pk_users PRIMARY KEY (id),
    CONSTRAINT ck_users_name CHECK (length("name") >= 1 AND length("name") <= 100),
    CONSTRAINT ck_users_email CHECK (length("email") <= 254),
    CONSTRAINT ck_users_status CHECK ("status" IN ('pending', 'active', 'suspended'))
)
 STRICT;

CREATE INDEX ix_users_created_at ON users (created_at, id);

CREATE INDEX ix_users_name ON users (name, id);

CREATE INDEX ix_users_status ON users (status, id);

CREATE INDEX ix_users_updated_at ON users (updated_at, id);

CREATE UNIQUE INDEX uq_users_email_nocase ON users (lower(email));

CREATE TABLE orders (
    id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    status TEXT NOT NULL,
    total_cents INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    CONSTRAINT pk_orders PRIMARY KEY (id),
    CONSTRAINT ck_orders_status CHECK ("status" IN ('draft', 'placed', 'paid', 'shipped', 'cancelled')),
    CONSTRAINT fk_orders_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE RESTRICT
)
 STRICT;

CREATE INDEX ix_orders_created_at ON orders (created_at, id);

CREATE INDEX ix_orders_status ON orders (status, id);

CREATE INDEX ix_orders_total_cents ON orders (total_cents, id);

CREATE INDEX ix_orders_updated_at ON orders (updated_at, id);

CREATE INDEX ix_orders_user_id ON orders (user_id, id);

CREATE TABLE order_items (
    id TEXT NOT NULL,
    order_id TEXT NOT NULL,
    product_id TEXT NOT NULL,
    quantity INTEGER NOT NULL,
    unit_price_cents INTEGER NOT NULL,
    position INTEGER NOT NULL,
    CONSTRAINT pk_order_items PRIMARY KEY (id),
    CONSTRAINT ck_order_items_quantity CHECK ("quantity" >= 1 AND "quantity" <= 999),
    CONSTRAINT ck_order_items_unit_price_cents CHECK ("unit_price_cents" >= 0),
    CONSTRAINT fk_order_items_order_id FOREIGN KEY(order_id) REFERENCES orders (id) ON DELETE CASCADE,
    CONSTRAINT fk_order_items_product_id FOREIGN KEY(product_id) REFERENCES products (id) ON DELETE RESTRICT
)
 STRICT;

CREATE INDEX ix_order_items_order_id ON order_items (order_id, id);

CREATE INDEX ix_order_items_product_id ON order_items (product_id, id);
