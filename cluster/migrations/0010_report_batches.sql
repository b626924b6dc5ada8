-- Report cards by the batch: what is to be printed, by whom it is being printed, what came of each student's card.

-- One batch a job. Its work is done in chunks; when the last has ended, one worker packs what there is.
CREATE TABLE report_batches (
    school_id       uuid NOT NULL,
    job_id          uuid NOT NULL,
    session_id      uuid NOT NULL,
    term_id         uuid NOT NULL,
    naming          text NOT NULL DEFAULT 'id' CHECK (naming IN ('id', 'name')),
    force           boolean NOT NULL DEFAULT false,   -- print also what the pre-flight blocks
    state           text NOT NULL DEFAULT 'printing' CHECK (state IN ('printing', 'packing', 'ended')),
    retry_of        uuid,
    archive_key     text,
    archive_bytes   bigint,
    archive_sha256  text,
    packed_at       timestamptz,
    expires_at      timestamptz,
    published_at    timestamptz,
    published_by    uuid,
    starts          integer NOT NULL DEFAULT 0,
    waits           integer NOT NULL DEFAULT 0,       -- how often in a row the store for files was away
    not_before      timestamptz,
    lease_owner     text,
    lease_until     timestamptz,
    traceparent     text,
    created_by      uuid,
    created_at      timestamptz NOT NULL,
    PRIMARY KEY (school_id, job_id),
    FOREIGN KEY (school_id, job_id) REFERENCES jobs (school_id, id) ON DELETE CASCADE,
    FOREIGN KEY (school_id, session_id) REFERENCES academic_sessions (school_id, id),
    FOREIGN KEY (school_id, term_id) REFERENCES terms (school_id, id),
    FOREIGN KEY (school_id, retry_of) REFERENCES report_batches (school_id, job_id) ON DELETE SET NULL (retry_of)
);
CREATE INDEX report_batches_open ON report_batches (created_at) WHERE state <> 'ended';
CREATE INDEX report_batches_newest ON report_batches (school_id, term_id, created_at DESC);
CREATE INDEX report_batches_expiring ON report_batches (expires_at) WHERE archive_key IS NOT NULL;

-- What one print takes: at most 25 cards of one class.
CREATE TABLE report_chunks (
    school_id    uuid NOT NULL,
    id           uuid NOT NULL,
    job_id       uuid NOT NULL,
    state        text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'running', 'ended')),
    cards        integer NOT NULL CHECK (cards BETWEEN 1 AND 25),
    starts       integer NOT NULL DEFAULT 0,
    waits        integer NOT NULL DEFAULT 0,
    last_error   text NOT NULL DEFAULT '' CHECK (length(last_error) <= 500),
    turn         timestamptz NOT NULL,        -- the order of all schools' chunks: a large batch lets others in between
    not_before   timestamptz,
    lease_owner  text,
    lease_until  timestamptz,
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (school_id, id),
    FOREIGN KEY (school_id, job_id) REFERENCES report_batches (school_id, job_id) ON DELETE CASCADE
);
CREATE INDEX report_chunks_open ON report_chunks (turn) WHERE state <> 'ended';
CREATE INDEX report_chunks_job ON report_chunks (school_id, job_id);

-- One student's card in a batch. How far a job is, is counted from these.
CREATE TABLE report_batch_items (
    school_id     uuid NOT NULL,
    job_id        uuid NOT NULL,
    student_id    uuid NOT NULL,
    position      integer NOT NULL,
    class_arm_id  uuid NOT NULL,
    chunk_id      uuid,                       -- null: taken over from the batch that this one retries
    snapshot_id   uuid,
    serial        text,
    state         text NOT NULL DEFAULT 'queued'
                  CHECK (state IN ('queued', 'printing', 'done', 'failed', 'withheld', 'cancelled')),
    reason        text NOT NULL DEFAULT '' CHECK (length(reason) <= 500),
    object_key    text,
    bytes         integer,
    sha256        text,
    pages         integer,
    updated_at    timestamptz NOT NULL,
    PRIMARY KEY (school_id, job_id, student_id),
    CHECK (state <> 'done' OR (snapshot_id IS NOT NULL AND serial IS NOT NULL AND object_key IS NOT NULL
                               AND bytes IS NOT NULL AND sha256 IS NOT NULL AND pages IS NOT NULL)),
    FOREIGN KEY (school_id, job_id) REFERENCES report_batches (school_id, job_id) ON DELETE CASCADE,
    FOREIGN KEY (school_id, chunk_id) REFERENCES report_chunks (school_id, id),
    FOREIGN KEY (school_id, student_id) REFERENCES students (school_id, id),
    FOREIGN KEY (school_id, class_arm_id) REFERENCES class_arms (school_id, id),
    FOREIGN KEY (school_id, snapshot_id) REFERENCES report_snapshots (school_id, id)
);
CREATE INDEX report_batch_items_chunk ON report_batch_items (school_id, chunk_id);
CREATE INDEX report_batch_items_student ON report_batch_items (school_id, student_id);
CREATE INDEX report_batch_items_snapshot ON report_batch_items (school_id, snapshot_id);

-- Documents that a person waits for: gone once read. Lost in a crash of the server, as whoever waited is.
CREATE UNLOGGED TABLE report_prints (
    school_id    uuid NOT NULL REFERENCES schools (id),
    id           uuid NOT NULL,
    html         text NOT NULL CHECK (octet_length(html) <= 8000000),
    landscape    boolean NOT NULL DEFAULT false,
    tagged       boolean NOT NULL DEFAULT false,
    state        text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'running', 'done', 'failed')),
    result       bytea,
    reason       text NOT NULL DEFAULT '' CHECK (length(reason) <= 500),
    starts       integer NOT NULL DEFAULT 0,
    lease_owner  text,
    lease_until  timestamptz,
    traceparent  text,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    PRIMARY KEY (school_id, id),
    CHECK ((state = 'done') = (result IS NOT NULL))
);
-- Documents are mostly fonts in base64 and PDFs: squeezing them takes time and saves nothing.
ALTER TABLE report_prints ALTER html SET STORAGE EXTERNAL, ALTER result SET STORAGE EXTERNAL;
CREATE INDEX report_prints_open ON report_prints (created_at) WHERE state IN ('queued', 'running');
CREATE INDEX report_prints_expiring ON report_prints (expires_at);

-- Which printed card a student's guardians see, and since when.
CREATE TABLE report_published_cards (
    school_id     uuid NOT NULL,
    term_id       uuid NOT NULL,
    student_id    uuid NOT NULL,
    snapshot_id   uuid NOT NULL,
    job_id        uuid NOT NULL,
    object_key    text,                       -- null: the file's time has run out; it is printed anew from the snapshot
    published_at  timestamptz NOT NULL,
    published_by  uuid,
    PRIMARY KEY (school_id, term_id, student_id),
    FOREIGN KEY (school_id, term_id) REFERENCES terms (school_id, id),
    FOREIGN KEY (school_id, student_id) REFERENCES students (school_id, id),
    FOREIGN KEY (school_id, snapshot_id) REFERENCES report_snapshots (school_id, id)
);
CREATE INDEX report_published_cards_student ON report_published_cards (school_id, student_id);
CREATE INDEX report_published_cards_snapshot ON report_published_cards (school_id, snapshot_id);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['report_batches', 'report_chunks', 'report_batch_items', 'report_prints',
        'report_published_cards'] LOOP
        EXECUTE format('CALL tenant_table(%L)', name);
    END LOOP;
END $$;

-- Workers claim the work of all schools; whose cards they are, they read in the school's own scope.
CREATE POLICY dispatch ON report_batches TO schoolos_dispatch USING (true) WITH CHECK (true);
GRANT SELECT (school_id, job_id, state, archive_key, packed_at, expires_at, starts, waits, not_before, lease_owner,
              lease_until, created_at),
      UPDATE (starts, not_before, lease_owner, lease_until) ON report_batches TO schoolos_dispatch;
CREATE POLICY dispatch ON report_chunks TO schoolos_dispatch USING (true) WITH CHECK (true);
GRANT SELECT (school_id, id, job_id, state, starts, turn, not_before, lease_owner, lease_until),
      UPDATE (state, starts, not_before, lease_owner, lease_until) ON report_chunks TO schoolos_dispatch;
CREATE POLICY dispatch ON report_prints TO schoolos_dispatch USING (true) WITH CHECK (true);
GRANT SELECT (school_id, id, state, starts, lease_owner, lease_until, created_at, expires_at),
      UPDATE (state, starts, lease_owner, lease_until), DELETE ON report_prints TO schoolos_dispatch;
-- A job whose chunks wait their turn is not abandoned while there are workers: they say so for all of them.
GRANT UPDATE (heartbeat_at) ON jobs TO schoolos_dispatch;

-- Workers are told at once of work, and whoever waits for a document that it is there.
CREATE FUNCTION tell_printers() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('schoolos_prints', '');
    RETURN NULL;
END $$;
CREATE TRIGGER told_printers AFTER INSERT ON report_prints FOR EACH STATEMENT EXECUTE FUNCTION tell_printers();
CREATE TRIGGER told_printers AFTER INSERT ON report_chunks FOR EACH STATEMENT EXECUTE FUNCTION tell_printers();
CREATE TRIGGER told_printers AFTER UPDATE OF state ON report_batches FOR EACH ROW
    WHEN (new.state = 'packing' AND old.state <> 'packing') EXECUTE FUNCTION tell_printers();
CREATE TRIGGER told_printers AFTER UPDATE OF cancel_requested ON jobs FOR EACH ROW
    WHEN (new.cancel_requested AND new.kind = 'report_cards') EXECUTE FUNCTION tell_printers();

CREATE FUNCTION tell_who_waits() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('schoolos_printed', new.id::text);
    RETURN NULL;
END $$;
CREATE TRIGGER told_who_waits AFTER UPDATE OF state ON report_prints FOR EACH ROW
    WHEN (new.state IN ('done', 'failed')) EXECUTE FUNCTION tell_who_waits();
