"""Printers in processes of their own, with what they cost."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import psutil

MIB = 1024 * 1024
_IDLE_CPU_S = 0.1


@dataclass(slots=True)
class Printer:
    """A printer's process, its browser and the browser's driver below it."""

    name: str
    process: psutil.Process
    _seen: dict[psutil.Process, float] = field(default_factory=dict)

    def tree(self) -> list[psutil.Process]:
        """Return the process and all below it."""
        with suppress(psutil.Error):
            return [self.process, *self.process.children(recursive=True)]
        return []

    def cpu_s(self) -> float:
        """Return the processor time so far, also of browsers that ended meanwhile, as far as they were seen."""
        for each in self.tree():
            with suppress(psutil.Error):
                times = each.cpu_times()
                self._seen[each] = times.user + times.system
        return sum(self._seen.values())

    def memory_mb(self) -> tuple[int, int]:
        """Return the proportional memory of the actor itself, and of its browser with the driver."""
        shares = []
        for each in self.tree():
            with suppress(psutil.Error):
                shares.append(each.memory_full_info().pss)
        return shares[0] // MIB, sum(shares[1:]) // MIB

    def browser(self) -> psutil.Process | None:
        """Return the browser's own process."""
        for each in self.tree():
            with suppress(psutil.Error):
                words = each.cmdline()
                if any(word.startswith("--user-data-dir=") for word in words) and "--type=" not in " ".join(words):
                    return each
        return None


@asynccontextmanager
async def printers(count: int, environment: Mapping[str, str]) -> AsyncIterator[list[Printer]]:
    """Run printers, each warm."""
    started = [await _start(f"pdf-{number}", environment) for number in range(count)]
    try:
        found = [Printer(name, psutil.Process(process.pid)) for name, process in started]
        for printer in found:
            await _quiet(printer)
        yield found
    finally:
        for _, process in started:
            if process.stdin:
                process.stdin.close()
        for _, process in started:
            await process.wait()


async def _quiet(printer: Printer) -> None:
    """Return when a printer has started its browser, let it print once, and waits for work."""
    while printer.browser() is None:  # noqa: ASYNC110 - another process, which tells nobody
        await asyncio.sleep(0.2)
    before, now = -1.0, printer.cpu_s()
    while now - before > _IDLE_CPU_S:
        await asyncio.sleep(1.0)
        before, now = now, printer.cpu_s()


async def _start(name: str, environment: Mapping[str, str]) -> tuple[str, asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.benchmarks.reporting.worker",
        name,
        env={**os.environ, **environment},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
    )
    return name, process


@dataclass(slots=True)
class Memory:
    """The memory of printers over a run: what each actor and its browser had when so many cards were done."""

    at: dict[str, list[tuple[int, int]]] = field(default_factory=dict)

    def note(self, done: int, found: list[Printer], marks: tuple[int, ...]) -> None:
        """Look at the memory where another mark is reached."""
        for mark in marks:
            if done >= mark and f"{mark} cards" not in self.at:
                self.look(f"{mark} cards", found)

    def look(self, when: str, found: list[Printer]) -> None:
        """Look at the memory now."""
        self.at[when] = [printer.memory_mb() for printer in found]
