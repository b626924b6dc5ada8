-- What people did to messages, addresses that can't be reached, reasons that guardians gave, webhooks out.

ALTER TABLE deliveries
    ADD COLUMN resends smallint NOT NULL DEFAULT 0,   -- each begins a new series of attempts, with a new key at the provider
    ADD COLUMN discarded_at timestamptz;              -- a dead one that was given up: it left the list of the dead
CREATE INDEX deliveries_recipient ON deliveries (school_id, recipient_id);
-- A signed link names the delivery alone, so that it fits into an SMS.
CREATE INDEX deliveries_absence ON deliveries (id) WHERE event_type = 'attendance.marked';

-- Who resent or discarded what.
CREATE TABLE delivery_actions (
    school_id    uuid NOT NULL,
    id           bigint GENERATED ALWAYS AS IDENTITY,
    delivery_id  uuid NOT NULL,
    action       text NOT NULL CHECK (action IN ('resent', 'discarded')),
    after        smallint NOT NULL,               -- attempts before it: those that follow are the new series
    was_state    text NOT NULL,
    was_reason   text,
    actor_id     uuid,
    at           timestamptz NOT NULL,
    PRIMARY KEY (school_id, id),
    FOREIGN KEY (school_id, delivery_id) REFERENCES deliveries (school_id, id) ON DELETE CASCADE
);
CREATE INDEX delivery_actions_delivery ON delivery_actions (school_id, delivery_id, id);
CALL tenant_table('delivery_actions');
REVOKE UPDATE, DELETE ON delivery_actions FROM schoolos_app;

-- Addresses that a provider or network refused for good: nothing more is sent there until the guardian has another,
-- or somebody says that it is right after all.
CREATE TABLE bad_addresses (
    school_id     uuid NOT NULL,
    id            uuid NOT NULL DEFAULT gen_random_uuid(),
    recipient_id  uuid NOT NULL,
    channel       text NOT NULL CHECK (channel IN ('email', 'sms')),
    address       text NOT NULL,
    reason        text NOT NULL,                  -- bad_address, not_on_network, recipient_blocked, complained
    delivery_id   uuid NOT NULL,                  -- the message by which it was learnt
    since         timestamptz NOT NULL,
    PRIMARY KEY (school_id, id),
    UNIQUE (school_id, recipient_id, channel),
    FOREIGN KEY (school_id, recipient_id) REFERENCES users (school_id, id) ON DELETE CASCADE
);
CREATE INDEX bad_addresses_newest ON bad_addresses (school_id, since DESC, id DESC);
CALL tenant_table('bad_addresses');
CREATE POLICY dispatch ON bad_addresses TO schoolos_dispatch USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON bad_addresses TO schoolos_dispatch;

-- Written by the database itself, so that it holds for attempts and receipts alike, in the statement that tells of them.
CREATE FUNCTION note_bad_address() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO bad_addresses (school_id, recipient_id, channel, address, reason, delivery_id, since)
    VALUES (NEW.school_id, NEW.recipient_id, NEW.channel, NEW.address,
            CASE WHEN NEW.state = 'dead' THEN NEW.reason
                 WHEN NEW.receipt_state = 'complained' THEN 'complained' ELSE NEW.receipt_reason END,
            NEW.id, coalesce(NEW.finished_at, now()))
    ON CONFLICT (school_id, recipient_id, channel)
    DO UPDATE SET address = excluded.address, reason = excluded.reason, delivery_id = excluded.delivery_id,
                  since = excluded.since;
    RETURN NULL;
END $$;
CREATE TRIGGER deliveries_bad_address AFTER UPDATE OF state, receipt_state ON deliveries FOR EACH ROW
    WHEN (NEW.address IS NOT NULL AND NEW.channel IN ('email', 'sms') AND (
        (NEW.state = 'dead' AND OLD.state <> 'dead'
             AND NEW.reason IN ('bad_address', 'not_on_network', 'recipient_blocked'))
        OR (NEW.receipt_state IS DISTINCT FROM OLD.receipt_state
             AND (NEW.receipt_state = 'complained' OR NEW.receipt_state = 'undelivered'
                  AND NEW.receipt_reason IN ('bad_address', 'not_on_network', 'recipient_blocked')))))
    EXECUTE FUNCTION note_bad_address();

-- Another phone or email is another chance.
CREATE FUNCTION forget_bad_address() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM bad_addresses b USING users u
    WHERE u.school_id = NEW.school_id AND u.guardian_id = NEW.id
      AND b.school_id = NEW.school_id AND b.recipient_id = u.id
      AND b.address IS DISTINCT FROM CASE b.channel WHEN 'sms' THEN NEW.phone ELSE NEW.email END;
    RETURN NULL;
END $$;
CREATE TRIGGER guardians_new_address AFTER UPDATE OF phone, email ON guardians FOR EACH ROW
    WHEN ((OLD.phone, OLD.email) IS DISTINCT FROM (NEW.phone, NEW.email))
    EXECUTE FUNCTION forget_bad_address();

-- Why a child was not there or late, as a guardian said through the message's link. The newest counts; the earlier
-- ones stay. It is what was reported: the teacher's register is not changed by it.
CREATE TABLE absence_reasons (
    school_id     uuid NOT NULL,
    id            bigint GENERATED ALWAYS AS IDENTITY,
    register_id   uuid NOT NULL,
    student_id    uuid NOT NULL,
    recipient_id  uuid NOT NULL,
    delivery_id   uuid NOT NULL,
    reason        text NOT NULL CHECK (reason IN ('sick', 'family', 'transport', 'religious', 'other')),
    note          text NOT NULL DEFAULT '' CHECK (length(note) <= 200),
    given_at      timestamptz NOT NULL,
    PRIMARY KEY (school_id, id),
    FOREIGN KEY (school_id, register_id) REFERENCES attendance_registers (school_id, id) ON DELETE CASCADE,
    FOREIGN KEY (school_id, student_id) REFERENCES students (school_id, id) ON DELETE CASCADE,
    FOREIGN KEY (school_id, recipient_id) REFERENCES users (school_id, id) ON DELETE CASCADE
);
CREATE INDEX absence_reasons_newest ON absence_reasons (school_id, register_id, student_id, id DESC);
CALL tenant_table('absence_reasons');
REVOKE UPDATE, DELETE ON absence_reasons FROM schoolos_app;

-- Other systems that hear of a school's events (Standard Webhooks). No secret is kept: it is derived from the
-- installation's key, the endpoint and the generation.
CREATE TABLE webhook_endpoints (
    school_id        uuid NOT NULL REFERENCES schools (id),
    id               uuid NOT NULL,
    url              text NOT NULL CHECK (length(url) <= 2048),
    description      text NOT NULL DEFAULT '',
    event_types      text[] NOT NULL CHECK (cardinality(event_types) > 0),
    active           boolean NOT NULL DEFAULT true,
    generation       integer NOT NULL DEFAULT 1,
    previous_until   timestamptz,                 -- until then the generation before signs too
    failing_since    timestamptz,                 -- null while its last answer was good
    disabled_at      timestamptz,                 -- by ourselves, after days of failure
    disabled_reason  text,
    created_by       uuid,
    created_at       timestamptz NOT NULL,
    version          integer NOT NULL DEFAULT 1,
    PRIMARY KEY (school_id, id),
    UNIQUE (school_id, url)
);
CALL tenant_table('webhook_endpoints');
CREATE POLICY dispatch ON webhook_endpoints FOR SELECT TO schoolos_dispatch USING (true);
GRANT SELECT ON webhook_endpoints TO schoolos_dispatch;

-- One event to one endpoint. queued -> sending -> sent | retry -> sending ... | dead
CREATE TABLE webhook_messages (
    school_id        uuid NOT NULL,
    id               uuid NOT NULL,               -- the webhook-id: the same for every attempt and replay
    endpoint_id      uuid NOT NULL,
    source_id        uuid NOT NULL,               -- the event, or the delivery that died
    event_type       text NOT NULL,
    data             jsonb NOT NULL,
    state            text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'sending', 'sent', 'retry', 'dead')),
    reason           text,
    attempts         smallint NOT NULL DEFAULT 0,
    failures         smallint NOT NULL DEFAULT 0, -- since it was queued or replayed
    next_attempt_at  timestamptz,
    lease_owner      text,
    lease_until      timestamptz,
    sending_at       timestamptz,
    traceparent      text,
    occurred_at      timestamptz NOT NULL,
    created_at       timestamptz NOT NULL,
    finished_at      timestamptz,
    PRIMARY KEY (school_id, id),
    UNIQUE (school_id, endpoint_id, source_id, event_type),
    CHECK ((state IN ('queued', 'retry')) = (next_attempt_at IS NOT NULL)),
    CHECK ((state = 'sending') = (lease_until IS NOT NULL)),
    FOREIGN KEY (school_id, endpoint_id) REFERENCES webhook_endpoints (school_id, id) ON DELETE CASCADE
);
CREATE INDEX webhook_messages_due ON webhook_messages (next_attempt_at) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX webhook_messages_leased ON webhook_messages (lease_until) WHERE lease_until IS NOT NULL;
CREATE INDEX webhook_messages_newest ON webhook_messages (school_id, endpoint_id, created_at DESC, id DESC);
CALL tenant_table('webhook_messages');
CREATE POLICY dispatch ON webhook_messages TO schoolos_dispatch USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON webhook_messages TO schoolos_dispatch;

CREATE TABLE webhook_attempts (
    school_id    uuid NOT NULL,
    message_id   uuid NOT NULL,
    number       smallint NOT NULL,
    worker       text NOT NULL,
    started_at   timestamptz NOT NULL,
    finished_at  timestamptz NOT NULL,
    outcome      text NOT NULL CHECK (outcome IN ('taken', 'refused', 'failed', 'timed_out', 'blocked', 'lost')),
    status       smallint,                        -- HTTP's, where there was an answer
    detail       text NOT NULL DEFAULT '',
    PRIMARY KEY (school_id, message_id, number),
    FOREIGN KEY (school_id, message_id) REFERENCES webhook_messages (school_id, id) ON DELETE CASCADE
);
CALL tenant_table('webhook_attempts');
REVOKE UPDATE, DELETE ON webhook_attempts FROM schoolos_app;
CREATE POLICY dispatch ON webhook_attempts TO schoolos_dispatch USING (true) WITH CHECK (true);
GRANT SELECT, INSERT ON webhook_attempts TO schoolos_dispatch;

-- A delivery that died is told in the statement that lets it die, whoever runs that.
CREATE FUNCTION tell_delivery_died() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO webhook_messages (school_id, id, endpoint_id, source_id, event_type, data, next_attempt_at, traceparent,
                                  occurred_at, created_at)
    SELECT NEW.school_id, gen_random_uuid(), e.id, gen_random_uuid(), 'delivery.dead',
           jsonb_build_object('deliveryId', NEW.id, 'eventId', NEW.event_id, 'eventType', NEW.event_type,
                              'recipientId', NEW.recipient_id, 'studentId', NEW.student_id, 'channel', NEW.channel,
                              'reason', NEW.reason, 'attempts', NEW.attempts),
           NEW.died_at, NEW.traceparent, NEW.died_at, NEW.died_at
    FROM webhook_endpoints e
    WHERE e.school_id = NEW.school_id AND e.active AND 'delivery.dead' = ANY (e.event_types);
    RETURN NULL;
END $$;
CREATE TRIGGER deliveries_died AFTER UPDATE OF died_at ON deliveries FOR EACH ROW
    WHEN (NEW.died_at IS NOT NULL AND OLD.died_at IS NULL) EXECUTE FUNCTION tell_delivery_died();
