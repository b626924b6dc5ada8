"""The use cases of access, over the same ports."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from core.access.idempotency import IdempotencyKeys
from core.access.invitations import Invitations
from core.access.passwords import Passwords
from core.access.service import Accounts
from core.access.sessions import Sessions
from core.access.tokens import LocalTokens
from core.clock import Clock
from core.ports import Database


@dataclass(frozen=True, slots=True)
class AccessUseCases:
    """Everything about who may come in."""

    sessions: Sessions
    invitations: Invitations
    accounts: Accounts
    idempotency: IdempotencyKeys
    public_keys: list[dict[str, Any]]
    """Keys that sign our own tokens; none where an identity provider signs."""

    @classmethod
    @contextmanager
    def over(
        cls, db: Database, clock: Clock, *, tokens: LocalTokens | None, refresh_ttl: timedelta
    ) -> Iterator["AccessUseCases"]:
        """Build all of them; leaving the block ends the threads that check passwords."""
        passwords = Passwords()
        invitations = Invitations(db, clock, passwords)
        try:
            yield cls(
                sessions=Sessions(db, clock, passwords, tokens, refresh_ttl),
                invitations=invitations,
                accounts=Accounts(db, clock, invitations),
                idempotency=IdempotencyKeys(db, clock),
                public_keys=tokens.jwks()["keys"] if tokens else [],
            )
        finally:
            passwords.close()
