"""Random tiny schools with any rules, for tests of the parts against each other."""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from core.timetable.cost_function import CostFunction
from core.timetable.model import (
    Calendar,
    Day,
    Group,
    Lesson,
    Period,
    Placement,
    Problem,
    Room,
    RoomChoice,
    RoomNeed,
    Subject,
    Teacher,
    Timetable,
)
from core.timetable.program import Assignment, Program
from core.timetable.rules.base import Rule
from core.timetable.rules.registry import RULES
from core.timetable.rules.same_start import SameStart
from core.timetable.rules.selecting import Lessons
from tests.factories.point_rules import POINT_RULES

TEACHERS = ("Bello", "Okafor", "Sani")
SUBJECTS = ("Mathematics", "Physics", "French", "Igbo")
BUILDINGS = (None, "Main", "Main", "Annex", "Annex")


def small_problem(random: Random, *, rules: int = 4, kinds: Sequence[str] = tuple(RULES)) -> Problem:
    """Return a school of a few lessons with so many rules of these kinds; it may well be infeasible."""
    calendar = _calendar(random)
    rooms = [_room(random, i, calendar) for i in range(random.randint(1, 4))]
    school = Problem(
        calendar=calendar,
        subjects=tuple(Subject(id=name, name=name) for name in SUBJECTS),
        teachers=tuple(Teacher(id=n, name=f"Mrs {n}", unavailable=_some_slots(random, calendar)) for n in TEACHERS),
        groups=_groups(random, calendar),
        rooms=tuple(rooms),
    )
    lessons = [lesson for course in range(random.randint(2, 4)) for lesson in _course(random, course, school)]
    school = school.model_copy(update={"lessons": tuple(lessons)})
    chosen = [random_rule(random, school, kinds) for _ in range(rules)]
    return school.model_copy(update={"rules": (*chosen, *_ties(random, school))})


def _ties(random: Random, school: Problem) -> list[Rule]:
    """Return, now and then, that two courses run at one time, so that other rules meet blocks of several lessons."""
    courses = sorted({lesson.course for lesson in school.lessons})
    if random.random() < 0.6:
        return []
    return [SameStart(lessons=Lessons(courses=tuple(random.sample(courses, 2))))]


def random_rule(random: Random, school: Problem, kinds: Sequence[str]) -> Rule:
    """Return a rule with parameters that fit a school."""
    kind = random.choice(kinds)
    common = {"hard": random.random() < 0.4, "weight": random.randint(1, 4), "cost": random.choice(list(CostFunction))}
    return RULES[kind].model_validate({**common, **_PARAMETERS[kind](random, school)})


def random_assignment(random: Random, program: Program, *, anywhere: bool = False) -> Assignment:
    """Return a complete assignment: of the starts and rooms that blocks have left, or of all there are."""
    starts, rooms = [], []
    for block in program.blocks:
        starts.append(random.randrange(program.slots) if anywhere or not block.starts else random.choice(block.starts))
        every = range(len(program.rooms))
        rooms.append(
            tuple(
                random.choice(every if anywhere or not options else [option.room for option in options])
                for options in block.needs
            )
        )
    return Assignment(tuple(starts), tuple(rooms))


def random_timetable(random: Random, problem: Problem, *, placed: float = 0.8) -> Timetable:
    """Return a timetable that places about this share of the lessons anywhere in the cycle."""
    return Timetable(
        placements=tuple(
            Placement(
                lesson=lesson.id,
                slot=random.randrange(problem.calendar.slots),
                rooms=tuple(random.choice([None, *problem.room]) for _ in lesson.rooms),
            )
            for lesson in problem.lessons
            if random.random() < placed
        )
    )


def _calendar(random: Random) -> Calendar:
    weeks = random.choice([(None,), (None,), ("A", "B")])
    days = [
        Day(name=name, week=week, periods=_periods(random))
        for week in weeks
        for name in ("Monday", "Tuesday", "Wednesday")[: random.randint(1, 3)]
    ]
    return Calendar(days=tuple(days))


def _periods(random: Random) -> tuple[Period, ...]:
    now, periods = 480, []
    for number in range(random.randint(2, 5)):
        long_break = random.random() < 0.3
        periods.append(Period(name=str(number + 1), starts_at=now, ends_at=now + 40, break_after=long_break))
        now += 60 if long_break else 40
    return tuple(periods)


def _some_slots(random: Random, calendar: Calendar) -> frozenset[int]:
    return frozenset(slot for slot in range(calendar.slots) if random.random() < 0.1)


def _groups(random: Random, calendar: Calendar) -> tuple[Group, ...]:
    groups = [Group(id="A", name="JSS 1 Ruby", size=random.choice([None, 20, 30]))]
    if random.random() < 0.7:
        groups += [
            Group(id=f"A{part}", name=f"JSS 1 {part}", size=12, within="A", division="languages") for part in "12"
        ]
    if random.random() < 0.5:
        groups.append(Group(id="A3", name="JSS 1 choir", size=5, within="A", division="music"))
    shares = frozenset(group.id for group in groups if random.random() < 0.1)
    groups.append(
        Group(id="B", name="SSS 2 Art", size=25, shares_with=shares, unavailable=_some_slots(random, calendar))
    )
    return tuple(groups)


def _room(random: Random, number: int, calendar: Calendar) -> Room:
    return Room(
        id=f"R{number}",
        name=f"Room {number}",
        capacity=random.choice([None, 10, 25]),
        building=random.choice(BUILDINGS),
        unavailable=_some_slots(random, calendar),
    )


def _course(random: Random, number: int, school: Problem) -> list[Lesson]:
    teachers = random.sample(TEACHERS, random.choice([0, 1, 1, 1, 2]))
    groups = random.sample([group.id for group in school.groups], random.choice([0, 1, 1, 1, 2]))
    subject = random.choice(SUBJECTS)
    needs = tuple(_need(random, school) for _ in range(random.choice([0, 0, 1, 1, 2])))
    return [
        Lesson(
            id=f"L{number}{i}",
            course=f"course {number}",
            subject=subject,
            teachers=tuple(teachers),
            groups=tuple(groups),
            duration=random.choice([1, 1, 2]),
            rooms=needs,
            locked_slot=random.randrange(school.calendar.slots) if random.random() < 0.1 else None,
            locked_rooms=tuple(need.choices[0].room for need in needs) if random.random() < 0.1 else None,
        )
        for i in range(random.randint(1, 3))
    ]


def _need(random: Random, school: Problem) -> RoomNeed:
    rooms = random.sample(list(school.room), random.randint(1, len(school.rooms)))
    return RoomNeed(choices=tuple(RoomChoice(room=room, penalty=random.randint(0, 2)) for room in rooms))


def _lessons(random: Random, school: Problem) -> dict[str, Any]:
    field = random.choice(["lessons", "courses", "subjects", "teachers", "groups", "every"])
    there: dict[str, Sequence[str]] = {
        "lessons": list(school.lesson),
        "courses": sorted({lesson.course for lesson in school.lessons}),
        "subjects": SUBJECTS,
        "teachers": TEACHERS,
        "groups": list(school.group),
    }
    chosen = there.get(field)
    return {} if chosen is None else {field: random.sample(chosen, random.randint(1, min(3, len(chosen))))}


def _people(random: Random, school: Problem) -> dict[str, Any]:
    return {
        "teachers": random.choice([["*"], random.sample(TEACHERS, 1), []]),
        "groups": random.choice([["*"], random.sample(list(school.group), 1), []]),
    }


def _partners(random: Random, school: Problem) -> dict[str, Any]:
    ids = list(school.lesson)
    random.shuffle(ids)
    half = min(len(ids) // 2, 2)
    return {"first": {"lessons": ids[:half] or ids}, "second": {"lessons": ids[half : 2 * half] or ids}}


def _slots(random: Random, school: Problem) -> list[int]:
    return random.sample(range(school.calendar.slots), random.randint(1, school.calendar.slots))


def _for_lessons(**more: Callable[[Random], Any]) -> Callable[[Random, Problem], dict[str, Any]]:
    return lambda random, school: {
        "lessons": _lessons(random, school),
        **{name: draw(random) for name, draw in more.items()},
    }


def _for_people(**more: Callable[[Random], Any]) -> Callable[[Random, Problem], dict[str, Any]]:
    return lambda random, school: {
        "people": _people(random, school),
        **{name: draw(random) for name, draw in more.items()},
    }


def _one_of(*values: Any) -> Callable[[Random], Any]:
    return lambda random: random.choice(values)


def _travel(random: Random, school: Problem) -> dict[str, Any]:
    there = sorted({room.building for room in school.rooms if room.building is not None})
    ways = [{"one": there[0], "other": there[1], "time": random.randint(0, 3)}] if len(there) > 1 else []
    unit = random.choice(["periods", "minutes"])
    return {
        "people": _people(random, school),
        "time": random.randint(0, 3) * (25 if unit == "minutes" else 1),
        "unit": unit,
        "between": random.choice([[], ways]),
        "home": random.choice([None, "Gate", *there]),
    }


def _stays(random: Random, school: Problem) -> dict[str, Any]:
    stays = [
        {
            "lesson": lesson.id,
            "slot": random.randrange(school.calendar.slots),
            "rooms": [random.choice([None, *school.room]) for _ in lesson.rooms],
        }
        for lesson in school.lessons
        if random.random() < 0.6
    ]
    return {"previous": [*stays, {"lesson": "gone", "slot": 0}], "rooms": random.random() < 0.5}


def _occupancy(random: Random, school: Problem) -> dict[str, Any]:
    what = random.choice(["periods", "parts", "starts", "run"])
    is_run = what == "run"
    days = [list(window) for window in school.calendar.windows]
    return {
        "lessons": _lessons(random, school),
        "people": random.choice([None, _people(random, school)]),
        "windows": days if is_run else [_slots(random, school) for _ in range(random.randint(1, 3))],
        "what": what,
        "least": 0 if is_run else random.randint(0, 2),
        "most": random.choice([1, 2] if is_run else [None, 1, 3]),
        "orZero": random.random() < 0.5,
    }


_PARAMETERS: dict[str, Callable[[Random, Problem], dict[str, Any]]] = {
    "adjacent_on_day": _for_lessons(by=_one_of("course", "selection")),
    "apart_on_day": _for_lessons(atLeast=_one_of(0, 1, 2)),
    "avoided_slots": lambda random, school: {"lessons": _lessons(random, school), "slots": _slots(random, school)},
    "begins_early": _for_people(most=_one_of(0, 1, 2), days=_one_of([], [0]), gapless=_one_of(True, False)),
    "both_halves": _for_people(most=_one_of(0, 1)),
    "blocks_within_breaks": _for_lessons(),
    "compact_day": _for_people(),
    "daily_balance": _for_people(),
    "day_span": _for_people(most=_one_of(1, 2, 3), longer=_one_of(0, 1)),
    "days_apart": _for_lessons(atLeast=_one_of(1, 2, 3), by=_one_of("course", "selection")),
    "days_in_a_row": _for_people(most=_one_of(1, 2), firstDays=_one_of([], [0], [1])),
    "days_within": _for_lessons(atMost=_one_of(0, 1)),
    "fairness": _for_people(what=_one_of("gaps", "edge_slots"), allowance=_one_of(0, 1, 2)),
    "gaps": _for_people(
        most=_one_of(0, 1),
        each=_one_of("day", "week"),
        daysTogether=_one_of(1, 1, 2),
        days=_one_of([], [0]),
        overAbsence=_one_of(True, False),
    ),
    "kinds_a_day": lambda random, school: {
        "people": _people(random, school),
        "kinds": [_lessons(random, school) for _ in range(random.randint(2, 3))],
        "most": random.randint(1, 2),
    },
    "lunch": lambda random, school: {
        "people": _people(random, school),
        "slots": _slots(random, school),
        "leastFree": random.randint(1, 2),
    },
    "next_to": _partners,
    "no_overlap": _for_lessons(),
    "not_right_after": lambda random, school: {
        "first": _lessons(random, school),
        "second": _lessons(random, school),
    },
    "no_lone_period": _for_people(),
    "not_together": lambda random, school: {"first": _lessons(random, school), "second": _lessons(random, school)},
    "occupancy": _occupancy,
    "one_block_a_day": _for_lessons(most=_one_of(1, 2), by=_one_of("course", "subject_and_group")),
    "order": lambda random, school: {**_partners(random, school), "between": random.randint(0, 2)},
    "order_on_day": lambda random, school: {**_partners(random, school), "whoShare": random.random() < 0.5},
    "periods_a_day": _for_people(least=_one_of(0, 1, 2), most=_one_of(None, 1, 3), orZero=_one_of(True, False)),
    "periods_in_a_row": _for_people(most=_one_of(1, 2), breaksRest=_one_of(True, False)),
    "preferred_starts": lambda random, school: {"lessons": _lessons(random, school), "slots": _slots(random, school)},
    "preferred_slots": lambda random, school: {"lessons": _lessons(random, school), "slots": _slots(random, school)},
    "room_capacity": _for_lessons(),
    "room_changes": lambda random, school: {
        "lessons": _lessons(random, school),
        "people": random.choice([None, _people(random, school)]),
        "least": random.randint(1, 2),
    },
    "room_stability": _for_lessons(most=_one_of(1, 2), by=_one_of("course", "teacher", "group", "selection")),
    "room_suitability": _for_lessons(),
    "same_day": _for_lessons(),
    "same_start": _for_lessons(),
    "slots_apart": lambda random, school: {**_partners(random, school), "slots": random.randint(1, 4)},
    "spread": _for_lessons(),
    "stays": _stays,
    "travel": _travel,
    "working_days": _for_people(least=_one_of(0, 2), most=_one_of(None, 1)),
    **POINT_RULES,
}
