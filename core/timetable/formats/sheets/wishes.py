"""The wishes of a school in words, each as a rule and back."""

from collections.abc import Callable
from dataclasses import dataclass

from core.timetable.formats.sheets.tables import TableRow
from core.timetable.formats.sheets.times import slots_in, words_of
from core.timetable.model import Problem
from core.timetable.rules.avoided_slots import AvoidedSlots
from core.timetable.rules.base import Rule
from core.timetable.rules.blocks_within_breaks import BlocksWithinBreaks
from core.timetable.rules.compact_day import CompactDay
from core.timetable.rules.gaps import Gaps
from core.timetable.rules.not_right_after import NotRightAfter
from core.timetable.rules.one_block_a_day import OneBlockADay
from core.timetable.rules.periods_a_day import PeriodsADay
from core.timetable.rules.periods_in_a_row import PeriodsInARow
from core.timetable.rules.preferred_slots import PreferredSlots
from core.timetable.rules.selecting import EVERY, Lessons, People
from core.timetable.rules.working_days import WorkingDays

_EVERYBODY = {
    "all teachers": People(teachers=EVERY),
    "all classes": People(groups=EVERY),
    "everybody": People(teachers=EVERY, groups=EVERY),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """One wish with whom it is for."""

    row: TableRow
    problem: Problem

    @property
    def terms(self) -> dict[str, int | bool]:
        """Whether it is a law, and what it is worth."""
        weight = self.row.number("Weight", 1_000_000, 1) or 1
        return {"hard": self.row.is_yes("Must", default=False), "weight": weight}

    def people(self) -> People:
        """Return for whom: teachers and classes by name, or all of them."""
        text = self.row.text("For").casefold()
        if text in _EVERYBODY or not text:
            return _EVERYBODY[text or "everybody"]
        names = self.row.names("For")
        teachers = tuple(name for name in names if name in self.problem.teacher)
        groups = tuple(name for name in names if name in self.problem.group)
        self._known([*teachers, *groups])
        return People(teachers=teachers, groups=groups)

    def lessons(self) -> Lessons:
        """Return for which lessons: of subjects, of teachers or of classes by name; all where nothing is named."""
        names, problem = self.row.names("For"), self.problem
        kinds = {"subjects": problem.subject, "teachers": problem.teacher, "groups": problem.group}
        chosen = {kind: tuple(name for name in names if name in there) for kind, there in kinds.items()}
        self._known([name for named in chosen.values() for name in named])
        if sum(bool(named) for named in chosen.values()) > 1:
            self.row.fault("For", "name subjects, or teachers, or classes: a wish is for one kind of them")
        return Lessons(**chosen)

    def _known(self, found: list[str]) -> None:
        for name in self.row.names("For"):
            if name not in found:
                self.row.fault("For", f"nobody and no subject is called “{name[:80]}”", "unknown")

    def slots(self) -> tuple[int, ...]:
        """Return the times in the value."""
        found = slots_in(self.row.text("Value"), self.problem.calendar)
        if isinstance(found, str) or not found:
            told = found if isinstance(found, str) else "times are expected, as in Monday; Tuesday 1-3"
            self.row.fault("Value", str(told))
            return (0,)
        return tuple(sorted(found))

    def number(self, default: int, most: int = 48) -> int:
        """Return the number in the value."""
        return self.row.number("Value", most, default) or default

    def after(self) -> Lessons:
        """Return the lessons of the subjects in the value."""
        names = self.row.names("Value")
        for name in names:
            if name not in self.problem.subject:
                self.row.fault("Value", f"no subject is called “{name[:80]}”", "unknown")
        return Lessons(subjects=tuple(name for name in names if name in self.problem.subject))


WISHES: dict[str, Callable[[Asked], Rule]] = {
    "no free periods between": lambda a: Gaps(people=a.people(), most=a.number(0), **a.terms),
    "at most periods a day": lambda a: PeriodsADay(people=a.people(), most=a.number(6), **a.terms),
    "at most periods in a row": lambda a: PeriodsInARow(people=a.people(), most=a.number(4), **a.terms),
    "at most days a week": lambda a: WorkingDays(people=a.people(), most=a.number(5), **a.terms),
    "begins with the first period": lambda a: CompactDay(people=a.people(), **a.terms),
    "once a day": lambda a: OneBlockADay(lessons=a.lessons(), **a.terms),
    "no double across a break": lambda a: BlocksWithinBreaks(lessons=a.lessons(), **a.terms),
    "only at": lambda a: PreferredSlots(lessons=a.lessons(), slots=a.slots(), **a.terms),
    "not at": lambda a: AvoidedSlots(lessons=a.lessons(), slots=a.slots(), **a.terms),
    "not right after": lambda a: NotRightAfter(first=a.after(), second=a.lessons(), **a.terms),
}
"""What may stand in the column Wish."""


def wish_of(row: TableRow, problem: Problem) -> Rule | None:
    """Return a row's wish as a rule; None where it is a mistake, which is told."""
    make = WISHES.get(row.text("Wish").casefold())
    if make is None:
        row.fault("Wish", f"no wish is called “{row.text('Wish')[:40]}”: there are {', '.join(WISHES)}", "unknown")
        return None
    return make(Asked(row, problem))


def words_of_rule(rule: Rule, problem: Problem) -> tuple[str, str, str] | None:
    """Return a rule as (wish, for, value); None where the sheet has no words for it."""
    named = _NAMES.get(rule.kind)
    if named is None or _says_more(rule):
        return None
    chosen: People | Lessons = next(
        getattr(rule, name) for name in ("people", "second", "lessons") if hasattr(rule, name)
    )
    whom = _whom(chosen)
    if whom is None:
        return None
    if isinstance(rule, NotRightAfter):
        return (named, whom, ", ".join(rule.first.subjects)) if rule.first.subjects else None
    if isinstance(rule, (PreferredSlots, AvoidedSlots)):
        return named, whom, words_of(rule.slots, problem.calendar)
    most = getattr(rule, "most", None)
    return named, whom, "" if most is None or isinstance(rule, OneBlockADay) else str(most)


_NAMES = {
    "gaps": "no free periods between",
    "periods_a_day": "at most periods a day",
    "periods_in_a_row": "at most periods in a row",
    "working_days": "at most days a week",
    "compact_day": "begins with the first period",
    "one_block_a_day": "once a day",
    "blocks_within_breaks": "no double across a break",
    "preferred_slots": "only at",
    "avoided_slots": "not at",
    "not_right_after": "not right after",
}


def _says_more(rule: Rule) -> bool:
    """Tell whether a rule has a parameter that no column holds."""
    held = {"kind", "hard", "weight", "people", "lessons", "first", "second", "slots"}
    held |= set() if isinstance(rule, OneBlockADay) else {"most"}
    fields = type(rule).model_fields
    return any(getattr(rule, name) != fields[name].get_default() for name in fields.keys() - held)


def _whom(chosen: People | Lessons) -> str | None:
    if isinstance(chosen, People):
        words = next((word for word, people in _EVERYBODY.items() if people == chosen), None)
        return words or (
            None if EVERY in {chosen.teachers, chosen.groups} else ", ".join((*chosen.teachers, *chosen.groups))
        )
    if chosen.lessons or chosen.courses:
        return None
    named = [names for names in (chosen.subjects, chosen.teachers, chosen.groups) if names]
    return ", ".join(named[0]) if len(named) == 1 else None if named else ""
