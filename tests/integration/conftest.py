"""Integration tests: one real service each."""

from collections.abc import AsyncIterator

import pytest

from core.adapters.postgres import PostgresDatabase


@pytest.fixture(scope="module")
async def db(database_url: str) -> AsyncIterator[PostgresDatabase]:
    """The database port over an empty migrated database."""
    database = PostgresDatabase(database_url, application_name="tests")
    yield database
    await database.close()
