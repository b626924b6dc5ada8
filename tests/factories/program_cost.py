"""What an assignment costs, reckoned straight from what ``program.py`` says of each primitive, slowly and plainly.

Tests judge solvers and the rules' ``lower`` by it. What is no rule's (places, rooms, clashes) costs 1 a fault; the
exact figure is nobody's promise there, only that it is 0 for what is feasible.
"""

from collections import Counter
from collections.abc import Iterator
from itertools import combinations, permutations

from core.timetable.program import (
    Assignment,
    Combine,
    Measure,
    Pair,
    Program,
    Relation,
    Stability,
    Term,
    Travel,
)


def cost(program: Program, assignment: Assignment) -> tuple[int, int]:
    """Return (hard, soft)."""
    hard, soft = rules_cost(program, assignment)
    return hard + faults(program, assignment), soft


def rules_cost(program: Program, assignment: Assignment) -> tuple[int, int]:
    """Return (hard, soft) of the terms, pairs, stabilities, travels, starts and rooms alone."""
    pieces = list(_pieces(program, assignment))
    soft = sum(price for is_hard, price in pieces if not is_hard) + _unary(program, assignment)
    return sum(price for is_hard, price in pieces if is_hard), soft


def faults(program: Program, assignment: Assignment) -> int:
    """Return how many blocks, rooms and clashes are not as they always have to be."""
    return _misplaced(program, assignment) + _roomless(program, assignment) + _clashes(program, assignment)


def _span(program: Program, assignment: Assignment, block: int) -> list[int]:
    start = assignment.starts[block]
    return [] if start < 0 else list(range(start, min(start + program.blocks[block].duration, program.slots)))


def _unary(program: Program, assignment: Assignment) -> int:
    total = 0
    for b, block in enumerate(program.blocks):
        total += block.start_cost.get(assignment.starts[b], 0)
        for options, room in zip(block.needs, assignment.rooms[b], strict=True):
            total += sum(option.cost for option in options if option.room == room)
    return total


def _misplaced(program: Program, assignment: Assignment) -> int:
    return sum(start not in block.starts for block, start in zip(program.blocks, assignment.starts, strict=True))


def _roomless(program: Program, assignment: Assignment) -> int:
    wrong = 0
    taken: Counter[tuple[int, int]] = Counter()
    for b, block in enumerate(program.blocks):
        for options, room in zip(block.needs, assignment.rooms[b], strict=True):
            if room not in {option.room for option in options}:
                wrong += 1
                continue
            for slot in _span(program, assignment, b):
                taken[room, slot] += 1
                wrong += slot in program.rooms[room]
    return wrong + sum(count - 1 for count in taken.values())


def _clashes(program: Program, assignment: Assignment) -> int:
    return sum(
        len(set(_span(program, assignment, one)) & set(_span(program, assignment, other)))
        for exclusive in program.exclusives
        for one, other in combinations(exclusive.blocks, 2)
    )


def _pieces(program: Program, assignment: Assignment) -> Iterator[tuple[bool, int]]:
    for term in program.terms:
        yield term.hard, term.weight * _term(program, assignment, term)
    for pair in program.pairs:
        yield pair.hard, pair.weight * pair.function.of(_pair(program, assignment, pair))
    for stability in program.stabilities:
        deviation = _rooms_too_many(assignment, stability)
        yield stability.hard, stability.weight * stability.function.of(deviation)
    for travel in program.travels:
        for deviation in _hurried(program, assignment, travel):
            yield travel.hard, travel.weight * travel.function.of(deviation)


def _term(program: Program, assignment: Assignment, term: Term) -> int:
    tracks = zip(term.track_of, term.windows, strict=True)
    values = [_measured(program, assignment, term, program.tracks[track], window) for track, window in tracks]
    match term.combine:
        case Combine.EACH:
            return sum(term.function.of(_deviation(term, value)) for value in values)
        case Combine.SUM_DEVIATION:
            return term.function.of(sum(_deviation(term, value) for value in values))
        case Combine.SUM_VALUE:
            return term.function.of(_deviation(term, sum(values)))


def _deviation(term: Term, value: int) -> int:
    if term.or_zero and value == 0:
        return 0
    return max(0, term.low - value, value - term.high)


def _measured(
    program: Program, assignment: Assignment, term: Term, track: tuple[int, ...], window: tuple[int, ...]
) -> int:
    if term.measure is Measure.STARTS:
        return sum(assignment.starts[block] in window for block in track)
    on = {slot for block in track for slot in _span(program, assignment, block)}
    busy = [slot for slot in window if slot in on]
    match term.measure:
        case Measure.BUSY:
            return len(busy)
        case Measure.ACTIVE:
            return int(bool(busy))
        case Measure.MORE_DAYS:
            return max(0, len({program.day_of[slot] for slot in busy}) - 1)
    return _in_order(term, window, on)


def _in_order(term: Term, window: tuple[int, ...], on: set[int]) -> int:
    busy = [slot for slot in window if slot in on]
    idle = [slot for slot in window if slot not in on]
    match term.measure:
        case Measure.GAPS:
            return sum(busy[0] < slot < busy[-1] for slot in idle) if busy else 0
        case Measure.LATE:
            return sum(slot < busy[-1] for slot in idle) if busy else 0
    runs = "".join("x" if slot in on else " " for slot in window).split()
    return sum(len(run) == 1 if term.measure is Measure.LONE else max(0, len(run) - term.run) for run in runs)


def _pair(program: Program, assignment: Assignment, pair: Pair) -> int:
    first, second = _span(program, assignment, pair.first), _span(program, assignment, pair.second)
    if not first or not second:
        return 0
    day, other_day = program.day_of[first[0]], program.day_of[second[0]]
    between, backward = second[0] - first[-1] - 1, first[0] - second[-1] - 1
    follows = between == 0 and day == other_day
    return {
        Relation.SAME_START: int(first[0] != second[0]),
        Relation.NO_OVERLAP: len(set(first) & set(second)),
        Relation.BEFORE: int(between < pair.amount),
        Relation.DAYS_APART: max(0, pair.amount - abs(day - other_day)),
        Relation.NOT_NEXT: int(follows),
        Relation.SAME_DAY: int(day != other_day),
        Relation.DIFFERENT_DAY: int(day == other_day),
        Relation.NEXT: int(not follows),
        Relation.OFFSET: int(second[0] - first[0] != pair.amount),
        Relation.ORDERED_ON_DAY: int(day == other_day and between < 0),
        Relation.ADJACENT_ON_DAY: int(day == other_day and 0 not in {between, backward}),
        Relation.APART_ON_DAY: int(day == other_day and max(between, backward) < pair.amount),
    }[pair.relation]


def _rooms_too_many(assignment: Assignment, stability: Stability) -> int:
    rooms = {assignment.rooms[block][need] for block, need in stability.needs} - {-1}
    return max(0, len(rooms) - stability.most)


def _hurried(program: Program, assignment: Assignment, travel: Travel) -> Iterator[int]:
    begins = travel.begins or tuple(range(program.slots))
    ends = travel.ends or tuple(slot + 1 for slot in range(program.slots))
    for (one, need), (other, other_need) in permutations(travel.stops, 2):
        before, after = _span(program, assignment, one), _span(program, assignment, other)
        if not before or not after or after[0] <= before[-1] or program.day_of[after[0]] != program.day_of[before[0]]:
            continue
        way = (
            _building(program, assignment.rooms[one], travel, need),
            _building(program, assignment.rooms[other], travel, other_need),
        )
        if way[0] != way[1] and -1 not in way:
            yield max(0, travel.time_between(*way) - (begins[after[0]] - ends[before[-1]]))


def _building(program: Program, rooms: tuple[int, ...], travel: Travel, need: int) -> int:
    if need < 0:
        return travel.home
    return travel.place_of(rooms[need], program.building_of)
