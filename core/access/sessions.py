"""Logging in, staying in, leaving."""

import secrets
from datetime import timedelta
from uuid import UUID

from core.access import credential_store, store
from core.access.model import Account, Login, TokenPair
from core.access.passwords import Passwords
from core.access.principal import Principal
from core.access.tokens import LocalTokens
from core.clock import Clock
from core.errors import Conflict, NotAuthenticated, NotFound
from core.ids import new_id
from core.ports import Database, Transaction
from core.telemetry import get_logger

log = get_logger("access")

_REFUSED = (
    "school, user name or password is wrong; after 10 wrong passwords an account is locked for 15 minutes,"
    " and a new invitation from the school opens it"
)


class Sessions:
    """Local accounts' sessions. ``tokens`` is None where an identity provider logs people in."""

    def __init__(
        self, db: Database, clock: Clock, passwords: Passwords, tokens: LocalTokens | None, refresh_ttl: timedelta
    ) -> None:
        self._db = db
        self._clock = clock
        self._passwords = passwords
        self._tokens = tokens
        self._refresh_ttl = refresh_ttl

    async def log_in(self, school_code: str | None, username: str, password: str) -> TokenPair:
        """Return tokens. Raises ``NotAuthenticated``, alike for every reason, after the same work."""
        tokens = self._local()
        async with self._passwords.turn():
            async with self._db.directory() as tx:
                login = await store.find_login(tx, school_code, username.casefold())
            if not await self._is_right(login, password) or login is None:
                raise NotAuthenticated(_REFUSED)
        rehashed = await self._rehashed(login, password)
        async with self._db.directory() as tx:
            await store.record_success(tx, login.account.id, rehashed)
            await credential_store.delete_expired_refresh(tx, login.account.id, self._clock.now())
            return await self._pair(tx, tokens, login.account, new_id())

    async def refresh(self, refresh_token: str) -> TokenPair:
        """Return new tokens for a refresh token, once. One that was used before ends the whole session (RFC 9700)."""
        tokens, now = self._local(), self._clock.now()
        async with self._db.directory() as tx:
            rotation = await credential_store.use_refresh(tx, refresh_token, now)
            account = await store.read(tx, rotation.user_id) if rotation else None
            if rotation is not None and account is not None and account.active:
                return await self._pair(tx, tokens, account, rotation.family_id)
            if await credential_store.revoke_family(tx, refresh_token, now):
                log.warning("refresh_token_reused")
        raise NotAuthenticated("the session is over; log in again")

    async def log_out(self, refresh_token: str) -> None:
        """End the session that the refresh token belongs to; one that is unknown is no error."""
        async with self._db.directory() as tx:
            await credential_store.revoke_family(tx, refresh_token, self._clock.now())

    async def me(self, principal: Principal) -> tuple[Account, str | None]:
        """Return the caller's account and the code of its school."""
        async with self._db.directory() as tx:
            account = await store.read(tx, principal.user_id)
            if account is None or account.school_id != principal.school_id:
                raise NotFound("this account is no longer there")
            return account, await store.read_school_code(tx, principal.user_id)

    def _local(self) -> LocalTokens:
        if self._tokens is None:
            raise Conflict("this installation logs people in at its identity provider")
        return self._tokens

    async def _is_right(self, login: Login | None, password: str) -> bool:
        """Tell whether the password opens the account; always checks one, so that the time tells nothing."""
        now = self._clock.now()
        is_right = await self._passwords.matches(login.password_hash if login else None, password)
        if login is not None and login.is_open(now) and is_right:
            return True
        counted = login.account.id if login is not None and login.is_open(now) else None
        async with self._db.directory() as tx:
            await store.record_failure(tx, counted, now)
        return False

    async def _rehashed(self, login: Login, password: str) -> str | None:
        if login.password_hash is None or not self._passwords.is_outdated(login.password_hash):
            return None
        async with self._passwords.turn():
            return await self._passwords.hash(password)

    async def _pair(self, tx: Transaction, tokens: LocalTokens, account: Account, family: UUID) -> TokenPair:
        now = self._clock.now()
        refresh_token, expires_at = secrets.token_urlsafe(32), now + self._refresh_ttl
        await credential_store.insert_refresh(
            tx, refresh_token, family=family, user=account.id, now=now, expires_at=expires_at
        )
        return TokenPair(tokens.issue(account.principal()), refresh_token, expires_at, account)
