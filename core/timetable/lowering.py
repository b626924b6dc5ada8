"""Writes a problem in the solvers' primitives."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from core.errors import Fault, InvalidInput
from core.timetable.cliques import clashing_sets
from core.timetable.model import Lesson, Placement, Problem, Timetable
from core.timetable.program import (
    CLASH,
    LOCKED,
    OVER_END,
    UNAVAILABLE,
    Assignment,
    Block,
    Cut,
    Exclusive,
    Measure,
    Pair,
    Program,
    Relation,
    RoomCut,
    RoomOption,
    Stability,
    Term,
    Travel,
)
from core.timetable.rules.base import Rule
from core.timetable.rules.selecting import People

ALWAYS_TRUE_OF_ONE_BLOCK = frozenset({Relation.SAME_START, Relation.NOT_NEXT, Relation.SAME_DAY})


def lower(problem: Problem) -> Program:
    """Return a problem that ``check_problem`` finds nothing wrong with as the solvers take it."""
    lowering = Lowering(problem)
    lowering.add_what_always_holds()
    for source, rule in enumerate(problem.rules):
        lowering.source = source
        rule.lower(lowering)
    lowering.require_everything()
    return lowering.finish()


class Lowering:
    """A program in the making. Rules call it with the problem's own lessons and ids."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.calendar = problem.calendar
        self.source = 0
        self._block_of = problem.block_of
        self._room_index = {room.id: i for i, room in enumerate(problem.rooms)}
        self._buildings = _numbered(room.building for room in problem.rooms if room.building is not None)
        starts = range(self.calendar.slots)
        self._spans = {
            duration: [span for start in starts if (span := self.calendar.span(start, duration)) is not None]
            for duration in {lesson.duration for lesson in problem.lessons}
        }
        self._cuts: dict[tuple[int, int], set[int]] = defaultdict(set)
        self._start_cost: list[dict[int, int]] = [defaultdict(int) for _ in problem.tied]
        self._room_cuts: dict[tuple[int, str, int], set[str]] = defaultdict(set)
        self._rooms_forbidden: set[tuple[str, int, str]] = set()
        self._room_cost: dict[tuple[str, int, str], int] = defaultdict(int)
        self._exclusives: dict[tuple[int, ...], Exclusive] = {}
        self._tracks: dict[tuple[int, ...], int] = {}
        self._terms: list[Term] = []
        self._pairs: list[Pair] = []
        self._stabilities: list[Stability] = []
        self._travels: list[Travel] = []
        self._closed: list[set[int]] = [set(room.unavailable) for room in problem.rooms]
        self._beyond: Counter[str] = Counter()

    def people(self, chosen: People) -> Iterator[tuple[Lesson, ...]]:
        """Yield the lessons of each chosen teacher and group that has any."""
        return (lessons for who in chosen.of(self.problem) if (lessons := self.problem.lessons_of[who]))

    def block(self, lesson: str) -> int:
        """Return the block that a lesson is in."""
        return self._block_of[lesson]

    def track(self, lessons: Iterable[str]) -> int:
        """Return the track of these lessons, a new one where nobody asked for it yet."""
        blocks = tuple(sorted({self._block_of[lesson] for lesson in lessons}))
        return self._tracks.setdefault(blocks, len(self._tracks))

    def forbid(self, lesson: str, starts: Collection[int], source: int | None = None) -> None:
        """Forbid starts to a lesson."""
        if starts:
            self._cuts[self.source if source is None else source, self._block_of[lesson]].update(starts)

    def add_start_cost(self, lesson: str, start: int, cost: int) -> None:
        """Add a soft cost to a start of a lesson."""
        self._start_cost[self._block_of[lesson]][start] += cost

    def price_starts(self, rule: Rule, lessons: Iterable[Lesson], deviation: Callable[[range], int]) -> None:
        """Forbid, or give its price to, each start from which a lesson's slots deviate."""
        astray: dict[int, dict[int, int]] = {}
        for lesson in lessons:
            if lesson.duration not in astray:
                astray[lesson.duration] = dict(self._deviations(lesson.duration, deviation))
            if rule.hard:
                self.forbid(lesson.id, astray[lesson.duration].keys())
                continue
            cost = self._start_cost[self._block_of[lesson.id]]
            for start, by in astray[lesson.duration].items():
                cost[start] += rule.price(by)

    def _deviations(self, duration: int, deviation: Callable[[range], int]) -> Iterator[tuple[int, int]]:
        return ((span.start, by) for span in self._spans[duration] if (by := deviation(span)))

    def close_room(self, room: str, slots: Collection[int]) -> None:
        """Forbid a room to everyone in these slots."""
        self._closed[self._room_index[room]].update(slots)

    def charge(self, rule: Rule, lessons: Sequence[Lesson], deviation: int) -> None:
        """Charge a deviation that is there wherever lessons are; these are some whom it concerns, if there are any."""
        if deviation and lessons:
            blocks = len({self._block_of[lesson.id] for lesson in lessons})
            every, short = (tuple(range(self.calendar.slots)),), blocks + deviation
            self.bound(rule, lessons, Measure.STARTS, every, low=short, high=short)

    def leave_to_checker(self, kind: str) -> None:
        """Say that a rule of this kind can't be written in the primitives as it is used here."""
        self._beyond[kind] += 1

    def require_everything(self) -> None:
        """Raise ``InvalidInput`` with each kind of rule that could not be written, and how often."""
        if self._beyond:
            faults = [
                Fault(
                    "/rules", f"“{kind}” is used {times} times in a way that the solvers can't follow.", "unsupported"
                )
                for kind, times in sorted(self._beyond.items())
            ]
            raise InvalidInput(" ".join(fault.what for fault in faults), faults)

    def forbid_room(self, lesson: str, need: int, room: str, source: int | None = None) -> None:
        """Forbid a room to a need of a lesson."""
        self._room_cuts[self.source if source is None else source, lesson, need].add(room)
        self._rooms_forbidden.add((lesson, need, room))

    def add_room_cost(self, lesson: str, need: int, room: str, cost: int) -> None:
        """Add a soft cost to a room for a need of a lesson."""
        self._room_cost[lesson, need, room] += cost

    def price_room(self, rule: Rule, lesson: Lesson, need: int, room: str, deviation: int) -> None:
        """Forbid a room to a need, or give it its price, where it deviates."""
        if deviation and rule.hard:
            self.forbid_room(lesson.id, need, room)
        elif deviation:
            self.add_room_cost(lesson.id, need, room, rule.price(deviation))

    def add_exclusive(self, lessons: Iterable[str], subject: tuple[str, str], source: int | None = None) -> None:
        """Forbid these lessons to overlap. Those that are tied to one start can't help it, so they get no start."""
        source = self.source if source is None else source
        count: dict[int, int] = defaultdict(int)
        for lesson in set(lessons):
            count[self._block_of[lesson]] += 1
        for block, together in count.items():
            if together > 1:
                self._cuts[source, block].update(range(self.calendar.slots))
        blocks = tuple(sorted(count))
        if len(blocks) > 1:
            self._exclusives.setdefault(blocks, Exclusive(source, blocks, subject))

    def bound(
        self,
        rule: Rule,
        lessons: Iterable[Lesson],
        measure: Measure,
        windows: tuple[tuple[int, ...], ...],
        *,
        high: int = 0,
        **bound: Any,
    ) -> None:
        """Bound what these lessons do in each window, as hard, dear and steep as the rule is."""
        self.add_term(
            lessons=(lesson.id for lesson in lessons),
            measure=measure,
            windows=windows,
            high=high,
            function=rule.cost,
            hard=rule.hard,
            weight=rule.weight,
            **bound,
        )

    def add_term(self, *, lessons: Iterable[str], hard: bool, weight: int, **bound: Any) -> None:
        """Bound what the track of these lessons does; ``bound`` is the rest of a ``Term``."""
        track = self.track(lessons)
        self._terms.append(Term(source=self.source, track=track, hard=hard, weight=weight, **bound))

    def relate(self, rule: Rule, first: Lesson, second: Lesson, relation: Relation, amount: int = 0) -> None:
        """Bound what two lessons are to each other, as hard, dear and steep as the rule is."""
        self.add_pair(
            first.id, second.id, relation, amount=amount, hard=rule.hard, weight=rule.weight, function=rule.cost
        )

    def add_pair(self, first: str, second: str, relation: Relation, *, hard: bool, weight: int, **bound: Any) -> None:
        """Bound what two lessons are to each other; ``bound`` is the rest of a ``Pair``.

        Between lessons of one block the answer is known: what never deviates is left out, what always does and is hard
        leaves the block no start. What always deviates and is soft stays, for its cost.
        """
        one, other = self._block_of[first], self._block_of[second]
        if one == other and relation in ALWAYS_TRUE_OF_ONE_BLOCK:
            return
        if one == other and hard:
            self._cuts[self.source, one].update(range(self.calendar.slots))
            return
        pair = Pair(source=self.source, first=one, second=other, relation=relation, hard=hard, weight=weight, **bound)
        self._pairs.append(pair)

    def need_of(self, lesson: str, need: int) -> tuple[int, int]:
        """Return (block, index of the need in it) of a lesson's need."""
        block = self._block_of[lesson]
        before = 0
        for i in self.problem.tied[block]:
            other = self.problem.lessons[i]
            if other.id == lesson:
                break
            before += len(other.rooms)
        return block, before + need

    def add_stability(self, stability: Stability) -> None:
        """Bound in how many rooms blocks are."""
        self._stabilities.append(stability)

    def add_travel(
        self,
        lessons: Sequence[str],
        *,
        slots_between: Mapping[tuple[str | None, str | None], int],
        home: str | None,
        **bound: Any,
    ) -> None:
        """Give who is in these lessons the time to walk between buildings; ``bound`` is the rest of a ``Travel``."""
        if home is not None:
            self._buildings.setdefault(home, len(self._buildings))
        index: dict[str | None, int] = dict(self._buildings.items())
        between = {(index[a], index[b]): time for (a, b), time in slots_between.items() if a in index and b in index}
        travel = Travel(
            source=self.source,
            track=self.track(lessons),
            stops=tuple(self._stop(self.problem.lesson[lesson]) for lesson in lessons),
            slots_between=between,
            home=-1 if home is None else index[home],
            **bound,
        )
        self._travels.append(travel)

    def _stop(self, lesson: Lesson) -> tuple[int, int]:
        return self.need_of(lesson.id, 0) if lesson.rooms else (self._block_of[lesson.id], -1)

    def add_what_always_holds(self) -> None:
        """Write the day's end, availability, locks and clashes; where rules price these, what no solver does without.

        The day's end holds for solvers in any case: they place no block over night.
        """
        by_law = self.problem.priced_by == "laws"
        every = frozenset(range(self.calendar.slots))
        over = {duration: every - {span.start for span in spans} for duration, spans in self._spans.items()}
        for lesson in self.problem.lessons:
            self.forbid(lesson.id, over[lesson.duration], OVER_END)
            if by_law:
                self._cut_to_availability(lesson)
            if lesson.locked_slot is not None:
                self.forbid(lesson.id, every - {lesson.locked_slot}, LOCKED)
            for need, room in enumerate(lesson.locked_rooms or ()):
                for choice in lesson.rooms[need].choices:
                    if choice.room != room:
                        self.forbid_room(lesson.id, need, choice.room, LOCKED)
        for who, lessons in self._who_clash() if by_law else ():
            self.add_exclusive(lessons, who, CLASH)

    def _cut_to_availability(self, lesson: Lesson) -> None:
        people = [self.problem.teacher[t] for t in lesson.teachers], [self.problem.group[g] for g in lesson.groups]
        away = frozenset[int]().union(*(one.unavailable for kind in people for one in kind))
        self.forbid(lesson.id, {s - k for s in away for k in range(lesson.duration) if s - k >= 0}, UNAVAILABLE)

    def _who_clash(self) -> Iterator[tuple[tuple[str, str], list[str]]]:
        for teacher in self.problem.teachers:
            who = ("teacher", teacher.id)
            yield who, [lesson.id for lesson in self.problem.lessons_of[who]]
        own: dict[str, list[str]] = defaultdict(list)
        for lesson in self.problem.lessons:
            for group in set(lesson.groups):
                own[group].append(lesson.id)
        for groups in clashing_sets(self.problem):
            name = min(groups, key=lambda group: (self.problem.group[group].within is not None, group))
            yield ("group", name), sorted({lesson for group in groups for lesson in own[group]})

    def finish(self) -> Program:
        """Return the program."""
        forbidden: list[set[int]] = [set() for _ in self.problem.tied]
        for (_, block), starts in self._cuts.items():
            forbidden[block] |= starts
        return Program(
            day_of=self.calendar.day_of,
            blocks=tuple(self._finished_block(b, away) for b, away in enumerate(forbidden)),
            rooms=tuple(frozenset(closed) for closed in self._closed),
            building_of=tuple(self._buildings.get(room.building or "", -1) for room in self.problem.rooms),
            exclusives=tuple(_largest(self._exclusives.values())),
            tracks=tuple(self._tracks),
            terms=tuple(self._terms),
            pairs=tuple(self._pairs),
            stabilities=tuple(self._stabilities),
            travels=tuple(self._travels),
            cuts=tuple(Cut(source, block, frozenset(starts)) for (source, block), starts in self._cuts.items()),
            room_cuts=tuple(self._finished_room_cuts()),
        )

    def _finished_block(self, block: int, forbidden: set[int]) -> Block:
        lessons = [self.problem.lessons[i] for i in self.problem.tied[block]]
        cost = self._start_cost[block]
        return Block(
            lessons=self.problem.tied[block],
            duration=max(lesson.duration for lesson in lessons),
            starts=tuple(s for s in range(self.calendar.slots) if s not in forbidden),
            start_cost={s: cost[s] for s in sorted(cost) if cost[s] and s not in forbidden},
            needs=tuple(options for lesson in lessons for options in self._finished_needs(lesson)),
        )

    def _finished_needs(self, lesson: Lesson) -> Iterator[tuple[RoomOption, ...]]:
        for n, need in enumerate(lesson.rooms):
            options = [
                RoomOption(self._room_index[choice.room], self._room_cost.get((lesson.id, n, choice.room), 0))
                for choice in need.choices
                if (lesson.id, n, choice.room) not in self._rooms_forbidden
            ]
            yield tuple(sorted(options, key=lambda option: (option.cost, option.room)))

    def _finished_room_cuts(self) -> Iterator[RoomCut]:
        for (source, lesson, n), rooms in self._room_cuts.items():
            block, need = self.need_of(lesson, n)
            yield RoomCut(source, block, need, frozenset(self._room_index[room] for room in rooms))


def timetable_of(problem: Problem, program: Program, assignment: Assignment) -> Timetable:
    """Return what a solver found as a timetable of the problem's lessons."""
    placements = []
    for b, block in enumerate(program.blocks):
        rooms = iter(assignment.rooms[b])
        for i in block.lessons:
            lesson = problem.lessons[i]
            taken = [next(rooms) for _ in lesson.rooms]
            if assignment.starts[b] >= 0:
                names = tuple(problem.rooms[r].id if r >= 0 else None for r in taken)
                placements.append(Placement(lesson=lesson.id, slot=assignment.starts[b], rooms=names))
    return Timetable(placements=tuple(placements))


def assignment_of(problem: Problem, program: Program, timetable: Timetable) -> Assignment:
    """Return a timetable as the solvers take it, for a hint or a new start."""
    room_index = {room.id: i for i, room in enumerate(problem.rooms)}
    starts: list[int] = []
    rooms: list[tuple[int, ...]] = []
    for block in program.blocks:
        placed = [timetable.by_lesson.get(problem.lessons[i].id) for i in block.lessons]
        starts.append(placed[0].slot if placed[0] else -1)
        taken: list[int] = []
        for i, placement in zip(block.lessons, placed, strict=True):
            names: Sequence[str | None] = placement.rooms if placement else ()
            padded = [*names, *[None] * (len(problem.lessons[i].rooms) - len(names))]
            taken += [room_index[name] if name is not None else -1 for name in padded]
        rooms.append(tuple(taken))
    return Assignment(tuple(starts), tuple(rooms))


def _largest(exclusives: Iterable[Exclusive]) -> Iterator[Exclusive]:
    """Yield those that lie within no other."""
    kept: dict[int, list[frozenset[int]]] = defaultdict(list)
    for exclusive in sorted(exclusives, key=lambda e: -len(e.blocks)):
        blocks = frozenset(exclusive.blocks)
        if not any(blocks <= other for other in kept[exclusive.blocks[0]]):
            yield exclusive
            for block in exclusive.blocks:
                kept[block].append(blocks)


def _numbered(names: Iterable[str]) -> dict[str, int]:
    return {name: i for i, name in enumerate(sorted(set(names)))}
