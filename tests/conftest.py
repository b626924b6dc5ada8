"""What every suite shares: a database server of its own, migrated once, cloned for each module."""

import os
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest
from hypothesis import settings

_TRIES = 3

settings.register_profile("schoolos", deadline=None)  # a busy machine is no defect of the example it meets
settings.load_profile("schoolos")

for _name in [name for name in os.environ if name.startswith("SCHOOLOS_")]:
    del os.environ[_name]


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """A PostgreSQL server of this test run alone; its address, as the owner."""
    from cluster.embedded.postgres import EmbeddedPostgres

    # Not below pytest's own folder: another run of the same user closes that one to the server's user.
    with tempfile.TemporaryDirectory(prefix="schoolos-tests-") as folder:
        Path(folder).chmod(0o711)
        server = EmbeddedPostgres(Path(folder) / "postgres", durable=False, near_port=24_432)
        yield server.start()
        server.stop()


@pytest.fixture(scope="session")
async def migrated_template(postgres_server: str) -> str:
    """A database with every migration applied, for cloning. Returns its name."""
    from cluster.migrate import migrate

    name = "schoolos_template"
    connection = await asyncpg.connect(postgres_server)
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()
    await migrate(address_of(postgres_server, name))
    return name


@pytest.fixture(scope="module")
async def database_url(postgres_server: str, migrated_template: str) -> AsyncIterator[str]:
    """An empty migrated database for one module."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    connection = await asyncpg.connect(postgres_server)
    await connection.execute(f"CREATE DATABASE {name} TEMPLATE {migrated_template}")
    yield address_of(postgres_server, name)
    await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await connection.close()


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis server of this test run alone; its address. Tests keep apart by prefixes of their keys."""
    from cluster.embedded.redis import EmbeddedRedis

    server = EmbeddedRedis(tmp_path_factory.mktemp("redis"), durable=False, near_port=24_379)
    yield server.start()
    server.stop()


def address_of(server: str, database: str) -> str:
    """Return the address of another database on the same server."""
    return server.rsplit("/", 1)[0] + f"/{database}"


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[None]:
    """A cluster of this test session alone: own folder, own ports, no dashboard, and this process its driver.

    Started again where it fails, because a raylet on a very busy machine gives up waiting for its own agent.
    """
    import ray

    # Short, and not pytest's: the path of a Unix socket has 107 characters at most.
    folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))
    os.environ |= {"RAY_AUTH_MODE": "disabled", "RAY_TMPDIR": str(folder), "RAY_DEDUP_LOGS": "0"}
    for attempt in range(1, _TRIES + 1):
        try:
            _start(folder)
            break
        except (RuntimeError, ConnectionError, TimeoutError):
            ray.shutdown()
            if attempt == _TRIES:
                raise
    yield
    ray.shutdown()
    shutil.rmtree(folder, ignore_errors=True)


def _start(folder: Path) -> None:
    import ray

    ray.init(
        address="local",
        num_cpus=2,
        resources={"pdf": 2, "solver": 2},
        include_dashboard=False,
        object_store_memory=100 * 1024 * 1024,
        namespace="schoolos",
        log_to_driver=False,
        _temp_dir=str(folder),
    )
