CREATE SCHEMA sales;
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE DOMAIN email_address AS varchar(120) CHECK (VALUE <> '');
CREATE DOMAIN percentage AS numeric(5,2) CHECK (VALUE >= 0 AND VALUE <= 100);
CREATE TABLE countries (
    code char(2) PRIMARY KEY,
    name varchar(80) NOT NULL UNIQUE
);
COMMENT ON TABLE countries IS 'Where people live: "here" or there.';
CREATE TABLE people (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    email email_address NOT NULL UNIQUE,
    nickname text CHECK (length(nickname) >= 2 AND length(nickname) <= 30),
    mood mood NOT NULL DEFAULT 'ok',
    gender char(1) CHECK (gender IN ('f', 'm', 'x')),
    country_code char(2) REFERENCES countries ON DELETE SET NULL,
    manager_id uuid REFERENCES people,
    born date,
    created_at timestamptz NOT NULL DEFAULT now(),
    local_time timestamp,
    active boolean NOT NULL DEFAULT true,
    score double precision DEFAULT 0.5,
    photo bytea,
    address inet,
    tags text[] NOT NULL DEFAULT '{}',
    profile jsonb,
    search tsvector,
    full_name text GENERATED ALWAYS AS (coalesce(nickname, '') || ' <' || email || '>') STORED
);
COMMENT ON COLUMN people.nickname IS 'How friends say';
CREATE INDEX people_created ON people (created_at);
CREATE INDEX people_country ON people (country_code);
CREATE TABLE "Order" (
    "Id" bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    "CustomerId" uuid NOT NULL REFERENCES people ON DELETE CASCADE,
    "BillTo" uuid REFERENCES people,
    number integer NOT NULL,
    status varchar(20) NOT NULL DEFAULT 'draft' CHECK (status IN ('draft', 'paid', 'it''s "sent"')),
    discount percentage DEFAULT 0,
    total numeric(12,2) NOT NULL CHECK (total > 0),
    weight numeric,
    "date" date NOT NULL DEFAULT CURRENT_DATE,
    class smallint CHECK (class BETWEEN 1 AND 5),
    field text, "read" boolean,
    CHECK ("BillTo" IS NULL OR "BillTo" <> "CustomerId"),
    UNIQUE ("CustomerId", number)
);
CREATE TABLE order_lines (
    order_id bigint NOT NULL REFERENCES "Order",
    line smallint NOT NULL,
    product_id integer NOT NULL,
    PRIMARY KEY (order_id, line)
);
CREATE TABLE sales.products (
    product_id serial PRIMARY KEY,
    sku varchar(20) NOT NULL UNIQUE,
    price money,
    parent integer REFERENCES sales.products
);
CREATE TABLE sales.categories (id serial PRIMARY KEY, title text NOT NULL);
CREATE TABLE sales.product_categories (
    product_id integer REFERENCES sales.products ON DELETE CASCADE,
    category_id integer REFERENCES sales.categories ON DELETE CASCADE,
    PRIMARY KEY (product_id, category_id)
);
CREATE TABLE passports (person_id uuid PRIMARY KEY REFERENCES people ON DELETE CASCADE, number text NOT NULL);
CREATE TABLE settings (name varchar(100) PRIMARY KEY, value text);
CREATE TABLE log_lines (at timestamptz, message text);
CREATE TABLE follows (follower uuid REFERENCES people, followed uuid REFERENCES people, PRIMARY KEY (follower, followed));
CREATE VIEW adults AS SELECT * FROM people;
CREATE TABLE audit (id serial PRIMARY KEY, person_id uuid, order_id bigint, note text);
INSERT INTO countries VALUES ('DE', 'Germany'), ('FR', 'France');
INSERT INTO people (id, email, nickname, mood, gender, country_code, created_at, local_time, tags, profile)
VALUES ('0f8fad5b-d9cb-469f-a165-70867728950e', 'ada@example.test', 'Ada', 'happy', 'f', 'DE',
        '2026-01-31 10:00:00+01', '2026-01-31 10:00:00', '{a,b}', '{"x": 1}');
INSERT INTO "Order" ("CustomerId", number, total, weight) VALUES ('0f8fad5b-d9cb-469f-a165-70867728950e', 1, 12.5, 0.125);
INSERT INTO sales.products (sku) VALUES ('p1');
INSERT INTO sales.categories (title) VALUES ('c1');
INSERT INTO sales.product_categories VALUES (1, 1);
INSERT INTO passports VALUES ('0f8fad5b-d9cb-469f-a165-70867728950e', 'X1');
