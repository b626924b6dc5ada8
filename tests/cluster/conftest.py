"""One Ray cluster a test session, beside whatever else runs on the machine."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

_TRIES = 3


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
