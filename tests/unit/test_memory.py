"""What `schoolos status` calls the processes of the system."""

from unittest.mock import create_autospec

import psutil
import pytest

from cluster.memory import title


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["/opt/pg/bin/postgres", "-D", "/state/data", "-c", "max_connections=100"], "postgres"),
        (["postgres: checkpointer "], "postgres: checkpointer"),
        (["/venv/bin/python", ".venv/bin/schoolos", "up"], "schoolos up"),
        (["/venv/bin/python", "-m", "cluster.embedded.mailroom"], "cluster.embedded.mailroom"),
        (["python3", "-c", "from multiprocessing.forkserver import main"], "ray forkserver"),
        (["ray::WorkerActor"], "ray::WorkerActor"),
    ],
)
def test_a_process_is_told_by_what_it_runs(command: list[str], told: str) -> None:
    """A server's own option is no program of Python's: the name is that of what runs."""
    process = create_autospec(psutil.Process, instance=True)
    process.cmdline.return_value = command
    assert title(process) == told
