"""The simulator's SQL: batches into their tables. The rooms' own stores write a row at a time; this writes millions."""

import asyncio
from collections.abc import Iterable

from core.ids import SchoolId
from core.ports import Transaction
from core.school.simulator.batches import Batch

_TYPES = {
    "number": "smallint", "rank": "smallint", "version": "int", "steps_done": "smallint", "value": "float8",
    "periods_per_week": "smallint", "amount_kobo": "bigint", "body": "jsonb", "day": "date", "date_of_birth": "date",
    "starts_on": "date", "ends_on": "date", "left_on": "date", "due_on": "date", "paid_on": "date", "at": "timestamptz",
    "elective": "boolean", "granted": "boolean", "receives_messages": "boolean", "id": "uuid", "head_id": "uuid",
    "scores": "jsonb", "from_score": "smallint", "to_score": "smallint",
    "actor_id": "uuid", "marked_by": "uuid", "recorded_by": "uuid",
}  # fmt: skip
_ARRAYS = {"roles", "channel_order"}
"""Arrays travel as text (``{sms,push}``): unnest would take them apart."""


async def write(tx: Transaction, school_id: SchoolId, batches: Iterable[Batch]) -> dict[str, int]:
    """Insert batches, a statement each, and return how many rows each table got.

    COPY is not for tables under row-level security (PostgreSQL refuses it), so that columns travel as arrays. The next
    batch is worked out in a thread while the database takes in the last.
    """
    counts: dict[str, int] = {}
    coming = iter(batches)
    each = await asyncio.to_thread(next, coming, None)
    while each is not None:
        each, _ = await asyncio.gather(asyncio.to_thread(next, coming, None), _write(tx, school_id, each, counts))
    return counts


async def _write(tx: Transaction, school_id: SchoolId, each: Batch, counts: dict[str, int]) -> None:
    if len(each):
        written = await tx.execute(_insert(each), school_id, *each.columns.values())
        counts[each.table] = counts.get(each.table, 0) + written


def _insert(each: Batch) -> str:
    key = "id" if each.table == "schools" else "school_id"
    names = list(each.columns)
    arrays = ", ".join(f"${place}::{_type(name)}[]" for place, name in enumerate(names, 2))
    values = ", ".join(f"{name}::text[]" if name in _ARRAYS else name for name in names)
    return (
        f"INSERT INTO {each.table} ({key}, {', '.join(names)}) "
        f"SELECT $1, {values} FROM unnest({arrays}) AS given ({', '.join(names)})"
    )


def _type(column: str) -> str:
    if column in _TYPES:
        return _TYPES[column]
    if column.endswith("_id"):
        return "uuid"
    return "timestamptz" if column.endswith("_at") else "text"
