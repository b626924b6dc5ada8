-- The school's records. Every key begins with the school, so that a reference can never leave it.

-- A name as it is searched: lower case, without accents. The hooked letters of Hausa don't decompose, so they are named.
CREATE FUNCTION folded(name text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN translate(lower(regexp_replace(normalize(name, NFD), '[\u0300-\u036f]', '', 'g')), 'ɓɗƙƴƁƊƘƳ', 'bdkybdky');

CREATE TABLE academic_sessions (
    school_id   uuid NOT NULL REFERENCES schools (id),
    id          uuid NOT NULL,
    name        text NOT NULL CHECK (name ~ '^\d{4}/\d{4}$'),
    starts_on   date NOT NULL,
    ends_on     date NOT NULL CHECK (ends_on > starts_on),
    version     integer NOT NULL DEFAULT 1,
    PRIMARY KEY (school_id, id),
    UNIQUE (school_id, name)
);

CREATE TABLE terms (
    school_id   uuid NOT NULL,
    id          uuid NOT NULL,
    session_id  uuid NOT NULL,
    number      smallint NOT NULL CHECK (number BETWEEN 1 AND 3),
    name        text NOT NULL,
    starts_on   date NOT NULL,
    ends_on     date NOT NULL CHECK (ends_on > starts_on),
    closed_at   timestamptz,
    version     integer NOT NULL DEFAULT 1,
    PRIMARY KEY (school_id, id),
    UNIQUE (school_id, session_id, number),
    FOREIGN KEY (school_id, session_id) REFERENCES academic_sessions (school_id, id)
);

CREATE TABLE levels (
    school_id   uuid NOT NULL REFERENCES schools (id),
    id          uuid NOT NULL,
    name        text NOT NULL,
    stage       text NOT NULL CHECK (stage IN ('JSS', 'SSS')),
    rank        smallint NOT NULL,
    version     integer NOT NULL DEFAULT 1,
    PRIMARY KEY (school_id, id),
    UNIQUE (school_id, name)
);

CREATE TABLE staff (
    school_id    uuid NOT NULL REFERENCES schools (id),
    id           uuid NOT NULL,
    staff_no     text NOT NULL,
    title        text NOT NULL DEFAULT '',
    family_name  text NOT NULL,
    given_names  text NOT NULL,
    email        text,
    phone        text CHECK (phone ~ '^\+[1-9]\d{6,14}$'),
    active       boolean NOT NULL DEFAULT true,
    version      integer NOT NULL DEFAULT 1,
    PRIMARY KEY (school_id, id),
    UNIQUE (school_id, staff_no)
);

CREATE TABLE departments (
    school_id   uuid NOT NULL REFERENCES schools (id),
    id          uuid NOT NULL,
    name        text NOT NULL,
    head_id     uuid,
    version     integer NOT NULL DEFAULT 1,
    PRIMARY KEY (school_id, id),
    UNIQUE (school_id, name),
    FOREIGN KEY (school_id, head_id) REFERENCES staff (school_id, id)
);

CREATE TABLE subjects (
    school_id      uuid NOT NULL REFERENCES schools (id),
    id             uuid NOT NULL,
    code           text NOT NULL,
    name           text NOT NULL,
    department_id  uuid,
    version        integer NOT NULL DEFAULT 1,
    PRIMARY KEY (school_id, id),
    UNIQUE (school_id, code),
    UNIQUE (school_id, name),
    FOREIGN KEY (school_id, department_id) REFERENCES departments (school_id, id)
);

CREATE TABLE class_arms (
    school_id         uuid NOT NULL,
    id                uuid NOT NULL,
    level_id          uuid NOT NULL,
    name              text NOT NULL,              -- 'Ruby'; people say 'JSS 2 Ruby'
    class_teacher_id  uuid,
    version           integer NOT NULL DEFAULT 1,
    PRIMARY KEY (school_id, id),
    UNIQUE (school_id, level_id, name),
    FOREIGN KEY (school_id, level_id) REFERENCES levels (school_id, id),
    FOREIGN KEY (school_id, class_teacher_id) REFERENCES staff (school_id, id)
);

CREATE TABLE students (
    school_id      uuid NOT NULL REFERENCES schools (id),
    id             uuid NOT NULL,
    student_no     text NOT NULL,                 -- 'KCL/S/25/0001'
    family_name    text NOT NULL,
    given_names    text NOT NULL,
    gender         text NOT NULL CHECK (gender IN ('female', 'male')),
    date_of_birth  date,
    photo_key      text,
    left_on        date,
    version        integer NOT NULL DEFAULT 1,
    PRIMARY KEY (school_id, id),
    UNIQUE (school_id, student_no)
);

CREATE TABLE enrolments (
    school_id     uuid NOT NULL,
    session_id    uuid NOT NULL,
    student_id    uuid NOT NULL,
    class_arm_id  uuid NOT NULL,
    PRIMARY KEY (school_id, session_id, student_id),
    FOREIGN KEY (school_id, session_id) REFERENCES academic_sessions (school_id, id),
    FOREIGN KEY (school_id, student_id) REFERENCES students (school_id, id),
    FOREIGN KEY (school_id, class_arm_id) REFERENCES class_arms (school_id, id)
);
CREATE INDEX enrolments_arm ON enrolments (school_id, session_id, class_arm_id);
CREATE INDEX enrolments_student ON enrolments (school_id, student_id);

-- Who teaches what to whom: also the list of subjects an arm takes in a session.
CREATE TABLE teaching_loads (
    school_id         uuid NOT NULL,
    id                uuid NOT NULL,
    session_id        uuid NOT NULL,
    class_arm_id      uuid NOT NULL,
    subject_id        uuid NOT NULL,
    staff_id          uuid NOT NULL,
    periods_per_week  smallint NOT NULL CHECK (periods_per_week BETWEEN 1 AND 40),
    elective          boolean NOT NULL DEFAULT false,
    version           integer NOT NULL DEFAULT 1,
    PRIMARY KEY (school_id, id),
    UNIQUE (school_id, session_id, class_arm_id, subject_id),
    FOREIGN KEY (school_id, session_id) REFERENCES academic_sessions (school_id, id),
    FOREIGN KEY (school_id, class_arm_id) REFERENCES class_arms (school_id, id),
    FOREIGN KEY (school_id, subject_id) REFERENCES subjects (school_id, id),
    FOREIGN KEY (school_id, staff_id) REFERENCES staff (school_id, id)
);
CREATE INDEX teaching_loads_staff ON teaching_loads (school_id, staff_id);

-- Who takes an elective. A subject that is no elective is taken by the whole arm.
CREATE TABLE elective_choices (
    school_id   uuid NOT NULL,
    session_id  uuid NOT NULL,
    student_id  uuid NOT NULL,
    subject_id  uuid NOT NULL,
    PRIMARY KEY (school_id, session_id, student_id, subject_id),
    FOREIGN KEY (school_id, session_id, student_id) REFERENCES enrolments (school_id, session_id, student_id) ON DELETE CASCADE,
    FOREIGN KEY (school_id, subject_id) REFERENCES subjects (school_id, id)
);

CREATE TABLE guardians (
    school_id      uuid NOT NULL REFERENCES schools (id),
    id             uuid NOT NULL,
    title          text NOT NULL DEFAULT '',
    family_name    text NOT NULL,
    given_names    text NOT NULL,
    language       text NOT NULL DEFAULT 'en' CHECK (language IN ('en', 'yo', 'ha', 'ig', 'pcm')),
    phone          text CHECK (phone ~ '^\+[1-9]\d{6,14}$'),     -- E.164
    email          text,
    channel_order  text[] NOT NULL DEFAULT ARRAY['sms', 'email', 'push']
                   CHECK (channel_order <@ ARRAY['email', 'sms', 'push'] AND cardinality(channel_order) > 0),
    version        integer NOT NULL DEFAULT 1,
    PRIMARY KEY (school_id, id)
);
CREATE INDEX guardians_phone ON guardians (school_id, phone);

CREATE TABLE guardianships (
    school_id          uuid NOT NULL,
    guardian_id        uuid NOT NULL,
    student_id         uuid NOT NULL,
    relationship       text NOT NULL,
    receives_messages  boolean NOT NULL DEFAULT true,
    PRIMARY KEY (school_id, guardian_id, student_id),
    FOREIGN KEY (school_id, guardian_id) REFERENCES guardians (school_id, id) ON DELETE CASCADE,
    FOREIGN KEY (school_id, student_id) REFERENCES students (school_id, id) ON DELETE CASCADE
);
CREATE INDEX guardianships_student ON guardianships (school_id, student_id);

-- The newest row of a channel counts; none means not given. push is the app's own bell too.
CREATE TABLE consents (
    school_id    uuid NOT NULL,
    id           uuid NOT NULL,
    guardian_id  uuid NOT NULL,
    channel      text NOT NULL CHECK (channel IN ('email', 'sms', 'push')),
    granted      boolean NOT NULL,
    source       text NOT NULL,                   -- 'import', 'portal', 'form'
    recorded_by  uuid,
    recorded_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (school_id, id),
    FOREIGN KEY (school_id, guardian_id) REFERENCES guardians (school_id, id) ON DELETE CASCADE
);
CREATE INDEX consents_newest ON consents (school_id, guardian_id, channel, recorded_at DESC, id DESC);

-- Policies are data, versioned and never changed in place: a new version is a new row.
--   assessment    {"components": [{"code": "assignment", "name": "Assignment", "max": 10}, ...]}
--   grading       {"bands": [{"grade": "A1", "from": 75, "remark": "Excellent"}, ...], "pass": 40}
--   approval      {"steps": ["head_of_department", "principal"]}
--   fee_reminder  {"daysBefore": [7, 1], "daysAfter": [7], "atHour": 9}
CREATE TABLE policies (
    school_id   uuid NOT NULL REFERENCES schools (id),
    id          uuid NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('assessment', 'grading', 'approval', 'fee_reminder')),
    stage       text NOT NULL DEFAULT '' CHECK (stage IN ('', 'JSS', 'SSS')),   -- '' = all
    version     integer NOT NULL,
    name        text NOT NULL,
    body        jsonb NOT NULL,
    created_by  uuid,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (school_id, id),
    UNIQUE (school_id, kind, stage, version)
);

-- The marks of one subject in one arm in one term. Which policies hold is fixed when the sheet is opened.
CREATE TABLE mark_sheets (
    school_id             uuid NOT NULL,
    id                    uuid NOT NULL,
    term_id               uuid NOT NULL,
    class_arm_id          uuid NOT NULL,
    subject_id            uuid NOT NULL,
    assessment_policy_id  uuid NOT NULL,
    grading_policy_id     uuid NOT NULL,
    approval_policy_id    uuid NOT NULL,
    state                 text NOT NULL DEFAULT 'draft' CHECK (state IN ('draft', 'submitted', 'approved', 'published')),
    steps_done            smallint NOT NULL DEFAULT 0,
    round                 smallint NOT NULL DEFAULT 1,     -- counts up each time a published sheet is reopened
    published_at          timestamptz,
    version               integer NOT NULL DEFAULT 1,
    PRIMARY KEY (school_id, id),
    UNIQUE (school_id, term_id, class_arm_id, subject_id),
    FOREIGN KEY (school_id, term_id) REFERENCES terms (school_id, id),
    FOREIGN KEY (school_id, class_arm_id) REFERENCES class_arms (school_id, id),
    FOREIGN KEY (school_id, subject_id) REFERENCES subjects (school_id, id),
    FOREIGN KEY (school_id, assessment_policy_id) REFERENCES policies (school_id, id),
    FOREIGN KEY (school_id, grading_policy_id) REFERENCES policies (school_id, id),
    FOREIGN KEY (school_id, approval_policy_id) REFERENCES policies (school_id, id)
);
CREATE INDEX mark_sheets_arm ON mark_sheets (school_id, class_arm_id, term_id);

CREATE TABLE mark_sheet_steps (
    school_id   uuid NOT NULL,
    id          uuid NOT NULL,
    sheet_id    uuid NOT NULL,
    action      text NOT NULL CHECK (action IN ('submit', 'approve', 'return', 'publish', 'reopen')),
    from_state  text NOT NULL,
    to_state    text NOT NULL,
    actor_id    uuid,
    role        text NOT NULL,
    comment     text NOT NULL DEFAULT '',
    at          timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (school_id, id),
    FOREIGN KEY (school_id, sheet_id) REFERENCES mark_sheets (school_id, id)
);
CREATE INDEX mark_sheet_steps_sheet ON mark_sheet_steps (school_id, sheet_id, at);

CREATE TABLE marks (
    school_id   uuid NOT NULL,
    sheet_id    uuid NOT NULL,
    student_id  uuid NOT NULL,
    component   text NOT NULL,
    status      text NOT NULL CHECK (status IN ('scored', 'absent', 'exempt')),   -- no row = missing
    value       numeric(5, 2) CHECK (value >= 0),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (school_id, sheet_id, student_id, component),
    FOREIGN KEY (school_id, sheet_id) REFERENCES mark_sheets (school_id, id),
    FOREIGN KEY (school_id, student_id) REFERENCES students (school_id, id),
    CHECK ((status = 'scored') = (value IS NOT NULL))
);
CREATE INDEX marks_student ON marks (school_id, student_id);

CREATE TABLE mark_uploads (
    school_id      uuid NOT NULL,
    id             uuid NOT NULL,
    sheet_id       uuid NOT NULL,
    file_key       text NOT NULL,
    file_sha256    bytea NOT NULL,
    changed        integer NOT NULL,
    uploaded_by    uuid,
    uploaded_at    timestamptz NOT NULL DEFAULT now(),
    undone_by      uuid,
    undone_at      timestamptz,
    PRIMARY KEY (school_id, id),
    FOREIGN KEY (school_id, sheet_id) REFERENCES mark_sheets (school_id, id)
);
CREATE INDEX mark_uploads_sheet ON mark_uploads (school_id, sheet_id, uploaded_at);

-- Every change of a mark: written by the database itself, never changed, never removed.
CREATE TABLE mark_audit (
    school_id   uuid NOT NULL,
    id          bigint GENERATED ALWAYS AS IDENTITY,
    sheet_id    uuid NOT NULL,
    student_id  uuid NOT NULL,
    component   text NOT NULL,
    old_status  text,
    old_value   numeric(5, 2),
    new_status  text,
    new_value   numeric(5, 2),
    actor_id    uuid,
    reason      text NOT NULL DEFAULT '',
    upload_id   uuid,
    sheet_version integer NOT NULL,               -- the sheet's version by this change: raised before its marks are written
    at          timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (school_id, id)
);
CREATE INDEX mark_audit_sheet ON mark_audit (school_id, sheet_id, student_id);
CREATE INDEX mark_audit_upload ON mark_audit (school_id, upload_id) WHERE upload_id IS NOT NULL;

-- app.reason and app.upload_id are set by the statement's transaction where there are such.
CREATE FUNCTION audit_marks() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    why text := coalesce(current_setting('app.reason', true), '');
    upload uuid := nullif(current_setting('app.upload_id', true), '')::uuid;
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO mark_audit (school_id, sheet_id, student_id, component, new_status, new_value, actor_id, reason, upload_id,
                                sheet_version)
        SELECT a.school_id, a.sheet_id, a.student_id, a.component, a.status, a.value, app_actor(), why, upload, s.version
        FROM after_rows a JOIN mark_sheets s ON (s.school_id, s.id) = (a.school_id, a.sheet_id);
    ELSIF TG_OP = 'UPDATE' THEN
        INSERT INTO mark_audit (school_id, sheet_id, student_id, component, old_status, old_value, new_status, new_value,
                                actor_id, reason, upload_id, sheet_version)
        SELECT a.school_id, a.sheet_id, a.student_id, a.component, b.status, b.value, a.status, a.value, app_actor(), why, upload,
               s.version
        FROM after_rows a JOIN before_rows b USING (school_id, sheet_id, student_id, component)
             JOIN mark_sheets s ON (s.school_id, s.id) = (a.school_id, a.sheet_id)
        WHERE (a.status, a.value) IS DISTINCT FROM (b.status, b.value);
    ELSE
        INSERT INTO mark_audit (school_id, sheet_id, student_id, component, old_status, old_value, actor_id, reason, upload_id,
                                sheet_version)
        SELECT b.school_id, b.sheet_id, b.student_id, b.component, b.status, b.value, app_actor(), why, upload, s.version
        FROM before_rows b JOIN mark_sheets s ON (s.school_id, s.id) = (b.school_id, b.sheet_id);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER marks_inserted AFTER INSERT ON marks REFERENCING NEW TABLE AS after_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit_marks();
CREATE TRIGGER marks_updated AFTER UPDATE ON marks REFERENCING OLD TABLE AS before_rows NEW TABLE AS after_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit_marks();
CREATE TRIGGER marks_deleted AFTER DELETE ON marks REFERENCING OLD TABLE AS before_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit_marks();

-- One register a class and day.
CREATE TABLE attendance_registers (
    school_id     uuid NOT NULL,
    id            uuid NOT NULL,
    class_arm_id  uuid NOT NULL,
    day           date NOT NULL,
    marked_by     uuid,
    marked_at     timestamptz NOT NULL DEFAULT now(),
    version       integer NOT NULL DEFAULT 1,
    PRIMARY KEY (school_id, id),
    UNIQUE (school_id, class_arm_id, day),
    FOREIGN KEY (school_id, class_arm_id) REFERENCES class_arms (school_id, id)
);

CREATE TABLE attendance (
    school_id    uuid NOT NULL,
    register_id  uuid NOT NULL,
    student_id   uuid NOT NULL,
    status       text NOT NULL CHECK (status IN ('present', 'absent', 'late', 'excused')),
    note         text NOT NULL DEFAULT '',
    PRIMARY KEY (school_id, register_id, student_id),
    FOREIGN KEY (school_id, register_id) REFERENCES attendance_registers (school_id, id) ON DELETE CASCADE,
    FOREIGN KEY (school_id, student_id) REFERENCES students (school_id, id)
);
CREATE INDEX attendance_student ON attendance (school_id, student_id);

-- What a register said before it was corrected.
CREATE TABLE attendance_changes (
    school_id    uuid NOT NULL,
    id           bigint GENERATED ALWAYS AS IDENTITY,
    register_id  uuid NOT NULL,
    student_id   uuid NOT NULL,
    version      integer NOT NULL,                -- the register's version by this change
    old_status   text,                            -- null: was not on the register
    old_note     text,
    new_status   text NOT NULL,
    new_note     text NOT NULL,
    actor_id     uuid,
    at           timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (school_id, id),
    FOREIGN KEY (school_id, register_id) REFERENCES attendance_registers (school_id, id),
    FOREIGN KEY (school_id, student_id) REFERENCES students (school_id, id)
);
CREATE INDEX attendance_changes_register ON attendance_changes (school_id, register_id, id);

CREATE TABLE fees (
    school_id    uuid NOT NULL,
    id           uuid NOT NULL,
    term_id      uuid NOT NULL,
    level_id     uuid,                            -- null = every level
    name         text NOT NULL,                   -- the event's feeType
    amount_kobo  bigint NOT NULL CHECK (amount_kobo > 0),
    due_on       date NOT NULL,
    version      integer NOT NULL DEFAULT 1,
    PRIMARY KEY (school_id, id),
    UNIQUE NULLS NOT DISTINCT (school_id, term_id, level_id, name),
    FOREIGN KEY (school_id, term_id) REFERENCES terms (school_id, id),
    FOREIGN KEY (school_id, level_id) REFERENCES levels (school_id, id)
);

CREATE TABLE payments (
    school_id    uuid NOT NULL,
    id           uuid NOT NULL,
    fee_id       uuid NOT NULL,
    student_id   uuid NOT NULL,
    amount_kobo  bigint NOT NULL CHECK (amount_kobo <> 0),   -- a reversal is negative
    paid_on      date NOT NULL,
    reference    text NOT NULL,
    reverses_id  uuid,                            -- the payment that this one takes back
    note         text NOT NULL DEFAULT '',
    recorded_by  uuid,
    recorded_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (school_id, id),
    UNIQUE (school_id, reference),
    UNIQUE (school_id, reverses_id),              -- taken back once at most
    CHECK ((amount_kobo < 0) = (reverses_id IS NOT NULL)),
    FOREIGN KEY (school_id, reverses_id) REFERENCES payments (school_id, id),
    FOREIGN KEY (school_id, fee_id) REFERENCES fees (school_id, id),
    FOREIGN KEY (school_id, student_id) REFERENCES students (school_id, id)
);
CREATE INDEX payments_fee ON payments (school_id, fee_id, student_id);
CREATE INDEX payments_newest ON payments (school_id, recorded_at DESC, id DESC);
CREATE INDEX payments_student ON payments (school_id, student_id);

-- A fee's reminder of a day is sent once, however many schedulers run.
CREATE TABLE fee_reminder_runs (
    school_id   uuid NOT NULL,
    fee_id      uuid NOT NULL,
    day         date NOT NULL,
    event_id    uuid,                             -- null: nobody owed anything
    at          timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (school_id, fee_id, day),
    FOREIGN KEY (school_id, fee_id) REFERENCES fees (school_id, id)
);

-- A school's spreadsheets, and what each import touched, so that it can be undone.
CREATE TABLE imports (
    school_id    uuid NOT NULL REFERENCES schools (id),
    id           uuid NOT NULL,
    state        text NOT NULL CHECK (state IN ('checked', 'refused', 'applied', 'undone')),   -- checked = a dry run
    file_name    text NOT NULL,
    file_key     text NOT NULL,
    file_sha256  bytea NOT NULL,
    counts       jsonb NOT NULL,
    report       jsonb NOT NULL,
    imported_by  uuid,
    imported_at  timestamptz NOT NULL DEFAULT now(),
    undone_by    uuid,
    undone_at    timestamptz,
    PRIMARY KEY (school_id, id)
);

CREATE TABLE import_changes (
    school_id   uuid NOT NULL,
    import_id   uuid NOT NULL,
    position    integer NOT NULL,
    table_name  text NOT NULL,
    key         jsonb NOT NULL,
    before      jsonb,                            -- null: the import made this row
    after       jsonb NOT NULL,
    PRIMARY KEY (school_id, import_id, position),
    FOREIGN KEY (school_id, import_id) REFERENCES imports (school_id, id)
);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['academic_sessions', 'terms', 'levels', 'staff', 'departments', 'subjects', 'class_arms',
        'students', 'enrolments', 'teaching_loads', 'elective_choices', 'guardians', 'guardianships', 'consents', 'policies',
        'mark_sheets', 'mark_sheet_steps', 'marks', 'mark_uploads', 'mark_audit', 'attendance_registers', 'attendance',
        'attendance_changes', 'fees', 'payments', 'fee_reminder_runs', 'imports', 'import_changes'] LOOP
        EXECUTE format('CALL tenant_table(%L)', name);
    END LOOP;
END $$;

-- What has happened is not rewritten.
REVOKE UPDATE, DELETE ON mark_audit, policies, mark_sheet_steps, consents, import_changes, attendance_changes, payments
    FROM schoolos_app;

ALTER TABLE users
    ADD FOREIGN KEY (school_id, staff_id) REFERENCES staff (school_id, id),
    ADD FOREIGN KEY (school_id, guardian_id) REFERENCES guardians (school_id, id),
    ADD FOREIGN KEY (school_id, student_id) REFERENCES students (school_id, id);
