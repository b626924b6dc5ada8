"""The SQL of the accounts of staff, guardians and students."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from core.ids import SchoolId, UserId, new_id
from core.ports import Transaction


class AccountRow(NamedTuple):
    """What an account is made of; ``owner`` is staff, guardian or student."""

    owner: str
    owner_id: UUID
    username: str
    display_name: str
    roles: list[str]


async def taken_usernames(tx: Transaction, usernames: Sequence[str]) -> frozenset[str]:
    """Return which of these usernames the school already has."""
    rows = await tx.fetch("SELECT username FROM users WHERE username = ANY($1)", list(usernames))
    return frozenset(row["username"] for row in rows)


async def insert(tx: Transaction, school_id: SchoolId, accounts: Sequence[AccountRow]) -> Mapping[UUID, UserId]:
    """Insert accounts and return each owner's user id."""
    ids = {account.owner_id: UserId(new_id()) for account in accounts}
    rows: list[dict[str, Any]] = [
        {
            "id": str(ids[account.owner_id]),
            "username": account.username,
            "display_name": account.display_name,
            "roles": account.roles,
            f"{account.owner}_id": str(account.owner_id),
        }
        for account in accounts
    ]
    await tx.execute(
        """
        INSERT INTO users (school_id, id, username, display_name, roles, staff_id, guardian_id, student_id)
        SELECT $1, id, username, display_name, roles, staff_id, guardian_id, student_id
        FROM jsonb_populate_recordset(NULL::users, $2)
        """,
        school_id,
        rows,
    )
    return ids


async def change(
    tx: Transaction,
    owner: str,
    owner_id: UUID,
    *,
    name: str | None = None,
    active: bool | None = None,
    roles: Sequence[str] | None = None,
) -> None:
    """Change what is given of an owner's account, if it has one."""
    await tx.execute(
        f"""
        UPDATE users SET display_name = coalesce($2, display_name), active = coalesce($3, active),
               roles = coalesce($4, roles), version = version + 1, updated_at = now()
        WHERE {owner}_id = $1
        """,
        owner_id,
        name,
        active,
        list(roles) if roles is not None else None,
    )


async def delete(tx: Transaction, owner: str, owner_id: UUID) -> None:
    """Remove an owner's account; ``Conflict`` where messages were sent to it."""
    await tx.execute(f"DELETE FROM users WHERE {owner}_id = $1", owner_id)
