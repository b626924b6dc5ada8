"""Failover and circuit breaker: who is asked next, when, and when never."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest

from core.clock import FakeClock
from core.errors import InvalidInput, SchoolOSError, TooMany, Unavailable
from core.ids import DeliveryId
from core.notifications.breaker import BreakerPolicy, CircuitBreaker
from core.notifications.failover import Failover
from core.notifications.lifecycle import RetryPolicy, Try
from core.notifications.model import Outcome, OutgoingMessage, Reason, Receipt, Text
from core.notifications.ports import NotTaken, refusal
from tests.unit.test_notification_lifecycle import make_try

POLICY = BreakerPolicy(failures=3, pause=timedelta(seconds=10), longest=timedelta(seconds=35))


class Provider:
    """A provider that does what it is told."""

    def __init__(self, name: str) -> None:
        self.provider = name
        self.trouble: BaseException | None = None
        self.asked = 0
        self.closed = 0

    async def send(self, message: OutgoingMessage) -> Receipt:
        """Take the message, or raise the trouble."""
        self.asked += 1
        if self.trouble is not None:
            raise self.trouble
        return Receipt(f"{self.provider}-1", "queued")

    async def close(self) -> None:
        """Count."""
        self.closed += 1


class Pair:
    """Two providers, the first before the second."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.first, self.second = Provider("first"), Provider("second")
        self.sender = Failover([self.first, self.second], self.clock, POLICY)

    async def send(self) -> Receipt:
        """Send a message."""
        return await self.sender.send(OutgoingMessage(DeliveryId(uuid4()), "+2348030000001", Text("", "text")))

    async def fail(self, times: int, error: SchoolOSError | None = None) -> None:
        """Let the first provider fail so often."""
        self.first.trouble = error or Unavailable("HTTP 500")
        for _ in range(times):
            with pytest.raises(Unavailable):
                await self.send()


@pytest.fixture
def pair() -> Pair:
    """Both providers, in order."""
    return Pair()


async def test_the_first_is_asked_first_and_named(pair: Pair) -> None:
    """While the first takes messages the second is not asked, and the receipt names who took it."""
    receipt = await pair.send()
    assert (receipt.provider, receipt.message_id, receipt.detail) == ("first", "first-1", "queued")
    assert pair.second.asked == 0


async def test_what_was_certainly_not_taken_goes_to_the_next(pair: Pair) -> None:
    """A refused connection or an account out of order costs no attempt: the next provider takes it."""
    pair.first.trouble = NotTaken("405 insufficient balance")
    receipt = await pair.send()
    assert receipt.provider == "second"
    assert receipt.detail == "first: 405 insufficient balance; queued"


@pytest.mark.parametrize("trouble", [Unavailable("HTTP 502"), TimeoutError(), TooMany("slow", 3), refusal("no number")])
async def test_what_is_in_doubt_or_refused_does_not(pair: Pair, trouble: Exception) -> None:
    """A time-out, a 5xx, a throttle and a refusal for good end the attempt: the next provider is not asked."""
    pair.first.trouble = trouble
    with pytest.raises(SchoolOSError) as caught:
        await pair.send()
    assert pair.second.asked == 0
    assert str(caught.value).startswith("first: ")


async def test_errors_keep_what_they_mean(pair: Pair) -> None:
    """Reason, wait and time-out pass through, so that the verdict is the same as without failover."""
    pair.first.trouble = refusal("21610", Reason.RECIPIENT_BLOCKED)
    with pytest.raises(InvalidInput) as refused:
        await pair.send()
    assert refused.value.faults[0].code == Reason.RECIPIENT_BLOCKED
    pair.first.trouble = TooMany("slow", 7)
    with pytest.raises(TooMany) as slow:
        await pair.send()
    assert slow.value.retry_after_s == 7
    translated = Unavailable("no answer")
    translated.__cause__ = TimeoutError()
    for timed_out in (translated, TimeoutError()):
        pair.first.trouble = timed_out
        with pytest.raises(Unavailable) as silent:
            await pair.send()
        trial = make_try()
        assert trial.failed(silent.value, RetryPolicy(), trial.started_at).outcome is Outcome.TIMED_OUT


async def test_a_provider_that_keeps_failing_is_passed_over(pair: Pair) -> None:
    """After so many failures in a row the circuit is open, and the next provider gets the messages at once."""
    await pair.fail(3)
    assert (await pair.send()).provider == "second"
    assert pair.first.asked == 3


async def test_one_success_between_failures_keeps_the_circuit_closed(pair: Pair) -> None:
    """Only failures in a row open a circuit."""
    await pair.fail(2)
    pair.first.trouble = None
    await pair.send()
    await pair.fail(2)
    assert pair.first.asked == 5


async def test_after_the_pause_one_probe_decides(pair: Pair) -> None:
    """One request tries the provider again; meanwhile others go past it, and its success closes the circuit."""
    await pair.fail(3)
    pair.clock.advance(timedelta(seconds=10))
    held = asyncio.Event()

    async def slowly(_: OutgoingMessage) -> Receipt:
        await held.wait()
        return Receipt("first-1")

    pair.first.send = slowly  # type: ignore[assignment, method-assign]  # waits
    probe = asyncio.create_task(pair.send())
    await asyncio.sleep(0)
    assert (await pair.send()).provider == "second"
    held.set()
    assert (await probe).provider == "first"
    assert (await pair.send()).provider == "first"


async def test_a_failed_probe_doubles_the_pause_up_to_a_bound(pair: Pair) -> None:
    """Each failed probe doubles the wait: 10, 20, then 35 s and never more."""
    await pair.fail(3)
    for pause_s in (10, 20, 35, 35):
        pair.clock.advance(timedelta(seconds=pause_s) - timedelta(milliseconds=1))
        assert (await pair.send()).provider == "second"
        pair.clock.advance(timedelta(milliseconds=1))
        await pair.fail(1)


async def test_a_probe_that_is_cut_off_opens_the_circuit_again(pair: Pair) -> None:
    """A caller's deadline that ends the probe counts as a failure, so that the circuit does not hang half-open."""
    await pair.fail(3)
    pair.clock.advance(timedelta(seconds=10))
    pair.first.trouble = asyncio.CancelledError()
    with pytest.raises(asyncio.CancelledError):
        await pair.send()
    assert (await pair.send()).provider == "second"
    pair.clock.advance(timedelta(seconds=20))
    pair.first.trouble = None
    assert (await pair.send()).provider == "first"


async def test_with_every_circuit_open_the_delivery_waits_and_loses_no_retry(pair: Pair) -> None:
    """Nobody is asked, and the delivery is told when it is worth trying."""
    pair.second.trouble = NotTaken("HTTP 503")
    await pair.fail(3, NotTaken("HTTP 503"))
    asked = pair.first.asked + pair.second.asked
    with pytest.raises(TooMany) as caught:
        await pair.send()
    assert caught.value.retry_after_s == 10
    assert pair.first.asked + pair.second.asked == asked


def test_late_failures_do_not_lengthen_the_pause() -> None:
    """Late failures of requests sent before the circuit opened don't lengthen the pause."""
    clock = FakeClock()
    breaker = CircuitBreaker(clock, POLICY)
    for _ in range(10):
        breaker.failed()
    assert breaker.wait == timedelta(seconds=10)
    assert not breaker.admits()


async def test_bad_numbers_open_no_circuit(pair: Pair) -> None:
    """A provider that refuses messages for good is in order."""
    pair.first.trouble = refusal("21211", Reason.BAD_ADDRESS)
    for _ in range(20):
        with pytest.raises(InvalidInput):
            await pair.send()
    assert pair.second.asked == 0


async def test_the_log_names_who_took_it(pair: Pair) -> None:
    """The attempt's provider is the one that took the message, not the list of them."""
    pair.first.trouble = NotTaken("down")
    trial = Try(make_try().delivery, pair.sender.provider, pair.clock.now())
    assert trial.provider == "first or second"
    assert trial.sent(await pair.send(), pair.clock.now()).provider == "second"


async def test_closing_closes_both(pair: Pair) -> None:
    """No connection of either provider stays open."""
    await pair.sender.close()
    assert (pair.first.closed, pair.second.closed) == (1, 1)
