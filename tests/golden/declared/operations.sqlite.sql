-- labels.browse
-- page
SELECT labels.id, labels.team, labels.name, labels.color, (SELECT count(*) AS count_1 FROM labels WHERE labels.team = ? AND labels.deleted_at IS NULL) AS anon_1 FROM labels WHERE labels.team = ? AND labels.deleted_at IS NULL ORDER BY labels.id ASC LIMIT ? OFFSET ?;
-- count, for a page without rows
SELECT count(*) AS count_1 FROM labels WHERE labels.team = ? AND labels.deleted_at IS NULL;

-- labels.delete
-- row
SELECT labels.id, labels.team, labels.name, labels.color, labels.deleted_at FROM labels WHERE labels.id = ? AND labels.team = ? AND labels.deleted_at IS NULL;
-- lock
SELECT labels.id FROM labels WHERE labels.id IN (SELECT anon_1.value FROM temp.json_each(?) AS anon_1) AND labels.team = ? AND labels.deleted_at IS NULL;
-- set Task.label_id to null
UPDATE tasks SET label_id=NULL, version=(tasks.version + 1) WHERE tasks.label_id IN (SELECT anon_1.value FROM temp.json_each(?) AS anon_1) AND tasks.deleted_at IS NULL AND (tasks.id NOT IN (SELECT anon_2.value FROM temp.json_each(?) AS anon_2));
-- Step.label_id
SELECT steps.id FROM steps WHERE steps.label_id IN (SELECT anon_1.value FROM temp.json_each(?) AS anon_1) AND (EXISTS (SELECT 1 FROM tasks AS r1 WHERE r1.id = steps.task_id AND r1.deleted_at IS NULL));
-- mark as deleted
UPDATE labels SET deleted_at=? WHERE labels.id IN (SELECT anon_1.value FROM temp.json_each(?) AS anon_1) AND labels.team = ? AND labels.deleted_at IS NULL;

-- tasks.browse
-- page
SELECT tasks.id, tasks.team, tasks.title, tasks.secret, tasks.state, tasks.since, tasks.due, tasks.urgency, tasks.spot, tasks.parent_id, tasks.label_id, tasks.version, (SELECT count(*) AS count_1 FROM steps AS r1 WHERE r1.task_id = tasks.id) AS anon_1, EXISTS (SELECT 1 FROM labels AS r2, task_labels AS r3 WHERE r2.team = ? AND r2.deleted_at IS NULL AND r2.color = 'red' AND r3.task_id = tasks.id AND r3.label_id = r2.id) AS anon_2, (SELECT r4.due FROM tasks AS r4 WHERE r4.team = ? AND r4.deleted_at IS NULL AND r4.parent_id = tasks.id ORDER BY r4.due DESC NULLS LAST, r4.id DESC LIMIT 1 OFFSET 0) AS anon_3, tasks.id AS id__1, CASE tasks.urgency WHEN 'low' THEN 0 WHEN 'mid' THEN 1 WHEN 'high' THEN 2 END AS anon_4, (SELECT count(*) AS count_2 FROM tasks WHERE tasks.team = ? AND tasks.deleted_at IS NULL) AS anon_5 FROM tasks WHERE tasks.team = ? AND tasks.deleted_at IS NULL ORDER BY CASE tasks.urgency WHEN 'low' THEN 0 WHEN 'mid' THEN 1 WHEN 'high' THEN 2 END DESC, tasks.id DESC LIMIT ? OFFSET ?;
-- count, for a page without rows
SELECT count(*) AS count_1 FROM tasks WHERE tasks.team = ? AND tasks.deleted_at IS NULL;
-- page, of a search for one word
SELECT tasks.id, tasks.team, tasks.title, tasks.secret, tasks.state, tasks.since, tasks.due, tasks.urgency, tasks.spot, tasks.parent_id, tasks.label_id, tasks.version, (SELECT count(*) AS count_1 FROM steps AS r1 WHERE r1.task_id = tasks.id) AS anon_1, EXISTS (SELECT 1 FROM labels AS r2, task_labels AS r3 WHERE r2.team = ? AND r2.deleted_at IS NULL AND r2.color = 'red' AND r3.task_id = tasks.id AND r3.label_id = r2.id) AS anon_2, (SELECT r4.due FROM tasks AS r4 WHERE r4.team = ? AND r4.deleted_at IS NULL AND r4.parent_id = tasks.id ORDER BY r4.due DESC NULLS LAST, r4.id DESC LIMIT 1 OFFSET 0) AS anon_3, tasks.id AS id__1, CASE WHEN (tasks.id IN (SELECT sternpost_search_tasks_ids.id FROM sternpost_search_tasks_fts JOIN sternpost_search_tasks_ids ON sternpost_search_tasks_ids.docid = sternpost_search_tasks_fts.rowid WHERE sternpost_search_tasks_fts.sternpost_search_tasks_fts MATCH ?)) THEN 0 WHEN (tasks.id IN (SELECT sternpost_search_tasks_ids.id FROM sternpost_search_tasks_fts JOIN sternpost_search_tasks_ids ON sternpost_search_tasks_ids.docid = sternpost_search_tasks_fts.rowid WHERE sternpost_search_tasks_fts.sternpost_search_tasks_fts MATCH ?)) THEN 1 WHEN (tasks.id IN (SELECT sternpost_search_tasks_ids.id FROM sternpost_search_tasks_fts JOIN sternpost_search_tasks_ids ON sternpost_search_tasks_ids.docid = sternpost_search_tasks_fts.rowid WHERE sternpost_search_tasks_fts.sternpost_search_tasks_fts MATCH ?)) THEN 2 ELSE 3 END AS "search.rank", (SELECT count(*) AS count_2 FROM tasks WHERE tasks.team = ? AND tasks.deleted_at IS NULL AND tasks.id IN (SELECT sternpost_search_tasks_ids.id FROM sternpost_search_tasks_fts JOIN sternpost_search_tasks_ids ON sternpost_search_tasks_ids.docid = sternpost_search_tasks_fts.rowid WHERE sternpost_search_tasks_fts.sternpost_search_tasks_fts MATCH ?)) AS anon_4 FROM tasks WHERE tasks.team = ? AND tasks.deleted_at IS NULL AND tasks.id IN (SELECT sternpost_search_tasks_ids.id FROM sternpost_search_tasks_fts JOIN sternpost_search_tasks_ids ON sternpost_search_tasks_ids.docid = sternpost_search_tasks_fts.rowid WHERE sternpost_search_tasks_fts.sternpost_search_tasks_fts MATCH ?) ORDER BY "search.rank" ASC, tasks.id ASC LIMIT ? OFFSET ?;
-- steps
SELECT steps.id, steps.text, steps.label_id, steps.task_id FROM steps WHERE steps.task_id IN (SELECT anon_1.value FROM temp.json_each(?) AS anon_1) AND (EXISTS (SELECT 1 FROM tasks AS r1 WHERE r1.id = steps.task_id AND r1.team = ? AND r1.deleted_at IS NULL)) ORDER BY steps.task_id, steps.position LIMIT ? OFFSET 0;
-- spot.town, as it is compared
json_extract(tasks.spot, '$."town"');
-- spot.open_at, as it is compared
rtrim(json_extract(tasks.spot, '$."openAt"'), 'Z');
-- spot.price, as it is compared
CAST(substr(json_extract(tasks.spot, '$."price"'), 1, instr(json_extract(tasks.spot, '$."price"') || '.', '.') - 1) || substr(substr(json_extract(tasks.spot, '$."price"'), instr(json_extract(tasks.spot, '$."price"') || '.', '.') + 1) || '00', 1, 2) AS INTEGER);
-- spot.needed, as it is compared
json_extract(tasks.spot, '$."needed"');
-- spot.room.name, as it is compared
json_extract(tasks.spot, '$."room"."name"');
-- spot.room.floor, as it is compared
json_extract(tasks.spot, '$."room"."floor"');

-- tasks.read
-- row
SELECT tasks.id, tasks.team, tasks.title, tasks.secret, tasks.state, tasks.since, tasks.due, tasks.urgency, tasks.spot, tasks.parent_id, tasks.label_id, tasks.version, (SELECT count(*) AS count_1 FROM steps AS r1 WHERE r1.task_id = tasks.id) AS anon_1, EXISTS (SELECT 1 FROM labels AS r2, task_labels AS r3 WHERE r2.team = ? AND r2.deleted_at IS NULL AND r2.color = 'red' AND r3.task_id = tasks.id AND r3.label_id = r2.id) AS anon_2, (SELECT r4.due FROM tasks AS r4 WHERE r4.team = ? AND r4.deleted_at IS NULL AND r4.parent_id = tasks.id ORDER BY r4.due DESC NULLS LAST, r4.id DESC LIMIT 1 OFFSET 0) AS anon_3, tasks.id AS id__1 FROM tasks WHERE tasks.id = ? AND tasks.team = ? AND tasks.deleted_at IS NULL;
-- steps
SELECT steps.id, steps.text, steps.label_id, steps.task_id FROM steps WHERE steps.task_id IN (SELECT anon_1.value FROM temp.json_each(?) AS anon_1) AND (EXISTS (SELECT 1 FROM tasks AS r1 WHERE r1.id = steps.task_id AND r1.team = ? AND r1.deleted_at IS NULL)) ORDER BY steps.task_id, steps.position LIMIT ? OFFSET 0;

-- tasks.create
-- insert
INSERT INTO tasks (id, team, title, secret, state, since, due, urgency, spot, parent_id, label_id, version) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id, team, title, secret, state, since, due, urgency, spot, parent_id, label_id, version, deleted_at;
-- steps
SELECT steps.id, steps.task_id, steps.text, steps.label_id, steps.task_id AS task_id__1 FROM steps WHERE steps.task_id IN (SELECT anon_1.value FROM temp.json_each(?) AS anon_1) AND (EXISTS (SELECT 1 FROM tasks AS r1 WHERE r1.id = steps.task_id AND r1.team = ? AND r1.deleted_at IS NULL)) ORDER BY steps.task_id, steps.position LIMIT ? OFFSET 0;
-- answer, with what is computed
SELECT tasks.id, tasks.team, tasks.title, tasks.secret, tasks.state, tasks.since, tasks.due, tasks.urgency, tasks.spot, tasks.parent_id, tasks.label_id, tasks.version, (SELECT count(*) AS count_1 FROM steps AS r1 WHERE r1.task_id = tasks.id) AS anon_1, EXISTS (SELECT 1 FROM labels AS r2, task_labels AS r3 WHERE r2.team = ? AND r2.deleted_at IS NULL AND r2.color = 'red' AND r3.task_id = tasks.id AND r3.label_id = r2.id) AS anon_2, (SELECT r4.due FROM tasks AS r4 WHERE r4.team = ? AND r4.deleted_at IS NULL AND r4.parent_id = tasks.id ORDER BY r4.due DESC NULLS LAST, r4.id DESC LIMIT 1 OFFSET 0) AS anon_3, tasks.id AS id__1 FROM tasks WHERE tasks.id = ? AND tasks.team = ? AND tasks.deleted_at IS NULL;

-- tasks.update
-- row
SELECT tasks.id, tasks.team, tasks.title, tasks.secret, tasks.state, tasks.since, tasks.due, tasks.urgency, tasks.spot, tasks.parent_id, tasks.label_id, tasks.version, tasks.deleted_at, (SELECT r1.state FROM tasks AS r1 WHERE r1.id = tasks.parent_id AND r1.team = ? AND r1.deleted_at IS NULL) AS anon_1, tasks.urgency AS urgency__1, tasks.id AS id__1 FROM tasks WHERE tasks.id = ? AND tasks.team = ? AND tasks.deleted_at IS NULL;
-- update, of what is sent
UPDATE tasks SET title=?, secret=?, since=?, due=?, urgency=?, spot=?, parent_id=?, label_id=?, version=(tasks.version + 1) WHERE tasks.team = ? AND tasks.deleted_at IS NULL AND tasks.id = ? RETURNING id, team, title, secret, state, since, due, urgency, spot, parent_id, label_id, version, deleted_at;
-- steps
SELECT steps.id, steps.task_id, steps.text, steps.label_id, steps.task_id AS task_id__1 FROM steps WHERE steps.task_id IN (SELECT anon_1.value FROM temp.json_each(?) AS anon_1) AND (EXISTS (SELECT 1 FROM tasks AS r1 WHERE r1.id = steps.task_id AND r1.team = ? AND r1.deleted_at IS NULL)) ORDER BY steps.task_id, steps.position LIMIT ? OFFSET 0;
-- answer, with what is computed
SELECT tasks.id, tasks.team, tasks.title, tasks.secret, tasks.state, tasks.since, tasks.due, tasks.urgency, tasks.spot, tasks.parent_id, tasks.label_id, tasks.version, (SELECT count(*) AS count_1 FROM steps AS r1 WHERE r1.task_id = tasks.id) AS anon_1, EXISTS (SELECT 1 FROM labels AS r2, task_labels AS r3 WHERE r2.team = ? AND r2.deleted_at IS NULL AND r2.color = 'red' AND r3.task_id = tasks.id AND r3.label_id = r2.id) AS anon_2, (SELECT r4.due FROM tasks AS r4 WHERE r4.team = ? AND r4.deleted_at IS NULL AND r4.parent_id = tasks.id ORDER BY r4.due DESC NULLS LAST, r4.id DESC LIMIT 1 OFFSET 0) AS anon_3, tasks.id AS id__1 FROM tasks WHERE tasks.id = ? AND tasks.team = ? AND tasks.deleted_at IS NULL;

-- tasks.delete
-- row
SELECT tasks.id, tasks.team, tasks.title, tasks.secret, tasks.state, tasks.since, tasks.due, tasks.urgency, tasks.spot, tasks.parent_id, tasks.label_id, tasks.version, tasks.deleted_at, tasks.id AS id__1 FROM tasks WHERE tasks.id = ? AND tasks.team = ? AND tasks.deleted_at IS NULL;
-- lock
SELECT tasks.id FROM tasks WHERE tasks.id IN (SELECT anon_1.value FROM temp.json_each(?) AS anon_1) AND tasks.team = ? AND tasks.deleted_at IS NULL;
-- Task.parent_id
SELECT tasks.id FROM tasks WHERE tasks.parent_id IN (SELECT anon_1.value FROM temp.json_each(?) AS anon_1) AND tasks.deleted_at IS NULL;
-- Step.task_id
SELECT steps.id FROM steps WHERE steps.task_id IN (SELECT anon_1.value FROM temp.json_each(?) AS anon_1);
-- mark as deleted
UPDATE tasks SET version=(tasks.version + 1), deleted_at=? WHERE tasks.id IN (SELECT anon_1.value FROM temp.json_each(?) AS anon_1) AND tasks.team = ? AND tasks.deleted_at IS NULL;
-- steps
SELECT steps.id, steps.task_id, steps.text, steps.label_id, steps.task_id AS task_id__1 FROM steps WHERE steps.task_id IN (SELECT anon_1.value FROM temp.json_each(?) AS anon_1) AND (EXISTS (SELECT 1 FROM tasks AS r1 WHERE r1.id = steps.task_id AND r1.team = ? AND r1.deleted_at IS NULL)) ORDER BY steps.task_id, steps.position LIMIT ? OFFSET 0;

-- tasks.restore
-- row
SELECT tasks.id, tasks.team, tasks.title, tasks.secret, tasks.state, tasks.since, tasks.due, tasks.urgency, tasks.spot, tasks.parent_id, tasks.label_id, tasks.version, tasks.deleted_at, tasks.id AS id__1 FROM tasks WHERE tasks.id = ? AND tasks.team = ?;
-- deleted row
SELECT tasks.deleted_at, tasks.parent_id, tasks.label_id FROM tasks WHERE tasks.id = ? AND tasks.team = ?;
-- restore
UPDATE tasks SET version=(tasks.version + 1), deleted_at=NULL WHERE tasks.id = ?;
-- steps
SELECT steps.id, steps.task_id, steps.text, steps.label_id, steps.task_id AS task_id__1 FROM steps WHERE steps.task_id IN (SELECT anon_1.value FROM temp.json_each(?) AS anon_1) AND (EXISTS (SELECT 1 FROM tasks AS r1 WHERE r1.id = steps.task_id AND r1.team = ? AND r1.deleted_at IS NULL)) ORDER BY steps.task_id, steps.position LIMIT ? OFFSET 0;
-- answer, with what is computed
SELECT tasks.id, tasks.team, tasks.title, tasks.secret, tasks.state, tasks.since, tasks.due, tasks.urgency, tasks.spot, tasks.parent_id, tasks.label_id, tasks.version, (SELECT count(*) AS count_1 FROM steps AS r1 WHERE r1.task_id = tasks.id) AS anon_1, EXISTS (SELECT 1 FROM labels AS r2, task_labels AS r3 WHERE r2.team = ? AND r2.deleted_at IS NULL AND r2.color = 'red' AND r3.task_id = tasks.id AND r3.label_id = r2.id) AS anon_2, (SELECT r4.due FROM tasks AS r4 WHERE r4.team = ? AND r4.deleted_at IS NULL AND r4.parent_id = tasks.id ORDER BY r4.due DESC NULLS LAST, r4.id DESC LIMIT 1 OFFSET 0) AS anon_3, tasks.id AS id__1 FROM tasks WHERE tasks.id = ? AND tasks.team = ? AND tasks.deleted_at IS NULL;

-- tasks.finish
-- row
SELECT tasks.id, tasks.team, tasks.title, tasks.secret, tasks.state, tasks.since, tasks.due, tasks.urgency, tasks.spot, tasks.parent_id, tasks.label_id, tasks.version, tasks.deleted_at, tasks.team AS team__1, tasks.title AS title__1, NOT (EXISTS (SELECT 1 FROM labels AS r1, task_labels AS r3 WHERE r1.team = ? AND r1.deleted_at IS NULL AND (r1.color = 'red' OR r1.name = tasks.title) AND r3.task_id = (SELECT r2.id FROM tasks AS r2 WHERE r2.id = tasks.parent_id AND r2.team = ? AND r2.deleted_at IS NULL) AND r3.label_id = r1.id)) AS anon_1, EXISTS (SELECT 1 FROM steps AS r4 WHERE r4.label_id = tasks.label_id AND r4.task_id = tasks.id) AS anon_2, tasks.id AS id__1 FROM tasks WHERE tasks.id = ? AND tasks.team = ? AND tasks.deleted_at IS NULL;
-- guarded update
UPDATE tasks SET state=?, version=(tasks.version + 1) WHERE tasks.team = ? AND tasks.deleted_at IS NULL AND tasks.id = ? AND tasks.state IN ('open') RETURNING id, team, title, secret, state, since, due, urgency, spot, parent_id, label_id, version, deleted_at;
-- steps
SELECT steps.id, steps.task_id, steps.text, steps.label_id, steps.task_id AS task_id__1 FROM steps WHERE steps.task_id IN (SELECT anon_1.value FROM temp.json_each(?) AS anon_1) AND (EXISTS (SELECT 1 FROM tasks AS r1 WHERE r1.id = steps.task_id AND r1.team = ? AND r1.deleted_at IS NULL)) ORDER BY steps.task_id, steps.position LIMIT ? OFFSET 0;
-- answer, with what is computed
SELECT tasks.id, tasks.team, tasks.title, tasks.secret, tasks.state, tasks.since, tasks.due, tasks.urgency, tasks.spot, tasks.parent_id, tasks.label_id, tasks.version, (SELECT count(*) AS count_1 FROM steps AS r1 WHERE r1.task_id = tasks.id) AS anon_1, EXISTS (SELECT 1 FROM labels AS r2, task_labels AS r3 WHERE r2.team = ? AND r2.deleted_at IS NULL AND r2.color = 'red' AND r3.task_id = tasks.id AND r3.label_id = r2.id) AS anon_2, (SELECT r4.due FROM tasks AS r4 WHERE r4.team = ? AND r4.deleted_at IS NULL AND r4.parent_id = tasks.id ORDER BY r4.due DESC NULLS LAST, r4.id DESC LIMIT 1 OFFSET 0) AS anon_3, tasks.id AS id__1 FROM tasks WHERE tasks.id = ? AND tasks.team = ? AND tasks.deleted_at IS NULL;
