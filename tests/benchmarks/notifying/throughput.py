"""Deliveries a second and what each costs a worker, at a provider that takes 50 ms."""

from datetime import datetime
from time import time
from typing import Any

from core.adapters.postgres import PostgresDatabase
from tests.benchmarks.notifying.house import House, open_provider, open_workers
from tests.benchmarks.notifying.school import Register

DELAY_MS = 50.0


async def throughput(
    house: House, db: PostgresDatabase, register: Register, workers: int, count: int
) -> dict[str, Any]:
    """Deliver so many absences that are due, each an SMS and an entry of the bell."""
    await register.absences(count)
    fan_out_s = await register.until_fanned_out()
    with open_provider(DELAY_MS) as provider:
        environment = house.environment(provider, SMS_RATE_PER_S=100_000, NOTIFIER_CONCURRENCY=200)
        with open_workers(workers, environment) as running:
            began, cpu = time(), [worker.cpu_s for worker in running]
            for worker in running:
                worker.say()
            await register.until_delivered()
            cpu = [worker.cpu_s - before for worker, before in zip(running, cpu, strict=True)]
            counts = provider.counts()
        took, ended = await _since(db, began)
    return {
        "workers": workers,
        "fan_out_cpu_ms_per_delivery": round(1e3 * fan_out_s / (2 * count), 3),
        "deliveries": ended,
        "deliveries_per_s": round(ended / took),
        "sms_per_s": round(count / took),
        "worker_cpu_ms_per_delivery": round(1e3 * sum(cpu) / ended, 3),
        "worker_cpu_ms_per_sms": round(1e3 * sum(cpu) / count, 3),
        "seconds": round(took, 2),
        "doubled": counts["requests"] - counts["distinct"],
        "lost": count - counts["distinct"],
    }


async def _since(db: PostgresDatabase, began: float) -> tuple[float, int]:
    async with db.dispatch() as tx:
        row = await tx.fetchrow(
            "SELECT max(finished_at) AS last, count(*) AS ended FROM deliveries"
            " WHERE state = 'sent' AND finished_at >= to_timestamp($1)",
            began,
        )
    assert row is not None
    last: datetime = row["last"]
    return last.timestamp() - began, int(row["ended"])
