-- The lane a delivery waits in. By the kind of event alone, so that whoever writes a delivery can't forget it.
ALTER TABLE deliveries
    ADD COLUMN lane text NOT NULL GENERATED ALWAYS AS (
        CASE event_type WHEN 'attendance.marked' THEN 'urgent' WHEN 'fee.reminder' THEN 'bulk' ELSE 'normal' END
    ) STORED;

-- One index with the lane before the time: each lane is a range of its own, so that what a million claims leave behind
-- in one is never walked through in another, and one statement claims of all lanes. Three partial indexes would need a
-- statement each, because the planner must see the lane as a constant.
DROP INDEX deliveries_due;
CREATE INDEX deliveries_due ON deliveries (channel, lane, next_attempt_at) WHERE next_attempt_at IS NOT NULL;

-- A queue is never as large as it was when it was last counted: dead rows go early, and by little at a time.
ALTER TABLE deliveries SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000,
                            autovacuum_analyze_scale_factor = 0.05);

-- When address and words were removed from an old one; see core/notifications/retention.py.
ALTER TABLE deliveries ADD COLUMN stripped_at timestamptz;
