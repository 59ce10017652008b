-- labels.browse
-- page
SELECT labels.id, labels.team, labels.name, labels.color, (SELECT count(*) AS count_1 FROM labels WHERE labels.team = $1 AND labels.deleted_at IS NULL) AS anon_1 FROM labels WHERE labels.team = $1 AND labels.deleted_at IS NULL ORDER BY labels.id ASC LIMIT $2 OFFSET $3;
-- count, for a page without rows
SELECT count(*) AS count_1 FROM labels WHERE labels.team = $1 AND labels.deleted_at IS NULL;

-- labels.delete
-- row
SELECT labels.id, labels.team, labels.name, labels.color, labels.deleted_at FROM labels WHERE labels.id = $1 AND labels.team = $2 AND labels.deleted_at IS NULL FOR NO KEY UPDATE OF labels;
-- lock
SELECT labels.id FROM labels WHERE labels.id = ANY (CAST($1 AS UUID[])) AND labels.team = $2 AND labels.deleted_at IS NULL FOR UPDATE OF labels;
-- set Task.label_id to null
UPDATE tasks SET label_id=NULL, version=(tasks.version + 1) WHERE tasks.label_id = ANY (CAST($1 AS UUID[])) AND tasks.deleted_at IS NULL AND NOT (tasks.id = ANY (CAST($2 AS UUID[])));
-- Step.label_id
SELECT steps.id FROM steps WHERE steps.label_id = ANY (CAST($1 AS UUID[])) AND (EXISTS (SELECT 1 FROM tasks AS r1 WHERE r1.id = steps.task_id AND r1.deleted_at IS NULL));
-- mark as deleted
UPDATE labels SET deleted_at=$1 WHERE labels.id = ANY (CAST($2 AS UUID[])) AND labels.team = $3 AND labels.deleted_at IS NULL;

-- tasks.browse
-- page
SELECT tasks.id, tasks.team, tasks.title, tasks.secret, tasks.state, tasks.since, tasks.due, tasks.urgency, tasks.spot, tasks.parent_id, tasks.label_id, tasks.version, (SELECT count(*) AS count_1 FROM steps AS r1 WHERE r1.task_id = tasks.id) AS anon_1, EXISTS (SELECT 1 FROM labels AS r2, task_labels AS r3 WHERE r2.team = $1 AND r2.deleted_at IS NULL AND r2.color = 'red' AND r3.task_id = tasks.id AND r3.label_id = r2.id) AS anon_2, (SELECT r4.due FROM tasks AS r4 WHERE r4.team = $1 AND r4.deleted_at IS NULL AND r4.parent_id = tasks.id ORDER BY r4.due DESC NULLS LAST, r4.id DESC LIMIT 1 OFFSET 0) AS anon_3, tasks.id AS id__1, CASE tasks.urgency WHEN 'low' THEN 0 WHEN 'mid' THEN 1 WHEN 'high' THEN 2 END AS anon_4, (SELECT count(*) AS count_2 FROM tasks WHERE tasks.team = $1 AND tasks.deleted_at IS NULL) AS anon_5 FROM tasks WHERE tasks.team = $1 AND tasks.deleted_at IS NULL ORDER BY CASE tasks.urgency WHEN 'low' THEN 0 WHEN 'mid' THEN 1 WHEN 'high' THEN 2 END DESC, tasks.id DESC LIMIT $2 OFFSET $3;
-- count, for a page without rows
SELECT count(*) AS count_1 FROM tasks WHERE tasks.team = $1 AND tasks.deleted_at IS NULL;
-- page, of a search for one word
SELECT tasks.id, tasks.team, tasks.title, tasks.secret, tasks.state, tasks.since, tasks.due, tasks.urgency, tasks.spot, tasks.parent_id, tasks.label_id, tasks.version, (SELECT count(*) AS count_1 FROM steps AS r1 WHERE r1.task_id = tasks.id) AS anon_1, EXISTS (SELECT 1 FROM labels AS r2, task_labels AS r3 WHERE r2.team = $1 AND r2.deleted_at IS NULL AND r2.color = 'red' AND r3.task_id = tasks.id AND r3.label_id = r2.id) AS anon_2, (SELECT r4.due FROM tasks AS r4 WHERE r4.team = $1 AND r4.deleted_at IS NULL AND r4.parent_id = tasks.id ORDER BY r4.due DESC NULLS LAST, r4.id DESC LIMIT 1 OFFSET 0) AS anon_3, tasks.id AS id__1, CASE WHEN (tasks._words @@ CAST($2 AS TSQUERY)) THEN 0 WHEN (tasks._words @@ CAST($3 AS TSQUERY)) THEN 1 WHEN (tasks._words @@ CAST($4 AS TSQUERY)) THEN 2 ELSE 3 END AS "search.rank", (SELECT count(*) AS count_2 FROM tasks WHERE tasks.team = $1 AND tasks.deleted_at IS NULL AND (tasks._words @@ CAST($5 AS TSQUERY))) AS anon_4 FROM tasks WHERE tasks.team = $1 AND tasks.deleted_at IS NULL AND (tasks._words @@ CAST($5 AS TSQUERY)) ORDER BY "search.rank" ASC, tasks.id ASC LIMIT $6 OFFSET $7;
-- steps
SELECT steps.id, steps.text, steps.label_id, steps.task_id FROM steps WHERE steps.task_id = ANY (CAST($1 AS UUID[])) AND (EXISTS (SELECT 1 FROM tasks AS r1 WHERE r1.id = steps.task_id AND r1.team = $2 AND r1.deleted_at IS NULL)) ORDER BY steps.task_id, steps.position LIMIT $3 OFFSET 0;
-- spot.town, as it is compared
((tasks.spot #>> '{town}') COLLATE "C");
-- spot.open_at, as it is compared
(rtrim(tasks.spot #>> '{openAt}', 'Z') COLLATE "C");
-- spot.price, as it is compared
CASE WHEN ((tasks.spot #>> '{price}') ~ '^-?[0-9]+([.][0-9]+)?$') THEN CAST(tasks.spot #>> '{price}' AS NUMERIC) END;
-- spot.needed, as it is compared
CASE WHEN (jsonb_typeof(tasks.spot #> '{needed}') = 'boolean') THEN CAST(tasks.spot #>> '{needed}' AS BOOLEAN) END;
-- spot.room.name, as it is compared
((tasks.spot #>> '{room,name}') COLLATE "C");
-- spot.room.floor, as it is compared
CASE WHEN (jsonb_typeof(tasks.spot #> '{room,floor}') = 'number') THEN CAST(tasks.spot #>> '{room,floor}' AS NUMERIC) END;

-- tasks.read
-- row
SELECT tasks.id, tasks.team, tasks.title, tasks.secret, tasks.state, tasks.since, tasks.due, tasks.urgency, tasks.spot, tasks.parent_id, tasks.label_id, tasks.version, (SELECT count(*) AS count_1 FROM steps AS r1 WHERE r1.task_id = tasks.id) AS anon_1, EXISTS (SELECT 1 FROM labels AS r2, task_labels AS r3 WHERE r2.team = $1 AND r2.deleted_at IS NULL AND r2.color = 'red' AND r3.task_id = tasks.id AND r3.label_id = r2.id) AS anon_2, (SELECT r4.due FROM tasks AS r4 WHERE r4.team = $1 AND r4.deleted_at IS NULL AND r4.parent_id = tasks.id ORDER BY r4.due DESC NULLS LAST, r4.id DESC LIMIT 1 OFFSET 0) AS anon_3, tasks.id AS id__1 FROM tasks WHERE tasks.id = $2 AND tasks.team = $1 AND tasks.deleted_at IS NULL;
-- steps
SELECT steps.id, steps.text, steps.label_id, steps.task_id FROM steps WHERE steps.task_id = ANY (CAST($1 AS UUID[])) AND (EXISTS (SELECT 1 FROM tasks AS r1 WHERE r1.id = steps.task_id AND r1.team = $2 AND r1.deleted_at IS NULL)) ORDER BY steps.task_id, steps.position LIMIT $3 OFFSET 0;

-- tasks.create
-- insert
INSERT INTO tasks (id, team, title, secret, state, since, due, urgency, spot, parent_id, label_id, version) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) RETURNING tasks.id, tasks.team, tasks.title, tasks.secret, tasks.state, tasks.since, tasks.due, tasks.urgency, tasks.spot, tasks.parent_id, tasks.label_id, tasks.version, tasks.deleted_at;
-- steps
SELECT steps.id, steps.task_id, steps.text, steps.label_id, steps.task_id AS task_id__1 FROM steps WHERE steps.task_id = ANY (CAST($1 AS UUID[])) AND (EXISTS (SELECT 1 FROM tasks AS r1 WHERE r1.id = steps.task_id AND r1.team = $2 AND r1.deleted_at IS NULL)) ORDER BY steps.task_id, steps.position LIMIT $3 OFFSET 0;
-- answer, with what is computed
SELECT tasks.id, tasks.team, tasks.title, tasks.secret, tasks.state, tasks.since, tasks.due, tasks.urgency, tasks.spot, tasks.parent_id, tasks.label_id, tasks.version, (SELECT count(*) AS count_1 FROM steps AS r1 WHERE r1.task_id = tasks.id) AS anon_1, EXISTS (SELECT 1 FROM labels AS r2, task_labels AS r3 WHERE r2.team = $1 AND r2.deleted_at IS NULL AND r2.color = 'red' AND r3.task_id = tasks.id AND r3.label_id = r2.id) AS anon_2, (SELECT r4.due FROM tasks AS r4 WHERE r4.team = $1 AND r4.deleted_at IS NULL AND r4.parent_id = tasks.id ORDER BY r4.due DESC NULLS LAST, r4.id DESC LIMIT 1 OFFSET 0) AS anon_3, tasks.id AS id__1 FROM tasks WHERE tasks.id = $2 AND tasks.team = $1 AND tasks.deleted_at IS NULL;

-- tasks.update
-- what the policy looks at, before the row is locked
SELECT tasks.id, (SELECT r1.state FROM tasks AS r1 WHERE r1.id = tasks.parent_id AND r1.team = $1 AND r1.deleted_at IS NULL) AS anon_1, tasks.urgency FROM tasks WHERE tasks.id = $2 AND tasks.team = $1 AND tasks.deleted_at IS NULL;
-- row
SELECT tasks.id, tasks.team, tasks.title, tasks.secret, tasks.state, tasks.since, tasks.due, tasks.urgency, tasks.spot, tasks.parent_id, tasks.label_id, tasks.version, tasks.deleted_at, (SELECT r1.state FROM tasks AS r1 WHERE r1.id = tasks.parent_id AND r1.team = $1 AND r1.deleted_at IS NULL) AS anon_1, tasks.urgency AS urgency__1, tasks.id AS id__1 FROM tasks WHERE tasks.id = $2 AND tasks.team = $1 AND tasks.deleted_at IS NULL FOR NO KEY UPDATE OF tasks;
-- update, of what is sent
UPDATE tasks SET title=$1, secret=$2, since=$3, due=$4, urgency=$5, spot=$6, parent_id=$7, label_id=$8, version=(tasks.version + 1) WHERE tasks.team = $9 AND tasks.deleted_at IS NULL AND tasks.id = $10 RETURNING tasks.id, tasks.team, tasks.title, tasks.secret, tasks.state, tasks.since, tasks.due, tasks.urgency, tasks.spot, tasks.parent_id, tasks.label_id, tasks.version, tasks.deleted_at;
-- steps
SELECT steps.id, steps.task_id, steps.text, steps.label_id, steps.task_id AS task_id__1 FROM steps WHERE steps.task_id = ANY (CAST($1 AS UUID[])) AND (EXISTS (SELECT 1 FROM tasks AS r1 WHERE r1.id = steps.task_id AND r1.team = $2 AND r1.deleted_at IS NULL)) ORDER BY steps.task_id, steps.position LIMIT $3 OFFSET 0;
-- answer, with what is computed
SELECT tasks.id, tasks.team, tasks.title, tasks.secret, tasks.state, tasks.since, tasks.due, tasks.urgency, tasks.spot, tasks.parent_id, tasks.label_id, tasks.version, (SELECT count(*) AS count_1 FROM steps AS r1 WHERE r1.task_id = tasks.id) AS anon_1, EXISTS (SELECT 1 FROM labels AS r2, task_labels AS r3 WHERE r2.team = $1 AND r2.deleted_at IS NULL AND r2.color = 'red' AND r3.task_id = tasks.id AND r3.label_id = r2.id) AS anon_2, (SELECT r4.due FROM tasks AS r4 WHERE r4.team = $1 AND r4.deleted_at IS NULL AND r4.parent_id = tasks.id ORDER BY r4.due DESC NULLS LAST, r4.id DESC LIMIT 1 OFFSET 0) AS anon_3, tasks.id AS id__1 FROM tasks WHERE tasks.id = $2 AND tasks.team = $1 AND tasks.deleted_at IS NULL;

-- tasks.delete
-- row
SELECT tasks.id, tasks.team, tasks.title, tasks.secret, tasks.state, tasks.since, tasks.due, tasks.urgency, tasks.spot, tasks.parent_id, tasks.label_id, tasks.version, tasks.deleted_at, tasks.id AS id__1 FROM tasks WHERE tasks.id = $1 AND tasks.team = $2 AND tasks.deleted_at IS NULL FOR NO KEY UPDATE OF tasks;
-- lock
SELECT tasks.id FROM tasks WHERE tasks.id = ANY (CAST($1 AS UUID[])) AND tasks.team = $2 AND tasks.deleted_at IS NULL FOR UPDATE OF tasks;
-- Task.parent_id
SELECT tasks.id FROM tasks WHERE tasks.parent_id = ANY (CAST($1 AS UUID[])) AND tasks.deleted_at IS NULL;
-- Step.task_id
SELECT steps.id FROM steps WHERE steps.task_id = ANY (CAST($1 AS UUID[]));
-- mark as deleted
UPDATE tasks SET version=(tasks.version + 1), deleted_at=$1 WHERE tasks.id = ANY (CAST($2 AS UUID[])) AND tasks.team = $3 AND tasks.deleted_at IS NULL;
-- steps
SELECT steps.id, steps.task_id, steps.text, steps.label_id, steps.task_id AS task_id__1 FROM steps WHERE steps.task_id = ANY (CAST($1 AS UUID[])) AND (EXISTS (SELECT 1 FROM tasks AS r1 WHERE r1.id = steps.task_id AND r1.team = $2 AND r1.deleted_at IS NULL)) ORDER BY steps.task_id, steps.position LIMIT $3 OFFSET 0;

-- tasks.restore
-- row
SELECT tasks.id, tasks.team, tasks.title, tasks.secret, tasks.state, tasks.since, tasks.due, tasks.urgency, tasks.spot, tasks.parent_id, tasks.label_id, tasks.version, tasks.deleted_at, tasks.id AS id__1 FROM tasks WHERE tasks.id = $1 AND tasks.team = $2 FOR NO KEY UPDATE OF tasks;
-- deleted row
SELECT tasks.deleted_at, tasks.parent_id, tasks.label_id FROM tasks WHERE tasks.id = $1 AND tasks.team = $2 FOR UPDATE OF tasks;
-- restore
UPDATE tasks SET version=(tasks.version + 1), deleted_at=NULL WHERE tasks.id = $1;
-- steps
SELECT steps.id, steps.task_id, steps.text, steps.label_id, steps.task_id AS task_id__1 FROM steps WHERE steps.task_id = ANY (CAST($1 AS UUID[])) AND (EXISTS (SELECT 1 FROM tasks AS r1 WHERE r1.id = steps.task_id AND r1.team = $2 AND r1.deleted_at IS NULL)) ORDER BY steps.task_id, steps.position LIMIT $3 OFFSET 0;
-- answer, with what is computed
SELECT tasks.id, tasks.team, tasks.title, tasks.secret, tasks.state, tasks.since, tasks.due, tasks.urgency, tasks.spot, tasks.parent_id, tasks.label_id, tasks.version, (SELECT count(*) AS count_1 FROM steps AS r1 WHERE r1.task_id = tasks.id) AS anon_1, EXISTS (SELECT 1 FROM labels AS r2, task_labels AS r3 WHERE r2.team = $1 AND r2.deleted_at IS NULL AND r2.color = 'red' AND r3.task_id = tasks.id AND r3.label_id = r2.id) AS anon_2, (SELECT r4.due FROM tasks AS r4 WHERE r4.team = $1 AND r4.deleted_at IS NULL AND r4.parent_id = tasks.id ORDER BY r4.due DESC NULLS LAST, r4.id DESC LIMIT 1 OFFSET 0) AS anon_3, tasks.id AS id__1 FROM tasks WHERE tasks.id = $2 AND tasks.team = $1 AND tasks.deleted_at IS NULL;

-- tasks.finish
-- what the policy looks at, before the row is locked
SELECT tasks.id, tasks.team, tasks.title, NOT (EXISTS (SELECT 1 FROM labels AS r1, task_labels AS r3 WHERE r1.team = $1 AND r1.deleted_at IS NULL AND (r1.color = 'red' OR r1.name = tasks.title) AND r3.task_id = (SELECT r2.id FROM tasks AS r2 WHERE r2.id = tasks.parent_id AND r2.team = $1 AND r2.deleted_at IS NULL) AND r3.label_id = r1.id)) AS anon_1, EXISTS (SELECT 1 FROM steps AS r4 WHERE r4.label_id = tasks.label_id AND r4.task_id = tasks.id) AS anon_2 FROM tasks WHERE tasks.id = $2 AND tasks.team = $1 AND tasks.deleted_at IS NULL;
-- row
SELECT tasks.id, tasks.team, tasks.title, tasks.secret, tasks.state, tasks.since, tasks.due, tasks.urgency, tasks.spot, tasks.parent_id, tasks.label_id, tasks.version, tasks.deleted_at, tasks.team AS team__1, tasks.title AS title__1, NOT (EXISTS (SELECT 1 FROM labels AS r1, task_labels AS r3 WHERE r1.team = $1 AND r1.deleted_at IS NULL AND (r1.color = 'red' OR r1.name = tasks.title) AND r3.task_id = (SELECT r2.id FROM tasks AS r2 WHERE r2.id = tasks.parent_id AND r2.team = $1 AND r2.deleted_at IS NULL) AND r3.label_id = r1.id)) AS anon_1, EXISTS (SELECT 1 FROM steps AS r4 WHERE r4.label_id = tasks.label_id AND r4.task_id = tasks.id) AS anon_2, tasks.id AS id__1 FROM tasks WHERE tasks.id = $2 AND tasks.team = $1 AND tasks.deleted_at IS NULL FOR NO KEY UPDATE OF tasks;
-- guarded update
UPDATE tasks SET state=$1, version=(tasks.version + 1) WHERE tasks.team = $2 AND tasks.deleted_at IS NULL AND tasks.id = $3 AND tasks.state IN ('open') RETURNING tasks.id, tasks.team, tasks.title, tasks.secret, tasks.state, tasks.since, tasks.due, tasks.urgency, tasks.spot, tasks.parent_id, tasks.label_id, tasks.version, tasks.deleted_at;
-- steps
SELECT steps.id, steps.task_id, steps.text, steps.label_id, steps.task_id AS task_id__1 FROM steps WHERE steps.task_id = ANY (CAST($1 AS UUID[])) AND (EXISTS (SELECT 1 FROM tasks AS r1 WHERE r1.id = steps.task_id AND r1.team = $2 AND r1.deleted_at IS NULL)) ORDER BY steps.task_id, steps.position LIMIT $3 OFFSET 0;
-- answer, with what is computed
SELECT tasks.id, tasks.team, tasks.title, tasks.secret, tasks.state, tasks.since, tasks.due, tasks.urgency, tasks.spot, tasks.parent_id, tasks.label_id, tasks.version, (SELECT count(*) AS count_1 FROM steps AS r1 WHERE r1.task_id = tasks.id) AS anon_1, EXISTS (SELECT 1 FROM labels AS r2, task_labels AS r3 WHERE r2.team = $1 AND r2.deleted_at IS NULL AND r2.color = 'red' AND r3.task_id = tasks.id AND r3.label_id = r2.id) AS anon_2, (SELECT r4.due FROM tasks AS r4 WHERE r4.team = $1 AND r4.deleted_at IS NULL AND r4.parent_id = tasks.id ORDER BY r4.due DESC NULLS LAST, r4.id DESC LIMIT 1 OFFSET 0) AS anon_3, tasks.id AS id__1 FROM tasks WHERE tasks.id = $2 AND tasks.team = $1 AND tasks.deleted_at IS NULL;
