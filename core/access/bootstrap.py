"""The first account of an installation."""

from core.access import store
from core.access.model import NewAccount
from core.access.passwords import Passwords, require_strong
from core.access.principal import Role
from core.clock import Clock
from core.ids import UserId, new_id
from core.ports import Database


async def ensure_platform_admin(
    db: Database, clock: Clock, passwords: Passwords, *, username: str, password: str
) -> bool:
    """Add a platform administrator where there is none yet, and tell whether one was added."""
    require_strong(password, username)
    password_hash = await passwords.hash(password)
    async with db.directory() as tx:
        if await store.has_platform_admin(tx):
            return False
        new = NewAccount(
            id=UserId(new_id()),
            school_id=None,
            username=username.casefold(),
            display_name="Platform administrator",
            roles=frozenset({Role.PLATFORM_ADMIN}),
        )
        await store.insert(tx, new, clock.now(), password_hash)
        return True
