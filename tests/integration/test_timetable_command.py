"""``schoolos timetable`` in processes of its own: what it prints, what it writes, and how it ends."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from core.timetable.formats.native import read_timetable, write_problem
from core.timetable.model import Calendar, Day, Group, Lesson, Period, Problem, Subject, Teacher
from core.timetable.rules.preferred_slots import PreferredSlots
from core.timetable.rules.selecting import Lessons
from tests.factories.timetables import planted

WITHIN_S = 90


def school(lessons: int, slots: int = 4) -> Problem:
    """Return one class and one teacher with so many lessons, all of which are wished for in the first period."""
    day = Day(name="Monday", periods=tuple(Period(name=str(i + 1)) for i in range(slots)))
    return Problem(
        name="Small",
        calendar=Calendar(days=(day,)),
        subjects=(Subject(id="maths", name="Maths"),),
        teachers=(Teacher(id="bello", name="Mrs Bello"),),
        groups=(Group(id="1a", name="JSS 1 A"),),
        lessons=tuple(
            Lesson(id=f"l{i}", subject="maths", course="c", teachers=("bello",), groups=("1a",)) for i in range(lessons)
        ),
        rules=(PreferredSlots(lessons=Lessons(), slots=(0,), hard=False),),
    )


def run(*arguments: str | float | Path) -> "subprocess.CompletedProcess[str]":
    """Run the command."""
    return subprocess.run(
        [sys.executable, "-m", "cluster.cli", "timetable", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=False,
    )


def last_object(output: str) -> dict[str, Any]:
    """Return the object that ends an output."""
    found: dict[str, Any] = json.loads(output.strip().splitlines()[-1])
    return found


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A school that has a timetable, of which the best costs 2."""
    file = tmp_path / "school.json"
    file.write_bytes(write_problem(school(3)))
    return file


def test_a_school_is_solved_and_the_result_checks(file: Path, tmp_path: Path) -> None:
    """The proven best is told with every figure, is written, and is found valid; a spoilt one is named as such."""
    out = tmp_path / "out.json"
    done = run("solve", file, "--seconds", 60, "--out", out, "--json")
    told = last_object(done.stdout)
    assert (done.returncode, told["status"], told["hard"], told["soft"], told["bound"]) == (0, "optimal", 0, 2, 2)
    assert 0 < told["first_feasible_s"] <= told["total_s"]
    assert 0 < told["winner_cpu_s"] <= told["cpu_s"]
    checked = run("check", file, out, "--json")
    assert (checked.returncode, last_object(checked.stdout)["soft"]) == (0, 2)
    timetable = read_timetable(out.read_bytes(), school(3))
    spoilt = [placement.model_copy(update={"slot": 0}) for placement in timetable.placements]
    out.write_bytes(timetable.model_copy(update={"placements": tuple(spoilt)}).model_dump_json(by_alias=True).encode())
    refused = run("check", file, out)
    assert refused.returncode == 1
    assert "Mrs Bello" in refused.stdout


def test_an_impossible_school_is_told_with_its_reason(tmp_path: Path) -> None:
    """Five lessons of one teacher in four periods are proven to be too many, in words."""
    file = tmp_path / "school.json"
    file.write_bytes(write_problem(school(5)))
    done = run("solve", file, "--seconds", 60)
    assert done.returncode == 1
    assert "no timetable" in done.stdout
    assert "Mrs Bello" in done.stdout
    explained = run("explain", file)
    assert explained.returncode == 1
    assert "Mrs Bello" in explained.stdout


def test_bad_input_is_told_with_its_place(tmp_path: Path, file: Path) -> None:
    """A negative load, a file of no known form and one that is no JSON each end with code 2 and where the fault is."""
    broken = tmp_path / "broken.json"
    broken.write_bytes(file.read_bytes().replace(b'"duration": 1', b'"duration": -1', 1))
    for name, content, what in (
        ("negative.json", broken.read_bytes(), "/lessons/0/duration"),
        ("school.txt", b"", "schoolos (.json)"),
        ("cut.json", b'{"calendar": [', "line 1"),
    ):
        (tmp_path / name).write_bytes(content)
        done = run("solve", tmp_path / name)
        assert (done.returncode, what in done.stderr, "Traceback" in done.stderr) == (2, True, False), done.stderr


def test_ctrl_c_ends_the_race_and_leaves_no_process(tmp_path: Path) -> None:
    """After an interrupt the command still ends with its object, exit code and status agree, and nothing is left."""
    file = tmp_path / "school.json"
    file.write_text(planted(classes=8, teachers=12, seed=1))
    process = subprocess.Popen(
        [sys.executable, "-m", "cluster.cli", "timetable", "solve", file, "--seconds", "80", "--json"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process:
        children = under_way(process.pid)
        os.kill(process.pid, signal.SIGINT)
        told = last_object(process.stdout.read())
        code = process.wait(WITHIN_S)
    assert told["cancelled"]
    assert (code, told["status"]) in {(0, "feasible"), (3, "cancelled")}
    assert not any(child.is_running() for child in children)


def under_way(pid: int) -> list[psutil.Process]:
    """Wait until racers compute, and return their processes."""
    until = time.monotonic() + WITHIN_S
    while time.monotonic() < until:
        children = psutil.Process(pid).children()
        if len(children) >= 2 and min(child.cpu_times().user for child in children) > 3:
            return children
        time.sleep(0.05)
    raise AssertionError("no racer computes")
