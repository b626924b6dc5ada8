"""What tests of the office share: a client, a school, and who works there."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from core.access.principal import Role
from core.adapters.postgres import PostgresDatabase
from tests.factories.http import make_client, settings_for
from tests.factories.notification_office import Office
from tests.factories.school import MadeSchool, make_school


@pytest.fixture(scope="module")
async def client(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application."""
    state: Path = tmp_path_factory.mktemp("state")
    async with make_client(settings_for(database_url, state)) as made:
        yield made


@pytest.fixture
async def school(db: PostgresDatabase) -> AsyncIterator[MadeSchool]:
    """A school of two students with a guardian each; what it leaves waiting is no other test's to send."""
    yield await make_school(db, students=2)
    async with db.dispatch() as tx:
        await tx.execute(
            "UPDATE deliveries SET state = 'skipped', next_attempt_at = NULL WHERE next_attempt_at IS NOT NULL"
        )


@pytest.fixture
def office(client: httpx.AsyncClient, school: MadeSchool) -> Office:
    """The school's office."""
    return Office(client, school.as_(Role.SCHOOL_ADMIN))
