"""SQL of idempotency keys."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from core.ids import UserId
from core.ports import Transaction


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """The answer to a request that was answered once."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key as it stands."""

    request_hash: bytes
    answer: StoredAnswer | None
    """None while the request is under way."""


async def insert(
    tx: Transaction, user: UserId, key: str, request_hash: bytes, *, now: datetime, free_at: datetime
) -> bool:
    """Take a key that is new or out of date, and tell whether that worked. Two at once: one of them."""
    return bool(
        await tx.fetchval(
            "INSERT INTO idempotency_keys AS held (user_id, key, request_hash, created_at, expires_at)"
            " VALUES ($1, $2, $3, $4, $5)"
            " ON CONFLICT (user_id, key) DO UPDATE SET request_hash = excluded.request_hash, status = NULL,"
            " headers = NULL, body = NULL, created_at = excluded.created_at, expires_at = excluded.expires_at"
            " WHERE held.expires_at <= excluded.created_at RETURNING true",
            user,
            key,
            request_hash,
            now,
            free_at,
        )
    )


async def read(tx: Transaction, user: UserId, key: str) -> KeyRow | None:
    """Return a key, or None."""
    row = await tx.fetchrow(
        "SELECT request_hash, status, headers, body FROM idempotency_keys WHERE user_id = $1 AND key = $2", user, key
    )
    if row is None:
        return None
    answer = StoredAnswer(row["status"], row["headers"], row["body"]) if row["status"] is not None else None
    return KeyRow(row["request_hash"], answer)


async def store_answer(
    tx: Transaction, user: UserId, key: str, *, taken_at: datetime, answer: StoredAnswer, expires_at: datetime
) -> None:
    """Keep the answer, unless the key was taken over meanwhile."""
    await tx.execute(
        "UPDATE idempotency_keys SET status = $4, headers = $5, body = $6, expires_at = $7"
        " WHERE user_id = $1 AND key = $2 AND created_at = $3",
        user,
        key,
        taken_at,
        answer.status,
        dict(answer.headers),
        answer.body,
        expires_at,
    )


async def delete(tx: Transaction, user: UserId, key: str, taken_at: datetime) -> None:
    """Free a key whose request came to nothing."""
    await tx.execute(
        "DELETE FROM idempotency_keys WHERE user_id = $1 AND key = $2 AND created_at = $3", user, key, taken_at
    )


async def delete_expired(tx: Transaction, now: datetime, *, at_most: int) -> None:
    """Remove some keys that are out of date, passing by those that others hold."""
    await tx.execute(
        "DELETE FROM idempotency_keys WHERE (user_id, key) IN (SELECT user_id, key FROM idempotency_keys"
        " WHERE expires_at <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED)",
        now,
        at_most,
    )
