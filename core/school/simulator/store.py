"""What the simulator asks of a school that is there already."""

from datetime import date

from core.ids import SchoolId
from core.ports import Database, Transaction

COUNTED = ("students", "guardians", "staff", "class_arms", "mark_sheets", "marks", "attendance", "payments")
"""Tables whose rows a demo school reports."""


async def school_of_code(db: Database, code: str) -> SchoolId | None:
    """Return the school of a code, or None."""
    async with db.directory() as tx:
        found = await tx.fetchval("SELECT id FROM schools WHERE code = $1", code)
    return None if found is None else SchoolId(found)


async def row_counts(tx: Transaction) -> dict[str, int]:
    """Return how many rows the school has in each table."""
    columns = ", ".join(f"(SELECT count(*) FROM {table}) AS {table}" for table in COUNTED)
    row = await tx.fetchrow(f"SELECT {columns}")
    return dict(row) if row else {}


async def first_day_of_current_term(tx: Transaction) -> date | None:
    """Return when the last term began that has mark sheets, or None where there are none."""
    day: date | None = await tx.fetchval(
        "SELECT max(t.starts_on) FROM terms t"
        " WHERE EXISTS (SELECT FROM mark_sheets s WHERE (s.school_id, s.term_id) = (t.school_id, t.id))"
    )
    return day


async def set_password(tx: Transaction, usernames: list[str], password_hash: str) -> None:
    """Give accounts a password."""
    await tx.execute(
        "UPDATE users SET password_hash = $2, failed_logins = 0, locked_until = NULL WHERE username = ANY($1)",
        usernames,
        password_hash,
    )
