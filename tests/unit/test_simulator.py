"""The simulated school is honest: what can be seen tells of what can't, but never the whole of it."""

import unicodedata
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import date
from functools import cache
from itertools import pairwise

import numpy as np
import phonenumbers
import pytest

from core.errors import InvalidInput
from core.school.defaults import ASSESSMENT
from core.school.simulator import latent
from core.school.simulator.catalogue import COMPONENTS, LEVELS, SUBJECTS
from core.school.simulator.demo_sheet import open_sheet
from core.school.simulator.dice import Floats
from core.school.simulator.history import PUBLISHED, UNFILLED, sheet_progress
from core.school.simulator.identity import Identity
from core.school.simulator.names import TRADITIONS, ascii_word
from core.school.simulator.service import all_batches
from core.school.simulator.simulation import Recipe, School, Year, averages, simulate, totals
from core.school.simulator.staffroom import MOST_PERIODS
from core.school.simulator.terms import calendar_for
from core.school.simulator.users import logins
from core.school.simulator.worlds import WORLDS, world_named

ALL_WORLDS = sorted(WORLDS)
LATE = date(2028, 6, 1)


@cache
def school(world: str = "steady", seed: int = 11, students: int = 600, today: date = LATE) -> School:
    """Return a simulated school, made once."""
    return simulate(Recipe(world=WORLDS[world], seed=seed, code="kcl", students=students, today=today))


def first_term_features(year: Year) -> dict[str, Floats]:
    """Return what a rule could look at after one term; the higher, the worse."""
    term = year.terms[0]
    missing = ((term.marks == latent.MISSING) & year.taken[:, :, None]).sum(axis=(1, 2))
    below = ((totals(term.marks) < 50) & year.taken).sum(axis=1)
    return {
        "average": -averages(year, 0),
        "worst subject": -np.where(year.taken, totals(term.marks), np.inf).min(axis=1),
        "subjects below 50": below / year.taken.sum(axis=1),
        "missing": missing / year.taken.sum(axis=1),
        "absent": np.isin(term.attendance, (latent.ABSENT, latent.EXCUSED)).mean(axis=1),
        "late": (term.attendance == latent.LATE).mean(axis=1),
    }


def auc(score: Floats, label: "np.ndarray[tuple[int], np.dtype[np.bool_]]") -> float:
    """Return the chance that one who failed scores above one who passed (Mann and Whitney, 1947)."""
    above = score[label][:, None] - score[~label][None, :]
    return float((above > 0).mean() + (above == 0).mean() / 2)


@pytest.mark.parametrize("world", ALL_WORLDS)
def test_no_single_feature_decides_who_fails(world: str) -> None:
    """The best rule over one feature of the first term is better than chance and far from certain."""
    for seed in (11, 12, 13):
        year = school(world, seed).years[0]
        assert year.failed is not None
        best = max(auc(feature, year.failed) for feature in first_term_features(year).values())
        assert 0.6 < best < 0.95


@pytest.mark.parametrize("world", ALL_WORLDS)
def test_what_is_seen_hangs_together_the_right_way(world: str) -> None:
    """Good averages go with little missing work and little absence, as far as engagement makes both."""
    feature = first_term_features(school(world).years[0])
    signs = np.corrcoef([feature["average"], feature["missing"], feature["absent"], feature["late"]])
    assert (signs[np.triu_indices(4, 1)] > 0.1).all()
    assert (signs[np.triu_indices(4, 1)] < 0.9).all()


def test_absence_is_not_made_from_marks() -> None:
    """Among students of equal engagement, absence and marks go apart: nothing leads from one to the other."""
    world = replace(WORLDS["steady"], ability_engagement=0.0)
    dice = Recipe(world=world, seed=1, code="x", students=4_000, today=LATE).dice("test")
    minds = latent.new_minds(world, dice, 4_000)
    minds.engagement[:], minds.engagement_now[:] = 0, 0
    taken = np.ones((4_000, len(SUBJECTS)), dtype=np.bool_)
    marks = latent.term_marks(world, dice, minds, taken=taken, leniency=np.zeros(taken.shape), term_effect=0.0)
    days = latent.term_attendance(world, dice, minds, 60, wave=False)
    away = np.isin(days, (latent.ABSENT, latent.EXCUSED)).mean(axis=1)
    missing = (marks < 0).mean(axis=(1, 2))
    together = np.corrcoef([totals(marks).mean(axis=1) + 40 * missing, away, missing])
    assert np.abs(together[np.triu_indices(3, 1)]).max() < 0.08


@pytest.mark.parametrize("world", ALL_WORLDS)
def test_the_exam_is_as_reliable_as_exams_are(world: str) -> None:
    """The same subject's exams of two terms agree as those of schools do, and neither more nor less."""
    year = school(world).years[0]
    first, second = (year.terms[term].marks[:, :, -1] for term in (0, 1))
    both = (first >= 0) & (second >= 0)
    agreements = [
        np.corrcoef(first[both[:, s], s], second[both[:, s], s])[0, 1]
        for s in range(len(SUBJECTS))
        if both[:, s].sum() > 100
    ]
    assert 0.55 < np.mean(agreements) < 0.85


def test_an_assignment_is_less_reliable_than_the_exam() -> None:
    """Components differ in noise: assignments of two terms agree less than exams do."""
    year = school().years[0]
    agreement = []
    for component in (0, len(COMPONENTS) - 1):
        first, second = (year.terms[term].marks[:, 0, component] for term in (0, 1))
        both = (first >= 0) & (second >= 0)
        agreement.append(np.corrcoef(first[both], second[both])[0, 1])
    assert agreement[0] < agreement[1] - 0.05


def test_worlds_differ_in_what_they_are_named_for() -> None:
    """The wave empties classes in its terms, hard markers give less, and shocks take engagement away."""
    away = [np.isin(school("absence-wave").years[t // 3].terms[t % 3].attendance, (1, 3)).mean() for t in range(8)]
    assert min(away[2], away[6]) > 1.5 * max(away[:2] + away[3:6])
    assert averages(school("hard-markers").years[0], 0).mean() < averages(school().years[0], 0).mean() - 2
    late = [(school("shock-term").years[1].terms[term].attendance == latent.LATE).mean() for term in (0, 1)]
    assert late[1] > late[0] * 1.1
    assert len(school("small-rural").staffroom.arms) < len(school().staffroom.arms)


def test_students_move_up_or_stay_down_and_leave() -> None:
    """Everyone is in the next level, in the same one after failing, or has left; the roll stays as large."""
    made = school()
    for before, after in pairwise(made.years):
        assert before.failed is not None
        assert len(after.roll) == 600
        places = dict(zip(after.roll.tolist(), after.level.tolist(), strict=True))
        for number, level, failed in zip(before.roll.tolist(), before.level, before.failed, strict=True):
            if number in places:
                assert places[number] == level + (not failed)
            else:
                assert made.town.students[number].left_on > made.calendar.terms[before.session * 3 + 2].ends_on
        assert not set(before.roll[before.level == len(LEVELS) - 1].tolist()) & places.keys()


def test_teaching_loads_add_up() -> None:
    """Nobody teaches more than a week holds, each arm has its 12 subjects, and class teachers know their class."""
    for world in ("steady", "small-rural"):
        room = school(world).staffroom
        hours: Counter[int] = Counter()
        subjects = defaultdict(set)
        for load in room.loads:
            hours[load.teacher] += load.periods
            subjects[load.arm.number].add(load.subject)
        assert max(hours.values()) <= MOST_PERIODS
        assert {len(taught) for taught in subjects.values()} == {12}
        teaches = {(load.arm.number, load.teacher) for load in room.loads}
        assert all((arm.number, room.class_teachers[arm.number]) in teaches for arm in room.arms)
        assert all("head_of_department" in room.staff[head].roles for head in room.heads)


def test_a_students_week_fits() -> None:
    """What a student takes fills no more than 40 periods a week; options of other streams run beside one's own."""
    made = school()
    for level, taken in zip(made.years[0].level, made.years[0].taken, strict=True):
        week = sum(SUBJECTS[s].periods[LEVELS[level][:3]] for s in np.flatnonzero(taken))
        assert 30 <= week <= 40


def test_brothers_and_sisters_share_guardians() -> None:
    """Children of one home have the same family name and guardians, and some homes have one guardian alone."""
    homes = defaultdict(list)
    for child in school().town.students:
        homes[id(child.home)].append(child)
    several = [children for children in homes.values() if len(children) > 1]
    assert len(several) > 50
    assert all(len({child.family for child in children}) == 1 for children in several)
    assert {len(children[0].home.parents) for children in homes.values()} == {1, 2}


def test_names_are_spelt_in_their_languages() -> None:
    """Names are composed (NFC), carry the marks of their languages, and make plain addresses."""
    everyone = [
        name for tradition in TRADITIONS.values() for name in (*tradition.family, *tradition.female, *tradition.male)
    ]
    assert all(unicodedata.is_normalized("NFC", name) for name in everyone)
    assert {letter for name in everyone for letter in name} >= set("ẹọṣịụɗƙƊ")
    assert all(ascii_word(name).isascii() and len(ascii_word(name)) > 1 for name in everyone)
    assert ascii_word("Ọlátúnjí") == "olatunji"


def test_phones_are_nobodys_mobile_and_mail_goes_nowhere() -> None:
    """Every number is well formed, none is of a mobile network, and every address ends in a reserved domain."""
    identity = Identity(school())
    for parent in identity.school.town.parents:
        number = phonenumbers.parse(identity.parent_phone(parent))
        assert phonenumbers.is_valid_number(number)
        assert phonenumbers.number_type(number) == phonenumbers.PhoneNumberType.UAN
        assert (identity.parent_email(parent) or ".example").endswith(".example")
    phones = {identity.parent_phone(parent) for parent in identity.school.town.parents}
    assert len(phones) == len(identity.school.town.parents)


def test_the_open_sheet_is_a_draft_and_can_be_filled() -> None:
    """One sheet of the current term waits empty, and its marks are known and within the components' bounds."""
    identity = Identity(school())
    calendar = identity.school.calendar
    progress = sheet_progress(identity, calendar.terms[calendar.current])
    assert set(progress) == {0, 1, 2, 3, 4}
    assert set(sheet_progress(identity, calendar.terms[calendar.current - 1])) == {PUBLISHED}
    sheet = open_sheet(identity)
    assert sheet.class_arm_name == "JSS 2 Ruby"
    assert progress[next(n for n in range(len(progress)) if sheet.id.int & 0xFFFF == n + 8 * len(progress))] == UNFILLED
    maxima = {component.code: component.max for component in ASSESSMENT.components}
    assert len({student for student, _ in sheet.marks}) > 20
    assert all(mark.value is None or 0 <= mark.value <= maxima[code] for (_, code), mark in sheet.marks.items())


def test_components_are_those_of_the_default_policy() -> None:
    """What the simulator marks is what the default policy asks."""
    assert [(c.code, c.maximum) for c in COMPONENTS] == [(c.code, c.max) for c in ASSESSMENT.components]


def test_a_later_day_of_the_term_only_adds() -> None:
    """What was marked and paid by a day stays as it was when the same school is looked at later."""
    early, later = (Identity(school(students=72, today=day)) for day in (date(2028, 5, 8), LATE))
    before, after = ({b.table: b for b in all_batches(each) if b.table == "students"} for each in (early, later))
    assert before == after
    for first, second in zip(early.school.years, later.school.years, strict=True):
        for one, other in zip(first.terms, second.terms, strict=True):
            assert (one.marks == other.marks).all()
            assert (one.attendance == other.attendance).all()


@pytest.mark.parametrize(
    ("today", "session", "number"),
    [
        (date(2027, 9, 12), "2026/2027", 3),
        (date(2027, 9, 13), "2027/2028", 1),
        (date(2028, 1, 5), "2027/2028", 1),
        (date(2028, 3, 1), "2027/2028", 2),
        (date(2028, 8, 1), "2027/2028", 3),
    ],
)
def test_the_current_term_is_the_last_to_have_begun(today: date, session: str, number: int) -> None:
    """Three sessions end with the one of today; in the holidays the term before them is still the current one."""
    calendar = calendar_for(today)
    term = calendar.terms[calendar.current]
    assert calendar.session_name(2) == session
    assert (term.session, term.number_in_session) == (2, number)


def test_terms_do_not_overlap_and_have_about_sixty_days() -> None:
    """A term has 50 to 65 school days, none on a weekend or on Independence Day."""
    terms = calendar_for(LATE).terms
    assert all(one.ends_on < other.starts_on for one, other in pairwise(terms))
    assert all(50 <= len(term.school_days) <= 65 for term in terms)
    assert all(day.weekday() < 5 and (day.month, day.day) != (10, 1) for term in terms for day in term.school_days)


def test_logins_stand_for_every_role_of_a_school() -> None:
    """There is a login for each role, each with a user name of its own."""
    given = logins(Identity(school()))
    assert len({login.role for login in given}) == len(given) == 8
    assert len({login.username for login in given}) == 8


def test_an_unknown_world_is_told_with_the_known() -> None:
    """A wrong world's name is answered with those there are."""
    with pytest.raises(InvalidInput, match="steady"):
        world_named("nowhere")
