"""Which message leaves next, and what is done with one that is in doubt."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidInput, TooMany, Unavailable
from core.notifications.lane import SHARES, DeliveryPolicy, LaneQueue
from core.notifications.lifecycle import RetryPolicy
from core.notifications.model import Channel, Lane, Reason, State
from core.notifications.ports import NotTaken
from tests.unit.test_notification_lifecycle import make_try

NOW = datetime(2027, 12, 1, 9, 0, tzinfo=UTC)


def filled(**counts: int) -> LaneQueue[int]:
    """Return a queue with so many in each lane."""
    queue: LaneQueue[int] = LaneQueue()
    for lane, count in counts.items():
        for number in range(count):
            queue.put(Lane(lane), number)
    return queue


def test_full_lanes_share_by_their_weights() -> None:
    """While every lane has messages, of 200 that leave 160 are urgent, 30 normal and 10 bulk."""
    queue = filled(urgent=500, normal=500, bulk=500)
    left = Counter(queue.take()[0] for _ in range(200))
    assert left == {lane: 10 * share for lane, share in SHARES.items()}


def test_an_urgent_one_overtakes_what_waits() -> None:
    """An absence that comes while 50,000 reminders wait is the very next to leave."""
    queue = filled(bulk=50_000)
    for _ in range(1_000):
        queue.take()
    queue.put(Lane.URGENT, 7)
    assert queue.take() == (Lane.URGENT, 7)


def test_no_lane_starves() -> None:
    """Under a flood of urgent messages a bulk one leaves within 20."""
    queue = filled(urgent=1_000, bulk=1)
    assert Lane.BULK in [queue.take()[0] for _ in range(20)]


@given(st.lists(st.sampled_from(list(Lane)), min_size=1, max_size=60))
def test_each_lane_keeps_its_order_and_loses_nothing(lanes: list[Lane]) -> None:
    """Whatever is put in comes out once, and within a lane in the order it came."""
    queue: LaneQueue[int] = LaneQueue()
    for number, lane in enumerate(lanes):
        queue.put(lane, number)
    out = [queue.take() for _ in lanes]
    for lane in Lane:
        assert [item for each, item in out if each is lane] == [n for n, each in enumerate(lanes) if each is lane]
    assert not queue


def test_what_is_put_back_is_next_of_its_lane() -> None:
    """A message that could not be marked keeps its place."""
    queue = filled(bulk=3)
    lane, item = queue.take()
    queue.put_back(lane, item)
    assert queue.take() == (Lane.BULK, 0)


@pytest.mark.parametrize(
    ("channel", "event_type", "keyed", "may"),
    [
        (Channel.SMS, "attendance.marked", False, True),
        (Channel.SMS, "scores.published", False, True),
        (Channel.SMS, "fee.reminder", False, False),
        (Channel.SMS, "fee.reminder", True, True),
    ],
)
def test_only_reminders_are_never_repeated_in_doubt(channel: Channel, event_type: str, keyed: bool, may: bool) -> None:
    """By default an absence and a result go out again when in doubt, a reminder only where keys make it harmless."""
    policy = DeliveryPolicy(keyed=frozenset({channel}) if keyed else frozenset())
    assert policy.may_repeat(channel, event_type) is may


@pytest.mark.parametrize("error", [Unavailable("HTTP 502"), TimeoutError()])
def test_in_doubt_is_dead_where_it_may_not_be_repeated(error: Unavailable | TimeoutError) -> None:
    """No answer, or one that leaves it open, ends a message that may leave once at most, with its reason."""
    end = make_try().failed(error, RetryPolicy(), NOW, may_repeat=False)
    assert (end.state, end.reason) == (State.DEAD, Reason.IN_DOUBT)


@pytest.mark.parametrize(("error", "state"), [
    (NotTaken("refused"), State.RETRY), (TooMany("slow", 1), State.RETRY), (InvalidInput("no"), State.DEAD),
])  # fmt: skip
def test_what_is_certain_is_no_doubt(error: NotTaken | TooMany | InvalidInput, state: State) -> None:
    """What certainly was not taken is tried again, whatever the kind of message."""
    end = make_try().failed(error, RetryPolicy((timedelta(seconds=1),)), NOW, may_repeat=False)
    assert end.state is state
    assert end.reason is not Reason.IN_DOUBT
