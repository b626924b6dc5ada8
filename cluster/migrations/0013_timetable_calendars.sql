-- Calendars that people subscribe to, and the days on which there is no school.

-- Days without lessons within a term: holidays, mid-term breaks, elections. Days outside every term have none anyway.
CREATE TABLE school_closures (
    school_id  uuid NOT NULL REFERENCES schools (id),
    id         uuid NOT NULL,
    name       text NOT NULL CHECK (name <> ''),
    starts_on  date NOT NULL,
    ends_on    date NOT NULL CHECK (ends_on >= starts_on AND ends_on - starts_on < 366),
    version    integer NOT NULL DEFAULT 1,
    PRIMARY KEY (school_id, id)
);
CREATE INDEX school_closures_days ON school_closures (school_id, starts_on, id);

-- Whose lessons of a session somebody follows. The link's token names the row; without its row a token is nothing.
CREATE TABLE calendar_links (
    school_id   uuid NOT NULL,
    id          uuid NOT NULL,
    user_id     uuid NOT NULL,                -- shows what this person may see, for as long as they may
    session_id  uuid NOT NULL,                -- whichever timetable is published in it
    kind        text NOT NULL CHECK (kind IN ('group', 'teacher', 'room')),
    whose       text NOT NULL CHECK (length(whose) BETWEEN 1 AND 200),
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (school_id, id),
    UNIQUE (school_id, user_id, session_id, kind, whose),
    FOREIGN KEY (school_id, user_id) REFERENCES users (school_id, id) ON DELETE CASCADE,
    FOREIGN KEY (school_id, session_id) REFERENCES academic_sessions (school_id, id) ON DELETE CASCADE
);
CREATE INDEX calendar_links_of ON calendar_links (school_id, session_id, kind, whose);

CALL tenant_table('school_closures');
CALL tenant_table('calendar_links');
REVOKE UPDATE ON calendar_links FROM schoolos_app;
