CREATE TABLE attempts (
    name_digest BYTEA NOT NULL,
    failures BIGINT NOT NULL,
    locked_until BIGINT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (name_digest)
);

CREATE INDEX ix_attempts_at ON attempts (at);

CREATE TABLE audit (
    n BIGINT NOT NULL,
    at BIGINT NOT NULL,
    actor TEXT COLLATE "C" NOT NULL,
    action TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    record TEXT COLLATE "C" NOT NULL,
    path TEXT COLLATE "C" NOT NULL,
    admin_code TEXT COLLATE "C" NOT NULL,
    detail TEXT COLLATE "C" NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    before BYTEA NOT NULL,
    seal BYTEA NOT NULL,
    PRIMARY KEY (n)
);

CREATE INDEX audit_by_actor ON audit (actor, n);

CREATE INDEX audit_by_record ON audit (kind, record, n);

CREATE TABLE audit_head (
    id INTEGER NOT NULL,
    n BIGINT NOT NULL,
    seal BYTEA NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT one_head CHECK (id = 1)
);

CREATE TABLE organisations (
    id TEXT COLLATE "C" NOT NULL,
    parent TEXT COLLATE "C",
    kind TEXT COLLATE "C" NOT NULL,
    department TEXT COLLATE "C",
    name_zh TEXT COLLATE "C" NOT NULL,
    name_en TEXT COLLATE "C",
    admin_code TEXT COLLATE "C" NOT NULL,
    path TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT COLLATE "C" NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT COLLATE "C" NOT NULL,
    salt BYTEA NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(parent) REFERENCES organisations (id),
    UNIQUE (path)
);

CREATE TABLE attachments (
    id TEXT COLLATE "C" NOT NULL,
    organisation TEXT COLLATE "C" NOT NULL,
    path TEXT COLLATE "C" NOT NULL,
    root TEXT COLLATE "C" NOT NULL,
    branch TEXT COLLATE "C" NOT NULL,
    admin_code TEXT COLLATE "C" NOT NULL,
    province TEXT COLLATE "C" NOT NULL,
    city TEXT COLLATE "C" NOT NULL,
    about_kind TEXT COLLATE "C" NOT NULL,
    about TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    media_type TEXT COLLATE "C" NOT NULL,
    size_bytes BIGINT NOT NULL,
    sha256 TEXT COLLATE "C" NOT NULL,
    taken_at BIGINT,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT COLLATE "C" NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT COLLATE "C" NOT NULL,
    salt BYTEA NOT NULL,
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
    id TEXT COLLATE "C" NOT NULL,
    organisation TEXT COLLATE "C" NOT NULL,
    path TEXT COLLATE "C" NOT NULL,
    root TEXT COLLATE "C" NOT NULL,
    branch TEXT COLLATE "C" NOT NULL,
    admin_code TEXT COLLATE "C" NOT NULL,
    province TEXT COLLATE "C" NOT NULL,
    city TEXT COLLATE "C" NOT NULL,
    title TEXT COLLATE "C" NOT NULL,
    theme TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    starts_at BIGINT NOT NULL,
    ends_at BIGINT,
    targets TEXT,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT COLLATE "C" NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT COLLATE "C" NOT NULL,
    salt BYTEA NOT NULL,
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
    id TEXT COLLATE "C" NOT NULL,
    organisation TEXT COLLATE "C" NOT NULL,
    path TEXT COLLATE "C" NOT NULL,
    root TEXT COLLATE "C" NOT NULL,
    branch TEXT COLLATE "C" NOT NULL,
    admin_code TEXT COLLATE "C" NOT NULL,
    province TEXT COLLATE "C" NOT NULL,
    city TEXT COLLATE "C" NOT NULL,
    site_id TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    status TEXT COLLATE "C" NOT NULL,
    status_reason TEXT COLLATE "C",
    status_since BIGINT,
    filing_no TEXT COLLATE "C",
    lon DOUBLE PRECISION,
    lat DOUBLE PRECISION,
    contact_name TEXT COLLATE "C",
    contact_phone TEXT COLLATE "C",
    details TEXT,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT COLLATE "C" NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT COLLATE "C" NOT NULL,
    salt BYTEA NOT NULL,
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
    id TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    organisation TEXT COLLATE "C" NOT NULL,
    is_active BOOLEAN NOT NULL,
    password_hash TEXT COLLATE "C" NOT NULL,
    password_at BIGINT NOT NULL,
    must_change BOOLEAN NOT NULL,
    totp_secret TEXT COLLATE "C",
    totp_is_on BOOLEAN NOT NULL,
    totp_step BIGINT NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT COLLATE "C" NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT COLLATE "C" NOT NULL,
    salt BYTEA NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (name),
    FOREIGN KEY(organisation) REFERENCES organisations (id)
);

CREATE INDEX ix_users_organisation ON users (organisation);

CREATE TABLE grants (
    id TEXT COLLATE "C" NOT NULL,
    "user" TEXT COLLATE "C" NOT NULL,
    role TEXT COLLATE "C" NOT NULL,
    path TEXT COLLATE "C" NOT NULL,
    region TEXT COLLATE "C" NOT NULL,
    until BIGINT,
    given_at BIGINT NOT NULL,
    given_by TEXT COLLATE "C" NOT NULL,
    removed_at BIGINT,
    removed_by TEXT COLLATE "C",
    PRIMARY KEY (id),
    FOREIGN KEY("user") REFERENCES users (id)
);

CREATE INDEX ix_grants_user ON grants ("user");

CREATE TABLE inspections (
    id TEXT COLLATE "C" NOT NULL,
    organisation TEXT COLLATE "C" NOT NULL,
    path TEXT COLLATE "C" NOT NULL,
    root TEXT COLLATE "C" NOT NULL,
    branch TEXT COLLATE "C" NOT NULL,
    admin_code TEXT COLLATE "C" NOT NULL,
    province TEXT COLLATE "C" NOT NULL,
    city TEXT COLLATE "C" NOT NULL,
    site TEXT COLLATE "C",
    form_id TEXT COLLATE "C" NOT NULL,
    form_version TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    inspector TEXT COLLATE "C",
    planned_at BIGINT NOT NULL,
    started_at BIGINT,
    finished_at BIGINT,
    unannounced BOOLEAN NOT NULL,
    answers TEXT,
    result TEXT COLLATE "C",
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT COLLATE "C" NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT COLLATE "C" NOT NULL,
    salt BYTEA NOT NULL,
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
    id TEXT COLLATE "C" NOT NULL,
    "user" TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    label TEXT COLLATE "C" NOT NULL,
    hash BYTEA NOT NULL,
    made_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT,
    PRIMARY KEY (id),
    FOREIGN KEY("user") REFERENCES users (id),
    UNIQUE (hash)
);

CREATE INDEX ix_passes_user ON passes ("user");

CREATE TABLE recovery_codes (
    id TEXT COLLATE "C" NOT NULL,
    "user" TEXT COLLATE "C" NOT NULL,
    hash BYTEA NOT NULL,
    used_at BIGINT,
    PRIMARY KEY (id),
    FOREIGN KEY("user") REFERENCES users (id)
);

CREATE INDEX ix_recovery_codes_user ON recovery_codes ("user");

CREATE TABLE tasks (
    id TEXT COLLATE "C" NOT NULL,
    organisation TEXT COLLATE "C" NOT NULL,
    path TEXT COLLATE "C" NOT NULL,
    root TEXT COLLATE "C" NOT NULL,
    branch TEXT COLLATE "C" NOT NULL,
    admin_code TEXT COLLATE "C" NOT NULL,
    province TEXT COLLATE "C" NOT NULL,
    city TEXT COLLATE "C" NOT NULL,
    decision TEXT COLLATE "C",
    parent TEXT COLLATE "C",
    title TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    owner TEXT COLLATE "C",
    deadline BIGINT NOT NULL,
    evidence TEXT,
    reminded_at BIGINT,
    escalation BIGINT NOT NULL,
    escalated_at BIGINT,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT COLLATE "C" NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT COLLATE "C" NOT NULL,
    salt BYTEA NOT NULL,
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
    id TEXT COLLATE "C" NOT NULL,
    organisation TEXT COLLATE "C" NOT NULL,
    path TEXT COLLATE "C" NOT NULL,
    root TEXT COLLATE "C" NOT NULL,
    branch TEXT COLLATE "C" NOT NULL,
    admin_code TEXT COLLATE "C" NOT NULL,
    province TEXT COLLATE "C" NOT NULL,
    city TEXT COLLATE "C" NOT NULL,
    campaign TEXT COLLATE "C",
    site TEXT COLLATE "C",
    inspection TEXT COLLATE "C",
    category TEXT COLLATE "C" NOT NULL,
    quantity DOUBLE PRECISION,
    unit TEXT COLLATE "C",
    found_at BIGINT NOT NULL,
    item_id TEXT COLLATE "C",
    description TEXT COLLATE "C",
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT COLLATE "C" NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT COLLATE "C" NOT NULL,
    salt BYTEA NOT NULL,
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
    id TEXT COLLATE "C" NOT NULL,
    organisation TEXT COLLATE "C" NOT NULL,
    path TEXT COLLATE "C" NOT NULL,
    root TEXT COLLATE "C" NOT NULL,
    branch TEXT COLLATE "C" NOT NULL,
    admin_code TEXT COLLATE "C" NOT NULL,
    province TEXT COLLATE "C" NOT NULL,
    city TEXT COLLATE "C" NOT NULL,
    site TEXT COLLATE "C",
    inspection TEXT COLLATE "C",
    item TEXT COLLATE "C",
    title TEXT COLLATE "C" NOT NULL,
    grade TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    owner TEXT COLLATE "C",
    owner_name TEXT COLLATE "C",
    deadline BIGINT NOT NULL,
    found_at BIGINT NOT NULL,
    evidence TEXT,
    recheck_at BIGINT,
    recheck_result TEXT COLLATE "C",
    escalation BIGINT NOT NULL,
    escalated_at BIGINT,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT COLLATE "C" NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT COLLATE "C" NOT NULL,
    salt BYTEA NOT NULL,
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
    id TEXT COLLATE "C" NOT NULL,
    organisation TEXT COLLATE "C" NOT NULL,
    path TEXT COLLATE "C" NOT NULL,
    root TEXT COLLATE "C" NOT NULL,
    branch TEXT COLLATE "C" NOT NULL,
    admin_code TEXT COLLATE "C" NOT NULL,
    province TEXT COLLATE "C" NOT NULL,
    city TEXT COLLATE "C" NOT NULL,
    hazard TEXT COLLATE "C",
    gap TEXT COLLATE "C",
    title TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    owner TEXT COLLATE "C",
    deadline BIGINT NOT NULL,
    evidence TEXT,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT COLLATE "C" NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT COLLATE "C" NOT NULL,
    salt BYTEA NOT NULL,
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

CREATE FUNCTION audit_stays() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the audit is never changed nor deleted'; END $$;

CREATE TRIGGER audit_is_never_changed BEFORE UPDATE OR DELETE ON audit
FOR EACH ROW EXECUTE FUNCTION audit_stays();

CREATE TRIGGER audit_is_never_emptied BEFORE TRUNCATE ON audit
FOR EACH STATEMENT EXECUTE FUNCTION audit_stays();

INSERT INTO audit_head (id, n, seal) VALUES (1, 0, '');
