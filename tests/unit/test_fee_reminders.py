"""When reminders go out, in every time zone."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.school.fees.reminders import reminder_day
from core.school.policies import FeeReminderPolicy

POLICY = FeeReminderPolicy(days_before=(7, 1), days_after=(7,), at_hour=9)


def utc(*parts: int) -> datetime:
    """Return a moment in UTC."""
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]  # the parts are year to minute


def test_nothing_is_due_before_the_hour_of_the_schools_day() -> None:
    """At 7.59 UTC it is 8.59 in Lagos; a minute later reminders go out."""
    assert reminder_day(POLICY, utc(2027, 10, 4, 7, 59), "Africa/Lagos") is None
    due = reminder_day(POLICY, utc(2027, 10, 4, 8, 0), "Africa/Lagos")
    assert due is not None
    assert due.day == date(2027, 10, 4)
    assert due.due_dates == (date(2027, 9, 27), date(2027, 10, 5), date(2027, 10, 11))


@pytest.mark.parametrize(
    ("time_zone", "first"),
    [
        ("Pacific/Kiritimati", utc(2027, 10, 3, 19, 0)),
        ("Africa/Nairobi", utc(2027, 10, 4, 6, 0)),
        ("Africa/Lagos", utc(2027, 10, 4, 8, 0)),
        ("Africa/Accra", utc(2027, 10, 4, 9, 0)),
        ("America/New_York", utc(2027, 10, 4, 13, 0)),
    ],
)
def test_each_school_has_its_own_nine_o_clock(time_zone: str, first: datetime) -> None:
    """The 4th of October's reminders go out at nine where the school is, wherever the scheduler runs."""
    before = reminder_day(POLICY, first - timedelta(minutes=1), time_zone)
    at = reminder_day(POLICY, first, time_zone)
    assert before is None
    assert at is not None
    assert at.day == date(2027, 10, 4)


def test_what_was_missed_is_caught_up_until_midnight_and_not_later() -> None:
    """A scheduler that comes back in the evening still sends; one that comes back after midnight leaves that day be."""
    evening = reminder_day(POLICY, utc(2027, 10, 4, 22, 59), "Africa/Lagos")
    assert evening is not None
    assert evening.day == date(2027, 10, 4)
    assert reminder_day(POLICY, utc(2027, 10, 4, 23, 0), "Africa/Lagos") is None


def test_an_hour_that_the_clock_skips_is_past_at_once() -> None:
    """Berlin's 28 March 2027 has no half past two: reminders at two go out at three."""
    policy = FeeReminderPolicy(days_before=(0,), days_after=(), at_hour=2)
    assert reminder_day(policy, utc(2027, 3, 28, 0, 59), "Europe/Berlin") is None
    due = reminder_day(policy, utc(2027, 3, 28, 1, 0), "Europe/Berlin")
    assert due is not None
    assert due.day == date(2027, 3, 28)


def test_an_hour_that_comes_twice_is_of_the_same_day() -> None:
    """Berlin's 31 October 2027 has two o'clock twice; both are of the same reminder day, which is sent once."""
    policy = FeeReminderPolicy(days_before=(0,), days_after=(), at_hour=2)
    days = [reminder_day(policy, utc(2027, 10, 31, hour), "Europe/Berlin") for hour in (0, 1)]
    assert days[0] == days[1]
    assert days[0] is not None


@given(
    minutes=st.integers(0, 3 * 366 * 24 * 60),
    zone=st.sampled_from(["Africa/Lagos", "Europe/Berlin", "America/New_York", "Pacific/Apia", "Asia/Kathmandu"]),
    hour=st.integers(0, 23),
)
def test_every_local_day_has_exactly_its_due_dates(minutes: int, zone: str, hour: int) -> None:
    """Whenever one looks, it is the local calendar day that counts, shifted by the policy's days."""
    now = utc(2026, 1, 1) + timedelta(minutes=minutes)
    policy = FeeReminderPolicy(days_before=(7, 0), days_after=(3,), at_hour=hour)
    local = now.astimezone(ZoneInfo(zone))
    due = reminder_day(policy, now, zone)
    assert (due is None) == (local.hour < hour)
    if due is not None:
        assert {(day - local.date()).days for day in due.due_dates} == {7, 0, -3}
