"""Links of absence messages: short, signed, good for a week, and for nothing else."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.access.keys import derived, generate
from core.errors import NotFound
from core.ids import DeliveryId, SchoolId, StudentId, UserId
from core.notifications.absence_link import HOLDS_FOR, PATH, AbsenceLinks, LinkExpired
from core.notifications.model import Channel, Delivery

BASE = "https://school.example"
NOW = datetime(2027, 9, 20, 8, 0, tzinfo=UTC)
PEM = generate()
LINKS = AbsenceLinks(derived(PEM, "installation"), BASE)


def delivery(event_type: str = "attendance.marked", resends: int = 0) -> Delivery:
    """Return a delivery of now."""
    return Delivery(
        school_id=SchoolId(uuid4()), id=DeliveryId(uuid4()), event_type=event_type, recipient_id=UserId(uuid4()),
        student_id=StudentId(uuid4()), channel=Channel.SMS, address="+2348030000001", language="en", content={},
        attempts=0, failures=0, traceparent=None, created_at=NOW, occurred_at=NOW, resends=resends,
    )  # fmt: skip


@given(st.uuids(), st.datetimes(datetime(2024, 1, 1), datetime(2099, 1, 1)))  # noqa: DTZ001 - given its zone below
def test_a_token_says_what_was_put_in(id_: UUID, at: datetime) -> None:
    """Until its hour is over, reading a token gives its delivery; after it, the link has expired."""
    expires_at = at.replace(tzinfo=UTC)
    token = LINKS.token(DeliveryId(id_), expires_at)
    assert LINKS.read(token, expires_at - timedelta(seconds=1)) == id_
    with pytest.raises(LinkExpired):
        LINKS.read(token, expires_at + timedelta(hours=1))


def test_a_link_fits_into_an_sms() -> None:
    """What stands after the base address has fewer than 60 characters, all of GSM's alphabet."""
    link = LINKS.of(delivery())["link"]
    assert link.startswith(BASE + PATH)
    assert len(link) - len(BASE) == 50
    assert link.isascii()


def test_a_forged_token_is_none_of_ours() -> None:
    """Any one character changed, left out or added, and a token of another key, is refused."""
    token = LINKS.token(DeliveryId(uuid4()), NOW + HOLDS_FOR)
    forged = [token[:place] + ("A" if char != "A" else "B") + token[place + 1 :] for place, char in enumerate(token)]
    forged += [token[:-1], token + "A", token + "=", "", "A" * len(token), token.upper(), "ọ" * 47, "../" + token]
    forged.append(AbsenceLinks(derived(generate(), "installation"), BASE).token(DeliveryId(uuid4()), NOW + HOLDS_FOR))
    for each in forged:
        with pytest.raises(NotFound):
            LINKS.read(each, NOW)


def test_keys_of_other_purposes_sign_no_link() -> None:
    """Each purpose has a key of its own, which stays the same for the same installation."""
    assert derived(PEM, "installation") == derived(PEM, "installation") != derived(PEM, "another")


def test_only_absences_have_a_link_and_every_attempt_the_same() -> None:
    """Other messages get none; a message's link is the same at every attempt, and lives on where it is resent."""
    assert LINKS.of(delivery("fee.reminder")) == {}
    once = delivery()
    assert LINKS.of(once) == LINKS.of(once)
    token = LINKS.of(delivery(resends=1))["link"].removeprefix(BASE + PATH)
    assert LINKS.read(token, NOW + timedelta(days=13))
