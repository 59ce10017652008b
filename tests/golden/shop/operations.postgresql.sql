-- users.browse
-- page
SELECT users.id, users.name, users.email, users.status, users.created_at, users.updated_at, (SELECT count(*) AS count_1 FROM users) AS anon_1 FROM users ORDER BY users.id ASC LIMIT $1 OFFSET $2;
-- count, for a page without rows
SELECT count(*) AS count_1 FROM users;

-- users.read
-- row
SELECT users.id, users.name, users.email, users.status, users.created_at, users.updated_at, users.id AS id__1 FROM users WHERE users.id = $1;

-- users.create
-- insert
INSERT INTO users (id, name, email, status, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6) RETURNING users.id, users.name, users.email, users.status, users.created_at, users.updated_at;
-- event
INSERT INTO sternpost_outbox (event_id, name, version, resource, row_id, operation, request_id, trace_id, tenant, actor, occurred_at, payload) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12);

-- users.replace
-- what the policy looks at, before the row is locked
SELECT users.id, users.id AS id__1 FROM users WHERE users.id = $1;
-- row
SELECT users.id, users.name, users.email, users.status, users.created_at, users.updated_at, users.id AS id__1 FROM users WHERE users.id = $1 FOR NO KEY UPDATE OF users;
-- update, of what is sent
UPDATE users SET name=$1, email=$2, updated_at=$3 WHERE users.id = $4 RETURNING users.id, users.name, users.email, users.status, users.created_at, users.updated_at;

-- users.update
-- what the policy looks at, before the row is locked
SELECT users.id, users.id AS id__1 FROM users WHERE users.id = $1;
-- row
SELECT users.id, users.name, users.email, users.status, users.created_at, users.updated_at, users.id AS id__1 FROM users WHERE users.id = $1 FOR NO KEY UPDATE OF users;
-- update, of what is sent
UPDATE users SET name=$1, email=$2, updated_at=$3 WHERE users.id = $4 RETURNING users.id, users.name, users.email, users.status, users.created_at, users.updated_at;

-- users.delete
-- row
SELECT users.id, users.name, users.email, users.status, users.created_at, users.updated_at, users.id AS id__1 FROM users WHERE users.id = $1 FOR NO KEY UPDATE OF users;
-- delete
DELETE FROM users WHERE users.id = $1;

-- users.activate
-- row
SELECT users.id, users.name, users.email, users.status, users.created_at, users.updated_at, users.id AS id__1 FROM users WHERE users.id = $1 FOR NO KEY UPDATE OF users;
-- guarded update
UPDATE users SET status=$1, updated_at=$2 WHERE users.id = $3 AND users.status IN ('pending', 'suspended') RETURNING users.id, users.name, users.email, users.status, users.created_at, users.updated_at;

-- users.suspend
-- row
SELECT users.id, users.name, users.email, users.status, users.created_at, users.updated_at, users.id AS id__1 FROM users WHERE users.id = $1 FOR NO KEY UPDATE OF users;
-- guarded update
UPDATE users SET status=$1, updated_at=$2 WHERE users.id = $3 AND users.status IN ('pending', 'active') RETURNING users.id, users.name, users.email, users.status, users.created_at, users.updated_at;

-- products.browse
-- page
SELECT products.id, products.sku, products.name, products.price_cents, products.stock, (SELECT count(*) AS count_1 FROM products) AS anon_1 FROM products ORDER BY products.id ASC LIMIT $1 OFFSET $2;
-- count, for a page without rows
SELECT count(*) AS count_1 FROM products;

-- products.read
-- row
SELECT products.id, products.sku, products.name, products.price_cents, products.stock FROM products WHERE products.id = $1;

-- products.create
-- insert
INSERT INTO products (id, sku, name, price_cents, stock) VALUES ($1, $2, $3, $4, $5) RETURNING products.id, products.sku, products.name, products.price_cents, products.stock;

-- products.replace
-- row
SELECT products.id, products.sku, products.name, products.price_cents, products.stock FROM products WHERE products.id = $1 FOR NO KEY UPDATE OF products;
-- update, of what is sent
UPDATE products SET sku=$1, name=$2, price_cents=$3, stock=$4 WHERE products.id = $5 RETURNING products.id, products.sku, products.name, products.price_cents, products.stock;

-- products.update
-- row
SELECT products.id, products.sku, products.name, products.price_cents, products.stock FROM products WHERE products.id = $1 FOR NO KEY UPDATE OF products;
-- update, of what is sent
UPDATE products SET sku=$1, name=$2, price_cents=$3, stock=$4 WHERE products.id = $5 RETURNING products.id, products.sku, products.name, products.price_cents, products.stock;

-- products.delete
-- row
SELECT products.id, products.sku, products.name, products.price_cents, products.stock FROM products WHERE products.id = $1 FOR NO KEY UPDATE OF products;
-- delete
DELETE FROM products WHERE products.id = $1;

-- orders.browse
-- page
SELECT orders.id, orders.user_id, orders.status, orders.total_cents, orders.created_at, orders.updated_at, orders.id AS id__1, (SELECT count(*) AS count_1 FROM orders WHERE orders.user_id = $1) AS anon_1 FROM orders WHERE orders.user_id = $1 ORDER BY orders.id ASC LIMIT $2 OFFSET $3;
-- count, for a page without rows
SELECT count(*) AS count_1 FROM orders WHERE orders.user_id = $1;
-- items
SELECT order_items.id, order_items.product_id, order_items.quantity, order_items.unit_price_cents, order_items.order_id FROM order_items WHERE order_items.order_id = ANY (CAST($1 AS UUID[])) ORDER BY order_items.order_id, order_items.position LIMIT $2 OFFSET 0;
-- policy as SQL
orders.user_id = $1;

-- orders.read
-- row
SELECT orders.id, orders.user_id, orders.status, orders.total_cents, orders.created_at, orders.updated_at, orders.user_id AS user_id__1, orders.id AS id__1 FROM orders WHERE orders.id = $1;
-- items
SELECT order_items.id, order_items.product_id, order_items.quantity, order_items.unit_price_cents, order_items.order_id FROM order_items WHERE order_items.order_id = ANY (CAST($1 AS UUID[])) ORDER BY order_items.order_id, order_items.position LIMIT $2 OFFSET 0;

-- orders.create
-- insert
INSERT INTO orders (id, user_id, status, total_cents, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6) RETURNING orders.id, orders.user_id, orders.status, orders.total_cents, orders.created_at, orders.updated_at;
-- items
SELECT order_items.id, order_items.order_id, order_items.product_id, order_items.quantity, order_items.unit_price_cents, order_items.order_id AS order_id__1 FROM order_items WHERE order_items.order_id = ANY (CAST($1 AS UUID[])) ORDER BY order_items.order_id, order_items.position LIMIT $2 OFFSET 0;

-- orders.replace
-- what the policy looks at, before the row is locked
SELECT orders.id, orders.user_id FROM orders WHERE orders.id = $1;
-- row
SELECT orders.id, orders.user_id, orders.status, orders.total_cents, orders.created_at, orders.updated_at, orders.user_id AS user_id__1, orders.id AS id__1 FROM orders WHERE orders.id = $1 FOR NO KEY UPDATE OF orders;
-- update, of what is sent
UPDATE orders SET updated_at=$1 WHERE orders.id = $2 RETURNING orders.id, orders.user_id, orders.status, orders.total_cents, orders.created_at, orders.updated_at;
-- items
SELECT order_items.id, order_items.order_id, order_items.product_id, order_items.quantity, order_items.unit_price_cents, order_items.order_id AS order_id__1 FROM order_items WHERE order_items.order_id = ANY (CAST($1 AS UUID[])) ORDER BY order_items.order_id, order_items.position LIMIT $2 OFFSET 0;

-- orders.update
-- what the policy looks at, before the row is locked
SELECT orders.id, orders.user_id FROM orders WHERE orders.id = $1;
-- row
SELECT orders.id, orders.user_id, orders.status, orders.total_cents, orders.created_at, orders.updated_at, orders.user_id AS user_id__1, orders.id AS id__1 FROM orders WHERE orders.id = $1 FOR NO KEY UPDATE OF orders;
-- update, of what is sent
UPDATE orders SET updated_at=$1 WHERE orders.id = $2 RETURNING orders.id, orders.user_id, orders.status, orders.total_cents, orders.created_at, orders.updated_at;
-- items
SELECT order_items.id, order_items.order_id, order_items.product_id, order_items.quantity, order_items.unit_price_cents, order_items.order_id AS order_id__1 FROM order_items WHERE order_items.order_id = ANY (CAST($1 AS UUID[])) ORDER BY order_items.order_id, order_items.position LIMIT $2 OFFSET 0;

-- orders.delete
-- what the policy looks at, before the row is locked
SELECT orders.id, orders.user_id FROM orders WHERE orders.id = $1;
-- row
SELECT orders.id, orders.user_id, orders.status, orders.total_cents, orders.created_at, orders.updated_at, orders.user_id AS user_id__1, orders.id AS id__1 FROM orders WHERE orders.id = $1 FOR NO KEY UPDATE OF orders;
-- delete
DELETE FROM orders WHERE orders.id = $1;
-- items
SELECT order_items.id, order_items.order_id, order_items.product_id, order_items.quantity, order_items.unit_price_cents, order_items.order_id AS order_id__1 FROM order_items WHERE order_items.order_id = ANY (CAST($1 AS UUID[])) ORDER BY order_items.order_id, order_items.position LIMIT $2 OFFSET 0;

-- orders.place
-- what the policy looks at, before the row is locked
SELECT orders.id, orders.user_id FROM orders WHERE orders.id = $1;
-- row
SELECT orders.id, orders.user_id, orders.status, orders.total_cents, orders.created_at, orders.updated_at, orders.user_id AS user_id__1, orders.id AS id__1 FROM orders WHERE orders.id = $1 FOR NO KEY UPDATE OF orders;
-- guarded update
UPDATE orders SET status=$1, updated_at=$2 WHERE orders.id = $3 AND orders.status IN ('draft') RETURNING orders.id, orders.user_id, orders.status, orders.total_cents, orders.created_at, orders.updated_at;
-- event
INSERT INTO sternpost_outbox (event_id, name, version, resource, row_id, operation, request_id, trace_id, tenant, actor, occurred_at, payload) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12);
-- items
SELECT order_items.id, order_items.order_id, order_items.product_id, order_items.quantity, order_items.unit_price_cents, order_items.order_id AS order_id__1 FROM order_items WHERE order_items.order_id = ANY (CAST($1 AS UUID[])) ORDER BY order_items.order_id, order_items.position LIMIT $2 OFFSET 0;

-- orders.pay
-- what the policy looks at, before the row is locked
SELECT orders.id, orders.user_id FROM orders WHERE orders.id = $1;
-- row
SELECT orders.id, orders.user_id, orders.status, orders.total_cents, orders.created_at, orders.updated_at, orders.user_id AS user_id__1, orders.id AS id__1 FROM orders WHERE orders.id = $1 FOR NO KEY UPDATE OF orders;
-- guarded update
UPDATE orders SET status=$1, updated_at=$2 WHERE orders.id = $3 AND orders.status IN ('placed') RETURNING orders.id, orders.user_id, orders.status, orders.total_cents, orders.created_at, orders.updated_at;
-- event
INSERT INTO sternpost_outbox (event_id, name, version, resource, row_id, operation, request_id, trace_id, tenant, actor, occurred_at, payload) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12);
-- items
SELECT order_items.id, order_items.order_id, order_items.product_id, order_items.quantity, order_items.unit_price_cents, order_items.order_id AS order_id__1 FROM order_items WHERE order_items.order_id = ANY (CAST($1 AS UUID[])) ORDER BY order_items.order_id, order_items.position LIMIT $2 OFFSET 0;

-- orders.ship
-- row
SELECT orders.id, orders.user_id, orders.status, orders.total_cents, orders.created_at, orders.updated_at, orders.user_id AS user_id__1, orders.id AS id__1 FROM orders WHERE orders.id = $1 FOR NO KEY UPDATE OF orders;
-- guarded update
UPDATE orders SET status=$1, updated_at=$2 WHERE orders.id = $3 AND orders.status IN ('paid') RETURNING orders.id, orders.user_id, orders.status, orders.total_cents, orders.created_at, orders.updated_at;
-- items
SELECT order_items.id, order_items.order_id, order_items.product_id, order_items.quantity, order_items.unit_price_cents, order_items.order_id AS order_id__1 FROM order_items WHERE order_items.order_id = ANY (CAST($1 AS UUID[])) ORDER BY order_items.order_id, order_items.position LIMIT $2 OFFSET 0;

-- orders.cancel
-- what the policy looks at, before the row is locked
SELECT orders.id, orders.user_id FROM orders WHERE orders.id = $1;
-- row
SELECT orders.id, orders.user_id, orders.status, orders.total_cents, orders.created_at, orders.updated_at, orders.user_id AS user_id__1, orders.id AS id__1 FROM orders WHERE orders.id = $1 FOR NO KEY UPDATE OF orders;
-- guarded update
UPDATE orders SET status=$1, updated_at=$2 WHERE orders.id = $3 AND orders.status IN ('draft', 'placed', 'paid') RETURNING orders.id, orders.user_id, orders.status, orders.total_cents, orders.created_at, orders.updated_at;
-- items
SELECT order_items.id, order_items.order_id, order_items.product_id, order_items.quantity, order_items.unit_price_cents, order_items.order_id AS order_id__1 FROM order_items WHERE order_items.order_id = ANY (CAST($1 AS UUID[])) ORDER BY order_items.order_id, order_items.position LIMIT $2 OFFSET 0;
