"""Invitations: how a person gets the first password, or a new one."""

import secrets
from datetime import datetime

from core.access import credential_store, store
from core.access.model import INVITATION_HOLDS, Account, Invitation
from core.access.passwords import Passwords, require_strong
from core.clock import Clock
from core.errors import Fault, InvalidInput
from core.ids import UserId
from core.ports import Database

_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Without I, O, 0 and 1, which are mistaken for one another on paper."""
_GROUPS, _GROUP = 3, 4
"""Twelve of 32 letters: 60 bits."""


def make_code() -> str:
    """Return a new code, like ``K7QX-2MHD-RW9P``."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(_GROUP)) for _ in range(_GROUPS))


def read_code(typed: str) -> str:
    """Return a code as it was made, whatever case and spaces it was typed in."""
    letters = "".join(letter for letter in typed.upper() if letter in _ALPHABET)
    return "-".join(letters[at : at + _GROUP] for at in range(0, len(letters), _GROUP))


def new_invitation(user: UserId, now: datetime) -> Invitation:
    """Return an invitation that holds for seven days."""
    return Invitation(user, make_code(), now + INVITATION_HOLDS)


class Invitations:
    """Issues and redeems invitations. Who may ask is the callers' to check."""

    def __init__(self, db: Database, clock: Clock, passwords: Passwords) -> None:
        self._db = db
        self._clock = clock
        self._passwords = passwords

    async def issue(self, user: UserId, *, by: UserId | None) -> Invitation:
        """Return a new invitation; earlier ones of the user are void."""
        now = self._clock.now()
        invitation = new_invitation(user, now)
        async with self._db.directory() as tx:
            await credential_store.replace_invitation(tx, invitation, created_by=by, now=now)
        return invitation

    async def redeem(self, typed: str, password: str) -> Account:
        """Set the invited person's password.

        Raises ``InvalidInput`` for a code that does not hold and for a weak password.
        """
        code, now = read_code(typed), self._clock.now()
        async with self._db.directory() as tx:
            user = await credential_store.find_invitation(tx, code, now)
            account = await store.read(tx, user) if user else None
        if account is None or not account.active:
            raise _void()
        require_strong(password, account.username)
        async with self._passwords.turn():
            password_hash = await self._passwords.hash(password)
        async with self._db.directory() as tx:
            if not await credential_store.use_invitation(tx, code, now):
                raise _void()
            await store.set_password(tx, account.id, password_hash, now)
            await credential_store.revoke_user(tx, account.id, now)
        return account


def _void() -> InvalidInput:
    what = "check the code, or ask your school for a new one: it holds for seven days and once"
    return InvalidInput("the invitation does not hold", [Fault("/code", what, "unknown")])
