"""Kills of relay, workers and supervisors while messages flow: none lost, none doubled, and soon back at work."""

import asyncio
import os
import random
import signal
import sys
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from time import monotonic

import asyncpg
import pytest
from pydantic import SecretStr

from actors.pool import pool_status, start_pool, stop_pool
from actors.pool_spec import PoolSpec
from actors.relay import no_backlog
from cluster import wiring_workers as wiring
from cluster.embedded.mailroom import Mailroom, Trouble
from cluster.embedded.ports import free_ports
from cluster.settings import DatabaseSettings, NotifierSettings, RedisSettings, Settings, SmsSettings
from core.adapters.postgres import PostgresDatabase
from core.clock import SystemClock
from core.errors import SchoolOSError
from core.events.outbox import emit
from tests.factories.notifications import scores_published, states
from tests.factories.school import MadeSchool, make_school

pytestmark = pytest.mark.usefixtures("ray_cluster")

SEED = 20_271
STUDENTS = 1_000
"""Each guardian gets an SMS and a bell entry: 2,000 notifications."""
EVENTS = 25
KILLS = 10
LEASE = timedelta(seconds=3)
BACK_WITHIN_S = LEASE.total_seconds() + 5


@dataclass
class Kill:
    """One process that was killed, and how long until work went on."""

    what: str
    pid: int
    back_after_s: float


@pytest.fixture
def mailroom(tmp_path: Path) -> Iterator[Mailroom]:
    """A gateway that is at work all the while; every tenth request fails, half of those after it was taken."""
    smtp_port, sms_port = free_ports(2, near=26_500)
    room = Mailroom(tmp_path, smtp_port, sms_port, Trouble(error_rate=0.10, delay_s=0.3, seed=SEED))
    room.start()
    yield room
    room.stop()


@pytest.fixture
def settings(database_url: str, redis_url: str, mailroom: Mailroom) -> Settings:
    """Settings with a short lease, so that what a dead worker held comes back soon."""
    return Settings(
        database=DatabaseSettings(url=SecretStr(database_url)),
        redis=RedisSettings(url=SecretStr(redis_url), key_prefix=f"{uuid.uuid4().hex}:"),
        sms=SmsSettings(
            endpoint=mailroom.sms_endpoint, api_key=SecretStr("k"), rate_per_s=0, honours_keys=True
        ),
        notifier=NotifierSettings(
            workers_min=2, workers_max=2, concurrency=8, lease=LEASE, request_timeout=timedelta(seconds=1.5),
            retry_delays=(timedelta(seconds=0.2), timedelta(seconds=0.5), *[timedelta(seconds=1)] * 8),
        ),
    )  # fmt: skip


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[PostgresDatabase]:
    """The database port."""
    database = PostgresDatabase(database_url, application_name="tests")
    yield database
    await database.close()


@pytest.fixture
def pools(settings: Settings) -> Iterator[tuple[PoolSpec, PoolSpec]]:
    """The relay's and the notifiers' pools, running."""
    name = uuid.uuid4().hex[:8]
    relay = replace(wiring.relay_pool(settings), name=f"relay-{name}", ping_every_s=0.5)
    notifier = replace(wiring.notifier_pool(settings), name=f"notifier-{name}", ping_every_s=0.5, drain_s=10)
    start_pool(relay, wiring.relay_factory(settings), no_backlog)
    start_pool(notifier, wiring.notifier_factory(settings), wiring.notifier_backlog(settings))
    yield relay, notifier
    for spec in (relay, notifier):
        stop_pool(spec)


async def test_ten_kills_lose_and_double_nothing(
    db: PostgresDatabase,
    database_url: str,
    settings: Settings,
    mailroom: Mailroom,
    pools: tuple[PoolSpec, PoolSpec],
) -> None:
    """Through ten kills each guardian gets exactly the messages that were due, and work resumes in lease + 5 s."""
    school = await make_school(db, students=STUDENTS)
    owner = await asyncpg.connect(database_url)
    await owner.execute("ANALYZE")
    await owner.close()
    await until_running(pools)
    began = monotonic()
    emitting = asyncio.create_task(emit_all(db, school))
    kills = await kill_ten(db, pools, random.Random(SEED))
    await emitting
    await until_all_ended(db, school, within_s=60)
    report(kills, mailroom, monotonic() - began)

    stand = await states(db, school)
    assert stand.pop(("email", "skipped")) == STUDENTS  # there is no mail provider
    assert stand == {("sms", "sent"): STUDENTS, ("push", "sent"): STUDENTS}
    arrived = Counter(text.number for text in mailroom.texts())
    async with db.tenant(school.id) as tx:
        phones = [row["phone"] for row in await tx.fetch("SELECT phone FROM guardians")]
        bells = await tx.fetch("SELECT user_id, count(*) AS n FROM notifications GROUP BY 1")
    assert arrived == Counter(phones)
    assert [row["n"] for row in bells] == [1] * STUDENTS
    assert len({text.key for text in mailroom.texts()}) == STUDENTS
    assert len(kills) == KILLS
    assert max(kill.back_after_s for kill in kills) <= BACK_WITHIN_S


async def emit_all(db: PostgresDatabase, school: MadeSchool) -> None:
    """Publish one sheet after another while the kills go on."""
    size = STUDENTS // EVENTS
    for start in range(0, STUDENTS, size):
        async with db.tenant(school.id) as tx:
            payload = scores_published(school, school.students[start : start + size])
            await emit(tx, school_id=school.id, payload=payload, occurred_at=SystemClock().now())
        await asyncio.sleep(1)


async def kill_ten(db: PostgresDatabase, pools: tuple[PoolSpec, PoolSpec], chance: random.Random) -> list[Kill]:
    """Kill ten processes one after another, each once work has resumed after the one before."""
    relay, notifier = pools
    targets: Sequence[tuple[str, PoolSpec]] = [
        *[("worker", notifier)] * 4,
        *[("relay", relay)] * 3,
        *[("supervisor", notifier)] * 2,
        ("supervisor", relay),
    ]
    kills = []
    for what, spec in chance.sample(targets, KILLS):
        await asyncio.sleep(chance.uniform(0.1, 0.5))
        pid, name = await a_process(spec, chance, supervisor=what == "supervisor")
        done = await progress(db, what)
        os.kill(pid, signal.SIGKILL)
        kills.append(Kill(what, pid, await until_back(db, what, name, done)))
    return kills


async def a_process(spec: PoolSpec, chance: random.Random, *, supervisor: bool) -> tuple[int, str]:
    """Return process and name of a pool's supervisor, or of one of its running workers."""
    until = monotonic() + 60
    while monotonic() < until:
        with suppress(SchoolOSError):
            status = await asyncio.to_thread(pool_status, spec, 2)
            running = [(each.pid, each.name) for each in status.workers if each.pid and each.state == "running"]
            if supervisor:
                return status.pid, spec.supervisor_name
            if running:
                return chance.choice(running)
        await asyncio.sleep(0.05)
    raise AssertionError(f"nothing of {spec.name} runs")


async def progress(db: PostgresDatabase, what: str) -> int:
    """Return how far the part has come that a kill stops: events relayed, or messages sent."""
    async with db.dispatch() as tx:
        if what == "relay":
            return int(await tx.fetchval("SELECT count(*) FROM outbox WHERE relayed_at IS NOT NULL"))
        return int(await tx.fetchval("SELECT count(*) FROM deliveries WHERE state = 'sent'"))


async def until_back(db: PostgresDatabase, what: str, name: str, done: int) -> float:
    """Wait until the part has come further and nothing is held by the dead process; return how long that took."""
    began = monotonic()
    held = await held_by(db, name)
    while monotonic() < began + 30:
        if not held & await held_by(db, name) and (await progress(db, what) > done or await nothing_is_due(db)):
            return monotonic() - began
        await asyncio.sleep(0.05)
    raise AssertionError(f"no work went on after a {what} was killed")


async def held_by(db: PostgresDatabase, name: str) -> set[str]:
    """Return the owners of leases that are, or were, workers of this name."""
    async with db.dispatch() as tx:
        rows = await tx.fetch("SELECT DISTINCT lease_owner AS o FROM deliveries WHERE lease_owner LIKE $1", f"{name}/%")
    return {row["o"] for row in rows}


async def nothing_is_due(db: PostgresDatabase) -> bool:
    """Tell whether every event so far is fanned out and every delivery ended."""
    async with db.dispatch() as tx:
        return bool(
            await tx.fetchval(
                "SELECT NOT EXISTS (SELECT FROM outbox WHERE handled_at IS NULL)"
                " AND NOT EXISTS (SELECT FROM deliveries WHERE finished_at IS NULL)"
            )
        )


async def until_running(pools: Sequence[PoolSpec]) -> None:
    """Wait until every pool has all its workers."""
    until = monotonic() + 120
    while monotonic() < until:
        with suppress(SchoolOSError):
            if all([(await asyncio.to_thread(pool_status, spec, 5)).running >= spec.minimum for spec in pools]):
                return
        await asyncio.sleep(0.2)
    raise AssertionError("the pools did not start")


async def until_all_ended(db: PostgresDatabase, school: MadeSchool, *, within_s: float) -> None:
    """Wait until every event is handled and every delivery has ended."""
    until = monotonic() + within_s
    while monotonic() < until:
        if await nothing_is_due(db):
            return
        await asyncio.sleep(0.2)
    raise AssertionError(f"not within {within_s} s: {await states(db, school)}")


def report(kills: Sequence[Kill], mailroom: Mailroom, took_s: float) -> None:
    """Print what was measured."""
    lines = [f"  {kill.what:<10} pid {kill.pid:<8} back at work after {kill.back_after_s:5.2f} s" for kill in kills]
    sys.stdout.write(
        f"\n{2 * STUDENTS} notifications, {KILLS} kills, lease {LEASE.total_seconds():.0f} s, {took_s:.1f} s in all\n"
        + "\n".join(lines)
        + f"\ngateway: {mailroom.requests} requests, {len(mailroom.texts())} messages,"
        + f" {mailroom.replays} doubles kept off by their keys\n"
    )
