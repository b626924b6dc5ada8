"""How good timetables of public problems get, beside the best published.

``python -m tests.benchmarks.timetable_formats``: ``--data`` is a folder of such problems by form (``xhstt/``,
``xhstt_evaluator_fixtures/``). Each is one race by ``schoolos timetable solve`` in a process of its own; what it finds
is written into its archive, read back, and judged by the checker as that archive says. First the checker itself is held
to the published costs of published solutions.
``--json`` prints the figures alone. ``--rows`` keeps them in a file, a line each, where a later run adds its own or
takes the place of the same problem's; ``--report`` writes them as a page. So the page grows form by form
(``--form xhstt --seconds 300``, then ``--form ectt --seconds 60``), and a run that is cut loses one problem.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from core.errors import InvalidInput
from core.timetable.checker import score
from core.timetable.formats.native import read_timetable
from core.timetable.formats.xhstt.solutions import read_problem, read_solutions
from core.timetable.formats.xhstt.writing import write_archive
from core.timetable.lowering import lower
from tests.benchmarks import timetable_fet

PUBLISHED = {
    "BrazilInstance2": (0, 5),
    "BrazilInstance4": (0, 51),
    "GreeceHighSchool1": (0, 0),
    "ArtificialORLibrary-hdtt4": (0, 0),
    "ArtificialORLibrary-hdtt5": (0, 0),
    "ArtificialORLibrary-hdtt6": (0, 0),
    "FinlandArtificialSchool": (0, 0),
    "SouthAfricaLewitt2009": (0, 58),
}
"""(hard, soft) of the best solution in the public archives."""
SOLUTIONS = {
    "AustraliaSAHS96": ((23, 44),),
    "GreeceThirdHighSchoolPatras2010": ((0, 45), (0, 0)),
    "BrazilInstance1": ((0, 42), (0, 41)),
    "FinlandHighSchool": ((0, 1),),
}
"""The published costs of published solutions, in their file's order. Nothing that we find is compared on these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the report."""

    form: str
    problem: str
    hard: int | None = None
    soft: int | None = None
    bound: int | None = None
    first_s: float | None = None
    total_s: float | None = None
    solver: str | None = None
    published: str | None = None
    peer: str | None = None
    """What a program for that form found on the same machine."""
    note: str | None = None
    seconds: float | None = None
    """What was given."""


def xhstt_checker(data: Path, _seconds: float, only: str) -> Iterator[Row]:
    """Yield what the checker says of published solutions."""
    for name, published in SOLUTIONS.items():
        file = data / "xhstt_evaluator_fixtures" / f"{name}.xml"
        if not file.exists() or only not in name:
            continue
        for found, cost in zip(read_solutions(file.read_bytes()), published, strict=False):
            hard, soft = score(found.problem, found.timetable)
            agreed = "agrees" if (hard, soft) == cost else "DIFFERS"
            yield Row(
                form="XHSTT checker",
                problem=f"{name} ({found.group})",
                hard=hard,
                soft=soft,
                published=_cost(cost),
                note=agreed,
            )


def xhstt(data: Path, seconds: float, only: str) -> Iterator[Row]:
    """Yield what is found for each archive in the time, but for those whose solutions the checker is held to."""
    for file in sorted((data / "xhstt").glob("*.xml")):
        if only in file.stem and file.stem not in SOLUTIONS:
            yield _archive(file, seconds)


def _archive(file: Path, seconds: float) -> Row:
    published = PUBLISHED.get(file.stem)
    row: dict[str, Any] = {"form": "XHSTT", "problem": file.stem, "published": _cost(published) if published else None}
    try:
        problem = read_problem(file.read_bytes())
        lower(problem)
    except InvalidInput as error:
        return Row(**row, note=error.message)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.json"
        figures = solved(file, seconds, out)
        if not out.exists():
            return Row(**row, note=figures["status"], total_s=figures["total_s"])
        written = write_archive(problem, read_timetable(out.read_bytes(), problem), file.read_bytes())
    found = read_solutions(written)[-1]
    hard, soft = score(found.problem, found.timetable)
    return Row(
        **row,
        hard=hard,
        soft=soft,
        bound=figures["bound"],
        first_s=figures["first_feasible_s"],
        total_s=figures["total_s"],
        solver=figures["solver"],
        note="proven best" if figures["status"] == "optimal" else None,
    )


def solved(file: Path, seconds: float, out: Path) -> dict[str, Any]:
    """Solve a file by the command in a process of its own, and return the figures that it ends with."""
    arguments = ["solve", str(file), "--seconds", str(seconds), "--json", "--out", str(out)]
    command = [sys.executable, "-m", "cluster.cli", "timetable", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1]) if done.stdout else {}
    return {"status": f"exit code {done.returncode}", "total_s": None, **figures}


def _cost(cost: tuple[int, int]) -> str:
    return f"{cost[0]}/{cost[1]}"


def fet(data: Path, seconds: float, only: str) -> Iterator[Row]:
    """Yield how FET's examples are solved, beside FET."""
    yield from (Row(**found) for found in timetable_fet.fet(data, seconds, only))


def ectt(data: Path, seconds: float, only: str) -> Iterator[Row]:
    """Yield how the competition's course timetables are solved."""
    yield from (Row(**found) for found in timetable_fet.ectt(data, seconds, only))


SECTIONS: dict[str, Callable[[Path, float, str], Iterator[Row]]] = {
    "checker": xhstt_checker,
    "xhstt": xhstt,
    "fet": fet,
    "ectt": ectt,
}
"""A form's problems are one function: (folder of the data, seconds a problem, part of the names meant)."""
COLUMNS = {
    "problem": "problem",
    "ours": "ours (hard/soft)",
    "published": "best published",
    "peer": "peer, same machine",
    "bound": "proven bound",
    "first_s": "first valid after s",
    "total_s": "s in all",
    "seconds": "s given",
    "note": "",
}


def public(data: Path, seconds: float, only: str = "", forms: Collection[str] = ()) -> Iterator[Row]:
    """Yield the problems of these forms, or of all."""
    for form, section in SECTIONS.items():
        if not forms or form in forms:
            yield from section(data, seconds, only)


def kept(file: Path) -> dict[tuple[str, str], Row]:
    """Return the rows of former runs by form and problem."""
    lines = file.read_text().splitlines() if file.exists() else []
    rows = [Row(**json.loads(line)) for line in lines]
    return {(row.form, row.problem): row for row in rows}


def report(rows: Sequence[Row]) -> str:
    """Return the figures as a page."""
    lines = ["# Timetables of public problems", ""]
    made = (
        "Made by `python -m tests.benchmarks.timetable_formats --data FOLDER --rows ROWS --report "
        f"docs/timetable-results.md` on {os.cpu_count()} cores. A cost is hard/soft by the problem's own objective, as "
        "our checker reads it from the file that our timetable was written to; published figures are those in the "
        "public archives, and of the competition's problems the best known of its site. One race each: another seed "
        "ends otherwise, and so does fet-cl, which uses one core where we use all."
    )
    lines.append(made)
    for form in dict.fromkeys(row.form for row in rows):
        lines += ["", f"## {form}", "", *_table([row for row in rows if row.form == form])]
        lines += ["", summary] if form == timetable_fet.FORM and (summary := fet_summary(rows)) else []
    return "\n".join(lines) + "\n"


def fet_summary(rows: Sequence[Row]) -> str | None:
    """Return what the rows of FET's examples come to."""
    return timetable_fet.fet_summary([(r.problem, r.peer, r.note) for r in rows if r.form == timetable_fet.FORM])


def _table(rows: Sequence[Row]) -> list[str]:
    cells = [{key: _cell(row, key) for key in COLUMNS} for row in rows]
    used = [key for key in COLUMNS if any(line[key] for line in cells)]
    head = [f"| {' | '.join(COLUMNS[key] for key in used)} |", "|" + " --- |" * len(used)]
    return head + [f"| {' | '.join(line[key] for key in used)} |" for line in cells]


def _cell(row: Row, key: str) -> str:
    if key == "ours":
        return "" if row.hard is None or row.soft is None else _cost((row.hard, row.soft))
    value = getattr(row, key)
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def main() -> None:
    """Print a line a problem, or JSON, and write the report where one is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--only", default="", help="part of the names of the problems that are meant")
    parser.add_argument("--form", nargs="*", default=[], choices=[*SECTIONS], help="of these forms alone")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rows", type=Path, help="a file that keeps the rows of several runs")
    parser.add_argument("--report", type=Path)
    wanted = parser.parse_args()
    rows = kept(wanted.rows) if wanted.rows else {}
    for found in public(wanted.data, wanted.seconds, wanted.only, wanted.form):
        row = found if found.total_s is None else replace(found, seconds=found.seconds or wanted.seconds)
        rows[row.form, row.problem] = row
        if wanted.rows:
            wanted.rows.write_text("".join(f"{json.dumps(asdict(one))}\n" for one in rows.values()))
        if not wanted.json:
            print(", ".join(f"{k} {v}" for k, v in asdict(row).items() if v is not None), flush=True)
    if not wanted.json and (summary := fet_summary(list(rows.values()))):
        print(summary)
    if wanted.json:
        print(json.dumps([asdict(row) for row in rows.values()]))
    if wanted.report:
        wanted.report.write_text(report(list(rows.values())))


if __name__ == "__main__":
    main()
