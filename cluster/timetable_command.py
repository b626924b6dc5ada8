"""``schoolos timetable``: solve, check, explain and convert a timetable in a file, on this machine or on a cluster."""

import json
import logging
import resource
import socket
import sys
import time
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import uuid4

import click
import structlog
from rich.console import Console

from cluster import timetable_words as words
from cluster.running import running_settings
from core.errors import Unavailable
from core.timetable.checker import Verdict, validate
from core.timetable.formats import FORMATS, format_named, format_of
from core.timetable.formats.reading import Note, Read
from core.timetable.lowering import lower
from core.timetable.model import Problem, Timetable
from core.timetable.prechecking import precheck
from core.timetable.solvers.kernels import are_compiled, compile_kernels
from core.timetable.solvers.port import Budget, Report, Status
from core.timetable.solving import Solved, impossible, solve, solved

FOUND, BROKEN, TIMED_OUT = 0, 1, 3
"""Exit codes; 2 is for input that can't be read, as everywhere."""
_CODES = {Status.OPTIMAL: FOUND, Status.FEASIBLE: FOUND, Status.INFEASIBLE: BROKEN}
_EXPLAIN_S = 20.0
_KNOCK_S = 5.0

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_NAMES = [form.name for form in FORMATS]
_WRITTEN = [form.name for form in FORMATS if form.exported]
_form = click.option("--format", "form", type=click.Choice(_NAMES), help="The file's form, where it does not tell.")
_instance = click.option("--instance", metavar="ID", help="Which problem is meant, where the file holds several.")
_json = click.option("--json", "as_json", is_flag=True, help="End with one JSON object.")


@click.group()
def command() -> None:
    """Solve, check, explain and convert timetables."""
    # What a person asked for goes to standard output; what went wrong with a racer does not.
    structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))


@command.command("solve")
@click.argument("file", type=_FILE)
@click.option("--seconds", type=click.FloatRange(0.1, 86_400), default=30, show_default=True, help="Time in all.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Where chance begins.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write the timetable here.")
@click.option("--cores", type=click.IntRange(1, 64), help="How many to use; all there are where not given.")
@click.option("--first", is_flag=True, help="Stop at the first that breaks no rule.")
@click.option("--address", help="Race on this Ray cluster; `auto` for the one that runs here.")
@_form
@_instance
@_json
@click.pass_context
def solve_command(
    ctx: click.Context,
    *,
    file: Path,
    seconds: float,
    seed: int,
    out: Path | None,
    cores: int | None,
    first: bool,
    address: str | None,
    form: str | None,
    instance: str | None,
    as_json: bool,
) -> None:
    """Find a timetable that breaks no rule, and make it better until the time is up. Ctrl-C keeps the best.

    Exit code 0: found; 1: proven that there is none; 2: the file can't be read; 3: none found in time.
    """
    if address is None and not are_compiled():
        click.echo("Compiling the solvers (once, about half a minute) ...", err=True)
        compile_kernels()
    began, source = time.monotonic(), _Source(file, form, instance)
    budget = Budget(seconds=seconds, seed=seed, feasibility_only=first)
    with words.progress(Console(stderr=True, highlight=False), quiet=as_json) as report:
        if address is None:
            found = solve(source.problem, budget, cores=cores, report=report)
        else:
            found = _on_cluster(source.problem(), budget, address, report)
    notes = list(source.read.notes)
    if found.timetable is not None and out is not None:
        notes += source.write(out, found.problem, found.timetable)
    if as_json:
        figures = _figures(found, time.monotonic() - began, on_cluster=address is not None)
        click.echo(json.dumps(figures | _noted(notes)))
    else:
        _tell(found, Console(highlight=False, soft_wrap=True))
        words.tell_notes(notes, Console(highlight=False, soft_wrap=True))
    ctx.exit(_CODES.get(found.outcome.status, TIMED_OUT))


@command.command("check")
@click.argument("file", type=_FILE)
@click.argument("solution", type=_FILE, required=False)
@_form
@_instance
@_json
@click.pass_context
def check_command(
    ctx: click.Context, *, file: Path, solution: Path | None, form: str | None, instance: str | None, as_json: bool
) -> None:
    """Name every rule that a timetable breaks; without one, whether the problem can be read and makes sense.

    Exit code 0: valid; 1: a rule is broken; 2: a file can't be read.
    """
    source = _Source(file, form, instance)
    problem, verdict = source.problem(), None
    if solution is not None:
        problem, timetable = source.form.read_judged(source.data, solution.read_bytes(), instance)
        verdict = validate(problem, timetable, complete=True)
    notes = source.read.notes
    if as_json:
        click.echo(json.dumps(_verdict_figures(problem, verdict) | _noted(notes)))
    else:
        words.tell_problem(problem, Console(highlight=False, soft_wrap=True))
        if verdict is not None:
            words.tell_verdict(verdict, Console(highlight=False, soft_wrap=True))
        words.tell_notes(notes, Console(highlight=False, soft_wrap=True))
    ctx.exit(FOUND if verdict is None or verdict.valid else BROKEN)


@command.command("explain")
@click.argument("file", type=_FILE)
@click.option(
    "--seconds", type=click.FloatRange(0.1, 3_600), default=_EXPLAIN_S, show_default=True, help="Time in all."
)
@_form
@_instance
@click.pass_context
def explain_command(ctx: click.Context, *, file: Path, seconds: float, form: str | None, instance: str | None) -> None:
    """Say why there is no timetable: the fewest rules that can't hold together.

    Exit code 0: nothing stands against one; 1: there is none, and this is why; 2: the file can't be read.
    """
    source, console = _Source(file, form, instance), Console(highlight=False, soft_wrap=True)
    is_impossible = words.tell_why(source.problem(), seconds, console)
    words.tell_notes(source.read.notes, console)
    ctx.exit(BROKEN if is_impossible else FOUND)


@command.command("convert")
@click.argument("file", type=_FILE)
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--solution", type=_FILE, help="A timetable of the file, where it does not hold one itself.")
@click.option("--format", "form", type=click.Choice(_WRITTEN), help="The form to write, where OUT does not tell.")
@click.option("--from", "read_as", type=click.Choice(_NAMES), help="The file's form, where it does not tell.")
@_instance
@_json
def convert_command(
    *,
    file: Path,
    out: Path,
    solution: Path | None,
    form: str | None,
    read_as: str | None,
    instance: str | None,
    as_json: bool,
) -> None:
    """Write a problem, with its timetable where there is one, in the form of another program.

    What a form has no word for is named. Exit code 0: written; 2: the file can't be read, or the form can't hold it.
    """
    source = _Source(file, read_as, instance)
    problem, timetable = source.problem(), source.read.timetable
    if solution is not None:
        problem, timetable = source.form.read_judged(source.data, solution.read_bytes(), instance)
    notes = [*source.read.notes, *source.write(out, problem, timetable, form)]
    if as_json:
        placed = len(timetable.placements) if timetable else 0
        click.echo(json.dumps({"lessons": len(problem.lessons), "placed": placed} | _noted(notes)))
    else:
        words.tell_problem(problem, Console(highlight=False, soft_wrap=True))
        words.tell_notes(notes, Console(highlight=False, soft_wrap=True))


class _Source:
    """A file with what is in it, read once."""

    def __init__(self, file: Path, form: str | None, instance: str | None) -> None:
        self.data = file.read_bytes()
        self._instance = instance
        self.form = format_of(file.name, self.data, form)

    @cached_property
    def read(self) -> Read:
        return self.form.read(self.data, self._instance)

    def problem(self) -> Problem:
        return self.read.problem

    def write(
        self, out: Path, problem: Problem, timetable: Timetable | None, form: str | None = None
    ) -> tuple[Note, ...]:
        """Write a timetable alone into a .json file, and a whole file of another program's form."""
        if timetable is not None and form is None and out.suffix.lower() in {"", ".json"}:
            out.write_bytes(self.form.write_solution(timetable))
            return ()
        target = format_named(out.name, form)
        same = target == self.form
        written = target.export(problem, timetable, self.data if same else None, self._instance if same else None)
        out.write_bytes(written.data)
        return written.notes


def _noted(notes: Sequence[Note]) -> dict[str, Any]:
    return {"notes": [note.what for note in notes], "whole": not any(note.hard for note in notes)}


def _on_cluster(problem: Problem, budget: Budget, address: str, report: Report) -> Solved:
    """Race on a cluster; the token of the one that runs from this state folder is read from there."""
    namespace = running_settings().ray.namespace  # first: Ray learns where its token lies as it is imported
    import ray  # noqa: PLC0415 - takes a second, and is not needed on this machine alone

    from actors.solver import race_on_cluster  # noqa: PLC0415 - imports ray

    began, program = time.monotonic(), lower(problem)
    if findings := precheck(problem, program):
        return impossible(problem, findings, time.monotonic() - began)
    try:
        _knock(address)
        ray.init(address=address, namespace=namespace, log_to_driver=False, logging_level=logging.WARNING)
    except (OSError, RuntimeError, ValueError) as error:
        where = "on this machine" if address == "auto" else f"at {address}"
        raise Unavailable(
            f"no Ray cluster lets this command in {where} ({error}). `schoolos up` starts one; its token lies in its "
            "state folder: give the command where that one was given, or name the folder by SCHOOLOS_STATE_DIR"
        ) from error
    try:
        race_id = uuid4().hex
        outcome = race_on_cluster(problem, program, budget, race_id=race_id, namespace=namespace, report=report)
    finally:
        ray.shutdown()
    return solved(problem, program, outcome)


def _knock(address: str) -> None:
    """Raise ``OSError`` where nobody listens at an address with a port: Ray itself goes on trying for minutes."""
    host, _, port = address.rpartition("/")[2].rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), timeout=_KNOCK_S).close()


def _tell(found: Solved, console: Console) -> None:
    words.tell(found, console)
    if found.findings:
        words.tell_findings(found.findings, console)
    elif found.outcome.status is Status.INFEASIBLE:
        words.tell_why(found.problem, _EXPLAIN_S, console)


def _figures(found: Solved, total_s: float, *, on_cluster: bool) -> dict[str, Any]:
    outcome, verdict = found.outcome, found.verdict
    here = time.process_time()
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    racers = outcome.cpu_s if on_cluster else children.ru_utime + children.ru_stime
    return {
        "status": outcome.status.value,
        "hard": verdict.hard if verdict else None,
        "soft": verdict.soft if verdict else None,
        "bound": outcome.bound,
        "first_feasible_s": _rounded(outcome.first_feasible_s),
        "winner_cpu_s": _rounded(outcome.winner_cpu_s),
        "total_s": _rounded(total_s),
        "cpu_s": _rounded(racers + here),
        "solver": outcome.solver,
        "first_solver": outcome.first_solver,
        "attempts": outcome.attempts,
        "cancelled": outcome.cancelled,
        "failures": list(outcome.failures),
    }


def _verdict_figures(problem: Problem, verdict: Verdict | None) -> dict[str, Any]:
    if verdict is None:
        return {"valid": True, "lessons": len(problem.lessons), "rules": len(problem.rules)}
    violations = [{"rule": v.rule, "hard": v.hard, "cost": v.cost, "sentence": v.sentence} for v in verdict.violations]
    return {"valid": verdict.valid, "hard": verdict.hard, "soft": verdict.soft, "violations": violations}


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
