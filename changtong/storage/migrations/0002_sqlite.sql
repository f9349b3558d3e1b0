ALTER TABLE hazards ADD COLUMN hazard_kind TEXT;

ALTER TABLE hazards ADD COLUMN red_line TEXT;

ALTER TABLE hazards ADD COLUMN found_by TEXT REFERENCES users (id);

ALTER TABLE hazards ADD COLUMN done_by TEXT REFERENCES users (id);

ALTER TABLE hazards ADD COLUMN assigned_at BIGINT;

ALTER TABLE hazards ADD COLUMN done_at BIGINT;

ALTER TABLE hazards ADD COLUMN closed_at BIGINT;

ALTER TABLE hazards ADD COLUMN changed_at BIGINT;

ALTER TABLE hazards ADD COLUMN extensions BIGINT;

ALTER TABLE hazards ADD COLUMN failed BIGINT;

ALTER TABLE hazards ADD COLUMN reopened BIGINT;

ALTER TABLE hazards ADD COLUMN seen BIGINT;

ALTER TABLE hazards ADD COLUMN event_count BIGINT;

ALTER TABLE hazards ADD COLUMN events TEXT;

CREATE INDEX ix_hazards_found_by ON hazards (found_by);

CREATE INDEX ix_hazards_done_by ON hazards (done_by);

ALTER TABLE tasks ADD COLUMN code TEXT;

ALTER TABLE tasks ADD COLUMN subject TEXT;

ALTER TABLE tasks ADD COLUMN first_deadline BIGINT;

ALTER TABLE tasks ADD COLUMN plan TEXT;

ALTER TABLE tasks ADD COLUMN reported_by TEXT REFERENCES users (id);

ALTER TABLE tasks ADD COLUMN reported_at BIGINT;

ALTER TABLE tasks ADD COLUMN accepted_at BIGINT;

ALTER TABLE tasks ADD COLUMN changed_at BIGINT;

ALTER TABLE tasks ADD COLUMN returned BIGINT;

ALTER TABLE tasks ADD COLUMN extensions BIGINT;

ALTER TABLE tasks ADD COLUMN events TEXT;

CREATE INDEX ix_tasks_reported_by ON tasks (reported_by);

ALTER TABLE inspections ADD COLUMN conflict BOOLEAN;

ALTER TABLE inspections ADD COLUMN findings BIGINT;

ALTER TABLE inspections ADD COLUMN revisions TEXT;
