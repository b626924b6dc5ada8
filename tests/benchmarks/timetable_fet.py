"""FET's examples and the competition's course timetables, for ``tests.benchmarks.timetable_formats``.

FET's examples come with Debian's package ``fet-data`` and are found there, or in the folder ``fet/`` of the data. Each
is solved for its laws within a minute at most, written back with the locks, and given to ``fet-cl`` where that is
installed: it certifies the file, and solves the open one for comparison.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FET_S = 60
DEVELOPMENT = (
    "Brazil/2/EEBLJ-Noturno",
    "Spain/3-school/primaria",
    "Romania/Pedagogic-High-School-Tg-Mures/2007-2008_sem1-d",
    "Namibia/by-Bobby/set-7-2016/RehobothHSY2016T2d",
    "Germany/secondary-school-1/older/secondary_school",
    "Brazil/1/Brazil-more-difficult",
)
EVERY_NTH = 6
BEST_KNOWN = {
    "comp01": 5,
    "comp02": 24,
    "comp03": 64,
    "comp04": 35,
    "comp05": 284,
    "comp06": 27,
    "comp07": 6,
    "comp08": 37,
    "comp09": 96,
    "comp10": 4,
}
"""Of the competition's own formulation."""


def fet_examples(data: Path) -> list[Path]:
    """Return the examples in the data's folder, else those of the package, by path."""
    own = sorted((data / "fet").rglob("*.fet"))
    if own or shutil.which("dpkg") is None:
        return own
    told = subprocess.run(["dpkg", "-L", "fet-data"], capture_output=True, text=True, check=False)
    return sorted(Path(line) for line in told.stdout.splitlines() if line.endswith(".fet"))


def fet(data: Path, seconds: float, only: str) -> Iterator[dict[str, Any]]:
    """Yield what became of the development examples and of every sixth."""
    there = fet_examples(data)
    chosen = [file for file in there if str(file.with_suffix("")).endswith(DEVELOPMENT)]
    chosen += [file for file in there[::EVERY_NTH] if file not in chosen]
    for file in chosen:
        if only in str(file):
            yield {
                "form": "FET",
                "problem": "/".join(file.with_suffix("").parts[-3:]),
                **_fet(file, min(seconds, FET_S)),
            }


def _fet(file: Path, seconds: float) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        locked = Path(folder) / "locked.fet"
        told = solved(file, locked, seconds, "--first")
        peer = f"{_fet_cl(file)}" if shutil.which("fet-cl") else None
        notes = [] if told.get("whole", True) else ["laws not supported"]
        if told.get("hard") == 0 and locked.exists() and peer is not None:
            notes.append(f"fet-cl on our file: {_fet_cl(locked)}")
    return {**figures(told), "peer": peer, "note": "; ".join(notes) or None}


def _fet_cl(file: Path) -> str:
    """Return how FET's own program ends on a file; its exit code doesn't tell."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        command = ["fet-cl", f"--inputfile={file}", f"--outputdir={folder}", f"--timelimitseconds={FET_S}"]
        subprocess.run([*command, "--htmllevel=0", "--language=en_US"], capture_output=True, check=False)
        result = next(Path(folder).rglob("result.txt"), None)
        is_solved = result is not None and "Simulation successful" in result.read_text(errors="replace")
    return f"solved in {time.monotonic() - began:.1f} s" if is_solved else "not solved"


def ectt(data: Path, seconds: float, only: str) -> Iterator[dict[str, Any]]:
    """Yield how the competition's problems are solved, beside the best known cost."""
    for file in sorted((data / "ectt").glob("*.ectt")):
        if only in file.stem:
            best = BEST_KNOWN.get(file.stem)
            with tempfile.TemporaryDirectory() as folder:
                told = solved(file, Path(folder) / "out.json", seconds)
            yield {
                "form": "ITC-2007",
                "problem": file.stem,
                "published": f"0/{best}" if best else None,
                **figures(told),
            }


def figures(told: dict[str, Any]) -> dict[str, Any]:
    """Return what a race tells as a line of the report."""
    names = {"hard": "hard", "soft": "soft", "bound": "bound", "first_s": "first_feasible_s", "total_s": "total_s"}
    return {name: told.get(source) for name, source in names.items()} | {"solver": told.get("solver")}


def solved(file: Path, out: Path, seconds: float, *options: str) -> dict[str, Any]:
    """Return what ``schoolos timetable solve`` tells of a file."""
    command = [sys.executable, "-m", "cluster.cli", "timetable", "solve", str(file), "--seconds", str(seconds)]
    done = subprocess.run(
        [*command, "--out", str(out), "--json", *options], capture_output=True, text=True, check=False
    )
    lines = done.stdout.strip().splitlines()
    told: dict[str, Any] = json.loads(lines[-1]) if lines else {"status": done.stderr.strip()[-200:]}
    return told
