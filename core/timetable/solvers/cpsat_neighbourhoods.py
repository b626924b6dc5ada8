"""Which blocks to free together, when the rest of a timetable stays as it is.

A neighbourhood is a set of bundles, or all that lies on some days. It is chosen around what costs most, so it starts
from the track of a costly piece and takes in those whom its blocks share somebody with, until it is large enough.
"""

from collections.abc import Sequence
from random import Random

from core.timetable.program import Program
from core.timetable.solvers.cpsat_bundles import Bundles

_SMALLEST = 8.0
"""Bundles in a neighbourhood. The first takes a third of a small timetable at most: nearly all is no neighbourhood."""
Spots = Sequence[tuple[int, Sequence[int]]]
"""(cost, blocks concerned) of each soft piece."""


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
        first = min(60.0, max(_SMALLEST, len(self._bundles) / 3))
        self._size = {"around": first, "anywhere": first}

    def choose(self, spots: Spots) -> tuple[str, frozenset[int]]:
        """Return a kind and the bundles to free."""
        kind = "around" if spots and self._random.random() < 0.8 else "anywhere"
        if kind == "around":
            _, blocks = self._random.choices(spots, weights=[cost for cost, _ in spots])[0]
            start = self._bundles.among(blocks)
        else:
            start = [self._random.randrange(len(self._bundles))]
        return kind, self._grown(start, self._size[kind])

    def learn(self, kind: str, *, was_easy: bool, was_solved: bool) -> None:
        """Take larger neighbourhoods where the last was easy, smaller ones where it could not be searched through."""
        factor = 1.15 if was_easy else 1.0 if was_solved else 0.85
        self._size[kind] = min(max(_SMALLEST, self._size[kind] * factor), float(len(self._bundles)))

    def is_everything(self, freed: frozenset[int]) -> bool:
        """Tell whether all is free."""
        return len(freed) == len(self._bundles)

    def _grown(self, start: Sequence[int], size: float) -> frozenset[int]:
        """Add the whole week of one after the other who shares a lesson with what is in it already."""
        freed = set(start)
        while len(freed) < min(size, len(self._bundles)):
            near = {number for bundle in freed for number in self._sets_of[bundle] if not self._sets[number] <= freed}
            if not near:
                near = {n for n, members in enumerate(self._sets) if not members <= freed}
            freed |= self._sets[self._random.choice(sorted(near))]
        return frozenset(freed)
