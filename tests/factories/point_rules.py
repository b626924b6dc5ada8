"""Random parameters of the rules whose costs are reckoned a point, for ``small_problems``."""

from collections.abc import Callable
from itertools import pairwise
from random import Random
from typing import Any

from core.timetable.model import Problem


def _courses(random: Random, school: Problem) -> list[str]:
    there = list(school.courses)
    return random.sample(there, random.randint(1, len(there)))


def _sets(random: Random, school: Problem) -> list[list[str]]:
    return [_courses(random, school) for _ in range(random.randint(1, 2))]


def _slots(random: Random, school: Problem) -> list[int]:
    return sorted(random.sample(range(school.calendar.slots), random.randint(1, school.calendar.slots)))


def _needs(random: Random, school: Problem) -> list[dict[str, Any]]:
    return [{"course": course, "need": random.choice([0, 0, 1])} for course in _courses(random, school)]


def _certain(school: Problem) -> list[str]:
    """Return who is at lessons in any case: rooms among others are more than the primitives can say."""
    there = [*school.teacher, *school.group, *school.room]
    return [one for one in there if one not in school.candidates]


def _placed(random: Random, school: Problem) -> dict[str, Any]:
    return {"courses": {"courses": _courses(random, school)}}


def _room_given(random: Random, school: Problem) -> dict[str, Any]:
    return {"needs": {"needs": _needs(random, school)}}


def _room_among(random: Random, school: Problem) -> dict[str, Any]:
    return {
        "needs": {"needs": _needs(random, school)},
        "rooms": random.sample(list(school.room), random.randint(0, len(school.rooms))),
        "cost": "linear",
    }


def _one_room(random: Random, school: Problem) -> dict[str, Any]:
    return {"needs": {"sets": [_needs(random, school) for _ in range(2)]}}


def _parts(random: Random, school: Problem) -> dict[str, Any]:
    return {
        "courses": {"courses": _courses(random, school)},
        "shortest": random.randint(1, 2),
        "longest": random.randint(1, 2),
        "least": random.randint(0, 3),
        "most": random.randint(1, 3),
        "others": random.random() < 0.5,
    }


def _start_among(random: Random, school: Problem) -> dict[str, Any]:
    duration = random.choice([None, 1, 2])
    return {
        "courses": {"courses": _courses(random, school)},
        "slots": _slots(random, school),
        "duration": duration,
        **({"cost": "linear"} if duration is None else {}),
    }


def _starts_in_windows(random: Random, school: Problem) -> dict[str, Any]:
    least, most = random.randint(0, 1), random.randint(1, 2)
    windows = [{"slots": window, "least": least, "most": most} for window in school.calendar.windows]
    more = {"slots": _slots(random, school), "least": 0, "most": 1}
    linear = random.random() < 0.5
    # Tied lessons count as one block: only courses of their own are told apart.
    return {
        "courses": {"sets": [[course] for course in _courses(random, school)]},
        "windows": [*windows, more] if linear else windows,
        **({"cost": "linear"} if linear else {}),
    }


def _run_together(random: Random, school: Problem) -> dict[str, Any]:
    """Return two courses of one block and one length: of others only the checker may know the price."""
    alike: dict[int, list[str]] = {}
    for course, lessons in school.courses.items():
        if len(lessons) == 1:
            alike.setdefault(lessons[0].duration, []).append(course)
    return {"courses": {"sets": [courses[:2] for courses in alike.values()]}, "cost": "linear"}


def _separation(random: Random, school: Problem) -> dict[str, Any]:
    single = [course for course, lessons in school.courses.items() if len(lessons) == 1]
    pairs = [{"first": one, "second": other, "least": random.randint(0, 2)} for one, other in pairwise(single)]
    return {"pairs": pairs, "cost": "step"}


def _people(random: Random, school: Problem) -> dict[str, Any]:
    there = _certain(school)
    return {"who": random.sample(there, random.randint(1, min(3, len(there))))}


def _one_at_a_time(random: Random, school: Problem) -> dict[str, Any]:
    return {"people": _people(random, school)}


def _in_windows(random: Random, school: Problem) -> dict[str, Any]:
    what = random.choice(["busy", "idle", "active"])
    days = [list(window) for window in school.calendar.windows]
    most = random.choice([0, 1, 3])
    return {
        "people": _people(random, school),
        "what": what,
        "windows": days if what == "idle" else random.choice([days, [_slots(random, school)]]),
        "least": min(most, random.randint(0, 2)),
        "most": most,
    }


def _workload(random: Random, school: Problem) -> dict[str, Any]:
    loads = [{"course": course, "load": random.randint(0, 7)} for course in _courses(random, school)]
    return {
        "people": _people(random, school),
        "least": random.randint(0, 2),
        "most": random.randint(2, 6),
        "loads": random.choice([[], loads]),
    }


def _doubles(random: Random, school: Problem) -> dict[str, Any]:
    least = random.randint(0, 2)
    return {
        "courses": {"courses": _courses(random, school)},
        "least": least,
        "most": least + random.randint(0, 2),
    }


def _one_run_a_day(random: Random, school: Problem) -> dict[str, Any]:
    return {
        "courses": {"courses": _courses(random, school)},
        "longest": random.randint(1, 3),
        "notOver": random.choice([[], _slots(random, school)]),
        "cost": "linear",
    }


POINT_RULES: dict[str, Callable[[Random, Problem], dict[str, Any]]] = {
    "doubles": _doubles,
    "in_windows": _in_windows,
    "one_at_a_time": _one_at_a_time,
    "one_room": _one_room,
    "one_run_a_day": _one_run_a_day,
    "parts": _parts,
    "placed": _placed,
    "room_among": _room_among,
    "room_given": _room_given,
    "run_together": _run_together,
    "separation": _separation,
    "start_among": _start_among,
    "starts_in_windows": _starts_in_windows,
    "workload": _workload,
}
"""By the rule's kind."""
