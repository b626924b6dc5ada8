"""How long a process that had work to do stood waiting for a core: what a busy machine takes from everything on it.

A process of its own wants a few milliseconds of CPU ten times a second and writes down how long it had to wait for
them. From that follows the share of time for which anything runnable stood still, and so by how much a recovery that
took a while was held up by the machine and not by the system.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep, thread_time

_EVERY_S = 0.1
_WORK_S = 0.008
"""Longer than a scheduler's slice, or every beat would fit into the turn that a waking process is given at once."""


class Stall:
    """The beats of the process, read from its file."""

    def __init__(self, beats: Path) -> None:
        self._beats = beats

    def share(self, since: float, until: float) -> float:
        """Return for which part of a span of the monotonic clock something runnable had to wait, 0 to 1."""
        told = [line.split() for line in self._beats.read_text().splitlines(keepends=True) if line.endswith("\n")]
        spans = [(float(at), float(took)) for at, took in told]
        within = [took for at, took in spans if at + took >= since and at <= until]
        return max(0.0, 1 - len(within) * _WORK_S / sum(within)) if within else 0.0

    def own_s(self, since: float, until: float) -> float:
        """Return how long a span of the monotonic clock was without what the machine kept back."""
        return (until - since) * (1 - self.share(since, until))


@contextmanager
def watched(folder: Path) -> Iterator[Stall]:
    """Let the process beat meanwhile."""
    beats = folder / "beats"
    with beats.open("w") as file:
        process = subprocess.Popen([sys.executable, __file__], stdout=file)
        try:
            yield Stall(beats)
        finally:
            process.kill()
            process.wait()


def beat() -> None:
    """Do one beat's work and write when it began and how long it took."""
    began, used = monotonic(), thread_time()
    while thread_time() - used < _WORK_S:
        pass
    sys.stdout.write(f"{began:.4f} {monotonic() - began:.4f}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    while True:
        beat()
        sleep(_EVERY_S)
