"""When blocks start, in CP-SAT: a literal a start of each bundle, and clashes."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from core.timetable.program import Program
from core.timetable.solvers.cpsat_bundles import Bundles
from core.timetable.solvers.cpsat_logic import Literal, Logic

Guards = Callable[[int, str], Literal | None]
"""The literal under which alone a source holds (for whom), in an explanation; None where it holds always."""


def unguarded(source: int, whom: str) -> None:
    """Return that everything holds always."""


class Starts:
    """The start literals of the bundles."""

    def __init__(self, logic: Logic, program: Program, guards: Guards = unguarded) -> None:
        self._logic = logic
        self._program = program
        self._guards = guards
        self.bundles = Bundles(program)
        self.at = [self._choices(blocks) for blocks in self.bundles.members]
        self._covering = [self._covered(bundle) for bundle in range(len(self.bundles))]

    def _choices(self, blocks: tuple[int, ...]) -> dict[int, Literal]:
        starts = self._program.blocks[blocks[0]].starts
        if len(starts) < len(blocks):
            self._logic.never()
        if len(starts) <= len(blocks):
            return dict.fromkeys(starts, self._logic.true)
        literals = {start: self._logic.choice() for start in starts}
        self._logic.exactly(tuple(literals.values()), len(blocks))
        return literals

    def _covered(self, bundle: int) -> dict[int, list[Literal]]:
        covering: dict[int, list[Literal]] = {}
        for start, literal in self.at[bundle].items():
            for slot in range(start, start + self.duration(bundle)):
                covering.setdefault(slot, []).append(literal)
        return covering

    def duration(self, bundle: int) -> int:
        """Return for how long each block of a bundle is on."""
        return self._program.blocks[self.bundles.members[bundle][0]].duration

    def is_fixed(self, block: int) -> bool:
        """Tell whether a block has no choice."""
        return self.is_settled(self.bundles.of[block])

    def is_settled(self, bundle: int) -> bool:
        """Tell whether a bundle has no choice."""
        return len(self.at[bundle]) <= len(self.bundles.members[bundle])

    def on(self, blocks: Sequence[int]) -> dict[int, list[Literal]]:
        """Return by slot the literals with which one of these blocks is on in it."""
        on: dict[int, list[Literal]] = defaultdict(list)
        for bundle in self.bundles.among(blocks):
            for slot, literals in self._covering[bundle].items():
                on[slot] += literals
        return on

    def starting(self, blocks: Sequence[int]) -> Iterable[tuple[int, Literal]]:
        """Yield (start, literal) of all starts of these blocks."""
        for bundle in self.bundles.among(blocks):
            yield from self.at[bundle].items()

    def add_clashes(self) -> None:
        """Forbid what excludes each other to overlap."""
        for exclusive in self._program.exclusives:
            guard = self._guards(exclusive.source, ":".join(exclusive.subject))
            for literals in self.on(exclusive.blocks).values():
                self._logic.at_most_one(literals, guard)
