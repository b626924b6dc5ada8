"""Kills of relay, workers, supervisors and servers while messages flow: what was lost and doubled, and how soon back.

Work must be back within a lease and 5 s of each fault. On a machine that others use meanwhile every process waits for
a core, so the share of the time for which it did, measured beside (``tests.fault.stall``), is not counted.

The run without keys is half as large as the one with them, to keep the suite short. ``FAULTS_IN_FULL=1`` makes both the
same: 20 kills and 5,000 messages each.
"""

import asyncio
import os
import random
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from uuid import UUID

import pytest

from actors.pool import stop_pool
from cluster.embedded.mailroom import Trouble
from core.events.types import Payload
from core.ids import StudentId
from tests.factories.notifications import fee_reminder, scores_published
from tests.factories.timing import settle
from tests.fault.flow import Count, Flow, Make, bells, count
from tests.fault.harm import BACK_WITHIN_S, Harm, Mended, until_all_ended
from tests.fault.rig import LEASE, Rig, open_rig, until_running

pytestmark = pytest.mark.usefixtures("ray_cluster")

STUDENTS = 1_000
"""Each guardian gets an SMS and a bell entry of each publication."""


@dataclass(frozen=True, slots=True)
class Size:
    """How large a run is."""

    publications: int
    kills: int

    @property
    def messages(self) -> int:
        """How many SMS are due."""
        return STUDENTS * self.publications


FULL = Size(publications=5, kills=20)
HALF = FULL if os.environ.get("FAULTS_IN_FULL") else Size(publications=3, kills=10)
_PACE_S = 0.35
_DRAIN_LEFT = 8
"""Events kept for the drain."""


def trouble(seed: int, *, keys: bool) -> Trouble:
    """Return a gateway of which every tenth request fails, half of those after it was taken."""
    return Trouble(error_rate=0.10, delay_s=0.15, seed=seed, honours_keys=keys)


async def test_with_keys_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    """Through 20 kills and the death of PostgreSQL and Redis each message comes once to a gateway that knows keys."""
    async with open_rig(tmp_path, trouble(20_271, keys=True), students=STUDENTS) as rig:
        await settle(rig.db, rig.school, holdBackMinutes=0, quietHours=None)
        flow = Flow(rig, [scores(rig)], rounds=FULL.publications)
        mended, took_s = await harmed(rig, flow, random.Random(20_271), FULL.kills)
        await until_all_ended(rig, within_s=180)
        counted = await count(rig)
        report(rig, mended, counted, took_s)

        assert_back_in_time(mended, FULL.kills)
        assert counted.states == {("scores.published", "sent", ""): FULL.messages}
        assert counted.never_taken == set()
        assert counted.doubled == {}
        assert sum(counted.taken.values()) == FULL.messages
        assert await bells(rig) == {FULL.publications: STUDENTS}


async def test_without_keys_only_what_was_in_flight_is_doubled(tmp_path: Path) -> None:
    """A gateway without keys gets nothing twice but what was in doubt, and no reminder; a drain leaves no doubt."""
    async with open_rig(tmp_path, trouble(20_272, keys=False), students=STUDENTS) as rig:
        await settle(rig.db, rig.school, holdBackMinutes=0, quietHours=None)
        flow = Flow(rig, [scores(rig), reminders(rig)], rounds=HALF.publications)
        mended, took_s = await harmed(rig, flow, random.Random(20_272), HALF.kills, keep=_DRAIN_LEFT)
        await until_all_ended(rig, within_s=180)
        before = await count(rig)
        await drained_and_started_again(rig, flow)
        await until_all_ended(rig, within_s=180)
        counted = await count(rig)
        report(rig, mended, counted, took_s)

        assert_back_in_time(mended, HALF.kills)
        assert len(counted.lost) == len(before.lost), "the drain left something in doubt"
        assert_only_doubts_doubled(mended, counted)
        assert_reminders_at_most_once(counted)
        assert await bells(rig) == {HALF.publications: STUDENTS}


def scores(rig: Rig) -> Make:
    """Return what makes a publication of marks."""

    def make(students: Sequence[StudentId]) -> tuple[Payload, UUID]:
        payload = scores_published(rig.school, tuple(students))
        return payload, payload.sheet_id

    return make


def reminders(rig: Rig) -> Make:
    """Return what makes a reminder of a fee."""

    def make(students: Sequence[StudentId]) -> tuple[Payload, UUID]:
        payload = fee_reminder(rig.school, tuple(students))
        return payload, payload.fee_id

    return make


async def harmed(
    rig: Rig, flow: Flow, chance: random.Random, kills: int, *, keep: int = 0
) -> tuple[list[Mended], float]:
    """Publish evenly over all rounds of faults; return how each was mended, and how long all took."""
    harm, mended, began = Harm(rig, chance), list[Mended](), monotonic()
    rounds = harm.rounds(kills)
    for number, targets in enumerate(rounds):
        share = -(-(flow.left - keep) // (len(rounds) - number))
        _, done = await asyncio.gather(flow.publish(share, _PACE_S), harm.do(targets))
        mended += done
    return mended, monotonic() - began


async def drained_and_started_again(rig: Rig, flow: Flow) -> None:
    """Stop the notifiers while they send, look that nothing is held, and start them again."""
    await flow.publish(flow.left)
    until = monotonic() + 10
    while not await held(rig, "sending"):
        assert monotonic() < until
    began = monotonic()
    await asyncio.to_thread(stop_pool, rig.notifier)
    took_s = monotonic() - began
    sys.stdout.write(f"\ndrained in {took_s:.2f} s, {await held(rig, 'queued')} given back\n")
    assert took_s <= rig.notifier.drain_s
    assert await held(rig, "sending") == await held(rig, "claimed") == 0
    assert await held(rig, "queued") > 0, "the drain came too late to show anything"
    rig.start_notifiers()
    await until_running(rig.pools)


async def held(rig: Rig, state: str) -> int:
    """Return how many deliveries are in a state."""
    async with rig.db.dispatch() as tx:
        return int(await tx.fetchval("SELECT count(*) FROM deliveries WHERE state = $1", state))


def assert_back_in_time(mended: Sequence[Mended], kills: int) -> None:
    """Every fault was done, and mended within the bound."""
    assert sum(each.what in {"worker", "relay", "supervisor"} for each in mended) == kills
    assert {each.what for each in mended} >= {"postgres", "redis"}
    late = [each for each in mended if each.own_s > BACK_WITHIN_S]
    assert not late


def assert_only_doubts_doubled(mended: Sequence[Mended], counted: Count) -> None:
    """No message came more often than it was in doubt: in flight at a kill, or without an answer."""
    assert len(counted.due) == HALF.messages
    assert counted.doubled - counted.doubts(mended) == {}
    assert {key for key in counted.never_taken if counted.due[key] == "scores.published"} == set()
    assert {(state, reason) for kind, state, reason in counted.states if kind == "scores.published"} == {("sent", "")}


def assert_reminders_at_most_once(counted: Count) -> None:
    """A reminder was never taken twice; one that nobody knows of is dead with that reason."""
    assert [key for key in counted.doubled if counted.due[key] == "fee.reminder"] == []
    ends = {(state, reason) for kind, state, reason in counted.states if kind == "fee.reminder"}
    assert ends <= {("sent", ""), ("dead", "in_doubt")}


def report(rig: Rig, mended: Sequence[Mended], counted: Count, took_s: float) -> None:
    """Print what was measured."""
    lines = [
        f"  {each.what:<10} back after {each.back_after_s:5.2f} s, {each.stalled:4.0%} stalled,"
        f" {len(each.in_flight):3} in flight"
        for each in mended
    ]
    doubled = Counter(counted.due[key] for key in counted.doubled.elements())
    sys.stdout.write(
        f"\n{len(counted.due)} SMS, {len(mended) - 2} kills, both servers once, lease {LEASE.total_seconds():.0f} s,"
        f" {took_s:.1f} s of harm\n"
        + "\n".join(lines)
        + f"\ngateway: {rig.mailroom.requests} requests, {sum(counted.taken.values())} messages,"
        + f" {rig.mailroom.replays} doubles kept off by their keys; {len(counted.never_taken)} never taken,"
        + f" {dict(doubled)} doubled"
        + f"\nin doubt: {sum(len(each.in_flight) for each in mended)} in flight at faults,"
        + f" {counted.answers_lost.total()} answers lost, {counted.timed_out.total()} timed out,"
        + f" {len(counted.lost)} attempts lost\nstates: {dict(counted.states)}\n"
    )
