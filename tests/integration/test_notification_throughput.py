"""How fast one delivery loop is against a gateway that answers at once; the figure is printed, not judged."""

import subprocess
import sys
from collections.abc import Iterator
from time import perf_counter, process_time

import asyncpg
import pytest

from core.adapters.africas_talking import AfricasTalkingSms
from core.adapters.postgres import PostgresDatabase
from core.notifications.lane import DeliveryPolicy
from core.notifications.model import Channel
from tests.factories.notifications import delivering, fanned_out, scores_published, settled
from tests.factories.school import make_school

_GATEWAY = """
import sys
from aiohttp import web
BODY = {"SMSMessageData": {"Message": "Sent to 1/1 Total Cost: NGN 2.2000", "Recipients": [
    {"statusCode": 101, "number": "+234", "status": "Success", "cost": "NGN 2.2000", "messageId": "x"}]}}
taken = set()
async def answer(request):
    key = request.headers["Idempotency-Key"]
    assert key not in taken
    taken.add(key)
    await request.post()
    return web.json_response(BODY, status=201)
async def main():
    app = web.Application()
    app.router.add_post("/version1/messaging", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()
import asyncio
asyncio.run(main())
"""
_STUDENTS = 3_000


@pytest.fixture
def gateway() -> Iterator[str]:
    """A gateway in a process of its own that answers at once; its address."""
    with subprocess.Popen([sys.executable, "-c", _GATEWAY], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        process.kill()


async def test_deliveries_a_second(db: PostgresDatabase, database_url: str, gateway: str) -> None:
    """One loop empties a queue of thousands without losing one; SMS and bell entries a second are printed."""
    school = await make_school(db, students=_STUDENTS)
    owner = await asyncpg.connect(database_url)
    await owner.execute("ANALYZE")  # what autovacuum does within a minute of a school's import
    await owner.close()
    began = perf_counter()
    await fanned_out(db, school, scores_published(school))
    fanned = perf_counter() - began
    sender = AfricasTalkingSms(gateway, username="sandbox", api_key="k")
    began, cpu = perf_counter(), process_time()
    async with delivering(db, {Channel.SMS: sender}, DeliveryPolicy()):
        stand = await settled(db, school, within_s=120, look_every_s=0.2)
    took, cpu = perf_counter() - began, process_time() - cpu
    await sender.close()
    assert stand == {("sms", "sent"): _STUDENTS, ("push", "sent"): _STUDENTS}
    sys.stdout.write(
        f"\nfan-out of {2 * _STUDENTS} deliveries: {fanned:.2f} s; delivered {2 * _STUDENTS} in {took:.2f} s: "
        f"{_STUDENTS / took:.0f} SMS/s + {_STUDENTS / took:.0f} bell/s in one process, "
        f"{1e3 * cpu / (2 * _STUDENTS):.2f} ms of its CPU each\n"
    )
