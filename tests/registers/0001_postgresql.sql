CREATE FUNCTION public.audit_stays() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN RAISE EXCEPTION 'the audit is never changed nor deleted'; END $$;

CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);

CREATE TABLE public.attachments (
    id text NOT NULL COLLATE pg_catalog."C",
    organisation text NOT NULL COLLATE pg_catalog."C",
    path text NOT NULL COLLATE pg_catalog."C",
    root text NOT NULL COLLATE pg_catalog."C",
    branch text NOT NULL COLLATE pg_catalog."C",
    admin_code text NOT NULL COLLATE pg_catalog."C",
    province text NOT NULL COLLATE pg_catalog."C",
    city text NOT NULL COLLATE pg_catalog."C",
    about_kind text NOT NULL COLLATE pg_catalog."C",
    about text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL COLLATE pg_catalog."C",
    media_type text NOT NULL COLLATE pg_catalog."C",
    size_bytes bigint NOT NULL,
    sha256 text NOT NULL COLLATE pg_catalog."C",
    taken_at bigint,
    version bigint NOT NULL,
    created_at bigint NOT NULL,
    created_by text NOT NULL COLLATE pg_catalog."C",
    updated_at bigint NOT NULL,
    updated_by text NOT NULL COLLATE pg_catalog."C",
    salt bytea NOT NULL
);

CREATE TABLE public.attempts (
    name_digest bytea NOT NULL,
    failures bigint NOT NULL,
    locked_until bigint NOT NULL,
    at bigint NOT NULL
);

CREATE TABLE public.audit (
    n bigint NOT NULL,
    at bigint NOT NULL,
    actor text NOT NULL COLLATE pg_catalog."C",
    action text NOT NULL COLLATE pg_catalog."C",
    kind text NOT NULL COLLATE pg_catalog."C",
    record text NOT NULL COLLATE pg_catalog."C",
    path text NOT NULL COLLATE pg_catalog."C",
    admin_code text NOT NULL COLLATE pg_catalog."C",
    detail text NOT NULL COLLATE pg_catalog."C",
    reason text NOT NULL COLLATE pg_catalog."C",
    before bytea NOT NULL,
    seal bytea NOT NULL
);

CREATE TABLE public.audit_head (
    id integer NOT NULL,
    n bigint NOT NULL,
    seal bytea NOT NULL,
    CONSTRAINT one_head CHECK ((id = 1))
);

CREATE TABLE public.campaigns (
    id text NOT NULL COLLATE pg_catalog."C",
    organisation text NOT NULL COLLATE pg_catalog."C",
    path text NOT NULL COLLATE pg_catalog."C",
    root text NOT NULL COLLATE pg_catalog."C",
    branch text NOT NULL COLLATE pg_catalog."C",
    admin_code text NOT NULL COLLATE pg_catalog."C",
    province text NOT NULL COLLATE pg_catalog."C",
    city text NOT NULL COLLATE pg_catalog."C",
    title text NOT NULL COLLATE pg_catalog."C",
    theme text NOT NULL COLLATE pg_catalog."C",
    state text NOT NULL COLLATE pg_catalog."C",
    starts_at bigint NOT NULL,
    ends_at bigint,
    targets text,
    version bigint NOT NULL,
    created_at bigint NOT NULL,
    created_by text NOT NULL COLLATE pg_catalog."C",
    updated_at bigint NOT NULL,
    updated_by text NOT NULL COLLATE pg_catalog."C",
    salt bytea NOT NULL
);

CREATE TABLE public.finds (
    id text NOT NULL COLLATE pg_catalog."C",
    organisation text NOT NULL COLLATE pg_catalog."C",
    path text NOT NULL COLLATE pg_catalog."C",
    root text NOT NULL COLLATE pg_catalog."C",
    branch text NOT NULL COLLATE pg_catalog."C",
    admin_code text NOT NULL COLLATE pg_catalog."C",
    province text NOT NULL COLLATE pg_catalog."C",
    city text NOT NULL COLLATE pg_catalog."C",
    campaign text COLLATE pg_catalog."C",
    site text COLLATE pg_catalog."C",
    inspection text COLLATE pg_catalog."C",
    category text NOT NULL COLLATE pg_catalog."C",
    quantity double precision,
    unit text COLLATE pg_catalog."C",
    found_at bigint NOT NULL,
    item_id text COLLATE pg_catalog."C",
    description text COLLATE pg_catalog."C",
    version bigint NOT NULL,
    created_at bigint NOT NULL,
    created_by text NOT NULL COLLATE pg_catalog."C",
    updated_at bigint NOT NULL,
    updated_by text NOT NULL COLLATE pg_catalog."C",
    salt bytea NOT NULL
);

CREATE TABLE public.grants (
    id text NOT NULL COLLATE pg_catalog."C",
    "user" text NOT NULL COLLATE pg_catalog."C",
    role text NOT NULL COLLATE pg_catalog."C",
    path text NOT NULL COLLATE pg_catalog."C",
    region text NOT NULL COLLATE pg_catalog."C",
    until bigint,
    given_at bigint NOT NULL,
    given_by text NOT NULL COLLATE pg_catalog."C",
    removed_at bigint,
    removed_by text COLLATE pg_catalog."C"
);

CREATE TABLE public.hazards (
    id text NOT NULL COLLATE pg_catalog."C",
    organisation text NOT NULL COLLATE pg_catalog."C",
    path text NOT NULL COLLATE pg_catalog."C",
    root text NOT NULL COLLATE pg_catalog."C",
    branch text NOT NULL COLLATE pg_catalog."C",
    admin_code text NOT NULL COLLATE pg_catalog."C",
    province text NOT NULL COLLATE pg_catalog."C",
    city text NOT NULL COLLATE pg_catalog."C",
    site text COLLATE pg_catalog."C",
    inspection text COLLATE pg_catalog."C",
    item text COLLATE pg_catalog."C",
    title text NOT NULL COLLATE pg_catalog."C",
    grade text NOT NULL COLLATE pg_catalog."C",
    state text NOT NULL COLLATE pg_catalog."C",
    owner text COLLATE pg_catalog."C",
    owner_name text COLLATE pg_catalog."C",
    deadline bigint NOT NULL,
    found_at bigint NOT NULL,
    evidence text,
    recheck_at bigint,
    recheck_result text COLLATE pg_catalog."C",
    escalation bigint NOT NULL,
    escalated_at bigint,
    version bigint NOT NULL,
    created_at bigint NOT NULL,
    created_by text NOT NULL COLLATE pg_catalog."C",
    updated_at bigint NOT NULL,
    updated_by text NOT NULL COLLATE pg_catalog."C",
    salt bytea NOT NULL
);

CREATE TABLE public.inspections (
    id text NOT NULL COLLATE pg_catalog."C",
    organisation text NOT NULL COLLATE pg_catalog."C",
    path text NOT NULL COLLATE pg_catalog."C",
    root text NOT NULL COLLATE pg_catalog."C",
    branch text NOT NULL COLLATE pg_catalog."C",
    admin_code text NOT NULL COLLATE pg_catalog."C",
    province text NOT NULL COLLATE pg_catalog."C",
    city text NOT NULL COLLATE pg_catalog."C",
    site text COLLATE pg_catalog."C",
    form_id text NOT NULL COLLATE pg_catalog."C",
    form_version text NOT NULL COLLATE pg_catalog."C",
    state text NOT NULL COLLATE pg_catalog."C",
    inspector text COLLATE pg_catalog."C",
    planned_at bigint NOT NULL,
    started_at bigint,
    finished_at bigint,
    unannounced boolean NOT NULL,
    answers text,
    result text COLLATE pg_catalog."C",
    version bigint NOT NULL,
    created_at bigint NOT NULL,
    created_by text NOT NULL COLLATE pg_catalog."C",
    updated_at bigint NOT NULL,
    updated_by text NOT NULL COLLATE pg_catalog."C",
    salt bytea NOT NULL
);

CREATE TABLE public.organisations (
    id text NOT NULL COLLATE pg_catalog."C",
    parent text COLLATE pg_catalog."C",
    kind text NOT NULL COLLATE pg_catalog."C",
    department text COLLATE pg_catalog."C",
    name_zh text NOT NULL COLLATE pg_catalog."C",
    name_en text COLLATE pg_catalog."C",
    admin_code text NOT NULL COLLATE pg_catalog."C",
    path text NOT NULL COLLATE pg_catalog."C",
    version bigint NOT NULL,
    created_at bigint NOT NULL,
    created_by text NOT NULL COLLATE pg_catalog."C",
    updated_at bigint NOT NULL,
    updated_by text NOT NULL COLLATE pg_catalog."C",
    salt bytea NOT NULL
);

CREATE TABLE public.passes (
    id text NOT NULL COLLATE pg_catalog."C",
    "user" text NOT NULL COLLATE pg_catalog."C",
    kind text NOT NULL COLLATE pg_catalog."C",
    label text NOT NULL COLLATE pg_catalog."C",
    hash bytea NOT NULL,
    made_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    revoked_at bigint
);

CREATE TABLE public.recovery_codes (
    id text NOT NULL COLLATE pg_catalog."C",
    "user" text NOT NULL COLLATE pg_catalog."C",
    hash bytea NOT NULL,
    used_at bigint
);

CREATE TABLE public.rectifications (
    id text NOT NULL COLLATE pg_catalog."C",
    organisation text NOT NULL COLLATE pg_catalog."C",
    path text NOT NULL COLLATE pg_catalog."C",
    root text NOT NULL COLLATE pg_catalog."C",
    branch text NOT NULL COLLATE pg_catalog."C",
    admin_code text NOT NULL COLLATE pg_catalog."C",
    province text NOT NULL COLLATE pg_catalog."C",
    city text NOT NULL COLLATE pg_catalog."C",
    hazard text COLLATE pg_catalog."C",
    gap text COLLATE pg_catalog."C",
    title text NOT NULL COLLATE pg_catalog."C",
    state text NOT NULL COLLATE pg_catalog."C",
    owner text COLLATE pg_catalog."C",
    deadline bigint NOT NULL,
    evidence text,
    version bigint NOT NULL,
    created_at bigint NOT NULL,
    created_by text NOT NULL COLLATE pg_catalog."C",
    updated_at bigint NOT NULL,
    updated_by text NOT NULL COLLATE pg_catalog."C",
    salt bytea NOT NULL
);

CREATE TABLE public.sites (
    id text NOT NULL COLLATE pg_catalog."C",
    organisation text NOT NULL COLLATE pg_catalog."C",
    path text NOT NULL COLLATE pg_catalog."C",
    root text NOT NULL COLLATE pg_catalog."C",
    branch text NOT NULL COLLATE pg_catalog."C",
    admin_code text NOT NULL COLLATE pg_catalog."C",
    province text NOT NULL COLLATE pg_catalog."C",
    city text NOT NULL COLLATE pg_catalog."C",
    site_id text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL COLLATE pg_catalog."C",
    kind text NOT NULL COLLATE pg_catalog."C",
    status text NOT NULL COLLATE pg_catalog."C",
    status_reason text COLLATE pg_catalog."C",
    status_since bigint,
    filing_no text COLLATE pg_catalog."C",
    lon double precision,
    lat double precision,
    contact_name text COLLATE pg_catalog."C",
    contact_phone text COLLATE pg_catalog."C",
    details text,
    version bigint NOT NULL,
    created_at bigint NOT NULL,
    created_by text NOT NULL COLLATE pg_catalog."C",
    updated_at bigint NOT NULL,
    updated_by text NOT NULL COLLATE pg_catalog."C",
    salt bytea NOT NULL
);

CREATE TABLE public.tasks (
    id text NOT NULL COLLATE pg_catalog."C",
    organisation text NOT NULL COLLATE pg_catalog."C",
    path text NOT NULL COLLATE pg_catalog."C",
    root text NOT NULL COLLATE pg_catalog."C",
    branch text NOT NULL COLLATE pg_catalog."C",
    admin_code text NOT NULL COLLATE pg_catalog."C",
    province text NOT NULL COLLATE pg_catalog."C",
    city text NOT NULL COLLATE pg_catalog."C",
    decision text COLLATE pg_catalog."C",
    parent text COLLATE pg_catalog."C",
    title text NOT NULL COLLATE pg_catalog."C",
    state text NOT NULL COLLATE pg_catalog."C",
    owner text COLLATE pg_catalog."C",
    deadline bigint NOT NULL,
    evidence text,
    reminded_at bigint,
    escalation bigint NOT NULL,
    escalated_at bigint,
    version bigint NOT NULL,
    created_at bigint NOT NULL,
    created_by text NOT NULL COLLATE pg_catalog."C",
    updated_at bigint NOT NULL,
    updated_by text NOT NULL COLLATE pg_catalog."C",
    salt bytea NOT NULL
);

CREATE TABLE public.users (
    id text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL COLLATE pg_catalog."C",
    organisation text NOT NULL COLLATE pg_catalog."C",
    is_active boolean NOT NULL,
    password_hash text NOT NULL COLLATE pg_catalog."C",
    password_at bigint NOT NULL,
    must_change boolean NOT NULL,
    totp_secret text COLLATE pg_catalog."C",
    totp_is_on boolean NOT NULL,
    totp_step bigint NOT NULL,
    version bigint NOT NULL,
    created_at bigint NOT NULL,
    created_by text NOT NULL COLLATE pg_catalog."C",
    updated_at bigint NOT NULL,
    updated_by text NOT NULL COLLATE pg_catalog."C",
    salt bytea NOT NULL
);

INSERT INTO public.alembic_version VALUES ('0001');

INSERT INTO public.attachments VALUES ('01m8dkrkmy92rbz44v06tckgkw', 'spb-sz', '/spb/spb-gd/spb-sz/', '/spb/', '/spb/spb-gd/', '440300', '44', '4403', 'site', '01m8dkrkj4tn4yh02tawexpxdc', '门口.png', 'image/png', 108, 'a1f76d954944aa5baf6d59cbc33793432c6aed8cb308b595e15055a9e37185b7', NULL, 1, 1795753266846, '01m8dkrkcvdzpyqe0kzy5nh3dd', 1795753266846, '01m8dkrkcvdzpyqe0kzy5nh3dd', '\xe4e48454bd38419ecb6d0f403ed3a897');

INSERT INTO public.audit VALUES (1, 1795753266216, 'set-up', 'create', 'registers', '', '/spb/', '000000', '{"administrator":"01m8dkrk18btrystgy3bwnsx00","digest":"57a2481dc685a69d35fb64e350af72d6862f64d0f92ab9285462c4bfd8f38a38","organisation":"spb"}', '', '\x86ad0e0daf621d9ba4c50021d9ba56bf957f96a9ac2850ac6265ea7e46275b67', '\x0639d69e8f5c18e3493bfd06cb8c6911dd097ab03243fc1f18712febc5721d30');

INSERT INTO public.audit VALUES (2, 1795753266495, '01m8dkrk18btrystgy3bwnsx00', 'sign-in', 'user', '01m8dkrk18btrystgy3bwnsx00', '/spb/', '000000', '{"pass":"01m8dkrk9txdpd9adsav8mnpkb"}', '', '\x0639d69e8f5c18e3493bfd06cb8c6911dd097ab03243fc1f18712febc5721d30', '\xe81ffcba3a061025c44ecb1735153c4311c89d4138608a0691529090772cc58b');

INSERT INTO public.audit VALUES (3, 1795753266506, '01m8dkrk18btrystgy3bwnsx00', 'add', 'organisation', 'spb-gd', '/spb/spb-gd/', '440000', '{"digest":"e878d5d05c063beef5e548be0bf7afd4ed2a84f6596e93553b224b365a1f75c1","kind":"province","parent":"spb","version":1}', '', '\xe81ffcba3a061025c44ecb1735153c4311c89d4138608a0691529090772cc58b', '\x6bb4e2cb3e4ec0440cc692fbf5a7dbfc4b91c93583fb148bdd20528ee2d80a40');

INSERT INTO public.audit VALUES (4, 1795753266519, '01m8dkrk18btrystgy3bwnsx00', 'add', 'organisation', 'spb-sz', '/spb/spb-gd/spb-sz/', '440300', '{"digest":"2199992663690f1492fa76513965b6f15bfa4eb2345bae2609e22e83d8f73a53","kind":"city","parent":"spb-gd","version":1}', '', '\x6bb4e2cb3e4ec0440cc692fbf5a7dbfc4b91c93583fb148bdd20528ee2d80a40', '\x73a86ca59e3ab8971abb630c7a0db236c5a49ec9097d52d0ed9b139f3ae812cf');

INSERT INTO public.audit VALUES (5, 1795753266533, '01m8dkrk18btrystgy3bwnsx00', 'add', 'organisation', 'spb-bj', '/spb/spb-bj/', '110000', '{"digest":"fdced049f9d351676d60bbcce1d77728aff5110bfa9d5d259ee66e94f6ad563d","kind":"province","parent":"spb","version":1}', '', '\x73a86ca59e3ab8971abb630c7a0db236c5a49ec9097d52d0ed9b139f3ae812cf', '\x9ac078971d5148dcbfe4652661fc69d989e5c89247a87230a493dd0fd5cf62a7');

INSERT INTO public.audit VALUES (6, 1795753266537, '01m8dkrk18btrystgy3bwnsx00', 'add', 'organisation', 'sd', '/sd/', '310000', '{"digest":"0e576f0d00458b2571830078c42ca076980fb7d79737b6afeac30374b89533ae","kind":"headquarters","parent":null,"version":1}', '', '\x9ac078971d5148dcbfe4652661fc69d989e5c89247a87230a493dd0fd5cf62a7', '\xb44c8032ae96758a1b5b666fa309b63395ca50ac4072c3bf86f3a28ab0585ac7');

INSERT INTO public.audit VALUES (7, 1795753266546, '01m8dkrk18btrystgy3bwnsx00', 'add', 'organisation', 'sd-gd', '/sd/sd-gd/', '440000', '{"digest":"2c2d0d8a9ff7181589a758d4f411292ebb062a6c9ab35cdbe28db9a05723bdb5","kind":"branch","parent":"sd","version":1}', '', '\xb44c8032ae96758a1b5b666fa309b63395ca50ac4072c3bf86f3a28ab0585ac7', '\xf1c9ff64dcec84773fe78ed2f6fb57f94ce410565e74f5c9463090198eb45e6c');

INSERT INTO public.audit VALUES (8, 1795753266555, '01m8dkrk18btrystgy3bwnsx00', 'add', 'organisation', 'sd-sz', '/sd/sd-gd/sd-sz/', '440300', '{"digest":"1467fa5ded7e399e39a150b1260809c1eb99e43fbd43dc383a98b07f49d9bd87","kind":"franchise","parent":"sd-gd","version":1}', '', '\xf1c9ff64dcec84773fe78ed2f6fb57f94ce410565e74f5c9463090198eb45e6c', '\x823ef6acfa435a44d2596690465bebb097316b814dcb26df1a9db953cbe4fe50');

INSERT INTO public.audit VALUES (9, 1795753266567, '01m8dkrk18btrystgy3bwnsx00', 'add', 'organisation', 'sd-ns', '/sd/sd-gd/sd-sz/sd-ns/', '440305', '{"digest":"ddf621664053257feaee0e20ead8e0a567a97189bef7899b21d6870668f35f63","kind":"outlet","parent":"sd-sz","version":1}', '', '\x823ef6acfa435a44d2596690465bebb097316b814dcb26df1a9db953cbe4fe50', '\x86f651040adb09cea6dba08c9d73e26fdf7a14c1faf95a54bdd900891c91e32d');

INSERT INTO public.audit VALUES (10, 1795753266571, '01m8dkrk18btrystgy3bwnsx00', 'add', 'organisation', 'fc', '/fc/', '330000', '{"digest":"eb59a2fd391064a149acfbe4ee3e316c58ff67589f89a137f84321df6e730230","kind":"headquarters","parent":null,"version":1}', '', '\x86f651040adb09cea6dba08c9d73e26fdf7a14c1faf95a54bdd900891c91e32d', '\xa861303b9aecb7ef1560759cd16d437114be40c948818b5cd13ffc89acee20b0');

INSERT INTO public.audit VALUES (11, 1795753266576, '01m8dkrk18btrystgy3bwnsx00', 'add', 'organisation', 'fc-ft', '/fc/fc-ft/', '440304', '{"digest":"41a0966736e53f9a0245335cda61977bdcf51c707f79e20baf71c2039e732f71","kind":"outlet","parent":"fc","version":1}', '', '\xa861303b9aecb7ef1560759cd16d437114be40c948818b5cd13ffc89acee20b0', '\x8ae3a63a64cf64644aa363125bf9b42b1632ef78d49a462bc54d9bf20385eb56');

INSERT INTO public.audit VALUES (12, 1795753266587, '01m8dkrk18btrystgy3bwnsx00', 'add', 'user', '01m8dkrkcvdzpyqe0kzy5nh3dd', '/spb/spb-gd/spb-sz/', '440300', '{"organisation":"spb-sz"}', '', '\x8ae3a63a64cf64644aa363125bf9b42b1632ef78d49a462bc54d9bf20385eb56', '\x147a2c2a981bbebf1bad9cda8e335fa482246197f3ede0ecb8733f1636bbe69c');

INSERT INTO public.audit VALUES (13, 1795753266605, '01m8dkrk18btrystgy3bwnsx00', 'add', 'grant', '01m8dkrkddw0z2vdtrwk2d36bp', '/spb/spb-gd/spb-sz/', '440300', '{"path":"/","region":"440300","role":"inspector","until":null,"user":"01m8dkrkcvdzpyqe0kzy5nh3dd"}', '', '\x147a2c2a981bbebf1bad9cda8e335fa482246197f3ede0ecb8733f1636bbe69c', '\x9fc37e3538243a5cdfc7984ffbb96e3cae9d607954e3d3024102e2e3a9c4d4b8');

INSERT INTO public.audit VALUES (14, 1795753266624, '01m8dkrk18btrystgy3bwnsx00', 'add', 'grant', '01m8dkrke0kqezytv5gnc7kggk', '/spb/spb-gd/spb-sz/', '440300', '{"path":"/","region":"440300","role":"duty_officer","until":null,"user":"01m8dkrkcvdzpyqe0kzy5nh3dd"}', '', '\x9fc37e3538243a5cdfc7984ffbb96e3cae9d607954e3d3024102e2e3a9c4d4b8', '\x20cd5068069b33afa3845e7150077dcdfcca283ae008a4ef76861af923da428f');

INSERT INTO public.audit VALUES (15, 1795753266635, '01m8dkrkcvdzpyqe0kzy5nh3dd', 'sign-in', 'user', '01m8dkrkcvdzpyqe0kzy5nh3dd', '/spb/spb-gd/spb-sz/', '440300', '{"pass":"01m8dkrkeb2bbskmffxsxakwgq"}', '', '\x20cd5068069b33afa3845e7150077dcdfcca283ae008a4ef76861af923da428f', '\x659e3ae0953b9707ab426e2cbdf467002d095f6da7fa36697faec93b0a02aeeb');

INSERT INTO public.audit VALUES (16, 1795753266642, '01m8dkrkcvdzpyqe0kzy5nh3dd', 'change', 'user', '01m8dkrkcvdzpyqe0kzy5nh3dd', '/spb/spb-gd/spb-sz/', '440300', '{"password":true}', '', '\x659e3ae0953b9707ab426e2cbdf467002d095f6da7fa36697faec93b0a02aeeb', '\xc52b60707cadd47bf92e5db8897b923488a11563ed35072673d5e0fe6e141657');

INSERT INTO public.audit VALUES (17, 1795753266667, '01m8dkrkcvdzpyqe0kzy5nh3dd', 'sign-in', 'user', '01m8dkrkcvdzpyqe0kzy5nh3dd', '/spb/spb-gd/spb-sz/', '440300', '{"pass":"01m8dkrkfb79y1fwk4dkkz640z"}', '', '\xc52b60707cadd47bf92e5db8897b923488a11563ed35072673d5e0fe6e141657', '\x002d65b6eb09d6ac5ace38959b0be0fdda97686c0fef2298dc882106df2fdf58');

INSERT INTO public.audit VALUES (18, 1795753266674, '01m8dkrkcvdzpyqe0kzy5nh3dd', 'add', 'site', '01m8dkrkfjnjqepdenz83hwg3j', '/spb/spb-gd/spb-sz/', '440300', '{"digest":"0d36e5500fe89fd07cbbe9edb21a5cb75db980cc9161c32f81d1d94f77a019eb","texts":["name","contact_phone","details"],"values":{"kind":[null,"outlet"],"site_id":[null,"S0"],"status":[null,"open"]},"version":1}', '', '\x002d65b6eb09d6ac5ace38959b0be0fdda97686c0fef2298dc882106df2fdf58', '\x99e34b6ec12604adbdf77a64a03c5cb9b61866ffddfeaef593d4c2cedec4d9a5');

INSERT INTO public.audit VALUES (19, 1795753266686, '01m8dkrkcvdzpyqe0kzy5nh3dd', 'add', 'hazard', '01m8dkrkfyv9b909j11hnn90xs', '/spb/spb-gd/spb-sz/', '440300', '{"digest":"9248e9548e13d1149b31f91b77a44f0a9f16f13eb12fe8b8da4dfc7f0223acd3","texts":["title"],"values":{"deadline":[null,1796112000000],"escalation":[null,0],"found_at":[null,1780272000000],"grade":[null,"general"],"site":[null,"01m8dkrkfjnjqepdenz83hwg3j"],"state":[null,"open"]},"version":1}', '', '\x99e34b6ec12604adbdf77a64a03c5cb9b61866ffddfeaef593d4c2cedec4d9a5', '\x7b73ded606692013045f0f9332d076c63a2db8681d36341ac619557f938fffed');

INSERT INTO public.audit VALUES (20, 1795753266704, '01m8dkrkcvdzpyqe0kzy5nh3dd', 'add', 'site', '01m8dkrkgg27mc1sp1n6ye8eqr', '/spb/spb-gd/spb-sz/', '440300', '{"digest":"43d88ea5b76e546691361fac40d041f34646222c4d0416d665144dc0e4ddcafe","texts":["name","contact_phone","details"],"values":{"kind":[null,"outlet"],"site_id":[null,"S1"],"status":[null,"open"]},"version":1}', '', '\x7b73ded606692013045f0f9332d076c63a2db8681d36341ac619557f938fffed', '\xaeb94dac388255b5596f002c27b1d1b03d246b828161d328ab695e6d3b6a9e03');

INSERT INTO public.audit VALUES (21, 1795753266713, '01m8dkrkcvdzpyqe0kzy5nh3dd', 'add', 'hazard', '01m8dkrkgs6jjwf0mz7s8vcwvz', '/spb/spb-gd/spb-sz/', '440300', '{"digest":"da8a7383e7776f7057ecbb349aa92e9c6148234c00582bcda8c2c779a53ae7db","texts":["title"],"values":{"deadline":[null,1796112000000],"escalation":[null,0],"found_at":[null,1780272000000],"grade":[null,"general"],"site":[null,"01m8dkrkgg27mc1sp1n6ye8eqr"],"state":[null,"open"]},"version":1}', '', '\xaeb94dac388255b5596f002c27b1d1b03d246b828161d328ab695e6d3b6a9e03', '\x91ea3170775e977c7914af961958b66a5773d995a35521caa4a7953b8c8691e5');

INSERT INTO public.audit VALUES (22, 1795753266723, '01m8dkrkcvdzpyqe0kzy5nh3dd', 'add', 'site', '01m8dkrkh3sw7qpxtqkxy92edp', '/spb/spb-gd/spb-sz/', '440300', '{"digest":"679d57f3f3dd7f3f72318e31b431388a1043f9b872f04691e8d83c775902b76f","texts":["name","contact_phone","details"],"values":{"kind":[null,"outlet"],"site_id":[null,"S2"],"status":[null,"open"]},"version":1}', '', '\x91ea3170775e977c7914af961958b66a5773d995a35521caa4a7953b8c8691e5', '\x81402568ec3c73a4160618edf21d69af99866ea0070bfb64381ff5ddf9eddd47');

INSERT INTO public.audit VALUES (23, 1795753266732, '01m8dkrkcvdzpyqe0kzy5nh3dd', 'add', 'hazard', '01m8dkrkhcpbd8me3xytfmeemv', '/spb/spb-gd/spb-sz/', '440300', '{"digest":"c6c19e9aaec29e1ba37123297382f224454b95717f83cbd90f93e64acdcc3e61","texts":["title"],"values":{"deadline":[null,1796112000000],"escalation":[null,0],"found_at":[null,1780272000000],"grade":[null,"general"],"site":[null,"01m8dkrkh3sw7qpxtqkxy92edp"],"state":[null,"open"]},"version":1}', '', '\x81402568ec3c73a4160618edf21d69af99866ea0070bfb64381ff5ddf9eddd47', '\x3645d1562951e0df2eb5633d1e6e46c24389633e8de14b615fd511cf98d561c3');

INSERT INTO public.audit VALUES (24, 1795753266747, '01m8dkrkcvdzpyqe0kzy5nh3dd', 'add', 'site', '01m8dkrkhv2h62yehk974q1qn0', '/spb/spb-gd/spb-sz/', '440300', '{"digest":"31adb9a1f17b2ebb4a09c9f340c7414572107c8c6696144168d4d8bdac99a092","texts":["name","contact_phone","details"],"values":{"kind":[null,"outlet"],"site_id":[null,"S3"],"status":[null,"open"]},"version":1}', '', '\x3645d1562951e0df2eb5633d1e6e46c24389633e8de14b615fd511cf98d561c3', '\x616df583503601a056f5c9cb7f72b032a5ed2a39d6b7f8279b97c50ddb83b129');

INSERT INTO public.audit VALUES (25, 1795753266750, '01m8dkrkcvdzpyqe0kzy5nh3dd', 'add', 'hazard', '01m8dkrkhyyekdm13p3b2mp9ba', '/spb/spb-gd/spb-sz/', '440300', '{"digest":"d3c17e493db8f10e1cbd1726be4479b19fd149e2948e6836c440faa88c0fd566","texts":["title"],"values":{"deadline":[null,1796112000000],"escalation":[null,0],"found_at":[null,1780272000000],"grade":[null,"general"],"site":[null,"01m8dkrkhv2h62yehk974q1qn0"],"state":[null,"open"]},"version":1}', '', '\x616df583503601a056f5c9cb7f72b032a5ed2a39d6b7f8279b97c50ddb83b129', '\x844fa97a80b5b787717729372098fdc619df62368ddb467a8078e52a3055152f');

INSERT INTO public.audit VALUES (26, 1795753266756, '01m8dkrkcvdzpyqe0kzy5nh3dd', 'add', 'site', '01m8dkrkj4tn4yh02tawexpxdc', '/spb/spb-gd/spb-sz/', '440300', '{"digest":"a9f19be209e1f926106e15f865c8f50b3d9730e0930a895d5f3fd0d87ea4df15","texts":["name","contact_phone","details"],"values":{"kind":[null,"outlet"],"site_id":[null,"S4"],"status":[null,"open"]},"version":1}', '', '\x844fa97a80b5b787717729372098fdc619df62368ddb467a8078e52a3055152f', '\x1e13054a2a9d36ff356584a7a311b6a6876d62c250f289b9d2e64f39c1693d26');

INSERT INTO public.audit VALUES (27, 1795753266763, '01m8dkrkcvdzpyqe0kzy5nh3dd', 'add', 'hazard', '01m8dkrkjbv2j7sfyw2npa91cg', '/spb/spb-gd/spb-sz/', '440300', '{"digest":"27b95f8a631a65f69fc32b07d221ccc72e0957a1ba1c81de590f7222dece8bf7","texts":["title"],"values":{"deadline":[null,1796112000000],"escalation":[null,0],"found_at":[null,1780272000000],"grade":[null,"general"],"site":[null,"01m8dkrkj4tn4yh02tawexpxdc"],"state":[null,"open"]},"version":1}', '', '\x1e13054a2a9d36ff356584a7a311b6a6876d62c250f289b9d2e64f39c1693d26', '\x19d4415ac2111b37513f4319cc1a9caf7e3e2987feb82536053cf4de4926877d');

INSERT INTO public.audit VALUES (28, 1795753266774, '01m8dkrkcvdzpyqe0kzy5nh3dd', 'add', 'task', 'zz', '/spb/spb-gd/spb-sz/', '440300', '{"digest":"b30bfaa3aec88d202efa256a3679c84ac2ca534cd040a85b31c57ebb61d11c19","texts":["title"],"values":{"deadline":[null,1796054400000],"escalation":[null,0],"state":[null,"open"]},"version":1}', '', '\x19d4415ac2111b37513f4319cc1a9caf7e3e2987feb82536053cf4de4926877d', '\xfcde2f8974ff6c0a748768dc98cb80729b2e5f3954ff3a5735eae7d5453e11ff');

INSERT INTO public.audit VALUES (29, 1795753266825, '01m8dkrkcvdzpyqe0kzy5nh3dd', 'add', 'task', 'aa', '/spb/spb-gd/spb-sz/', '440300', '{"digest":"654c24a25e19d30852a3c4ade062004567a74ca4d930ce3f5904b39f58f47645","texts":["title"],"values":{"deadline":[null,1796054400000],"escalation":[null,0],"parent":[null,"zz"],"state":[null,"open"]},"version":1}', '', '\xfcde2f8974ff6c0a748768dc98cb80729b2e5f3954ff3a5735eae7d5453e11ff', '\x4f6cadc3bce9e4ec91e5b27f7db355a9eede95e1a70a8675251f18203ffe52ec');

INSERT INTO public.audit VALUES (30, 1795753266846, '01m8dkrkcvdzpyqe0kzy5nh3dd', 'add', 'attachment', '01m8dkrkmy92rbz44v06tckgkw', '/spb/spb-gd/spb-sz/', '440300', '{"digest":"62b5e21712ff305d9797d8087269503730c29bd0b01ad54a7c9afbdd82323c15","texts":["name","sha256"],"values":{"about":[null,"01m8dkrkj4tn4yh02tawexpxdc"],"about_kind":[null,"site"],"media_type":[null,"image/png"],"size_bytes":[null,108]},"version":1}', '', '\x4f6cadc3bce9e4ec91e5b27f7db355a9eede95e1a70a8675251f18203ffe52ec', '\xb6b126ed6266b64aad1134f9be73a75bb10308e737e9442745a1962863267b21');

INSERT INTO public.audit_head VALUES (1, 30, '\xb6b126ed6266b64aad1134f9be73a75bb10308e737e9442745a1962863267b21');

INSERT INTO public.grants VALUES ('01m8dkrk18rfs8e8tmdg45bq36', '01m8dkrk18btrystgy3bwnsx00', 'administrator', '/', '', NULL, 1795753266216, 'set-up', NULL, NULL);

INSERT INTO public.grants VALUES ('01m8dkrkddw0z2vdtrwk2d36bp', '01m8dkrkcvdzpyqe0kzy5nh3dd', 'inspector', '/', '440300', NULL, 1795753266605, '01m8dkrk18btrystgy3bwnsx00', NULL, NULL);

INSERT INTO public.grants VALUES ('01m8dkrke0kqezytv5gnc7kggk', '01m8dkrkcvdzpyqe0kzy5nh3dd', 'duty_officer', '/', '440300', NULL, 1795753266624, '01m8dkrk18btrystgy3bwnsx00', NULL, NULL);

INSERT INTO public.hazards VALUES ('01m8dkrkfyv9b909j11hnn90xs', 'spb-sz', '/spb/spb-gd/spb-sz/', '/spb/', '/spb/spb-gd/', '440300', '44', '4403', '01m8dkrkfjnjqepdenz83hwg3j', NULL, NULL, 'no guard on the roller', 'general', 'open', NULL, NULL, 1796112000000, 1780272000000, NULL, NULL, NULL, 0, NULL, 1, 1795753266686, '01m8dkrkcvdzpyqe0kzy5nh3dd', 1795753266686, '01m8dkrkcvdzpyqe0kzy5nh3dd', '\xd226b564badc6ef5921718775b8ca91c');

INSERT INTO public.hazards VALUES ('01m8dkrkgs6jjwf0mz7s8vcwvz', 'spb-sz', '/spb/spb-gd/spb-sz/', '/spb/', '/spb/spb-gd/', '440300', '44', '4403', '01m8dkrkgg27mc1sp1n6ye8eqr', NULL, NULL, 'no guard on the roller', 'general', 'open', NULL, NULL, 1796112000000, 1780272000000, NULL, NULL, NULL, 0, NULL, 1, 1795753266713, '01m8dkrkcvdzpyqe0kzy5nh3dd', 1795753266713, '01m8dkrkcvdzpyqe0kzy5nh3dd', '\x5d0285529eb5f9c2025d87ba27f2f0f0');

INSERT INTO public.hazards VALUES ('01m8dkrkhcpbd8me3xytfmeemv', 'spb-sz', '/spb/spb-gd/spb-sz/', '/spb/', '/spb/spb-gd/', '440300', '44', '4403', '01m8dkrkh3sw7qpxtqkxy92edp', NULL, NULL, 'no guard on the roller', 'general', 'open', NULL, NULL, 1796112000000, 1780272000000, NULL, NULL, NULL, 0, NULL, 1, 1795753266732, '01m8dkrkcvdzpyqe0kzy5nh3dd', 1795753266732, '01m8dkrkcvdzpyqe0kzy5nh3dd', '\x4708ec738d84f6b7ede7c16cb24eb5bf');

INSERT INTO public.hazards VALUES ('01m8dkrkhyyekdm13p3b2mp9ba', 'spb-sz', '/spb/spb-gd/spb-sz/', '/spb/', '/spb/spb-gd/', '440300', '44', '4403', '01m8dkrkhv2h62yehk974q1qn0', NULL, NULL, 'no guard on the roller', 'general', 'open', NULL, NULL, 1796112000000, 1780272000000, NULL, NULL, NULL, 0, NULL, 1, 1795753266750, '01m8dkrkcvdzpyqe0kzy5nh3dd', 1795753266750, '01m8dkrkcvdzpyqe0kzy5nh3dd', '\x5ceffdbcd5192dcbb77922f798a6de37');

INSERT INTO public.hazards VALUES ('01m8dkrkjbv2j7sfyw2npa91cg', 'spb-sz', '/spb/spb-gd/spb-sz/', '/spb/', '/spb/spb-gd/', '440300', '44', '4403', '01m8dkrkj4tn4yh02tawexpxdc', NULL, NULL, 'no guard on the roller', 'general', 'open', NULL, NULL, 1796112000000, 1780272000000, NULL, NULL, NULL, 0, NULL, 1, 1795753266763, '01m8dkrkcvdzpyqe0kzy5nh3dd', 1795753266763, '01m8dkrkcvdzpyqe0kzy5nh3dd', '\x177ddb48bcfbfb99e3dc311835a01508');

INSERT INTO public.organisations VALUES ('spb', NULL, 'nation', NULL, '国家邮政局', NULL, '000000', '/spb/', 1, 1795753266216, 'set-up', 1795753266216, 'set-up', '\x747f83c3dac6f10bdca096766804ab4b');

INSERT INTO public.organisations VALUES ('spb-gd', 'spb', 'province', NULL, '广东省邮政管理局', NULL, '440000', '/spb/spb-gd/', 1, 1795753266506, '01m8dkrk18btrystgy3bwnsx00', 1795753266506, '01m8dkrk18btrystgy3bwnsx00', '\xe7dbd6845ada18d197f6662b5a25dff0');

INSERT INTO public.organisations VALUES ('spb-sz', 'spb-gd', 'city', NULL, '深圳市邮政管理局', NULL, '440300', '/spb/spb-gd/spb-sz/', 1, 1795753266519, '01m8dkrk18btrystgy3bwnsx00', 1795753266519, '01m8dkrk18btrystgy3bwnsx00', '\x1863ca505578f90ae8f759dd039929aa');

INSERT INTO public.organisations VALUES ('spb-bj', 'spb', 'province', NULL, '北京市邮政管理局', NULL, '110000', '/spb/spb-bj/', 1, 1795753266533, '01m8dkrk18btrystgy3bwnsx00', 1795753266533, '01m8dkrk18btrystgy3bwnsx00', '\xef95263bbab71e2eddeb72684169f920');

INSERT INTO public.organisations VALUES ('sd', NULL, 'headquarters', NULL, '顺达速递', NULL, '310000', '/sd/', 1, 1795753266537, '01m8dkrk18btrystgy3bwnsx00', 1795753266537, '01m8dkrk18btrystgy3bwnsx00', '\xc29b7d7a79c4823398a521e51c1e3fe9');

INSERT INTO public.organisations VALUES ('sd-gd', 'sd', 'branch', NULL, '顺达广东', NULL, '440000', '/sd/sd-gd/', 1, 1795753266546, '01m8dkrk18btrystgy3bwnsx00', 1795753266546, '01m8dkrk18btrystgy3bwnsx00', '\x0b24bb7ee5a10d437f0ad065951300f0');

INSERT INTO public.organisations VALUES ('sd-sz', 'sd-gd', 'franchise', NULL, '顺达深圳加盟', NULL, '440300', '/sd/sd-gd/sd-sz/', 1, 1795753266555, '01m8dkrk18btrystgy3bwnsx00', 1795753266555, '01m8dkrk18btrystgy3bwnsx00', '\xdf36f226172fab9b5d61501a7f999e0a');

INSERT INTO public.organisations VALUES ('sd-ns', 'sd-sz', 'outlet', NULL, '顺达南山网点', NULL, '440305', '/sd/sd-gd/sd-sz/sd-ns/', 1, 1795753266567, '01m8dkrk18btrystgy3bwnsx00', 1795753266567, '01m8dkrk18btrystgy3bwnsx00', '\x30a89c6b3e4009f24e34216b4f554333');

INSERT INTO public.organisations VALUES ('fc', NULL, 'headquarters', NULL, '飞驰快递', NULL, '330000', '/fc/', 1, 1795753266571, '01m8dkrk18btrystgy3bwnsx00', 1795753266571, '01m8dkrk18btrystgy3bwnsx00', '\xb307cdd27e95d816ca590a94f42ae4d6');

INSERT INTO public.organisations VALUES ('fc-ft', 'fc', 'outlet', NULL, '飞驰福田网点', NULL, '440304', '/fc/fc-ft/', 1, 1795753266576, '01m8dkrk18btrystgy3bwnsx00', 1795753266576, '01m8dkrk18btrystgy3bwnsx00', '\xf4e8130a808ea64a63d872179cda4cf4');

INSERT INTO public.passes VALUES ('01m8dkrk9txdpd9adsav8mnpkb', '01m8dkrk18btrystgy3bwnsx00', 'session', 'sign-in', '\x8658407eebff48b6de43e080a0acf2b0ac387066ce23d5584abef94e9f49ad73', 1795753266490, 1795796466490, NULL);

INSERT INTO public.passes VALUES ('01m8dkrkeb2bbskmffxsxakwgq', '01m8dkrkcvdzpyqe0kzy5nh3dd', 'session', 'sign-in', '\xc4fda0c58d0c5e59cc89020bd6b1549c5b251af2a0f25b975aa4e353e072387c', 1795753266635, 1795796466635, 1795753266642);

INSERT INTO public.passes VALUES ('01m8dkrkfb79y1fwk4dkkz640z', '01m8dkrkcvdzpyqe0kzy5nh3dd', 'session', 'sign-in', '\x703740c12585961129d3c9cf0f2c2e8d3b475ba2b9d70f1a66b7731a498e00ec', 1795753266667, 1795796466667, NULL);

INSERT INTO public.sites VALUES ('01m8dkrkfjnjqepdenz83hwg3j', 'spb-sz', '/spb/spb-gd/spb-sz/', '/spb/', '/spb/spb-gd/', '440300', '44', '4403', 'S0', '网点 0', 'outlet', 'open', NULL, NULL, NULL, NULL, NULL, NULL, '13800000000', '{"a":[1,2.5,null,"中"]}', 1, 1795753266674, '01m8dkrkcvdzpyqe0kzy5nh3dd', 1795753266674, '01m8dkrkcvdzpyqe0kzy5nh3dd', '\x7425380d21f524cc811f6f4be296383e');

INSERT INTO public.sites VALUES ('01m8dkrkgg27mc1sp1n6ye8eqr', 'spb-sz', '/spb/spb-gd/spb-sz/', '/spb/', '/spb/spb-gd/', '440300', '44', '4403', 'S1', '网点 1', 'outlet', 'open', NULL, NULL, NULL, NULL, NULL, NULL, '13800000000', '{"a":[1,2.5,null,"中"]}', 1, 1795753266704, '01m8dkrkcvdzpyqe0kzy5nh3dd', 1795753266704, '01m8dkrkcvdzpyqe0kzy5nh3dd', '\x200841c7a9a0b8c99d4489610dc893ef');

INSERT INTO public.sites VALUES ('01m8dkrkh3sw7qpxtqkxy92edp', 'spb-sz', '/spb/spb-gd/spb-sz/', '/spb/', '/spb/spb-gd/', '440300', '44', '4403', 'S2', '网点 2', 'outlet', 'open', NULL, NULL, NULL, NULL, NULL, NULL, '13800000000', '{"a":[1,2.5,null,"中"]}', 1, 1795753266723, '01m8dkrkcvdzpyqe0kzy5nh3dd', 1795753266723, '01m8dkrkcvdzpyqe0kzy5nh3dd', '\x726895f11d73fe222cd42b245558dfe2');

INSERT INTO public.sites VALUES ('01m8dkrkhv2h62yehk974q1qn0', 'spb-sz', '/spb/spb-gd/spb-sz/', '/spb/', '/spb/spb-gd/', '440300', '44', '4403', 'S3', '网点 3', 'outlet', 'open', NULL, NULL, NULL, NULL, NULL, NULL, '13800000000', '{"a":[1,2.5,null,"中"]}', 1, 1795753266747, '01m8dkrkcvdzpyqe0kzy5nh3dd', 1795753266747, '01m8dkrkcvdzpyqe0kzy5nh3dd', '\x862507c51db100a38c89234f9ae724b3');

INSERT INTO public.sites VALUES ('01m8dkrkj4tn4yh02tawexpxdc', 'spb-sz', '/spb/spb-gd/spb-sz/', '/spb/', '/spb/spb-gd/', '440300', '44', '4403', 'S4', '网点 4', 'outlet', 'open', NULL, NULL, NULL, NULL, NULL, NULL, '13800000000', '{"a":[1,2.5,null,"中"]}', 1, 1795753266756, '01m8dkrkcvdzpyqe0kzy5nh3dd', 1795753266756, '01m8dkrkcvdzpyqe0kzy5nh3dd', '\x74e643dd3f0503725841aaad154de1a7');

INSERT INTO public.tasks VALUES ('zz', 'spb-sz', '/spb/spb-gd/spb-sz/', '/spb/', '/spb/spb-gd/', '440300', '44', '4403', NULL, NULL, 'all', 'open', NULL, 1796054400000, NULL, NULL, 0, NULL, 1, 1795753266774, '01m8dkrkcvdzpyqe0kzy5nh3dd', 1795753266774, '01m8dkrkcvdzpyqe0kzy5nh3dd', '\x17fcfd84c9f890ea3210f3fb489b9bbb');

INSERT INTO public.tasks VALUES ('aa', 'spb-sz', '/spb/spb-gd/spb-sz/', '/spb/', '/spb/spb-gd/', '440300', '44', '4403', NULL, 'zz', 'part', 'open', NULL, 1796054400000, NULL, NULL, 0, NULL, 1, 1795753266825, '01m8dkrkcvdzpyqe0kzy5nh3dd', 1795753266825, '01m8dkrkcvdzpyqe0kzy5nh3dd', '\x4e0bf7f2902ca95c50ba774a3db4b40a');

INSERT INTO public.users VALUES ('01m8dkrk18btrystgy3bwnsx00', 'admin', 'spb', true, '$argon2id$v=19$m=64,t=1,p=1$NknFmgAzvJb7v78Q2Bd9SA$6ZNKiLFNsLKPtl08Orzya3c2nhnqT+V9ISM6H9M5mHw', 1795753266216, false, NULL, false, 0, 1, 1795753266216, 'set-up', 1795753266216, 'set-up', '\xdd13e41798646d2ff8bada5707a52170');

INSERT INTO public.users VALUES ('01m8dkrkcvdzpyqe0kzy5nh3dd', 'li', 'spb-sz', true, '$argon2id$v=19$m=64,t=1,p=1$RvENryaFqVUSwgsxUXDTmw$gUx/3PEHHiPjtOZrHIrd8jjaWtjo1a7XIgeg35JQebU', 1795753266642, false, NULL, false, 0, 1, 1795753266587, '01m8dkrk18btrystgy3bwnsx00', 1795753266587, '01m8dkrk18btrystgy3bwnsx00', '\x3aed080c19f093b2bb05a5077ae07720');

ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);

ALTER TABLE ONLY public.attachments
    ADD CONSTRAINT attachments_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.attempts
    ADD CONSTRAINT attempts_pkey PRIMARY KEY (name_digest);

ALTER TABLE ONLY public.audit_head
    ADD CONSTRAINT audit_head_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.audit
    ADD CONSTRAINT audit_pkey PRIMARY KEY (n);

ALTER TABLE ONLY public.campaigns
    ADD CONSTRAINT campaigns_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.finds
    ADD CONSTRAINT finds_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.grants
    ADD CONSTRAINT grants_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.hazards
    ADD CONSTRAINT hazards_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.inspections
    ADD CONSTRAINT inspections_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.organisations
    ADD CONSTRAINT organisations_path_key UNIQUE (path);

ALTER TABLE ONLY public.organisations
    ADD CONSTRAINT organisations_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.passes
    ADD CONSTRAINT passes_hash_key UNIQUE (hash);

ALTER TABLE ONLY public.passes
    ADD CONSTRAINT passes_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.recovery_codes
    ADD CONSTRAINT recovery_codes_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.rectifications
    ADD CONSTRAINT rectifications_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.sites
    ADD CONSTRAINT sites_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.sites
    ADD CONSTRAINT sites_site_id_key UNIQUE (site_id);

ALTER TABLE ONLY public.tasks
    ADD CONSTRAINT tasks_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_name_key UNIQUE (name);

ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (id);

CREATE INDEX attachments_by_admin_code ON public.attachments USING btree (admin_code, created_at, id);

CREATE INDEX attachments_by_branch ON public.attachments USING btree (branch, created_at, id);

CREATE INDEX attachments_by_city ON public.attachments USING btree (city, created_at, id);

CREATE INDEX attachments_by_key ON public.attachments USING btree (created_at, id);

CREATE INDEX attachments_by_path ON public.attachments USING btree (path, created_at, id);

CREATE INDEX attachments_by_province ON public.attachments USING btree (province, created_at, id);

CREATE INDEX attachments_by_root ON public.attachments USING btree (root, created_at, id);

CREATE INDEX audit_by_actor ON public.audit USING btree (actor, n);

CREATE INDEX audit_by_record ON public.audit USING btree (kind, record, n);

CREATE INDEX campaigns_by_admin_code ON public.campaigns USING btree (admin_code, starts_at, id);

CREATE INDEX campaigns_by_branch ON public.campaigns USING btree (branch, starts_at, id);

CREATE INDEX campaigns_by_city ON public.campaigns USING btree (city, starts_at, id);

CREATE INDEX campaigns_by_key ON public.campaigns USING btree (starts_at, id);

CREATE INDEX campaigns_by_path ON public.campaigns USING btree (path, starts_at, id);

CREATE INDEX campaigns_by_province ON public.campaigns USING btree (province, starts_at, id);

CREATE INDEX campaigns_by_root ON public.campaigns USING btree (root, starts_at, id);

CREATE INDEX finds_by_admin_code ON public.finds USING btree (admin_code, found_at, id);

CREATE INDEX finds_by_branch ON public.finds USING btree (branch, found_at, id);

CREATE INDEX finds_by_city ON public.finds USING btree (city, found_at, id);

CREATE INDEX finds_by_key ON public.finds USING btree (found_at, id);

CREATE INDEX finds_by_path ON public.finds USING btree (path, found_at, id);

CREATE INDEX finds_by_province ON public.finds USING btree (province, found_at, id);

CREATE INDEX finds_by_root ON public.finds USING btree (root, found_at, id);

CREATE INDEX hazards_by_admin_code ON public.hazards USING btree (admin_code, deadline, id);

CREATE INDEX hazards_by_branch ON public.hazards USING btree (branch, deadline, id);

CREATE INDEX hazards_by_city ON public.hazards USING btree (city, deadline, id);

CREATE INDEX hazards_by_key ON public.hazards USING btree (deadline, id);

CREATE INDEX hazards_by_path ON public.hazards USING btree (path, deadline, id);

CREATE INDEX hazards_by_province ON public.hazards USING btree (province, deadline, id);

CREATE INDEX hazards_by_root ON public.hazards USING btree (root, deadline, id);

CREATE INDEX inspections_by_admin_code ON public.inspections USING btree (admin_code, planned_at, id);

CREATE INDEX inspections_by_branch ON public.inspections USING btree (branch, planned_at, id);

CREATE INDEX inspections_by_city ON public.inspections USING btree (city, planned_at, id);

CREATE INDEX inspections_by_key ON public.inspections USING btree (planned_at, id);

CREATE INDEX inspections_by_path ON public.inspections USING btree (path, planned_at, id);

CREATE INDEX inspections_by_province ON public.inspections USING btree (province, planned_at, id);

CREATE INDEX inspections_by_root ON public.inspections USING btree (root, planned_at, id);

CREATE INDEX ix_attempts_at ON public.attempts USING btree (at);

CREATE INDEX ix_finds_campaign ON public.finds USING btree (campaign);

CREATE INDEX ix_finds_inspection ON public.finds USING btree (inspection);

CREATE INDEX ix_finds_site ON public.finds USING btree (site);

CREATE INDEX ix_grants_user ON public.grants USING btree ("user");

CREATE INDEX ix_hazards_inspection ON public.hazards USING btree (inspection);

CREATE INDEX ix_hazards_owner ON public.hazards USING btree (owner);

CREATE INDEX ix_hazards_site ON public.hazards USING btree (site);

CREATE INDEX ix_inspections_inspector ON public.inspections USING btree (inspector);

CREATE INDEX ix_inspections_site ON public.inspections USING btree (site);

CREATE INDEX ix_passes_user ON public.passes USING btree ("user");

CREATE INDEX ix_recovery_codes_user ON public.recovery_codes USING btree ("user");

CREATE INDEX ix_rectifications_hazard ON public.rectifications USING btree (hazard);

CREATE INDEX ix_rectifications_owner ON public.rectifications USING btree (owner);

CREATE INDEX ix_tasks_owner ON public.tasks USING btree (owner);

CREATE INDEX ix_tasks_parent ON public.tasks USING btree (parent);

CREATE INDEX ix_users_organisation ON public.users USING btree (organisation);

CREATE INDEX rectifications_by_admin_code ON public.rectifications USING btree (admin_code, deadline, id);

CREATE INDEX rectifications_by_branch ON public.rectifications USING btree (branch, deadline, id);

CREATE INDEX rectifications_by_city ON public.rectifications USING btree (city, deadline, id);

CREATE INDEX rectifications_by_key ON public.rectifications USING btree (deadline, id);

CREATE INDEX rectifications_by_path ON public.rectifications USING btree (path, deadline, id);

CREATE INDEX rectifications_by_province ON public.rectifications USING btree (province, deadline, id);

CREATE INDEX rectifications_by_root ON public.rectifications USING btree (root, deadline, id);

CREATE INDEX sites_by_admin_code ON public.sites USING btree (admin_code, site_id, id);

CREATE INDEX sites_by_branch ON public.sites USING btree (branch, site_id, id);

CREATE INDEX sites_by_city ON public.sites USING btree (city, site_id, id);

CREATE INDEX sites_by_key ON public.sites USING btree (site_id, id);

CREATE INDEX sites_by_path ON public.sites USING btree (path, site_id, id);

CREATE INDEX sites_by_province ON public.sites USING btree (province, site_id, id);

CREATE INDEX sites_by_root ON public.sites USING btree (root, site_id, id);

CREATE INDEX tasks_by_admin_code ON public.tasks USING btree (admin_code, deadline, id);

CREATE INDEX tasks_by_branch ON public.tasks USING btree (branch, deadline, id);

CREATE INDEX tasks_by_city ON public.tasks USING btree (city, deadline, id);

CREATE INDEX tasks_by_key ON public.tasks USING btree (deadline, id);

CREATE INDEX tasks_by_path ON public.tasks USING btree (path, deadline, id);

CREATE INDEX tasks_by_province ON public.tasks USING btree (province, deadline, id);

CREATE INDEX tasks_by_root ON public.tasks USING btree (root, deadline, id);

CREATE TRIGGER audit_is_never_changed BEFORE DELETE OR UPDATE ON public.audit FOR EACH ROW EXECUTE FUNCTION public.audit_stays();

CREATE TRIGGER audit_is_never_emptied BEFORE TRUNCATE ON public.audit FOR EACH STATEMENT EXECUTE FUNCTION public.audit_stays();

ALTER TABLE ONLY public.attachments
    ADD CONSTRAINT attachments_organisation_fkey FOREIGN KEY (organisation) REFERENCES public.organisations(id);

ALTER TABLE ONLY public.campaigns
    ADD CONSTRAINT campaigns_organisation_fkey FOREIGN KEY (organisation) REFERENCES public.organisations(id);

ALTER TABLE ONLY public.finds
    ADD CONSTRAINT finds_campaign_fkey FOREIGN KEY (campaign) REFERENCES public.campaigns(id);

ALTER TABLE ONLY public.finds
    ADD CONSTRAINT finds_inspection_fkey FOREIGN KEY (inspection) REFERENCES public.inspections(id);

ALTER TABLE ONLY public.finds
    ADD CONSTRAINT finds_organisation_fkey FOREIGN KEY (organisation) REFERENCES public.organisations(id);

ALTER TABLE ONLY public.finds
    ADD CONSTRAINT finds_site_fkey FOREIGN KEY (site) REFERENCES public.sites(id);

ALTER TABLE ONLY public.grants
    ADD CONSTRAINT grants_user_fkey FOREIGN KEY ("user") REFERENCES public.users(id);

ALTER TABLE ONLY public.hazards
    ADD CONSTRAINT hazards_inspection_fkey FOREIGN KEY (inspection) REFERENCES public.inspections(id);

ALTER TABLE ONLY public.hazards
    ADD CONSTRAINT hazards_organisation_fkey FOREIGN KEY (organisation) REFERENCES public.organisations(id);

ALTER TABLE ONLY public.hazards
    ADD CONSTRAINT hazards_owner_fkey FOREIGN KEY (owner) REFERENCES public.users(id);

ALTER TABLE ONLY public.hazards
    ADD CONSTRAINT hazards_site_fkey FOREIGN KEY (site) REFERENCES public.sites(id);

ALTER TABLE ONLY public.inspections
    ADD CONSTRAINT inspections_inspector_fkey FOREIGN KEY (inspector) REFERENCES public.users(id);

ALTER TABLE ONLY public.inspections
    ADD CONSTRAINT inspections_organisation_fkey FOREIGN KEY (organisation) REFERENCES public.organisations(id);

ALTER TABLE ONLY public.inspections
    ADD CONSTRAINT inspections_site_fkey FOREIGN KEY (site) REFERENCES public.sites(id);

ALTER TABLE ONLY public.organisations
    ADD CONSTRAINT organisations_parent_fkey FOREIGN KEY (parent) REFERENCES public.organisations(id);

ALTER TABLE ONLY public.passes
    ADD CONSTRAINT passes_user_fkey FOREIGN KEY ("user") REFERENCES public.users(id);

ALTER TABLE ONLY public.recovery_codes
    ADD CONSTRAINT recovery_codes_user_fkey FOREIGN KEY ("user") REFERENCES public.users(id);

ALTER TABLE ONLY public.rectifications
    ADD CONSTRAINT rectifications_hazard_fkey FOREIGN KEY (hazard) REFERENCES public.hazards(id);

ALTER TABLE ONLY public.rectifications
    ADD CONSTRAINT rectifications_organisation_fkey FOREIGN KEY (organisation) REFERENCES public.organisations(id);

ALTER TABLE ONLY public.rectifications
    ADD CONSTRAINT rectifications_owner_fkey FOREIGN KEY (owner) REFERENCES public.users(id);

ALTER TABLE ONLY public.sites
    ADD CONSTRAINT sites_organisation_fkey FOREIGN KEY (organisation) REFERENCES public.organisations(id);

ALTER TABLE ONLY public.tasks
    ADD CONSTRAINT tasks_organisation_fkey FOREIGN KEY (organisation) REFERENCES public.organisations(id);

ALTER TABLE ONLY public.tasks
    ADD CONSTRAINT tasks_owner_fkey FOREIGN KEY (owner) REFERENCES public.users(id);

ALTER TABLE ONLY public.tasks
    ADD CONSTRAINT tasks_parent_fkey FOREIGN KEY (parent) REFERENCES public.tasks(id);

ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_organisation_fkey FOREIGN KEY (organisation) REFERENCES public.organisations(id);
