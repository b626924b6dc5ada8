"""How soon an event's message is delivered: at a steady rate, and beside a lane of a million others."""

import asyncio
from datetime import datetime
from time import time
from typing import Any

import asyncpg

from core.adapters.postgres import PostgresDatabase
from tests.benchmarks.notifying.house import House, open_provider, open_workers
from tests.benchmarks.notifying.school import Register, analyze
from tests.benchmarks.notifying.throughput import DELAY_MS
from tests.factories.school import MadeSchool

_RATE = 30
_LIMITS = "SELECT extract(epoch FROM finished_at - occurred_at) * 1000 AS ms FROM deliveries"
_FILL = """
INSERT INTO deliveries (school_id, id, event_id, event_type, recipient_id, student_id, channel, state, address, content,
                        occurred_at, created_at, next_attempt_at, lane)
SELECT $1, gen_random_uuid(), gen_random_uuid(), 'fee.reminder', told.user_id, told.student_id, 'sms', 'queued',
       told.phone, '{"school": "Bench", "student": "Ada", "fee": "School fees", "amount": "NGN 45,000.00",
                     "due_date": "01/12/2027"}', now(), now(), now(), 'bulk'
FROM (SELECT u.id AS user_id, k.student_id, g.phone FROM guardians g
      JOIN users u ON u.school_id = g.school_id AND u.guardian_id = g.id
      JOIN guardianships k ON k.school_id = g.school_id AND k.guardian_id = g.id
      WHERE g.school_id = $1) told
CROSS JOIN generate_series(1, $2 / (SELECT count(*) FROM guardians WHERE school_id = $1)::int + 1)
LIMIT $2
"""


async def latency(house: House, db: PostgresDatabase, register: Register, seconds: int) -> dict[str, Any]:
    """Offer 30 absences a second, one event each, to a provider without a limit; return what is above the provider."""
    with (
        open_provider(DELAY_MS) as provider,
        open_workers(1, house.environment(provider, SMS_RATE_PER_S=100_000)) as (worker,),
    ):
        worker.say()
        await register.absences(_RATE, size=1)  # connections are open, statements prepared
        await register.until_delivered()
        began = time()
        for number in range(_RATE * seconds):
            await asyncio.sleep(max(0.0, began + number / _RATE - time()))
            await register.absences(1, size=1)
        await register.until_delivered()
    found = await _latencies(db, began)
    return {"offered_per_s": _RATE, "messages": len(found)} | _above_provider(found)


async def beside_bulk(
    house: House, db: PostgresDatabase, register: Register, *, school: MadeSchool, rows: int, seconds: int
) -> dict[str, Any]:
    """Send an absence a second while a lane of so many reminders is delivered at 30 a second, the provider's limit."""
    filled = await _fill(house, school, rows)
    with (
        open_provider(DELAY_MS) as provider,
        open_workers(2, house.environment(provider, SMS_RATE_PER_S=_RATE)) as workers,
    ):
        for worker in workers:
            worker.say()
        await asyncio.sleep(10)
        began, before = time(), [worker.rss_mb for worker in workers]
        for number in range(seconds):
            await asyncio.sleep(max(0.0, began + number - time()))
            await register.absences(1, size=1)
        await asyncio.sleep(3)
        after, counts = [worker.rss_mb for worker in workers], provider.counts()
    found = await _latencies(db, began)
    return {
        "bulk_rows": rows,
        "filled_s": filled,
        "urgent_sent": len(found),
        "urgent_offered": seconds,
        "bulk_sent": counts["requests"] - len(found),
        "doubled": counts["requests"] - counts["distinct"],
        "rss_mb_start": [round(each, 1) for each in before],
        "rss_mb_end": [round(each, 1) for each in after],
    } | _above_provider(found)


async def _fill(house: House, school: MadeSchool, rows: int) -> float:
    began = time()
    owner = await asyncpg.connect(house.postgres)
    await owner.execute("SELECT set_config('app.school_id', $1, false)", str(school.id))
    await owner.execute("SET ROLE schoolos_app")
    await owner.execute(_FILL, school.id, rows, timeout=600)
    await owner.close()
    await analyze(house)
    return round(time() - began, 1)


async def _latencies(db: PostgresDatabase, began: float) -> list[float]:
    async with db.dispatch() as tx:
        found = await tx.fetch(
            f"{_LIMITS} WHERE channel = 'sms' AND lane = 'urgent' AND state = 'sent' AND occurred_at >= $1 ORDER BY 1",
            datetime.fromtimestamp(began).astimezone(),
        )
    return [float(row["ms"]) for row in found]


def _above_provider(found: list[float]) -> dict[str, float]:
    return {
        f"p{part}_ms_above_provider": round(found[min(len(found) - 1, len(found) * part // 100)] - DELAY_MS, 1)
        for part in (50, 99)
    }
