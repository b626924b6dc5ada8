"""What tests of webhooks share: a receiver that runs, a school, and someone who connects it."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from cluster.settings import Settings, WebhookSettings
from cluster.wiring_keys import installation_key
from core.access.principal import Role
from core.adapters.postgres import PostgresDatabase
from core.notifications.webhooks_signing import WebhookSecrets
from tests.factories.http import make_client, settings_for
from tests.factories.school import MadeSchool, make_school
from tests.factories.webhooks import Desk, Receiver, receiving


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver that runs."""
    async with receiving() as made:
        yield made


@pytest.fixture(scope="module")
def settings(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings under which this machine may be an endpoint."""
    state: Path = tmp_path_factory.mktemp("state")
    return settings_for(database_url, state, webhook=WebhookSettings(allow_loopback=True))


@pytest.fixture(scope="module")
async def client(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application."""
    async with make_client(settings) as made:
        yield made


@pytest.fixture
async def school(db: PostgresDatabase) -> MadeSchool:
    """A school of two students."""
    return await make_school(db, students=2)


@pytest.fixture
def secrets(settings: Settings) -> WebhookSecrets:
    """What the installation's secrets are derived from."""
    key = installation_key(settings)
    assert key is not None
    return WebhookSecrets(key)


@pytest.fixture
def desk(client: httpx.AsyncClient, school: MadeSchool) -> Desk:
    """The school's desk."""
    return Desk(client, school.as_(Role.SCHOOL_ADMIN))
