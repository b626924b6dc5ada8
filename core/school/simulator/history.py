"""What happened in a simulated school, as rows: marks and attendance, a term at a time."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

import numpy as np

from core.school.defaults import DEFAULT_POLICIES
from core.school.model import PolicyKind, Stage
from core.school.simulator.batches import Batch, Kind, batch
from core.school.simulator.catalogue import COMPONENTS
from core.school.simulator.dice import Bools, Ints
from core.school.simulator.identity import Identity
from core.school.simulator.simulation import Year
from core.school.simulator.staffroom import Load
from core.school.simulator.terms import Term
from core.school.simulator.users import demo_load

UNFILLED, PARTIAL, SUBMITTED, APPROVED, PUBLISHED = range(5)
"""How far a sheet has come: an empty draft, one with the continuous assessment in, and onwards."""
_STATE_NAMES = ("draft", "draft", "submitted", "approved", "published")
_STEPS_DONE = (0, 0, 0, 2, 2)
_CURRENT = ((UNFILLED, 0.3), (PARTIAL, 0.25), (SUBMITTED, 0.2), (APPROVED, 0.1), (PUBLISHED, 0.15))
_CHAIN = (
    ("submit", "draft", "submitted", "subject_teacher"),
    ("approve", "submitted", "submitted", "head_of_department"),
    ("approve", "submitted", "approved", "principal"),
    ("publish", "approved", "published", "principal"),
)
_CHAIN_LENGTH = (0, 0, 1, 3, 4)
_ATTENDANCE = np.array(("present", "absent", "late", "excused"), dtype=object)
_STATUS = np.array(("absent", "scored"), dtype=object)
_EXAM = len(COMPONENTS) - 1


def history_batches(identity: Identity) -> Iterator[Batch]:
    """Yield marks and attendance of every term that has begun."""
    for year in identity.school.years:
        for place in range(len(year.terms)):
            term = identity.school.calendar.terms[year.session * 3 + place]
            progress = sheet_progress(identity, term)
            yield _sheets(identity, term, progress)
            yield _steps(identity, term, progress)
            yield _marks(identity, year, term, progress)
            yield from _attendance(identity, year, term)


def sheet_progress(identity: Identity, term: Term) -> list[int]:
    """Return how far the sheet of each teaching load has come; the demo's own waits for its workbook."""
    loads = identity.school.staffroom.loads
    if term.number < identity.school.calendar.current:
        return [PUBLISHED] * len(loads)
    dice, demo = identity.school.recipe.dice("progress", term.number), demo_load(identity)
    drawn = [dice.weighted(_CURRENT) for _ in loads]
    return [UNFILLED if load == demo else far for load, far in zip(loads, drawn, strict=True)]


def sheet_id(identity: Identity, term: Term, load: int) -> UUID:
    """Return the id of the sheet of a teaching load in a term."""
    return identity.ids.of(Kind.SHEET, term.number * len(identity.school.staffroom.loads) + load)


def _sheets(identity: Identity, term: Term, progress: list[int]) -> Batch:
    ids = identity.ids
    rows = [
        (
            sheet_id(identity, term, number),
            ids.of(Kind.TERM, term.number),
            ids.of(Kind.ARM, load.arm.number),
            ids.of(Kind.SUBJECT, load.subject),
            _policy(identity, PolicyKind.ASSESSMENT, load),
            _policy(identity, PolicyKind.GRADING, load),
            _policy(identity, PolicyKind.APPROVAL, load),
            _STATE_NAMES[far],
            _STEPS_DONE[far],
            _step_time(identity, term, 3) if far == PUBLISHED else None,
        )
        for number, (load, far) in enumerate(zip(identity.school.staffroom.loads, progress, strict=True))
    ]
    return batch(
        "mark_sheets",
        "id term_id class_arm_id subject_id assessment_policy_id grading_policy_id approval_policy_id state steps_done "
        "published_at",
        rows,
    )


def _policy(identity: Identity, kind: PolicyKind, load: Load) -> UUID:
    stage = Stage(load.arm.stage)
    fitting = (n for n, (k, s, _, _) in enumerate(DEFAULT_POLICIES) if k is kind and s in {None, stage})
    return identity.ids.of(Kind.POLICY, next(fitting))


def _steps(identity: Identity, term: Term, progress: list[int]) -> Batch:
    room, loads = identity.school.staffroom, identity.school.staffroom.loads
    rows = []
    for number, far in enumerate(progress):
        actors = (loads[number].teacher, room.head_over(loads[number].teacher), room.principal, room.principal)
        for step in range(_CHAIN_LENGTH[far]):
            action, before, after, role = _CHAIN[step]
            rows.append(
                (
                    identity.ids.of(Kind.STEP, (term.number * len(loads) + number) * len(_CHAIN) + step),
                    sheet_id(identity, term, number),
                    action,
                    before,
                    after,
                    identity.ids.of(Kind.STAFF_USER, actors[step]),
                    role,
                    _step_time(identity, term, step),
                )
            )
    return batch("mark_sheet_steps", "id sheet_id action from_state to_state actor_id role at", rows)


def _step_time(identity: Identity, term: Term, step: int) -> datetime:
    """Return when a step was taken: in the last days of a term gone by, in these days of the one that runs."""
    ended = term.number < identity.school.calendar.current
    last = term.ends_on if ended else identity.school.recipe.today - timedelta(days=1)
    return datetime.combine(last - timedelta(days=3 - step), time(12 + step), UTC)


def _marks(identity: Identity, year: Year, term: Term, progress: list[int]) -> Batch:
    marks = year.terms[term.number % 3].marks
    sheets = _sheet_numbers(identity, year)
    rows, subjects, components = np.nonzero(_recorded(marks, year.taken, sheets, np.array(progress)))
    sheet = sheets[rows, subjects]
    order = np.lexsort((components, rows, sheet))
    rows, subjects, components, sheet = rows[order], subjects[order], components[order], sheet[order]
    value = marks[rows, subjects, components]
    ids = np.array([sheet_id(identity, term, n) for n in range(len(progress))], dtype=object)
    codes = np.array([component.code for component in COMPONENTS], dtype=object)
    when = _step_time(identity, term, 0)
    return Batch(
        "marks",
        {
            "sheet_id": ids[sheet].tolist(),
            "student_id": _student_ids(identity, year)[rows].tolist(),
            "component": codes[components].tolist(),
            "status": _STATUS[(value >= 0).astype(np.int64)].tolist(),
            "value": [None if each < 0 else each for each in value.tolist()],
            "updated_at": [when] * len(value),
        },
    )


def _recorded(marks: Ints, taken: Bools, sheets: Ints, progress: Ints) -> Bools:
    """Tell which cells are rows: scored ones, and exams not sat; what was not handed in has none."""
    far = progress[sheets]
    shown = (marks >= 0) & taken[:, :, None]
    shown[:, :, _EXAM] = taken & (far != PARTIAL)
    recorded: Bools = shown & (far != UNFILLED)[:, :, None]
    return recorded


def _sheet_numbers(identity: Identity, year: Year) -> Ints:
    """Return the number of the teaching load of each student in each subject [students, subjects]; 0 where none."""
    school = identity.school
    numbers = np.zeros((len(school.staffroom.arms), year.taken.shape[1]), dtype=np.int64)
    for number, load in enumerate(school.staffroom.loads):
        numbers[load.arm.number, load.subject] = number
    by_student: Ints = numbers[school.arms_of(year)]
    return by_student


def _student_ids(identity: Identity, year: Year) -> np.ndarray[tuple[int], np.dtype[np.object_]]:
    return np.array([identity.ids.of(Kind.STUDENT, int(number)) for number in year.roll], dtype=object)


def _attendance(identity: Identity, year: Year, term: Term) -> Iterator[Batch]:
    room, ids = identity.school.staffroom, identity.ids
    days = [day for day in term.school_days if day < identity.school.recipe.today]
    registers = [
        (
            _register_id(identity, term, arm, place),
            ids.of(Kind.ARM, arm),
            day,
            ids.of(Kind.STAFF_USER, room.class_teachers[arm]),
            _called(day),
        )
        for place, day in enumerate(days)
        for arm in range(len(room.arms))
    ]
    yield batch("attendance_registers", "id class_arm_id day marked_by marked_at", registers)
    yield _attendance_rows(identity, year, term, len(days))


def _attendance_rows(identity: Identity, year: Year, term: Term, days: int) -> Batch:
    """Return a row for each student and day, day by day and class by class."""
    arms = identity.school.arms_of(year)
    order = np.argsort(arms, kind="stable")
    status = year.terms[term.number % 3].attendance[order][:, :days].T.reshape(-1)
    registers = [[_register_id(identity, term, arm, day) for arm in range(int(arms.max()) + 1)] for day in range(days)]
    students = _student_ids(identity, year)[order].tolist()
    return Batch(
        "attendance",
        {
            "register_id": [registers[day][arm] for day in range(days) for arm in arms[order].tolist()],
            "student_id": students * days,
            "status": _ATTENDANCE[status].tolist(),
        },
    )


def _register_id(identity: Identity, term: Term, arm: int, day: int) -> UUID:
    return identity.ids.of(Kind.REGISTER, (term.number * 100 + day) * 100 + arm)


def _called(day: date) -> datetime:
    """Return when the register of a day was called: 8.10 in Lagos."""
    return datetime.combine(day, time(7, 10), UTC)
