"""A process of ours, told apart from a stranger that was given its number later."""

import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from core.errors import Unavailable


@dataclass(frozen=True, slots=True)
class ProcessMark:
    """A process by number and moment of birth; the kernel gives the number to another one day, never the pair."""

    pid: int
    born_at: float
    """In seconds since the machine started: a clock that is set right later, as after every start of a machine whose
    battery is empty, moves none of them."""

    @classmethod
    def of(cls, pid: int) -> "ProcessMark":
        """Mark a living process. Raises ``Unavailable`` when it has ended."""
        try:
            return cls(pid, _born_at(pid))
        except psutil.NoSuchProcess as error:
            raise Unavailable(f"process {pid} ended as soon as it began") from error

    @classmethod
    def read(cls, file: Path) -> "ProcessMark | None":
        """Read a mark from its file, or None where there is none that makes sense."""
        try:
            pid, born_at = file.read_text().split()
            return cls(int(pid), float(born_at))
        except (OSError, ValueError):
            return None

    def write(self, file: Path) -> None:
        """Keep the mark in a file, whole or not at all."""
        draft = file.with_name(f".{file.name}.{os.getpid()}")
        draft.write_text(f"{self.pid} {self.born_at!r}\n")
        draft.replace(file)

    def alive(self) -> bool:
        """Tell whether this very process runs; one that only waits to be reaped does not."""
        try:
            process = psutil.Process(self.pid)
            # The time of day is what earlier versions wrote.
            is_it = self.born_at in (_born_at(self.pid), process.create_time())
            return is_it and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    def send(self, signum: signal.Signals) -> None:
        """Send a signal, if it still is this process."""
        if self.alive():
            os.kill(self.pid, signum)


def _born_at(pid: int) -> float:
    try:
        told = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError as error:
        raise psutil.NoSuchProcess(pid) from error
    # The 22nd field; the second is the program's name in brackets, and may hold anything.
    return int(told.rpartition(b")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")


def end(marks: Sequence[ProcessMark], *, within_s: float, hard: bool = True) -> list[ProcessMark]:
    """Ask processes to end, kill those that have not after ``within_s``, and return those that live on."""
    for mark in marks:
        mark.send(signal.SIGTERM)
    if left := _await_end(marks, within_s):
        for mark in left if hard else ():
            mark.send(signal.SIGKILL)
        left = _await_end(left, 5.0) if hard else left
    return left


def _await_end(marks: Sequence[ProcessMark], within_s: float) -> list[ProcessMark]:
    deadline = time.monotonic() + within_s
    left = [mark for mark in marks if mark.alive()]
    while left and time.monotonic() < deadline:
        time.sleep(0.02)
        left = [mark for mark in left if mark.alive()]
    return left
