CREATE EXTENSION IF NOT EXISTS btree_gist;

CREATE TABLE labels (
    id UUID NOT NULL,
    team TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    color TEXT COLLATE "C" NOT NULL,
    deleted_at TIMESTAMPTZ,
    CONSTRAINT pk_labels PRIMARY KEY (id),
    CONSTRAINT ck_labels_team CHECK (length("team") <= 10000),
    CONSTRAINT ck_labels_name CHECK (length("name") <= 10000),
    CONSTRAINT ck_labels_color CHECK (length("color") <= 10000)
);

CREATE INDEX ix_labels_team ON labels (team, id);

CREATE INDEX ix_labels_team_name ON labels (team, name, id);

CREATE UNIQUE INDEX uq_labels_color ON labels (team, color) WHERE deleted_at IS NULL;

CREATE UNIQUE INDEX uq_labels_name_color ON labels (team, name, color) WHERE deleted_at IS NULL;

CREATE TABLE sternpost_audit (
    id BIGINT GENERATED ALWAYS AS IDENTITY NOT NULL,
    at TIMESTAMPTZ NOT NULL,
    actor TEXT COLLATE "C",
    operation TEXT COLLATE "C",
    request_id TEXT COLLATE "C",
    action TEXT COLLATE "C" NOT NULL,
    resource TEXT COLLATE "C" NOT NULL,
    row_id TEXT COLLATE "C" NOT NULL,
    tenant TEXT COLLATE "C",
    before JSONB,
    after JSONB,
    CONSTRAINT pk_sternpost_audit PRIMARY KEY (id)
);

CREATE INDEX ix_sternpost_audit_actor ON sternpost_audit (actor, id);

CREATE INDEX ix_sternpost_audit_row_id ON sternpost_audit (row_id, id);

CREATE TABLE sternpost_schema (
    fingerprint TEXT NOT NULL,
    created_at TEXT NOT NULL
);

CREATE TABLE tasks (
    id UUID NOT NULL,
    team TEXT COLLATE "C" NOT NULL,
    title TEXT COLLATE "C" NOT NULL,
    secret TEXT COLLATE "C",
    state TEXT COLLATE "C" NOT NULL,
    since DATE,
    due DATE,
    urgency TEXT COLLATE "C" NOT NULL,
    parent_id UUID,
    label_id UUID,
    version BIGINT NOT NULL,
    deleted_at TIMESTAMPTZ,
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
);

CREATE INDEX ix_tasks_label_id ON tasks (label_id, id);

CREATE INDEX ix_tasks_parent_id ON tasks (parent_id, id);

CREATE INDEX ix_tasks_team ON tasks (team, id);

CREATE INDEX ix_tasks_team_state ON tasks (team, state, id);

CREATE INDEX ix_tasks_team_title ON tasks (team, title, id);

CREATE INDEX ix_tasks_team_urgency ON tasks (team, urgency, id);

CREATE INDEX ix_tasks_team_urgency_rank ON tasks (team, (CASE "urgency" WHEN 'low' THEN 0 WHEN 'mid' THEN 1 WHEN 'high' THEN 2 END), id);

CREATE TABLE steps (
    id UUID NOT NULL,
    task_id UUID NOT NULL,
    text TEXT COLLATE "C" NOT NULL,
    label_id UUID,
    position INTEGER NOT NULL,
    CONSTRAINT pk_steps PRIMARY KEY (id),
    CONSTRAINT ck_steps_text CHECK (length("text") <= 10000),
    CONSTRAINT fk_steps_task_id FOREIGN KEY(task_id) REFERENCES tasks (id) ON DELETE CASCADE,
    CONSTRAINT fk_steps_label_id FOREIGN KEY(label_id) REFERENCES labels (id) ON DELETE RESTRICT
);

CREATE INDEX ix_steps_label_id ON steps (label_id, id);

CREATE INDEX ix_steps_task_id ON steps (task_id, id);

CREATE TABLE task_labels (
    task_id UUID NOT NULL,
    label_id UUID NOT NULL,
    CONSTRAINT pk_task_labels PRIMARY KEY (task_id, label_id),
    CONSTRAINT fk_task_labels_task_id FOREIGN KEY(task_id) REFERENCES tasks (id) ON DELETE CASCADE,
    CONSTRAINT fk_task_labels_label_id FOREIGN KEY(label_id) REFERENCES labels (id) ON DELETE CASCADE
);

CREATE INDEX ix_task_labels_label_id ON task_labels (label_id);

ALTER TABLE "tasks" ADD CONSTRAINT "overlap_tasks_team_label_id_since_due" EXCLUDE USING gist ("team" WITH =, "label_id" WITH =, daterange("since", "due", '[)') WITH &&) WHERE ("deleted_at" IS NULL AND ("state" IN ('open')));

CREATE OR REPLACE FUNCTION sternpost_overlap_wait() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    keys text := TG_ARGV[0];
BEGIN
    FOR number IN 1 .. TG_NARGS - 1 LOOP
        keys := keys || E'\n' || coalesce(lower(to_jsonb(NEW) ->> TG_ARGV[number]), '');
    END LOOP;
    PERFORM pg_advisory_xact_lock(hashtextextended(keys, 0));
    RETURN NEW;
END $$;

CREATE TRIGGER "overlap_tasks_team_label_id_since_due" BEFORE INSERT OR UPDATE OF "deleted_at", "due", "label_id", "since", "state", "team" ON "tasks"
FOR EACH ROW WHEN (NEW."deleted_at" IS NULL AND (NEW."state" IN ('open'))) EXECUTE FUNCTION sternpost_overlap_wait('overlap_tasks_team_label_id_since_due', 'team', 'label_id');

CREATE OR REPLACE FUNCTION sternpost_audit_row() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
DECLARE
    origin jsonb := coalesce(nullif(current_setting('sternpost.audit', true), ''), '{}')::jsonb;
    masked text[] := TG_ARGV[3];
    deleted text := TG_ARGV[4];
    was jsonb := '{}';
    becomes jsonb := '{}';
    before jsonb;
    after jsonb;
    action text := CASE TG_OP WHEN 'INSERT' THEN 'create' WHEN 'DELETE' THEN 'delete' ELSE 'update' END;
BEGIN
    IF TG_OP <> 'INSERT' THEN was := to_jsonb(OLD); END IF;
    IF TG_OP <> 'DELETE' THEN becomes := to_jsonb(NEW); END IF;
    SELECT
        jsonb_object_agg(name, CASE WHEN name = ANY(masked) AND was->name <> 'null' THEN '"***"' ELSE was->name END),
        jsonb_object_agg(name, CASE WHEN name = ANY(masked) AND becomes->name <> 'null' THEN '"***"' ELSE becomes->name END)
    INTO before, after
    FROM unnest(TG_ARGV[2]::text[]) AS name
    WHERE TG_OP <> 'UPDATE' OR was->name IS DISTINCT FROM becomes->name;
    IF TG_OP = 'UPDATE' AND deleted <> '' AND (was->>deleted IS NULL) <> (becomes->>deleted IS NULL) THEN
        action := CASE WHEN becomes->>deleted IS NULL THEN 'restore' ELSE 'delete' END;
    ELSIF before IS NULL THEN
        RETURN NULL;
    END IF;
    INSERT INTO sternpost_audit (at, actor, operation, request_id, action, resource, row_id, tenant, before, after)
    VALUES (
        clock_timestamp(), origin->>'actor', origin->>'operation', origin->>'request_id', action, TG_ARGV[0],
        TG_ARGV[1] || '_' || replace(coalesce(becomes->>'id', was->>'id'), '-', ''),
        CASE WHEN TG_ARGV[6] = '' THEN coalesce(becomes->>TG_ARGV[5], was->>TG_ARGV[5])
             ELSE TG_ARGV[6] || '_' || replace(coalesce(becomes->>TG_ARGV[5], was->>TG_ARGV[5]), '-', '') END,
        CASE WHEN TG_OP <> 'INSERT' THEN coalesce(before, '{}') END,
        CASE WHEN TG_OP <> 'DELETE' THEN coalesce(after, '{}') END
    );
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION sternpost_audit_link() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
DECLARE
    origin jsonb := coalesce(nullif(current_setting('sternpost.audit', true), ''), '{}')::jsonb;
    pair jsonb := CASE WHEN TG_OP = 'INSERT' THEN to_jsonb(NEW) ELSE to_jsonb(OLD) END;
    other jsonb := jsonb_build_object(TG_ARGV[2], TG_ARGV[5] || '_' || replace(pair->>TG_ARGV[4], '-', ''));
BEGIN
    INSERT INTO sternpost_audit (at, actor, operation, request_id, action, resource, row_id, before, after)
    VALUES (
        clock_timestamp(), origin->>'actor', origin->>'operation', origin->>'request_id',
        CASE TG_OP WHEN 'INSERT' THEN 'link' ELSE 'unlink' END, TG_ARGV[0],
        TG_ARGV[1] || '_' || replace(pair->>TG_ARGV[3], '-', ''),
        CASE WHEN TG_OP = 'DELETE' THEN other END,
        CASE WHEN TG_OP = 'INSERT' THEN other END
    );
    RETURN NULL;
END $$;

CREATE TRIGGER sternpost_audit AFTER INSERT OR UPDATE OR DELETE ON "tasks"
FOR EACH ROW EXECUTE FUNCTION sternpost_audit_row('Task', 'tas', '{id,team,title,secret,state,since,due,urgency,parent_id,label_id,version}', '{secret}', 'deleted_at', 'team', '');

CREATE TRIGGER sternpost_audit_tas_labels AFTER INSERT OR DELETE ON "task_labels"
FOR EACH ROW EXECUTE FUNCTION sternpost_audit_link('Task', 'tas', 'labels', 'task_id', 'label_id', 'lab');

CREATE TRIGGER sternpost_audit AFTER INSERT OR UPDATE OR DELETE ON "steps"
FOR EACH ROW EXECUTE FUNCTION sternpost_audit_row('Step', 'ste', '{id,task_id,text,label_id}', '{}', '', '', '');
