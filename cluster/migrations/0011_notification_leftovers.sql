-- Receipts that come before our own note of the provider's id. Only what is signed or secret gets here; it is matched by
-- a notifier within seconds, and dropped after an hour. No school is known yet, so that only dispatching sees them.
CREATE TABLE early_reports (
    provider             text NOT NULL,
    provider_message_id  text NOT NULL,
    state                text NOT NULL,
    reason               text,
    detail               text NOT NULL DEFAULT '',
    occurred_at          timestamptz NOT NULL,
    received_at          timestamptz NOT NULL,
    PRIMARY KEY (provider, provider_message_id, state)
);
CREATE INDEX early_reports_received ON early_reports (received_at);
ALTER TABLE early_reports ENABLE ROW LEVEL SECURITY;
ALTER TABLE early_reports FORCE ROW LEVEL SECURITY;
CREATE POLICY dispatch ON early_reports TO schoolos_dispatch USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON early_reports TO schoolos_dispatch;

-- What retention removes beside messages. Nothing of it is changed, so that still only whole rows go.
GRANT DELETE ON absence_reasons TO schoolos_app;
GRANT DELETE ON outbox TO schoolos_app;
CREATE INDEX outbox_handled ON outbox (school_id, handled_at) WHERE handled_at IS NOT NULL;
CREATE INDEX webhook_messages_finished ON webhook_messages (school_id, finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX absence_reasons_given ON absence_reasons (school_id, given_at);

-- Jobs whose worker died are ended by the scheduler, over all schools.
CREATE INDEX jobs_running ON jobs (heartbeat_at) WHERE state = 'running';
CREATE POLICY dispatch ON jobs TO schoolos_dispatch USING (true) WITH CHECK (true);
GRANT SELECT (school_id, id, kind, state, heartbeat_at, cancel_requested), UPDATE (state, error, finished_at) ON jobs
    TO schoolos_dispatch;

-- The lane follows what the school calls urgent or promotional: whoever writes a delivery says it, by lane_of.
ALTER TABLE deliveries ALTER COLUMN lane DROP EXPRESSION;
ALTER TABLE deliveries ALTER COLUMN lane SET DEFAULT 'normal',
    ADD CONSTRAINT deliveries_lane_check CHECK (lane IN ('urgent', 'normal', 'bulk'));

-- After a school's import the planner still knows the tables as they were, and the first fan-outs walk through them for
-- every guardian. Those who import may let it look again, and nothing else; autovacuum would within a minute.
CREATE FUNCTION look_at_records() RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
BEGIN
    ANALYZE public.students, public.guardians, public.guardianships, public.users, public.consents,
            public.enrolments, public.notification_preferences;
END $$;
REVOKE ALL ON FUNCTION look_at_records() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION look_at_records() TO schoolos_app;
