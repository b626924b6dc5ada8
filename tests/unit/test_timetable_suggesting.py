"""Suggested changes: the known best is found, also through a third lesson, and each is worth what the checker says."""

from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InvalidInput
from core.timetable.checker import score, validate
from core.timetable.lowering import lower
from core.timetable.model import Problem, Timetable
from core.timetable.suggesting import suggest
from core.timetable.suggesting_board import Board
from tests.factories.placed_schools import placed_school
from tests.factories.program_cost import rules_cost
from tests.factories.small_problems import random_assignment, small_problem
from tests.factories.tiny_school import lesson, rule, school, timetable

NO_GAPS = rule("gaps", people={"teachers": ["*"]}, hard=False)
OKAFOR = ("okafor",)
SEEDS = st.integers(0, 2**32)


def test_a_gap_is_closed_by_moving_what_makes_it() -> None:
    """Against a teacher's gap on Monday the best change brings the lone lesson next to the others."""
    problem = school(lesson("maths"), lesson("bio", "Biology"), lesson("pe", "PE"), rules=(NO_GAPS,))
    found = suggest(problem, timetable(maths=0, bio=1, pe=3), who=("teacher", "bello"), slots=[2], seconds=5)
    assert (found[0].gain, len(found[0].moves)) == ((0, 1), 1)
    assert found[0].mends == ("Mrs Bello has 1 free period between lessons on Monday; at most 0 may be.",)
    assert found[0].sentence.startswith("Move JSS 1 Ruby ")
    assert found[0].sentence.endswith("It saves 1 point.")
    assert not found[0].adds


def test_a_swap_goes_where_no_slot_is_free() -> None:
    """Two lessons change places where the one is only better off in the other's slot."""
    early = rule("preferred_slots", lessons={"lessons": ["maths"]}, slots=[0], hard=False)
    problem = school(lesson("maths"), lesson("bio", "Biology"), rules=(early,))
    best = suggest(problem, timetable(maths=4, bio=0), lesson="maths", seconds=5)[0]
    assert {move.lesson: move.slot for move in best.moves}["maths"] == 0
    assert best.gain == (0, 1)
    one_swap = suggest(problem, timetable(maths=4, bio=0), lesson="bio", seconds=5)
    assert any(
        s.sentence == "Swap JSS 1 Ruby Mathematics (Tuesday, period 1) with JSS 1 Ruby Biology (Monday, period 1). "
        "It saves 1 point."
        for s in one_swap
    )


def test_three_lessons_go_round() -> None:
    """Where each of three lessons may only go to the next one's place, all three are moved."""
    laws = tuple(
        rule("preferred_slots", lessons={"lessons": [name]}, slots=slots, hard=True)
        for name, slots in (("a", [0, 3]), ("b", [3, 6]), ("c", [6, 0]))
    )
    wish = rule("preferred_slots", lessons={"lessons": ["a"]}, slots=[3], hard=False)
    problem = school(lesson("a"), lesson("b", "Biology"), lesson("c", "PE"), rules=(*laws, wish))
    (found,) = suggest(problem, timetable(a=0, b=3, c=6), lesson="a", seconds=5)
    assert {move.lesson: move.slot for move in found.moves} == {"a": 3, "b": 6, "c": 0}
    assert found.gain == (0, 1)


def test_a_lesson_without_a_place_is_found_one() -> None:
    """A lesson that has no place is worth a hard point wherever it can go, and a locked one stays where it is."""
    problem = school(lesson("maths"), lesson("bio", "Biology", locked_slot=0))
    found = suggest(problem, timetable(bio=0), lesson="maths", most=20, seconds=5)
    assert {s.moves[0].slot for s in found} == set(range(1, 8))
    assert {s.gain for s in found} == {(1, 0)}


def test_who_is_unknown_is_refused() -> None:
    """A suggestion for nobody, or for a lesson that there is not, is refused."""
    problem = school(lesson("maths"))
    nobody: tuple[dict[str, Any], ...] = (
        {"lesson": "gone"},
        {"who": ("teacher", "gone")},
        {"who": ("room", "lab")},
        {},
    )
    for asked in nobody:
        with pytest.raises(InvalidInput):
            suggest(problem, timetable(maths=0), **asked)


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS)
def test_a_suggestion_is_worth_what_the_checker_says(seed: int) -> None:
    """Each suggestion's gain is the difference of the checker's scores, the best first, and none breaks a law anew."""
    random = Random(seed)
    problem, before = placed_school(random, rules=3)
    was, broken = score(problem, before), broken_laws(problem, before)
    found = suggest(problem, before, lesson=random.choice(problem.lessons).id, most=4, seconds=0.1)
    for suggestion in found:
        now = score(problem, suggestion.timetable)
        assert suggestion.gain == (was[0] - now[0], was[1] - now[1])
        assert broken_laws(problem, suggestion.timetable) <= broken
        assert suggestion.moves
    assert [s.gain for s in found] == sorted((s.gain for s in found), reverse=True)


def broken_laws(problem: Problem, timetable: Timetable) -> set[tuple[object, ...]]:
    """Return which laws a timetable that is to be complete breaks, each with those whom it concerns."""
    verdict = validate(problem, timetable, complete=True)
    return {
        (each.rule, each.lessons, each.teachers, each.groups, each.rooms) for each in verdict.violations if each.hard
    }


@settings(max_examples=200, deadline=None)
@given(seed=SEEDS)
def test_a_change_is_weighed_as_the_whole_is(seed: int) -> None:
    """What a change of a few blocks saves is the difference of what all rules cost before and after."""
    random = Random(seed)
    program = lower(small_problem(random, rules=4))
    before, other = random_assignment(random, program), random_assignment(random, program)
    board = Board(program, before)
    blocks = random.sample(range(len(program.blocks)), min(3, len(program.blocks)))
    changed, chosen = {b: other.starts[b] for b in blocks}, {b: other.rooms[b] for b in blocks}
    was, now = rules_cost(program, before), rules_cost(program, board.after(changed, chosen))
    assert board.gain(changed, chosen) == (was[0] - now[0], was[1] - now[1])
