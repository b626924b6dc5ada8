"""Receipts: what each provider's word means, and how one knows that it is the provider's."""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import NotAuthenticated
from core.notifications import sns
from core.notifications.explanation import what_came_of_it
from core.notifications.model import Reason
from core.notifications.receipts import (
    ReceiptState,
    read_africas_talking,
    read_ses,
    read_twilio,
    same,
    twilio_signature,
)
from tests.factories.receipts import CERTIFICATE, TOPIC, FakeSns

DATA = Path(__file__).parents[1] / "data"
TWILIO, SES, AFRICAS_TALKING = (
    json.loads((DATA / f"{name}.json").read_text("utf-8")) for name in ("twilio", "ses", "africas_talking_reports")
)
NOW = datetime(2027, 12, 2, 9, 0, tzinfo=UTC)
SNS = FakeSns()
EVENT = {"eventType": "Delivery", "mail": {"messageId": "0100-1"}, "delivery": {}}


def told(report: Any) -> tuple[str | None, str | None]:
    """Return state and reason of a report, or nothing."""
    return (report.state, report.reason) if report else (None, None)


@pytest.mark.parametrize("recorded", TWILIO["callbacks"], ids=lambda each: each["form"]["MessageStatus"])
def test_each_callback_of_twilio_is_understood(recorded: dict[str, Any]) -> None:
    """Every status becomes a state, and every known error code a reason."""
    assert told(read_twilio(recorded["form"], NOW)) == (recorded["state"], recorded["reason"])


@pytest.mark.parametrize("recorded", AFRICAS_TALKING["reports"], ids=lambda each: str(each["form"]))
def test_each_report_of_africas_talking_is_understood(recorded: dict[str, Any]) -> None:
    """Every documented status and failure reason becomes a state and a reason."""
    assert told(read_africas_talking(recorded["form"], NOW)) == (recorded["state"], recorded["reason"])


@pytest.mark.parametrize("recorded", SES["events"], ids=lambda each: each["event"]["eventType"])
def test_each_event_of_ses_is_understood(recorded: dict[str, Any]) -> None:
    """Bounces, complaints and deliveries become states with reasons; an opened mail is none of our business."""
    report = read_ses(recorded["event"], NOW)
    assert told(report) == (recorded["state"], recorded["reason"])
    assert report is None or "example.com" not in report.detail


def test_an_events_own_time_counts() -> None:
    """Where the provider says when it happened, that is the time; else it is now."""
    told = SES["events"][3]["event"]
    report = read_ses(told, NOW)
    assert report is not None
    assert report.occurred_at == datetime(2016, 10, 19, 23, 21, 4, 133_000, UTC)
    without = read_ses({**told, "delivery": {"timestamp": "yesterday"}}, NOW)
    assert without is not None
    assert without.occurred_at == NOW


@given(st.dictionaries(st.text(), st.recursive(st.text() | st.none() | st.integers(), st.lists)))
def test_no_event_breaks_the_reader(event: dict[str, Any]) -> None:
    """Whatever comes, it is read or left alone."""
    for known in ("Bounce", "Complaint", "Delivery"):
        read_ses({"mail": event, known.lower(): event, **event, "eventType": known}, NOW)


def test_twilios_own_example_of_a_signature() -> None:
    """Address and parameters of the documentation give the signature that is printed there."""
    example = TWILIO["signature"]
    form = [(name, value) for name, value in example["form"]]
    assert twilio_signature(example["token"], example["url"], form) == example["expected"]
    assert (
        twilio_signature(example["token"], example["url"], [*form, ("MessageStatus", "failed")]) != example["expected"]
    )


def test_secrets_are_compared_whatever_they_hold() -> None:
    """A secret with letters beyond ASCII is compared like any other."""
    assert same("Tọ́lá", "Tọ́lá")
    assert not same("Tọ́lá", "Tola")


@pytest.mark.parametrize(
    "document", [SNS.notification(EVENT), SNS.notification(EVENT, Subject="x"), SNS.confirmation()]
)
def test_what_amazon_signed_is_taken(document: dict[str, str]) -> None:
    """A message of our topic, signed by Amazon's certificate, is Amazon's, with a subject and without."""
    assert sns.certificate_url(document, TOPIC) == CERTIFICATE
    sns.check_signature(document, SNS._pem, NOW.replace(year=2026))


@pytest.mark.parametrize("name", ["Message", "MessageId", "Timestamp", "TopicArn", "Type"])
def test_what_was_changed_is_not(name: str) -> None:
    """Each field that counts is covered by the signature."""
    document = SNS.notification(EVENT)
    document[name] = "SubscriptionConfirmation" if name == "Type" else "changed"
    with pytest.raises(NotAuthenticated):
        sns.check_signature(document, SNS._pem, NOW.replace(year=2026))


@pytest.mark.parametrize("signature", ["", "AAAA", "no base64!", "ọ"])
def test_a_missing_or_broken_signature_is_refused(signature: str) -> None:
    """Nothing passes without a signature that fits."""
    with pytest.raises(NotAuthenticated):
        sns.check_signature(SNS.notification(EVENT) | {"Signature": signature}, SNS._pem, NOW.replace(year=2026))


def test_a_certificate_counts_only_while_it_holds() -> None:
    """What an expired certificate signed is refused, and so is what is no certificate."""
    old = FakeSns(valid_until=datetime(2025, 1, 1, tzinfo=UTC))
    with pytest.raises(NotAuthenticated):
        sns.check_signature(old.notification(EVENT), old._pem, NOW.replace(year=2026))
    with pytest.raises(NotAuthenticated):
        sns.check_signature(SNS.notification(EVENT), b"no certificate", NOW)


@pytest.mark.parametrize(
    "changed",
    [
        {"TopicArn": "arn:aws:sns:eu-west-1:999999999999:ses-events"},
        {"SignatureVersion": "1"},
        {"SigningCertURL": CERTIFICATE.replace("https", "http")},
        {"SigningCertURL": CERTIFICATE.replace("eu-west-1", "us-east-1")},
        {"SigningCertURL": CERTIFICATE.replace("amazonaws.com", "amazonaws.com.evil.example")},
        {"SigningCertURL": CERTIFICATE.replace("sns.", "user@sns.")},
        {"SigningCertURL": CERTIFICATE.replace(".com/", ".com:8443/")},
        {"SigningCertURL": "https://sns.eu-west-1.amazonaws.com/upload/evil.pem"},
        {"SigningCertURL": "https://["},
    ],
)
def test_only_amazons_certificate_for_our_topic_is_fetched(changed: dict[str, str]) -> None:
    """A message can't name another host, port or file to fetch, nor come from somebody else's topic."""
    with pytest.raises(NotAuthenticated):
        sns.certificate_url(SNS.notification(EVENT) | changed, TOPIC)


def test_china_and_the_government_have_hosts_of_their_own() -> None:
    """The host follows from the topic's partition and region."""
    assert sns.host_of("arn:aws-cn:sns:cn-north-1:123456789012:t") == "sns.cn-north-1.amazonaws.com.cn"
    assert sns.host_of("arn:aws-us-gov:sns:us-gov-west-1:123456789012:t") == "sns.us-gov-west-1.amazonaws.com"


def test_every_receipt_has_words() -> None:
    """The office reads a sentence and never a code."""
    for state in ReceiptState:
        assert " " in what_came_of_it(state, None)
    said = what_came_of_it(ReceiptState.UNDELIVERED, Reason.NOT_ON_NETWORK)
    assert said == "the provider took it, but it was not delivered: the number is not on the network"


def test_the_signature_is_checked_as_base64() -> None:
    """The fake signs as Amazon does: base64 of 256 bytes."""
    assert len(base64.b64decode(SNS.notification(EVENT)["Signature"])) == 256
