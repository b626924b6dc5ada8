"""Who attends what: FET's years, groups and subgroups as groups that share nobody."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from core.timetable.formats.fet.document import Activity, number
from core.timetable.formats.safe_xml import Element


class Students:
    """The smallest parts of the student body that attend the same activities, as groups."""

    def __init__(self, root: Element, activities: Sequence[Activity]) -> None:
        self.sizes: dict[str, int] = {}
        self._leaves: dict[str, frozenset[str]] = {}
        for year in root.all("Students_List", "Year"):
            self._add(year, ("Group", "Subgroup"))
        attended: dict[str, set[str]] = defaultdict(set)
        for activity in activities:
            for name in activity.students:
                for leaf in self._leaves.get(name, ()):
                    attended[leaf].add(activity.id)
        self._group_of = self._grouped(attended)

    def _add(self, each: Element, below: tuple[str, ...]) -> frozenset[str]:
        name = each.text_of("Name")
        parts = [self._add(part, below[1:]) for part in each.all(below[0])] if below else []
        leaves = frozenset[str]().union(*parts) or frozenset({name})
        self._leaves[name] = self._leaves.get(name, frozenset()) | leaves
        self.sizes.setdefault(name, number(each, "Number_of_Students", 0))
        return leaves

    def _grouped(self, attended: Mapping[str, set[str]]) -> dict[str, str]:
        """Return the group of each leaf that attends anything."""
        alike: dict[frozenset[str], set[str]] = defaultdict(set)
        for leaf, activities in attended.items():
            alike[frozenset(activities)].add(leaf)
        named: dict[frozenset[str], str] = {}
        for name, leaves in sorted(self._leaves.items(), key=lambda item: -len(item[1])):
            named.setdefault(frozenset(leaf for leaf in leaves if leaf in attended), name)
        return {leaf: named.get(frozenset(together), min(together)) for together in alike.values() for leaf in together}

    @property
    def names(self) -> list[str]:
        """The groups, in the order of the file."""
        return list(dict.fromkeys(self._group_of[leaf] for leaf in self._every_leaf() if leaf in self._group_of))

    def _every_leaf(self) -> Iterator[str]:
        # A set of leaves has no order of its own: that of the names is the file's.
        yield from (name for name in self._leaves if name in self._leaves[name])

    def __contains__(self, name: str) -> bool:
        return name in self._leaves

    def groups(self, name: str) -> tuple[str, ...]:
        """Return the groups that a set of students consists of; none where it attends nothing."""
        leaves = self._leaves.get(name, frozenset())
        return tuple(sorted({self._group_of[leaf] for leaf in leaves if leaf in self._group_of}))
