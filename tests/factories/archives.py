"""Small high school timetable archives, written by hand and at random."""

from collections.abc import Callable, Iterable, Sequence
from random import Random

TIMES = ("Mo1", "Mo2", "Mo3", "Tu1", "Tu2", "Tu3")
"""Slots 0 to 2 are Monday, 3 to 5 Tuesday."""
ROOM = "<Resource><Role>Room</Role><ResourceType Reference='Room'/></Resource>"
EVENTS = {"E1": (3, ("T1", "C1"), ROOM), "E2": (2, ("T1", "C2"), ROOM), "E3": (1, ("T2", "C1"), "")}
"""Duration, resources and what else each event of ``archive`` needs."""
GROUPS = {"all": ("E1", "E2", "E3"), "first": ("E1",), "both": ("E1", "E2")}
RESOURCES = {"T1": "Teacher", "T2": "Teacher", "C1": "Class", "C2": "Class", "R1": "Room", "R2": "Room"}


def constraint(
    kind: str, body: str = "", *, to: str, hard: bool = False, weight: int = 1, cost: str = "Linear", name: str = "c"
) -> str:
    """Return one constraint; ``to`` is what stands in ``AppliesTo``."""
    return (
        f"<{kind}Constraint Id='{name}'><Name>{kind}</Name><Required>{str(hard).lower()}</Required>"
        f"<Weight>{weight}</Weight><CostFunction>{cost}</CostFunction><AppliesTo>{to}</AppliesTo>{body}</{kind}Constraint>"
    )


def event_groups(*names: str) -> str:
    """Return groups of events as constraints apply to them."""
    return f"<EventGroups>{_referring('EventGroup', names)}</EventGroups>"


def events(*names: str) -> str:
    """Return events as constraints apply to them."""
    return f"<Events>{_referring('Event', names)}</Events>"


def resources(*names: str) -> str:
    """Return resources as constraints apply to them."""
    return f"<Resources>{_referring('Resource', names)}</Resources>"


def time_groups(*names: str, bounds: str = "") -> str:
    """Return groups of times as constraints name them, each with bounds where a constraint wants them."""
    inner = "".join(f"<TimeGroup Reference='{name}'>{bounds}</TimeGroup>" for name in names)
    return f"<TimeGroups>{inner}</TimeGroups>"


def times(*names: str) -> str:
    """Return times as constraints name them."""
    return f"<Times>{_referring('Time', names)}</Times>"


def limits(least: int, most: int) -> str:
    """Return a minimum and a maximum."""
    return f"<Minimum>{least}</Minimum><Maximum>{most}</Maximum>"


def split(*, longest: int, least: int = 1, most: int) -> str:
    """Return how long and how many the parts of an event may be."""
    return (
        f"<MinimumDuration>1</MinimumDuration><MaximumDuration>{longest}</MaximumDuration>"
        f"<MinimumAmount>{least}</MinimumAmount><MaximumAmount>{most}</MaximumAmount>"
    )


def event_pair(first: str, second: str, bounds: str = "") -> str:
    """Return the one pair of events that a constraint applies to."""
    pair = f"<FirstEvent Reference='{first}'/><SecondEvent Reference='{second}'/>{bounds}"
    return f"<EventPairs><EventPair>{pair}</EventPair></EventPairs>"


def archive(
    constraints: Iterable[str] = (),
    *,
    solutions: str = "",
    more_events: str = "",
    name: str = "Small",
    more_instances: Sequence[str] = (),
) -> bytes:
    """Return an archive of one instance, and of more that differ from it by their ids alone."""
    days = "".join(f"<Day Id='{day}'><Name>{day}</Name></Day>" for day in ("Mo", "Tu"))
    slots = "".join(
        f"<Time Id='{time}'><Name>{time}</Name><Day Reference='{time[:2]}'/>"
        "<TimeGroups><TimeGroup Reference='week'/></TimeGroups></Time>"
        for time in TIMES
    )
    types = "".join(
        f"<ResourceType Id='{kind}'><Name>{kind}</Name></ResourceType>" for kind in ("Teacher", "Class", "Room")
    )
    there = "".join(
        f"<Resource Id='{one}'><Name>{one}</Name><ResourceType Reference='{kind}'/></Resource>"
        for one, kind in RESOURCES.items()
    )
    groups = "".join(f"<EventGroup Id='{group}'><Name>{group}</Name></EventGroup>" for group in GROUPS)
    instance = (
        f"<Instance Id='small'><MetaData><Name>{name}</Name></MetaData>"
        f"<Times><TimeGroups>{days}<TimeGroup Id='week'><Name>week</Name></TimeGroup></TimeGroups>{slots}</Times>"
        f"<Resources><ResourceTypes>{types}</ResourceTypes><ResourceGroups/>{there}</Resources>"
        f"<Events><EventGroups>{groups}</EventGroups>{''.join(map(_event, EVENTS))}{more_events}</Events>"
        f"<Constraints>{''.join(constraints)}</Constraints></Instance>"
    )
    others = "".join(instance.replace("Id='small'", f"Id='{other}'") for other in more_instances)
    return (
        "<?xml version='1.0' encoding='UTF-8'?>\n<HighSchoolTimetableArchive>\n"
        f"  <Instances>{instance}{others}</Instances>\n  {solutions}\n</HighSchoolTimetableArchive>\n"
    ).encode()


def solution(parts: Iterable[tuple[str, int, str | None, str | None]], report: str = "") -> str:
    """Return the groups with one solution of parts: (event, duration, time, room)."""
    made = "".join(
        f"<Event Reference='{event}'><Duration>{duration}</Duration>"
        + (f"<Time Reference='{time}'/>" if time else "")
        + (f"<Resources><Resource Reference='{room}'><Role>Room</Role></Resource></Resources>" if room else "")
        + "</Event>"
        for event, duration, time, room in parts
    )
    return (
        "<SolutionGroups><SolutionGroup Id='hand'><MetaData><Contributor>A</Contributor><Date>2027</Date>"
        "<Description>By hand</Description></MetaData><Solution Reference='small'>"
        f"<Events>{made}</Events>{report}</Solution></SolutionGroup></SolutionGroups>"
    )


def random_constraints(random: Random) -> list[str]:
    """Return some constraints of every kind, with parameters at random."""
    chosen = random.sample(list(_DRAWN), random.randint(1, len(_DRAWN)))
    return [
        constraint(
            kind,
            _DRAWN[kind](random)[1],
            to=_DRAWN[kind](random)[0],
            hard=random.random() < 0.4,
            weight=random.randint(1, 5),
            cost=random.choice(["Linear", "Quadratic", "Step", "Sum", "SumSquares"]),
            name=f"c{i}",
        )
        for i, kind in enumerate(chosen)
    ]


def _event(name: str) -> str:
    duration, given, more = EVENTS[name]
    groups = [group for group, members in GROUPS.items() if name in members]
    return (
        f"<Event Id='{name}'><Name>{name}</Name><Duration>{duration}</Duration>"
        f"<Resources>{_referring('Resource', given)}{more}</Resources>"
        f"<EventGroups>{_referring('EventGroup', groups)}</EventGroups></Event>"
    )


def _referring(tag: str, names: Sequence[str]) -> str:
    return "".join(f"<{tag} Reference='{name}'/>" for name in names)


def _bounded(random: Random) -> str:
    least = random.randint(0, 2)
    return limits(least, least + random.randint(0, 1))


def _who(random: Random) -> str:
    return resources(*random.sample(list(RESOURCES), 2))


_DAYS = time_groups("Mo", "Tu")
_ROLE = "<Role>Room</Role>"
_DRAWN: dict[str, Callable[[Random], tuple[str, str]]] = {
    "AssignTime": lambda _: (event_groups("all"), ""),
    "AssignResource": lambda _: (event_groups("all"), _ROLE),
    "SplitEvents": lambda random: (
        events("E1", "E2"),
        split(longest=random.randint(1, 3), most=random.randint(1, 999)),
    ),
    "DistributeSplitEvents": lambda random: (
        event_groups("both"),
        f"<Duration>{random.randint(1, 2)}</Duration>{_bounded(random)}",
    ),
    "PreferTimes": lambda random: (
        events("E1", "E3"),
        times(*random.sample(TIMES, 3)) + random.choice(["", "<Duration>2</Duration>"]),
    ),
    "PreferResources": lambda random: (event_groups("both"), resources(random.choice(["R1", "R2"])) + _ROLE),
    "AvoidSplitAssignments": lambda random: (event_groups(random.choice(["first", "both"])), _ROLE),
    "SpreadEvents": lambda random: (
        event_groups(random.choice(["first", "both"])),
        time_groups("Mo", "Tu", bounds=_bounded(random)),
    ),
    "LinkEvents": lambda _: (event_groups("both"), ""),
    "OrderEvents": lambda random: (
        event_pair("E2", "E3", f"<MinSeparation>{random.randint(0, 2)}</MinSeparation>"),
        "",
    ),
    "AvoidClashes": lambda _: (resources(*RESOURCES), ""),
    "AvoidUnavailableTimes": lambda random: (_who(random), times(*random.sample(TIMES, 2))),
    "LimitIdleTimes": lambda random: (_who(random), _DAYS + _bounded(random)),
    "ClusterBusyTimes": lambda random: (_who(random), _DAYS + _bounded(random)),
    "LimitBusyTimes": lambda random: (_who(random), _DAYS + _bounded(random)),
    "LimitWorkload": lambda random: (_who(random), _bounded(random)),
}
KINDS = tuple(_DRAWN)
"""The sixteen kinds of constraints."""
