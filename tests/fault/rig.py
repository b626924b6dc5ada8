"""A whole notifier to do harm to: servers of its own, a gateway that misbehaves, a school, relay and workers on Ray."""

import asyncio
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from time import monotonic

import asyncpg
from pydantic import SecretStr

from actors.pool import pool_status, start_pool, stop_pool
from actors.pool_spec import PoolSpec, no_backlog
from cluster import wiring_backlogs as backlogs
from cluster import wiring_upkeep as upkeep
from cluster import wiring_workers as wiring
from cluster.embedded.mailroom import Mailroom, Trouble
from cluster.embedded.ports import free_ports
from cluster.migrate import migrate
from cluster.settings import DatabaseSettings, NotifierSettings, RedisSettings, Settings, SmsSettings
from core.adapters.postgres import PostgresDatabase
from core.errors import SchoolOSError
from tests.factories.school import MadeSchool, make_school
from tests.fault.servers import KillablePostgres, KillableRedis
from tests.fault.stall import Stall, watched

LEASE = timedelta(seconds=3)
WORKERS = 2


@dataclass(frozen=True, slots=True)
class Rig:
    """What a test of kills has in its hands."""

    db: PostgresDatabase
    postgres: KillablePostgres
    redis: KillableRedis
    mailroom: Mailroom
    settings: Settings
    relay: PoolSpec
    notifier: PoolSpec
    school: MadeSchool
    stall: Stall

    @property
    def pools(self) -> tuple[PoolSpec, PoolSpec]:
        """Return both pools."""
        return self.relay, self.notifier

    def start_notifiers(self) -> None:
        """Start the pool of notifiers, again where it was stopped."""
        backlog = backlogs.notifier_backlog(self.settings)
        start_pool(self.notifier, wiring.notifier_factory(self.settings), backlog)


@asynccontextmanager
async def open_rig(folder: Path, trouble: Trouble, *, students: int) -> AsyncIterator[Rig]:
    """Bring all of it up, wait until every worker runs, and end all of it."""
    async with AsyncExitStack() as stack:
        postgres, redis = stack.enter_context(_servers())
        mailroom = stack.enter_context(_mailroom(folder, trouble))
        await migrate(postgres.url)
        settings = _settings(postgres.url, redis.url, mailroom, keys=trouble.honours_keys)
        db = PostgresDatabase(postgres.url, application_name="tests")
        stack.push_async_callback(db.close)
        name = uuid.uuid4().hex[:8]
        rig = Rig(
            db=db,
            postgres=postgres,
            redis=redis,
            mailroom=mailroom,
            settings=settings,
            relay=replace(upkeep.relay_pool(settings), name=f"relay-{name}", ping_every_s=0.5),
            notifier=replace(wiring.notifier_pool(settings), name=f"notifier-{name}", ping_every_s=0.5, drain_s=10),
            school=await make_school(db, students=students),
            stall=stack.enter_context(watched(folder)),
        )
        await _analyze(postgres.url)
        for spec in rig.pools:
            stack.callback(stop_pool, spec)
        start_pool(rig.relay, upkeep.relay_factory(settings), no_backlog)
        rig.start_notifiers()
        await until_running(rig.pools)
        yield rig


async def until_running(pools: tuple[PoolSpec, ...]) -> None:
    """Wait until every pool has all its workers."""
    until = monotonic() + 120
    while monotonic() < until:
        with suppress(SchoolOSError):
            if all([(await asyncio.to_thread(pool_status, spec, 5)).running >= spec.minimum for spec in pools]):
                return
        await asyncio.sleep(0.2)
    raise AssertionError("the pools did not start")


@contextmanager
def _servers() -> Iterator[tuple[KillablePostgres, KillableRedis]]:
    # Not below pytest's own folder: another run of the same user closes that one to the server's user.
    with tempfile.TemporaryDirectory(prefix="schoolos-fault-") as folder:
        Path(folder).chmod(0o711)
        postgres, redis = KillablePostgres(Path(folder) / "postgres"), KillableRedis(Path(folder) / "redis")
        try:
            yield postgres, redis
        finally:
            redis.stop()
            postgres.stop()


@contextmanager
def _mailroom(folder: Path, trouble: Trouble) -> Iterator[Mailroom]:
    smtp_port, sms_port = free_ports(2, near=26_500)
    room = Mailroom(folder, smtp_port, sms_port, trouble)
    room.start()
    try:
        yield room
    finally:
        room.stop()


def _settings(database: str, redis: str, mailroom: Mailroom, *, keys: bool) -> Settings:
    """Return settings with a short lease, so that what a dead worker held comes back soon."""
    return Settings(
        database=DatabaseSettings(url=SecretStr(database)),
        redis=RedisSettings(url=SecretStr(redis)),
        sms=SmsSettings(
            # A limit far above what comes, so that the limiter is asked and holds nothing up.
            endpoint=mailroom.sms_endpoint, api_key=SecretStr("k"), rate_per_s=600, honours_keys=keys
        ),
        notifier=NotifierSettings(
            workers_min=WORKERS, workers_max=WORKERS, concurrency=20, lease=LEASE,
            request_timeout=timedelta(seconds=1.5),
            retry_delays=(timedelta(seconds=0.2), timedelta(seconds=0.5), *[timedelta(seconds=1)] * 8),
        ),
    )  # fmt: skip


async def _analyze(url: str) -> None:
    owner = await asyncpg.connect(url)
    await owner.execute("ANALYZE")
    await owner.close()
