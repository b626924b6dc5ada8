"""Explains the impossible before any search, by counting.

Each finding is proof that there is no timetable: a teacher, a class or a kind of room that is asked for more than the
week has. That nothing is found proves nothing.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from core.timetable.deficits import Deficit, Demand, deficit
from core.timetable.findings import NAMED, Finding, Words
from core.timetable.lowering import lower
from core.timetable.model import Problem
from core.timetable.program import Combine, Measure, Program, Term
from core.timetable.wording import counted, listed


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
        self._words = Words(problem, program)
        of = {problem.lessons[i].id: b for b, block in enumerate(program.blocks) for i in block.lessons}
        self._who = {frozenset(of[one.id] for one in lessons): who for who, lessons in problem.lessons_of.items()}

    def homeless(self) -> Iterator[Finding]:
        """Yield each block that has nowhere to start, or no room to be in."""
        for b, block in enumerate(self._program.blocks):
            if not block.starts:
                yield self._no_start(b)
            for need in block.needs:
                if not need:
                    sentence = f"{self._words.named([b])} needs a room, and the rules leave it none."
                    rules = {cut.source for cut in self._program.room_cuts if cut.block == b and cut.source >= 0}
                    yield self._words.finding("no_room", sentence, (1, 0), [b], rules=rules)

    def _no_start(self, b: int) -> Finding:
        cut_by: dict[int, set[int]] = defaultdict(set)
        for cut in self._program.cuts:
            if cut.block == b:
                cut_by[cut.source] |= cut.starts
        reasons = [self._words.cut(source, len(starts)) for source, starts in cut_by.items()]
        sentence = f"{self._words.named([b])} can start in none of the week's {self._program.slots} periods: "
        rules = [source for source in cut_by if source >= 0]
        return self._words.finding("no_start", sentence + listed(reasons) + ".", (1, 0), [b], rules=rules)

    def overloads(self) -> Iterator[Finding]:
        """Yield each teacher and class whose lessons have too few periods."""
        for exclusive in self._program.exclusives:
            found = self._short(exclusive.blocks)
            if found is not None:
                who = exclusive.subject if exclusive.subject[0] in ("teacher", "group") else None
                blocks = self._members(exclusive.blocks, found)
                yield self._overload(who, blocks, found, f"which could be in only {found.available}")

    def daily(self) -> Iterator[Finding]:
        """Yield each teacher and class whom a bound on days leaves too few periods."""
        for term in self._program.terms:
            blocks = self._program.tracks[term.track]
            if term.window_tracks or not term.hard or term.combine is Combine.SUM_DEVIATION:
                continue
            if not self._is_exclusive(blocks):
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
            yield self._overload(self._who.get(frozenset(blocks)), members, found, limit, rules=(term.source,))

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
            yield self._overload(who, blocks, found, limit, rules=sources, kind="too_few_days")

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
            f"{self._words.named(blocks)} are {counted(len(blocks), 'block')}; with at most {term.high} a day on "
            f"{counted(days, 'day')} no more than {found.available} fit."
        )
        return self._words.finding(
            "too_many_blocks", sentence, (found.needed, found.available), blocks, rules=[term.source]
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
        what = kind or (f"one of {listed(names[:NAMED])}" if len(names) > 1 else names[0])
        sentence = (
            f"The {counted(len(blocks), 'lesson')} that need {what} take {counted(found.needed, 'period')}, and have "
            f"only {found.available} in which one is free."
        )
        who = ("room_kind", kind) if kind else None
        return self._words.finding("rooms", sentence, (found.needed, found.available), blocks, who=who)

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
        *,
        rules: Iterable[int] = (),
        kind: str = "overload",
    ) -> Finding:
        given = counted(found.needed, "period")
        if who is not None and self._who.get(frozenset(blocks)) == who:
            sentence = f"{self._words.name(who)} is given {given}, {limit}."
        else:
            whose = f"{self._words.name(who)}: " if who is not None else ""
            sentence = f"{whose}{self._words.named(blocks)} take {given}, {limit}."
        return self._words.finding(kind, sentence, (found.needed, found.available), blocks, who=who, rules=rules)

    def _is_exclusive(self, blocks: Sequence[int]) -> bool:
        return any(members.issuperset(blocks) for members in self._sets) or len(blocks) < 2

    def _usable(self, blocks: Sequence[int]) -> frozenset[int]:
        return frozenset().union(*(demand.slots for block in blocks for demand in self._demands(block)))

    def _load(self, blocks: Sequence[int]) -> int:
        return sum(self._program.blocks[block].duration for block in blocks)
