CREATE TABLE labels (
    id TEXT NOT NULL,
    team TEXT NOT NULL,
    name TEXT NOT NULL,
    color TEXT NOT NULL,
    deleted_at TEXT,
    CONSTRAINT pk_labels PRIMARY KEY (id),
    CONSTRAINT ck_labels_team CHECK (length("team") <= 10000),
    CONSTRAINT ck_labels_name CHECK (length("name") <= 10000),
    CONSTRAINT ck_labels_color CHECK (length("color") <= 10000)
)
 STRICT;

CREATE INDEX ix_labels_team ON labels (team, id);

CREATE INDEX ix_labels_team_name ON labels (team, name, id);

CREATE UNIQUE INDEX uq_labels_color ON labels (team, color) WHERE deleted_at IS NULL;

CREATE UNIQUE INDEX uq_labels_name_color ON labels (team, name, color) WHERE deleted_at IS NULL;

CREATE TABLE sternpost_audit (
    id INTEGER NOT NULL,
    at TEXT NOT NULL,
    actor TEXT,
    operation TEXT,
    request_id TEXT,
    action TEXT NOT NULL,
    resource TEXT NOT NULL,
    row_id TEXT NOT NULL,
    tenant TEXT,
    "before" TEXT,
    "after" TEXT,
    CONSTRAINT pk_sternpost_audit PRIMARY KEY (id)
)
 STRICT;

CREATE INDEX ix_sternpost_audit_actor ON sternpost_audit (actor, id);

CREATE INDEX ix_sternpost_audit_row_id ON sternpost_audit (row_id, id);

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

CREATE TABLE sternpost_schema (
    fingerprint TEXT NOT NULL,
    created_at TEXT NOT NULL
)
 STRICT;

CREATE TABLE tasks (
    id TEXT NOT NULL,
    team TEXT NOT NULL,
    title TEXT NOT NULL,
    secret TEXT,
    state TEXT NOT NULL,
    since TEXT,
    due TEXT,
    urgency TEXT NOT NULL,
    spot TEXT,
    parent_id TEXT,
    label_id TEXT,
    version INTEGER NOT NULL,
    deleted_at TEXT,
    CONSTRAINT pk_tasks PRIMARY KEY (id),
    CONSTRAINT ck_tasks_team CHECK (length("team") <= 10000),
    CONSTRAINT ck_tasks_title CHECK (length("title") <= 10000),
    CONSTRAINT ck_tasks_secret CHECK (length("secret") <= 10000),
    CONSTRAINT ck_tasks_state CHECK ("state" IN ('open', 'done')),
    CONSTRAINT ck_tasks_urgency CHECK ("urgency" IN ('low', 'mid', 'high')),
    CONSTRAINT rule_tasks_done_when_due CHECK ("state" = 'open' OR "due" IS NOT NULL),
    CONSTRAINT rule_tasks_parent_id_ne_id CHECK ("parent_id" <> "id"),
    CONSTRAINT rule_tasks_since_before_due CHECK ("since" < "due"),
    CONSTRAINT fk_tasks_parent_id FOREIGN KEY(parent_id) REFERENCES tasks (id) ON DELETE CASCADE,
    CONSTRAINT fk_tasks_label_id FOREIGN KEY(label_id) REFERENCES labels (id) ON DELETE SET NULL
)
 STRICT;

CREATE INDEX ix_tasks_label_id ON tasks (label_id, id);

CREATE INDEX ix_tasks_parent_id ON tasks (parent_id, id);

CREATE INDEX ix_tasks_team ON tasks (team, id);

CREATE INDEX ix_tasks_team_state ON tasks (team, state, id);

CREATE INDEX ix_tasks_team_title ON tasks (team, title, id);

CREATE INDEX ix_tasks_team_urgency ON tasks (team, urgency, id);

CREATE INDEX ix_tasks_team_urgency_rank ON tasks (team, (CASE "urgency" WHEN 'low' THEN 0 WHEN 'mid' THEN 1 WHEN 'high' THEN 2 END), id);

CREATE TABLE steps (
    id TEXT NOT NULL,
    task_id TEXT NOT NULL,
    text TEXT NOT NULL,
    label_id TEXT,
    position INTEGER NOT NULL,
    CONSTRAINT pk_steps PRIMARY KEY (id),
    CONSTRAINT ck_steps_text CHECK (length("text") <= 10000),
    CONSTRAINT fk_steps_task_id FOREIGN KEY(task_id) REFERENCES tasks (id) ON DELETE CASCADE,
    CONSTRAINT fk_steps_label_id FOREIGN KEY(label_id) REFERENCES labels (id) ON DELETE RESTRICT
)
 STRICT;

CREATE INDEX ix_steps_label_id ON steps (label_id, id);

CREATE INDEX ix_steps_task_id ON steps (task_id, id);

CREATE TABLE task_labels (
    task_id TEXT NOT NULL,
    label_id TEXT NOT NULL,
    CONSTRAINT pk_task_labels PRIMARY KEY (task_id, label_id),
    CONSTRAINT fk_task_labels_task_id FOREIGN KEY(task_id) REFERENCES tasks (id) ON DELETE CASCADE,
    CONSTRAINT fk_task_labels_label_id FOREIGN KEY(label_id) REFERENCES labels (id) ON DELETE CASCADE
)
 STRICT;

CREATE INDEX ix_task_labels_label_id ON task_labels (label_id);

CREATE INDEX "overlap_tasks_team_label_id_since_due" ON "tasks" ("team", "label_id", "since", "due") WHERE "deleted_at" IS NULL AND ("state" IN ('open'));

CREATE TRIGGER "overlap_tasks_team_label_id_since_due_insert" AFTER INSERT ON "tasks"
WHEN NEW."deleted_at" IS NULL AND (NEW."state" IN ('open'))
BEGIN
    SELECT RAISE(ABORT, 'no_overlap overlap_tasks_team_label_id_since_due') WHERE EXISTS (SELECT 1 FROM "tasks" AS other
    WHERE other."id" <> NEW."id" AND other."team" = NEW."team" AND other."label_id" = NEW."label_id" AND (other."since" IS NULL OR NEW."due" IS NULL OR other."since" < NEW."due") AND (NEW."since" IS NULL OR other."due" IS NULL OR NEW."since" < other."due") AND (other."deleted_at" IS NULL AND (other."state" IN ('open'))));
END;

CREATE TRIGGER "overlap_tasks_team_label_id_since_due_update" AFTER UPDATE OF "deleted_at", "due", "label_id", "since", "state", "team" ON "tasks"
WHEN NEW."deleted_at" IS NULL AND (NEW."state" IN ('open'))
BEGIN
    SELECT RAISE(ABORT, 'no_overlap overlap_tasks_team_label_id_since_due') WHERE EXISTS (SELECT 1 FROM "tasks" AS other
    WHERE other."id" <> NEW."id" AND other."team" = NEW."team" AND other."label_id" = NEW."label_id" AND (other."since" IS NULL OR NEW."due" IS NULL OR other."since" < NEW."due") AND (NEW."since" IS NULL OR other."due" IS NULL OR NEW."since" < other."due") AND (other."deleted_at" IS NULL AND (other."state" IN ('open'))));
END;

CREATE TABLE "sternpost_search_tasks_ids" (docid INTEGER NOT NULL PRIMARY KEY, id TEXT NOT NULL UNIQUE) STRICT;

CREATE VIRTUAL TABLE "sternpost_search_tasks_fts" USING fts5(f0, f1, columnsize = 0, detail = column, prefix = '1 2', tokenize = "unicode61 remove_diacritics 0 categories 'L* N* M*'");

INSERT INTO "sternpost_search_tasks_ids" (id) SELECT "id" FROM "tasks" ORDER BY "id";

INSERT INTO "sternpost_search_tasks_fts" (rowid, f0, f1) SELECT ids.docid, t."title", t."secret" FROM "sternpost_search_tasks_ids" AS ids
JOIN "tasks" AS t ON t."id" = ids.id;

CREATE TRIGGER "sternpost_search_tasks_insert" AFTER INSERT ON "tasks"
BEGIN
    DELETE FROM "sternpost_search_tasks_fts" WHERE rowid = (SELECT docid FROM "sternpost_search_tasks_ids" WHERE id = NEW."id");
    INSERT INTO "sternpost_search_tasks_ids" (id) SELECT NEW."id" WHERE (SELECT docid FROM "sternpost_search_tasks_ids" WHERE id = NEW."id") IS NULL;
    INSERT INTO "sternpost_search_tasks_fts" (rowid, f0, f1) VALUES ((SELECT docid FROM "sternpost_search_tasks_ids" WHERE id = NEW."id"), NEW."title", NEW."secret");
END;

CREATE TRIGGER "sternpost_search_tasks_update" AFTER UPDATE OF "id", "title", "secret" ON "tasks" WHEN OLD."id" IS NOT NEW."id" OR OLD."title" IS NOT NEW."title" OR OLD."secret" IS NOT NEW."secret"
BEGIN
    UPDATE "sternpost_search_tasks_ids" SET id = NEW."id" WHERE id = OLD."id" AND OLD."id" <> NEW."id";
    UPDATE "sternpost_search_tasks_fts" SET f0 = NEW."title", f1 = NEW."secret" WHERE rowid = (SELECT docid FROM "sternpost_search_tasks_ids" WHERE id = NEW."id");
END;

CREATE TRIGGER "sternpost_search_tasks_delete" AFTER DELETE ON "tasks"
BEGIN
    DELETE FROM "sternpost_search_tasks_fts" WHERE rowid = (SELECT docid FROM "sternpost_search_tasks_ids" WHERE id = OLD."id");
    DELETE FROM "sternpost_search_tasks_ids" WHERE id = OLD."id";
END;

CREATE TRIGGER "sternpost_audit_tasks_create" AFTER INSERT ON "tasks"
BEGIN
    INSERT INTO sternpost_audit (at, action, resource, row_id, tenant, before, after)
    SELECT strftime('%Y-%m-%dT%H:%M:%f', 'now'), 'create', 'Task', 'tas_' || NEW."id", NEW."team", NULL, json_object('id', NEW."id", 'team', NEW."team", 'title', NEW."title", 'secret', iif(NEW."secret" IS NULL, NULL, '***'), 'state', NEW."state", 'since', NEW."since", 'due', NEW."due", 'urgency', NEW."urgency", 'spot', NEW."spot", 'parent_id', NEW."parent_id", 'label_id', NEW."label_id", 'version', NEW."version");
END;

CREATE TRIGGER "sternpost_audit_tasks_update" AFTER UPDATE ON "tasks"
WHEN OLD."id" IS NOT NEW."id" OR OLD."team" IS NOT NEW."team" OR OLD."title" IS NOT NEW."title" OR OLD."secret" IS NOT NEW."secret" OR OLD."state" IS NOT NEW."state" OR OLD."since" IS NOT NEW."since" OR OLD."due" IS NOT NEW."due" OR OLD."urgency" IS NOT NEW."urgency" OR OLD."spot" IS NOT NEW."spot" OR OLD."parent_id" IS NOT NEW."parent_id" OR OLD."label_id" IS NOT NEW."label_id" OR OLD."version" IS NOT NEW."version" OR (OLD."deleted_at" IS NULL) <> (NEW."deleted_at" IS NULL)
BEGIN
    INSERT INTO sternpost_audit (at, action, resource, row_id, tenant, before, after)
    SELECT strftime('%Y-%m-%dT%H:%M:%f', 'now'), iif((OLD."deleted_at" IS NULL) = (NEW."deleted_at" IS NULL), 'update', iif(NEW."deleted_at" IS NULL, 'restore', 'delete')), 'Task', 'tas_' || NEW."id", NEW."team", json_group_object(name, was), json_group_object(name, becomes) FROM (
    SELECT 'id' AS name, OLD."id" AS was, NEW."id" AS becomes WHERE OLD."id" IS NOT NEW."id"
    UNION ALL SELECT 'team' AS name, OLD."team" AS was, NEW."team" AS becomes WHERE OLD."team" IS NOT NEW."team"
    UNION ALL SELECT 'title' AS name, OLD."title" AS was, NEW."title" AS becomes WHERE OLD."title" IS NOT NEW."title"
    UNION ALL SELECT 'secret' AS name, iif(OLD."secret" IS NULL, NULL, '***') AS was, iif(NEW."secret" IS NULL, NULL, '***') AS becomes WHERE OLD."secret" IS NOT NEW."secret"
    UNION ALL SELECT 'state' AS name, OLD."state" AS was, NEW."state" AS becomes WHERE OLD."state" IS NOT NEW."state"
    UNION ALL SELECT 'since' AS name, OLD."since" AS was, NEW."since" AS becomes WHERE OLD."since" IS NOT NEW."since"
    UNION ALL SELECT 'due' AS name, OLD."due" AS was, NEW."due" AS becomes WHERE OLD."due" IS NOT NEW."due"
    UNION ALL SELECT 'urgency' AS name, OLD."urgency" AS was, NEW."urgency" AS becomes WHERE OLD."urgency" IS NOT NEW."urgency"
    UNION ALL SELECT 'spot' AS name, OLD."spot" AS was, NEW."spot" AS becomes WHERE OLD."spot" IS NOT NEW."spot"
    UNION ALL SELECT 'parent_id' AS name, OLD."parent_id" AS was, NEW."parent_id" AS becomes WHERE OLD."parent_id" IS NOT NEW."parent_id"
    UNION ALL SELECT 'label_id' AS name, OLD."label_id" AS was, NEW."label_id" AS becomes WHERE OLD."label_id" IS NOT NEW."label_id"
    UNION ALL SELECT 'version' AS name, OLD."version" AS was, NEW."version" AS becomes WHERE OLD."version" IS NOT NEW."version"
    );
END;

CREATE TRIGGER "sternpost_audit_tasks_delete" AFTER DELETE ON "tasks"
BEGIN
    INSERT INTO sternpost_audit (at, action, resource, row_id, tenant, before, after)
    SELECT strftime('%Y-%m-%dT%H:%M:%f', 'now'), 'delete', 'Task', 'tas_' || OLD."id", OLD."team", json_object('id', OLD."id", 'team', OLD."team", 'title', OLD."title", 'secret', iif(OLD."secret" IS NULL, NULL, '***'), 'state', OLD."state", 'since', OLD."since", 'due', OLD."due", 'urgency', OLD."urgency", 'spot', OLD."spot", 'parent_id', OLD."parent_id", 'label_id', OLD."label_id", 'version', OLD."version"), NULL;
END;

CREATE TRIGGER "sternpost_audit_tas_labels_task_labels_link" AFTER INSERT ON "task_labels"
BEGIN
    INSERT INTO sternpost_audit (at, action, resource, row_id, before, after)
    SELECT strftime('%Y-%m-%dT%H:%M:%f', 'now'), 'link', 'Task', 'tas_' || NEW."task_id", NULL, json_object('labels', 'lab_' || NEW."label_id");
END;

CREATE TRIGGER "sternpost_audit_tas_labels_task_labels_unlink" AFTER DELETE ON "task_labels"
BEGIN
    INSERT INTO sternpost_audit (at, action, resource, row_id, before, after)
    SELECT strftime('%Y-%m-%dT%H:%M:%f', 'now'), 'unlink', 'Task', 'tas_' || OLD."task_id", json_object('labels', 'lab_' || OLD."label_id"), NULL;
END;

CREATE TRIGGER "sternpost_audit_steps_create" AFTER INSERT ON "steps"
BEGIN
    INSERT INTO sternpost_audit (at, action, resource, row_id, tenant, before, after)
    SELECT strftime('%Y-%m-%dT%H:%M:%f', 'now'), 'create', 'Step', 'ste_' || NEW."id", NULL, NULL, json_object('id', NEW."id", 'task_id', NEW."task_id", 'text', NEW."text", 'label_id', NEW."label_id");
END;

CREATE TRIGGER "sternpost_audit_steps_update" AFTER UPDATE ON "steps"
WHEN OLD."id" IS NOT NEW."id" OR OLD."task_id" IS NOT NEW."task_id" OR OLD."text" IS NOT NEW."text" OR OLD."label_id" IS NOT NEW."label_id"
BEGIN
    INSERT INTO sternpost_audit (at, action, resource, row_id, tenant, before, after)
    SELECT strftime('%Y-%m-%dT%H:%M:%f', 'now'), 'update', 'Step', 'ste_' || NEW."id", NULL, json_group_object(name, was), json_group_object(name, becomes) FROM (
    SELECT 'id' AS name, OLD."id" AS was, NEW."id" AS becomes WHERE OLD."id" IS NOT NEW."id"
    UNION ALL SELECT 'task_id' AS name, OLD."task_id" AS was, NEW."task_id" AS becomes WHERE OLD."task_id" IS NOT NEW."task_id"
    UNION ALL SELECT 'text' AS name, OLD."text" AS was, NEW."text" AS becomes WHERE OLD."text" IS NOT NEW."text"
    UNION ALL SELECT 'label_id' AS name, OLD."label_id" AS was, NEW."label_id" AS becomes WHERE OLD."label_id" IS NOT NEW."label_id"
    );
END;

CREATE TRIGGER "sternpost_audit_steps_delete" AFTER DELETE ON "steps"
BEGIN
    INSERT INTO sternpost_audit (at, action, resource, row_id, tenant, before, after)
    SELECT strftime('%Y-%m-%dT%H:%M:%f', 'now'), 'delete', 'Step', 'ste_' || OLD."id", NULL, json_object('id', OLD."id", 'task_id', OLD."task_id", 'text', OLD."text", 'label_id', OLD."label_id"), NULL;
END;
