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

CREATE TABLE sternpost_schema (
    fingerprint TEXT NOT NULL,
    created_at TEXT NOT NULL
);

CREATE TABLE tasks (
    id UUID NOT NULL,
    team TEXT COLLATE "C" NOT NULL,
    title TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    parent_id UUID,
    label_id UUID,
    version BIGINT NOT NULL,
    deleted_at TIMESTAMPTZ,
    CONSTRAINT pk_tasks PRIMARY KEY (id),
    CONSTRAINT ck_tasks_team CHECK (length("team") <= 10000),
    CONSTRAINT ck_tasks_title CHECK (length("title") <= 10000),
    CONSTRAINT ck_tasks_state CHECK ("state" IN ('open', 'done')),
    CONSTRAINT fk_tasks_parent_id FOREIGN KEY(parent_id) REFERENCES tasks (id) ON DELETE CASCADE,
    CONSTRAINT fk_tasks_label_id FOREIGN KEY(label_id) REFERENCES labels (id) ON DELETE SET NULL
);

CREATE INDEX ix_tasks_label_id ON tasks (label_id, id);

CREATE INDEX ix_tasks_parent_id ON tasks (parent_id, id);

CREATE INDEX ix_tasks_team ON tasks (team, id);

CREATE INDEX ix_tasks_team_state ON tasks (team, state, id);

CREATE INDEX ix_tasks_team_title ON tasks (team, title, id);

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
