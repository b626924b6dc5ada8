"""The high school timetable archive: read, judged by its own objective, solved, and written back."""

from datetime import date
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InvalidInput
from core.timetable.checker import score, validate
from core.timetable.formats import format_of
from core.timetable.formats.xhstt.solutions import read_all, read_problem, read_solution, read_solutions, read_solved
from core.timetable.formats.xhstt.writing import write_archive
from core.timetable.lowering import lower, timetable_of
from core.timetable.model import Placement, Problem, Timetable
from core.timetable.solvers.cpsat import CpSat
from core.timetable.solvers.port import Budget, Status, unheard
from tests.factories import archives as make

HAND = make.solution(
    [("E1", 2, "Mo1", "R1"), ("E1", 1, "Tu3", "R2"), ("E2", 2, "Mo2", None), ("E3", 1, None, None)],
    "<Report><InfeasibilityValue>3</InfeasibilityValue><ObjectiveValue>4</ObjectiveValue></Report>",
)
"""T1 is busy on Monday in all three times, in the second twice, and on Tuesday in the last."""
ROLE = "<Role>Room</Role>"

COSTS: tuple[tuple[str, dict[str, Any], int], ...] = (
    ("AssignTime", {"to": make.event_groups("all"), "weight": 5}, 5 * 1),
    ("AssignResource", {"to": make.event_groups("all"), "body": ROLE, "cost": "Quadratic"}, 2**2),
    (
        "SplitEvents",
        {
            "to": make.events("E1"),
            "body": make.split(longest=1, most=1),
            "weight": 3,
        },
        3 * (1 + 1),
    ),
    (
        "DistributeSplitEvents",
        {"to": make.events("E1"), "body": "<Duration>1</Duration>" + make.limits(3, 3), "cost": "Step", "weight": 4},
        4 * 1,
    ),
    ("PreferTimes", {"to": make.events("E1"), "body": make.times("Mo1"), "weight": 2}, 2 * 1),
    ("PreferTimes", {"to": make.events("E1", "E2"), "body": make.times("Mo1") + "<Duration>2</Duration>"}, 2),
    ("PreferResources", {"to": make.event_groups("all"), "body": make.resources("R1") + ROLE, "weight": 7}, 7 * 1),
    ("AvoidSplitAssignments", {"to": make.event_groups("first"), "body": ROLE}, 1),
    (
        "SpreadEvents",
        {
            "to": make.event_groups("both"),
            "body": "<TimeGroups><TimeGroup Reference='Mo'>" + make.limits(0, 1) + "</TimeGroup>"
            "<TimeGroup Reference='Tu'>" + make.limits(2, 2) + "</TimeGroup></TimeGroups>",
            "cost": "Quadratic",
        },
        (1 + 1) ** 2,
    ),
    ("LinkEvents", {"to": make.event_groups("both")}, 3),
    (
        "OrderEvents",
        {"to": make.event_pair("E2", "E1")},
        3,
    ),
    ("AvoidClashes", {"to": make.resources("T1", "C1"), "weight": 9}, 9 * 1),
    ("AvoidUnavailableTimes", {"to": make.resources("T1"), "body": make.times("Mo3", "Tu3"), "cost": "SumSquares"}, 4),
    ("LimitIdleTimes", {"to": make.resources("C1"), "body": make.time_groups("week") + make.limits(0, 1)}, 3 - 1),
    ("ClusterBusyTimes", {"to": make.resources("T1"), "body": make.time_groups("Mo", "Tu") + make.limits(0, 1)}, 1),
    ("LimitBusyTimes", {"to": make.resources("C1"), "body": make.time_groups("Mo", "Tu") + make.limits(2, 2)}, 1),
    ("LimitWorkload", {"to": make.resources("T1"), "body": make.limits(0, 3), "weight": 2}, 2 * 2),
    ("LimitBusyTimes", {"to": make.resources("R2"), "body": make.time_groups("Tu") + make.limits(0, 0)}, 1),
    ("AvoidClashes", {"to": make.resources("T1"), "weight": 0}, 0),
)


@pytest.mark.parametrize("hard", [False, True], ids=["soft", "hard"])
@pytest.mark.parametrize(("kind", "parameters", "cost"), COSTS, ids=[kind for kind, _, _ in COSTS])
def test_constraint_costs_what_the_format_says(kind: str, parameters: dict[str, Any], cost: int, hard: bool) -> None:
    """Each kind of constraint costs a solution what was worked out by hand, as hard or soft as it is."""
    parameters = dict(parameters)
    body = parameters.pop("body", "")
    data = make.archive([make.constraint(kind, body, hard=hard, **parameters)], solutions=HAND)
    found = read_solutions(data)[0]
    assert score(found.problem, found.timetable) == ((cost, 0) if hard else (0, cost))
    assert (found.group, found.description, found.reported) == ("hand", "By hand", (3, 4))


def test_every_kind_has_a_cost() -> None:
    """The table above and the random archives know the sixteen kinds of the format."""
    assert {kind for kind, _, _ in COSTS} == set(make.KINDS)
    assert len(make.KINDS) == 16


def _anywhere(random: Random, problem: Problem) -> Timetable:
    """Return each lesson in a place inside a day, with rooms or without."""
    placements = []
    for lesson in problem.lessons:
        starts = [s for s in range(problem.calendar.slots) if problem.calendar.span(s, lesson.duration) is not None]
        rooms = tuple(random.choice([None, *(c.room for c in need.choices)]) for need in lesson.rooms)
        placements.append(Placement(lesson=lesson.id, slot=random.choice(starts), rooms=rooms))
    return Timetable(placements=tuple(placements))


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_what_is_written_costs_the_same_when_read(seed: int) -> None:
    """A timetable in a solution group costs what it cost; one that no parts can be joined from is hard both ways."""
    random = Random(seed)
    data = make.archive(make.random_constraints(random), more_events=_free_event() if random.random() < 0.5 else "")
    problem = read_problem(data)
    timetable = _anywhere(random, problem)
    written = write_archive(problem, timetable, data)
    found = read_solutions(written)[-1]
    if any(violation.rule == "one_run_a_day" for violation in validate(problem, timetable).violations):
        assert score(problem, timetable)[0] > 0
    else:
        assert score(found.problem, found.timetable) == score(problem, timetable)


def _free_event(duration: int = 3) -> str:
    return f"<Event Id='E4'><Name>E4</Name><Duration>{duration}</Duration><Resources/><EventGroups/></Event>"


JOINING = (
    make.constraint("AssignTime", to=make.events("E4"), hard=True),
    make.constraint(
        "SplitEvents",
        make.split(longest=2, most=99),
        to=make.events("E4"),
        hard=True,
    ),
    make.constraint("DistributeSplitEvents", "<Duration>2</Duration>" + make.limits(1, 1), to=make.events("E4")),
    make.constraint(
        "PreferTimes", make.times("Mo2", "Tu2") + "<Duration>2</Duration>", to=make.events("E4"), hard=True
    ),
    make.constraint(
        "SpreadEvents", make.time_groups("Mo", "Tu", bounds=make.limits(0, 1)), to=make.event_groups("g4"), hard=True
    ),
)


def _joining() -> bytes:
    """Return an archive with an event that may fall into a double and a single, on two days."""
    event = _free_event().replace("<EventGroups/>", "<EventGroups><EventGroup Reference='g4'/></EventGroups>")
    data = make.archive(JOINING, more_events=event)
    return data.replace(
        b"<Events><EventGroups>", b"<Events><EventGroups><EventGroup Id='g4'><Name>g4</Name></EventGroup>"
    )


def test_single_periods_join_where_the_search_may_choose_the_cut() -> None:
    """An event of one part a day is single periods to solvers, and comes back as the parts that they make."""
    data = _joining()
    problem = read_problem(data)
    assert [lesson.duration for lesson in problem.courses["E4"]] == [1, 1, 1]
    program = lower(problem)
    outcome = CpSat().solve(program, Budget(seconds=20), report=unheard, stopped=lambda: False)
    assert outcome.status is Status.OPTIMAL
    assert outcome.best is not None
    timetable = timetable_of(problem, program, outcome.best)
    written = write_archive(problem, timetable, data)
    found = read_solutions(written)[0]
    assert sorted(lesson.duration for lesson in found.problem.courses["E4"]) == [1, 2]
    assert score(found.problem, found.timetable) == score(problem, timetable) == (0, 0)
    assert score(problem, read_solution(written, problem)) == (0, 0)
    assert read_all(written).timetable is not None


@pytest.mark.parametrize(("parts", "cost"), [(2, 0), (3, 6)])
def test_number_of_parts_binds_those_that_join(parts: int, cost: int) -> None:
    """What parts an event may have holds for those that single periods make: three can't be on two days here."""
    split = make.constraint(
        "SplitEvents", make.split(longest=2, least=parts, most=parts), to=make.events("E4"), hard=True
    )
    data = _joining().replace(b"<Constraints>", b"<Constraints>" + split.replace("<Weight>1", "<Weight>6").encode())
    problem = read_problem(data)
    slots = {"E4#1": 0, "E4#2": 4, "E4#3": 5}
    placements = tuple(Placement(lesson=lesson, slot=slot) for lesson, slot in slots.items())
    timetable = Timetable(placements=(*placements, *_anywhere(Random(1), problem).placements[: -len(placements)]))
    found = read_solutions(write_archive(problem, timetable, data))[0]
    assert validate(problem, timetable).hard == score(found.problem, found.timetable)[0] == cost


def test_events_are_cut_as_cheaply_as_the_constraints_allow() -> None:
    """Where the cut is settled before the search, it is the cheapest, and linked events have the same."""
    split = make.constraint(
        "SplitEvents",
        make.split(longest=2, least=2, most=2),
        to=make.events("E1"),
    )
    problem = read_problem(make.archive([split]))
    assert [lesson.duration for lesson in problem.courses["E1"]] == [2, 1]
    assert [lesson.duration for lesson in problem.courses["E2"]] == [1, 1]


def test_teacher_who_is_to_be_chosen_is_chosen_before_the_search() -> None:
    """An event without its teacher gets whoever has most of the load left, and the solution names them."""
    open_one = "<Resource><Role>Teacher</Role><ResourceType Reference='Teacher'/></Resource>"
    event = _free_event(2).replace("<Resources/>", f"<Resources>{open_one}</Resources>")
    data = make.archive(
        [
            make.constraint("LimitWorkload", make.limits(0, 4), to=make.resources("T1", "T2"), hard=True),
            make.constraint("AvoidClashes", to=make.resources("T1", "T2"), hard=True),
            make.constraint("AssignResource", "<Role>Teacher</Role>", to=make.events("E4"), hard=True),
        ],
        more_events=event,
    )
    problem = read_problem(data)
    lower(problem)
    assert [choice.room for choice in problem.courses["E4"][0].rooms[0].choices] == ["T2"]
    timetable = _anywhere(Random(3), problem)
    met = tuple(p.model_copy(update={"rooms": ("T2",)}) for p in timetable.placements if p.lesson.startswith("E4"))
    rest = tuple(p for p in timetable.placements if not p.lesson.startswith("E4"))
    given = Timetable(placements=(*met, *rest))
    found = read_solutions(write_archive(problem, given, data))[0]
    assert score(found.problem, found.timetable) == score(problem, given)


def test_archive_stays_as_it_is_around_what_is_written() -> None:
    """Not a byte of the instance or of other solutions changes; the new group says who made it and when."""
    for solutions in ("", "<SolutionGroups/>", "<SolutionGroups></SolutionGroups>", HAND):
        data = make.archive(solutions=solutions, name="Zoë’s school")
        problem = read_problem(data)
        written = write_archive(problem, _anywhere(Random(1), problem), data, today=date(2027, 1, 12))
        assert written.startswith(data[: data.index(b"</Instances>")])
        assert HAND.removesuffix("</SolutionGroups>").encode() in written or solutions != HAND
        assert b"<Date>2027-01-12</Date>" in written
        again = write_archive(problem, _anywhere(Random(2), problem), written)
        groups = [solution.group for solution in read_solutions(again)]
        assert groups[-2:] == ["SchoolOS", "SchoolOS_2"]


def test_given_time_is_a_lock() -> None:
    """An event whose time is given is one part, there, and a solution needn't say so."""
    event = _free_event(2).replace("<Resources/>", "<Time Reference='Tu1'/><Resources/>")
    data = make.archive(more_events=event, solutions=HAND)
    problem = read_problem(data)
    assert [(lesson.duration, lesson.locked_slot) for lesson in problem.courses["E4"]] == [(2, 3)]
    found = read_solutions(data)[0]
    assert found.timetable.by_lesson["E4"].slot == 3


def test_problem_and_solution_may_come_from_two_files() -> None:
    """A solution is judged with the problem as it cuts the events, and not with another cut."""
    data = make.archive()
    solved = make.archive(solutions=HAND)
    problem, timetable = read_solved(data, solved)
    assert len(timetable.placements) == 3
    assert [lesson.duration for lesson in problem.courses["E1"]] == [2, 1]
    with pytest.raises(InvalidInput, match="cuts “E1” in another way"):
        read_solution(solved, read_problem(data))


def test_one_instance_of_several_is_read_solved_and_written_by_its_id() -> None:
    """Where an archive holds several instances, the one that is named is meant, and without a name all are told."""
    data = make.archive(more_instances=("other",), solutions=HAND.replace("'small'", "'other'"))
    xhstt = format_of("x.xml", data)
    problem, timetable = xhstt.read_judged(data, data, "other")
    assert len(timetable.placements) == 3
    assert xhstt.read(data, "small").timetable is None
    written = xhstt.export(problem, timetable, data, "other").data
    assert [len(read_solutions(written, instance)) for instance in ("other", "small")] == [2, 0]
    for wanted in (None, "third"):
        with pytest.raises(InvalidInput, match="Name one of the instances in the archive: small, other"):
            xhstt.read(data, wanted)


def test_form_of_one_problem_takes_no_id() -> None:
    """An id is refused, and not passed over, where files hold one problem each."""
    with pytest.raises(InvalidInput, match="hold one problem each"):
        format_of("x.json", b"{}").read(b"{}", "small")


def test_archive_is_known_by_its_content() -> None:
    """An .xml file that holds an archive is read as one."""
    data = make.archive(solutions=HAND)
    assert format_of("x.xml", data).name == "xhstt"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"<!DOCTYPE a [<!ENTITY b 'c'>]><HighSchoolTimetableArchive/>", "document type"),
        (b"<HighSchoolTimetableArchive>", "not XML"),
        (b"<a/>", "no high school timetable archive"),
        (b"<a>" * 100, "nested too deeply"),
        (b"<HighSchoolTimetableArchive/>", "there is none"),
        (make.archive().replace(b"<Duration>3<", b"<Duration>three<"), "a whole number, and not “three”"),
        (make.archive().replace(b"<Resource Reference='T1'/>", b"<Resource Reference='T9'/>"), "no “T9”"),
        (make.archive([make.constraint("Mystery", to="")] * 2), r"MysteryConstraint is not known \(2 times\)"),
        (make.archive([make.constraint("AvoidClashes", to="", cost="Cubic")]), "CostFunction"),
        (make.archive(solutions=HAND.replace("Mo1", "Mo9")), "no time “Mo9”"),
        (make.archive(solutions=HAND.replace("<Duration>2<", "<Duration>6<")), "runs past the last time"),
        (make.archive(solutions=HAND.replace("'E1'", "'E9'")), "no event “E9”"),
    ],
)
def test_faulty_archive_is_refused_in_words(data: bytes, message: str) -> None:
    """What can't be read is refused with what is wrong, and no parser follows what a stranger declares."""
    with pytest.raises(InvalidInput, match=message):
        read_all(data)
