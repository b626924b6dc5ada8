"""What waits in the whole system, as `schoolos status` and the pool's size know it."""

from io import StringIO

from rich.console import Console

from cluster.memory import ProcessMemory
from cluster.status import Status, show
from core.adapters.postgres import PostgresDatabase
from core.clock import FakeClock
from core.notifications.backlog import Backlog, waiting
from tests.factories.events import FakeEventStream
from tests.factories.notifications import attendance_marked, emitted, fanned_out, fee_reminder
from tests.factories.school import make_school

_WEBHOOK = """
WITH endpoint AS (
    INSERT INTO webhook_endpoints (school_id, id, url, event_types, created_at)
    VALUES ($1, gen_random_uuid(), 'https://elsewhere.example', ARRAY['fee.reminder'], $2) RETURNING id
)
INSERT INTO webhook_messages (school_id, id, endpoint_id, source_id, event_type, data, occurred_at, created_at,
                              next_attempt_at)
SELECT $1, gen_random_uuid(), id, gen_random_uuid(), 'fee.reminder', '{}', $2, $2, $2 FROM endpoint
"""


async def test_all_that_waits_is_counted_and_shown(db: PostgresDatabase) -> None:
    """Events, deliveries by lane, webhooks and dead letters are counted, and `schoolos status` shows them."""
    clock = FakeClock()
    school = await make_school(db, students=2)
    await fanned_out(db, school, attendance_marked(school, absent=school.students), clock=clock)
    await fanned_out(db, school, fee_reminder(school, school.students), clock=clock)
    await emitted(db, school, attendance_marked(school, absent=school.students), clock)
    async with db.tenant(school.id) as tx:
        await tx.execute(_WEBHOOK, school.id, clock.now())
    found = await waiting(db, clock.now())
    assert found.events == 1
    assert found.deliveries["urgent"] == 4
    assert (found.webhooks, found.dead) == (1, 0)
    stream = FakeEventStream(clock)
    await stream.create_group()
    written = StringIO()
    memory = (ProcessMemory(pid=1, name="guard", pss_bytes=1),)
    show(Status(up=True, services={}, actors={}, memory=memory, waiting=found), Console(file=written, width=100))
    shown = " ".join(written.getvalue().split())
    assert "deliveries, urgent 4" in shown
    assert "webhooks 1" in shown
    assert await Backlog(db, stream, clock)() >= 1 + sum(found.deliveries.values())
