CREATE TABLE scorecards (
    id TEXT NOT NULL,
    organisation TEXT NOT NULL,
    path TEXT NOT NULL,
    root TEXT NOT NULL,
    branch TEXT NOT NULL,
    admin_code TEXT NOT NULL,
    province TEXT NOT NULL,
    city TEXT NOT NULL,
    card_id TEXT NOT NULL,
    card_version TEXT NOT NULL,
    title TEXT NOT NULL,
    year BIGINT NOT NULL,
    subjects BIGINT NOT NULL,
    departments TEXT NOT NULL,
    card TEXT NOT NULL,
    marks_shown_at BIGINT,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT NOT NULL,
    salt BLOB NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(organisation) REFERENCES organisations (id)
);

CREATE INDEX scorecards_by_admin_code ON scorecards (admin_code, card_id, id);

CREATE INDEX scorecards_by_branch ON scorecards (branch, card_id, id);

CREATE INDEX scorecards_by_city ON scorecards (city, card_id, id);

CREATE INDEX scorecards_by_key ON scorecards (card_id, id);

CREATE INDEX scorecards_by_path ON scorecards (path, card_id, id);

CREATE INDEX scorecards_by_province ON scorecards (province, card_id, id);

CREATE INDEX scorecards_by_root ON scorecards (root, card_id, id);

CREATE TABLE assessments (
    id TEXT NOT NULL,
    organisation TEXT NOT NULL,
    path TEXT NOT NULL,
    root TEXT NOT NULL,
    branch TEXT NOT NULL,
    admin_code TEXT NOT NULL,
    province TEXT NOT NULL,
    city TEXT NOT NULL,
    scorecard TEXT NOT NULL,
    subject_id TEXT NOT NULL,
    place BIGINT NOT NULL,
    state TEXT NOT NULL,
    data TEXT NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT NOT NULL,
    salt BLOB NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(organisation) REFERENCES organisations (id),
    FOREIGN KEY(scorecard) REFERENCES scorecards (id)
);

CREATE INDEX assessments_by_admin_code ON assessments (admin_code, subject_id, id);

CREATE INDEX assessments_by_branch ON assessments (branch, subject_id, id);

CREATE INDEX assessments_by_city ON assessments (city, subject_id, id);

CREATE INDEX assessments_by_key ON assessments (subject_id, id);

CREATE INDEX assessments_by_path ON assessments (path, subject_id, id);

CREATE INDEX assessments_by_province ON assessments (province, subject_id, id);

CREATE INDEX assessments_by_root ON assessments (root, subject_id, id);

CREATE INDEX ix_assessments_scorecard ON assessments (scorecard);

CREATE TABLE statements (
    id TEXT NOT NULL,
    organisation TEXT NOT NULL,
    path TEXT NOT NULL,
    root TEXT NOT NULL,
    branch TEXT NOT NULL,
    admin_code TEXT NOT NULL,
    province TEXT NOT NULL,
    city TEXT NOT NULL,
    assessment TEXT NOT NULL,
    stage TEXT NOT NULL,
    content TEXT NOT NULL,
    said_at BIGINT NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT NOT NULL,
    salt BLOB NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(organisation) REFERENCES organisations (id),
    FOREIGN KEY(assessment) REFERENCES assessments (id)
);

CREATE INDEX ix_statements_assessment ON statements (assessment);

CREATE INDEX statements_by_admin_code ON statements (admin_code, said_at, id);

CREATE INDEX statements_by_branch ON statements (branch, said_at, id);

CREATE INDEX statements_by_city ON statements (city, said_at, id);

CREATE INDEX statements_by_key ON statements (said_at, id);

CREATE INDEX statements_by_path ON statements (path, said_at, id);

CREATE INDEX statements_by_province ON statements (province, said_at, id);

CREATE INDEX statements_by_root ON statements (root, said_at, id);

CREATE TABLE marks (
    id TEXT NOT NULL,
    organisation TEXT NOT NULL,
    path TEXT NOT NULL,
    root TEXT NOT NULL,
    branch TEXT NOT NULL,
    admin_code TEXT NOT NULL,
    province TEXT NOT NULL,
    city TEXT NOT NULL,
    scorecard TEXT NOT NULL,
    assessment TEXT NOT NULL,
    department TEXT NOT NULL,
    marks TEXT NOT NULL,
    marked_at BIGINT NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT NOT NULL,
    salt BLOB NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(organisation) REFERENCES organisations (id),
    FOREIGN KEY(scorecard) REFERENCES scorecards (id),
    FOREIGN KEY(assessment) REFERENCES assessments (id)
);

CREATE INDEX ix_marks_assessment ON marks (assessment);

CREATE INDEX ix_marks_scorecard ON marks (scorecard);

CREATE INDEX marks_by_admin_code ON marks (admin_code, marked_at, id);

CREATE INDEX marks_by_branch ON marks (branch, marked_at, id);

CREATE INDEX marks_by_city ON marks (city, marked_at, id);

CREATE INDEX marks_by_key ON marks (marked_at, id);

CREATE INDEX marks_by_path ON marks (path, marked_at, id);

CREATE INDEX marks_by_province ON marks (province, marked_at, id);

CREATE INDEX marks_by_root ON marks (root, marked_at, id);

CREATE TABLE hand_ins (
    id TEXT NOT NULL,
    organisation TEXT NOT NULL,
    path TEXT NOT NULL,
    root TEXT NOT NULL,
    branch TEXT NOT NULL,
    admin_code TEXT NOT NULL,
    province TEXT NOT NULL,
    city TEXT NOT NULL,
    scorecard TEXT NOT NULL,
    department TEXT NOT NULL,
    outcome TEXT NOT NULL,
    handed_in_at BIGINT NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT NOT NULL,
    salt BLOB NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(organisation) REFERENCES organisations (id),
    FOREIGN KEY(scorecard) REFERENCES scorecards (id)
);

CREATE INDEX hand_ins_by_admin_code ON hand_ins (admin_code, handed_in_at, id);

CREATE INDEX hand_ins_by_branch ON hand_ins (branch, handed_in_at, id);

CREATE INDEX hand_ins_by_city ON hand_ins (city, handed_in_at, id);

CREATE INDEX hand_ins_by_key ON hand_ins (handed_in_at, id);

CREATE INDEX hand_ins_by_path ON hand_ins (path, handed_in_at, id);

CREATE INDEX hand_ins_by_province ON hand_ins (province, handed_in_at, id);

CREATE INDEX hand_ins_by_root ON hand_ins (root, handed_in_at, id);

CREATE INDEX ix_hand_ins_scorecard ON hand_ins (scorecard);
