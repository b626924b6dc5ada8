"""Schools with a timetable hidden in them, in the compact form that ``formats.generated`` reads.

A plant is made first: a complete timetable that keeps every hard rule. Then each teacher's absences are laid where the
plant leaves that teacher free, until the load is the wanted share of what is left, and the plant is thrown away. So the
school is tight and there is a timetable, which no solver has seen.

The plant of a house of 20 classes comes from a small model that is rotated through the week. A larger school is
several houses, each with its days in an order of its own. Then teachers of one subject change classes wherever that
clashes with nothing, so that the rotation can't be seen.
"""

import json
from dataclasses import dataclass, field
from functools import cache
from random import Random
from typing import Any

from ortools.sat.python import cp_model

DAYS, PERIODS, MORNING, MAX_A_DAY, FULL_LOAD = 5, 8, 4, 6, 30
_Subject = tuple[str, int, int, str | None, int]
SUBJECTS: list[_Subject] = [
    ("Math", 5, 0, None, 1),
    ("English", 5, 0, None, 1),
    ("Physics", 3, 1, "physlab", 0),
    ("Chemistry", 3, 1, "chemlab", 0),
    ("Biology", 2, 0, None, 0),
    ("History", 3, 0, None, 0),
    ("Geography", 2, 0, None, 0),
    ("French", 3, 0, None, 0),
    ("PE", 2, 1, "field", 0),
    ("ICT", 2, 1, "complab", 0),
    ("Art", 2, 1, "artroom", 0),
    ("Music", 1, 0, "music", 0),
    ("Civics", 2, 0, None, 0),
    ("Religion", 2, 0, None, 0),
    ("Economics", 1, 0, None, 0),
]
ROOMS = {"physlab": 2, "chemlab": 2, "field": 2, "complab": 1, "artroom": 2, "music": 1}
"""A house of 20 classes fills the computer lab's 40 periods to the last."""
STREAMS = 4
HOUSE = STREAMS * DAYS


@dataclass
class _Plant:
    """Who teaches what in which slots: (class, subject) -> slots, and -> teacher."""

    slots: dict[tuple[int, str], frozenset[int]] = field(default_factory=dict)
    teacher: dict[tuple[int, str], int] = field(default_factory=dict)

    def of_teacher(self, teacher: int) -> list[tuple[int, str]]:
        return [course for course, t in self.teacher.items() if t == teacher]

    def busy(self, teacher: int) -> set[int]:
        return set().union(*(self.slots[course] for course in self.of_teacher(teacher)))


def planted(*, classes: int = 20, teachers: int = 30, seed: int = 0, fullness: float = 0.88, tight: float = 0.4) -> str:
    """Return a school in which a timetable is hidden: ``tight`` of its teachers are at ``fullness`` of their time."""
    random = Random(f"{classes}/{teachers}/{seed}")
    houses = -(-classes // HOUSE)
    plant = _joined([_house(random.randrange(8)) for _ in range(houses)], classes, random)
    staff = _staffed(plant, teachers, random)
    _mix(plant, random)
    school: dict[str, Any] = {
        "D": DAYS,
        "P": PERIODS,
        "nc": classes,
        "nt": staff,
        "subjects": SUBJECTS,
        "rooms": {kind: number * houses for kind, number in ROOMS.items()},
        "assign": {f"{c}|{subject}": teacher for (c, subject), teacher in plant.teacher.items()},
        "unavail": _absences(plant, staff, random, fullness, tight),
        "maxday": MAX_A_DAY,
        "morning": MORNING,
    }
    return json.dumps(school)


def _absences(plant: _Plant, staff: int, random: Random, fullness: float, tight: float) -> dict[str, list[int]]:
    absences = {}
    for teacher in random.sample(range(staff), round(staff * tight)):
        busy = plant.busy(teacher)
        free = sorted(set(range(DAYS * PERIODS)) - busy)
        spare = round(len(busy) / fullness) - len(busy)
        absences[str(teacher)] = sorted(random.sample(free, max(0, len(free) - spare)))
    return absences


def _joined(houses: list[_Plant], classes: int, random: Random) -> _Plant:
    joined = _Plant()
    staff = 0
    for h, house in enumerate(houses):
        days = random.sample(range(DAYS), DAYS)
        for (c, subject), slots in house.slots.items():
            if (number := h * HOUSE + c) < classes:
                moved = frozenset(days[s // PERIODS] * PERIODS + s % PERIODS for s in slots)
                joined.slots[number, subject] = moved
                joined.teacher[number, subject] = staff + house.teacher[c, subject]
        staff += max(house.teacher.values()) + 1
    return joined


def _staffed(plant: _Plant, teachers: int, random: Random) -> int:
    """Let teachers share out their classes until there are as many as wanted; return how many there are."""
    staff = max(plant.teacher.values()) + 1
    while staff < teachers:
        fullest = max(range(staff), key=lambda t: (len(plant.busy(t)), t))
        courses = sorted(plant.of_teacher(fullest))
        if len(courses) < 2:
            break
        for course in random.sample(courses, len(courses) // 3 or 1):
            plant.teacher[course] = staff
        staff += 1
    return staff


def _mix(plant: _Plant, random: Random) -> None:
    """Let teachers of one subject change classes, also across houses, where the plant stays right."""
    courses = sorted(plant.slots)
    slots = {teacher: plant.busy(teacher) for teacher in set(plant.teacher.values())}
    for _ in range(20 * len(courses)):
        one = random.choice(courses)
        other = (random.choice(courses)[0], one[1])
        if plant.teacher[one] == plant.teacher.get(other):
            continue
        first, second = plant.teacher[one], plant.teacher[other]
        given, taken = plant.slots[one], plant.slots[other]
        if _changed(slots, first, given, taken) and _changed(slots, second, taken, given):
            slots[first] = slots[first] - given | taken
            slots[second] = slots[second] - taken | given
            plant.teacher[one], plant.teacher[other] = second, first


def _changed(slots: dict[int, set[int]], teacher: int, given: frozenset[int], taken: frozenset[int]) -> bool:
    """Tell whether a teacher can take on these slots for those."""
    kept = slots[teacher] - given
    a_day = [sum(slot // PERIODS == day for slot in kept | taken) for day in range(DAYS)]
    return kept.isdisjoint(taken) and max(a_day) <= MAX_A_DAY


@cache
def _house(seed: int) -> _Plant:
    return _Planting(seed).plant()


def _shared_out() -> dict[tuple[int, str], int]:
    """Give each stream and subject a teacher; what is left over of several subjects makes one teacher."""
    chunks: list[list[tuple[int, str]]] = []
    for name, periods, *_ in SUBJECTS:
        most = FULL_LOAD // (DAYS * periods)
        chunks += [[(j, name) for j in range(first, min(first + most, STREAMS))] for first in range(0, STREAMS, most)]
    staff: list[list[tuple[int, str]]] = []
    for chunk in sorted(chunks, key=_load, reverse=True):
        fitting = next((teacher for teacher in staff if _load(teacher) + _load(chunk) <= FULL_LOAD), None)
        if fitting is None:
            staff.append(list(chunk))
        else:
            fitting += chunk
    return {course: teacher for teacher, courses in enumerate(staff) for course in courses}


def _load(courses: list[tuple[int, str]]) -> int:
    return sum(DAYS * periods for _, name in courses for subject, periods, *_ in SUBJECTS if subject == name)


class _Planting:
    """The plant of a house: four streams of five classes, which have the same week, each a day later than the last.

    So whatever a stream does in one period of the day is done in that period on every day, by one class or another:
    a teacher or a room is free of clashes where it is so within the periods of a single day.
    """

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._model = cp_model.CpModel()
        self._teacher = _shared_out()
        self._starts: dict[tuple[int, str, int], dict[int, cp_model.IntVar]] = {}
        self._on: dict[tuple[str, int | str, int], list[cp_model.IntVar]] = {}
        for j in range(STREAMS):
            lengths = self._lengths()
            for subject in SUBJECTS:
                self._add(j, subject, lengths)

    def _lengths(self) -> list[int]:
        short, longer = divmod(sum(periods for _, periods, *_ in SUBJECTS), DAYS)
        lengths = [short + (day < longer) for day in range(DAYS)]
        self._random.shuffle(lengths)
        return lengths

    def _add(self, j: int, subject: _Subject, lengths: list[int]) -> None:
        name, periods, doubles, room, _ = subject
        a_day: dict[int, list[cp_model.IntVar]] = {day: [] for day in range(DAYS)}
        for block, duration in enumerate([2] * doubles + [1] * (periods - 2 * doubles)):
            starts = {
                day * PERIODS + p: self._model.new_bool_var("")
                for day in range(DAYS)
                for p in range(lengths[day] - duration + 1)
                if duration == 1 or p != MORNING - 1
            }
            self._starts[j, name, block] = starts
            self._model.add_exactly_one(starts.values())
            for start, chosen in starts.items():
                a_day[start // PERIODS].append(chosen)
                for slot in range(start, start + duration):
                    self._on.setdefault(("stream", j, slot), []).append(chosen)
                    self._on.setdefault(("teacher", self._teacher[j, name], slot % PERIODS), []).append(chosen)
                    if room:
                        self._on.setdefault(("room", room, slot % PERIODS), []).append(chosen)
        for day in range(DAYS):
            self._model.add_at_most_one(a_day[day])

    def plant(self) -> _Plant:
        """Return the plant."""
        for (kind, who, _), chosen in self._on.items():
            self._model.add(sum(chosen) <= (ROOMS[str(who)] if kind == "room" else 1))
        solver = cp_model.CpSolver()
        solver.parameters.num_workers = 1
        solver.parameters.random_seed = self._random.randrange(1 << 30)
        solver.parameters.randomize_search = True
        status = solver.solve(self._model)
        assert status in (cp_model.OPTIMAL, cp_model.FEASIBLE), "there is always a plant without absences"
        return self._rotated(solver)

    def _rotated(self, solver: cp_model.CpSolver) -> _Plant:
        plant = _Plant()
        for (j, name, block), starts in self._starts.items():
            duration = 2 if block < next(doubles for subject, _, doubles, *_ in SUBJECTS if subject == name) else 1
            start = next(start for start, chosen in starts.items() if solver.boolean_value(chosen))
            for day in range(DAYS):
                first = (start + day * PERIODS) % (DAYS * PERIODS)
                course = (day * STREAMS + j, name)
                plant.slots[course] = plant.slots.get(course, frozenset()) | set(range(first, first + duration))
                plant.teacher[course] = self._teacher[j, name]
        return plant
