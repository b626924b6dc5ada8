"""What is wrong with a problem before any search: names nobody knows, doubles, numbers out of range, circles."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from graphlib import CycleError, TopologicalSorter

from core.errors import Fault, InvalidInput
from core.timetable.model import Group, Lesson, Period, Problem, Room, Subject, Teacher
from core.timetable.rules.order import Order
from core.timetable.rules.selecting import slot_faults, unknown
from core.timetable.wording import listed


def check_problem(problem: Problem) -> list[Fault]:
    """Return everything wrong with a problem, each with its place as a JSON pointer; without any it can be lowered."""
    faults = [*_doubles(problem), *_calendar(problem), *_people(problem), *_lessons(problem)]
    if not faults:
        faults = [*_rules(problem), *_circles(problem)]
    return faults


def require_sound(problem: Problem) -> None:
    """Raise ``InvalidInput`` with every fault of a problem, unless there is none."""
    faults = check_problem(problem)
    if faults:
        raise InvalidInput(f"This problem has {len(faults)} mistakes." if len(faults) > 1 else faults[0].what, faults)


def _doubles(problem: Problem) -> Iterator[Fault]:
    lists: dict[str, Sequence[Subject | Teacher | Group | Room | Lesson]] = {
        "subjects": problem.subjects,
        "teachers": problem.teachers,
        "groups": problem.groups,
        "rooms": problem.rooms,
        "lessons": problem.lessons,
    }
    for name, there in lists.items():
        seen: dict[str, int] = {}
        for i, one in enumerate(there):
            first = seen.setdefault(one.id, i)
            if first != i:
                what = f"The id “{one.id}” is taken already, by /{name}/{first}."
                yield Fault(f"/{name}/{i}/id", what, code="duplicate")


def _calendar(problem: Problem) -> Iterator[Fault]:
    for d, day in enumerate(problem.calendar.days):
        before: Period | None = None
        for p, period in enumerate(day.periods):
            where = f"/calendar/days/{d}/periods/{p}"
            if period.starts_at is not None and period.ends_at is not None and period.ends_at <= period.starts_at:
                yield Fault(f"{where}/endsAt", f"{day.name}, {period.name} ends before it starts.", code="out_of_range")
            if before and before.ends_at is not None and (period.starts_at or before.ends_at) < before.ends_at:
                what = f"{day.name}, {period.name} starts before {before.name} ends."
                yield Fault(f"{where}/startsAt", what, code="out_of_range")
            before = period


def _people(problem: Problem) -> Iterator[Fault]:
    absent: dict[str, Sequence[Teacher | Group | Room]] = {
        "teachers": problem.teachers,
        "groups": problem.groups,
        "rooms": problem.rooms,
    }
    for name, there in absent.items():
        for i, one in enumerate(there):
            yield from slot_faults(sorted(one.unavailable), problem, f"/{name}/{i}/unavailable")
    for i, teacher in enumerate(problem.teachers):
        yield from unknown("subject", sorted(teacher.subjects), problem.subject, f"/teachers/{i}/subjects")
    for i, group in enumerate(problem.groups):
        yield from unknown("group", sorted(group.shares_with), problem.group, f"/groups/{i}/sharesWith")
        yield from _class_of(problem, group, f"/groups/{i}/within")


def _class_of(problem: Problem, group: Group, where: str) -> Iterator[Fault]:
    if group.within is None:
        return
    whole = problem.group.get(group.within)
    if whole is None:
        yield Fault(where, f"There is no group “{group.within}”.", code="unknown")
    elif whole.within is not None or whole.id == group.id:
        what = f"{group.name} can be a part of a class only, and {whole.name} is itself a part."
        yield Fault(where, what, code="invalid")


def _lessons(problem: Problem) -> Iterator[Fault]:
    for i, lesson in enumerate(problem.lessons):
        where = f"/lessons/{i}"
        if lesson.subject not in problem.subject:
            yield Fault(f"{where}/subject", f"There is no subject “{lesson.subject}”.", code="unknown")
        yield from unknown("teacher", lesson.teachers, problem.teacher, f"{where}/teachers")
        yield from unknown("group", lesson.groups, problem.group, f"{where}/groups")
        for n, need in enumerate(lesson.rooms):
            yield from _need(problem, [choice.room for choice in need.choices], f"{where}/rooms/{n}/choices")
        yield from _locks(problem, lesson, where)


def _need(problem: Problem, rooms: Sequence[str], where: str) -> Iterator[Fault]:
    for i, room in enumerate(rooms):
        if room not in problem.room:
            yield Fault(f"{where}/{i}/room", f"There is no room “{room}”.", code="unknown")
        elif room in rooms[:i]:
            yield Fault(f"{where}/{i}/room", f"The room “{room}” is among the choices twice.", code="duplicate")


def _locks(problem: Problem, lesson: Lesson, where: str) -> Iterator[Fault]:
    if lesson.locked_slot is not None:
        last = problem.calendar.slots - 1
        if not 0 <= lesson.locked_slot <= last:
            what = f"There is no slot {lesson.locked_slot}: they are 0 to {last}."
            yield Fault(f"{where}/lockedSlot", what, code="out_of_range")
        elif problem.calendar.span(lesson.locked_slot, lesson.duration) is None:
            what = (
                f"From {problem.calendar.label(lesson.locked_slot)}, {lesson.duration} periods run past the day's end."
            )
            yield Fault(f"{where}/lockedSlot", what, code="out_of_range")
    if lesson.locked_rooms is None:
        return
    if len(lesson.locked_rooms) != len(lesson.rooms):
        what = f"The lesson needs {len(lesson.rooms)} rooms, and {len(lesson.locked_rooms)} are fixed: name one a need."
        yield Fault(f"{where}/lockedRooms", what)
        return
    for n, (room, need) in enumerate(zip(lesson.locked_rooms, lesson.rooms, strict=True)):
        if all(choice.room != room for choice in need.choices):
            what = f"The room “{room}” is none of the choices: {listed([choice.room for choice in need.choices])}."
            yield Fault(f"{where}/lockedRooms/{n}", what, code="unknown")


def _rules(problem: Problem) -> Iterator[Fault]:
    for i, rule in enumerate(problem.rules):
        for fault in rule.faults(problem):
            yield Fault(f"/rules/{i}{fault.where}", fault.what, fault.code)


def _circles(problem: Problem) -> Iterator[Fault]:
    """Yield a fault where hard orders come back to their beginning, also through lessons that start together."""
    orders = {i: rule for i, rule in enumerate(problem.rules) if isinstance(rule, Order) and rule.hard}
    before: dict[str, set[str]] = defaultdict(set)
    for i, rule in orders.items():
        for lesson in rule.first.of(problem):
            before[f"rule {i}"].add(f"block {problem.block_of[lesson.id]}")
        for lesson in rule.second.of(problem):
            before[f"block {problem.block_of[lesson.id]}"].add(f"rule {i}")
    try:
        TopologicalSorter(before).prepare()
    except CycleError as error:
        circle: list[str] = error.args[1]
        yield _circle(problem, circle)


def _circle(problem: Problem, circle: list[str]) -> Fault:
    first = next(node for node in circle if node.startswith("rule "))
    blocks = [int(node.removeprefix("block ")) for node in circle if node.startswith("block ")]
    lessons = [problem.lessons[problem.tied[block][0]].id for block in reversed(blocks)]
    what = f"This order comes back to its beginning: {' before '.join(lessons)}"
    if lessons[0] != lessons[-1]:
        what += f" before {lessons[0]}"
    return Fault(f"/rules/{first.removeprefix('rule ')}", f"{what}.", code="cyclic")
