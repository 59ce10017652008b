-- a row by its key
SELECT shelfs.label, (SELECT r1.keeper
FROM shelfs AS r1
WHERE r1.id = shelfs.parent_id) AS anon_1
FROM shelfs
WHERE shelfs.id = $1

-- a row by its key, locked
SELECT shelfs.label
FROM shelfs
WHERE shelfs.id = $1 FOR NO KEY UPDATE OF shelfs

-- rows by their keys
SELECT shelfs.label, shelfs.id
FROM shelfs
WHERE shelfs.id = ANY (CAST($1 AS UUID[]))

-- a page
SELECT shelfs.label, shelfs.width, shelfs.id
FROM shelfs
WHERE shelfs.width > $1 ORDER BY shelfs.width DESC NULLS FIRST, shelfs.label ASC, shelfs.id ASC
 LIMIT $2 OFFSET $3

-- a page with its count
SELECT shelfs.label, shelfs.width, shelfs.id, (SELECT count(*) AS count_1
FROM shelfs
WHERE shelfs.width > $1) AS anon_1
FROM shelfs
WHERE shelfs.width > $1 ORDER BY shelfs.width DESC NULLS FIRST, shelfs.label ASC, shelfs.id ASC
 LIMIT $2 OFFSET $3

-- a count
SELECT count(*) AS count_1
FROM shelfs
WHERE shelfs.width > $1

-- behind a position of one direction
SELECT shelfs.label, shelfs.width, shelfs.id
FROM shelfs
WHERE shelfs.width > $1 AND (shelfs.label, shelfs.id) > ($2, $3) ORDER BY shelfs.label ASC, shelfs.id ASC
 LIMIT $4 OFFSET $5

-- behind a position of two
SELECT rest.c0, rest.c1, rest.c2
FROM (SELECT part0.c0 AS c0, part0.c1 AS c1, part0.c2 AS c2, part0.c3 AS c3, part0.c4 AS c4, part0.c5 AS c5
FROM (SELECT shelfs.label AS c0, shelfs.width AS c1, shelfs.id AS c2, shelfs.width AS c3, shelfs.label AS c4, shelfs.id AS c5
FROM shelfs
WHERE shelfs.width > $1 AND shelfs.width = $2 AND shelfs.label = $3 AND shelfs.id > $4 ORDER BY shelfs.id ASC
 LIMIT CAST($5 AS BIGINT) + $6 OFFSET 0) AS part0 UNION ALL SELECT part1.c0 AS c0, part1.c1 AS c1, part1.c2 AS c2, part1.c3 AS c3, part1.c4 AS c4, part1.c5 AS c5
FROM (SELECT shelfs.label AS c0, shelfs.width AS c1, shelfs.id AS c2, shelfs.width AS c3, shelfs.label AS c4, shelfs.id AS c5
FROM shelfs
WHERE shelfs.width > $1 AND shelfs.width = $2 AND shelfs.label > $3 ORDER BY shelfs.label ASC, shelfs.id ASC
 LIMIT CAST($5 AS BIGINT) + $6 OFFSET 0) AS part1 UNION ALL SELECT part2.c0 AS c0, part2.c1 AS c1, part2.c2 AS c2, part2.c3 AS c3, part2.c4 AS c4, part2.c5 AS c5
FROM (SELECT shelfs.label AS c0, shelfs.width AS c1, shelfs.id AS c2, shelfs.width AS c3, shelfs.label AS c4, shelfs.id AS c5
FROM shelfs
WHERE shelfs.width > $1 AND shelfs.width < $2 ORDER BY shelfs.width DESC, shelfs.label ASC, shelfs.id ASC
 LIMIT CAST($5 AS BIGINT) + $6 OFFSET 0) AS part2) AS rest ORDER BY rest.c3 DESC NULLS FIRST, rest.c4 ASC, rest.c5 ASC
 LIMIT $5 OFFSET $6

-- behind a null
SELECT rest.c0, rest.c1, rest.c2
FROM (SELECT part0.c0 AS c0, part0.c1 AS c1, part0.c2 AS c2, part0.c3 AS c3, part0.c4 AS c4, part0.c5 AS c5
FROM (SELECT shelfs.label AS c0, shelfs.width AS c1, shelfs.id AS c2, shelfs.width AS c3, shelfs.label AS c4, shelfs.id AS c5
FROM shelfs
WHERE shelfs.width > $1 AND shelfs.width IS NULL AND shelfs.label = $2 AND shelfs.id > $3 ORDER BY shelfs.id ASC
 LIMIT CAST($4 AS BIGINT) + $5 OFFSET 0) AS part0 UNION ALL SELECT part1.c0 AS c0, part1.c1 AS c1, part1.c2 AS c2, part1.c3 AS c3, part1.c4 AS c4, part1.c5 AS c5
FROM (SELECT shelfs.label AS c0, shelfs.width AS c1, shelfs.id AS c2, shelfs.width AS c3, shelfs.label AS c4, shelfs.id AS c5
FROM shelfs
WHERE shelfs.width > $1 AND shelfs.width IS NULL AND shelfs.label > $2 ORDER BY shelfs.label ASC, shelfs.id ASC
 LIMIT CAST($4 AS BIGINT) + $5 OFFSET 0) AS part1 UNION ALL SELECT part2.c0 AS c0, part2.c1 AS c1, part2.c2 AS c2, part2.c3 AS c3, part2.c4 AS c4, part2.c5 AS c5
FROM (SELECT shelfs.label AS c0, shelfs.width AS c1, shelfs.id AS c2, shelfs.width AS c3, shelfs.label AS c4, shelfs.id AS c5
FROM shelfs
WHERE shelfs.width > $1 AND shelfs.width IS NOT NULL ORDER BY shelfs.width DESC, shelfs.label ASC, shelfs.id ASC
 LIMIT CAST($4 AS BIGINT) + $5 OFFSET 0) AS part2) AS rest ORDER BY rest.c3 DESC NULLS FIRST, rest.c4 ASC, rest.c5 ASC
 LIMIT $4 OFFSET $5

-- behind a position in the order of an enum
SELECT rest.c0, rest.c1, rest.c2, rest.c3
FROM (SELECT part0.c0 AS c0, part0.c1 AS c1, part0.c2 AS c2, part0.c3 AS c3, part0.c4 AS c4, part0.c5 AS c5
FROM (SELECT shelfs.label AS c0, shelfs.width AS c1, CASE shelfs.colour WHEN 'red' THEN 0 WHEN 'green' THEN 1 END AS c2, shelfs.id AS c3, CASE shelfs.colour WHEN 'red' THEN 0 WHEN 'green' THEN 1 END AS c4, shelfs.id AS c5
FROM shelfs
WHERE shelfs.width > $1 AND CASE shelfs.colour WHEN 'red' THEN 0 WHEN 'green' THEN 1 END = $2 AND shelfs.id > $3 ORDER BY shelfs.id ASC
 LIMIT CAST($4 AS BIGINT) + $5 OFFSET 0) AS part0 UNION ALL SELECT part1.c0 AS c0, part1.c1 AS c1, part1.c2 AS c2, part1.c3 AS c3, part1.c4 AS c4, part1.c5 AS c5
FROM (SELECT shelfs.label AS c0, shelfs.width AS c1, CASE shelfs.colour WHEN 'red' THEN 0 WHEN 'green' THEN 1 END AS c2, shelfs.id AS c3, CASE shelfs.colour WHEN 'red' THEN 0 WHEN 'green' THEN 1 END AS c4, shelfs.id AS c5
FROM shelfs
WHERE shelfs.width > $1 AND CASE shelfs.colour WHEN 'red' THEN 0 WHEN 'green' THEN 1 END > $2 ORDER BY CASE shelfs.colour WHEN 'red' THEN 0 WHEN 'green' THEN 1 END ASC, shelfs.id ASC
 LIMIT CAST($4 AS BIGINT) + $5 OFFSET 0) AS part1 UNION ALL SELECT part2.c0 AS c0, part2.c1 AS c1, part2.c2 AS c2, part2.c3 AS c3, part2.c4 AS c4, part2.c5 AS c5
FROM (SELECT shelfs.label AS c0, shelfs.width AS c1, CASE shelfs.colour WHEN 'red' THEN 0 WHEN 'green' THEN 1 END AS c2, shelfs.id AS c3, CASE shelfs.colour WHEN 'red' THEN 0 WHEN 'green' THEN 1 END AS c4, shelfs.id AS c5
FROM shelfs
WHERE shelfs.width > $1 AND CASE shelfs.colour WHEN 'red' THEN 0 WHEN 'green' THEN 1 END IS NULL ORDER BY CASE shelfs.colour WHEN 'red' THEN 0 WHEN 'green' THEN 1 END ASC, shelfs.id ASC
 LIMIT CAST($4 AS BIGINT) + $5 OFFSET 0) AS part2) AS rest ORDER BY rest.c4 ASC NULLS LAST, rest.c5 ASC
 LIMIT $4 OFFSET $5

-- by the value of another row
SELECT shelfs.label, shelfs.width, (SELECT r1.label
FROM shelfs AS r1
WHERE r1.id = shelfs.parent_id) AS anon_1, shelfs.id
FROM shelfs
WHERE shelfs.width > $1 ORDER BY (SELECT r1.label
FROM shelfs AS r1
WHERE r1.id = shelfs.parent_id) ASC NULLS FIRST, shelfs.id ASC
 LIMIT $2 OFFSET $3

-- distinct rows
SELECT shelfs.label, shelfs.width, shelfs.id
FROM shelfs
WHERE shelfs.id IN (SELECT ranked.c0
FROM (SELECT r1.id AS c0, row_number() OVER (PARTITION BY r1.colour ORDER BY r1.width DESC NULLS FIRST, r1.label ASC, r1.id ASC) AS c1
FROM shelfs AS r1
WHERE r1.width > $1) AS ranked
WHERE ranked.c1 = 1) ORDER BY shelfs.width DESC NULLS FIRST, shelfs.label ASC, shelfs.id ASC
 LIMIT $2 OFFSET $3

-- the place of a row
SELECT shelfs.width, shelfs.label, shelfs.id
FROM shelfs
WHERE shelfs.id = $1

-- relation: what a row refers to
SELECT shelfs.label, shelfs.id
FROM shelfs
WHERE shelfs.id = ANY (CAST($1 AS UUID[]))
 LIMIT $2 OFFSET 0

-- relation: items in their order
SELECT books.title, books.shelf_id
FROM books
WHERE books.shelf_id = ANY (CAST($1 AS UUID[])) ORDER BY books.shelf_id, books.position
 LIMIT $2 OFFSET 0

-- relation: rows that refer to it
SELECT shelfs.label, shelfs.parent_id
FROM shelfs
WHERE shelfs.parent_id = ANY (CAST($1 AS UUID[])) ORDER BY shelfs.parent_id, shelfs.width DESC NULLS FIRST, shelfs.id DESC
 LIMIT $2 OFFSET 0

-- relation: the first of them
SELECT ranked.c0, ranked.c1
FROM (SELECT shelfs.label AS c0, shelfs.parent_id AS c1, row_number() OVER (PARTITION BY shelfs.parent_id ORDER BY shelfs.width DESC NULLS FIRST, shelfs.id DESC) AS rank
FROM shelfs
WHERE shelfs.parent_id = ANY (CAST($1 AS UUID[]))) AS ranked
WHERE ranked.rank <= 3 ORDER BY ranked.c1, ranked.rank
 LIMIT $2 OFFSET 0

-- relation: a part of them
SELECT ranked.c0, ranked.c1
FROM (SELECT shelfs.label AS c0, shelfs.parent_id AS c1, row_number() OVER (PARTITION BY shelfs.parent_id ORDER BY shelfs.width DESC NULLS FIRST, shelfs.id DESC) AS rank
FROM shelfs
WHERE shelfs.parent_id = ANY (CAST($1 AS UUID[]))) AS ranked
WHERE ranked.rank > $2 AND ranked.rank <= CAST($2 AS BIGINT) + $3 + 1 ORDER BY ranked.c1, ranked.rank
 LIMIT $4 OFFSET 0

-- relation: linked rows
SELECT ranked.c0, ranked.c1
FROM (SELECT shelfs.label AS c0, shelf_tags.tag_id AS c1, row_number() OVER (PARTITION BY shelf_tags.tag_id ORDER BY shelfs.width DESC NULLS FIRST, shelfs.id DESC) AS rank
FROM shelfs JOIN shelf_tags ON shelfs.id = shelf_tags.shelf_id
WHERE shelf_tags.tag_id = ANY (CAST($1 AS UUID[]))) AS ranked
WHERE ranked.rank <= 6 ORDER BY ranked.c1, ranked.rank
 LIMIT $2 OFFSET 0

-- groups
SELECT shelfs.colour, count(*) AS count_1, sum(shelfs.width) AS sum_1, sum(shelfs.price) AS sum_2, count(shelfs.price) AS count_2
FROM shelfs
WHERE shelfs.width = $1 GROUP BY shelfs.colour
HAVING count(*) >= $2::INTEGER ORDER BY sum(shelfs.width) DESC NULLS FIRST, CASE shelfs.colour WHEN 'red' THEN 0 WHEN 'green' THEN 1 END ASC NULLS LAST
 LIMIT $3 OFFSET 0

-- a new row
INSERT INTO tags (id, word, favourite_id) VALUES ($1, $2, $3) RETURNING tags.id, tags.word, tags.favourite_id

-- new rows
INSERT INTO shelfs (id, label, width) SELECT * FROM unnest($1::UUID[], $2::TEXT[], $3::BIGINT[]) RETURNING label, id

-- new rows but those that exist
INSERT INTO shelfs (id, label, width) SELECT * FROM unnest($1::UUID[], $2::TEXT[], $3::BIGINT[]) ON CONFLICT DO NOTHING RETURNING id

-- a change
UPDATE shelfs SET label=$1, width=(shelfs.width + $2), weight=(shelfs.weight * $3), price=(shelfs.price / $4) WHERE shelfs.id = $5 RETURNING shelfs.label, shelfs.width

-- a change of many
UPDATE shelfs SET label=$1 WHERE shelfs.width = $2

-- a new row, or a change
INSERT INTO shelfs (id, label, width) VALUES ($1, $2, $3) ON CONFLICT (label) DO UPDATE SET width = (shelfs.width + $4) RETURNING shelfs.id

-- a new row, or none
INSERT INTO shelfs (id, label, width) VALUES ($1, $2, $3) ON CONFLICT (label) DO UPDATE SET label = shelfs.label RETURNING shelfs.id

-- a removal
DELETE FROM shelfs WHERE shelfs.width = $1 AND shelfs.colour IS NULL

-- a removal of items
DELETE FROM books WHERE books.shelf_id = $1

-- a pair where there is none
INSERT INTO shelf_tags (shelf_id, tag_id) VALUES ($1, $2) ON CONFLICT DO NOTHING

-- the other sides of a row's pairs
SELECT shelf_tags.tag_id
FROM shelf_tags
WHERE shelf_tags.shelf_id = $1

-- a removal of a pair
DELETE FROM shelf_tags WHERE shelf_tags.shelf_id = $1 AND shelf_tags.tag_id = $2

-- a removal of all pairs of a row
DELETE FROM shelf_tags WHERE shelf_tags.shelf_id = $1

-- condition: equal
SELECT count(*) AS count_1
FROM shelfs
WHERE shelfs.width = $1

-- condition: not equal, as nulls have it
SELECT count(*) AS count_1
FROM shelfs
WHERE shelfs.width != $1

-- condition: the complement of equal
SELECT count(*) AS count_1
FROM shelfs
WHERE shelfs.width IS DISTINCT FROM $1

-- condition: the complement of a comparison
SELECT count(*) AS count_1
FROM shelfs
WHERE coalesce(shelfs.width > $1, false) IS false

-- condition: in
SELECT count(*) AS count_1
FROM shelfs
WHERE shelfs.width = ANY (CAST($1 AS BIGINT[]))

-- condition: not in
SELECT count(*) AS count_1
FROM shelfs
WHERE shelfs.width IS NOT NULL AND NOT (shelfs.width = ANY (CAST($1 AS BIGINT[])))

-- condition: the complement of in
SELECT count(*) AS count_1
FROM shelfs
WHERE shelfs.width IS NULL OR NOT (shelfs.width = ANY (CAST($1 AS BIGINT[])))

-- condition: in constants
SELECT count(*) AS count_1
FROM shelfs
WHERE shelfs.colour IN ('red', 'green')

-- condition: a constant
SELECT count(*) AS count_1
FROM shelfs
WHERE shelfs.price >= '1.50'

-- condition: the caller
SELECT count(*) AS count_1
FROM shelfs
WHERE shelfs.keeper = $1

-- condition: null
SELECT count(*) AS count_1
FROM shelfs
WHERE shelfs.width IS NULL

-- condition: not null
SELECT count(*) AS count_1
FROM shelfs
WHERE shelfs.width IS NOT NULL

-- condition: contains
SELECT count(*) AS count_1
FROM shelfs
WHERE strpos(shelfs.label, $1) > 0

-- condition: starts with
SELECT count(*) AS count_1
FROM shelfs
WHERE starts_with(shelfs.label, $1)

-- condition: ends with
SELECT count(*) AS count_1
FROM shelfs
WHERE length(shelfs.label) >= length(CAST($1 AS TEXT)) AND substr(shelfs.label, (length(shelfs.label) - length(CAST($1 AS TEXT))) + 1) = CAST($1 AS TEXT)

-- condition: whatever the case
SELECT count(*) AS count_1
FROM shelfs
WHERE lower(shelfs.label) = $1

-- condition: a path
SELECT count(*) AS count_1
FROM shelfs
WHERE (SELECT (SELECT r2.label
FROM shelfs AS r2
WHERE r2.id = r1.parent_id) AS anon_1
FROM shelfs AS r1
WHERE r1.id = shelfs.parent_id) = $1

-- condition: a member of an object
SELECT count(*) AS count_1
FROM shelfs
WHERE CASE WHEN (jsonb_typeof(shelfs.origin #> '{size}') = 'number') THEN CAST(shelfs.origin #>> '{size}' AS NUMERIC) END >= $1

-- condition: a decimal in an object within
SELECT count(*) AS count_1
FROM shelfs
WHERE CASE WHEN ((shelfs.origin #>> '{maker,paid}') ~ '^-?[0-9]+([.][0-9]+)?$') THEN CAST(shelfs.origin #>> '{maker,paid}' AS NUMERIC) END = ANY (CAST($1 AS NUMERIC(18, 2)[]))

-- condition: the complement of a member
SELECT count(*) AS count_1
FROM shelfs
WHERE coalesce((SELECT (r1.origin #>> '{town}') COLLATE "C" AS anon_1
FROM shelfs AS r1
WHERE r1.id = shelfs.parent_id) = $1, false) IS false

-- condition: all of several
SELECT count(*) AS count_1
FROM shelfs
WHERE shelfs.width = $1 AND shelfs.colour IS NOT NULL

-- condition: one of several
SELECT count(*) AS count_1
FROM shelfs
WHERE shelfs.width = $1 OR shelfs.fixed = $2 AND shelfs.width < $3

-- condition: nothing
SELECT count(*) AS count_1
FROM shelfs
WHERE false

-- condition: everything but
SELECT count(*) AS count_1
FROM shelfs
WHERE coalesce(true, false) IS false

-- condition: some items
SELECT count(*) AS count_1
FROM shelfs
WHERE EXISTS (SELECT 1
FROM books AS r1
WHERE r1.title = $1 AND r1.shelf_id = shelfs.id)

-- condition: every row that refers to it
SELECT count(*) AS count_1
FROM shelfs
WHERE NOT (EXISTS (SELECT 1
FROM shelfs AS r1
WHERE r1.width IS DISTINCT FROM $1 AND r1.parent_id = shelfs.id))

-- condition: no linked row
SELECT count(*) AS count_1
FROM shelfs
WHERE NOT (EXISTS (SELECT 1
FROM shelf_tags AS r2, tags AS r1
WHERE r2.shelf_id = shelfs.id AND r2.tag_id = r1.id))

-- condition: the row that it refers to
SELECT count(*) AS count_1
FROM shelfs
WHERE EXISTS (SELECT 1
FROM shelfs AS r1
WHERE r1.width = $1 AND r1.id = shelfs.parent_id)

-- condition: a relation of a relation
SELECT count(*) AS count_1
FROM shelfs
WHERE EXISTS (SELECT 1
FROM shelf_tags AS r4, tags AS r1
WHERE (EXISTS (SELECT 1
FROM shelfs AS r2, shelf_tags AS r3
WHERE r2.width = $1 AND r3.tag_id = r1.id AND r3.shelf_id = r2.id)) AND r4.shelf_id = shelfs.id AND r4.tag_id = r1.id)

-- condition: under a row
SELECT count(*) AS count_1
FROM shelfs
WHERE shelfs.parent_id = $1

-- condition: under a linked row
SELECT count(*) AS count_1
FROM shelfs
WHERE shelfs.id IN (SELECT r1.shelf_id
FROM shelf_tags AS r1
WHERE r1.tag_id = $1)
