"""Looks the installation over: what is missing, what listens where, what is set."""

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psutil
from pydantic import SecretStr
from rich.console import Console
from rich.table import Table

from cluster import checks
from cluster.memory import family, title
from cluster.settings import Settings, known_variables
from cluster.state import StateFolder

_KNOWN = {
    "gcs_server": "Ray's head; asks for the token",
    "raylet": "Ray's scheduler and object store; asks for the token",
    "haproxy": "HAProxy's figures (read only): Ray binds them to all interfaces",
    "ray::DashboardAgent": "Ray's agent and its figures for Prometheus",
    "ray::RuntimeEnvAgent": "Ray's agent for job environments",
    "dashboard.py": "Ray's dashboard, towards its own modules; its pages are on loopback",
    "ray.util.client.server": "Ray Client; asks for the token",
    "ray::ServeReplica": "a replica: the same routes, asking for the same logins",
    "ray::": "Ray's calls between its processes; asks for the token",
}
"""What listens, by the beginning of the process's title; the first that fits."""


@dataclass(frozen=True, slots=True)
class Listener:
    """A port of ours that other machines can reach."""

    address: str
    port: int
    process: str
    pid: int
    what: str


def examine(settings: Settings, console: Console) -> int:
    """Print everything there is to say, and return 1 where something needs action."""
    folder = StateFolder(settings.state_dir)
    record = folder.read_record() if folder.path.exists() else None
    up = record is not None and record.guard.alive()
    problems = list(checks.tools(settings)) if up else checks.problems(settings)
    if record is not None and not up:
        problems.append("An earlier start was killed: `schoolos down` stops what it left.")
    for problem in problems:
        console.print(f"[red]✗[/] {problem}")
    for warning in checks.warnings(settings):
        console.print(f"[yellow]![/] {warning}")
    _show_listeners(listeners(record.guard.pid) if record and up else [], console, up=up)
    _show_settings(settings, console)
    if not problems:
        console.print("[green]✓[/] Nothing needs action.")
    return 1 if problems else 0


def listeners(guard: int) -> list[Listener]:
    """Return every port below the guard that is not on loopback."""
    return sorted(
        (each for process in family(guard) for each in _open_ports(process)), key=lambda each: (each.port, each.pid)
    )


def _open_ports(process: psutil.Process) -> Iterator[Listener]:
    try:
        for connection in process.net_connections("inet"):
            listening = connection.status == psutil.CONN_LISTEN and connection.laddr
            if listening and not ipaddress.ip_address(connection.laddr.ip).is_loopback:
                name = title(process)
                what = next((told for start, told in _KNOWN.items() if name.startswith(start)), "not known: tell us")
                yield Listener(connection.laddr.ip, connection.laddr.port, name, process.pid, what)
    except psutil.Error:
        return


def _show_listeners(found: list[Listener], console: Console, *, up: bool) -> None:
    if not up:
        console.print("Not up, so nothing listens.")
        return
    table = Table("Listens beyond loopback", "Process", "PID", "What it is", box=None, pad_edge=False)
    for each in found:
        table.add_row(f"{each.address}:{each.port}", each.process, str(each.pid), each.what)
    console.print(table)
    if found:
        console.print("Keep these ports closed to other machines by a firewall; Ray has no setting for them.")


def _show_settings(settings: Settings, console: Console) -> None:
    table = Table("Setting", "Value", box=None, pad_edge=False)
    for variable, path in sorted(known_variables().items()):
        value: Any = settings
        for name in path.split("."):
            value = getattr(value, name)
        table.add_row(variable, "(secret, set)" if isinstance(value, SecretStr) else str(value))
    console.print(table)
