-- users.browse
-- page
SELECT users.id, users.name, users.email, users.status, users.created_at, users.updated_at, (SELECT count(*) AS count_1 FROM users) AS anon_1 FROM users ORDER BY users.id ASC LIMIT ? OFFSET ?;
-- count, for a page without rows
SELECT count(*) AS count_1 FROM users;

-- users.read
-- row
SELECT users.id, users.name, users.email, users.status, users.created_at, users.updated_at, users.id AS id__1 FROM users WHERE users.id = ?;

-- users.create
-- insert
INSERT INTO users (id, name, email, status, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?) RETURNING id, name, email, status, created_at, updated_at;
-- event
INSERT INTO sternpost_outbox (event_id, name, version, resource, row_id, operation, request_id, trace_id, tenant, actor, occurred_at, payload) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- users.replace
-- row
SELECT users.id, users.name, users.email, users.status, users.created_at, users.updated_at, users.id AS id__1 FROM users WHERE users.id = ?;
-- update, of what is sent
UPDATE users SET name=?, email=?, updated_at=? WHERE users.id = ? RETURNING id, name, email, status, created_at, updated_at;

-- users.update
-- row
SELECT users.id, users.name, users.email, users.status, users.created_at, users.updated_at, users.id AS id__1 FROM users WHERE users.id = ?;
-- update, of what is sent
UPDATE users SET name=?, email=?, updated_at=? WHERE users.id = ? RETURNING id, name, email, status, created_at, updated_at;

-- users.delete
-- row
SELECT users.id, users.name, users.email, users.status, users.created_at, users.updated_at, users.id AS id__1 FROM users WHERE users.id = ?;
-- delete
DELETE FROM users WHERE users.id = ?;

-- users.activate
-- row
SELECT users.id, users.name, users.email, users.status, users.created_at, users.updated_at, users.id AS id__1 FROM users WHERE users.id = ?;
-- guarded update
UPDATE users SET status=?, updated_at=? WHERE users.id = ? AND users.status IN ('pending', 'suspended') RETURNING id, name, email, status, created_at, updated_at;

-- users.suspend
-- row
SELECT users.id, users.name, users.email, users.status, users.created_at, users.updated_at, users.id AS id__1 FROM users WHERE users.id = ?;
-- guarded update
UPDATE users SET status=?, updated_at=? WHERE users.id = ? AND users.status IN ('pending', 'active') RETURNING id, name, email, status, created_at, updated_at;

-- products.browse
-- page
SELECT products.id, products.sku, products.name, products.price_cents, products.stock, (SELECT count(*) AS count_1 FROM products) AS anon_1 FROM products ORDER BY products.id ASC LIMIT ? OFFSET ?;
-- count, for a page without rows
SELECT count(*) AS count_1 FROM products;

-- products.read
-- row
SELECT products.id, products.sku, products.name, products.price_cents, products.stock FROM products WHERE products.id = ?;

-- products.create
-- insert
INSERT INTO products (id, sku, name, price_cents, stock) VALUES (?, ?, ?, ?, ?) RETURNING id, sku, name, price_cents, stock;

-- products.replace
-- row
SELECT products.id, products.sku, products.name, products.price_cents, products.stock FROM products WHERE products.id = ?;
-- update, of what is sent
UPDATE products SET sku=?, name=?, price_cents=?, stock=? WHERE products.id = ? RETURNING id, sku, name, price_cents, stock;

-- products.update
-- row
SELECT products.id, products.sku, products.name, products.price_cents, products.stock FROM products WHERE products.id = ?;
-- update, of what is sent
UPDATE products SET sku=?, name=?, price_cents=?, stock=? WHERE products.id = ? RETURNING id, sku, name, price_cents, stock;

-- products.delete
-- row
SELECT products.id, products.sku, products.name, products.price_cents, products.stock FROM products WHERE products.id = ?;
-- delete
DELETE FROM products WHERE products.id = ?;

-- orders.browse
-- page
SELECT orders.id, orders.user_id, orders.status, orders.total_cents, orders.created_at, orders.updated_at, orders.id AS id__1, (SELECT count(*) AS count_1 FROM orders WHERE orders.user_id = ?) AS anon_1 FROM orders WHERE orders.user_id = ? ORDER BY orders.id ASC LIMIT ? OFFSET ?;
-- count, for a page without rows
SELECT count(*) AS count_1 FROM orders WHERE orders.user_id = ?;
-- items
SELECT order_items.id, order_items.product_id, order_items.quantity, order_items.unit_price_cents, order_items.order_id FROM order_items WHERE order_items.order_id IN (SELECT anon_1.value FROM temp.json_each(?) AS anon_1) ORDER BY order_items.order_id, order_items.position LIMIT ? OFFSET 0;
-- policy as SQL
orders.user_id = ?;

-- orders.read
-- row
SELECT orders.id, orders.user_id, orders.status, orders.total_cents, orders.created_at, orders.updated_at, orders.user_id AS user_id__1, orders.id AS id__1 FROM orders WHERE orders.id = ?;
-- items
SELECT order_items.id, order_items.product_id, order_items.quantity, order_items.unit_price_cents, order_items.order_id FROM order_items WHERE order_items.order_id IN (SELECT anon_1.value FROM temp.json_each(?) AS anon_1) ORDER BY order_items.order_id, order_items.position LIMIT ? OFFSET 0;

-- orders.create
-- insert
INSERT INTO orders (id, user_id, status, total_cents, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?) RETURNING id, user_id, status, total_cents, created_at, updated_at;
-- items
SELECT order_items.id, order_items.order_id, order_items.product_id, order_items.quantity, order_items.unit_price_cents, order_items.order_id AS order_id__1 FROM order_items WHERE order_items.order_id IN (SELECT anon_1.value FROM temp.json_each(?) AS anon_1) ORDER BY order_items.order_id, order_items.position LIMIT ? OFFSET 0;

-- orders.replace
-- row
SELECT orders.id, orders.user_id, orders.status, orders.total_cents, orders.created_at, orders.updated_at, orders.user_id AS user_id__1, orders.id AS id__1 FROM orders WHERE orders.id = ?;
-- update, of what is sent
UPDATE orders SET updated_at=? WHERE orders.id = ? RETURNING id, user_id, status, total_cents, created_at, updated_at;
-- items
SELECT order_items.id, order_items.order_id, order_items.product_id, order_items.quantity, order_items.unit_price_cents, order_items.order_id AS order_id__1 FROM order_items WHERE order_items.order_id IN (SELECT anon_1.value FROM temp.json_each(?) AS anon_1) ORDER BY order_items.order_id, order_items.position LIMIT ? OFFSET 0;

-- orders.update
-- row
SELECT orders.id, orders.user_id, orders.status, orders.total_cents, orders.created_at, orders.updated_at, orders.user_id AS user_id__1, orders.id AS id__1 FROM orders WHERE orders.id = ?;
-- update, of what is sent
UPDATE orders SET updated_at=? WHERE orders.id = ? RETURNING id, user_id, status, total_cents, created_at, updated_at;
-- items
SELECT order_items.id, order_items.order_id, order_items.product_id, order_items.quantity, order_items.unit_price_cents, order_items.order_id AS order_id__1 FROM order_items WHERE order_items.order_id IN (SELECT anon_1.value FROM temp.json_each(?) AS anon_1) ORDER BY order_items.order_id, order_items.position LIMIT ? OFFSET 0;

-- orders.delete
-- row
SELECT orders.id, orders.user_id, orders.status, orders.total_cents, orders.created_at, orders.updated_at, orders.user_id AS user_id__1, orders.id AS id__1 FROM orders WHERE orders.id = ?;
-- delete
DELETE FROM orders WHERE orders.id = ?;
-- items
SELECT order_items.id, order_items.order_id, order_items.product_id, order_items.quantity, order_items.unit_price_cents, order_items.order_id AS order_id__1 FROM order_items WHERE order_items.order_id IN (SELECT anon_1.value FROM temp.json_each(?) AS anon_1) ORDER BY order_items.order_id, order_items.position LIMIT ? OFFSET 0;

-- orders.place
-- row
SELECT orders.id, orders.user_id, orders.status, orders.total_cents, orders.created_at, orders.updated_at, orders.user_id AS user_id__1, orders.id AS id__1 FROM orders WHERE orders.id = ?;
-- guarded update
UPDATE orders SET status=?, updated_at=? WHERE orders.id = ? AND orders.status IN ('draft') RETURNING id, user_id, status, total_cents, created_at, updated_at;
-- event
INSERT INTO sternpost_outbox (event_id, name, version, resource, row_id, operation, request_id, trace_id, tenant, actor, occurred_at, payload) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);
-- items
SELECT order_items.id, order_items.order_id, order_items.product_id, order_items.quantity, order_items.unit_price_cents, order_items.order_id AS order_id__1 FROM order_items WHERE order_items.order_id IN (SELECT anon_1.value FROM temp.json_each(?) AS anon_1) ORDER BY order_items.order_id, order_items.position LIMIT ? OFFSET 0;

-- orders.pay
-- row
SELECT orders.id, orders.user_id, orders.status, orders.total_cents, orders.created_at, orders.updated_at, orders.user_id AS user_id__1, orders.id AS id__1 FROM orders WHERE orders.id = ?;
-- guarded update
UPDATE orders SET status=?, updated_at=? WHERE orders.id = ? AND orders.status IN ('placed') RETURNING id, user_id, status, total_cents, created_at, updated_at;
-- event
INSERT INTO sternpost_outbox (event_id, name, version, resource, row_id, operation, request_id, trace_id, tenant, actor, occurred_at, payload) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);
-- items
SELECT order_items.id, order_items.order_id, order_items.product_id, order_items.quantity, order_items.unit_price_cents, order_items.order_id AS order_id__1 FROM order_items WHERE order_items.order_id IN (SELECT anon_1.value FROM temp.json_each(?) AS anon_1) ORDER BY order_items.order_id, order_items.position LIMIT ? OFFSET 0;

-- orders.ship
-- row
SELECT orders.id, orders.user_id, orders.status, orders.total_cents, orders.created_at, orders.updated_at, orders.user_id AS user_id__1, orders.id AS id__1 FROM orders WHERE orders.id = ?;
-- guarded update
UPDATE orders SET status=?, updated_at=? WHERE orders.id = ? AND orders.status IN ('paid') RETURNING id, user_id, status, total_cents, created_at, updated_at;
-- items
SELECT order_items.id, order_items.order_id, order_items.product_id, order_items.quantity, order_items.unit_price_cents, order_items.order_id AS order_id__1 FROM order_items WHERE order_items.order_id IN (SELECT anon_1.value FROM temp.json_each(?) AS anon_1) ORDER BY order_items.order_id, order_items.position LIMIT ? OFFSET 0;

-- orders.cancel
-- row
SELECT orders.id, orders.user_id, orders.status, orders.total_cents, orders.created_at, orders.updated_at, orders.user_id AS user_id__1, orders.id AS id__1 FROM orders WHERE orders.id = ?;
-- guarded update
UPDATE orders SET status=?, updated_at=? WHERE orders.id = ? AND orders.status IN ('draft', 'placed', 'paid') RETURNING id, user_id, status, total_cents, created_at, updated_at;
-- items
SELECT order_items.id, order_items.order_id, order_items.product_id, order_items.quantity, order_items.unit_price_cents, order_items.order_id AS order_id__1 FROM order_items WHERE order_items.order_id IN (SELECT anon_1.value FROM temp.json_each(?) AS anon_1) ORDER BY order_items.order_id, order_items.position LIMIT ? OFFSET 0;
