"""Row-level security holds on every tenant table, whatever the SQL says."""

import uuid

import pytest

from core.adapters.postgres import PostgresDatabase
from core.errors import Broken
from core.ids import SchoolId


async def test_every_table_is_forced(db: PostgresDatabase) -> None:
    """Every table of the schema has row-level security, also for its owner."""
    async with db.directory() as tx:
        open_tables = await tx.fetch(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
            " AND NOT (relrowsecurity AND relforcerowsecurity) AND relname <> 'schema_migrations'"
        )
    assert [row["relname"] for row in open_tables] == []


async def test_unset_scope_sees_nothing_and_writes_nothing(db: PostgresDatabase) -> None:
    """A transaction without a school reads no row and may write none."""
    school = SchoolId(uuid.uuid4())
    async with db.tenant(school) as tx:
        await tx.execute("INSERT INTO schools (id, code, name) VALUES ($1, 'kcl', 'Kings College Lagos')", school)
        assert await tx.fetchval("SELECT count(*) FROM schools") == 1
        await tx.fetchval("SELECT set_config('app.school_id', '', true)")
        assert await tx.fetchval("SELECT count(*) FROM schools") == 0
    with pytest.raises(Broken, match="row-level security"):
        async with db.tenant(school) as tx:
            await tx.fetchval("SELECT set_config('app.school_id', '', true)")
            await tx.execute("INSERT INTO levels VALUES ($1, $2, 'JSS 2', 'JSS', 2)", school, uuid.uuid4())


async def test_another_schools_rows_are_not_there(db: PostgresDatabase) -> None:
    """One school's scope neither reads nor writes another's rows."""
    other = SchoolId(uuid.uuid4())
    async with db.tenant(other) as tx:
        assert await tx.fetchval("SELECT count(*) FROM schools WHERE code = 'kcl'") == 0
        assert await tx.execute("UPDATE schools SET name = 'taken' WHERE code = 'kcl'") == 0
