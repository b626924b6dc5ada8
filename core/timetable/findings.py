"""What counting finds, in words."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from core.timetable.model import Lesson, Problem
from core.timetable.program import CLASH, LOCKED, OVER_END, UNAVAILABLE, Program
from core.timetable.wording import listed

_SOURCES = {
    CLASH: "nobody can be in two places",
    UNAVAILABLE: "its teachers or classes are away",
    LOCKED: "it is locked",
    OVER_END: "the day ends before",
}
NAMED = 3
"""So many lessons are named in a sentence before the rest is counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Why there can be no timetable."""

    kind: str
    """``no_start``, ``no_room``, ``overload``, ``too_few_days``, ``too_many_blocks`` or ``rooms``."""
    who: tuple[str, str] | None
    """(``teacher``, ``group`` or ``room_kind``, id), where it is about one."""
    sentence: str
    needed: int
    available: int
    lessons: tuple[str, ...] = ()
    rules: tuple[int, ...] = ()
    """The rules concerned, by their place in the problem's list."""


class Words:
    """Names of lessons and people in a problem."""

    def __init__(self, problem: Problem, program: Program) -> None:
        self._problem = problem
        self._program = program

    def finding(
        self,
        kind: str,
        sentence: str,
        amounts: tuple[int, int],
        blocks: Iterable[int],
        *,
        who: tuple[str, str] | None = None,
        rules: Iterable[int] = (),
    ) -> Finding:
        """Return a finding; ``amounts`` is (needed, available)."""
        return Finding(
            kind=kind,
            who=who,
            sentence=sentence,
            needed=amounts[0],
            available=amounts[1],
            lessons=tuple(lesson.id for block in blocks for lesson in self._lessons(block)),
            rules=tuple(sorted({rule for rule in rules if rule >= 0})),
        )

    def cut(self, source: int, starts: int) -> str:
        """Return that a source forbids so many starts."""
        why = _SOURCES.get(source) or f'the rule "{self._problem.rules[source].kind.replace("_", " ")}" forbids it'
        return f"in {starts} {why}"

    def name(self, who: tuple[str, str]) -> str:
        """Return somebody's name."""
        kind, one = who
        return self._problem.teacher[one].name if kind == "teacher" else self._problem.group[one].name

    def named(self, blocks: Sequence[int]) -> str:
        """Return lessons as a list in words, the first few by their names."""
        names = list(dict.fromkeys(self._label(lesson) for block in blocks for lesson in self._lessons(block)))
        rest = len(names) - NAMED
        return listed([*names[:NAMED], f"{rest} more"] if rest > 0 else names)

    def _lessons(self, block: int) -> list[Lesson]:
        return [self._problem.lessons[i] for i in self._program.blocks[block].lessons]

    def _label(self, lesson: Lesson) -> str:
        groups = listed([self._problem.group[group].name for group in lesson.groups]) if lesson.groups else "nobody"
        return f"{self._problem.subject[lesson.subject].name} of {groups}"
