"""A school's three sessions: who is on the roll, what they scored, when they came, who is kept down."""

from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np

from core.school.simulator import latent
from core.school.simulator.catalogue import LEVELS, STREAMS, SUBJECTS
from core.school.simulator.dice import Bools, Dice, Floats, Ints
from core.school.simulator.people import Town
from core.school.simulator.staffroom import Staffroom, staffroom
from core.school.simulator.terms import SESSIONS, Calendar, calendar_for
from core.school.simulator.worlds import World

PROMOTION_PERCENT = 41.0
"""Below this, at the promotion meeting's discretion, a student repeats the level."""
_DISCRETION_SD = 4.0
_THIRD_TERM_SHARE = 0.6
"""How much the promotion examination counts against the session's average."""
_MOVES_AWAY = 0.02
_LEAVES_WHEN_KEPT_DOWN = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Everything a simulated school follows from. The same recipe always gives the same school."""

    world: World
    seed: int
    code: str
    students: int
    """On the roll of each session."""
    today: date

    def dice(self, *purpose: object) -> Dice:
        """Return the stream of chance for one purpose."""
        return Dice(self.world.name, self.seed, self.code, self.students, *purpose)


@dataclass(frozen=True, slots=True)
class TermResult:
    """What came of one term, a row for each student on the roll."""

    marks: Ints
    """[students, subjects, components]; -1 = missing."""
    attendance: Ints
    """[students, school days]; statuses of ``latent``."""


@dataclass(slots=True)
class Year:
    """One session. ``roll`` holds student numbers, ``level`` and ``place`` (which arm of the level) go with it."""

    session: int
    roll: Ints
    level: Ints
    place: Ints
    taken: Bools
    terms: list[TermResult] = field(default_factory=list)
    failed: Bools | None = None
    """Who failed the year; None while it runs."""


@dataclass(frozen=True, slots=True)
class School:
    """A simulated school."""

    recipe: Recipe
    calendar: Calendar
    staffroom: Staffroom
    town: Town
    years: tuple[Year, ...]

    def arms_of(self, year: Year) -> Ints:
        """Return the arm number of each student on the roll."""
        return year.level * (len(self.staffroom.arms) // len(LEVELS)) + year.place


def simulate(recipe: Recipe) -> School:
    """Return the school that follows from a recipe."""
    calendar = calendar_for(recipe.today)
    staff = staffroom(recipe.world, recipe.dice("staff"), recipe.students)
    town = Town(recipe.world, recipe.dice("town"), STREAMS)
    levels = np.repeat(np.arange(len(LEVELS)), _split(recipe.students, len(LEVELS)))
    run = _Run(recipe, calendar, staff, town)
    minds = latent.new_minds(recipe.world, recipe.dice("minds", 0), len(levels))
    roll = np.array([town.admit(int(level), calendar.first_year).number for level in levels])
    year = run.open_year(0, roll, levels, _places(levels, run.arms_each))
    years = [year]
    for session in range(SESSIONS):
        run.play_terms(year, minds)
        if session + 1 < SESSIONS:
            year, minds = run.next_year(year, minds)
            years.append(year)
    return School(recipe, calendar, staff, town, tuple(years))


@dataclass(slots=True)
class _Run:
    recipe: Recipe
    calendar: Calendar
    staff: Staffroom
    town: Town

    @property
    def arms_each(self) -> int:
        return len(self.staff.arms) // len(LEVELS)

    def open_year(self, session: int, roll: Ints, level: Ints, place: Ints) -> Year:
        streams = [self.town.students[int(number)].stream for number in roll]
        return Year(session, roll, level, place, _taken(level, streams))

    def play_terms(self, year: Year, minds: latent.Minds) -> None:
        """Play the session's terms up to the one that runs."""
        leniency = self._leniency(year)
        for term in self.calendar.terms[year.session * 3 : year.session * 3 + 3]:
            if term.number > self.calendar.current:
                return
            dice = self.recipe.dice("term", term.number)
            effect = self.recipe.world.term_sd * float(dice.normal(1)[0])
            latent.drift(self.recipe.world, dice, minds, term.number)
            marks = latent.term_marks(
                self.recipe.world, dice, minds, taken=year.taken, leniency=leniency, term_effect=effect
            )
            attendance = latent.term_attendance(
                self.recipe.world, dice, minds, len(term.school_days), wave=term.number in self.recipe.world.waves
            )
            year.terms.append(TermResult(marks, attendance))

    def next_year(self, year: Year, minds: latent.Minds) -> tuple[Year, latent.Minds]:
        """Close a session: promote, keep down, see off, and admit the new."""
        dice = self.recipe.dice("promotion", year.session)
        year.failed = _fails(dice, year)
        leaves = dice.uniform(len(year.roll)) < np.where(year.failed, _LEAVES_WHEN_KEPT_DOWN, _MOVES_AWAY)
        leaves |= year.level == len(LEVELS) - 1
        left_on = self.calendar.terms[year.session * 3 + 2].ends_on + timedelta(days=7)
        for number in year.roll[leaves]:
            self.town.students[int(number)].left_on = left_on
        stay = np.flatnonzero(~leaves)
        level = year.level[stay] + ~year.failed[stay]
        return self._admit(year, minds.rows(stay), stay, level)

    def _admit(self, year: Year, minds: latent.Minds, stay: Ints, level: Ints) -> tuple[Year, latent.Minds]:
        session = year.session + 1
        count = self.recipe.students - len(stay)
        new = [self.town.admit(0, self.calendar.first_year + session).number for _ in range(count)]
        fresh = latent.new_minds(self.recipe.world, self.recipe.dice("minds", session), count)
        roll = np.concatenate([year.roll[stay], np.array(new, dtype=np.int64)])
        levels = np.concatenate([level, np.zeros(count, dtype=np.int64)])
        place = np.concatenate([year.place[stay], np.arange(count) % self.arms_each])
        return self.open_year(session, roll, levels, place), minds.with_new(fresh)

    def _leniency(self, year: Year) -> Floats:
        """Return what each student's teacher of each subject adds to a mark; teachers keep their ways."""
        world, dice = self.recipe.world, self.recipe.dice("teachers")
        strict = dice.uniform(len(self.staff.staff)) < 1 / 3
        ways = world.teacher_sd * dice.normal(len(self.staff.staff)) - world.teacher_severity * strict
        by_arm = np.zeros((len(self.staff.arms), len(SUBJECTS)))
        for load in self.staff.loads:
            by_arm[load.arm.number, load.subject] = ways[load.teacher]
        leniency: Floats = by_arm[year.level * self.arms_each + year.place]
        return leniency


def totals(marks: Ints) -> Floats:
    """Return percent [students, subjects]; what is missing counts nothing."""
    result: Floats = np.where(marks < 0, 0, marks).sum(axis=2).astype(np.float64)
    return result


def averages(year: Year, term: int) -> Floats:
    """Return each student's average over the subjects taken in a term of the year (0, 1 or 2)."""
    taken = totals(year.terms[term].marks) * year.taken
    result: Floats = taken.sum(axis=1) / year.taken.sum(axis=1)
    return result


def _fails(dice: Dice, year: Year) -> Bools:
    """Tell who fails the year: the promotion examination, the session, and people's judgement."""
    session = np.mean([averages(year, term) for term in range(3)], axis=0)
    weighed = _THIRD_TERM_SHARE * averages(year, 2) + (1 - _THIRD_TERM_SHARE) * session
    failed: Bools = weighed + _DISCRETION_SD * dice.normal(len(session)) < PROMOTION_PERCENT
    return failed


def _taken(level: Ints, streams: list[str]) -> Bools:
    rows = [
        [subject.is_taken(LEVELS[int(each)][:3], stream) for subject in SUBJECTS]
        for each, stream in zip(level, streams, strict=True)
    ]
    return np.array(rows, dtype=np.bool_).reshape(len(streams), len(SUBJECTS))


def _split(count: int, parts: int) -> list[int]:
    return [count // parts + (part < count % parts) for part in range(parts)]


def _places(levels: Ints, arms: int) -> Ints:
    """Deal the students of each level out to its arms in turn."""
    order = np.concatenate([np.arange(int(size)) for size in np.bincount(levels, minlength=len(LEVELS))])
    return order % arms
