"""Forward-only migrations: numbered SQL files, each applied once in a transaction of its own, under one lock."""

import hashlib
from dataclasses import dataclass
from importlib.resources import files

import asyncpg

from core.errors import Broken

_LOCK = 0x5C4001  # any number of our own; two migrators wait for each other on it
_TABLE = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    name        text PRIMARY KEY,
    sha256      text NOT NULL,
    applied_at  timestamptz NOT NULL DEFAULT now()
)"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One SQL file."""

    name: str
    sql: str

    @property
    def sha256(self) -> str:
        """The digest by which a changed file is noticed."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations() -> list[Migration]:
    """Return every migration in order."""
    found = [entry for entry in files("cluster.migrations").iterdir() if entry.name.endswith(".sql")]
    return [Migration(entry.name, entry.read_text(encoding="utf-8")) for entry in sorted(found, key=lambda e: e.name)]


async def migrate(owner_url: str, *, dry_run: bool = False) -> list[str]:
    """Apply what is not yet applied and return its names.

    Raises ``Broken`` when an applied file was changed afterwards: write a new one instead.
    """
    connection = await asyncpg.connect(owner_url, server_settings={"application_name": "schoolos migrate"})
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
        await connection.execute(_TABLE)
        applied = {
            row["name"]: row["sha256"] for row in await connection.fetch("SELECT name, sha256 FROM schema_migrations")
        }
        pending = []
        for migration in migrations():
            if migration.name not in applied:
                pending.append(migration)
            elif applied[migration.name] != migration.sha256:
                raise Broken(f"{migration.name} was changed after it was applied; put the change in a new file")
        for migration in [] if dry_run else pending:
            async with connection.transaction():
                await connection.execute(migration.sql)
                await connection.execute(
                    "INSERT INTO schema_migrations (name, sha256) VALUES ($1, $2)",
                    migration.name,
                    migration.sha256,
                )
        return [migration.name for migration in pending]
    finally:
        await connection.close()
