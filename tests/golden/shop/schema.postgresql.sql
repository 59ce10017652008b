CREATE TABLE products (
    id UUID NOT NULL,
    sku TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    price_cents BIGINT NOT NULL,
    stock BIGINT NOT NULL,
    CONSTRAINT pk_products PRIMARY KEY (id),
    CONSTRAINT uq_products_sku UNIQUE (sku),
    CONSTRAINT ck_products_sku CHECK (length("sku") >= 1 AND length("sku") <= 40),
    CONSTRAINT ck_products_name CHECK (length("name") >= 1 AND length("name") <= 200),
    CONSTRAINT ck_products_price_cents CHECK ("price_cents" >= 0 AND "price_cents" <= 100000000),
    CONSTRAINT ck_products_stock CHECK ("stock" >= 0 AND "stock" <= 1000000000)
);

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
);

CREATE TABLE sternpost_idempotency (
    id BYTEA NOT NULL,
    request BYTEA NOT NULL,
    head TEXT COLLATE "C" NOT NULL,
    body BYTEA NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT pk_sternpost_idempotency PRIMARY KEY (id)
);

CREATE INDEX ix_sternpost_idempotency_expires_at ON sternpost_idempotency (expires_at);

CREATE TABLE sternpost_outbox (
    id BIGINT GENERATED ALWAYS AS IDENTITY NOT NULL,
    xid INT8 DEFAULT GREATEST(pg_current_xact_id()::text::int8,pg_snapshot_xmax(pg_current_snapshot())::text::int8-1) NOT NULL,
    event_id UUID NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    version INTEGER NOT NULL,
    resource TEXT COLLATE "C" NOT NULL,
    row_id TEXT COLLATE "C",
    operation TEXT COLLATE "C" NOT NULL,
    request_id TEXT COLLATE "C",
    trace_id TEXT COLLATE "C",
    tenant TEXT COLLATE "C",
    actor TEXT COLLATE "C",
    occurred_at TIMESTAMPTZ NOT NULL,
    payload JSONB,
    CONSTRAINT pk_sternpost_outbox PRIMARY KEY (id)
);

CREATE INDEX ix_sternpost_outbox_xid ON sternpost_outbox (xid, id);

CREATE TABLE sternpost_schema (
    fingerprint TEXT NOT NULL,
    created_at TEXT NOT NULL
);

CREATE TABLE users (
    id UUID NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    email TEXT COLLATE "C" NOT NULL,
    status TEXT COLLATE "C" NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT pk_users PRIMARY KEY (id),
    CONSTRAINT ck_users_name CHECK (length("name") >= 1 AND length("name") <= 100),
    CONSTRAINT ck_users_email CHECK (length("email") <= 254),
    CONSTRAINT ck_users_status CHECK ("status" IN ('pending', 'active', 'suspended'))
);

CREATE INDEX ix_users_created_at ON users (created_at, id);

CREATE INDEX ix_users_name ON users (name, id);

CREATE INDEX ix_users_status ON users (status, id);

CREATE INDEX ix_users_updated_at ON users (updated_at, id);

CREATE UNIQUE INDEX uq_users_email_nocase ON users (lower(email));

CREATE TABLE orders (
    id UUID NOT NULL,
    user_id UUID NOT NULL,
    status TEXT COLLATE "C" NOT NULL,
    total_cents BIGINT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT pk_orders PRIMARY KEY (id),
    CONSTRAINT ck_orders_status CHECK ("status" IN ('draft', 'placed', 'paid', 'shipped', 'cancelled')),
    CONSTRAINT fk_orders_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE RESTRICT
);

CREATE INDEX ix_orders_created_at ON orders (created_at, id);

CREATE INDEX ix_orders_status ON orders (status, id);

CREATE INDEX ix_orders_total_cents ON orders (total_cents, id);

CREATE INDEX ix_orders_updated_at ON orders (updated_at, id);

CREATE INDEX ix_orders_user_id ON orders (user_id, id);

CREATE TABLE order_items (
    id UUID NOT NULL,
    order_id UUID NOT NULL,
    product_id UUID NOT NULL,
    quantity BIGINT NOT NULL,
    unit_price_cents BIGINT NOT NULL,
    position INTEGER NOT NULL,
    CONSTRAINT pk_order_items PRIMARY KEY (id),
    CONSTRAINT ck_order_items_quantity CHECK ("quantity" >= 1 AND "quantity" <= 999),
    CONSTRAINT ck_order_items_unit_price_cents CHECK ("unit_price_cents" >= 0),
    CONSTRAINT fk_order_items_order_id FOREIGN KEY(order_id) REFERENCES orders (id) ON DELETE CASCADE,
    CONSTRAINT fk_order_items_product_id FOREIGN KEY(product_id) REFERENCES products (id) ON DELETE RESTRICT
);

CREATE INDEX ix_order_items_order_id ON order_items (order_id, id);

CREATE INDEX ix_order_items_product_id ON order_items (product_id, id);
