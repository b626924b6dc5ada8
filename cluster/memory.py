"""Memory by process, as proportional set size: shared pages count in parts, so the sum is what the system takes."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

import psutil

_RAY_TITLES = ("ray::", "ray-dashboard-", "postgres:")


@dataclass(frozen=True, slots=True)
class ProcessMemory:
    """One process of the system."""

    pid: int
    name: str
    pss_bytes: int


def memory_below(guard: int) -> list[ProcessMemory]:
    """Return the memory of a process and of all that descend from it, the largest first."""
    found = []
    for process in family(guard):
        try:
            found.append(ProcessMemory(process.pid, title(process), process.memory_full_info().pss))
        except psutil.Error:
            continue  # it ended, or it is another user's
    return sorted(found, key=lambda each: each.pss_bytes, reverse=True)


def family(guard: int) -> Iterator[psutil.Process]:
    """Yield a process and all that descend from it."""
    try:
        parent = psutil.Process(guard)
        yield parent
        yield from parent.children(recursive=True)
    except psutil.NoSuchProcess:
        return


def title(process: psutil.Process) -> str:
    """Return what a process is, in a few words."""
    command = process.cmdline()
    if not command:
        return process.name()
    if command[0].startswith(_RAY_TITLES):
        return command[0].split(" (")[0].strip()
    name = os.path.basename(command[0])  # noqa: PTH119 - a word of a command line, not a path of ours
    if not name.startswith("python"):
        return name
    if "-m" in command[:3]:
        return command[command.index("-m") + 1]
    if "-c" in command[:4]:
        return "ray " + (found[1] if (found := re.search(r"multiprocessing\.(\w+)", " ".join(command))) else "helper")
    script = next((os.path.basename(part) for part in command[1:2] if part.endswith(".py") or "/" in part), "")  # noqa: PTH119 - a word of a command line, not a path of ours
    return f"{script} {' '.join(command[2:4])}".strip() if script else name
