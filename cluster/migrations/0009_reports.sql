-- What report cards hold beside marks and attendance, and the cards themselves as they were finalised.
--   report          {"ties": "competition", "absent": "excluded", "missing": "unranked", "termWeights": [1, 1, 1], ...}
--   report_release  {"withholdUnpaid": false, "overdueOnly": true, "toleratedKobo": 0}
ALTER TABLE policies DROP CONSTRAINT policies_kind_check,
    ADD CONSTRAINT policies_kind_check CHECK (kind IN ('assessment', 'grading', 'approval', 'fee_reminder', 'sms_budget',
        'sms_pricing', 'sms_text', 'notification', 'message_templates', 'message_retention', 'report', 'report_release'));

-- Psychomotor and affective ratings, one row a student and term. Which traits there are, the report policy says.
CREATE TABLE report_ratings (
    school_id   uuid NOT NULL,
    term_id     uuid NOT NULL,
    student_id  uuid NOT NULL,
    scores      jsonb NOT NULL CHECK (jsonb_typeof(scores) = 'object'),   -- {"Punctuality": 4, ...}
    version     integer NOT NULL DEFAULT 1,
    updated_by  uuid,
    updated_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (school_id, term_id, student_id),
    FOREIGN KEY (school_id, term_id) REFERENCES terms (school_id, id),
    FOREIGN KEY (school_id, student_id) REFERENCES students (school_id, id)
);
CREATE INDEX report_ratings_student ON report_ratings (school_id, student_id);

-- Remarks: the class teacher's, the principal's, and each subject teacher's.
CREATE TABLE report_comments (
    school_id   uuid NOT NULL,
    term_id     uuid NOT NULL,
    student_id  uuid NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('class_teacher', 'principal', 'subject')),
    subject_id  uuid,
    text        text NOT NULL CHECK (length(text) <= 600),
    version     integer NOT NULL DEFAULT 1,
    updated_by  uuid,
    updated_at  timestamptz NOT NULL DEFAULT now(),
    UNIQUE NULLS NOT DISTINCT (school_id, term_id, student_id, kind, subject_id),
    CHECK ((kind = 'subject') = (subject_id IS NOT NULL)),
    FOREIGN KEY (school_id, term_id) REFERENCES terms (school_id, id),
    FOREIGN KEY (school_id, student_id) REFERENCES students (school_id, id),
    FOREIGN KEY (school_id, subject_id) REFERENCES subjects (school_id, id)
);
CREATE INDEX report_comments_student ON report_comments (school_id, student_id);

-- Remarks to choose from, with places for the student's name and pronouns.
CREATE TABLE comment_bank (
    school_id   uuid NOT NULL REFERENCES schools (id),
    id          uuid NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('class_teacher', 'principal', 'subject')),
    from_score  smallint NOT NULL DEFAULT 0 CHECK (from_score BETWEEN 0 AND 100),
    to_score    smallint NOT NULL DEFAULT 100 CHECK (to_score BETWEEN from_score AND 100),
    text        text NOT NULL CHECK (text <> '' AND length(text) <= 600),
    version     integer NOT NULL DEFAULT 1,
    updated_by  uuid,
    updated_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (school_id, id)
);

-- A card as it was finalised: never changed, so that it prints the same years later. A later state is a new version.
CREATE TABLE report_snapshots (
    school_id     uuid NOT NULL,
    id            uuid NOT NULL,
    term_id       uuid NOT NULL,
    student_id    uuid NOT NULL,
    class_arm_id  uuid NOT NULL,
    version       integer NOT NULL,
    serial        text NOT NULL UNIQUE CHECK (serial ~ '^([0-9A-HJKMNP-TV-Z]{4}-){2}[0-9A-HJKMNP-TV-Z]{4}$'),
    content       text NOT NULL,                  -- canonical JSON; text, so that what was hashed stays to the letter
    content_hash  text NOT NULL CHECK (content_hash = encode(sha256(convert_to(content, 'UTF8')), 'hex')),
    grading_policy_id uuid,
    report_policy_id  uuid,                       -- null: the built-in rules
    taken_by      uuid,
    taken_at      timestamptz NOT NULL,
    PRIMARY KEY (school_id, id),
    UNIQUE (school_id, term_id, student_id, version),
    FOREIGN KEY (school_id, term_id) REFERENCES terms (school_id, id),
    FOREIGN KEY (school_id, student_id) REFERENCES students (school_id, id),
    FOREIGN KEY (school_id, class_arm_id) REFERENCES class_arms (school_id, id),
    FOREIGN KEY (school_id, grading_policy_id) REFERENCES policies (school_id, id),
    FOREIGN KEY (school_id, report_policy_id) REFERENCES policies (school_id, id)
);
CREATE INDEX report_snapshots_student ON report_snapshots (school_id, student_id);
CREATE INDEX report_snapshots_arm ON report_snapshots (school_id, term_id, class_arm_id);

-- How a school's cards look.
CREATE TABLE report_styles (
    school_id   uuid PRIMARY KEY REFERENCES schools (id),
    body        jsonb NOT NULL,
    version     integer NOT NULL DEFAULT 1,
    updated_by  uuid,
    updated_at  timestamptz NOT NULL DEFAULT now()
);

-- Each time a card was withheld for unpaid fees, and each time that was set aside or restored for a student and term.
CREATE TABLE report_release_log (
    school_id    uuid NOT NULL,
    id           bigint GENERATED ALWAYS AS IDENTITY,
    term_id      uuid NOT NULL,
    student_id   uuid NOT NULL,
    action       text NOT NULL CHECK (action IN ('withheld', 'overridden', 'restored')),
    owed_kobo    bigint,
    policy_id    uuid,
    reason       text NOT NULL DEFAULT '' CHECK (length(reason) <= 300),
    actor_id     uuid,
    at           timestamptz NOT NULL,
    PRIMARY KEY (school_id, id),
    FOREIGN KEY (school_id, term_id) REFERENCES terms (school_id, id),
    FOREIGN KEY (school_id, student_id) REFERENCES students (school_id, id)
);
CREATE INDEX report_release_log_student ON report_release_log (school_id, term_id, student_id, id DESC);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['report_ratings', 'report_comments', 'comment_bank', 'report_snapshots', 'report_styles',
        'report_release_log'] LOOP
        EXECUTE format('CALL tenant_table(%L)', name);
    END LOOP;
END $$;
REVOKE UPDATE, DELETE ON report_snapshots, report_release_log FROM schoolos_app;

-- Who verifies a card has its serial and no login: this much, and no more, is found without knowing the school.
CREATE POLICY directory ON report_snapshots FOR SELECT TO schoolos_directory USING (true);
GRANT SELECT (serial, school_id) ON report_snapshots TO schoolos_directory;
