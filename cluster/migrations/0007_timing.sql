-- When a message leaves, and what leaves together.
--   notification       {"holdBackMinutes": 15, "digest": true, "quietHours": {"from": "20:00", "to": "08:00"},
--                       "urgent": ["attendance.marked"], "promotional": []}
--   message_templates  {"templates": [{"eventType": "scores.published", "channel": "sms", "language": "en", "text": "..."}]}
ALTER TABLE policies DROP CONSTRAINT policies_kind_check,
    ADD CONSTRAINT policies_kind_check CHECK (kind IN ('assessment', 'grading', 'approval', 'fee_reminder', 'sms_budget',
        'sms_pricing', 'sms_text', 'notification', 'message_templates', 'message_retention'));

ALTER TABLE deliveries
    ADD COLUMN quiet_from time,                   -- at night nothing leaves: local times, null where it may always
    ADD COLUMN quiet_to time,
    ADD COLUMN time_zone text,                    -- the school's, by which the night is told
    ADD COLUMN fell_back_from text,               -- 'sms:not_on_network': the channel that came before, and why it failed
    ADD COLUMN fell_back_at timestamptz,          -- when the next channel was looked for, once
    ADD CHECK ((quiet_from IS NULL) = (quiet_to IS NULL) AND (quiet_from IS NULL OR time_zone IS NOT NULL)),
    ADD CHECK (quiet_from > quiet_to);            -- a night: it runs over midnight
-- What was lost for its channel and waits for the next one to be looked for.
CREATE INDEX deliveries_lost ON deliveries (school_id)
    WHERE fell_back_at IS NULL AND channel IN ('sms', 'email') AND (died_at IS NOT NULL OR receipt_state = 'undelivered');
-- Numbers known to be on the do-not-disturb list, which promotional messages don't reach.
CREATE INDEX deliveries_do_not_disturb ON deliveries (school_id, address)
    WHERE reason = 'do_not_disturb' OR receipt_reason = 'do_not_disturb';

-- When the night ends that a moment lies in; null where it lies in none. The same rule as core.notifications.quiet_hours.
CREATE FUNCTION quiet_until(moment timestamptz, night_from time, night_to time, zone text) RETURNS timestamptz
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN CASE
        WHEN (moment AT TIME ZONE zone)::time >= night_from
            THEN ((moment AT TIME ZONE zone)::date + 1 + night_to) AT TIME ZONE zone
        WHEN (moment AT TIME ZONE zone)::time < night_to
            THEN ((moment AT TIME ZONE zone)::date + night_to) AT TIME ZONE zone
    END;

-- The messages of one recipient that may still be joined, by what they tell. Its row is the lock under which they are.
CREATE TABLE digests (
    school_id     uuid NOT NULL,
    recipient_id  uuid NOT NULL,
    event_type    text NOT NULL,
    topic         text NOT NULL,                  -- '' = everything of this type together; else one mark sheet's
    deliveries    uuid[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (school_id, recipient_id, event_type, topic),
    FOREIGN KEY (school_id, recipient_id) REFERENCES users (school_id, id) ON DELETE CASCADE
) WITH (fillfactor = 70);
CALL tenant_table('digests');

-- Results with those that came later: an entry takes the place of the same sheet's, unless that is of a later revision.
CREATE FUNCTION joined_results(old jsonb, new jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN old || coalesce((
        SELECT jsonb_object_agg(key, value) FROM jsonb_each(new)
        WHERE coalesce((old -> key ->> 'revision')::int, 0) <= (value ->> 'revision')::int
    ), '{}');
