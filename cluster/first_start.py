"""Prepares the database: migrations, the system's own login, the platform's first administrator."""

import secrets
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg

from cluster.demo_command import FIRST_CODE, demo_password
from cluster.migrate import migrate
from cluster.settings import Settings
from cluster.wiring import open_database
from core.access.bootstrap import ensure_platform_admin
from core.access.passwords import Passwords
from core.clock import SystemClock
from core.errors import InvalidInput
from core.school.simulator.service import DemoSchool, DemoSchools

ADMIN = "admin"
_LOGIN = "schoolos_system"
_ROLES = "schoolos_app, schoolos_dispatch, schoolos_directory"


async def prepare(settings: Settings, *, login_password: str | None) -> dict[str, object]:
    """Migrate, and return what was done: ``migrations``, ``admin_password`` where one was made, ``database_url``.

    With a ``login_password`` the system gets a login of its own that owns nothing; the embedded server has no other.
    """
    owner_url = settings.database.owner_url or settings.database.url
    if owner_url is None:
        raise InvalidInput("SCHOOLOS_DATABASE_URL is not set and no embedded database runs; start with `schoolos up`")
    applied = await migrate(owner_url.get_secret_value())
    url = owner_url.get_secret_value()
    if login_password is not None:
        url = await _ensure_login(url, login_password)
    return {"migrations": applied, "admin_password": await _ensure_admin(settings), "database_url": url}


async def make_demo_school(settings: Settings) -> DemoSchool | None:
    """Return the demo school, made where the database has no school at all; None where it has only others."""
    async with open_database(settings, application_name="schoolos first start") as db:
        async with db.directory() as tx:
            if await tx.fetchval("SELECT count(*) FROM schools WHERE code <> $1", FIRST_CODE):
                return None
        passwords = Passwords()
        maker = DemoSchools(db, SystemClock(), passwords.hash)
        try:
            return await maker.create(
                world="steady", seed=1, code=FIRST_CODE, students=600, password=demo_password(settings)
            )
        finally:
            passwords.close()


async def _ensure_admin(settings: Settings) -> str | None:
    password = secrets.token_urlsafe(12)
    async with open_database(settings, application_name="schoolos first start") as db:
        added = await ensure_platform_admin(db, SystemClock(), Passwords(), username=ADMIN, password=password)
    return password if added else None


async def _ensure_login(owner_url: str, password: str) -> str:
    """Make the login where there is none, give it this password, and return its address."""
    connection = await asyncpg.connect(owner_url)
    try:
        if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", _LOGIN):
            await connection.execute(f"CREATE ROLE {_LOGIN} LOGIN NOINHERIT")
        quoted = await connection.fetchval("SELECT quote_literal($1::text)", password)
        await connection.execute(f"ALTER ROLE {_LOGIN} PASSWORD {quoted}; GRANT {_ROLES} TO {_LOGIN}")
    finally:
        await connection.close()
    url = urlsplit(owner_url)
    return urlunsplit(url._replace(netloc=f"{_LOGIN}:{quote(password, safe='')}@{url.hostname}:{url.port}"))
