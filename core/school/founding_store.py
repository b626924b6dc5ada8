"""SQL of schools as the platform sees them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from core.ids import SchoolId
from core.ports import Row, Transaction

_COLUMNS = "id, code, name, time_zone, created_at"


@dataclass(frozen=True, slots=True)
class SchoolEntry:
    """A school in the platform's list."""

    id: SchoolId
    code: str
    name: str = field(repr=False)
    time_zone: str
    created_at: datetime


def _entry(row: Row) -> SchoolEntry:
    return SchoolEntry(row["id"], row["code"], row["name"], row["time_zone"], row["created_at"])


async def insert(tx: Transaction, entry: SchoolEntry) -> None:
    """Add a school, inside its own scope."""
    await tx.execute(
        "INSERT INTO schools (id, code, name, time_zone, created_at) VALUES ($1, $2, $3, $4, $5)",
        entry.id,
        entry.code,
        entry.name,
        entry.time_zone,
        entry.created_at,
    )


async def list_page(tx: Transaction, *, after: str | None, limit: int) -> Sequence[SchoolEntry]:
    """Return schools by code."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM schools WHERE $1::text IS NULL OR code > $1 ORDER BY code LIMIT $2", after, limit
    )
    return [_entry(row) for row in rows]
