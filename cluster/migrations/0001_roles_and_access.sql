-- Roles: they log in to nothing. The system's login is a member of each and takes one per connection.
--   schoolos_app        one school's rows, by app.school_id
--   schoolos_dispatch   outbox, deliveries and in-app notifications of all schools
--   schoolos_directory  schools, users and login tokens of all schools
DO $$
DECLARE
    role_name text;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['schoolos_app', 'schoolos_dispatch', 'schoolos_directory'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role_name) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN NOSUPERUSER NOBYPASSRLS', role_name);
        END IF;
        EXECUTE format('GRANT %I TO CURRENT_USER', role_name);
    END LOOP;
END $$;

GRANT USAGE ON SCHEMA public TO schoolos_app, schoolos_dispatch, schoolos_directory;

-- The school whose rows this transaction may see; null where no scope is set, so that nothing is seen.
CREATE FUNCTION app_school() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
    RETURN nullif(current_setting('app.school_id', true), '')::uuid;

-- The user who acts in this transaction, for audit rows.
CREATE FUNCTION app_actor() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
    RETURN nullif(current_setting('app.actor_id', true), '')::uuid;

-- Makes a table a tenant table: row-level security, forced, by school_id.
CREATE PROCEDURE tenant_table(name regclass, key_column text DEFAULT 'school_id') LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY tenant ON %s TO schoolos_app USING (%I = app_school()) WITH CHECK (%I = app_school())',
                   name, key_column, key_column);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO schoolos_app', name);
END $$;

CREATE TABLE schools (
    id          uuid PRIMARY KEY,
    code        text NOT NULL UNIQUE CHECK (code ~ '^[a-z0-9][a-z0-9-]{1,30}$'),
    name        text NOT NULL CHECK (name <> ''),
    address     text NOT NULL DEFAULT '',
    phone       text,
    email       text,
    time_zone   text NOT NULL DEFAULT 'Africa/Lagos',
    currency    text NOT NULL DEFAULT 'NGN' CHECK (currency ~ '^[A-Z]{3}$'),
    logo_key    text,
    version     integer NOT NULL DEFAULT 1,
    created_at  timestamptz NOT NULL DEFAULT now()
);
CALL tenant_table('schools', 'id');
CREATE POLICY directory ON schools TO schoolos_directory USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON schools TO schoolos_directory;
CREATE POLICY dispatch ON schools FOR SELECT TO schoolos_dispatch USING (true);
GRANT SELECT (id, code, name, time_zone) ON schools TO schoolos_dispatch;

-- Everyone who can log in or be written to. Platform staff belong to no school.
CREATE TABLE users (
    id             uuid PRIMARY KEY,
    school_id      uuid REFERENCES schools (id),
    username       text NOT NULL CHECK (username = lower(username) AND username <> ''),
    display_name   text NOT NULL,
    roles          text[] NOT NULL CHECK (roles <@ ARRAY['platform_admin', 'school_admin', 'principal', 'head_of_department',
                       'class_teacher', 'subject_teacher', 'bursar', 'guardian', 'student', 'ops', 'ml']),
    password_hash  text,
    oidc_subject   text,
    staff_id       uuid,
    guardian_id    uuid,
    student_id     uuid,
    active         boolean NOT NULL DEFAULT true,
    failed_logins  integer NOT NULL DEFAULT 0,
    locked_until   timestamptz,
    version        integer NOT NULL DEFAULT 1,
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now(),
    UNIQUE (school_id, id),
    UNIQUE NULLS NOT DISTINCT (school_id, username),
    CHECK (school_id IS NOT NULL OR roles <@ ARRAY['platform_admin', 'ops', 'ml']),
    CHECK (school_id IS NULL OR NOT roles && ARRAY['platform_admin'])
);
CREATE UNIQUE INDEX users_oidc ON users (oidc_subject) WHERE oidc_subject IS NOT NULL;
CREATE UNIQUE INDEX users_staff ON users (school_id, staff_id) WHERE staff_id IS NOT NULL;
CREATE UNIQUE INDEX users_guardian ON users (school_id, guardian_id) WHERE guardian_id IS NOT NULL;
CREATE UNIQUE INDEX users_student ON users (school_id, student_id) WHERE student_id IS NOT NULL;
CALL tenant_table('users');
CREATE POLICY directory ON users TO schoolos_directory USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON users TO schoolos_directory;

-- Refresh tokens rotate; a used one shown again revokes its family (RFC 9700, 4.14.2).
CREATE TABLE refresh_tokens (
    token_hash  bytea PRIMARY KEY,
    family_id   uuid NOT NULL,
    user_id     uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    issued_at   timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    used_at     timestamptz,
    revoked_at  timestamptz
);
CREATE INDEX refresh_tokens_family ON refresh_tokens (family_id);
CREATE INDEX refresh_tokens_user ON refresh_tokens (user_id);
ALTER TABLE refresh_tokens ENABLE ROW LEVEL SECURITY;
ALTER TABLE refresh_tokens FORCE ROW LEVEL SECURITY;
CREATE POLICY directory ON refresh_tokens TO schoolos_directory USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON refresh_tokens TO schoolos_directory;

-- One-time codes by which a person sets the first password, or a new one.
CREATE TABLE invitations (
    code_hash   bytea PRIMARY KEY,
    user_id     uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_by  uuid,
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    used_at     timestamptz
);
CREATE INDEX invitations_user ON invitations (user_id);
ALTER TABLE invitations ENABLE ROW LEVEL SECURITY;
ALTER TABLE invitations FORCE ROW LEVEL SECURITY;
CREATE POLICY directory ON invitations TO schoolos_directory USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON invitations TO schoolos_directory;

-- Answers to requests that carried an Idempotency-Key. Platform staff's have no school.
CREATE TABLE idempotency_keys (
    user_id       uuid NOT NULL,
    key           text NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    request_hash  bytea NOT NULL,
    status        integer,
    headers       jsonb,
    body          bytea,
    created_at    timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL,
    PRIMARY KEY (user_id, key)
);
CREATE INDEX idempotency_keys_expiry ON idempotency_keys (expires_at);
ALTER TABLE idempotency_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE idempotency_keys FORCE ROW LEVEL SECURITY;
CREATE POLICY directory ON idempotency_keys TO schoolos_directory USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON idempotency_keys TO schoolos_directory;

-- Long work: one uniform resource.
CREATE TABLE jobs (
    school_id     uuid NOT NULL REFERENCES schools (id),
    id            uuid NOT NULL,
    kind          text NOT NULL,
    state         text NOT NULL CHECK (state IN ('queued', 'running', 'succeeded', 'completed_with_errors', 'failed', 'cancelled')),
    done          integer NOT NULL DEFAULT 0,
    failed        integer NOT NULL DEFAULT 0,
    total         integer,
    error         jsonb,
    result        jsonb,
    detail        jsonb NOT NULL DEFAULT '{}',
    cancel_requested boolean NOT NULL DEFAULT false,
    created_by    uuid,
    created_at    timestamptz NOT NULL DEFAULT now(),
    started_at    timestamptz,
    heartbeat_at  timestamptz,
    finished_at   timestamptz,
    PRIMARY KEY (school_id, id)
);
CREATE INDEX jobs_newest ON jobs (school_id, created_at DESC, id DESC);
CALL tenant_table('jobs');
