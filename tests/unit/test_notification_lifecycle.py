"""The life of a delivery: which state may follow which, and what the end of an attempt means."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import uuid4

import pytest

from core.errors import Fault, InvalidInput, SchoolOSError, TooMany, Unavailable
from core.ids import DeliveryId, SchoolId, StudentId, UserId
from core.notifications.lane import DeliveryPolicy, Slots
from core.notifications.lifecycle import MAX_ATTEMPTS, TRANSITIONS, RetryPolicy, Try, uses_a_retry
from core.notifications.model import Channel, Delivery, Outcome, Reason, Receipt, State

NOW = datetime(2027, 12, 1, 9, 0, tzinfo=UTC)
POLICY = RetryPolicy()


def make_try(*, attempts: int = 0, failures: int = 0) -> Try:
    """Return an attempt under way."""
    delivery = Delivery(
        school_id=SchoolId(uuid4()),
        id=DeliveryId(uuid4()),
        event_type="scores.published",
        recipient_id=UserId(uuid4()),
        student_id=StudentId(uuid4()),
        channel=Channel.SMS,
        address="+2348030000001",
        language="en",
        content={},
        attempts=attempts,
        failures=failures,
        traceparent=None,
        created_at=NOW,
        occurred_at=NOW,
    )
    return Try(delivery, "fake", NOW)


def test_retries_come_after_1_5_and_30_seconds_and_then_it_is_dead() -> None:
    """A delivery that keeps failing is tried at +1 s, +5 s, +30 s, and then given up (P2-12)."""
    waits = []
    trial = make_try()
    for _ in range(3):
        end = trial.failed(Unavailable("down"), POLICY, NOW)
        assert end.state is State.RETRY
        assert end.next_attempt_at is not None
        waits.append(end.next_attempt_at - NOW)
        failed = trial.delivery
        trial = replace(trial, delivery=replace(failed, attempts=failed.attempts + 1, failures=failed.failures + 1))
    assert waits == [timedelta(seconds=1), timedelta(seconds=5), timedelta(seconds=30)]
    last = trial.failed(Unavailable("down"), POLICY, NOW)
    assert (last.state, last.reason, last.next_attempt_at) == (State.DEAD, Reason.UNAVAILABLE, None)


def test_a_refusal_for_good_is_dead_at_once() -> None:
    """What the provider will never take is not tried again, and the reason is kept."""
    refusal = InvalidInput("403 invalid phone number", [Fault("/address", "invalid", Reason.REJECTED)])
    end = make_try().failed(refusal, POLICY, NOW)
    assert (end.state, end.outcome, end.reason) == (State.DEAD, Outcome.REJECTED, Reason.REJECTED)
    assert end.detail == "403 invalid phone number"


@pytest.mark.parametrize(("said_s", "waited_s"), [(7.0, 7.0), (None, 1.0)])
def test_a_throttled_attempt_waits_as_told_and_costs_no_retry(said_s: float | None, waited_s: float) -> None:
    """Being throttled is no failure: the delivery waits as long as the provider asks, by default a second."""
    end = make_try(failures=3).failed(TooMany("slow down", said_s), POLICY, NOW)
    assert (end.state, end.outcome) == (State.RETRY, Outcome.THROTTLED)
    assert end.next_attempt_at == NOW + timedelta(seconds=waited_s)
    assert not uses_a_retry(end.outcome)


def test_throttling_does_not_go_on_for_ever() -> None:
    """Past the largest number of attempts a delivery is given up, whatever its attempts ended in."""
    end = make_try(attempts=MAX_ATTEMPTS - 1).failed(TooMany("slow down"), POLICY, NOW)
    assert (end.state, end.reason) == (State.DEAD, Reason.GAVE_UP)


def _caused_by_timeout() -> SchoolOSError:
    error = Unavailable("no answer")
    error.__cause__ = TimeoutError()
    return error


@pytest.mark.parametrize("error", [TimeoutError(), _caused_by_timeout()])
def test_a_timeout_is_told_from_other_failures(error: SchoolOSError | TimeoutError) -> None:
    """A time-out, also one that an adapter translated, is recorded as such."""
    assert make_try().failed(error, POLICY, NOW).outcome is Outcome.TIMED_OUT
    assert make_try(failures=3).failed(error, POLICY, NOW).reason is Reason.TIMED_OUT


def test_a_success_keeps_the_providers_id() -> None:
    """A message that was taken is sent, with the provider's id, and nothing the database would refuse."""
    end = make_try().sent(Receipt("ATXid_1\x00", "101 NGN 2.20"), NOW)
    assert (end.state, end.outcome, end.message_id) == (State.SENT, Outcome.SENT, "ATXid_1")


def test_every_end_of_an_attempt_is_an_allowed_transition() -> None:
    """Whatever ends an attempt leads from ``sending`` to a state that may follow it."""
    ends = [
        make_try().sent(Receipt("x"), NOW),
        make_try().failed(Unavailable("x"), POLICY, NOW),
        make_try(failures=9).failed(Unavailable("x"), POLICY, NOW),
        make_try().failed(InvalidInput("x"), POLICY, NOW),
        make_try().failed(TooMany("x"), POLICY, NOW),
    ]
    assert {end.state for end in ends} == TRANSITIONS[State.SENDING]


def test_ended_states_lead_nowhere() -> None:
    """Nothing follows sent, skipped or dead, and every other state leads on."""
    assert {state for state in State if not TRANSITIONS[state]} == {State.SENT, State.SKIPPED, State.DEAD}


def test_delays_grow() -> None:
    """The default waits never shrink."""
    assert all(earlier < later for earlier, later in pairwise(POLICY.delays))


def test_a_request_may_not_outlast_its_lease() -> None:
    """A policy whose request could still be under way when another worker claims the delivery is refused."""
    with pytest.raises(InvalidInput, match="outlast"):
        DeliveryPolicy(lease=timedelta(seconds=5), request_timeout=timedelta(seconds=5))


@pytest.mark.parametrize(("total", "channels", "share"), [(50, 1, 50), (50, 2, 40), (50, 3, 30), (1, 2, 1)])
def test_no_channel_may_take_all_slots(total: int, channels: int, share: int) -> None:
    """With more than one channel, each other one keeps a fifth of the slots."""
    assert Slots(total, channels).share == share
