"""The messages that flow while harm is done: published in small pieces, and counted at the provider's end."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from core.clock import SystemClock
from core.errors import SchoolOSError
from core.events.outbox import emit
from core.events.types import Payload
from core.ids import StudentId
from core.ports import Row
from tests.fault.harm import Mended
from tests.fault.rig import Rig

_SHEET = 40
"""Students of one publication."""
_A_MOMENT = timedelta(microseconds=1)

Make = Callable[[Sequence[StudentId]], tuple[Payload, UUID]]
"""Makes an event of these students, and the id in its payload by which it is known again."""


class Flow:
    """Publishes events for a school's students, one piece after the other."""

    def __init__(self, rig: Rig, kinds: Sequence[Make], *, rounds: int) -> None:
        """Take what is published in turn for each piece of the school, and how often the whole school is told."""
        students = rig.school.students
        pieces = [students[start : start + _SHEET] for start in range(0, len(students), _SHEET)]
        self._rig = rig
        self._left = [kinds[turn % len(kinds)](piece) for turn in range(rounds) for piece in pieces]

    @property
    def left(self) -> int:
        """How many events are still to be published."""
        return len(self._left)

    async def publish(self, count: int, every_s: float = 0.0) -> None:
        """Publish so many events, as far as there are any."""
        for _ in range(min(count, self.left)):
            payload, known_by = self._left.pop(0)
            await self._publish(payload, known_by)
            await asyncio.sleep(every_s)

    async def _publish(self, payload: Payload, known_by: UUID) -> None:
        """Publish an event once, as one does who asks what became of a transaction before trying again."""
        while True:
            try:
                async with self._rig.db.tenant(self._rig.school.id) as tx:
                    known = "SELECT EXISTS (SELECT FROM outbox WHERE payload::text LIKE $1)"
                    if not await tx.fetchval(known, f"%{known_by}%"):
                        now = SystemClock().now()
                        await emit(tx, school_id=self._rig.school.id, payload=payload, occurred_at=now)
            except SchoolOSError:  # the database is away
                await asyncio.sleep(0.1)
            else:
                return


@dataclass(frozen=True, slots=True)
class Lost:
    """An attempt that outlived its worker, or its worker's lease."""

    key: str
    worker: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Count:
    """What became of the SMS, by the provider's books and ours. Keys are the ids of deliveries."""

    due: dict[str, str]
    """The event type of every SMS there is, by key."""
    states: Counter[tuple[str, str, str]]
    """How many stand where: event type, state, reason."""
    taken: Counter[str]
    """How often the provider took each."""
    lost: Sequence[Lost]
    timed_out: Counter[str]
    answers_lost: Counter[str]
    """How often the provider took each and its answer said otherwise."""

    @property
    def never_taken(self) -> set[str]:
        """Return what the provider never took."""
        return set(self.due) - set(self.taken)

    @property
    def doubled(self) -> Counter[str]:
        """Return how often too much the provider took each."""
        return Counter({key: times - 1 for key, times in self.taken.items() if times > 1})

    def doubts(self, mended: Sequence[Mended]) -> Counter[str]:
        """Return how often nobody could know whether the provider had taken each.

        Of a worker that was killed that is what was in flight; of one that lives, what it lost its lease of.
        """
        killed_at = {owner: each.at for each in mended for owner in each.owners}
        in_flight = Counter(str(key) for each in mended if each.owners for key in each.in_flight)
        lapsed = Counter(each.key for each in self.lost if each.at < killed_at.get(each.worker, each.at + _A_MOMENT))
        return self.answers_lost + self.timed_out + in_flight + lapsed


async def count(rig: Rig) -> Count:
    """Read the provider's books and ours."""
    async with rig.db.tenant(rig.school.id) as tx:
        rows = await tx.fetch("SELECT id, event_type, state, reason FROM deliveries WHERE channel = 'sms'")
        tries: Sequence[Row] = await tx.fetch(
            "SELECT a.delivery_id, a.worker, a.outcome, a.finished_at FROM delivery_attempts a JOIN deliveries d"
            " ON d.school_id = a.school_id AND d.id = a.delivery_id"
            " WHERE d.channel = 'sms' AND a.outcome IN ('lost', 'timed_out')"
        )
    return Count(
        due={str(row["id"]): row["event_type"] for row in rows},
        states=Counter((row["event_type"], row["state"], row["reason"] or "") for row in rows),
        taken=Counter(text.key for text in rig.mailroom.texts()),
        lost=[
            Lost(str(each["delivery_id"]), each["worker"], each["finished_at"])
            for each in tries
            if each["outcome"] == "lost"
        ],
        timed_out=Counter(str(each["delivery_id"]) for each in tries if each["outcome"] == "timed_out"),
        answers_lost=Counter(rig.mailroom.answers_lost),
    )


async def bells(rig: Rig) -> Counter[int]:
    """Return how many guardians have how many entries at the bell."""
    async with rig.db.tenant(rig.school.id) as tx:
        rows = await tx.fetch("SELECT count(*) AS n FROM notifications GROUP BY user_id")
    return Counter(row["n"] for row in rows)
