"""The notifier pool on real Ray: events come in by the stream, messages go out, and a drain leaves nothing behind."""

import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from time import monotonic

import pytest
from pydantic import SecretStr

from actors.pool import pool_status, start_pool, stop_pool
from actors.pool_spec import PoolSpec, no_backlog
from cluster import wiring_backlogs as backlogs
from cluster import wiring_upkeep as upkeep
from cluster import wiring_workers as wiring
from cluster.embedded.mailroom import Mailroom
from cluster.embedded.ports import free_ports
from cluster.settings import DatabaseSettings, MailSettings, NotifierSettings, RedisSettings, Settings, SmsSettings
from core.adapters.postgres import PostgresDatabase
from core.clock import SystemClock
from core.errors import SchoolOSError
from core.events.outbox import emit
from tests.factories.notifications import scores_published, settled
from tests.factories.school import make_school

pytestmark = pytest.mark.usefixtures("ray_cluster")


@pytest.fixture
def mailroom(tmp_path: Path) -> Iterator[Mailroom]:
    """The loopback providers."""
    smtp_port, sms_port = free_ports(2, near=26_300)
    room = Mailroom(tmp_path, smtp_port, sms_port)
    room.start()
    yield room
    room.stop()


@pytest.fixture
def settings(database_url: str, redis_url: str, mailroom: Mailroom) -> Settings:
    """Settings of a system on the test's own services."""
    return Settings(
        database=DatabaseSettings(url=SecretStr(database_url)),
        redis=RedisSettings(url=SecretStr(redis_url), key_prefix=f"{uuid.uuid4().hex}:"),
        mail=MailSettings(host="127.0.0.1", port=mailroom.smtp_port, security="none", sender="a@school.example"),
        sms=SmsSettings(endpoint=mailroom.sms_endpoint, api_key=SecretStr("k")),
        notifier=NotifierSettings(lease=timedelta(seconds=5), request_timeout=timedelta(seconds=2)),
    )


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[PostgresDatabase]:
    """The database port."""
    database = PostgresDatabase(database_url, application_name="tests")
    yield database
    await database.close()


async def test_published_marks_reach_guardians_through_the_pool(
    db: PostgresDatabase, settings: Settings, mailroom: Mailroom
) -> None:
    """An event in the outbox becomes one SMS or mail and one bell entry for each guardian, by workers of the pool."""
    school = await make_school(db, students=20)
    async with db.tenant(school.id) as tx:
        await tx.execute("UPDATE guardians SET channel_order = ARRAY['email'] WHERE phone <= '+2348030000005'")
        await emit(tx, school_id=school.id, payload=scores_published(school), occurred_at=SystemClock().now())
    name = uuid.uuid4().hex[:8]
    relay = replace(upkeep.relay_pool(settings), name=f"relay-{name}")
    notifier = replace(wiring.notifier_pool(settings), name=f"notifier-{name}", drain_s=10)
    start_pool(relay, upkeep.relay_factory(settings), no_backlog)
    start_pool(notifier, wiring.notifier_factory(settings), backlogs.notifier_backlog(settings))
    try:
        stand = await settled(db, school, within_s=90, look_every_s=0.1)
        assert stand == {("sms", "sent"): 15, ("email", "sent"): 5, ("push", "sent"): 20}
        assert len(mailroom.texts()) == 15
        assert len(mailroom.mails()) == 5
        assert figure(notifier, "events_handled") == 1
    finally:
        for spec in (relay, notifier):
            stop_pool(spec)
    async with db.dispatch() as tx:
        assert await tx.fetchval("SELECT count(*) FROM deliveries WHERE lease_owner IS NOT NULL") == 0


def figure(spec: PoolSpec, name: str) -> float:
    """Return the sum of a figure over the pool's workers, once a worker has told it."""
    until = monotonic() + 20
    while monotonic() < until:
        try:
            told = [worker.figures[name] for worker in pool_status(spec).workers if worker.figures.get(name)]
        except SchoolOSError:
            told = []
        if told:
            return sum(told)
    raise AssertionError(f"no worker tells {name}")
