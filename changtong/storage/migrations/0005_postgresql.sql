CREATE TABLE cases (
    id TEXT COLLATE "C" NOT NULL,
    organisation TEXT COLLATE "C" NOT NULL,
    path TEXT COLLATE "C" NOT NULL,
    root TEXT COLLATE "C" NOT NULL,
    branch TEXT COLLATE "C" NOT NULL,
    admin_code TEXT COLLATE "C" NOT NULL,
    province TEXT COLLATE "C" NOT NULL,
    city TEXT COLLATE "C" NOT NULL,
    title TEXT COLLATE "C" NOT NULL,
    plan TEXT COLLATE "C" NOT NULL,
    plan_version TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    level TEXT COLLATE "C" NOT NULL,
    opened_at BIGINT NOT NULL,
    known_at BIGINT NOT NULL,
    ended_at BIGINT,
    closed_at BIGINT,
    entries BIGINT NOT NULL,
    head TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT COLLATE "C" NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT COLLATE "C" NOT NULL,
    salt BYTEA NOT NULL,
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
    id TEXT COLLATE "C" NOT NULL,
    organisation TEXT COLLATE "C" NOT NULL,
    path TEXT COLLATE "C" NOT NULL,
    root TEXT COLLATE "C" NOT NULL,
    branch TEXT COLLATE "C" NOT NULL,
    admin_code TEXT COLLATE "C" NOT NULL,
    province TEXT COLLATE "C" NOT NULL,
    city TEXT COLLATE "C" NOT NULL,
    case_id TEXT COLLATE "C" NOT NULL,
    n BIGINT NOT NULL,
    entry_id TEXT COLLATE "C" NOT NULL,
    at BIGINT NOT NULL,
    recorded_at BIGINT NOT NULL,
    by_user TEXT COLLATE "C" NOT NULL,
    action TEXT COLLATE "C" NOT NULL,
    content TEXT NOT NULL,
    before TEXT COLLATE "C" NOT NULL,
    seal TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT COLLATE "C" NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT COLLATE "C" NOT NULL,
    salt BYTEA NOT NULL,
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
