"""The weekly loads of a portals' request as lessons: split into blocks, each week's own, options side by side."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from core.errors import Fault
from core.timetable.formats.school_request import (
    Assignment,
    DoublePeriod,
    OptionBlock,
    Part,
    RoomConstraint,
    SchoolRequest,
    Taught,
    Week,
)
from core.timetable.formats.school_week import SchoolWeek
from core.timetable.model import Group, Lesson, RoomChoice, RoomNeed
from core.timetable.rules.base import Rule
from core.timetable.rules.preferred_slots import PreferredSlots
from core.timetable.rules.same_start import SameStart
from core.timetable.rules.selecting import Lessons
from core.timetable.rules.slots_apart import SlotsApart


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is taught so many periods a week, wherever in the request it stands."""

    where: str
    course: str
    taught: Taught
    classes: tuple[str, ...]
    groups: tuple[str, ...]
    periods: int
    doubles: int
    week: Week | None
    mark: str
    """Tells loads of one course apart."""
    follows: bool = False
    """It starts whenever the first option of its block does."""


class SchoolLoads:
    """Reads loads and option blocks; what can't be is noted in ``faults``."""

    def __init__(self, request: SchoolRequest, week: SchoolWeek, names: Mapping[str, str], faults: list[Fault]) -> None:
        self._request = request
        self._wanted = request.constraints
        self._week = week
        self._names = names
        self._faults = faults
        self._parts = {part.id: part for part in reversed(self._wanted.groups)}
        self.loads = (*self._assigned(), *self._optional())
        self.lessons = tuple(lesson for load in self.loads for lesson in self._lessons(load))

    def parts(self) -> Iterator[Group]:
        """Yield the parts of classes: those that are given, and one an option and class of each option block."""
        known = {one for load in self.loads for one in load.classes}
        for i, part in enumerate(self._wanted.groups):
            self._check_part(f"/constraints/groups/{i}", part, known)
            name = part.name or part.id
            yield _part(part.id, name, within=part.class_arm_id, division=part.division, size=part.size)
        for i, block in enumerate(self._wanted.option_blocks):
            for number, option in enumerate(block.options):
                for one in dict.fromkeys(block.class_arm_ids):
                    name = f"{self._name(one)}, {self._name(option.subject_id)}"
                    yield _part(_option_group(i, number, one), name, within=one, division=block.name)

    def rules(self) -> Iterator[Rule]:
        """Yield what keeps options side by side, each load in its week, and both weeks alike."""
        for i, block in enumerate(self._wanted.option_blocks):
            for week in self._weeks_of(block.week):
                courses = {_in_week(load.course, week) for load in self.loads if load.where.startswith(_block_at(i))}
                if len(courses) > 1:
                    yield SameStart(lessons=Lessons(courses=tuple(sorted(courses))))
        if self._request.weeks > 1:
            yield from self._week_rules()

    def meant(self, class_arm: str) -> tuple[str, ...]:
        """Return a class with its parts, all of whose lessons are lessons of it."""
        options = (
            _option_group(i, number, class_arm)
            for i, block in enumerate(self._wanted.option_blocks)
            if class_arm in block.class_arm_ids
            for number in range(len(block.options))
        )
        own = (part.id for part in self._wanted.groups if part.class_arm_id == class_arm)
        return (class_arm, *own, *options)

    def _assigned(self) -> Iterator[Load]:
        for i, load in enumerate(self._wanted.teacher_assignments):
            where, groups = f"/constraints/teacherAssignments/{i}", self._groups(i, load)
            self._week.require_week(f"{where}/week", load.week)
            doubles = [one.count for one in self._wanted.double_periods if _is_meant(one, load, load.classes)]
            yield Load(
                where=where,
                course=_course(i, load, groups),
                taught=load,
                classes=load.classes,
                groups=groups,
                periods=load.periods_per_week,
                doubles=self._doubles(where, load, load.classes, max(doubles, default=0)),
                week=load.week,
                mark=str(i),
            )

    def _groups(self, number: int, load: Assignment) -> tuple[str, ...]:
        """Return the groups of a load: each class, or the parts of it that are named in its place."""
        parts: list[Part] = []
        for j, one in enumerate(load.group_ids):
            part = self._parts.get(one)
            if part is None or part.class_arm_id not in load.classes:
                what = f"“{one}” is no part of a class of this load; list it in groups."
                where = f"/constraints/teacherAssignments/{number}/groupIds/{j}"
                self._faults.append(Fault(where, what, code="unknown"))
            else:
                parts.append(part)
        whole = (one for one in load.classes if all(part.class_arm_id != one for part in parts))
        return tuple(dict.fromkeys((*whole, *(part.id for part in parts))))

    def _optional(self) -> Iterator[Load]:
        names: set[str] = set()
        for i, block in enumerate(self._wanted.option_blocks):
            where = f"/constraints/optionBlocks/{i}"
            self._week.require_week(f"{where}/week", block.week)
            if block.name in names:
                what = f"There is an option block “{block.name}” already."
                self._faults.append(Fault(f"{where}/name", what, code="duplicate"))
            names.add(block.name)
            self._check_staff(f"{where}/options", block)
            if 2 * block.double_periods > block.periods_per_week:
                what = f"{block.name} has {block.periods_per_week} periods, too few for {block.double_periods} doubles."
                self._faults.append(Fault(f"{where}/doublePeriods", what))
                continue
            yield from (self._option(i, block, number) for number in range(len(block.options)))

    def _check_staff(self, where: str, block: OptionBlock) -> None:
        """Note a teacher who would have to be in two options at once."""
        seen: set[str] = set()
        for j, option in enumerate(block.options):
            for one in option.teachers:
                if one in seen:
                    what = f"{self._name(one)} teaches another option of {block.name}, which is at the same time."
                    self._faults.append(Fault(f"{where}/{j}/teacherId", what, code="duplicate"))
                seen.add(one)

    def _option(self, i: int, block: OptionBlock, number: int) -> Load:
        option, classes = block.options[number], tuple(dict.fromkeys(block.class_arm_ids))
        return Load(
            where=f"{_block_at(i)}{number}",
            course=f"option {i + 1}.{number + 1}/{option.subject_id}/{option.teacher_id}",
            taught=option,
            classes=classes,
            groups=tuple(_option_group(i, number, one) for one in classes),
            periods=block.periods_per_week,
            doubles=block.double_periods,
            week=block.week,
            mark=str(i),
            follows=number > 0,
        )

    def _doubles(self, where: str, load: Assignment, classes: Iterable[str], doubles: int) -> int:
        if 2 * doubles > load.periods_per_week:
            subject, group = self._name(load.subject_id), " and ".join(map(self._name, classes))
            what = f"{subject} in {group} has {load.periods_per_week} periods, too few for {doubles} doubles."
            self._faults.append(Fault(f"{where}/periodsPerWeek", what))
            return 0
        return doubles

    def _lessons(self, load: Load) -> Iterator[Lesson]:
        for week in self._weeks_of(load.week):
            course = _in_week(load.course, week)
            for i, duration in enumerate([2] * load.doubles + [1] * (load.periods - 2 * load.doubles)):
                yield Lesson(
                    id=f"{course}/{load.mark}.{i + 1}",
                    course=course,
                    subject=load.taught.subject_id,
                    teachers=load.taught.teachers,
                    groups=load.groups,
                    duration=duration,
                    rooms=self._needs(load),
                )

    def _weeks_of(self, week: Week | None) -> tuple[Week | None, ...]:
        return (week,) if week is not None else self._week.weeks

    def _needs(self, load: Load) -> tuple[RoomNeed, ...]:
        meant = (one for one in self._wanted.room_constraints if _is_meant(one, load.taught, load.classes))
        rooms = dict.fromkeys(room for one in meant for room in one.rooms)
        return (RoomNeed(choices=tuple(RoomChoice(room=room) for room in rooms)),) if rooms else ()

    def _week_rules(self) -> Iterator[Rule]:
        courses: dict[Week, list[str]] = {"A": [], "B": []}
        for load in self.loads:
            for week, those in courses.items():
                if load.week in {None, week}:
                    those.append(_in_week(load.course, week))
        for week, those in courses.items():
            if those:
                chosen = Lessons(courses=tuple(dict.fromkeys(those)))
                yield PreferredSlots(lessons=chosen, slots=self._week.of_week(week), hard=True)
        both = [
            lesson for load in self.loads if load.week is None and not load.follows for lesson in self._lessons(load)
        ]
        if both:
            first = tuple(lesson.id for lesson in both if lesson.course.endswith("/A"))
            second = tuple(lesson.id for lesson in both if lesson.course.endswith("/B"))
            apart = self._week.calendar.slots // 2
            yield SlotsApart(first=Lessons(lessons=first), second=Lessons(lessons=second), slots=apart)

    def _check_part(self, where: str, part: Part, known: set[str]) -> None:
        if part.class_arm_id not in known:
            what = f"No load has the class “{part.class_arm_id}”."
            self._faults.append(Fault(f"{where}/classArmId", what, code="unknown"))
        if self._parts[part.id] is not part or part.id in known:
            self._faults.append(Fault(f"{where}/id", f"There is a group “{part.id}” already.", code="duplicate"))

    def _name(self, one: str) -> str:
        return self._names.get(one, one)


def _is_meant(one: DoublePeriod | RoomConstraint, taught: Taught, classes: Iterable[str]) -> bool:
    return one.subject_id == taught.subject_id and (one.class_arm_id is None or one.class_arm_id in classes)


def _part(one: str, name: str, *, within: str, division: str, size: int | None = None) -> Group:
    return Group(id=one, name=name[:200], within=within, division=division, size=size)


def _course(number: int, load: Assignment, groups: tuple[str, ...]) -> str:
    """Return the course of a load. Of several teachers or groups the first are named, and the load's number."""
    course = f"{groups[0]}/{load.subject_id}/{load.teacher_id}"
    return course if len(groups) == len(load.teachers) == 1 else f"{course}/{number + 1}"


def _option_group(block: int, number: int, class_arm: str) -> str:
    return f"{class_arm}/option {block + 1}.{number + 1}"


def _block_at(number: int) -> str:
    return f"/constraints/optionBlocks/{number}/options/"


def _in_week(course: str, week: Week | None) -> str:
    return course if week is None else f"{course}/{week}"
