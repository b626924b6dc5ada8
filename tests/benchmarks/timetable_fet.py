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
from collections.abc import Iterator, Sequence
from contextlib import suppress
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
FORM = "FET"
SOLVED, CERTIFIED = "solved", "certified by FET"
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
    chosen = [file for file in there if _stem(file).endswith(DEVELOPMENT)]
    chosen += [file for file in there[::EVERY_NTH] if file not in chosen]
    for file in chosen:
        if only in str(file):
            yield {"form": FORM, "problem": _name(file), **_compared(file, min(seconds, FET_S))}


def _stem(file: Path) -> str:
    return str(file.with_suffix(""))


def _name(file: Path) -> str:
    """Return a file's place below the folder of its kind of examples."""
    parts = Path(_stem(file)).parts
    kind = next((place for place, part in enumerate(parts) if part.startswith("FET-")), max(0, len(parts) - 3))
    return "/".join(parts[kind:])


def _compared(file: Path, seconds: float) -> dict[str, Any]:
    """Return how a file is solved, what FET says of our timetable, and how FET solves it itself."""
    has_peer = shutil.which("fet-cl") is not None
    with tempfile.TemporaryDirectory() as folder:
        locked = Path(folder) / "locked.fet"
        told = solved(file, locked, seconds, "--first")
        judged = _fet_cl(locked) if has_peer and locked.exists() and told.get("hard") == 0 else None
    return {**figures(told), "peer": _fet_cl(file) if has_peer else None, "note": _note(told, judged)}


def _note(told: dict[str, Any], judged: str | None) -> str:
    """Say how it ended: solved or not, certified or not, and what of the file is not kept."""
    words = [SOLVED if told.get("hard") == 0 else str(told.get("status", "failed")).replace("_", " ")]
    if judged is not None:
        words.append(CERTIFIED if judged.startswith(SOLVED) else "FET refuses it")
    lost = [note.removeprefix("not supported: ") for note in told.get("notes", ()) if note.startswith("not supported")]
    if not told.get("whole", True):
        words.append(f"laws not supported: {', '.join(lost)}")
    return "; ".join(words)


def fet_summary(rows: Sequence[tuple[str, str | None, str | None]]) -> str | None:
    """Return how many of FET's own we solve, of rows of (problem, peer, note); None where FET solved none."""
    kept = [(name, note or "") for name, peer, note in rows if (peer or "").startswith(SOLVED)]
    if not kept:
        return None
    ours = [name for name, note in kept if note.startswith(SOLVED)]
    certified = [name for name, note in kept if CERTIFIED in note]
    more = [name for name, peer, note in rows if (peer or "").startswith("not") and (note or "").startswith(SOLVED)]
    return (
        f"Of the {len(kept)} that fet-cl solves in {FET_S} s we solve {len(ours)}, and it certifies {len(certified)}; "
        f"of those that it does not solve we solve {len(more)}" + (f" ({', '.join(more)})." if more else ".")
    )


def _fet_cl(file: Path) -> str:
    """Return how FET's own program ends on a file; its exit code doesn't tell."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        command = ["fet-cl", f"--inputfile={file}", f"--outputdir={folder}", f"--timelimitseconds={FET_S}"]
        with suppress(subprocess.TimeoutExpired):  # what it does before it searches is not in its limit
            quiet = ["--htmllevel=0", "--language=en_US"]
            subprocess.run([*command, *quiet], capture_output=True, check=False, timeout=2 * FET_S)
        result = next(Path(folder).rglob("result.txt"), None)
        is_solved = result is not None and "Simulation successful" in result.read_text(errors="replace")
    return f"{SOLVED} in {time.monotonic() - began:.1f} s" if is_solved else "not solved"


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
