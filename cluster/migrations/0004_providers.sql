-- Devices that show a message beside the bell: browsers with a push subscription, phones with an FCM token.
CREATE TABLE push_devices (
    school_id   uuid NOT NULL,
    id          uuid NOT NULL,
    user_id     uuid NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('web', 'fcm')),
    endpoint    text NOT NULL CHECK (length(endpoint) BETWEEN 1 AND 2048),   -- the push service's URL, or the FCM token
    p256dh      text,                             -- the browser's public key and secret (RFC 8291)
    auth        text,
    name        text NOT NULL DEFAULT '',
    created_at  timestamptz NOT NULL,
    seen_at     timestamptz NOT NULL,
    PRIMARY KEY (school_id, id),
    UNIQUE (school_id, endpoint),
    CHECK ((kind = 'web') = (p256dh IS NOT NULL AND auth IS NOT NULL)),
    FOREIGN KEY (school_id, user_id) REFERENCES users (school_id, id) ON DELETE CASCADE
);
CREATE INDEX push_devices_user ON push_devices (user_id);
CALL tenant_table('push_devices');
CREATE POLICY dispatch ON push_devices TO schoolos_dispatch USING (true) WITH CHECK (true);
GRANT SELECT, DELETE ON push_devices TO schoolos_dispatch;

-- 'device' is push to those devices; it follows the preference for 'push', which writes the bell.
ALTER TABLE deliveries DROP CONSTRAINT deliveries_channel_check,
    ADD CONSTRAINT deliveries_channel_check CHECK (channel IN ('email', 'sms', 'push', 'device')),
    ADD COLUMN receipt_state text CHECK (receipt_state IN ('on_the_way', 'delivered', 'undelivered', 'complained')),
    ADD COLUMN receipt_reason text,               -- a stable word: unreachable, not_on_network, bad_address, ...
    ADD COLUMN delivered_at timestamptz;          -- when a network or mail server said so
-- By the provider's id its reports find the delivery. The bell, which has none, stays out.
CREATE INDEX deliveries_message ON deliveries (provider_message_id)
    WHERE provider_message_id IS NOT NULL AND channel IN ('email', 'sms');

-- What providers report after they took a message, each report once.
CREATE TABLE delivery_reports (
    school_id            uuid NOT NULL,
    delivery_id          uuid NOT NULL,
    provider             text NOT NULL,
    provider_message_id  text NOT NULL,
    state                text NOT NULL,
    reason               text,
    detail               text NOT NULL DEFAULT '',
    occurred_at          timestamptz NOT NULL,
    received_at          timestamptz NOT NULL,
    PRIMARY KEY (school_id, delivery_id, provider_message_id, state),
    FOREIGN KEY (school_id, delivery_id) REFERENCES deliveries (school_id, id) ON DELETE CASCADE
);
CALL tenant_table('delivery_reports');
CREATE POLICY dispatch ON delivery_reports TO schoolos_dispatch USING (true) WITH CHECK (true);
GRANT SELECT, INSERT ON delivery_reports TO schoolos_dispatch;
