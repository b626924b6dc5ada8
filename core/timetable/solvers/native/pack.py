"""Writes a program into the flat arrays of ``layout``."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.timetable.cost_function import CostFunction
from core.timetable.program import Assignment, Measure, Program
from core.timetable.solvers.native import layout as at

Ints = NDArray[np.int64]

_FUNCTION = {CostFunction.STEP: at.STEP, CostFunction.LINEAR: at.LINEAR, CostFunction.QUADRATIC: at.QUADRATIC}


@dataclass(frozen=True, slots=True)
class Packed:
    """A program as the kernels take it."""

    p: Ints
    program: Program

    def state(self) -> tuple[Ints, Ints]:
        """Return room for a state and its tally; ``state.clear`` makes them those of an empty timetable."""
        return np.zeros(self.p[at.STATE_SIZE], np.int64), np.zeros(at.TALLY, np.int64)

    def taken(self, assignment: Assignment) -> Ints:
        """Return an assignment's starts, then its rooms, as the kernels take them."""
        rooms = [room for rooms in assignment.rooms for room in rooms]
        return np.array([*assignment.starts, *rooms], np.int64)

    def assignment(self, taken: Ints) -> Assignment:
        """Return the assignment that the kernels wrote."""
        blocks, first = int(self.p[at.BLOCKS]), self.p[at.NEED_FROM]
        starts, rooms = taken[:blocks].tolist(), taken[blocks:].tolist()
        rows = self.p[first : first + blocks + 1].tolist()
        return Assignment(tuple(starts), tuple(tuple(rooms[rows[b] : rows[b + 1]]) for b in range(blocks)))


class _Writer:
    """Puts tables one after the other and remembers where each begins."""

    def __init__(self) -> None:
        self.header = [0] * at.HEADER
        self._tables: list[Ints] = []
        self._end = at.HEADER

    def table(self, field: int, values: Iterable[Any]) -> None:
        array = np.fromiter((int(value) for value in values), np.int64)
        self.header[field] = self._end
        self._end += len(array)
        self._tables.append(array)

    def rows(self, begin: int, field: int, rows: Sequence[Sequence[int]]) -> None:
        self.table(begin, np.cumsum([0, *(len(row) for row in rows)]))
        self.table(field, (value for row in rows for value in row))

    def finished(self) -> Ints:
        return np.concatenate([np.array(self.header, np.int64), *self._tables])


def pack(program: Program) -> Packed:
    """Return a program as flat arrays."""
    writer = _Writer()
    _write_numbers(writer, program)
    _write_blocks(writer, program)
    _write_exclusives(writer, program)
    _write_tracks(writer, program)
    _write_terms(writer, program)
    _write_pairs(writer, program)
    _write_stabilities(writer, program)
    _write_travels(writer, program)
    _lay_out_state(writer.header)
    return Packed(writer.finished(), program)


def without_forgiveness(packed: Packed) -> Ints:
    """Return the arrays for those who look at complete timetables alone: nothing is left that could make good."""
    p = packed.p.copy()
    p[p[at.FILLABLE_FROM] : p[at.FILLABLE_FROM] + p[at.TRACKS] + 1] = 0
    p[p[at.TERM_FILLABLE] : p[at.TERM_FILLABLE] + p[at.TERMS]] = 0
    return p


def _write_numbers(writer: _Writer, program: Program) -> None:
    numbers = {
        at.BLOCKS: len(program.blocks),
        at.SLOTS: program.slots,
        at.DAYS: max(program.day_of, default=-1) + 1,
        at.ROOMS: len(program.rooms),
        at.EXCLUSIVES: len(program.exclusives),
        at.TRACKS: len(program.tracks),
        at.TERMS: len(program.terms),
        at.WINDOWS: sum(len(term.windows) for term in program.terms),
        at.NEEDS: sum(len(block.needs) for block in program.blocks),
        at.PAIRS: len(program.pairs),
        at.STABILITIES: len(program.stabilities),
        at.TRAVELS: len(program.travels),
        at.BUILDINGS: max(_buildings(program), default=-1) + 1,
        at.LONGEST: max((block.duration for block in program.blocks), default=1),
    }
    for field, number in numbers.items():
        writer.header[field] = number


def _buildings(program: Program) -> set[int]:
    between = {one for travel in program.travels for pair in travel.slots_between for one in pair}
    return between | set(program.building_of) | {travel.home for travel in program.travels}


def _write_blocks(writer: _Writer, program: Program) -> None:
    blocks, slots = program.blocks, program.slots
    days = range(writer.header[at.DAYS])
    writer.table(at.DAY_OF, program.day_of)
    writer.table(at.DAY_BEGIN, [*(program.day_of.index(day) for day in days), slots])
    writer.table(at.DURATION, (block.duration for block in blocks))
    writer.rows(at.START_FROM, at.START_LIST, [block.starts for block in blocks])
    cost = np.full((len(blocks), slots), -1, np.int64)
    for b, block in enumerate(blocks):
        cost[b, list(block.starts)] = [block.start_cost.get(start, 0) for start in block.starts]
    writer.table(at.START_COST, cost.ravel())
    needs = [need for block in blocks for need in block.needs]
    writer.table(at.NEED_FROM, np.cumsum([0, *(len(block.needs) for block in blocks)]))
    writer.rows(at.OPTION_FROM, at.OPTION_ROOM, [[option.room for option in need] for need in needs])
    writer.table(at.OPTION_COST, (option.cost for need in needs for option in need))
    writer.table(at.BUILDING_OF, program.building_of)
    closed = np.zeros((len(program.rooms), slots), np.int64)
    for room, slots_closed in enumerate(program.rooms):
        closed[room, sorted(slots_closed)] = 1
    writer.table(at.ROOM_CLOSED, closed.ravel())


def _write_exclusives(writer: _Writer, program: Program) -> None:
    members = [exclusive.blocks for exclusive in program.exclusives]
    writer.rows(at.MEMBER_FROM, at.MEMBER, members)
    of_block = _turned(members, len(program.blocks))
    writer.rows(at.EXCLUSIVE_OF_FROM, at.EXCLUSIVE_OF, of_block)
    writer.table(at.ALIKE, _alike(program, of_block))


def _alike(program: Program, exclusives: Sequence[Sequence[int]]) -> list[int]:
    """Return a number for each block, the same for those of the same people and duration; -1 for one of its kind."""
    kinds = [(tuple(row), block.duration) for row, block in zip(exclusives, program.blocks, strict=True)]
    many = {kind for kind, count in Counter(kinds).items() if count > 1 and kind[0]}
    number = {kind: i for i, kind in enumerate(sorted(many))}
    return [number.get(kind, -1) for kind in kinds]


def _write_tracks(writer: _Writer, program: Program) -> None:
    writer.rows(at.ON_TRACK_FROM, at.ON_TRACK, program.tracks)
    used = {track for term in program.terms for track in term.track_of}
    measured = [track if t in used else () for t, track in enumerate(program.tracks)]
    writer.rows(at.TRACK_OF_FROM, at.TRACK_OF, _turned(measured, len(program.blocks)))


def _write_terms(writer: _Writer, program: Program) -> None:
    terms, slots = program.terms, program.slots
    windows = [(i, window) for i, term in enumerate(terms) for window in term.windows]
    tracks = [track for term in terms for track in term.track_of]
    at_slot: list[list[int]] = [[] for _ in range(len(program.tracks) * slots)]
    for w, (_, window) in enumerate(windows):
        for slot in window:
            at_slot[tracks[w] * slots + slot].append(w)
    writer.rows(at.WINDOW_AT_FROM, at.WINDOW_AT, at_slot)
    writer.table(at.WINDOW_TERM, (i for i, _ in windows))
    writer.rows(at.WINDOW_SLOT_FROM, at.WINDOW_SLOT, [window for _, window in windows])
    for field, name in (
        (at.TERM_TRACK, "track"),
        (at.TERM_MEASURE, "measure"),
        (at.TERM_COMBINE, "combine"),
        (at.TERM_LOW, "low"),
        (at.TERM_HIGH, "high"),
        (at.TERM_OR_ZERO, "or_zero"),
        (at.TERM_RUN, "run"),
        (at.TERM_HARD, "hard"),
        (at.TERM_WEIGHT, "weight"),
    ):
        writer.table(field, (getattr(term, name) for term in terms))
    writer.table(at.TERM_FUNCTION, (_FUNCTION[term.function] for term in terms))
    fillable = [t.hard and (t.low > 0 or t.measure in (Measure.GAPS, Measure.LATE, Measure.LONE)) for t in terms]
    writer.table(at.TERM_FILLABLE, fillable)
    writer.table(at.TERM_WINDOW_FROM, np.cumsum([0, *(len(term.windows) for term in terms)]))
    of_track = _turned([{term.track, *term.track_of} for term in terms], len(program.tracks))
    writer.rows(at.TRACK_TERM_FROM, at.TRACK_TERM, of_track)
    writer.rows(at.FILLABLE_FROM, at.FILLABLE, [[i for i in row if fillable[i]] for row in of_track])


def _write_pairs(writer: _Writer, program: Program) -> None:
    pairs = program.pairs
    of_block = _turned([sorted({pair.first, pair.second}) for pair in pairs], len(program.blocks))
    writer.rows(at.PAIR_OF_FROM, at.PAIR_OF, of_block)
    writer.table(at.PAIR_FUNCTION, (_FUNCTION[pair.function] for pair in pairs))
    for field, name in (
        (at.PAIR_FIRST, "first"),
        (at.PAIR_SECOND, "second"),
        (at.PAIR_RELATION, "relation"),
        (at.PAIR_AMOUNT, "amount"),
        (at.PAIR_HARD, "hard"),
        (at.PAIR_WEIGHT, "weight"),
    ):
        writer.table(field, (getattr(pair, name) for pair in pairs))


def _write_stabilities(writer: _Writer, program: Program) -> None:
    first = np.cumsum([0, *(len(block.needs) for block in program.blocks)]).tolist()
    needs = [[first[block] + need for block, need in stability.needs] for stability in program.stabilities]
    writer.rows(at.STABILITY_NEED_FROM, at.STABILITY_NEED, needs)
    writer.rows(at.STABLE_FROM, at.STABLE, _turned(needs, writer.header[at.NEEDS]))
    writer.table(at.STABILITY_MOST, (stability.most for stability in program.stabilities))
    writer.table(at.STABILITY_FUNCTION, (_FUNCTION[stability.function] for stability in program.stabilities))
    writer.table(at.STABILITY_HARD, (stability.hard for stability in program.stabilities))
    writer.table(at.STABILITY_WEIGHT, (stability.weight for stability in program.stabilities))


def _write_travels(writer: _Writer, program: Program) -> None:
    travels, slots = program.travels, range(program.slots)
    first = np.cumsum([0, *(len(block.needs) for block in program.blocks)]).tolist()
    blocks = [[block for block, _ in travel.stops] for travel in travels]
    writer.rows(at.TRAVEL_OF_FROM, at.TRAVEL_OF, _turned(blocks, len(program.blocks)))
    writer.rows(at.STOP_FROM, at.STOP_BLOCK, blocks)
    stops = [stop for travel in travels for stop in travel.stops]
    writer.table(at.STOP_NEED, (first[block] + need if need >= 0 else -1 for block, need in stops))
    writer.table(at.TRAVEL_BEGINS, (time for travel in travels for time in travel.begins or slots))
    writer.table(at.TRAVEL_ENDS, (time for travel in travels for time in travel.ends or (slot + 1 for slot in slots)))
    writer.table(at.TRAVEL_FUNCTION, (_FUNCTION[travel.function] for travel in travels))
    writer.table(at.TRAVEL_HOME, (travel.home for travel in travels))
    writer.table(at.TRAVEL_ROOMS_APART, (travel.rooms_apart for travel in travels))
    writer.table(at.TRAVEL_HARD, (travel.hard for travel in travels))
    writer.table(at.TRAVEL_WEIGHT, (travel.weight for travel in travels))
    buildings = writer.header[at.BUILDINGS]
    between = np.zeros((len(travels), buildings, buildings), np.int64)
    for i, travel in enumerate(travels):
        for pair, wanted in travel.slots_between.items():
            between[i][pair] = wanted
    writer.table(at.TRAVEL_SLOTS, between.ravel())


def _turned(rows: Sequence[Iterable[int]], width: int) -> list[list[int]]:
    """Return, for each of ``width`` members, the rows that it is in."""
    turned: list[list[int]] = [[] for _ in range(width)]
    for i, row in enumerate(rows):
        for member in dict.fromkeys(row):
            turned[member].append(i)
    return turned


def _lay_out_state(header: list[int]) -> None:
    slots = header[at.SLOTS]
    sizes = {
        at.START: header[at.BLOCKS],
        at.ROOM_OF: header[at.NEEDS],
        at.EXCLUSIVE_COUNT: header[at.EXCLUSIVES] * slots,
        at.EXCLUSIVE_XOR: header[at.EXCLUSIVES] * slots,
        at.ROOM_COUNT: header[at.ROOMS] * slots,
        at.ROOM_XOR: header[at.ROOMS] * slots,
        at.TRACK_COUNT: header[at.TRACKS] * slots,
        at.TRACK_SLOTS_LEFT: header[at.TRACKS],
        at.TRACK_BLOCKS_LEFT: header[at.TRACKS],
        at.WINDOW_VALUE: header[at.WINDOWS],
        at.WINDOW_BUSY: header[at.WINDOWS],
        at.TERM_SUM: header[at.TERMS],
        at.TERM_DEBT: header[at.TERMS],
        at.TERM_FORGIVEN: header[at.TERMS],
        at.STABILITY_COUNT: header[at.STABILITIES] * header[at.ROOMS],
        at.STABILITY_ROOMS: header[at.STABILITIES],
    }
    end = 0
    for field, size in sizes.items():
        header[field] = end
        end += size
    header[at.STATE_SIZE] = end
