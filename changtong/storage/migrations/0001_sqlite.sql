CREATE TABLE attempts (
    name_digest BLOB NOT NULL,
    failures BIGINT NOT NULL,
    locked_until BIGINT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (name_digest)
);

CREATE INDEX ix_attempts_at ON attempts (at);

CREATE TABLE audit (
    n INTEGER NOT NULL,
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    kind TEXT NOT NULL,
    record TEXT NOT NULL,
    path TEXT NOT NULL,
    admin_code TEXT NOT NULL,
    detail TEXT NOT NULL,
    reason TEXT NOT NULL,
    "before" BLOB NOT NULL,
    seal BLOB NOT NULL,
    PRIMARY KEY (n)
);

CREATE INDEX audit_by_actor ON audit (actor, n);

CREATE INDEX audit_by_record ON audit (kind, record, n);

CREATE TABLE audit_head (
    id INTEGER NOT NULL,
    n BIGINT NOT NULL,
    seal BLOB NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT one_head CHECK (id = 1)
);

CREATE TABLE organisations (
    id TEXT NOT NULL,
    parent TEXT,
    kind TEXT NOT NULL,
    department TEXT,
    name_zh TEXT NOT NULL,
    name_en TEXT,
    admin_code TEXT NOT NULL,
    path TEXT NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT NOT NULL,
    salt BLOB NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(parent) REFERENCES organisations (id),
    UNIQUE (path)
);

CREATE TABLE attachments (
    id TEXT NOT NULL,
    organisation TEXT NOT NULL,
    path TEXT NOT NULL,
    root TEXT NOT NULL,
    branch TEXT NOT NULL,
    admin_code TEXT NOT NULL,
    province TEXT NOT NULL,
    city TEXT NOT NULL,
    about_kind TEXT NOT NULL,
    about TEXT NOT NULL,
    name TEXT NOT NULL,
    media_type TEXT NOT NULL,
    size_bytes BIGINT NOT NULL,
    sha256 TEXT NOT NULL,
    taken_at BIGINT,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT NOT NULL,
    salt BLOB NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(organisation) REFERENCES organisations (id)
);

CREATE INDEX attachments_by_admin_code ON attachments (admin_code, created_at, id);

CREATE INDEX attachments_by_branch ON attachments (branch, created_at, id);

CREATE INDEX attachments_by_city ON attachments (city, created_at, id);

CREATE INDEX attachments_by_key ON attachments (created_at, id);

CREATE INDEX attachments_by_path ON attachments (path, created_at, id);

CREATE INDEX attachments_by_province ON attachments (province, created_at, id);

CREATE INDEX attachments_by_root ON attachments (root, created_at, id);

CREATE TABLE campaigns (
    id TEXT NOT NULL,
    organisation TEXT NOT NULL,
    path TEXT NOT NULL,
    root TEXT NOT NULL,
    branch TEXT NOT NULL,
    admin_code TEXT NOT NULL,
    province TEXT NOT NULL,
    city TEXT NOT NULL,
    title TEXT NOT NULL,
    theme TEXT NOT NULL,
    state TEXT NOT NULL,
    starts_at BIGINT NOT NULL,
    ends_at BIGINT,
    targets TEXT,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT NOT NULL,
    salt BLOB NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(organisation) REFERENCES organisations (id)
);

CREATE INDEX campaigns_by_admin_code ON campaigns (admin_code, starts_at, id);

CREATE INDEX campaigns_by_branch ON campaigns (branch, starts_at, id);

CREATE INDEX campaigns_by_city ON campaigns (city, starts_at, id);

CREATE INDEX campaigns_by_key ON campaigns (starts_at, id);

CREATE INDEX campaigns_by_path ON campaigns (path, starts_at, id);

CREATE INDEX campaigns_by_province ON campaigns (province, starts_at, id);

CREATE INDEX campaigns_by_root ON campaigns (root, starts_at, id);

CREATE TABLE sites (
    id TEXT NOT NULL,
    organisation TEXT NOT NULL,
    path TEXT NOT NULL,
    root TEXT NOT NULL,
    branch TEXT NOT NULL,
    admin_code TEXT NOT NULL,
    province TEXT NOT NULL,
    city TEXT NOT NULL,
    site_id TEXT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    status TEXT NOT NULL,
    status_reason TEXT,
    status_since BIGINT,
    filing_no TEXT,
    lon DOUBLE,
    lat DOUBLE,
    contact_name TEXT,
    contact_phone TEXT,
    details TEXT,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT NOT NULL,
    salt BLOB NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(organisation) REFERENCES organisations (id),
    UNIQUE (site_id)
);

CREATE INDEX sites_by_admin_code ON sites (admin_code, site_id, id);

CREATE INDEX sites_by_branch ON sites (branch, site_id, id);

CREATE INDEX sites_by_city ON sites (city, site_id, id);

CREATE INDEX sites_by_key ON sites (site_id, id);

CREATE INDEX sites_by_path ON sites (path, site_id, id);

CREATE INDEX sites_by_province ON sites (province, site_id, id);

CREATE INDEX sites_by_root ON sites (root, site_id, id);

CREATE TABLE users (
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    organisation TEXT NOT NULL,
    is_active BOOLEAN NOT NULL,
    password_hash TEXT NOT NULL,
    password_at BIGINT NOT NULL,
    must_change BOOLEAN NOT NULL,
    totp_secret TEXT,
    totp_is_on BOOLEAN NOT NULL,
    totp_step BIGINT NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT NOT NULL,
    salt BLOB NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (name),
    FOREIGN KEY(organisation) REFERENCES organisations (id)
);

CREATE INDEX ix_users_organisation ON users (organisation);

CREATE TABLE grants (
    id TEXT NOT NULL,
    user TEXT NOT NULL,
    role TEXT NOT NULL,
    path TEXT NOT NULL,
    region TEXT NOT NULL,
    until BIGINT,
    given_at BIGINT NOT NULL,
    given_by TEXT NOT NULL,
    removed_at BIGINT,
    removed_by TEXT,
    PRIMARY KEY (id),
    FOREIGN KEY(user) REFERENCES users (id)
);

CREATE INDEX ix_grants_user ON grants (user);

CREATE TABLE inspections (
    id TEXT NOT NULL,
    organisation TEXT NOT NULL,
    path TEXT NOT NULL,
    root TEXT NOT NULL,
    branch TEXT NOT NULL,
    admin_code TEXT NOT NULL,
    province TEXT NOT NULL,
    city TEXT NOT NULL,
    site TEXT,
    form_id TEXT NOT NULL,
    form_version TEXT NOT NULL,
    state TEXT NOT NULL,
    inspector TEXT,
    planned_at BIGINT NOT NULL,
    started_at BIGINT,
    finished_at BIGINT,
    unannounced BOOLEAN NOT NULL,
    answers TEXT,
    result TEXT,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT NOT NULL,
    salt BLOB NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(organisation) REFERENCES organisations (id),
    FOREIGN KEY(site) REFERENCES sites (id),
    FOREIGN KEY(inspector) REFERENCES users (id)
);

CREATE INDEX inspections_by_admin_code ON inspections (admin_code, planned_at, id);

CREATE INDEX inspections_by_branch ON inspections (branch, planned_at, id);

CREATE INDEX inspections_by_city ON inspections (city, planned_at, id);

CREATE INDEX inspections_by_key ON inspections (planned_at, id);

CREATE INDEX inspections_by_path ON inspections (path, planned_at, id);

CREATE INDEX inspections_by_province ON inspections (province, planned_at, id);

CREATE INDEX inspections_by_root ON inspections (root, planned_at, id);

CREATE INDEX ix_inspections_inspector ON inspections (inspector);

CREATE INDEX ix_inspections_site ON inspections (site);

CREATE TABLE passes (
    id TEXT NOT NULL,
    user TEXT NOT NULL,
    kind TEXT NOT NULL,
    label TEXT NOT NULL,
    hash BLOB NOT NULL,
    made_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT,
    PRIMARY KEY (id),
    FOREIGN KEY(user) REFERENCES users (id),
    UNIQUE (hash)
);

CREATE INDEX ix_passes_user ON passes (user);

CREATE TABLE recovery_codes (
    id TEXT NOT NULL,
    user TEXT NOT NULL,
    hash BLOB NOT NULL,
    used_at BIGINT,
    PRIMARY KEY (id),
    FOREIGN KEY(user) REFERENCES users (id)
);

CREATE INDEX ix_recovery_codes_user ON recovery_codes (user);

CREATE TABLE tasks (
    id TEXT NOT NULL,
    organisation TEXT NOT NULL,
    path TEXT NOT NULL,
    root TEXT NOT NULL,
    branch TEXT NOT NULL,
    admin_code TEXT NOT NULL,
    province TEXT NOT NULL,
    city TEXT NOT NULL,
    decision TEXT,
    parent TEXT,
    title TEXT NOT NULL,
    state TEXT NOT NULL,
    owner TEXT,
    deadline BIGINT NOT NULL,
    evidence TEXT,
    reminded_at BIGINT,
    escalation BIGINT NOT NULL,
    escalated_at BIGINT,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT NOT NULL,
    salt BLOB NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(organisation) REFERENCES organisations (id),
    FOREIGN KEY(parent) REFERENCES tasks (id),
    FOREIGN KEY(owner) REFERENCES users (id)
);

CREATE INDEX ix_tasks_owner ON tasks (owner);

CREATE INDEX ix_tasks_parent ON tasks (parent);

CREATE INDEX tasks_by_admin_code ON tasks (admin_code, deadline, id);

CREATE INDEX tasks_by_branch ON tasks (branch, deadline, id);

CREATE INDEX tasks_by_city ON tasks (city, deadline, id);

CREATE INDEX tasks_by_key ON tasks (deadline, id);

CREATE INDEX tasks_by_path ON tasks (path, deadline, id);

CREATE INDEX tasks_by_province ON tasks (province, deadline, id);

CREATE INDEX tasks_by_root ON tasks (root, deadline, id);

CREATE TABLE finds (
    id TEXT NOT NULL,
    organisation TEXT NOT NULL,
    path TEXT NOT NULL,
    root TEXT NOT NULL,
    branch TEXT NOT NULL,
    admin_code TEXT NOT NULL,
    province TEXT NOT NULL,
    city TEXT NOT NULL,
    campaign TEXT,
    site TEXT,
    inspection TEXT,
    category TEXT NOT NULL,
    quantity DOUBLE,
    unit TEXT,
    found_at BIGINT NOT NULL,
    item_id TEXT,
    description TEXT,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT NOT NULL,
    salt BLOB NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(organisation) REFERENCES organisations (id),
    FOREIGN KEY(campaign) REFERENCES campaigns (id),
    FOREIGN KEY(site) REFERENCES sites (id),
    FOREIGN KEY(inspection) REFERENCES inspections (id)
);

CREATE INDEX finds_by_admin_code ON finds (admin_code, found_at, id);

CREATE INDEX finds_by_branch ON finds (branch, found_at, id);

CREATE INDEX finds_by_city ON finds (city, found_at, id);

CREATE INDEX finds_by_key ON finds (found_at, id);

CREATE INDEX finds_by_path ON finds (path, found_at, id);

CREATE INDEX finds_by_province ON finds (province, found_at, id);

CREATE INDEX finds_by_root ON finds (root, found_at, id);

CREATE INDEX ix_finds_campaign ON finds (campaign);

CREATE INDEX ix_finds_inspection ON finds (inspection);

CREATE INDEX ix_finds_site ON finds (site);

CREATE TABLE hazards (
    id TEXT NOT NULL,
    organisation TEXT NOT NULL,
    path TEXT NOT NULL,
    root TEXT NOT NULL,
    branch TEXT NOT NULL,
    admin_code TEXT NOT NULL,
    province TEXT NOT NULL,
    city TEXT NOT NULL,
    site TEXT,
    inspection TEXT,
    item TEXT,
    title TEXT NOT NULL,
    grade TEXT NOT NULL,
    state TEXT NOT NULL,
    owner TEXT,
    owner_name TEXT,
    deadline BIGINT NOT NULL,
    found_at BIGINT NOT NULL,
    evidence TEXT,
    recheck_at BIGINT,
    recheck_result TEXT,
    escalation BIGINT NOT NULL,
    escalated_at BIGINT,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT NOT NULL,
    salt BLOB NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(organisation) REFERENCES organisations (id),
    FOREIGN KEY(site) REFERENCES sites (id),
    FOREIGN KEY(inspection) REFERENCES inspections (id),
    FOREIGN KEY(owner) REFERENCES users (id)
);

CREATE INDEX hazards_by_admin_code ON hazards (admin_code, deadline, id);

CREATE INDEX hazards_by_branch ON hazards (branch, deadline, id);

CREATE INDEX hazards_by_city ON hazards (city, deadline, id);

CREATE INDEX hazards_by_key ON hazards (deadline, id);

CREATE INDEX hazards_by_path ON hazards (path, deadline, id);

CREATE INDEX hazards_by_province ON hazards (province, deadline, id);

CREATE INDEX hazards_by_root ON hazards (root, deadline, id);

CREATE INDEX ix_hazards_inspection ON hazards (inspection);

CREATE INDEX ix_hazards_owner ON hazards (owner);

CREATE INDEX ix_hazards_site ON hazards (site);

CREATE TABLE rectifications (
    id TEXT NOT NULL,
    organisation TEXT NOT NULL,
    path TEXT NOT NULL,
    root TEXT NOT NULL,
    branch TEXT NOT NULL,
    admin_code TEXT NOT NULL,
    province TEXT NOT NULL,
    city TEXT NOT NULL,
    hazard TEXT,
    gap TEXT,
    title TEXT NOT NULL,
    state TEXT NOT NULL,
    owner TEXT,
    deadline BIGINT NOT NULL,
    evidence TEXT,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT NOT NULL,
    salt BLOB NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(organisation) REFERENCES organisations (id),
    FOREIGN KEY(hazard) REFERENCES hazards (id),
    FOREIGN KEY(owner) REFERENCES users (id)
);

CREATE INDEX ix_rectifications_hazard ON rectifications (hazard);

CREATE INDEX ix_rectifications_owner ON rectifications (owner);

CREATE INDEX rectifications_by_admin_code ON rectifications (admin_code, deadline, id);

CREATE INDEX rectifications_by_branch ON rectifications (branch, deadline, id);

CREATE INDEX rectifications_by_city ON rectifications (city, deadline, id);

CREATE INDEX rectifications_by_key ON rectifications (deadline, id);

CREATE INDEX rectifications_by_path ON rectifications (path, deadline, id);

CREATE INDEX rectifications_by_province ON rectifications (province, deadline, id);

CREATE INDEX rectifications_by_root ON rectifications (root, deadline, id);

CREATE TRIGGER audit_is_never_changed BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit is never changed'); END;

CREATE TRIGGER audit_is_never_deleted BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit is never deleted'); END;

INSERT INTO audit_head (id, n, seal) VALUES (1, 0, X'');
