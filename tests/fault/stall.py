"""How long a process that had work to do stood waiting for a core: what a busy machine takes from everything on it.

A process of its own wants a few milliseconds of CPU ten times a second and writes down when it wanted them, when it
woke for them and when it had them. Where it woke late, everything stood still; where it woke but had to share,
everything that ran took longer by the same share. From both follows by how much a recovery that took a while was held
up by the machine and not by the system.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep, thread_time
from typing import NamedTuple

_EVERY_S = 0.1
_WORK_S = 0.008
"""Longer than a scheduler's slice, or every beat would fit into the turn that a waking process is given at once."""


class Stall:
    """The beats of the process, read from its file."""

    def __init__(self, beats: Path) -> None:
        self._beats = beats

    def share(self, since: float, until: float) -> float:
        """Return for which part of a span of the monotonic clock something runnable had to wait, 0 to 1."""
        return 1 - self.own_s(since, until) / (until - since) if until > since else 0.0

    def own_s(self, since: float, until: float) -> float:
        """Return how long a span of the monotonic clock was without what the machine kept back."""
        beats = [beat for beat in self._told() if beat.had_at >= since and beat.due_at <= until]
        stood_s = sum(max(0.0, min(beat.woke_at, until) - max(beat.due_at, since)) for beat in beats)
        took_s = sum(beat.had_at - beat.woke_at for beat in beats)
        return max(0.0, until - since - stood_s) * (len(beats) * _WORK_S / took_s if beats else 1.0)

    def _told(self) -> list["_Beat"]:
        lines = self._beats.read_text().splitlines(keepends=True)
        return [_Beat(*map(float, line.split())) for line in lines if line.endswith("\n")]


class _Beat(NamedTuple):
    due_at: float
    woke_at: float
    had_at: float


@contextmanager
def watched(folder: Path) -> Iterator[Stall]:
    """Let the process beat meanwhile."""
    beats = folder / "beats"
    with beats.open("w") as file:
        process = subprocess.Popen([sys.executable, __file__], stdout=file)
        try:
            while not beats.stat().st_size:
                sleep(0.01)
            yield Stall(beats)
        finally:
            process.kill()
            process.wait()


def beat(due_at: float) -> None:
    """Do one beat's work and write when it was due, when it began and when it ended."""
    woke_at, used = monotonic(), thread_time()
    while thread_time() - used < _WORK_S:
        pass
    sys.stdout.write(f"{due_at:.4f} {woke_at:.4f} {monotonic():.4f}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    while True:
        due_at = monotonic() + _EVERY_S
        sleep(_EVERY_S)
        beat(due_at)
