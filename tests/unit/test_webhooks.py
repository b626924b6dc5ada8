"""Webhooks out: how they are signed, where they may go, and what an answer means."""

import base64
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from core.adapters.webhook import is_public
from core.errors import InvalidInput, Unavailable
from core.ids import SchoolId, WebhookEndpointId, WebhookMessageId
from core.notifications.webhooks_lifecycle import verdict_on, why_disable
from core.notifications.webhooks_model import (
    RETRY_AFTER,
    AttemptOutcome,
    DueMessage,
    MessageState,
    WebhookAnswer,
    checked_url,
)
from core.notifications.webhooks_signing import WebhookSecrets, body_of, headers_of, signature

NOW = datetime(2027, 9, 20, 8, 0, tzinfo=UTC)

# The example of the specification's own libraries (standard-webhooks, "sign function works").
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MESSAGE = "msg_p5jXN8AQM9LWM0D4loKWxJek"
AT = datetime.fromtimestamp(1614265330, UTC)
BODY = b'{"test": 2432232314}'
SIGNED = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def message(failures: int = 0) -> DueMessage:
    """Return a message under way."""
    return DueMessage(
        school_id=SchoolId(uuid4()), id=WebhookMessageId(uuid4()), endpoint_id=WebhookEndpointId(uuid4()),
        url="https://a.example", generation=1, previous_until=None, event_type="fee.reminder", data={}, number=1,
        failures=failures, traceparent=None, occurred_at=NOW,
    )  # fmt: skip


def test_the_signature_is_the_specifications() -> None:
    """The specification's secret, id, time and body give its signature, with and without the secret's prefix."""
    assert signature(SECRET, MESSAGE, AT, BODY) == SIGNED
    assert signature(SECRET.removeprefix("whsec_"), MESSAGE, AT, BODY) == SIGNED


def test_two_secrets_sign_beside_each_other() -> None:
    """During a rotation the header holds one signature of each secret, separated by a space."""
    other = "whsec_" + base64.b64encode(b"b" * 24).decode()
    headers = headers_of(MESSAGE, AT, BODY, [other, SECRET])
    assert headers["webhook-signature"].split() == [signature(other, MESSAGE, AT, BODY), SIGNED]
    assert (headers["webhook-id"], headers["webhook-timestamp"]) == (MESSAGE, "1614265330")


def test_secrets_differ_by_endpoint_and_generation() -> None:
    """Each endpoint and generation has its own secret of 32 bytes, always the same."""
    secrets, school, one, other = (
        WebhookSecrets(b"k" * 32), SchoolId(uuid4()), WebhookEndpointId(uuid4()), WebhookEndpointId(uuid4())
    )  # fmt: skip
    made = {secrets.secret(school, endpoint, generation) for endpoint in (one, other) for generation in (1, 2)}
    assert len(made) == 4
    assert secrets.secret(school, one, 1) in made
    assert all(len(base64.b64decode(each.removeprefix("whsec_"))) == 32 for each in made)


def test_a_body_is_the_same_every_time() -> None:
    """Type, time and data in the recommended form, in one order."""
    body = body_of("fee.reminder", NOW, {"b": 1, "a": "é"})
    assert body == '{"data":{"a":"é","b":1},"timestamp":"2027-09-20T08:00:00.000Z","type":"fee.reminder"}'.encode()


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.8.8", "::1", "0.0.0.0", "::", "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.9.9",
        "192.168.1.1", "169.254.169.254", "169.254.170.2", "100.64.0.1", "100.100.100.200", "192.0.0.192", "198.18.0.1",
        "224.0.0.1", "240.0.0.1", "255.255.255.255", "168.63.129.16", "fe80::1", "fe80::1%eth0", "fc00::1",
        "fd00:ec2::254", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::", "2002:a9fe:a9fe::", "2001:0:4136:e378::1",
        "::7f00:1", "2001:db8::1",
    ],
)  # fmt: skip
def test_nothing_is_sent_into_private_networks(address: str) -> None:
    """Loopback, private, link-local, metadata, carrier, multicast and reserved addresses, in every spelling."""
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "105.112.0.1", "2a00:1450:4003:80e::200e", "::ffff:8.8.8.8"])
def test_the_public_network_is_reached(address: str) -> None:
    """Addresses of the public network are let through."""
    assert is_public(address)


def test_this_machine_only_where_a_setting_says_so() -> None:
    """The setting opens loopback, and nothing else."""
    assert is_public("127.0.0.1", loopback=True)
    assert is_public("::1", loopback=True)
    assert not is_public("10.0.0.1", loopback=True)


@pytest.mark.parametrize(
    "url",
    [
        "http://a.example/", "ftp://a.example", "https://", "https:///x", "https://u:p@a.example", "https://a.example/#x",
        "file:///etc/passwd", "gopher://a.example", "https://a.example:99999", "https://[::1", "javascript:alert(1)",
        "https://a.example/\nx", "https://a.example/" + "x" * 2048, "", "http://localhost", "//a.example",
    ],
)  # fmt: skip
def test_what_is_no_address_of_an_endpoint(url: str) -> None:
    """Only plain https addresses are taken."""
    with pytest.raises(InvalidInput):
        checked_url(url, loopback=False)


def test_loopback_may_be_asked_by_http_in_development() -> None:
    """With the setting, and for this machine alone."""
    assert checked_url("http://127.0.0.1:9000/x", loopback=True)
    with pytest.raises(InvalidInput):
        checked_url("http://a.example", loopback=True)


def test_a_failure_is_tried_again_by_the_recommended_schedule() -> None:
    """Each failure waits longer; after the last the message is dead."""
    for failures, wait in enumerate(RETRY_AFTER):
        verdict = verdict_on(message(failures), WebhookAnswer(500), NOW, 1.0)
        assert (verdict.state, verdict.next_attempt_at) == (MessageState.RETRY, NOW + wait)
    last = verdict_on(message(len(RETRY_AFTER)), Unavailable("x"), NOW, 1.0)
    assert (last.state, last.reason, last.next_attempt_at) == (MessageState.DEAD, "gave_up", None)


@pytest.mark.parametrize("status", [300, 301, 302, 307, 308, 400, 401, 404, 500, 503])
def test_only_success_is_success(status: int) -> None:
    """A redirect is a failure like any other that is not 2xx."""
    assert verdict_on(message(), WebhookAnswer(status), NOW, 1.0).outcome is AttemptOutcome.FAILED


def test_a_receiver_may_ask_for_time_but_not_for_ever() -> None:
    """Retry-After is kept to where it is longer than the schedule, up to a day."""
    wait = timedelta(hours=1)
    assert verdict_on(message(), WebhookAnswer(429, wait), NOW, 1.0).next_attempt_at == NOW + wait
    verdict = verdict_on(message(), WebhookAnswer(503, timedelta(days=400)), NOW, 1.0)
    assert verdict.next_attempt_at == NOW + timedelta(days=1)


def test_when_an_endpoint_is_asked_no_more() -> None:
    """At once after 410, and after five days without one good answer."""
    gone = verdict_on(message(), WebhookAnswer(410), NOW, 1.0)
    failed, good = (verdict_on(message(), WebhookAnswer(status), NOW, 1.0) for status in (500, 204))
    assert why_disable(gone, NOW, NOW) == "gone"
    assert why_disable(failed, NOW - timedelta(days=4), NOW) is None
    assert why_disable(failed, NOW - timedelta(days=5), NOW) == "failing"
    assert why_disable(good, NOW - timedelta(days=9), NOW) is None
