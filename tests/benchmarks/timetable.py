"""How soon a timetable is found, how good it gets, what it takes: ``python -m tests.benchmarks.timetable``.

Schools of the planted generator (teachers at 88 % of their availability, one kind of room 100 % full), one race each by
``schoolos timetable solve`` in a process of its own, so that its start counts. ``fet-cl`` solves the same file in the
same run where it is installed. ``--json`` prints the figures alone. ``--sizes 20 60 200`` with 10 seeds takes about
a quarter of an hour on two quiet cores: most of it is 10 races of 30 s and 10 repairs of 15 s.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import Any

import psutil

from core.timetable.checker import validate
from core.timetable.children import Children
from core.timetable.formats.generated import read_generated
from core.timetable.formats.native import read_timetable
from core.timetable.lowering import lower
from core.timetable.model import Problem, Timetable
from core.timetable.portfolio import judge_of, lineup
from core.timetable.racing import race
from core.timetable.repairing import repair
from core.timetable.solvers.native import EjectionChain
from core.timetable.solvers.port import Budget, Progress, Stopped
from tests.benchmarks.timetable_formats import public
from tests.factories.timetables import planted

REPAIRED_WITHIN_S = 15.0
TEACHERS = {20: 30, 60: 100, 200: 300}
FIRST_WITHIN_S = {20: 60.0, 60: 90.0, 200: 300.0}
"""A race that has nothing by then has failed; the aims are 10, 30 and 300 s."""


def measure(
    sizes: Sequence[int], seeds: int, seconds: float, folder: Path, data: Path | None
) -> Iterator[dict[str, Any]]:
    """Yield the figures of each group of races."""
    for size in sizes:
        files = [_planted(folder, size, seed) for seed in range(seeds)]
        yield _group(
            f"{size} classes, first",
            [_solve(file, FIRST_WITHIN_S[size], seed, first=True) for seed, file in enumerate(files)],
        )
        if size == 60:
            yield _group(f"{size} classes, {seconds:g} s", [_solve(files[0], seconds, 0)])
        if size == 20:
            yield _group(
                f"{size} classes, {seconds:g} s", [_solve(file, seconds, seed) for seed, file in enumerate(files)]
            )
            yield _repairs(files)
    for file in sorted(data.rglob("*.json")) if data else []:
        yield _group(f"{file.stem}, {seconds:g} s", [_solve(file, seconds, seed) for seed in range(seeds)])
        yield from _peer(file.with_suffix(".fet"), folder)
    for row in public(data, seconds) if data else ():
        yield {"what": f"{row.form}, {row.problem}, {seconds:g} s", **asdict(row)}
    yield _cancelling(folder, 20)


def _planted(folder: Path, classes: int, seed: int) -> Path:
    file = folder / f"planted-{classes}-{seed}.json"
    if not file.exists():
        file.write_text(planted(classes=classes, teachers=TEACHERS.get(classes, classes * 3 // 2), seed=seed))
    return file


def _solve(file: Path, seconds: float, seed: int, *, first: bool = False) -> dict[str, Any]:
    """Solve in a process of its own; add the largest memory of all its processes."""
    arguments = ["solve", str(file), "--seconds", str(seconds), "--seed", str(seed), "--json", *["--first"] * first]
    out = file.with_suffix(".out.json")
    begun = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "cluster.cli", "timetable", *arguments, "--out", str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    memory = _Memory(process.pid)
    output, _ = process.communicate()
    found: dict[str, Any] = json.loads(output.strip().splitlines()[-1])
    return {**found, "command_s": time.monotonic() - begun, "memory_mb": memory.stop(), "load": os.getloadavg()[0]}


class _Memory:
    """The largest sum of proportional set sizes of a process and all below it."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._most = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _watch(self) -> None:
        while not self._over.wait(0.5):
            try:
                processes = [self._process, *self._process.children(recursive=True)]
            except psutil.Error:
                return
            self._most = max(self._most, sum(map(_pss, processes)))

    def stop(self) -> int:
        """Return the megabytes."""
        self._over.set()
        self._thread.join()
        return self._most // 1024**2


def _pss(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except psutil.Error:
        return 0


def _group(name: str, runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    valid = [run for run in runs if run["hard"] == 0]
    figures: dict[str, Any] = {"what": name, "valid": f"{len(valid)} of {len(runs)}"}
    for key in ("first_feasible_s", "command_s", "winner_cpu_s", "soft", "bound", "cpu_s", "memory_mb", "load"):
        values = [run[key] for run in valid if run[key] is not None]
        if values:
            figures[key] = {"median": round(statistics.median(values), 2), "worst": round(max(values), 2)}
    figures["first by"] = sorted({str(run["first_solver"]) for run in valid})
    return figures


def _repairs(files: Sequence[Path]) -> dict[str, Any]:
    """Take from each school two slots in which a full teacher teaches, and change as little as can be."""
    moved, proven, rooms = [], 0, 0
    ends: Counter[str] = Counter()
    for file in [file for file in files if file.with_suffix(".out.json").exists()]:
        problem = read_generated(file.read_bytes())
        previous = read_timetable(file.with_suffix(".out.json").read_bytes(), problem)
        hit = _without_two_slots(problem, previous, Random(file.name))
        if hit is None:
            ends["no such teacher"] += 1
            continue
        repaired = repair(hit, previous, Budget(seconds=REPAIRED_WITHIN_S))
        ends[repaired.status] += 1
        if repaired.timetable is not None:
            assert validate(hit, repaired.timetable, complete=True).valid
            proven += repaired.bound == len(repaired.moved)
            moved.append(len(repaired.moved))
            rooms += len(repaired.rooms_changed)
    what = f"repair in {REPAIRED_WITHIN_S:g} s: two slots of a full teacher"
    figures: dict[str, Any] = {"what": what, "fewest proven": f"{proven} of {len(moved)} found", "ends": dict(ends)}
    if moved:
        figures["moved"] = {"median": statistics.median(moved), "worst": max(moved)}
        figures["rooms changed"] = rooms
    return figures


def _without_two_slots(problem: Problem, previous: Timetable, random: Random) -> Problem | None:
    """Return the problem without two slots of the fullest teacher who can lose them: another timetable shows that."""
    taught: dict[str, set[int]] = {teacher.id: set() for teacher in problem.teachers}
    for placement in previous.placements:
        lesson = problem.lesson[placement.lesson]
        for teacher in lesson.teachers:
            taught[teacher].update(range(placement.slot, placement.slot + lesson.duration))
    spare = {t.id: problem.calendar.slots - len(t.unavailable) - len(taught[t.id]) for t in problem.teachers}
    able = [teacher for teacher in problem.teachers if spare[teacher.id] >= 2 and teacher.unavailable]
    for hit in sorted(able, key=lambda t: (spare[t.id], t.id)):
        lost = random.sample(sorted(taught[hit.id]), 2)
        away = hit.model_copy(update={"unavailable": hit.unavailable | set(lost)})
        others = tuple(away if teacher.id == hit.id else teacher for teacher in problem.teachers)
        changed = problem.model_copy(update={"teachers": others})
        shown = EjectionChain().solve(lower(changed), Budget(seconds=5), report=_unheard, stopped=lambda: False)
        if shown.best is not None:
            return changed
    return None


def _cancelling(folder: Path, races: int) -> dict[str, Any]:
    """Cancel races while they search, and time the stop to the outcome and to the last processor being free."""
    problem = read_generated(_planted(folder, 20, 0).read_bytes())
    program = lower(problem)
    told: list[float] = []
    for number in range(races):
        # From building the model to improving: whatever a race does, it has to let go of.
        stop_at = time.monotonic() + 0.5 + 0.4 * number
        with Children(2) as host:
            outcome = race(
                program,
                lineup(2),
                Budget(seconds=60, seed=number),
                host=host,
                judge=judge_of(problem, program),
                report=_unheard,
                stopped=_after(stop_at),
            )
            told.append((time.monotonic() - stop_at) * 1000)
        assert outcome.cancelled or outcome.best is not None
    told.sort()
    return {
        "what": f"cancelling, {races} races",
        "outcome_ms": {
            "median": round(told[len(told) // 2]),
            "p95": round(told[int(len(told) * 0.95)]),
            "worst": round(told[-1]),
        },
        "load": round(os.getloadavg()[0], 1),
    }


def _after(stop_at: float) -> Stopped:
    return lambda: time.monotonic() > stop_at


def _unheard(_: Progress) -> None:
    pass


def _peer(file: Path, folder: Path) -> Iterator[dict[str, Any]]:
    """Solve with ``fet-cl``."""
    program = shutil.which("fet-cl")
    if program is None or not file.exists():
        return
    before = _children_cpu_s()
    begun = time.monotonic()
    limit = ["--timelimitseconds=120", "--htmllevel=0", "--language=en_US"]
    with tempfile.TemporaryDirectory(dir=folder) as out:
        subprocess.run([program, f"--inputfile={file}", f"--outputdir={out}", *limit], capture_output=True, check=False)
    yield {
        "what": f"{file.stem}, fet-cl",
        "seconds": round(time.monotonic() - begun, 2),
        "cpu_s": round(_children_cpu_s() - before, 2),
    }


def _children_cpu_s() -> float:
    times = os.times()
    return times.children_user + times.children_system


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--sizes", type=int, nargs="*", default=[20])
    parser.add_argument("--data", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for figures in measure(options.sizes, options.seeds, options.seconds, Path(folder), options.data):
            if options.json:
                print(json.dumps(figures), flush=True)
            else:
                what = figures.pop("what")
                print(f"{what:<36}{json.dumps(figures)}", flush=True)


if __name__ == "__main__":
    main()
