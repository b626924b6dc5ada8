"""Explains the impossible before any search, by counting.

Each finding is proof that there is no timetable: a teacher, a class or a kind of room that is asked for more than the
week has. That nothing is found proves nothing.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from core.timetable.deficits import Deficit, Demand, deficit
from core.timetable.lowering import lower
from core.timetable.model import Lesson, Problem
from core.timetable.program import CLASH, LOCKED, OVER_END, UNAVAILABLE, Combine, Measure, Program, Term
from core.timetable.wording import counted, listed

_SOURCES = {
    CLASH: "nobody can be in two places",
    UNAVAILABLE: "its teachers or classes are away",
    LOCKED: "it is locked",
    OVER_END: "the day ends before",
}
_NAMED = 3
"""So many lessons are named in a sentence before the rest is counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Why there can be no timetable."""

    kind: str
    """``no_start``, ``no_room``, ``overload``, ``too_few_days``, ``too_many_blocks`` or ``rooms``."""
    who: tuple[str, str] | None
    """(``teacher``, ``group`` or ``room_kind``, id), where it is about one."""
    sentence: str
    needed: int
    available: int
    lessons: tuple[str, ...] = ()
    rules: tuple[int, ...] = ()
    """The rules concerned, by their place in the problem's list."""


def precheck(problem: Problem, program: Program | None = None) -> tuple[Finding, ...]:
    """Return each reason that counting finds, the plainest first."""
    checks = _Checks(problem, program or lower(problem))
    found = [*checks.homeless(), *checks.overloads(), *checks.daily(), *checks.crowded(), *checks.rooms()]
    return tuple({(finding.kind, finding.lessons): finding for finding in reversed(found)}.values())[::-1]


class _Checks:
    def __init__(self, problem: Problem, program: Program) -> None:
        self._problem = problem
        self._program = program
        self._sets = [frozenset(exclusive.blocks) for exclusive in program.exclusives]
        self._who = {frozenset(self._blocks_of(lessons)): who for who, lessons in problem.lessons_of.items() if lessons}

    def homeless(self) -> Iterator[Finding]:
        """Yield each block that has nowhere to start, or no room to be in."""
        for b, block in enumerate(self._program.blocks):
            if not block.starts:
                yield self._no_start(b)
            for need in block.needs:
                if not need:
                    sentence = f"{self._named([b])} needs a room, and the rules leave it none."
                    rules = {cut.source for cut in self._program.room_cuts if cut.block == b and cut.source >= 0}
                    yield self._finding("no_room", None, sentence, 1, 0, [b], rules)

    def _no_start(self, b: int) -> Finding:
        cut_by: dict[int, set[int]] = defaultdict(set)
        for cut in self._program.cuts:
            if cut.block == b:
                cut_by[cut.source] |= cut.starts
        reasons = [self._cut_told(source, len(starts)) for source, starts in cut_by.items()]
        sentence = f"{self._named([b])} can start in none of the week's {self._program.slots} periods: "
        rules = [source for source in cut_by if source >= 0]
        return self._finding("no_start", None, sentence + listed(reasons) + ".", 1, 0, [b], rules)

    def _cut_told(self, source: int, starts: int) -> str:
        why = _SOURCES.get(source) or f"the rule \"{self._problem.rules[source].kind.replace('_', ' ')}\" forbids it"
        return f"in {starts} {why}"

    def overloads(self) -> Iterator[Finding]:
        """Yield each teacher and class whose lessons have too few periods."""
        for exclusive in self._program.exclusives:
            found = self._short(exclusive.blocks)
            if found is not None:
                who = exclusive.subject if exclusive.subject[0] in ("teacher", "group") else None
                blocks = self._members(exclusive.blocks, found)
                yield self._overload(who, blocks, found, f"which could be in only {found.available}", ())

    def daily(self) -> Iterator[Finding]:
        """Yield each teacher and class whom a bound on days leaves too few periods."""
        for term in self._program.terms:
            blocks = self._program.tracks[term.track]
            if not term.hard or term.combine is Combine.SUM_DEVIATION or not self._is_exclusive(blocks):
                continue
            if term.measure is Measure.BUSY and term.combine is Combine.EACH:
                yield from self._too_full_days(term, blocks)
            elif term.measure is Measure.ACTIVE and term.combine is Combine.SUM_VALUE:
                yield from self._too_few_days(term, blocks)

    def _too_full_days(self, term: Term, blocks: Sequence[int]) -> Iterator[Finding]:
        slots = [slot for window in term.windows for slot in window]
        if len(set(slots)) < len(slots):
            return
        found = self._short(blocks, term.windows, term.high)
        if found is not None and self._short(blocks) is None:
            days = sum(not found.slots.isdisjoint(window) for window in term.windows)
            limit = f"and with at most {term.high} a day on {counted(days, 'day')} no more than {found.available} fit"
            members = self._members(blocks, found)
            yield self._overload(self._who.get(frozenset(blocks)), members, found, limit, (term.source,))

    def _too_few_days(self, term: Term, blocks: Sequence[int]) -> Iterator[Finding]:
        usable = self._usable(blocks)
        most = min((t.high for t in self._daily_bounds(term)), default=self._program.slots)
        sizes = sorted((min(most, len(usable.intersection(window))) for window in term.windows), reverse=True)
        outside = len(usable.difference(*term.windows))
        load, room = self._load(blocks), sum(sizes[: term.high]) + outside
        if load > room:
            limit = f"and on at most {counted(term.high, 'day')} no more than {room} fit"
            found = Deficit(tuple(range(len(blocks))), usable, load, room)
            sources = (term.source, *(t.source for t in self._daily_bounds(term)))
            who = self._who.get(frozenset(blocks))
            yield self._overload(who, blocks, found, limit, sources, kind="too_few_days")

    def _daily_bounds(self, term: Term) -> list[Term]:
        return [
            other
            for other in self._program.terms
            if other.hard and other.track == term.track and other.windows == term.windows
            and other.measure is Measure.BUSY and other.combine is Combine.EACH
        ]  # fmt: skip

    def crowded(self) -> Iterator[Finding]:
        """Yield each set of blocks of which a day takes too few, as six of a subject with one a day in five days."""
        for term in self._program.terms:
            if not term.hard or term.measure is not Measure.STARTS or term.combine is not Combine.EACH:
                continue
            blocks = self._program.tracks[term.track]
            demands = [Demand(1, frozenset(self._program.blocks[b].starts)) for b in blocks]
            slots = [slot for window in term.windows for slot in window]
            if len(set(slots)) == len(slots):
                free = dict.fromkeys(range(self._program.slots), len(blocks))
                found = deficit(demands, free, term.windows, term.high)
                if found is not None:
                    yield self._crowd(term, [blocks[i] for i in found.demands], found)

    def _crowd(self, term: Term, blocks: Sequence[int], found: Deficit) -> Finding:
        days = sum(not found.slots.isdisjoint(window) for window in term.windows)
        sentence = (
            f"{self._named(blocks)} are {counted(len(blocks), 'block')}; with at most {term.high} a day on "
            f"{counted(days, 'day')} no more than {found.available} fit."
        )
        return self._finding(
            "too_many_blocks", None, sentence, found.needed, found.available, blocks, [term.source]
        )

    def rooms(self) -> Iterator[Finding]:
        """Yield each set of rooms for which more lessons ask than it has periods."""
        kinds = {frozenset(o.room for o in need) for block in self._program.blocks for need in block.needs if need}
        for rooms in sorted(kinds, key=sorted):
            demands, owners = self._room_demands(rooms)
            capacity = {
                slot: free
                for slot in range(self._program.slots)
                if (free := sum(slot not in self._program.rooms[room] for room in rooms))
            }
            found = deficit(demands, capacity)
            if found is not None:
                yield self._roomless(rooms, sorted({owners[i] for i in found.demands}), found)

    def _room_demands(self, rooms: frozenset[int]) -> tuple[list[Demand], list[int]]:
        owners = [
            b
            for b, block in enumerate(self._program.blocks)
            for need in block.needs
            if need and all(option.room in rooms for option in need)
        ]
        demands = [(demand, b) for b in owners for demand in self._demands(b)]
        return [demand for demand, _ in demands], [b for _, b in demands]

    def _roomless(self, rooms: frozenset[int], blocks: Sequence[int], found: Deficit) -> Finding:
        kinds = {self._problem.rooms[room].kind for room in rooms}
        kind = next(iter(kinds)) if len(kinds) == 1 else None
        names = [self._problem.rooms[room].name for room in sorted(rooms)]
        what = kind or (f"one of {listed(names[:_NAMED])}" if len(names) > 1 else names[0])
        sentence = (
            f"The {counted(len(blocks), 'lesson')} that need {what} take {counted(found.needed, 'period')}, and have "
            f"only {found.available} in which one is free."
        )
        who = ("room_kind", kind) if kind else None
        return self._finding("rooms", who, sentence, found.needed, found.available, blocks, ())

    def _short(
        self, blocks: Sequence[int], windows: Sequence[Sequence[int]] = (), most: int | None = None
    ) -> Deficit | None:
        demands = [demand for block in blocks for demand in self._demands(block)]
        return deficit(demands, dict.fromkeys(range(self._program.slots), 1), windows, most)

    def _demands(self, b: int) -> list[Demand]:
        block = self._program.blocks[b]
        return [Demand(1, frozenset(start + k for start in block.starts)) for k in range(block.duration)]

    def _members(self, blocks: Sequence[int], found: Deficit) -> list[int]:
        owners = [block for block in blocks for _ in range(self._program.blocks[block].duration)]
        return list(dict.fromkeys(owners[i] for i in found.demands))

    def _overload(
        self,
        who: tuple[str, str] | None,
        blocks: Sequence[int],
        found: Deficit,
        limit: str,
        sources: Iterable[int],
        kind: str = "overload",
    ) -> Finding:
        all_of_them = who is not None and set(blocks) == set(self._blocks_of(self._problem.lessons_of[who]))
        given = f"{self._name(who)} is given {counted(found.needed, 'period')}"
        some = f"{self._named(blocks)} take {counted(found.needed, 'period')}"
        if who is not None and not all_of_them:
            some = f"{self._name(who)}: {some}"
        sentence = f"{given if all_of_them else some}, {limit}."
        return self._finding(kind, who, sentence, found.needed, found.available, blocks, sources)

    def _finding(
        self,
        kind: str,
        who: tuple[str, str] | None,
        sentence: str,
        needed: int,
        available: int,
        blocks: Iterable[int],
        rules: Iterable[int],
    ) -> Finding:
        lessons = tuple(lesson.id for block in blocks for lesson in self._lessons(block))
        sources = tuple(sorted({rule for rule in rules if rule >= 0}))
        return Finding(
            kind=kind,
            who=who,
            sentence=sentence,
            needed=needed,
            available=available,
            lessons=lessons,
            rules=sources,
        )

    def _is_exclusive(self, blocks: Sequence[int]) -> bool:
        return any(members.issuperset(blocks) for members in self._sets) or len(blocks) < 2

    def _usable(self, blocks: Sequence[int]) -> frozenset[int]:
        return frozenset().union(*(demand.slots for block in blocks for demand in self._demands(block)))

    def _load(self, blocks: Sequence[int]) -> int:
        return sum(self._program.blocks[block].duration for block in blocks)

    def _lessons(self, block: int) -> list[Lesson]:
        return [self._problem.lessons[i] for i in self._program.blocks[block].lessons]

    def _blocks_of(self, lessons: Iterable[Lesson]) -> list[int]:
        if not hasattr(self, "_block_of"):
            ids = ((self._problem.lessons[i].id, b) for b, tied in enumerate(self._program.blocks) for i in tied.lessons)
            self._block_of = dict(ids)
        return [self._block_of[lesson.id] for lesson in lessons]

    def _name(self, who: tuple[str, str] | None) -> str:
        if who is None:
            return "Somebody"
        kind, one = who
        return self._problem.teacher[one].name if kind == "teacher" else self._problem.group[one].name

    def _named(self, blocks: Sequence[int]) -> str:
        names = list(dict.fromkeys(self._label(lesson) for block in blocks for lesson in self._lessons(block)))
        rest = len(names) - _NAMED
        return listed([*names[:_NAMED], f"{rest} more"] if rest > 0 else names)

    def _label(self, lesson: Lesson) -> str:
        groups = listed([self._problem.group[group].name for group in lesson.groups]) if lesson.groups else "nobody"
        return f"{self._problem.subject[lesson.subject].name} of {groups}"
