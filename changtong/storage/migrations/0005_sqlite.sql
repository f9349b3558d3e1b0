CREATE TABLE cases (
    id TEXT NOT NULL,
    organisation TEXT NOT NULL,
    path TEXT NOT NULL,
    root TEXT NOT NULL,
    branch TEXT NOT NULL,
    admin_code TEXT NOT NULL,
    province TEXT NOT NULL,
    city TEXT NOT NULL,
    title TEXT NOT NULL,
    "plan" TEXT NOT NULL,
    plan_version TEXT NOT NULL,
    state TEXT NOT NULL,
    level TEXT NOT NULL,
    opened_at BIGINT NOT NULL,
    known_at BIGINT NOT NULL,
    ended_at BIGINT,
    closed_at BIGINT,
    entries BIGINT NOT NULL,
    head TEXT NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT NOT NULL,
    salt BLOB NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(organisation) REFERENCES organisations (id)
);

CREATE INDEX cases_by_admin_code ON cases (admin_code, opened_at, id);

CREATE INDEX cases_by_branch ON cases (branch, opened_at, id);

CREATE INDEX cases_by_city ON cases (city, opened_at, id);

CREATE INDEX cases_by_key ON cases (opened_at, id);

CREATE INDEX cases_by_path ON cases (path, opened_at, id);

CREATE INDEX cases_by_province ON cases (province, opened_at, id);

CREATE INDEX cases_by_root ON cases (root, opened_at, id);

CREATE TABLE case_entries (
    id TEXT NOT NULL,
    organisation TEXT NOT NULL,
    path TEXT NOT NULL,
    root TEXT NOT NULL,
    branch TEXT NOT NULL,
    admin_code TEXT NOT NULL,
    province TEXT NOT NULL,
    city TEXT NOT NULL,
    case_id TEXT NOT NULL,
    n BIGINT NOT NULL,
    entry_id TEXT NOT NULL,
    at BIGINT NOT NULL,
    recorded_at BIGINT NOT NULL,
    by_user TEXT NOT NULL,
    action TEXT NOT NULL,
    content TEXT NOT NULL,
    "before" TEXT NOT NULL,
    seal TEXT NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT NOT NULL,
    salt BLOB NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(organisation) REFERENCES organisations (id),
    FOREIGN KEY(case_id) REFERENCES cases (id),
    FOREIGN KEY(by_user) REFERENCES users (id)
);

CREATE INDEX case_entries_by_admin_code ON case_entries (admin_code, recorded_at, id);

CREATE INDEX case_entries_by_branch ON case_entries (branch, recorded_at, id);

CREATE INDEX case_entries_by_city ON case_entries (city, recorded_at, id);

CREATE INDEX case_entries_by_key ON case_entries (recorded_at, id);

CREATE INDEX case_entries_by_path ON case_entries (path, recorded_at, id);

CREATE INDEX case_entries_by_province ON case_entries (province, recorded_at, id);

CREATE INDEX case_entries_by_root ON case_entries (root, recorded_at, id);

CREATE INDEX ix_case_entries_by_user ON case_entries (by_user);

CREATE INDEX ix_case_entries_case_id ON case_entries (case_id);
