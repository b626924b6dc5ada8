"""Each rule in the smallest school in which it can be kept and broken, with costs worked out by hand.

Monday is slots 0 to 3 and Tuesday 4 to 7, with a break after each day's second period.
"""

from dataclasses import dataclass, field
from typing import Any

from core.timetable.model import Lesson
from tests.factories.tiny_school import in_rooms, lesson

Places = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """A rule, the lessons it meets, where it is kept, where it is broken, how dearly, and in which words."""

    kind: str
    lessons: tuple[Lesson, ...]
    kept: Places
    broken: Places
    deviation: int
    sentence: str
    parameters: dict[str, Any] = field(default_factory=dict)
    to_solvers: bool = True
    """Solvers know it as a price, and not as what they never do."""


BELLO = {"people": {"teachers": ["bello"]}}
RUBY = {"people": {"groups": ["ruby"]}}
TWO = (lesson("a"), lesson("b"))
THREE = (*TWO, lesson("c"))
DOUBLE = lesson("d", "Biology", duration=2)
PE = lesson("p", "PE", teachers=())
FRENCH = lesson("f", "French", groups=("french",))
IGBO = lesson("i", "Igbo", groups=("igbo",), teachers=("okafor",))
LAB_OR_HALL = in_rooms("lab", "hall")

FIRST_CASES = (
    Case(
        "one_block_a_day",
        TWO,
        kept={"a": 0, "b": 4},
        broken={"a": 0, "b": 2},
        deviation=1,
        sentence="JSS 1 Ruby Mathematics has 2 blocks on Monday; at most 1 may be.",
    ),
    Case(
        "one_block_a_day",
        (lesson("a", course="x"), lesson("b", course="y")),
        kept={"a": 0, "b": 4},
        broken={"a": 0, "b": 2},
        deviation=1,
        sentence="JSS 1 Ruby Mathematics has 2 blocks on Monday; at most 1 may be.",
        parameters={"by": "subject_and_group"},
    ),
    Case(
        "days_apart",
        TWO,
        kept={"a": 3, "b": 4},
        broken={"a": 0, "b": 3},
        deviation=1,
        sentence="JSS 1 Ruby Mathematics comes twice on Monday; its days should be at least 1 day apart.",
    ),
    Case(
        "blocks_within_breaks",
        (DOUBLE,),
        kept={"d": 2},
        broken={"d": 1},
        deviation=1,
        sentence="JSS 1 Ruby Biology runs across a break on Monday, period 2.",
    ),
    Case(
        "periods_a_day",
        THREE,
        kept={"a": 0, "b": 1, "c": 4},
        broken={"a": 0, "b": 1, "c": 2},
        deviation=1,
        sentence="Mrs Bello has 3 periods on Monday; at most 2 may be.",
        parameters={**BELLO, "most": 2},
    ),
    Case(
        "periods_a_day",
        THREE,
        kept={"a": 0, "b": 1, "c": 3},
        broken={"a": 0, "b": 1, "c": 4},
        deviation=1,
        sentence="Mrs Bello has 1 period on Tuesday; at least 2 should be.",
        parameters={**BELLO, "least": 2},
    ),
    Case(
        "periods_in_a_row",
        THREE,
        kept={"a": 1, "b": 2, "c": 4},
        broken={"a": 4, "b": 5, "c": 6},
        deviation=1,
        sentence="Mrs Bello has 2 periods in a row from Tuesday, period 1; at most 1 may be.",
        parameters={**BELLO, "most": 1},
    ),
    Case(
        "working_days",
        TWO,
        kept={"a": 0, "b": 3},
        broken={"a": 0, "b": 4},
        deviation=1,
        sentence="Mrs Bello has lessons on 2 days (Monday, Tuesday); at most 1 may be.",
        parameters={**BELLO, "most": 1},
    ),
    Case(
        "gaps",
        TWO,
        kept={"a": 2, "b": 3},
        broken={"a": 0, "b": 3},
        deviation=2,
        sentence="Mrs Bello has 2 free periods between lessons on Monday; at most 0 may be.",
    ),
    Case(
        "gaps",
        THREE,
        kept={"a": 0, "b": 2, "c": 4},
        broken={"a": 0, "b": 3, "c": 4},
        deviation=1,
        sentence="Mrs Bello has 2 free periods between lessons in the week; at most 1 may be.",
        parameters={"most": 1, "each": "week"},
    ),
    Case(
        "gaps",
        TWO,
        kept={"a": 4, "b": 7},
        broken={"a": 0, "b": 2},
        deviation=1,
        sentence="Mrs Bello has 1 free period between lessons on Monday; at most 0 may be.",
        parameters={"days": [0], "overAbsence": False},
    ),
    Case(
        "order_on_day",
        (lesson("a"), PE),
        kept={"a": 1, "p": 4},
        broken={"a": 3, "p": 0},
        deviation=1,
        sentence="JSS 1 Ruby Mathematics on Monday, period 4 should come before JSS 1 Ruby PE on Monday, period 1 of "
        "that day.",
        parameters={"first": {}, "second": {"subjects": ["PE"]}, "whoShare": True},
    ),
    Case(
        "adjacent_on_day",
        TWO,
        kept={"a": 1, "b": 0},
        broken={"a": 0, "b": 3},
        deviation=1,
        sentence="JSS 1 Ruby Mathematics and JSS 1 Ruby Mathematics are both on Monday and don't follow one another.",
    ),
    Case(
        "no_lone_period",
        THREE,
        kept={"a": 0, "b": 1, "c": 2},
        broken={"a": 0, "b": 1, "c": 6},
        deviation=1,
        sentence="Mrs Bello has 1 period alone on Tuesday; each should have a neighbour.",
        parameters=BELLO,
    ),
    Case(
        "apart_on_day",
        TWO,
        kept={"a": 0, "b": 2},
        broken={"a": 1, "b": 2},
        deviation=1,
        sentence="JSS 1 Ruby Mathematics and JSS 1 Ruby Mathematics are both on Monday, with less than 1 period "
        "between.",
        parameters={"lessons": {}},
    ),
    Case(
        "days_within",
        TWO,
        kept={"a": 0, "b": 2},
        broken={"a": 0, "b": 4},
        deviation=1,
        sentence="JSS 1 Ruby Mathematics and what belongs to it are on Monday and Tuesday, more than no days apart.",
        parameters={"lessons": {}, "atMost": 0},
    ),
    Case(
        "not_together",
        (FRENCH, IGBO),
        kept={"f": 0, "i": 1},
        broken={"f": 0, "i": 0},
        deviation=1,
        sentence="JSS 1 Ruby (French) French and JSS 1 Ruby (Igbo) Igbo should not be at the same time, and are for "
        "1 period from Monday, period 1.",
        parameters={"first": {"subjects": ["French"]}, "second": {"subjects": ["Igbo"]}},
    ),
    Case(
        "preferred_starts",
        TWO,
        kept={"a": 0, "b": 4},
        broken={"a": 0, "b": 1},
        deviation=1,
        sentence="JSS 1 Ruby Mathematics starts on Monday, period 2, which is none of its times.",
        parameters={"lessons": {}, "slots": [0, 4]},
    ),
    Case(
        "begins_early",
        TWO,
        kept={"a": 0, "b": 5},
        broken={"a": 0, "b": 6},
        deviation=1,
        sentence="JSS 1 Ruby begins too late before Tuesday, period 3.",
        parameters={**RUBY, "most": 1},
    ),
    Case(
        "begins_early",
        TWO,
        kept={"a": 0, "b": 5},
        broken={"a": 1, "b": 5},
        deviation=1,
        sentence="JSS 1 Ruby begins 2 days of a week with the second period; at most 1 may be.",
        parameters={**RUBY, "most": 1},
    ),
    Case(
        "occupancy",
        THREE,
        kept={"a": 0, "b": 1, "c": 4},
        broken={"a": 0, "b": 1, "c": 2},
        deviation=1,
        sentence="JSS 1 Ruby Mathematics and 2 other lessons take 3 periods from Monday, period 1; at most 2 may be.",
        parameters={"windows": [[0, 1, 2, 3]], "most": 2},
    ),
    Case(
        "occupancy",
        THREE,
        kept={"a": 0, "b": 1, "c": 2},
        broken={"a": 0, "b": 1, "c": 5},
        deviation=1,
        sentence="JSS 1 Ruby Mathematics and 2 other lessons take 2 parts from Monday, period 1; at most 1 may be.",
        parameters={"windows": [[0, 1, 2, 3], [4, 5, 6, 7]], "most": 1, "what": "parts"},
    ),
    Case(
        "room_stability",
        (lesson("x", rooms=LAB_OR_HALL), lesson("y", "PE", rooms=LAB_OR_HALL)),
        kept={"x": (0, "lab"), "y": (1, "lab")},
        broken={"x": (0, "lab"), "y": (1, "hall")},
        deviation=1,
        sentence="JSS 1 Ruby Mathematics is in 2 rooms (Hall and Laboratory); at most 1 may be.",
        parameters={"by": "selection"},
    ),
)
