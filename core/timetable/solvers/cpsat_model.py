"""A program as a CP-SAT model: what it is made of, a hint for it, and the assignment that a solution means."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from core.timetable.program import Assignment, Program
from core.timetable.solvers.cpsat_costs import Costs, has_soft_pieces, minimise
from core.timetable.solvers.cpsat_counting import add_counting
from core.timetable.solvers.cpsat_logic import Linear, Literal, Logic, Values
from core.timetable.solvers.cpsat_pairs import Pairs
from core.timetable.solvers.cpsat_rooms import Rooms
from core.timetable.solvers.cpsat_starts import Guards, Starts, unguarded
from core.timetable.solvers.cpsat_tracks import Tracks
from core.timetable.solvers.cpsat_travel import Journeys


class BuildingStopped(Exception):
    """Somebody asked to stop while the model was being written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a model is to hold."""

    soft: bool = True
    """Whether soft pieces are in it; without them any feasible assignment will do."""
    guards: Guards = unguarded


EVERYTHING = Scope()


class Formulation:
    """The CP-SAT model of a program."""

    def __init__(
        self,
        program: Program,
        scope: Scope = EVERYTHING,
        stopped: Callable[[], bool] = lambda: False,
        *,
        logic: Logic | None = None,
    ) -> None:
        self.program = program
        self.scope = scope
        self.logic = logic or Logic()
        self.starts = Starts(self.logic, program, scope.guards)
        self.tracks = Tracks(self.logic, program, self.starts)
        self.rooms = Rooms(self.logic, program, self.starts, scope.guards)
        self.costs = Costs(self.logic)
        for _ in self._pieces():
            if stopped():
                raise BuildingStopped
        self.objective = Linear(0)
        if scope.soft and has_soft_pieces(program):
            self.objective = minimise(self.logic, self.costs)

    def _pieces(self) -> Iterator[None]:
        self.starts.add_clashes()
        yield
        yield from self._pairs()
        yield from self._terms()
        if self.scope.guards is unguarded:
            add_counting(self.logic, self.program, self.starts, self.tracks)
        yield from self._stabilities()
        yield from self._travels()
        if self.scope.soft:
            yield from self._choices_that_cost()

    def _pairs(self) -> Iterator[None]:
        pairs = Pairs(self.logic, self.program, self.starts, self.scope.guards)
        for bound in self.starts.bundles.pairs():
            if bound.pair.hard:
                pairs.forbid(bound)
            elif self.scope.soft:
                self.costs.put(pairs.cost(bound), (bound.pair.first, bound.pair.second))
            yield

    def _terms(self) -> Iterator[None]:
        for term in self.program.terms:
            if term.hard or self.scope.soft:
                self.costs.add_term(term, self.tracks, self.scope.guards(term.source, "") if term.hard else None)
            yield

    def _stabilities(self) -> Iterator[None]:
        for stability in self.program.stabilities:
            if stability.hard or self.scope.soft:
                guard = self.scope.guards(stability.source, "") if stability.hard else None
                self.costs.add_stability(stability, self.rooms.used(stability), guard)
            yield

    def _travels(self) -> Iterator[None]:
        journeys = Journeys(self.logic, self.program, self.starts, self.rooms, self.tracks)
        for travel in self.program.travels:
            if travel.hard:
                journeys.forbid(travel, self.scope.guards)
            elif self.scope.soft:
                self.costs.put(journeys.cost(travel), self.program.tracks[travel.track])
            yield

    def _choices_that_cost(self) -> Iterator[None]:
        for blocks, starts in zip(self.starts.bundles.members, self.starts.at, strict=True):
            for start, price in self.program.blocks[blocks[0]].start_cost.items():
                self.costs.put(self.logic.total([starts[start]], price), blocks)
            yield
        for need, cost in self.rooms.costs:
            self.costs.put(cost, self.starts.bundles.members[need[0]])

    def choices(self) -> Iterator[Literal]:
        """Yield the literals of the starts that are open."""
        for bundle, at in enumerate(self.starts.at):
            if not self.starts.is_settled(bundle):
                yield from at.values()

    def hint(self, assignment: Assignment) -> None:
        """Tell the solver where to look first: all of a solution, or what there is of one."""
        chosen = dict(self._chosen(assignment))
        self.logic.hint(dict(enumerate(self.logic.complete(chosen))) if self.is_whole(assignment) else chosen)

    def complete(self, assignment: Assignment) -> Values:
        """Return the value of every variable in a feasible assignment."""
        return self.logic.complete(dict(self._chosen(assignment)))

    def is_whole(self, assignment: Assignment) -> bool:
        """Tell whether every block has one of its starts, and no two alike have the same."""
        at = ({assignment.starts[block] for block in blocks} for blocks in self.starts.bundles.members)
        return all(
            starts <= literals.keys() and len(starts) == len(blocks)
            for starts, literals, blocks in zip(at, self.starts.at, self.starts.bundles.members, strict=True)
        )

    def _chosen(self, assignment: Assignment) -> Iterator[tuple[int, int]]:
        for bundle, blocks in enumerate(self.starts.bundles.members):
            placed = {assignment.starts[block]: block for block in blocks}
            at = self.starts.at[bundle]
            if placed.keys() <= at.keys() and len(at) > len(blocks):
                yield from ((literal.index, int(start in placed)) for start, literal in at.items())
            for start, block in placed.items():
                if start in at:
                    for n, room in enumerate(assignment.rooms[block]):
                        yield from self.rooms.chosen((bundle, n), start, room)

    def reckon(self, assignment: Assignment) -> int:
        """Return the soft cost of a feasible assignment. What CP-SAT says of one may be more than it costs."""
        return self.objective.of(self.complete(assignment))

    def assignment(self, values: Values) -> Assignment:
        """Return the assignment that a solution of the model means."""
        starts = [-1] * len(self.program.blocks)
        for blocks, at in zip(self.starts.bundles.members, self.starts.at, strict=True):
            taken = [start for start, literal in at.items() if values[literal.index]]
            for block, start in zip(blocks, taken, strict=True):
                starts[block] = start
        return Assignment(tuple(starts), tuple(tuple(rooms) for rooms in self.rooms.given(starts, values)))
