"""What works in the background: every pool of the system, started and drained together."""

import sys
from dataclasses import replace

import ray

from actors.pool import start_pools, stop_pools
from actors.pool_spec import Pool
from cluster import wiring_backlogs as backlogs
from cluster import wiring_reports as reports
from cluster import wiring_timetable as timetables
from cluster import wiring_upkeep as upkeep
from cluster import wiring_workers as workers
from cluster.directory import NAMESPACE
from cluster.lean import keep_serve_lean
from cluster.outcome import finish
from cluster.settings import Settings

_SUPERVISOR = "supervisor"


def connect(settings: Settings) -> None:
    """Join the cluster that the environment names."""
    figures = settings.state_dir.absolute() / "metrics"
    figures.mkdir(parents=True, exist_ok=True)
    ray.init(
        address="auto",
        namespace=NAMESPACE,
        log_to_driver=False,
        runtime_env={
            # For our own processes only: Ray's use the same library, and would write their figures among ours.
            "env_vars": {"PROMETHEUS_MULTIPROC_DIR": str(figures)},
            "worker_process_setup_hook": f"{keep_serve_lean.__module__}.{keep_serve_lean.__name__}",
        },
    )


def pools(settings: Settings) -> list[Pool]:
    """Return each pool. One supervisor watches all: its process is nearly all imports, and idle most of the time."""
    own = [
        Pool(upkeep.upkeep_pool(settings), upkeep.upkeep_factory(settings)),
        Pool(workers.notifier_pool(settings), workers.notifier_factory(settings), backlogs.notifier_backlog(settings)),
        Pool(timetables.conductor_pool(settings), timetables.conductor_factory(settings)),
    ]
    if reports.can_print(settings):  # where not, `schoolos up` has said so, and what it takes
        printers = backlogs.printer_backlog(settings)
        own.append(Pool(reports.printer_pool(settings), reports.printer_factory(settings), printers))
    return [replace(pool, spec=replace(pool.spec, supervisor=_SUPERVISOR)) for pool in own]


def open_pools(settings: Settings) -> None:
    """Start every pool that does not run; their workers follow without waiting."""
    start_pools(pools(settings))


def close_pools(settings: Settings) -> None:
    """Let every worker finish what it has begun, and end it."""
    stop_pools([pool.spec for pool in pools(settings)])


def main() -> None:
    """Drain the pools of the cluster that the environment names."""
    settings = Settings.from_environment()
    connect(settings)
    close_pools(settings)


if __name__ == "__main__":
    sys.exit(finish(main))
