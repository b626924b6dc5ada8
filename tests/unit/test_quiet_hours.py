"""When a message leaves: nights in a school's own time zone, windows, and what may pass."""

from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidInput
from core.notifications.model import Channel, Reason
from core.notifications.quiet_hours import AT_ONCE, Night, is_held, timings
from core.school.model import PolicyKind
from core.school.policies import NotificationPolicy, parse_policy

LAGOS = "Africa/Lagos"  # UTC+1 all year
DEFAULT = NotificationPolicy()
NIGHT = Night(time(20), time(8), LAGOS)


def utc(day: int, hour: int, minute: int = 0, *, month: int = 9) -> datetime:
    """Return a moment of 2027."""
    return datetime(2027, month, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "morning"),
    [
        (utc(13, 18, 59), None),
        (utc(13, 19), utc(14, 7)),
        (utc(13, 22, 59), utc(14, 7)),
        (utc(13, 23, 30), utc(14, 7)),  # past midnight there
        (utc(14, 6, 59), utc(14, 7)),
        (utc(14, 7), None),
    ],
)
def test_the_night_is_that_of_the_schools_clocks(moment: datetime, morning: datetime | None) -> None:
    """From 20:00 to 08:00 in Lagos nothing leaves; at 08:00 sharp it does."""
    assert NIGHT.until(moment) == morning


@pytest.mark.parametrize(
    ("zone", "evening", "morning"),
    [
        ("Europe/London", utc(27, 21, month=3), utc(28, 7, month=3)),  # clocks go forward in this night
        ("Europe/London", utc(30, 21, month=10), utc(31, 8, month=10)),  # and back in this
        ("America/New_York", utc(14, 1, month=3), utc(14, 12, month=3)),
    ],
)
def test_the_morning_comes_by_the_clock_when_clocks_change(zone: str, evening: datetime, morning: datetime) -> None:
    """In the nights in which clocks change, 08:00 is still 08:00."""
    assert Night(time(20), time(8), zone).until(evening) == morning


@given(
    st.integers(0, 15 * 365 * 24 * 60).map(
        lambda minutes: datetime(2020, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    ),
    st.sampled_from([LAGOS, "Europe/London", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]),
)
def test_a_morning_is_later_soon_and_no_night(moment: datetime, zone: str) -> None:
    """What is put off is put off to a moment that lies ahead, within 13 hours, and in no night itself."""
    night = Night(time(20), time(8), zone)
    morning = night.until(moment)
    if morning is not None:
        assert moment < morning <= moment + timedelta(hours=13)
        assert night.until(morning) is None


def test_results_wait_and_then_respect_the_night() -> None:
    """Results of 19:50 would leave at 20:05, and so leave at 08:00; the bell makes no sound and heeds no night."""
    found = timings(DEFAULT, "scores.published", LAGOS, utc(13, 18, 50), held=True)
    assert (found[Channel.SMS].leaves_at, found[Channel.SMS].reason) == (utc(14, 7), Reason.QUIET_HOURS)
    assert (found[Channel.PUSH].leaves_at, found[Channel.PUSH].reason) == (utc(13, 19, 5), Reason.HELD_BACK)
    assert found[Channel.DEVICE].leaves_at == utc(14, 7)


def test_an_urgent_message_passes_at_night() -> None:
    """An absence leaves at once, and carries no night along that could stop a retry."""
    found = timings(DEFAULT, "attendance.marked", LAGOS, utc(13, 23), held=False)
    assert all(each.leaves_at == utc(13, 23) and each.night is None for each in found.values())
    assert not is_held(DEFAULT, "attendance.marked")


def test_a_promotional_sms_is_barred_whatever_the_school_settles() -> None:
    """Networks carry no promotional SMS from 20:00 to 08:00; a school's own night may only be longer."""
    policy = NotificationPolicy(quiet_hours=None, promotional=("fee.reminder",))
    found = timings(policy, "fee.reminder", LAGOS, utc(13, 21), held=False)
    assert found[Channel.SMS].leaves_at == utc(14, 7)
    assert found[Channel.EMAIL].leaves_at == utc(13, 21)
    longer = parse_policy(
        PolicyKind.NOTIFICATION, {"quietHours": {"from": "21:00", "to": "09:30"}, "promotional": ["fee.reminder"]}
    )
    assert isinstance(longer, NotificationPolicy)
    night = timings(longer, "fee.reminder", LAGOS, utc(13, 12), held=False)[Channel.SMS].night
    assert night == Night(time(20), time(9, 30), LAGOS)


def test_a_school_that_settled_nothing_is_heard_at_once() -> None:
    """Without rules nothing waits, day or night."""
    found = timings(AT_ONCE, "scores.published", LAGOS, utc(13, 23), held=False)
    assert all(each.leaves_at == utc(13, 23) for each in found.values())
    assert not is_held(AT_ONCE, "scores.published")


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"quietHours": {"from": "08:00", "to": "20:00"}}, "/body/quietHours"),
        ({"quietHours": {"from": "20:00:30", "to": "08:00"}}, "/body/quietHours"),
        ({"holdBackMinutes": 241}, "/body/holdBackMinutes"),
        ({"urgent": ["no.such"]}, "/body/urgent"),
        ({"urgent": ["fee.reminder"], "promotional": ["fee.reminder"]}, "/body"),
        ({"windowMinutes": 5}, "/body/windowMinutes"),
    ],
)
def test_rules_that_make_no_sense_are_refused(body: dict[str, object], place: str) -> None:
    """A day for a night, an unknown kind, an urgent advertisement: each is told by its place."""
    with pytest.raises(InvalidInput) as refused:
        parse_policy(PolicyKind.NOTIFICATION, body)
    assert [fault.where for fault in refused.value.faults] == [place]
