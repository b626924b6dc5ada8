-- Timetables as a school keeps them: what was asked, what was found, and the searches under way.

-- A problem or a request as it was put, by its digest: never changed, shared by the versions that solve it.
CREATE TABLE timetable_problems (
    school_id   uuid NOT NULL REFERENCES schools (id),
    digest      text NOT NULL CHECK (digest = encode(sha256(convert_to(content, 'UTF8')), 'hex')),
    content     text NOT NULL CHECK (octet_length(content) <= 40000000),   -- canonical JSON; text, so that it stays to the letter
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (school_id, digest)
);

CREATE TABLE timetables (
    school_id          uuid NOT NULL REFERENCES schools (id),
    id                 uuid NOT NULL,
    name               text NOT NULL CHECK (name <> '' AND length(name) <= 200),
    session_id         uuid,                  -- null where the school had no session at the time
    latest_version     integer NOT NULL DEFAULT 0,
    published_version  integer,
    published_at       timestamptz,
    published_by       uuid,
    created_by         uuid,
    created_at         timestamptz NOT NULL,
    PRIMARY KEY (school_id, id),
    FOREIGN KEY (school_id, session_id) REFERENCES academic_sessions (school_id, id)
);
CREATE UNIQUE INDEX timetables_published ON timetables (school_id, session_id) WHERE published_version IS NOT NULL;
CREATE INDEX timetables_newest ON timetables (school_id, created_at DESC, id DESC);

-- A version is never changed: a swap, a repair and a return to an earlier state are new ones.
CREATE TABLE timetable_versions (
    school_id       uuid NOT NULL,
    timetable_id    uuid NOT NULL,
    number          integer NOT NULL CHECK (number >= 1),
    problem_digest  text NOT NULL,
    placements      text NOT NULL,            -- JSON as core.timetable.formats.native writes it
    hard            bigint NOT NULL,
    soft            bigint NOT NULL,
    bound           bigint,                   -- no timetable costs less, where that is proven
    solver          text NOT NULL DEFAULT '',
    note            text NOT NULL DEFAULT '' CHECK (length(note) <= 2000),
    based_on        integer,
    created_by      uuid,
    created_at      timestamptz NOT NULL,
    PRIMARY KEY (school_id, timetable_id, number),
    FOREIGN KEY (school_id, timetable_id) REFERENCES timetables (school_id, id),
    FOREIGN KEY (school_id, problem_digest) REFERENCES timetable_problems (school_id, digest)
);
CREATE INDEX timetable_versions_problem ON timetable_versions (school_id, problem_digest);
ALTER TABLE timetables ADD FOREIGN KEY (school_id, id, published_version)
    REFERENCES timetable_versions (school_id, timetable_id, number) DEFERRABLE INITIALLY DEFERRED;

-- The searches. A race whose lease has run out is free for another conductor.
CREATE TABLE timetable_races (
    school_id       uuid NOT NULL,
    job_id          uuid NOT NULL,
    kind            text NOT NULL CHECK (kind IN ('generate', 'resolve', 'explain')),
    timetable_id    uuid,                     -- where the result goes; of a new timetable the id that it will have
    problem_digest  text NOT NULL,
    request         jsonb NOT NULL,           -- name, session, seconds, seed, base version, pins, ...
    state           text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'running', 'ended')),
    outcome         text CHECK (outcome IN ('done', 'infeasible', 'timed_out', 'cancelled', 'failed')),
    progress        jsonb NOT NULL DEFAULT '{}',
    starts          integer NOT NULL DEFAULT 0,
    lease_owner     text,
    lease_until     timestamptz,
    traceparent     text,
    created_by      uuid,
    created_at      timestamptz NOT NULL,
    PRIMARY KEY (school_id, job_id),
    CHECK ((state = 'ended') = (outcome IS NOT NULL)),
    FOREIGN KEY (school_id, job_id) REFERENCES jobs (school_id, id) ON DELETE CASCADE,
    FOREIGN KEY (school_id, problem_digest) REFERENCES timetable_problems (school_id, digest)
);
CREATE INDEX timetable_races_open ON timetable_races (created_at) WHERE state <> 'ended';
CREATE INDEX timetable_races_problem ON timetable_races (school_id, problem_digest);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['timetable_problems', 'timetables', 'timetable_versions', 'timetable_races'] LOOP
        EXECUTE format('CALL tenant_table(%L)', name);
    END LOOP;
END $$;
REVOKE UPDATE, DELETE ON timetable_problems, timetable_versions FROM schoolos_app;

-- Conductors claim the races of all schools; what a race is about they read in the school's own scope.
CREATE POLICY dispatch ON timetable_races TO schoolos_dispatch USING (true) WITH CHECK (true);
GRANT SELECT (school_id, job_id, state, starts, lease_owner, lease_until, created_at),
      UPDATE (state, starts, lease_owner, lease_until) ON timetable_races TO schoolos_dispatch;

-- Conductors are told at once of a new race and of one that is to stop.
CREATE FUNCTION tell_conductors() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('schoolos_timetables', '');
    RETURN NULL;
END $$;
CREATE TRIGGER told_conductors AFTER INSERT ON timetable_races FOR EACH STATEMENT EXECUTE FUNCTION tell_conductors();
CREATE TRIGGER told_conductors AFTER UPDATE OF cancel_requested ON jobs FOR EACH ROW
    WHEN (new.cancel_requested AND new.kind LIKE 'timetable%') EXECUTE FUNCTION tell_conductors();
