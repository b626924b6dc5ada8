"""The school as an employer: arms, departments, staff, and who teaches what to whom."""

from collections import defaultdict
from dataclasses import dataclass, field

from core.school.simulator.catalogue import ARM_NAMES, DEPARTMENTS, LEVELS, SUBJECTS, Subject
from core.school.simulator.dice import Dice
from core.school.simulator.names import family_name, given_names
from core.school.simulator.worlds import World

_TITLES = {"female": (("Mrs", 0.6), ("Miss", 0.3), ("Dr", 0.1)), "male": (("Mr", 0.9), ("Dr", 0.1))}
MOST_PERIODS = 26
"""What one teacher is given a week, at most."""


@dataclass(frozen=True, slots=True)
class Arm:
    """A class. ``level`` counts from 0 (JSS 1)."""

    number: int
    level: int
    name: str

    @property
    def stage(self) -> str:
        """JSS or SSS."""
        return LEVELS[self.level][:3]

    @property
    def full_name(self) -> str:
        """``JSS 2 Ruby``."""
        return f"{LEVELS[self.level]} {self.name}"


@dataclass(slots=True)
class Colleague:
    """A member of staff, and the roles held."""

    number: int
    title: str
    family: str
    given: str
    roles: set[str] = field(default_factory=set)
    department: int | None = None

    @property
    def display_name(self) -> str:
        """How letters address them."""
        return f"{self.title} {self.given.split()[0]} {self.family}"


@dataclass(frozen=True, slots=True)
class Load:
    """One subject taught to one arm."""

    arm: Arm
    subject: int
    teacher: int
    periods: int
    elective: bool


@dataclass(frozen=True, slots=True)
class Staffroom:
    """Everyone who works here, and the work."""

    arms: tuple[Arm, ...]
    staff: tuple[Colleague, ...]
    loads: tuple[Load, ...]
    heads: tuple[int, ...]
    """A member of staff for each department."""
    class_teachers: tuple[int, ...]
    """A member of staff for each arm."""
    principal: int
    admin: int
    bursar: int

    def head_over(self, teacher: int) -> int:
        """Return the head of a teacher's department."""
        department = self.staff[teacher].department
        return self.principal if department is None else self.heads[department]


def staffroom(world: World, dice: Dice, students: int) -> Staffroom:
    """Return the staff a school of this size needs."""
    arms = _arms(world, students)
    staff = [_hire(world, dice, number) for number in range(3)]
    for colleague, role in zip(staff, ("principal", "school_admin", "bursar"), strict=True):
        colleague.roles.add(role)
    loads: list[Load] = []
    for department in range(len(DEPARTMENTS)):
        loads += _staff_department(world, dice, department, arms, staff)
    heads = tuple(_head(staff, department) for department in range(len(DEPARTMENTS)))
    class_teachers = _class_teachers(arms, loads, staff)
    return Staffroom(arms, tuple(staff), tuple(loads), heads, class_teachers, principal=0, admin=1, bursar=2)


def _arms(world: World, students: int) -> tuple[Arm, ...]:
    each = min(len(ARM_NAMES), max(1, round(students / len(LEVELS) / world.arm_size)))
    places = [(level, name) for level in range(len(LEVELS)) for name in ARM_NAMES[:each]]
    return tuple(Arm(number, level, name) for number, (level, name) in enumerate(places))


def _hire(world: World, dice: Dice, number: int) -> Colleague:
    tradition = dice.weighted(world.traditions)
    gender = "female" if dice.happens(0.5) else "male"
    title = dice.weighted(_TITLES[gender])
    return Colleague(number, title, family_name(dice, tradition), given_names(dice, tradition, gender))


def _staff_department(
    world: World, dice: Dice, department: int, arms: tuple[Arm, ...], staff: list[Colleague]
) -> list[Load]:
    """Fill one teacher after another with the department's lessons, a subject at a time."""
    loads: list[Load] = []
    room = 0
    for index, subject, arm in _lessons(department, arms):
        periods = subject.periods[arm.stage]
        if room < periods:
            staff.append(_hire(world, dice, len(staff)))
            staff[-1].roles.add("subject_teacher")
            staff[-1].department = department
            room = MOST_PERIODS
        room -= periods
        loads.append(Load(arm, index, staff[-1].number, periods, subject.is_elective(arm.stage)))
    return loads


def _lessons(department: int, arms: tuple[Arm, ...]) -> list[tuple[int, Subject, Arm]]:
    return [
        (index, subject, arm)
        for index, subject in enumerate(SUBJECTS)
        if subject.department == DEPARTMENTS[department]
        for arm in arms
        if arm.stage in subject.periods
    ]


def _head(staff: list[Colleague], department: int) -> int:
    """Make the last hired of a department its head, who has the fewest lessons."""
    head = next(colleague for colleague in reversed(staff) if colleague.department == department)
    head.roles.add("head_of_department")
    return head.number


def _class_teachers(arms: tuple[Arm, ...], loads: list[Load], staff: list[Colleague]) -> tuple[int, ...]:
    """Give each arm one of its own teachers, who has no other arm yet where that can be."""
    teaching = defaultdict(list)
    for load in loads:
        teaching[load.arm.number].append(load.teacher)
    taken: list[int] = []
    for arm in arms:
        free = [teacher for teacher in teaching[arm.number] if teacher not in taken]
        taken.append((free or teaching[arm.number])[0])
        staff[taken[-1]].roles.add("class_teacher")
    return tuple(taken)
