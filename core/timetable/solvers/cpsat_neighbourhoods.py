"""Which blocks to free together, when the rest of a timetable stays as it is.

A neighbourhood is a set of bundles, with the whole week free or two days of it. It is chosen around what costs most, so
it starts from the track of a costly piece and takes in those whom its blocks share somebody with, until it is large
enough.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from core.timetable.program import Program
from core.timetable.solvers.cpsat_bundles import Bundles

_SMALLEST = 8.0
"""Bundles in a neighbourhood. The first takes a third of a small timetable at most: nearly all is no neighbourhood."""
_AROUND = 0.8
_DAYS_WORTH_CHOOSING = 3
Spots = Sequence[tuple[int, Sequence[int]]]
"""(cost, blocks concerned) of each soft piece."""
_TWO_DAYS = 0.4
"""How often two days alone are free, of many more bundles."""


@dataclass(frozen=True, slots=True)
class Freed:
    """What is free."""

    bundles: frozenset[int]
    days: frozenset[int] | None = None
    """On which days alone; None: on all."""


class Neighbourhoods:
    """Chooses what to free. Each kind's size follows how easily its last one was solved."""

    def __init__(self, program: Program, bundles: Bundles, random: Random) -> None:
        self._random = random
        self._bundles = bundles
        sets = [frozenset(bundles.among(exclusive.blocks)) for exclusive in program.exclusives]
        alone = set(range(len(bundles))).difference(*sets)
        self._sets = [*sets, *(frozenset({bundle}) for bundle in alone)]
        self._sets_of: dict[int, list[int]] = {}
        for number, members in enumerate(self._sets):
            for bundle in members:
                self._sets_of.setdefault(bundle, []).append(number)
        self._days = sorted(set(program.day_of))
        first = min(60.0, max(_SMALLEST, len(self._bundles) / 3))
        self._size = {"around": first, "anywhere": first, "two days": 2 * first}

    def choose(self, spots: Spots) -> tuple[str, Freed]:
        """Return a kind and what to free."""
        if spots and self._random.random() < _AROUND:
            kind = "around"
            _, blocks = self._random.choices(spots, weights=[cost for cost, _ in spots])[0]
            start = self._bundles.among(blocks)
        else:
            kind, start = "anywhere", [self._random.randrange(len(self._bundles))]
        if len(self._days) < _DAYS_WORTH_CHOOSING or self._random.random() > _TWO_DAYS:
            return kind, Freed(self._grown(start, self._size[kind]))
        days = frozenset(self._random.sample(self._days, 2))
        return "two days", Freed(self._grown(start, self._size["two days"]), days)

    def learn(self, kind: str, *, was_easy: bool, was_solved: bool) -> None:
        """Take larger neighbourhoods where the last was easy, smaller ones where it could not be searched through."""
        factor = 1.15 if was_easy else 1.0 if was_solved else 0.85
        self._size[kind] = min(max(_SMALLEST, self._size[kind] * factor), float(len(self._bundles)))

    def is_everything(self, freed: Freed) -> bool:
        """Tell whether all is free."""
        return len(freed.bundles) == len(self._bundles) and freed.days is None

    def _grown(self, start: Sequence[int], size: float) -> frozenset[int]:
        """Add the whole week of one after the other who shares a lesson with what is in it already."""
        freed = set(start)
        while len(freed) < min(size, len(self._bundles)):
            near = {number for bundle in freed for number in self._sets_of[bundle] if not self._sets[number] <= freed}
            if not near:
                near = {n for n, members in enumerate(self._sets) if not members <= freed}
            freed |= self._sets[self._random.choice(sorted(near))]
        return frozenset(freed)
