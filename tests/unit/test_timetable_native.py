"""SchoolOS's own JSON of problems and timetables: there and back, and what is said of mistakes."""

import json
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InvalidInput
from core.timetable.faults import check_problem, require_sound
from core.timetable.formats.native import read_problem, read_timetable, write_problem, write_timetable
from core.timetable.model import Calendar, Day, Period, Problem
from core.timetable.rules.registry import RULES
from tests.factories.small_problems import random_timetable, small_problem
from tests.factories.tiny_school import in_rooms, lesson, rule, school, timetable

PLAIN = school(
    lesson("a", rooms=in_rooms("lab", "hall")),
    lesson("b", "Biology", groups=("art",)),
    rules=(rule("gaps"), rule("order", first={"lessons": ["a"]}, second={"lessons": ["b"]})),
)
Change = Callable[[dict[str, Any]], Any]


def changed(change: Change) -> bytes:
    """Return the JSON of the plain problem with a change to it."""
    content = json.loads(write_problem(PLAIN))
    change(content)
    return json.dumps(content).encode()


def put(*path: str | int, to: Any) -> Change:
    """Return the change that puts a value at a place."""

    def change(content: Any) -> None:
        for part in path[:-1]:
            content = content[part]
        content[path[-1]] = to

    return change


def added(*path: str | int, value: Any) -> Change:
    """Return the change that appends a value to a list."""

    def change(content: Any) -> None:
        for part in path:
            content = content[part]
        content.append(value)

    return change


@pytest.mark.parametrize("kind", sorted(RULES))
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_problem_comes_back_from_its_json(kind: str, seed: int) -> None:
    """A problem with any rule is what was read from what was written, and its JSON is always the same."""
    problem = small_problem(Random(seed), rules=2, kinds=[kind])
    again = Problem.model_validate_json(problem.model_dump_json(by_alias=True), strict=True)
    assert again == problem
    assert write_problem(again) == write_problem(problem)


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_sound_problem_and_its_timetable_are_read_again(seed: int) -> None:
    """What ``check_problem`` finds nothing wrong with is read; a timetable of it comes back."""
    random = Random(seed)
    problem = small_problem(random, rules=3)
    if not check_problem(problem):
        assert read_problem(write_problem(problem)) == problem
    written = random_timetable(random, problem)
    assert read_timetable(write_timetable(written), problem) == written


FAULTS: dict[str, tuple[Change, str, str]] = {
    "unknown teacher": (
        put("lessons", 0, "teachers", to=["bello", "nobody"]),
        "/lessons/0/teachers/1",
        "There is no teacher “nobody”.",
    ),
    "unknown group": (put("lessons", 0, "groups", 0, to="x"), "/lessons/0/groups/0", "There is no group “x”."),
    "unknown subject": (put("lessons", 1, "subject", to="x"), "/lessons/1/subject", "There is no subject “x”."),
    "unknown room": (
        put("lessons", 0, "rooms", 0, "choices", 1, "room", to="x"),
        "/lessons/0/rooms/0/choices/1/room",
        "There is no room “x”.",
    ),
    "unknown class": (put("groups", 2, "within", to="x"), "/groups/2/within", "There is no group “x”."),
    "part of a part": (
        put("groups", 2, "within", to="igbo"),
        "/groups/2/within",
        "JSS 1 Ruby (French) can be a part of a class only, and JSS 1 Ruby (Igbo) is itself a part.",
    ),
    "id twice": (
        put("lessons", 1, "id", to="a"),
        "/lessons/1/id",
        "The id “a” is taken already, by /lessons/0.",
    ),
    "negative load": (
        put("lessons", 0, "duration", to=-1),
        "/lessons/0/duration",
        "Input should be greater than or equal to 1.",
    ),
    "load as text": (put("lessons", 0, "duration", to="2"), "/lessons/0/duration", "Input should be a valid integer."),
    "locked outside the week": (
        put("lessons", 0, "lockedSlot", to=40),
        "/lessons/0/lockedSlot",
        "There is no slot 40: they are 0 to 7.",
    ),
    "locked in another room": (
        put("lessons", 0, "lockedRooms", to=["x"]),
        "/lessons/0/lockedRooms/0",
        "The room “x” is none of the choices: lab and hall.",
    ),
    "absent outside the week": (
        put("teachers", 0, "unavailable", to=[0, 8]),
        "/teachers/0/unavailable/1",
        "There is no slot 8: they are 0 to 7.",
    ),
    "unknown field": (
        put("lessons", 0, "lenght", to=1),
        "/lessons/0/lenght",
        "This is not known here; see whether it is spelt right.",
    ),
    "missing": (lambda content: content["lessons"][0].pop("id"), "/lessons/0/id", "This is missing."),
    "no calendar": (lambda content: content.pop("calendar"), "/calendar/days", "This is missing."),
    "rule without its kind": (
        added("rules", value={}),
        "/rules/2",
        'A rule says of which kind it is, as in {"kind": "gaps"}.',
    ),
    "rule about nobody": (
        put("rules", 0, "people", to={"teachers": ["x"]}),
        "/rules/0/people/teachers/0",
        "There is no teacher “x”.",
    ),
    "rule with a wrong number": (
        put("rules", 0, "most", to=-1),
        "/rules/0/most",
        "Input should be greater than or equal to 0.",
    ),
    "rule outside the week": (
        added("rules", value={"kind": "avoided_slots", "lessons": {}, "slots": [0, 9]}),
        "/rules/2/slots/1",
        "There is no slot 9: they are 0 to 7.",
    ),
    "partners that don't match": (
        added("rules", value={"kind": "next_to", "first": {"lessons": ["a"]}, "second": {"subjects": ["PE"]}}),
        "/rules/2/second",
        "These are 0 lessons, and 1 come before: each needs its partner.",
    ),
    "unknown building": (
        added(
            "rules",
            value={
                "kind": "travel",
                "people": {"teachers": ["*"]},
                "home": "Gate",
                "between": [{"one": "Gate", "other": "Moon", "time": 2}],
            },
        ),
        "/rules/2/between/0/other",
        "Nothing is in a building “Moon”. There are Annex, Gate and Main.",
    ),
    "circle": (
        added("rules", value={"kind": "order", "first": {"lessons": ["b"]}, "second": {"lessons": ["a"]}}),
        "/rules/1",
        "This order comes back to its beginning: a before b before a.",
    ),
    "unknown day": (
        put("lessons", 0, "lockedSlot", to={"day": "Sunday", "period": 1}),
        "/lessons/0/lockedSlot",
        "There is no day “Sunday”. There are Monday and Tuesday.",
    ),
    "unknown period": (
        put("lessons", 0, "lockedSlot", to={"day": "Monday", "period": 9}),
        "/lessons/0/lockedSlot",
        "There is no period “9” on Monday. There are 1, 2, 3 and 4.",
    ),
}


@pytest.mark.parametrize("what", FAULTS)
def test_mistake_is_told_with_its_place(what: str) -> None:
    """A problem with one mistake is refused with that mistake's JSON pointer and a sentence."""
    change, where, sentence = FAULTS[what]
    with pytest.raises(InvalidInput) as refused:
        read_problem(changed(change))
    assert [(fault.where, fault.what) for fault in refused.value.faults] == [(where, sentence)]


def test_unknown_kind_of_rule_is_told_with_those_there_are() -> None:
    """A misspelt rule is answered with the kinds to choose from."""
    with pytest.raises(InvalidInput, match="There is no such kind of rule") as refused:
        read_problem(changed(added("rules", value={"kind": "gap"})))
    assert refused.value.faults[0].where == "/rules/2"
    assert all(kind in refused.value.faults[0].what for kind in RULES)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"{]", "This is not JSON: Expecting property name enclosed in double quotes in line 1, column 2."),
        (b"\xff", "This is not JSON: it is not UTF-8 text, or has a number of thousands of digits."),
        (b"1" * 5000, "This is not JSON: it is not UTF-8 text, or has a number of thousands of digits."),
        (b"[]", "A JSON object is expected here: { ... }."),
        (b"[" * 100_000, "This is nested too deeply."),
        (b'{"calendar":' * 900 + b"1" + b"}" * 900, "This is nested too deeply, or holds half a character."),
        (b" " * 10_000_001, "The file has 10,000,001 bytes; at most 10,000,000 are read."),
    ],
    ids=["broken", "binary", "huge number", "list", "nested list", "nested object", "too large"],
)
def test_what_is_no_json_is_refused(data: bytes, sentence: str) -> None:
    """A file that is no JSON object of a decent size is refused with what is the matter, and quickly."""
    with pytest.raises(InvalidInput) as refused:
        read_problem(data)
    assert refused.value.faults[0].what == sentence


def test_slots_may_be_written_by_day_and_period() -> None:
    """A beginner writes slots by their day and period, in problems, rules and timetables."""
    named = [{"day": "Tuesday", "period": 1}, {"day": "monday", "period": "2"}]

    def change(content: Any) -> None:
        content["teachers"][0]["unavailable"] = named
        content["rules"].append({"kind": "avoided_slots", "lessons": {}, "slots": named})

    problem = read_problem(changed(change))
    assert problem.teachers[0].unavailable == {4, 1}
    assert problem.rules[2].model_dump()["slots"] == (4, 1)
    placed = json.dumps({"placements": [{"lesson": "a", "slot": named[0], "rooms": ["lab"]}]}).encode()
    assert read_timetable(placed, problem) == timetable(a=(4, "lab"))


def test_slot_of_two_weeks_is_named_with_its_week() -> None:
    """Where the cycle has weeks A and B, a day alone doesn't say which."""
    days = tuple(Day(name="Monday", week=week, periods=(Period(name="First"),)) for week in ("A", "B"))
    problem = school(lesson("a"), calendar=Calendar(days=days))

    def placed(**slot: Any) -> bytes:
        return json.dumps({"placements": [{"lesson": "a", "slot": slot}]}).encode()

    assert read_timetable(placed(day="Monday", period="first", week="B"), problem) == timetable(a=1)
    with pytest.raises(InvalidInput, match="Monday is in two weeks"):
        read_timetable(placed(day="Monday", period=1), problem)


def test_circle_through_lessons_that_start_together_is_found() -> None:
    """Orders are circular also where lessons that are tied to one start close the circle."""
    lessons = [lesson(name, course=name, groups=(), teachers=()) for name in "abc"]
    orders = [rule("order", first={"lessons": [one]}, second={"lessons": [other]}) for one, other in ("ab", "bc")]
    tie = rule("same_start", lessons={"lessons": ["a", "c"]})
    assert check_problem(school(*lessons, rules=tuple(orders))) == []
    faults = check_problem(school(*lessons, rules=(*orders, tie)))
    assert [fault.code for fault in faults] == ["cyclic"]
    wishes = tuple(order.model_copy(update={"hard": False}) for order in orders)
    assert check_problem(school(*lessons, rules=(*wishes, tie))) == []


def test_rule_about_too_many_pairs_is_refused() -> None:
    """A small file can't make a machine hold millions of pairs of lessons."""
    lessons = [lesson(f"{subject} {i}", subject) for subject in ("PE", "Biology") for i in range(1_001)]
    every = rule("order", first={"subjects": ["PE"]}, second={"subjects": ["Biology"]})
    faults = check_problem(school(*lessons, rules=(every,)))
    assert [(fault.where, fault.code) for fault in faults] == [("/rules/0/second", "too_large")]


def test_sound_problem_is_let_through() -> None:
    """A problem without faults raises nothing."""
    require_sound(PLAIN)
    assert check_problem(PLAIN) == []
