"""Compiles the kernels into the cache ahead of a first solve: ``python -m core.timetable.solvers.native.warm``."""

import sys
import time

from core.timetable.program import CLASH, Block, Exclusive, Program
from core.timetable.solvers.kernels import mark_compiled
from core.timetable.solvers.native import Annealing, EjectionChain
from core.timetable.solvers.native.compiled import FOLDER
from core.timetable.solvers.port import Budget


def warm() -> float:
    """Solve a tiny timetable with each solver, which compiles all kernels; return the seconds of CPU it took."""
    began = time.process_time()
    blocks = tuple(Block((i,), 1, (0, 1), {0: 1}, ()) for i in range(2))
    program = Program(
        day_of=(0, 0),
        blocks=blocks,
        rooms=(),
        building_of=(),
        exclusives=(Exclusive(CLASH, (0, 1), ("group", "one")),),
        tracks=(),
        terms=(),
        pairs=(),
        stabilities=(),
        travels=(),
        cuts=(),
    )
    budget = Budget(seconds=600)
    EjectionChain().solve(program, budget, report=lambda _: None, stopped=lambda: False)
    Annealing(moves=100, from_nothing=True).solve(program, budget, report=lambda _: None, stopped=lambda: False)
    mark_compiled()
    return time.process_time() - began


if __name__ == "__main__":
    sys.stdout.write(f"kernels compiled in {warm():.1f} s of CPU, kept in {FOLDER or 'no place'}\n")
