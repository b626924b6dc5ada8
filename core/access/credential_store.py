"""SQL of refresh tokens and invitations. Only digests are kept: who reads the table can't log in."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from core.access.model import Invitation
from core.ids import UserId
from core.ports import Transaction


def digest(secret: str) -> bytes:
    """Return what is kept of a secret. It has 60 bits or more of chance, so a fast digest is enough."""
    return hashlib.sha256(secret.encode()).digest()


@dataclass(frozen=True, slots=True)
class Rotation:
    """A refresh token that was given back."""

    family_id: UUID
    user_id: UserId


async def insert_refresh(
    tx: Transaction, token: str, *, family: UUID, user: UserId, now: datetime, expires_at: datetime
) -> None:
    """Keep a new refresh token."""
    await tx.execute(
        "INSERT INTO refresh_tokens (token_hash, family_id, user_id, issued_at, expires_at)"
        " VALUES ($1, $2, $3, $4, $5)",
        digest(token),
        family,
        user,
        now,
        expires_at,
    )


async def use_refresh(tx: Transaction, token: str, now: datetime) -> Rotation | None:
    """Use a refresh token up, or return None where it can't be used. Two at once: one of them."""
    row = await tx.fetchrow(
        "UPDATE refresh_tokens SET used_at = $2 WHERE token_hash = $1 AND used_at IS NULL AND revoked_at IS NULL"
        " AND expires_at > $2 RETURNING family_id, user_id",
        digest(token),
        now,
    )
    return Rotation(row["family_id"], row["user_id"]) if row else None


async def revoke_family(tx: Transaction, token: str, now: datetime) -> int:
    """Revoke all tokens that came from one login; any of them names it. Return how many were still good."""
    return await tx.execute(
        "UPDATE refresh_tokens SET revoked_at = $2 WHERE revoked_at IS NULL AND family_id ="
        " (SELECT family_id FROM refresh_tokens WHERE token_hash = $1)",
        digest(token),
        now,
    )


async def revoke_user(tx: Transaction, user: UserId, now: datetime) -> None:
    """Revoke every refresh token of a user, and forget those long out of date."""
    await tx.execute("DELETE FROM refresh_tokens WHERE user_id = $1 AND expires_at <= $2", user, now)
    await tx.execute("UPDATE refresh_tokens SET revoked_at = $2 WHERE user_id = $1 AND revoked_at IS NULL", user, now)


async def delete_expired_refresh(tx: Transaction, user: UserId, now: datetime) -> None:
    """Remove a user's refresh tokens that are out of date."""
    await tx.execute("DELETE FROM refresh_tokens WHERE user_id = $1 AND expires_at <= $2", user, now)


async def replace_invitation(
    tx: Transaction, invitation: Invitation, *, created_by: UserId | None, now: datetime
) -> None:
    """Keep a new invitation; those before it that were not used are void."""
    await tx.execute("DELETE FROM invitations WHERE user_id = $1 AND used_at IS NULL", invitation.user_id)
    await tx.execute(
        "INSERT INTO invitations (code_hash, user_id, created_by, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)",
        digest(invitation.code),
        invitation.user_id,
        created_by,
        now,
        invitation.expires_at,
    )


async def find_invitation(tx: Transaction, code: str, now: datetime) -> UserId | None:
    """Return whom an invitation is for, where it still holds."""
    user: UserId | None = await tx.fetchval(
        "SELECT user_id FROM invitations WHERE code_hash = $1 AND used_at IS NULL AND expires_at > $2",
        digest(code),
        now,
    )
    return user


async def use_invitation(tx: Transaction, code: str, now: datetime) -> bool:
    """Use an invitation up and tell whether it still held. Two at once: one of them."""
    return bool(
        await tx.execute(
            "UPDATE invitations SET used_at = $2 WHERE code_hash = $1 AND used_at IS NULL AND expires_at > $2",
            digest(code),
            now,
        )
    )
