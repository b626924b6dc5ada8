"""What ``schoolos timetable`` says to a person."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from core.timetable.checker import Verdict
from core.timetable.findings import Finding
from core.timetable.formats.reading import Note
from core.timetable.model import Problem
from core.timetable.solvers.port import Budget, Progress, Report, Status
from core.timetable.solving import Solved

_MOST_LINES = 40
_MOST_LEFT_OUT = 10


@contextmanager
def progress(console: Console, *, quiet: bool) -> Iterator[Report]:
    """Show how the search goes on one line of a terminal; say nothing elsewhere."""
    if quiet or not console.is_terminal:
        yield lambda _: None
        return
    with console.status("reading ...") as status:
        yield lambda told: status.update(_line(told))


def _line(told: Progress) -> str:
    began = f"{told.elapsed_s:.0f} s, {told.attempts:,} attempts"
    if told.soft is None:
        placed = "" if told.placed is None else f", {told.placed:,} blocks placed"
        return f"{began}{placed}: looking for a timetable that breaks no rule"
    bound = "" if told.bound is None else f", at least {told.bound:,}"
    return f"{began}: no rule broken, wishes cost {told.soft:,}{bound} ({told.solver})"


def tell(found: Solved, console: Console) -> None:
    """Print how a search ended."""
    outcome = found.outcome
    if found.verdict is not None:
        after = f"the first after {outcome.first_feasible_s:.1f} s by {outcome.first_solver}"
        console.print(f"Found: all {len(found.problem.lessons):,} lessons are placed and no rule is broken; {after}.")
        console.print(_worth(found))
        tell_wishes(found.verdict, console)
    elif outcome.status is Status.INFEASIBLE:
        console.print("There is no timetable that keeps every rule: that is proven.")
    else:
        how = "The search was stopped" if outcome.cancelled else f"The time of {outcome.total_s:.0f} s is over"
        console.print(f"{how} before a timetable was found; there may be one. Try a longer --seconds.")
        _tell_partial(found, console)


def _worth(found: Solved) -> str:
    outcome, soft = found.outcome, found.verdict.soft if found.verdict else 0
    if outcome.status is Status.OPTIMAL:
        return f"Its wishes cost {soft:,}: no timetable costs less, that is proven."
    bound = "" if outcome.bound is None else f"; none costs less than {outcome.bound:,}"
    stopped = ", when the search was stopped" if outcome.cancelled else ""
    return f"Its wishes cost {soft:,}{bound}. The best is by {outcome.solver}{stopped}."


def tell_wishes(verdict: Verdict, console: Console) -> None:
    """Print what the broken wishes cost, by rule."""
    count, cost = Counter[str](), Counter[str]()
    for violation in verdict.violations:
        if not violation.hard:
            count[violation.rule] += 1
            cost[violation.rule] += violation.cost
    if count:
        table = Table("wish", "not kept", "cost")
        for rule, price in cost.most_common():
            table.add_row(rule.replace("_", " "), f"{count[rule]:,}", f"{price:,}")
        console.print(table)


def _tell_partial(found: Solved, console: Console) -> None:
    if found.partial is None:
        return
    left = [lesson.id for lesson in found.problem.lessons if lesson.id not in found.partial.by_lesson]
    named = ", ".join(left[:_MOST_LEFT_OUT]) + (", ..." if len(left) > _MOST_LEFT_OUT else "")
    console.print(f"The fullest left out {len(left):,} of {len(found.problem.lessons):,} lessons: {escape(named)}.")


def tell_problem(problem: Problem, console: Console) -> None:
    """Print what a problem is about."""
    counted = {
        "lessons": problem.lessons,
        "teachers": problem.teachers,
        "groups": problem.groups,
        "rooms": problem.rooms,
        "rules": problem.rules,
    }
    told = ", ".join(f"{len(things):,} {name}" for name, things in counted.items())
    console.print(f"{escape(problem.name) or 'The problem'} makes sense: {told}, {problem.calendar.slots} periods.")


def tell_notes(notes: Sequence[Note], console: Console) -> None:
    """Print what of a file is not kept; where it is a law, that the result can't be certified."""
    for note in notes[:_MOST_LINES]:
        console.print(f"  {'!' if note.hard else '-'} {escape(note.what)}")
    if len(notes) > _MOST_LINES:
        console.print(f"  ... and {len(notes) - _MOST_LINES:,} more")
    if any(note.hard for note in notes):
        console.print("Some of these are laws: a timetable that is valid here may break them.")


def tell_verdict(verdict: Verdict, console: Console) -> None:
    """Print what is wrong with a timetable, the broken rules first."""
    broken = [violation for violation in verdict.violations if violation.hard]
    for violation in broken[:_MOST_LINES]:
        console.print(f"  {escape(violation.sentence)}")
    if len(broken) > _MOST_LINES:
        console.print(f"  ... and {len(broken) - _MOST_LINES:,} more")
    state = "No rule is broken" if verdict.valid else f"{len(broken):,} times a rule is broken (cost {verdict.hard:,})"
    console.print(f"{state}; the wishes cost {verdict.soft:,}.")
    tell_wishes(verdict, console)


def tell_why(problem: Problem, seconds: float, console: Console) -> bool:
    """Print why there is no timetable; False where nothing was found to stand against one."""
    from core.timetable.explaining import explain  # noqa: PLC0415 - takes a second, and is rarely needed

    found = explain(problem, Budget(seconds=seconds))
    if found.findings:
        tell_findings(found.findings, console)
    elif found.conflict:
        console.print(
            "These can't all hold together" + ("; without any one of them the others can:" if found.is_minimal else ":")
        )
        for reason in found.conflict:
            console.print(f"  {escape(reason.sentence)}")
    elif found.status is Status.FEASIBLE:
        console.print("There is a timetable that keeps every rule: nothing to explain.")
    else:
        console.print(f"In {seconds:.0f} s nothing was found that stands against a timetable, and no timetable either.")
    return found.status is Status.INFEASIBLE


def tell_findings(findings: Sequence[Finding], console: Console) -> None:
    """Print what counting found."""
    for finding in findings[:_MOST_LINES]:
        console.print(f"  {escape(finding.sentence)}")
    if len(findings) > _MOST_LINES:
        console.print(f"  ... and {len(findings) - _MOST_LINES:,} more")
