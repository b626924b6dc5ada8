"""Writes a problem in the solvers' primitives."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from core.timetable.model import Lesson, Problem, Timetable
from core.timetable.program import (
    CLASH,
    LOCKED,
    OVER_END,
    UNAVAILABLE,
    Assignment,
    Block,
    Cut,
    Exclusive,
    Pair,
    Program,
    Relation,
    RoomOption,
    Stability,
    Term,
    Travel,
)
from core.timetable.model import Placement


def lower(problem: Problem) -> Program:
    """Return the problem as the solvers take it."""
    lowering = Lowering(problem)
    lowering.add_what_always_holds()
    for source, rule in enumerate(problem.rules):
        lowering.source = source
        rule.lower(lowering)
    return lowering.finish()


class Lowering:
    """A program in the making. Rules call it with the problem's own ids."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.calendar = problem.calendar
        self.source = 0
        self._lessons_of_block = list(_tied(problem))
        self._block_of = {
            problem.lessons[i].id: block for block, tied in enumerate(self._lessons_of_block) for i in tied
        }
        self._room_index = {room.id: i for i, room in enumerate(problem.rooms)}
        self._buildings = _numbered(room.building for room in problem.rooms if room.building is not None)
        self._cuts: list[Cut] = []
        self._start_cost: list[dict[int, int]] = [defaultdict(int) for _ in self._lessons_of_block]
        self._room_cost: dict[tuple[str, int, str], int] = defaultdict(int)
        self._room_cut: set[tuple[str, int, str]] = set()
        self._exclusives: list[Exclusive] = []
        self._tracks: dict[tuple[int, ...], int] = {}
        self._terms: list[Term] = []
        self._pairs: list[Pair] = []
        self._stabilities: list[Stability] = []
        self._travels: list[Travel] = []

    def lessons_of(self, kind: str, id: str) -> list[Lesson]:
        """Return the lessons of a teacher, or those that students of a group attend."""
        if kind == "teacher":
            return [lesson for lesson in self.problem.lessons if id in lesson.teachers]
        attended = attended_groups(self.problem, id)
        return [lesson for lesson in self.problem.lessons if not attended.isdisjoint(lesson.groups)]

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
            source = self.source if source is None else source
            self._cuts.append(Cut(source, self._block_of[lesson], frozenset(starts)))

    def add_start_cost(self, lesson: str, start: int, cost: int) -> None:
        """Add a soft cost to a start of a lesson."""
        self._start_cost[self._block_of[lesson]][start] += cost

    def forbid_room(self, lesson: str, need: int, room: str) -> None:
        """Forbid a room to a need of a lesson."""
        self._room_cut.add((lesson, need, room))

    def add_room_cost(self, lesson: str, need: int, room: str, cost: int) -> None:
        """Add a soft cost to a room for a need of a lesson."""
        self._room_cost[lesson, need, room] += cost

    def add_exclusive(self, lessons: Iterable[str], subject: tuple[str, str], source: int | None = None) -> None:
        """Forbid these lessons to overlap."""
        blocks = tuple(sorted({self._block_of[lesson] for lesson in lessons}))
        if len(blocks) > 1:
            self._exclusives.append(Exclusive(self.source if source is None else source, blocks, subject))

    def add_term(self, *, lessons: Iterable[str], hard: bool, weight: int, **bound: Any) -> None:
        """Bound what the track of these lessons does; ``bound`` is the rest of a ``Term``."""
        track = self.track(lessons)
        self._terms.append(Term(source=self.source, track=track, hard=hard, weight=weight, **bound))

    def add_pair(
        self, first: str, second: str, relation: Relation, *, amount: int = 0, hard: bool, weight: int
    ) -> None:
        """Bound what two lessons are to each other; nothing to do where they are tied to one start."""
        pair = (self._block_of[first], self._block_of[second])
        if pair[0] != pair[1] or relation is not Relation.SAME_START:
            self._pairs.append(
                Pair(
                    source=self.source,
                    first=pair[0],
                    second=pair[1],
                    relation=relation,
                    amount=amount,
                    hard=hard,
                    weight=weight,
                )
            )

    def need_of(self, lesson: str, need: int) -> tuple[int, int]:
        """Return (block, index of the need in it) of a lesson's need."""
        block = self._block_of[lesson]
        before = 0
        for i in self._lessons_of_block[block]:
            other = self.problem.lessons[i]
            if other.id == lesson:
                break
            before += len(other.rooms)
        return block, before + need

    def add_stability(self, stability: Stability) -> None:
        """Bound in how many rooms blocks are."""
        self._stabilities.append(stability)

    def add_travel(self, lessons: Iterable[str], *, slots_between: Mapping[tuple[str, str], int], home: str | None) -> None:
        """Give who is in these lessons the time to walk between buildings; the rule that calls gives hard and weight."""
        raise NotImplementedError

    def add_what_always_holds(self) -> None:
        """Write the day's end, availability, locks and clashes."""
        for lesson in self.problem.lessons:
            self._cut_to_days(lesson)
            self._cut_to_availability(lesson)
            if lesson.locked_slot is not None:
                every = set(range(self.calendar.slots))
                self.forbid(lesson.id, every - {lesson.locked_slot}, LOCKED)
        for kind, id, lessons in self._who_clash():
            self.add_exclusive(lessons, (kind, id), CLASH)

    def _cut_to_days(self, lesson: Lesson) -> None:
        over = [s for s in range(self.calendar.slots) if self.calendar.span(s, lesson.duration) is None]
        self.forbid(lesson.id, over, OVER_END)

    def _cut_to_availability(self, lesson: Lesson) -> None:
        people = [self.problem.teacher[t] for t in lesson.teachers], [self.problem.group[g] for g in lesson.groups]
        away = frozenset().union(*(one.unavailable for kind in people for one in kind))
        self.forbid(lesson.id, {s - k for s in away for k in range(lesson.duration) if s - k >= 0}, UNAVAILABLE)

    def _who_clash(self) -> Iterator[tuple[str, str, list[str]]]:
        for teacher in self.problem.teachers:
            yield "teacher", teacher.id, [lesson.id for lesson in self.lessons_of("teacher", teacher.id)]
        for group_set in clashing_sets(self.problem):
            name = min(group_set, key=lambda g: (self.problem.group[g].within is not None, g))
            lessons = [lesson.id for lesson in self.problem.lessons if not group_set.isdisjoint(lesson.groups)]
            yield "group", name, lessons

    def finish(self) -> Program:
        """Return the program."""
        return Program(
            day_of=self.calendar.day_of,
            blocks=tuple(self._finished_block(b) for b in range(len(self._lessons_of_block))),
            rooms=tuple(room.unavailable for room in self.problem.rooms),
            building_of=tuple(self._buildings.get(room.building or "", -1) for room in self.problem.rooms),
            exclusives=tuple(_largest(self._exclusives)),
            tracks=tuple(self._tracks),
            terms=tuple(self._terms),
            pairs=tuple(self._pairs),
            stabilities=tuple(self._stabilities),
            travels=tuple(self._travels),
            cuts=tuple(self._cuts),
        )

    def _finished_block(self, block: int) -> Block:
        lessons = self._lessons_of_block[block]
        forbidden = frozenset().union(*(cut.starts for cut in self._cuts if cut.block == block))
        return Block(
            lessons=tuple(lessons),
            duration=max(self.problem.lessons[i].duration for i in lessons),
            starts=tuple(s for s in range(self.calendar.slots) if s not in forbidden),
            start_cost={s: cost for s, cost in self._start_cost[block].items() if cost and s not in forbidden},
            needs=tuple(need for i in lessons for need in self._finished_needs(self.problem.lessons[i])),
        )

    def _finished_needs(self, lesson: Lesson) -> Iterator[tuple[RoomOption, ...]]:
        for n, need in enumerate(lesson.rooms):
            locked = lesson.locked_rooms[n] if lesson.locked_rooms else None
            options = [
                RoomOption(self._room_index[choice.room], self._room_cost[lesson.id, n, choice.room])
                for choice in need.choices
                if (lesson.id, n, choice.room) not in self._room_cut and locked in (None, choice.room)
            ]
            yield tuple(sorted(options, key=lambda option: (option.cost, option.room)))


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


def attended_groups(problem: Problem, id: str) -> frozenset[str]:
    """Return the groups whose lessons students of a group attend: itself, and the class that it is a part of."""
    within = problem.group[id].within
    return frozenset({id} if within is None else {id, within})


def clashing_sets(problem: Problem) -> Iterator[frozenset[str]]:
    """Yield sets of groups that pairwise share students; every pair that does is in one of them."""
    near: dict[str, set[str]] = {group.id: set() for group in problem.groups}
    for one, other in problem.clashing_groups():
        near[one].add(other)
        near[other].add(one)
    for group in problem.groups:
        rest = sorted(near[group.id])
        if not rest:
            yield frozenset({group.id})
        while rest:
            clique = {group.id}
            for other in rest:
                if clique <= near[other] | {other}:
                    clique.add(other)
            yield frozenset(clique)
            rest = [other for other in rest if other not in clique]


def _tied(problem: Problem) -> Iterator[tuple[int, ...]]:
    index = {lesson.id: i for i, lesson in enumerate(problem.lessons)}
    parent = list(range(len(problem.lessons)))

    def root(i: int) -> int:
        while parent[i] != i:
            i = parent[i]
        return i

    for rule in problem.rules:
        for tied in rule.links(problem) if rule.hard else ():
            first, *others = (root(index[lesson]) for lesson in tied)
            for other in others:
                parent[root(other)] = root(first)
    members: dict[int, list[int]] = defaultdict(list)
    for i in range(len(problem.lessons)):
        members[root(i)].append(i)
    yield from (tuple(tied) for tied in members.values())


def _largest(exclusives: Sequence[Exclusive]) -> Iterator[Exclusive]:
    kept: list[frozenset[int]] = []
    for exclusive in sorted(exclusives, key=lambda e: -len(e.blocks)):
        blocks = frozenset(exclusive.blocks)
        if not any(blocks <= other for other in kept):
            kept.append(blocks)
            yield exclusive


def _numbered(names: Iterable[str]) -> dict[str, int]:
    return {name: i for i, name in enumerate(sorted(set(names)))}
