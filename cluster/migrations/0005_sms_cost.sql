-- What an SMS costs, and the budget it is held to.
--   sms_budget   {"monthlyKobo": 5000000, "hardStop": true, "warnAtPercent": 80}
--   sms_pricing  {"route": "dnd", "prices": [{"provider": "africas_talking", "route": "dnd", "segmentKobo": 440}, ...]}
--   sms_text     {"letters": "by_language"}
ALTER TABLE policies DROP CONSTRAINT policies_kind_check,
    ADD CONSTRAINT policies_kind_check CHECK (kind IN ('assessment', 'grading', 'approval', 'fee_reminder', 'sms_budget',
        'sms_pricing', 'sms_text'));

ALTER TABLE deliveries
    ADD COLUMN sms_rules jsonb,                   -- prices and letters as they were at fan-out; null = the defaults
    ADD COLUMN reserved_kobo integer,             -- what it is expected to cost; null where no budget is kept
    ADD COLUMN segments integer,                  -- what was sent, over all times it was taken by a provider
    ADD COLUMN cost_kobo integer,                 -- segments by the school's prices
    ADD COLUMN provider_cost_kobo integer;        -- what the provider itself said, where it did

-- What of the budget is promised to messages on their way: a message leaves it by being finished, however that comes.
CREATE INDEX deliveries_reserved ON deliveries (school_id) INCLUDE (reserved_kobo)
    WHERE reserved_kobo IS NOT NULL AND finished_at IS NULL;
CREATE INDEX deliveries_cost ON deliveries (school_id, finished_at) WHERE cost_kobo IS NOT NULL;

-- What has been spent, one row a school and month of its own calendar, raised in the statement that records the sending.
CREATE TABLE sms_spend (
    school_id   uuid NOT NULL REFERENCES schools (id),
    month       date NOT NULL CHECK (extract(day FROM month) = 1),
    messages    integer NOT NULL DEFAULT 0,
    segments    integer NOT NULL DEFAULT 0,
    spent_kobo  bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (school_id, month)
) WITH (fillfactor = 20);                         -- one row, changed many times a second: it stays on its page
CALL tenant_table('sms_spend');
REVOKE INSERT, UPDATE, DELETE ON sms_spend FROM schoolos_app;
CREATE POLICY dispatch ON sms_spend TO schoolos_dispatch USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON sms_spend TO schoolos_dispatch;
