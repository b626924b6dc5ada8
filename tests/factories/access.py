"""Accounts that can log in, for tests."""

from core.access import store
from core.access.model import NewAccount
from core.access.passwords import Passwords
from core.access.principal import Role
from core.clock import SystemClock
from core.ids import SchoolId, UserId, new_id
from core.ports import Database

PASSWORD = "correct horse battery"


async def make_school_row(db: Database, code: str) -> SchoolId:
    """Add a school and nothing else."""
    school = SchoolId(new_id())
    async with db.tenant(school) as tx:
        await tx.execute("INSERT INTO schools (id, code, name) VALUES ($1, $2, $2)", school, code)
    return school


async def make_login(db: Database, school: SchoolId | None, username: str, *roles: Role) -> UserId:
    """Add an account whose password is ``PASSWORD``."""
    passwords = Passwords()
    new = NewAccount(
        id=UserId(new_id()), school_id=school, username=username, display_name=username, roles=frozenset(roles)
    )
    async with db.directory() as tx:
        await store.insert(tx, new, SystemClock().now(), await passwords.hash(PASSWORD))
    passwords.close()
    return new.id
