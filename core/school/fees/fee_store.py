"""The SQL of fees."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from core.ids import FeeId, SchoolId, TermId, new_id
from core.ports import Row, Transaction
from core.school.fees.model import Fee, NewFee

_FEE = """
SELECT f.id, f.term_id, f.level_id, f.name, f.amount_kobo, f.due_on, f.version, s.currency
FROM fees f JOIN schools s ON s.id = f.school_id
"""

_ADD = """
INSERT INTO fees (school_id, id, term_id, level_id, name, amount_kobo, due_on)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (school_id, term_id, level_id, name) DO NOTHING RETURNING id
"""

_CHANGE = """
UPDATE fees SET name = coalesce($2, name), amount_kobo = coalesce($3, amount_kobo), due_on = coalesce($4, due_on),
                version = version + 1
WHERE id = $1
"""


async def add(tx: Transaction, school_id: SchoolId, fee: NewFee) -> FeeId | None:
    """Add a fee and return its id; None where the term has one of this name and level already."""
    found = await tx.fetchval(
        _ADD, school_id, new_id(), fee.term_id, fee.level_id, fee.name, fee.amount_kobo, fee.due_on
    )
    return None if found is None else FeeId(found)


async def get(tx: Transaction, fee_id: FeeId, *, lock: bool = False) -> Fee | None:
    """Return a fee, locked where it is to be changed."""
    row = await tx.fetchrow(_FEE + "WHERE f.id = $1" + (" FOR UPDATE OF f" if lock else ""), fee_id)
    return _fee(row) if row else None


async def listed(tx: Transaction, *, term_id: TermId | None, after: tuple[date, FeeId] | None, limit: int) -> list[Fee]:
    """Return fees, those due last first."""
    due_on, fee_id = after or (None, None)
    rows = await tx.fetch(
        _FEE + "WHERE ($1::uuid IS NULL OR f.term_id = $1) AND ($2::date IS NULL OR (f.due_on, f.id) < ($2, $3::uuid))"
        " ORDER BY f.due_on DESC, f.id DESC LIMIT $4",
        term_id,
        due_on,
        fee_id,
        limit,
    )
    return [_fee(row) for row in rows]


async def change(tx: Transaction, fee_id: FeeId, changes: Mapping[str, Any]) -> None:
    """Change what is given of a locked fee. Raises ``Conflict`` where another has the name already."""
    await tx.execute(_CHANGE, fee_id, changes.get("name"), changes.get("amount_kobo"), changes.get("due_on"))


async def remove(tx: Transaction, fee_id: FeeId) -> None:
    """Remove a fee that nobody paid and nobody was reminded of. Raises ``Conflict`` otherwise."""
    await tx.execute("DELETE FROM fees WHERE id = $1", fee_id)


async def closed(tx: Transaction, term_id: TermId) -> bool | None:
    """Tell whether a term is closed; None where there is no such term."""
    found: bool | None = await tx.fetchval("SELECT closed_at IS NOT NULL FROM terms WHERE id = $1", term_id)
    return found


async def level_exists(tx: Transaction, level_id: object) -> bool:
    """Tell whether the school has a level."""
    return bool(await tx.fetchval("SELECT EXISTS (SELECT FROM levels WHERE id = $1)", level_id))


def _fee(row: Row) -> Fee:
    return Fee(**dict(row))
