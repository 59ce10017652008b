-- a row by its key
SELECT shelfs.label, (SELECT r1.keeper
FROM shelfs AS r1
WHERE r1.id = shelfs.parent_id) AS anon_1
FROM shelfs
WHERE shelfs.id = ?

-- a row by its key, locked
SELECT shelfs.label
FROM shelfs
WHERE shelfs.id = ?

-- rows by their keys
SELECT shelfs.label, shelfs.id
FROM shelfs
WHERE shelfs.id IN (SELECT anon_1.value
FROM temp.json_each(?) AS anon_1)

-- a page
SELECT shelfs.label, shelfs.width, shelfs.id
FROM shelfs
WHERE shelfs.width > ? ORDER BY shelfs.width DESC NULLS FIRST, shelfs.label ASC, shelfs.id ASC
 LIMIT ? OFFSET ?

-- a page with its count
SELECT shelfs.label, shelfs.width, shelfs.id, (SELECT count(*) AS count_1
FROM shelfs
WHERE shelfs.width > ?) AS anon_1
FROM shelfs
WHERE shelfs.width > ? ORDER BY shelfs.width DESC NULLS FIRST, shelfs.label ASC, shelfs.id ASC
 LIMIT ? OFFSET ?

-- a count
SELECT count(*) AS count_1
FROM shelfs
WHERE shelfs.width > ?

-- behind a position of one direction
SELECT shelfs.label, shelfs.width, shelfs.id
FROM shelfs
WHERE shelfs.width > ? AND (shelfs.label, shelfs.id) > (?, ?) ORDER BY shelfs.label ASC, shelfs.id ASC
 LIMIT ? OFFSET ?

-- behind a position of two
SELECT rest.c0, rest.c1, rest.c2
FROM (SELECT part0.c0 AS c0, part0.c1 AS c1, part0.c2 AS c2, part0.c3 AS c3, part0.c4 AS c4, part0.c5 AS c5
FROM (SELECT shelfs.label AS c0, shelfs.width AS c1, shelfs.id AS c2, shelfs.width AS c3, shelfs.label AS c4, shelfs.id AS c5
FROM shelfs
WHERE shelfs.width > ? AND shelfs.width = ? AND shelfs.label = ? AND shelfs.id > ? ORDER BY shelfs.id ASC
 LIMIT CAST(? AS BIGINT) + ? OFFSET 0) AS part0 UNION ALL SELECT part1.c0 AS c0, part1.c1 AS c1, part1.c2 AS c2, part1.c3 AS c3, part1.c4 AS c4, part1.c5 AS c5
FROM (SELECT shelfs.label AS c0, shelfs.width AS c1, shelfs.id AS c2, shelfs.width AS c3, shelfs.label AS c4, shelfs.id AS c5
FROM shelfs
WHERE shelfs.width > ? AND shelfs.width = ? AND shelfs.label > ? ORDER BY shelfs.label ASC, shelfs.id ASC
 LIMIT CAST(? AS BIGINT) + ? OFFSET 0) AS part1 UNION ALL SELECT part2.c0 AS c0, part2.c1 AS c1, part2.c2 AS c2, part2.c3 AS c3, part2.c4 AS c4, part2.c5 AS c5
FROM (SELECT shelfs.label AS c0, shelfs.width AS c1, shelfs.id AS c2, shelfs.width AS c3, shelfs.label AS c4, shelfs.id AS c5
FROM shelfs
WHERE shelfs.width > ? AND shelfs.width < ? ORDER BY shelfs.width DESC, shelfs.label ASC, shelfs.id ASC
 LIMIT CAST(? AS BIGINT) + ? OFFSET 0) AS part2) AS rest ORDER BY rest.c3 DESC NULLS FIRST, rest.c4 ASC, rest.c5 ASC
 LIMIT ? OFFSET ?

-- behind a null
SELECT rest.c0, rest.c1, rest.c2
FROM (SELECT part0.c0 AS c0, part0.c1 AS c1, part0.c2 AS c2, part0.c3 AS c3, part0.c4 AS c4, part0.c5 AS c5
FROM (SELECT shelfs.label AS c0, shelfs.width AS c1, shelfs.id AS c2, shelfs.width AS c3, shelfs.label AS c4, shelfs.id AS c5
FROM shelfs
WHERE shelfs.width > ? AND shelfs.width IS NULL AND shelfs.label = ? AND shelfs.id > ? ORDER BY shelfs.id ASC
 LIMIT CAST(? AS BIGINT) + ? OFFSET 0) AS part0 UNION ALL SELECT part1.c0 AS c0, part1.c1 AS c1, part1.c2 AS c2, part1.c3 AS c3, part1.c4 AS c4, part1.c5 AS c5
FROM (SELECT shelfs.label AS c0, shelfs.width AS c1, shelfs.id AS c2, shelfs.width AS c3, shelfs.label AS c4, shelfs.id AS c5
FROM shelfs
WHERE shelfs.width > ? AND shelfs.width IS NULL AND shelfs.label > ? ORDER BY shelfs.label ASC, shelfs.id ASC
 LIMIT CAST(? AS BIGINT) + ? OFFSET 0) AS part1 UNION ALL SELECT part2.c0 AS c0, part2.c1 AS c1, part2.c2 AS c2, part2.c3 AS c3, part2.c4 AS c4, part2.c5 AS c5
FROM (SELECT shelfs.label AS c0, shelfs.width AS c1, shelfs.id AS c2, shelfs.width AS c3, shelfs.label AS c4, shelfs.id AS c5
FROM shelfs
WHERE shelfs.width > ? AND shelfs.width IS NOT NULL ORDER BY shelfs.width DESC, shelfs.label ASC, shelfs.id ASC
 LIMIT CAST(? AS BIGINT) + ? OFFSET 0) AS part2) AS rest ORDER BY rest.c3 DESC NULLS FIRST, rest.c4 ASC, rest.c5 ASC
 LIMIT ? OFFSET ?

-- behind a position in the order of an enum
SELECT rest.c0, rest.c1, rest.c2, rest.c3
FROM (SELECT part0.c0 AS c0, part0.c1 AS c1, part0.c2 AS c2, part0.c3 AS c3, part0.c4 AS c4, part0.c5 AS c5
FROM (SELECT shelfs.label AS c0, shelfs.width AS c1, CASE shelfs.colour WHEN 'red' THEN 0 WHEN 'green' THEN 1 END AS c2, shelfs.id AS c3, CASE shelfs.colour WHEN 'red' THEN 0 WHEN 'green' THEN 1 END AS c4, shelfs.id AS c5
FROM shelfs
WHERE shelfs.width > ? AND CASE shelfs.colour WHEN 'red' THEN 0 WHEN 'green' THEN 1 END = ? AND shelfs.id > ? ORDER BY shelfs.id ASC
 LIMIT CAST(? AS BIGINT) + ? OFFSET 0) AS part0 UNION ALL SELECT part1.c0 AS c0, part1.c1 AS c1, part1.c2 AS c2, part1.c3 AS c3, part1.c4 AS c4, part1.c5 AS c5
FROM (SELECT shelfs.label AS c0, shelfs.width AS c1, CASE shelfs.colour WHEN 'red' THEN 0 WHEN 'green' THEN 1 END AS c2, shelfs.id AS c3, CASE shelfs.colour WHEN 'red' THEN 0 WHEN 'green' THEN 1 END AS c4, shelfs.id AS c5
FROM shelfs
WHERE shelfs.width > ? AND CASE shelfs.colour WHEN 'red' THEN 0 WHEN 'green' THEN 1 END > ? ORDER BY CASE shelfs.colour WHEN 'red' THEN 0 WHEN 'green' THEN 1 END ASC, shelfs.id ASC
 LIMIT CAST(? AS BIGINT) + ? OFFSET 0) AS part1 UNION ALL SELECT part2.c0 AS c0, part2.c1 AS c1, part2.c2 AS c2, part2.c3 AS c3, part2.c4 AS c4, part2.c5 AS c5
FROM (SELECT shelfs.label AS c0, shelfs.width AS c1, CASE shelfs.colour WHEN 'red' THEN 0 WHEN 'green' THEN 1 END AS c2, shelfs.id AS c3, CASE shelfs.colour WHEN 'red' THEN 0 WHEN 'green' THEN 1 END AS c4, shelfs.id AS c5
FROM shelfs
WHERE shelfs.width > ? AND CASE shelfs.colour WHEN 'red' THEN 0 WHEN 'green' THEN 1 END IS NULL ORDER BY CASE shelfs.colour WHEN 'red' THEN 0 WHEN 'green' THEN 1 END ASC, shelfs.id ASC
 LIMIT CAST(? AS BIGINT) + ? OFFSET 0) AS part2) AS rest ORDER BY rest.c4 ASC NULLS LAST, rest.c5 ASC
 LIMIT ? OFFSET ?

-- by the value of another row
SELECT shelfs.label, shelfs.width, (SELECT r1.label
FROM shelfs AS r1
WHERE r1.id = shelfs.parent_id) AS anon_1, shelfs.id
FROM shelfs
WHERE shelfs.width > ? ORDER BY (SELECT r1.label
FROM shelfs AS r1
WHERE r1.id = shelfs.parent_id) ASC NULLS FIRST, shelfs.id ASC
 LIMIT ? OFFSET ?

-- distinct rows
SELECT shelfs.label, shelfs.width, shelfs.id
FROM shelfs
WHERE shelfs.id IN (SELECT ranked.c0
FROM (SELECT r1.id AS c0, row_number() OVER (PARTITION BY r1.colour ORDER BY r1.width DESC NULLS FIRST, r1.label ASC, r1.id ASC) AS c1
FROM shelfs AS r1
WHERE r1.width > ?) AS ranked
WHERE ranked.c1 = 1) ORDER BY shelfs.width DESC NULLS FIRST, shelfs.label ASC, shelfs.id ASC
 LIMIT ? OFFSET ?

-- the place of a row
SELECT shelfs.width, shelfs.label, shelfs.id
FROM shelfs
WHERE shelfs.id = ?

-- relation: what a row refers to
SELECT shelfs.label, shelfs.id
FROM shelfs
WHERE shelfs.id IN (SELECT anon_1.value
FROM temp.json_each(?) AS anon_1)
 LIMIT ? OFFSET 0

-- relation: items in their order
SELECT books.title, books.shelf_id
FROM books
WHERE books.shelf_id IN (SELECT anon_1.value
FROM temp.json_each(?) AS anon_1) ORDER BY books.shelf_id, books.position
 LIMIT ? OFFSET 0

-- relation: rows that refer to it
SELECT shelfs.label, shelfs.parent_id
FROM shelfs
WHERE shelfs.parent_id IN (SELECT anon_1.value
FROM temp.json_each(?) AS anon_1) ORDER BY shelfs.parent_id, shelfs.width DESC NULLS FIRST, shelfs.id DESC
 LIMIT ? OFFSET 0

-- relation: the first of them
SELECT ranked.c0, ranked.c1
FROM (SELECT shelfs.label AS c0, shelfs.parent_id AS c1, row_number() OVER (PARTITION BY shelfs.parent_id ORDER BY shelfs.width DESC NULLS FIRST, shelfs.id DESC) AS rank
FROM shelfs
WHERE shelfs.parent_id IN (SELECT anon_1.value
FROM temp.json_each(?) AS anon_1)) AS ranked
WHERE ranked.rank <= 3 ORDER BY ranked.c1, ranked.rank
 LIMIT ? OFFSET 0

-- relation: a part of them
SELECT ranked.c0, ranked.c1
FROM (SELECT shelfs.label AS c0, shelfs.parent_id AS c1, row_number() OVER (PARTITION BY shelfs.parent_id ORDER BY shelfs.width DESC NULLS FIRST, shelfs.id DESC) AS rank
FROM shelfs
WHERE shelfs.parent_id IN (SELECT anon_1.value
FROM temp.json_each(?) AS anon_1)) AS ranked
WHERE ranked.rank > ? AND ranked.rank <= CAST(? AS BIGINT) + ? + 1 ORDER BY ranked.c1, ranked.rank
 LIMIT ? OFFSET 0

-- relation: linked rows
SELECT ranked.c0, ranked.c1
FROM (SELECT shelfs.label AS c0, shelf_tags.tag_id AS c1, row_number() OVER (PARTITION BY shelf_tags.tag_id ORDER BY shelfs.width DESC NULLS FIRST, shelfs.id DESC) AS rank
FROM shelfs JOIN shelf_tags ON shelfs.id = shelf_tags.shelf_id
WHERE shelf_tags.tag_id IN (SELECT anon_1.value
FROM temp.json_each(?) AS anon_1)) AS ranked
WHERE ranked.rank <= 6 ORDER BY ranked.c1, ranked.rank
 LIMIT ? OFFSET 0

-- groups
SELECT shelfs.colour, count(*) AS count_1, sum(shelfs.width >> 32) AS sum_1, sum(shelfs.width & 4294967295) AS sum_2, sum(shelfs.price >> 32) AS sum_3, sum(shelfs.price & 4294967295) AS sum_4, count(shelfs.price) AS count_2
FROM shelfs
WHERE shelfs.width = ? GROUP BY shelfs.colour
HAVING count(*) >= ? ORDER BY sum(shelfs.width) DESC NULLS FIRST, CASE shelfs.colour WHEN 'red' THEN 0 WHEN 'green' THEN 1 END ASC NULLS LAST
 LIMIT ? OFFSET 0

-- a new row
INSERT INTO tags (id, word, favourite_id) VALUES (?, ?, ?) RETURNING id, word, favourite_id

-- new rows
INSERT INTO shelfs (id, label, width) VALUES (?, ?, ?), (?, ?, ?) RETURNING label, id

-- new rows but those that exist
INSERT INTO shelfs (id, label, width) VALUES (?, ?, ?), (?, ?, ?) ON CONFLICT DO NOTHING RETURNING id

-- a change
UPDATE shelfs SET label=?, width=(shelfs.width + ?), weight=(shelfs.weight * ? + abs(CASE WHEN (abs(shelfs.weight * ?) >= 9e999) THEN -9223372036854775808 ELSE 0 END)), price=(CASE WHEN (shelfs.price * ? >= 0) THEN (shelfs.price * ? + ?) / ? ELSE (shelfs.price * ? - ?) / ? END + abs(CASE WHEN (abs(CASE WHEN (shelfs.price * ? >= 0) THEN (shelfs.price * ? + ?) / ? ELSE (shelfs.price * ? - ?) / ? END) >= 1000000000000000000) THEN -9223372036854775808 ELSE 0 END)) WHERE shelfs.id = ? RETURNING label, width

-- a change of many
UPDATE shelfs SET label=? WHERE shelfs.width = ?

-- a new row, or a change
INSERT INTO shelfs (id, label, width) VALUES (?, ?, ?) ON CONFLICT (label) DO UPDATE SET width = (shelfs.width + ?) RETURNING id

-- a new row, or none
INSERT INTO shelfs (id, label, width) VALUES (?, ?, ?) ON CONFLICT (label) DO UPDATE SET label = shelfs.label RETURNING id

-- a removal
DELETE FROM shelfs WHERE shelfs.width = ? AND shelfs.colour IS NULL

-- a removal of items
DELETE FROM books WHERE books.shelf_id = ?

-- a pair where there is none
INSERT INTO shelf_tags (shelf_id, tag_id) VALUES (?, ?) ON CONFLICT DO NOTHING

-- the other sides of a row's pairs
SELECT shelf_tags.tag_id
FROM shelf_tags
WHERE shelf_tags.shelf_id = ?

-- a removal of a pair
DELETE FROM shelf_tags WHERE shelf_tags.shelf_id = ? AND shelf_tags.tag_id = ?

-- a removal of all pairs of a row
DELETE FROM shelf_tags WHERE shelf_tags.shelf_id = ?

-- condition: equal
SELECT count(*) AS count_1
FROM shelfs
WHERE shelfs.width = ?

-- condition: not equal, as nulls have it
SELECT count(*) AS count_1
FROM shelfs
WHERE shelfs.width != ?

-- condition: the complement of equal
SELECT count(*) AS count_1
FROM shelfs
WHERE shelfs.width IS NOT ?

-- condition: the complement of a comparison
SELECT count(*) AS count_1
FROM shelfs
WHERE coalesce(shelfs.width > ?, 0) IS 0

-- condition: in
SELECT count(*) AS count_1
FROM shelfs
WHERE shelfs.width IN (SELECT anon_1.value
FROM temp.json_each(?) AS anon_1)

-- condition: not in
SELECT count(*) AS count_1
FROM shelfs
WHERE shelfs.width IS NOT NULL AND (shelfs.width NOT IN (SELECT anon_1.value
FROM temp.json_each(?) AS anon_1))

-- condition: the complement of in
SELECT count(*) AS count_1
FROM shelfs
WHERE shelfs.width IS NULL OR (shelfs.width NOT IN (SELECT anon_1.value
FROM temp.json_each(?) AS anon_1))

-- condition: in constants
SELECT count(*) AS count_1
FROM shelfs
WHERE shelfs.colour IN ('red', 'green')

-- condition: a constant
SELECT count(*) AS count_1
FROM shelfs
WHERE shelfs.price >= 150

-- condition: the caller
SELECT count(*) AS count_1
FROM shelfs
WHERE shelfs.keeper = ?

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
WHERE instr(shelfs.label, ?) > 0

-- condition: starts with
SELECT count(*) AS count_1
FROM shelfs
WHERE substr(shelfs.label, 1, length(?)) = ?

-- condition: ends with
SELECT count(*) AS count_1
FROM shelfs
WHERE length(shelfs.label) >= length(CAST(? AS TEXT)) AND substr(shelfs.label, (length(shelfs.label) - length(CAST(? AS TEXT))) + 1) = CAST(? AS TEXT)

-- condition: whatever the case
SELECT count(*) AS count_1
FROM shelfs
WHERE lower(shelfs.label) = ?

-- condition: a path
SELECT count(*) AS count_1
FROM shelfs
WHERE (SELECT (SELECT r2.label
FROM shelfs AS r2
WHERE r2.id = r1.parent_id) AS anon_1
FROM shelfs AS r1
WHERE r1.id = shelfs.parent_id) = ?

-- condition: a member of an object
SELECT count(*) AS count_1
FROM shelfs
WHERE json_extract(shelfs.origin, '$."size"') >= ?

-- condition: a decimal in an object within
SELECT count(*) AS count_1
FROM shelfs
WHERE CAST(substr(json_extract(shelfs.origin, '$."maker"."paid"'), 1, instr(json_extract(shelfs.origin, '$."maker"."paid"') || '.', '.') - 1) || substr(substr(json_extract(shelfs.origin, '$."maker"."paid"'), instr(json_extract(shelfs.origin, '$."maker"."paid"') || '.', '.') + 1) || '00', 1, 2) AS INTEGER) IN (SELECT anon_1.value
FROM temp.json_each(?) AS anon_1)

-- condition: the complement of a member
SELECT count(*) AS count_1
FROM shelfs
WHERE coalesce((SELECT json_extract(r1.origin, '$."town"') AS json_extract_1
FROM shelfs AS r1
WHERE r1.id = shelfs.parent_id) = ?, 0) IS 0

-- condition: all of several
SELECT count(*) AS count_1
FROM shelfs
WHERE shelfs.width = ? AND shelfs.colour IS NOT NULL

-- condition: one of several
SELECT count(*) AS count_1
FROM shelfs
WHERE shelfs.width = ? OR shelfs.fixed = ? AND shelfs.width < ?

-- condition: nothing
SELECT count(*) AS count_1
FROM shelfs
WHERE 0 = 1

-- condition: everything but
SELECT count(*) AS count_1
FROM shelfs
WHERE coalesce(1 = 1, 0) IS 0

-- condition: some items
SELECT count(*) AS count_1
FROM shelfs
WHERE EXISTS (SELECT 1
FROM books AS r1
WHERE r1.title = ? AND r1.shelf_id = shelfs.id)

-- condition: every row that refers to it
SELECT count(*) AS count_1
FROM shelfs
WHERE NOT (EXISTS (SELECT 1
FROM shelfs AS r1
WHERE r1.width IS NOT ? AND r1.parent_id = shelfs.id))

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
WHERE r1.width = ? AND r1.id = shelfs.parent_id)

-- condition: a relation of a relation
SELECT count(*) AS count_1
FROM shelfs
WHERE EXISTS (SELECT 1
FROM shelf_tags AS r4, tags AS r1
WHERE (EXISTS (SELECT 1
FROM shelfs AS r2, shelf_tags AS r3
WHERE r2.width = ? AND r3.tag_id = r1.id AND r3.shelf_id = r2.id)) AND r4.shelf_id = shelfs.id AND r4.tag_id = r1.id)

-- condition: under a row
SELECT count(*) AS count_1
FROM shelfs
WHERE shelfs.parent_id = ?

-- condition: under a linked row
SELECT count(*) AS count_1
FROM shelfs
WHERE shelfs.id IN (SELECT r1.shelf_id
FROM shelf_tags AS r1
WHERE r1.tag_id = ?)
