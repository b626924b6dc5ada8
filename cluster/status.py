"""What runs: services, pools, backlog, and memory by process."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from rich.console import Console
from rich.table import Table

from cluster.memory import ProcessMemory, memory_below
from cluster.state import RunRecord, StateFolder
from core.adapters.postgres import PostgresDatabase
from core.clock import SystemClock
from core.errors import SchoolOSError
from core.notifications.backlog import Waiting, waiting
from core.notifications.model import Lane
from core.reports.batch_store import waiting_work

_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Status:
    """The system at one moment."""

    up: bool
    """The start has finished and what it started lives."""
    services: Mapping[str, str]
    """``running`` or ``ended`` for what `up` started; what ``/readyz`` says for what the routes depend on."""
    actors: Mapping[str, str]
    """The state of each named actor."""
    memory: tuple[ProcessMemory, ...]
    waiting: Waiting | None = None
    """None where the database can't be asked."""
    printing: int | None = None
    """Chunks and batches of report cards that wait or are worked on."""

    @property
    def memory_bytes(self) -> int:
        """What all processes take together."""
        return sum(each.pss_bytes for each in self.memory)


def read_status(folder: StateFolder) -> Status:
    """Return what runs from a state folder."""
    record = folder.read_record() if folder.path.exists() else None
    if record is None or not record.guard.alive():
        return Status(up=False, services={}, actors={}, memory=())
    waits, printing = asyncio.run(_waiting(record))
    services = {name: "running" if mark.alive() else "ended" for name, mark in record.processes.items()}
    services |= {f"routes: {name}": state for name, state in _readiness(record).items()}
    return Status(
        up=record.ready_after_s is not None and "ended" not in services.values(),
        services=services,
        actors=_actors(record),
        memory=tuple(memory_below(record.guard.pid)),
        waiting=waits,
        printing=printing,
    )


def as_json(status: Status) -> str:
    """Return the status for programs."""
    return json.dumps({**asdict(status), "memory_bytes": status.memory_bytes}, indent=1)


def show(status: Status, console: Console) -> None:
    """Print the status for people."""
    if not status.memory:
        console.print("SchoolOS is not up.")
        return
    for title, states in (("Service", status.services), ("Actor", status.actors)):
        table = Table(title, "State", box=None, pad_edge=False)
        for name, state in states.items():
            table.add_row(name, state)
        console.print(table)
    if status.waiting:
        console.print(_backlog(status.waiting, status.printing or 0))
    table = Table("Process", "PID", "MB", box=None, pad_edge=False)
    for each in status.memory:
        table.add_row(each.name, str(each.pid), f"{each.pss_bytes / 1e6:,.0f}")
    table.add_row("all", "", f"{status.memory_bytes / 1e6:,.0f}", style="bold")
    console.print(table)


def _backlog(waiting: Waiting, printing: int) -> Table:
    table = Table("Waiting", "Count", box=None, pad_edge=False)
    table.add_row("events", f"{waiting.events:,}")
    for lane in Lane:
        table.add_row(f"deliveries, {lane}", f"{waiting.deliveries.get(lane, 0):,}")
    table.add_row("webhooks", f"{waiting.webhooks:,}")
    table.add_row("chunks of report cards", f"{printing:,}")
    table.add_row("dead letters", f"{waiting.dead:,}")
    return table


async def _waiting(record: RunRecord) -> tuple[Waiting | None, int | None]:
    url = record.environment.get("SCHOOLOS_DATABASE_URL")
    if not url:
        return None, None
    db = PostgresDatabase(url, application_name="schoolos status", pool_max=1, connect_timeout_s=_TIMEOUT_S)
    try:
        return await waiting(db, SystemClock().now()), await waiting_work(db)
    except SchoolOSError:
        return None, None
    finally:
        await db.close()


def _readiness(record: RunRecord) -> Mapping[str, str]:
    host, port = record.environment["SCHOOLOS_HTTP_HOST"], record.environment["SCHOOLOS_HTTP_PORT"]
    told = _get(f"http://{'127.0.0.1' if host in ('0.0.0.0', '::') else host}:{port}/readyz")  # noqa: S104 - compared, not bound
    return told["checks"] if told else {"http": "no answer"}


def _actors(record: RunRecord) -> Mapping[str, str]:
    """Ask the dashboard, which needs no driver: that would cost seconds and 100 MB."""
    port = record.environment["SCHOOLOS_RAY_DASHBOARD_PORT"]
    token = record.ray_environment.get("RAY_AUTH_TOKEN_PATH")
    headers = {}
    if token:
        with open(token) as file:  # noqa: PTH123 - a path as text
            headers["Authorization"] = f"Bearer {file.read().strip()}"
    told = _get(
        f"http://127.0.0.1:{port}/api/v0/actors?detail=false&filter_keys=state&filter_predicates=!%3D&filter_values=DEAD",
        headers,
    )
    rows = told["data"]["result"]["result"] if told else []
    return {row["name"] or row["class_name"]: row["state"].lower() for row in rows}


def _get(url: str, headers: Mapping[str, str] | None = None) -> Any:
    try:
        with urlopen(Request(url, headers=dict(headers or {})), timeout=_TIMEOUT_S) as answer:  # noqa: S310 - http to this machine
            return json.load(answer)
    except HTTPError as error:
        return json.load(error) if error.headers.get_content_type() == "application/json" else None
    except (URLError, OSError, ValueError):
        return None
