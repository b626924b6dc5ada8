"""Swaps and moves: what goes where, what it would break, and that nothing is changed in place."""

from random import Random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from core.errors import InvalidInput
from core.timetable.checker import score, validate
from core.timetable.model import Problem, Timetable
from core.timetable.swapping import Spot, Swapped, swap
from tests.factories.placed_schools import placed_school
from tests.factories.tiny_school import in_rooms, lesson, rule, school, timetable

RUBY = ("group", "ruby")
OKAFOR = ("okafor",)


def starts(swapped: Swapped) -> dict[str, int]:
    """Return where the lessons start after a swap."""
    return {placement.lesson: placement.slot for placement in swapped.timetable.placements}


def test_two_lessons_change_places() -> None:
    """Each of two lessons starts where the other did, and what is not concerned stays."""
    problem = school(lesson("maths"), lesson("bio", "Biology"), lesson("french", "French"))
    swapped = swap(problem, timetable(maths=0, bio=5, french=2), Spot(lesson="maths"), Spot(lesson="bio"))
    assert starts(swapped) == {"maths": 5, "bio": 0, "french": 2}
    assert swapped.allowed
    assert {move.lesson: (move.was, move.slot) for move in swapped.moved} == {"maths": (0, 5), "bio": (5, 0)}


def test_an_empty_slot_makes_it_a_move() -> None:
    """A lesson goes to a slot in which its class has nothing, and back when the slots are swapped again."""
    problem, before = school(lesson("maths")), timetable(maths=0)
    there = swap(problem, before, Spot(lesson="maths"), Spot(slot=6))
    assert starts(there) == {"maths": 6}
    again = swap(problem, there.timetable, Spot(slot=0, who=RUBY), Spot(slot=6, who=RUBY))
    assert again.timetable == before


def test_a_double_changes_places_with_two_singles() -> None:
    """What a class has beside the shorter lesson moves with it, and comes back with it."""
    problem = school(lesson("double", duration=2), lesson("bio", "Biology"), lesson("pe", "PE"))
    before = timetable(double=0, bio=4, pe=5)
    swapped = swap(problem, before, Spot(lesson="double"), Spot(lesson="bio"))
    assert starts(swapped) == {"double": 4, "bio": 0, "pe": 1}
    assert swap(problem, swapped.timetable, Spot(lesson="double"), Spot(lesson="bio")).timetable == before


def test_a_double_that_is_moved_by_one_jumps_over_its_neighbour() -> None:
    """A lesson in the way of a double that moves by one period comes to lie on the double's other side."""
    problem = school(lesson("double", duration=2), lesson("bio", "Biology"))
    swapped = swap(problem, timetable(double=0, bio=2), Spot(lesson="double"), Spot(slot=1))
    assert starts(swapped) == {"double": 1, "bio": 0}


def test_tied_lessons_move_together() -> None:
    """Where a law ties two lessons to one start, both move when one does."""
    tied = rule("same_start", lessons={"lessons": ["french", "igbo"]})
    french = lesson("french", "French", groups=("french",))
    igbo = lesson("igbo", "Igbo", groups=("igbo",), teachers=OKAFOR)
    problem = school(french, igbo, lesson("maths"), rules=(tied,))
    swapped = swap(problem, timetable(french=1, igbo=1, maths=6), Spot(lesson="igbo"), Spot(lesson="maths"))
    assert starts(swapped) == {"french": 6, "igbo": 6, "maths": 1}
    assert swapped.allowed


def test_a_room_is_chosen_anew_where_it_is_taken() -> None:
    """A lesson keeps its room unless somebody has it at the new time; then it is given the best free one."""
    problem = school(
        lesson("bio", "Biology", rooms=in_rooms("lab", "hall")),
        lesson("art", "Biology", rooms=in_rooms("lab"), groups=("art",), teachers=OKAFOR),
    )
    before = timetable(bio=(0, "lab"), art=(4, "lab"))
    assert swap(problem, before, Spot(lesson="bio"), Spot(slot=4)).timetable.by_lesson["bio"].rooms == ("hall",)
    assert swap(problem, before, Spot(lesson="bio"), Spot(slot=5)).timetable.by_lesson["bio"].rooms == ("lab",)


def test_what_it_would_break_is_named_and_nothing_else() -> None:
    """A swap tells the clash and the lock that it would add, not what is wrong already, and what it costs."""
    problem = school(
        lesson("maths", locked_slot=0),
        lesson("bio", "Biology", groups=("art",), teachers=("bello",)),
        lesson("pe", "PE", groups=("art",), teachers=OKAFOR, locked_slot=7),
    )
    before = timetable(maths=0, bio=4, pe=3)
    swapped = swap(problem, before, Spot(lesson="maths"), Spot(slot=4))
    assert sorted(violation.rule for violation in swapped.broken) == ["lock", "teacher_clash"]
    assert not swapped.allowed
    assert swapped.gain == (-2, 0)
    assert before == timetable(maths=0, bio=4, pe=3)


def test_a_lesson_without_a_place_is_given_one() -> None:
    """A lesson that has no place yet gains a hard point where it is put in an empty slot."""
    swapped = swap(school(lesson("maths")), Timetable(), Spot(lesson="maths"), Spot(slot=2))
    assert starts(swapped) == {"maths": 2}
    assert (swapped.gain, swapped.moved[0].was) == ((1, 0), None)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Spot(lesson="gone"), Spot(slot=2)),
        (Spot(lesson="maths"), Spot(slot=8)),
        (Spot(lesson="maths"), Spot(slot=-1)),
        (Spot(lesson="maths"), Spot()),
        (Spot(lesson="maths"), Spot(lesson="maths")),
        (Spot(lesson="maths"), Spot(slot=0)),
        (Spot(slot=1, who=RUBY), Spot(slot=2, who=RUBY)),
        (Spot(slot=1), Spot(slot=2)),
        (Spot(slot=0, who=("group", "gone")), Spot(slot=2, who=RUBY)),
        (Spot(slot=0, who=("pupil", "ruby")), Spot(slot=2, who=RUBY)),
    ],
)
def test_a_spot_that_is_none_is_refused(one: Spot, other: Spot) -> None:
    """An unknown lesson, class or slot, the same place twice and two empty ones are refused with the place."""
    with pytest.raises(InvalidInput) as refused:
        swap(school(lesson("maths")), timetable(maths=0), one, other)
    assert refused.value.faults[0].where.startswith(("/one", "/other"))


def test_what_overlaps_is_not_swapped() -> None:
    """Of two lessons of different people that run at the same time for a while, neither has a place to give."""
    problem = school(lesson("maths", duration=2), lesson("bio", "Biology", teachers=("okafor",), groups=("emerald",)))
    with pytest.raises(InvalidInput, match="at the same time"):
        swap(problem, timetable(maths=0, bio=1), Spot(lesson="maths"), Spot(lesson="bio"))


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_a_valid_swap_done_twice_is_none(seed: int) -> None:
    """Swapping the same two lessons again brings every lesson back, and its rooms where none was chosen anew."""
    random = Random(seed)
    problem, before = placed_school(random)
    assume(len(before.placements) > 1)
    one, other = (Spot(lesson=placement.lesson) for placement in random.sample(before.placements, 2))
    try:
        there = swap(problem, before, one, other)
    except InvalidInput:
        return
    assert there.gain == difference(problem, before, there.timetable)
    if not validate(problem, there.timetable).valid:
        return
    back = swap(problem, there.timetable, one, other)
    assert {p.lesson: p.slot for p in back.timetable.placements} == {p.lesson: p.slot for p in before.placements}
    if all(before.by_lesson[move.lesson].rooms == move.rooms for move in there.moved):
        assert back.timetable == before


def difference(problem: Problem, before: Timetable, after: Timetable) -> tuple[int, int]:
    """Return the (hard, soft) points between two timetables, as the checker counts them."""
    was, now = score(problem, before), score(problem, after)
    return was[0] - now[0], was[1] - now[1]
