"""The delivery loop on a real database: retries, leases, channels beside each other, draining."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from core.adapters.postgres import PostgresDatabase
from core.clock import FakeClock, SystemClock
from core.errors import Fault, InvalidInput, SchoolOSError, TooMany, Unavailable
from core.ids import DeliveryId
from core.notifications import delivery_store
from core.notifications.delivering import DeliveryLoop
from core.notifications.lifecycle import RetryPolicy, Try
from core.notifications.model import Channel, OutgoingMessage, Reason, Receipt
from core.ports import Row
from tests.factories.notifications import QUICK, delivering, fanned_out, room, scores_published, settled, states
from tests.factories.school import MadeSchool, make_school
from tests.factories.senders import FakeSender

LEASE = timedelta(seconds=3)


async def attempts(db: PostgresDatabase, school: MadeSchool, channel: str = "sms") -> Sequence[Row]:
    """Return the log of a channel, in order."""
    async with db.tenant(school.id) as tx:
        return await tx.fetch(
            "SELECT a.* FROM delivery_attempts a JOIN deliveries d USING (school_id)"
            " WHERE d.id = a.delivery_id AND d.channel = $1 ORDER BY delivery_id, number",
            channel,
        )


async def the_sms(db: PostgresDatabase, school: MadeSchool) -> Row:
    """Return the only SMS of a school."""
    async with db.tenant(school.id) as tx:
        row = await tx.fetchrow("SELECT * FROM deliveries WHERE channel = 'sms'")
    assert row is not None
    return row


async def until(db: PostgresDatabase, school: MadeSchool, state: str, *, attempts: int) -> Row:
    """Wait until the only SMS stands somewhere after so many attempts."""
    for _ in range(6000):
        row = await the_sms(db, school)
        if (row["state"], row["attempts"]) == (state, attempts):
            return row
        await asyncio.sleep(0.01)
    raise AssertionError(f"the SMS stays {row['state']} after {row['attempts']} attempts")


async def test_every_message_goes_out_once_and_is_logged(db: PostgresDatabase) -> None:
    """Each delivery is sent once, has one line in the log, and the bell has one entry for each."""
    school = await make_school(db, students=20)
    sender = FakeSender()
    await fanned_out(db, school, scores_published(school))
    async with delivering(db, {Channel.SMS: sender}):
        assert await settled(db, school) == {("sms", "sent"): 20, ("push", "sent"): 20}
    assert set(sender.requests.values()) == {1}
    assert [row["outcome"] for row in await attempts(db, school)] == ["sent"] * 20
    async with db.tenant(school.id) as tx:
        assert await tx.fetchval("SELECT count(*) FROM notifications") == 20
        assert await tx.fetchval("SELECT count(*) FROM deliveries WHERE provider_message_id LIKE 'fake-%'") == 20


async def test_a_failing_delivery_is_retried_when_due_and_then_dead(db: PostgresDatabase) -> None:
    """Retries come 1, 5 and 30 s after the failure before, by rows with a time, and the fourth failure is the last."""
    clock = FakeClock()
    school = await make_school(db, students=1)
    await fanned_out(db, school, scores_published(school), clock=clock)
    sender = FakeSender(lambda _: Unavailable("down"))
    policy = replace(QUICK, retry=RetryPolicy())
    async with delivering(db, {Channel.SMS: sender}, policy, clock=clock):
        for number, wait_s in enumerate((1, 5, 30), start=1):
            row = await until(db, school, "retry", attempts=number)
            assert row["next_attempt_at"] - clock.now() == timedelta(seconds=wait_s)
            clock.advance(timedelta(seconds=wait_s))
        row = await until(db, school, "dead", attempts=4)
    assert row["reason"] == Reason.UNAVAILABLE
    assert [each["outcome"] for each in await attempts(db, school)] == ["failed"] * 4


async def test_what_passes_is_sent_after_all(db: PostgresDatabase) -> None:
    """A provider that is down twice and throttles once takes the message in the end, once."""
    school = await make_school(db, students=1)
    troubles: list[SchoolOSError] = [Unavailable("down"), TooMany("slow", 0.02), Unavailable("down")]
    sender = FakeSender(lambda _: troubles.pop(0) if troubles else None)
    await fanned_out(db, school, scores_published(school))
    async with delivering(db, {Channel.SMS: sender}):
        await settled(db, school)
    assert len(sender.taken) == 1
    assert [row["outcome"] for row in await attempts(db, school)] == ["failed", "throttled", "failed", "sent"]
    row = await the_sms(db, school)
    assert (row["attempts"], row["failures"]) == (4, 2)


async def test_a_refusal_for_good_is_not_retried(db: PostgresDatabase) -> None:
    """A message the provider will never take is dead at once, with its reason."""
    school = await make_school(db, students=1)
    sender = FakeSender(lambda _: InvalidInput("403", [Fault("/address", "403", Reason.REJECTED)]))
    await fanned_out(db, school, scores_published(school))
    async with delivering(db, {Channel.SMS: sender}) as loop:
        stand = await settled(db, school)
        assert (await loop.gauges())["dead"] >= 1
    assert stand == {("sms", "dead"): 1, ("push", "sent"): 1}
    assert (await the_sms(db, school))["reason"] == Reason.REJECTED


async def test_an_adapter_that_breaks_stops_nobody_else(db: PostgresDatabase) -> None:
    """A defect in sending one message leaves the others alone, and that one is retried as any failure."""
    school = await make_school(db, students=5)
    broken: list[DeliveryId] = []

    def trouble(message: OutgoingMessage) -> SchoolOSError | None:
        if not broken:
            broken.append(message.key)
        if message.key == broken[0]:
            raise ZeroDivisionError
        return None

    await fanned_out(db, school, scores_published(school))
    async with delivering(db, {Channel.SMS: FakeSender(trouble)}):
        assert await settled(db, school) == {("sms", "sent"): 4, ("sms", "dead"): 1, ("push", "sent"): 5}


async def test_what_cannot_be_worded_is_dead_and_said_so(db: PostgresDatabase) -> None:
    """A delivery whose facts make no message is given up with that reason, in the bell too."""
    school = await make_school(db, students=1)
    await fanned_out(db, school, scores_published(school))
    async with db.tenant(school.id) as tx:
        await tx.execute("UPDATE deliveries SET content = '{}'")
    async with delivering(db, {Channel.SMS: FakeSender()}):
        assert await settled(db, school) == {("sms", "dead"): 1, ("push", "dead"): 1}
    assert (await the_sms(db, school))["reason"] == Reason.UNRENDERABLE


async def test_many_workers_share_without_doubles(db: PostgresDatabase) -> None:
    """Three workers on one queue send each message once (P2-10)."""
    school = await make_school(db, students=200)
    sender = FakeSender()
    await fanned_out(db, school, scores_published(school))
    async with (
        delivering(db, {Channel.SMS: sender}, worker="a"),
        delivering(db, {Channel.SMS: sender}, worker="b"),
        delivering(db, {Channel.SMS: sender}, worker="c"),
    ):
        assert await settled(db, school) == {("sms", "sent"): 200, ("push", "sent"): 200}
    assert set(sender.requests.values()) == {1}
    async with db.tenant(school.id) as tx:
        assert await tx.fetchval("SELECT count(*) FROM notifications") == 200


async def test_no_more_requests_at_once_than_allowed(db: PostgresDatabase) -> None:
    """However many deliveries are due, a worker has only so many requests under way (P2-11)."""
    school = await make_school(db, students=60)
    sender = FakeSender()
    await fanned_out(db, school, scores_published(school))
    async with delivering(db, {Channel.SMS: sender}, replace(QUICK, concurrency=7)):
        await settled(db, school)
    assert sender.most_at_once == 7


async def test_a_slow_provider_does_not_hold_up_another(db: PostgresDatabase) -> None:
    """While SMS hangs, mail and the bell go out."""
    school = await make_school(db, students=60)
    async with db.tenant(school.id) as tx:
        await tx.execute("UPDATE guardians SET channel_order = ARRAY['email'] WHERE phone < '+2348030000031'")
    slow, quick = FakeSender(), FakeSender()
    slow.hold()
    await fanned_out(db, school, scores_published(school))
    policy = replace(QUICK, concurrency=10, lease=timedelta(hours=2), request_timeout=timedelta(hours=1))
    async with delivering(db, {Channel.SMS: slow, Channel.EMAIL: quick}, policy):
        for _ in range(6000):
            stand = await states(db, school)
            if stand.get(("email", "sent")) == 30 and stand.get(("push", "sent")) == 60:
                break
            await asyncio.sleep(0.01)
        assert stand[("email", "sent")] == 30
        assert stand.get(("sms", "sent")) is None
        assert slow.most_at_once == 8
        slow.let_go()
        await settled(db, school)


async def dead_worker_takes(db: PostgresDatabase, clock: FakeClock, *, sending: bool) -> None:
    """Let a worker claim the SMS, perhaps begin to send it, and be heard of no more."""
    async with db.dispatch() as tx:
        own = await delivery_store.claim_due(
            tx, room(Channel.SMS, count=10), worker="dead", now=clock.now(), lease=LEASE
        )
        assert own
        if sending:
            await delivery_store.mark_sending(tx, own, worker="dead", now=clock.now(), lease=LEASE, at_least=LEASE)


@pytest.mark.parametrize(("sending", "outcomes"), [(False, ["sent"]), (True, ["lost", "sent"])])
async def test_what_a_dead_worker_held_is_sent_after_its_lease(
    db: PostgresDatabase, sending: bool, outcomes: list[str]
) -> None:
    """A claim without its worker lasts a lease; what was under way is logged as lost and sent with the same key."""
    clock = FakeClock()
    school = await make_school(db, students=1)
    await fanned_out(db, school, scores_published(school), clock=clock)
    await dead_worker_takes(db, clock, sending=sending)
    sender = FakeSender()
    async with delivering(db, {Channel.SMS: sender}, clock=clock):
        await until(db, school, "sending" if sending else "claimed", attempts=int(sending))
        assert not sender.requests
        clock.advance(LEASE + timedelta(milliseconds=1))
        row = await until(db, school, "sent", attempts=1 + int(sending))
    assert list(sender.requests) == [row["id"]]
    log = await attempts(db, school)
    assert [each["outcome"] for each in log] == outcomes
    assert row["failures"] == 0
    if sending:
        assert log[0]["worker"] == "dead"


async def test_a_verdict_that_comes_too_late_changes_nothing(db: PostgresDatabase) -> None:
    """A worker that stalled past its lease can't overwrite what another has made of the delivery since."""
    clock = FakeClock()
    school = await make_school(db, students=1)
    await fanned_out(db, school, scores_published(school), clock=clock)
    async with db.dispatch() as tx:
        (stale,) = await delivery_store.claim_due(
            tx, room(Channel.SMS, count=1), worker="slow", now=clock.now(), lease=LEASE
        )
        await delivery_store.mark_sending(tx, [stale], worker="slow", now=clock.now(), lease=LEASE, at_least=LEASE)
        clock.advance(LEASE * 2)
        assert await delivery_store.release_expired(tx, now=clock.now()) == (0, 1)
        (again,) = await delivery_store.claim_due(
            tx, room(Channel.SMS, count=1), worker="slow", now=clock.now(), lease=LEASE
        )
        await delivery_store.mark_sending(tx, [again], worker="slow", now=clock.now(), lease=LEASE, at_least=LEASE)
        late = Try(stale, "fake", clock.now()).failed(InvalidInput("refused"), RetryPolicy(), clock.now())
        assert await delivery_store.record(tx, [late], worker="slow") == set()
        right = Try(again, "fake", clock.now()).sent(Receipt("id"), clock.now())
        assert await delivery_store.record(tx, [right], worker="slow") == {again.id}
    assert [row["outcome"] for row in await attempts(db, school)] == ["lost", "sent"]


async def test_a_claim_that_expired_in_the_queue_is_not_sent(db: PostgresDatabase) -> None:
    """A delivery whose lease ran out before its request began is left to whoever has it now."""
    clock = FakeClock()
    school = await make_school(db, students=1)
    await fanned_out(db, school, scores_published(school), clock=clock)
    async with db.dispatch() as tx:
        own = await delivery_store.claim_due(
            tx, room(Channel.SMS, count=1), worker="slow", now=clock.now(), lease=LEASE
        )
        clock.advance(LEASE * 2)
        await delivery_store.release_expired(tx, now=clock.now())
        assert (
            await delivery_store.mark_sending(tx, own, worker="slow", now=clock.now(), lease=LEASE, at_least=LEASE)
            == set()
        )


async def test_one_that_kills_its_workers_is_given_up(db: PostgresDatabase) -> None:
    """A delivery whose worker is lost again and again ends as dead instead of going round for ever."""
    clock = FakeClock()
    school = await make_school(db, students=1)
    await fanned_out(db, school, scores_published(school), clock=clock)
    async with db.tenant(school.id) as tx:
        await tx.execute("UPDATE deliveries SET attempts = 49 WHERE channel = 'sms'")
    await dead_worker_takes(db, clock, sending=True)
    clock.advance(LEASE * 2)
    async with db.dispatch() as tx:
        await delivery_store.release_expired(tx, now=clock.now())
    row = await the_sms(db, school)
    assert (row["state"], row["reason"]) == ("dead", Reason.GAVE_UP)


async def test_a_drain_finishes_what_is_under_way_and_gives_back_the_rest(db: PostgresDatabase) -> None:
    """After a drain nothing is under a lease: requests under way were finished, the rest is due for others."""
    school = await make_school(db, students=30)
    sender = FakeSender()
    sender.hold()
    await fanned_out(db, school, scores_published(school))
    policy = replace(QUICK, concurrency=5)
    loop = DeliveryLoop(db, SystemClock(), {Channel.SMS: sender}, policy, worker="w")
    await loop.start()
    await sender.until_asked(5)
    stopping = asyncio.create_task(loop.stop(5))
    await asyncio.sleep(0)
    sender.let_go()
    await stopping
    stand = await states(db, school)
    assert stand[("sms", "sent")] == len(sender.taken) == 5
    assert stand[("sms", "queued")] == 25
    assert {state for _, state in stand} <= {"sent", "queued"}


async def test_a_drain_keeps_its_deadline(db: PostgresDatabase) -> None:
    """A provider that hangs does not hold a drain up: the delivery stays in doubt and its lease runs out."""
    school = await make_school(db, students=1)
    sender = FakeSender()
    sender.hold()
    await fanned_out(db, school, scores_published(school))
    policy = replace(QUICK, lease=timedelta(hours=2), request_timeout=timedelta(hours=1))
    loop = DeliveryLoop(db, SystemClock(), {Channel.SMS: sender}, policy, worker="w")
    await loop.start()
    await until(db, school, "sending", attempts=1)
    async with asyncio.timeout(60):
        await loop.stop(0.1)
    assert (await the_sms(db, school))["state"] == "sending"
