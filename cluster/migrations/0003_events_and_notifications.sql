-- The transactional outbox: an event is written with the change it tells of, and carried to the stream afterwards.
CREATE TABLE outbox (
    position     bigint GENERATED ALWAYS AS IDENTITY,
    id           uuid PRIMARY KEY,
    school_id    uuid NOT NULL REFERENCES schools (id),
    type         text NOT NULL,
    version      smallint NOT NULL,
    occurred_at  timestamptz NOT NULL,
    traceparent  text,
    payload      jsonb NOT NULL,
    relayed_at   timestamptz,
    handled_at   timestamptz        -- set by the consumer with the effects of the event, so that redelivery does nothing
);
CREATE INDEX outbox_waiting ON outbox (position) WHERE relayed_at IS NULL;
CREATE INDEX outbox_unhandled ON outbox (relayed_at) WHERE handled_at IS NULL;
CALL tenant_table('outbox');
CREATE POLICY dispatch ON outbox TO schoolos_dispatch USING (true) WITH CHECK (true);
GRANT SELECT, UPDATE ON outbox TO schoolos_dispatch;
REVOKE UPDATE, DELETE ON outbox FROM schoolos_app;
GRANT UPDATE (handled_at) ON outbox TO schoolos_app;

-- Entries of the stream that can't be handled, with the reason. The school is null where it could not be read.
CREATE TABLE dead_events (
    id           uuid PRIMARY KEY,
    school_id    uuid,
    event_id     uuid,
    stream_id    text NOT NULL UNIQUE,
    reason       text NOT NULL,
    fields       jsonb NOT NULL,
    tries        integer NOT NULL,
    at           timestamptz NOT NULL DEFAULT now()
);
CALL tenant_table('dead_events');
CREATE POLICY dispatch ON dead_events TO schoolos_dispatch USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON dead_events TO schoolos_dispatch;

-- The source's table, with its school and with zones on the times.
CREATE TABLE notification_preferences (
    id          uuid PRIMARY KEY,
    school_id   uuid NOT NULL,
    user_id     uuid NOT NULL,
    channel     varchar(20) NOT NULL CHECK (channel IN ('email', 'sms', 'push')),
    event_type  varchar(50) NOT NULL,
    enabled     boolean NOT NULL DEFAULT true,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    UNIQUE (user_id, channel, event_type),
    FOREIGN KEY (school_id, user_id) REFERENCES users (school_id, id) ON DELETE CASCADE
);
CALL tenant_table('notification_preferences');

-- One message to one recipient about one student by one channel. A state machine:
--   queued -> claimed -> sending -> sent
--                    \          \-> retry (next_attempt_at) -> claimed ...
--                     \-> skipped (opted out, no consent, no address)     \-> dead
-- What is needed to send is copied here when the event is fanned out, so that sending reads no other table.
CREATE TABLE deliveries (
    school_id            uuid NOT NULL,
    id                   uuid NOT NULL,
    event_id             uuid NOT NULL,
    event_type           text NOT NULL,
    recipient_id         uuid NOT NULL,           -- a user
    student_id           uuid NOT NULL,
    channel              text NOT NULL CHECK (channel IN ('email', 'sms', 'push')),
    state                text NOT NULL CHECK (state IN ('queued', 'claimed', 'sending', 'sent', 'retry', 'skipped', 'dead')),
    reason               text,                    -- a stable word: opted_out, no_consent, no_address, provider_rejected, ...
    address              text,
    language             text NOT NULL DEFAULT 'en',
    content              jsonb NOT NULL,          -- what the template needs
    attempts             smallint NOT NULL DEFAULT 0,
    failures             smallint NOT NULL DEFAULT 0,   -- attempts that used up a retry: not those lost or throttled
    next_attempt_at      timestamptz DEFAULT now(),   -- null unless queued or retry
    lease_owner          text,
    lease_until          timestamptz,             -- null unless claimed or sending
    sending_at           timestamptz,             -- when the attempt under way, or the last one, began
    provider             text,
    provider_message_id  text,
    traceparent          text,
    occurred_at          timestamptz NOT NULL,    -- the event's time: latency counts from here
    created_at           timestamptz NOT NULL DEFAULT now(),
    finished_at          timestamptz,
    died_at              timestamptz,             -- null unless dead
    PRIMARY KEY (school_id, id),
    UNIQUE (school_id, event_id, recipient_id, student_id, channel),
    CHECK ((state IN ('queued', 'retry')) = (next_attempt_at IS NOT NULL)),
    CHECK ((state IN ('claimed', 'sending')) = (lease_until IS NOT NULL)),
    CHECK ((state = 'dead') = (died_at IS NOT NULL)),
    FOREIGN KEY (school_id, recipient_id) REFERENCES users (school_id, id),
    FOREIGN KEY (school_id, student_id) REFERENCES students (school_id, id)
) WITH (fillfactor = 70);
-- No index knows the state itself, so that the step from claimed to sending touches none of them and stays on its page.
CREATE INDEX deliveries_due ON deliveries (channel, next_attempt_at) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX deliveries_leased ON deliveries (lease_until) WHERE lease_until IS NOT NULL;
CREATE INDEX deliveries_dead ON deliveries (school_id, died_at) WHERE died_at IS NOT NULL;
CREATE INDEX deliveries_student ON deliveries (school_id, student_id);
CREATE INDEX deliveries_newest ON deliveries (school_id, created_at DESC, id DESC);
CALL tenant_table('deliveries');
CREATE POLICY dispatch ON deliveries TO schoolos_dispatch USING (true) WITH CHECK (true);
GRANT SELECT, UPDATE ON deliveries TO schoolos_dispatch;

-- The delivery log: every attempt (P2-14).
CREATE TABLE delivery_attempts (
    school_id            uuid NOT NULL,
    delivery_id          uuid NOT NULL,
    number               smallint NOT NULL,
    worker               text NOT NULL,
    started_at           timestamptz NOT NULL,
    finished_at          timestamptz,
    outcome              text NOT NULL,           -- sent, rejected, failed, timed_out, throttled, lost
    provider             text,
    provider_message_id  text,
    detail               text NOT NULL DEFAULT '',
    PRIMARY KEY (school_id, delivery_id, number),
    FOREIGN KEY (school_id, delivery_id) REFERENCES deliveries (school_id, id) ON DELETE CASCADE
);
CALL tenant_table('delivery_attempts');
CREATE POLICY dispatch ON delivery_attempts TO schoolos_dispatch USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON delivery_attempts TO schoolos_dispatch;

-- The bell.
CREATE TABLE notifications (
    school_id    uuid NOT NULL,
    id           uuid NOT NULL,
    user_id      uuid NOT NULL,
    delivery_id  uuid NOT NULL,
    event_type   text NOT NULL,
    student_id   uuid,
    title        text NOT NULL,
    body         text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    read_at      timestamptz,
    PRIMARY KEY (school_id, id),
    UNIQUE (school_id, delivery_id),
    FOREIGN KEY (school_id, user_id) REFERENCES users (school_id, id) ON DELETE CASCADE
);
CREATE INDEX notifications_newest ON notifications (school_id, user_id, created_at DESC, id DESC);
CREATE INDEX notifications_unread ON notifications (school_id, user_id) WHERE read_at IS NULL;
CALL tenant_table('notifications');
CREATE POLICY dispatch ON notifications TO schoolos_dispatch USING (true) WITH CHECK (true);
GRANT SELECT, INSERT ON notifications TO schoolos_dispatch;
