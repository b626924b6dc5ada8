"""The SQL of fee reminders. A row of ``fee_reminder_runs`` is the lock: who inserts it sends, the others pass by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from core.ids import EventId, FeeId, SchoolId
from core.money import Kobo
from core.ports import Database, Transaction

# In the order of ids, so that two schedulers wait for each other and never for ever.
_CLAIM = """
WITH claimed AS (
    INSERT INTO fee_reminder_runs (school_id, fee_id, day, at)
    SELECT school_id, id, $1, $3 FROM fees WHERE due_on = ANY ($2::date[]) ORDER BY id
    ON CONFLICT DO NOTHING RETURNING fee_id
)
SELECT f.id, f.name, f.amount_kobo, f.due_on, s.currency
FROM claimed JOIN fees f ON f.id = claimed.fee_id JOIN schools s ON s.id = f.school_id
ORDER BY f.id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DueFee:
    """A fee that is reminded of today."""

    id: FeeId
    name: str
    amount_kobo: Kobo
    due_on: date
    currency: str


async def schools(db: Database) -> list[tuple[SchoolId, str]]:
    """Return every school with its time zone."""
    async with db.directory() as tx:
        rows = await tx.fetch("SELECT id, time_zone FROM schools ORDER BY id")
    return [(SchoolId(row["id"]), row["time_zone"]) for row in rows]


async def claim(tx: Transaction, day: date, due_dates: Sequence[date], at: datetime) -> list[DueFee]:
    """Return the fees whose reminder of the day is this transaction's to send; another's are waited for."""
    return [DueFee(**dict(row)) for row in await tx.fetch(_CLAIM, day, list(due_dates), at)]


async def note_events(tx: Transaction, day: date, events: Mapping[FeeId, EventId]) -> None:
    """Write down which event told of which fee."""
    await tx.execute(
        "UPDATE fee_reminder_runs r SET event_id = told.event_id"
        " FROM unnest($2::uuid[], $3::uuid[]) AS told (fee_id, event_id) WHERE r.fee_id = told.fee_id AND r.day = $1",
        day,
        list(events),
        list(events.values()),
    )
