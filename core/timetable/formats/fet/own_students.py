"""Classes and their parts as FET's years, groups and subgroups.

Parts of one division share nobody, and parts of different divisions do: a class's subgroups are one part of each
division together. Groups that share students for another reason have a subgroup in common.
"""

from collections import defaultdict
from collections.abc import Sequence
from itertools import islice, product

from core.timetable.formats.fet.xml_writing import element
from core.timetable.model import Group, Problem

_MOST_SUBGROUPS = 5_000


def students_list(problem: Problem) -> str:
    """Return the list of all students."""
    shared: dict[str, list[str]] = defaultdict(list)
    for group in problem.groups:
        for other in sorted(group.shares_with - {group.id}):
            name = " & ".join(sorted((group.id, other)))
            for one in (group.id, other):
                if name not in shared[one]:
                    shared[one].append(name)
    classes = (group for group in problem.groups if group.within is None)
    return element("Students_List", *(_year(group, problem.families[group.id], shared) for group in classes))


def _year(whole: Group, family: Sequence[Group], shared: dict[str, list[str]]) -> str:
    parts = [group for group in family if group.id != whole.id]
    content = [_group(part, _crossing(part, parts, whole.id) + shared[part.id]) for part in parts]
    content += [element("Group", ("Name", name), ("Number_of_Students", "0")) for name in shared[whole.id]]
    return element("Year", ("Name", whole.id), ("Number_of_Students", str(whole.size or 0)), *content)


def _group(part: Group, subgroups: list[str]) -> str:
    below = (element("Subgroup", ("Name", name), ("Number_of_Students", "0")) for name in subgroups)
    return element("Group", ("Name", part.id), ("Number_of_Students", str(part.size or 0)), *below)


def _crossing(part: Group, parts: Sequence[Group], whole: str) -> list[str]:
    """Return the subgroups that a part has in common with one part of each other division."""
    divisions: dict[str, list[str]] = defaultdict(list)
    for other in parts:
        divisions[other.division or ""].append(other.id)
    if len(divisions) < 2:
        return []
    return [
        f"{whole}: {' + '.join(together)}"
        for together in islice(product(*divisions.values()), _MOST_SUBGROUPS)
        if part.id in together
    ]
