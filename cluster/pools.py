"""What works in the background: every pool of the system, started and drained together."""

import sys

import ray

from actors.pool import start_pool, stop_pool
from actors.pool_spec import BacklogFactory, PoolSpec, WorkerFactory
from actors.relay import no_backlog
from cluster import wiring_reports as reports
from cluster import wiring_timetable as timetables
from cluster import wiring_workers as workers
from cluster.directory import NAMESPACE
from cluster.outcome import finish
from cluster.settings import Settings


def connect(settings: Settings) -> None:
    """Join the cluster that the environment names."""
    figures = settings.state_dir.absolute() / "metrics"
    figures.mkdir(parents=True, exist_ok=True)
    ray.init(
        address="auto",
        namespace=NAMESPACE,
        log_to_driver=False,
        # For our own processes only: Ray's use the same library, and would write their figures among ours.
        runtime_env={"env_vars": {"PROMETHEUS_MULTIPROC_DIR": str(figures)}},
    )


def pools(settings: Settings) -> list[tuple[PoolSpec, WorkerFactory, BacklogFactory]]:
    """Return each pool: its size, its workers, and what waits for them."""
    return [
        (workers.upkeep_pool(settings), workers.upkeep_factory(settings), no_backlog),
        (workers.notifier_pool(settings), workers.notifier_factory(settings), workers.notifier_backlog(settings)),
        (timetables.conductor_pool(settings), timetables.conductor_factory(settings), no_backlog),
        *_printers(settings),
    ]


def _printers(settings: Settings) -> list[tuple[PoolSpec, WorkerFactory, BacklogFactory]]:
    if not reports.can_print(settings):
        return []  # `schoolos up` has said so, and what it takes
    return [(reports.printer_pool(settings), reports.printer_factory(settings), workers.printer_backlog(settings))]


def open_pools(settings: Settings) -> None:
    """Start every pool that does not run; their workers follow without waiting."""
    for spec, factory, backlog in pools(settings):
        start_pool(spec, factory, backlog)


def close_pools(settings: Settings) -> None:
    """Let every worker finish what it has begun, and end it."""
    for spec, _, _ in reversed(pools(settings)):
        stop_pool(spec)


def main() -> None:
    """Drain the pools of the cluster that the environment names."""
    settings = Settings.from_environment()
    connect(settings)
    close_pools(settings)


if __name__ == "__main__":
    sys.exit(finish(main))
