"""Requests that may come twice and must act once: the first answer is kept and given again."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from core.access import idempotency_store as store
from core.access.idempotency_store import StoredAnswer
from core.clock import Clock
from core.errors import Conflict
from core.ids import UserId
from core.ports import Database

IN_FLIGHT = timedelta(minutes=2)
"""A request whose process died frees its key after this; every request that is answered at all is done by then."""
KEPT = timedelta(hours=24)
"""How long an answer is given again."""
_SWEEP = 20
"""Expired keys removed with each new one: more than come in, so that the table does not grow."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to answer a key's request."""

    user_id: UserId
    key: str
    taken_at: datetime


class KeyTakenByAnother(Conflict):
    """The key belongs to another request of the same caller."""


class IdempotencyKeys:
    """Keeps the answers of requests by the caller's key."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def claim(self, user_id: UserId, key: str, request_hash: bytes) -> Claim | StoredAnswer:
        """Take the key, or return the answer its request had.

        Raises ``Conflict`` while that request is under way, ``KeyTakenByAnother`` where it was a different one.
        """
        now = self._clock.now()
        async with self._db.directory() as tx:
            await store.delete_expired(tx, now, at_most=_SWEEP)
            if await store.insert(tx, user_id, key, request_hash, now=now, free_at=now + IN_FLIGHT):
                return Claim(user_id, key, now)
            held = await store.read(tx, user_id, key)
        if held is not None and held.request_hash != request_hash:
            raise KeyTakenByAnother("this Idempotency-Key was sent with another request; make a new one")
        if held is None or held.answer is None:
            raise Conflict("a request with this Idempotency-Key is under way; ask again shortly")
        return held.answer

    async def finish(self, claim: Claim, answer: StoredAnswer) -> None:
        """Keep the answer for those who ask again."""
        async with self._db.directory() as tx:
            expires_at = self._clock.now() + KEPT
            await store.store_answer(
                tx, claim.user_id, claim.key, taken_at=claim.taken_at, answer=answer, expires_at=expires_at
            )

    async def release(self, claim: Claim) -> None:
        """Free the key: the request came to nothing and may be tried again."""
        async with self._db.directory() as tx:
            await store.delete(tx, claim.user_id, claim.key, claim.taken_at)
