"""Where compiled kernels are kept, and whether all are there. Loads no compiler, so that asking costs nothing.

They are one library, in a folder named for the text of the whole package: no kernel goes on with stale callees.

``python -m core.timetable.solvers.kernels`` compiles what is not compiled yet.
"""

import hashlib
import os
import platform
import shutil
import stat
import subprocess
import sys
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

NATIVE = Path(__file__).parent / "native"
_COMPILE_S = 600.0
"""A starved machine takes minutes for what takes half of one on a quiet core."""

_FOLDERS = "kernels-" + "[0-9a-f]" * 12
_KEPT = 4
"""So many versions may share a place and run on, such as a checkout and what is deployed."""


@cache
def kernel_folder() -> Path | None:
    """Return where machine code is kept, the first place that can be written; None where no place can."""
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in sorted(NATIVE.glob("*.py")))).hexdigest()[:12]
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    places = [
        Path(chosen) if chosen else NATIVE / "__pycache__",
        Path("~/.cache/schoolos").expanduser(),
        Path(tempfile.gettempdir()) / f"schoolos-{os.getuid()}",
    ]
    return next((folder for place in places if _is_ours(folder := place / f"kernels-{digest}")), None)


def _is_ours(folder: Path) -> bool:
    """Tell whether the folder is for this user alone to write: what lies in it is run."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            found = folder.stat()
            return found.st_uid == os.getuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    except OSError:
        return False


def library_file() -> Path | None:
    """Return where the library of all kernels is, or is to be; None where nothing can be kept."""
    folder = kernel_folder()
    return None if folder is None else folder / f"kernels-{platform.system()}-{platform.machine()}.o"


def are_compiled() -> bool:
    """Tell whether a search on this machine would find all kernels compiled."""
    file = library_file()
    return file is not None and file.exists()


def compile_kernels() -> None:
    """Compile what is not compiled yet, in a process of its own, before a search that would be cut short by it.

    Where that fails nothing is lost: a search compiles what it needs.
    """
    file = library_file()
    if file is not None and not file.exists():
        with suppress(subprocess.SubprocessError):
            build(file)


def build(file: Path) -> None:
    """Compile all kernels in a process of its own, whose hundreds of megabytes end with it."""
    command = [sys.executable, "-m", "core.timetable.solvers.native.building", str(file)]
    # Where this process found its modules: a Ray worker's path is put together at run time.
    where = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    subprocess.run(command, check=True, timeout=_COMPILE_S, stdin=subprocess.DEVNULL, env=where)  # noqa: S603 - our own
    if file.parent == kernel_folder():
        forget_old(file.parent.parent)


def forget_old(place: Path) -> None:
    """Remove what earlier texts of the package left in a place, all but the newest."""
    with suppress(OSError):  # somebody else tidies up too
        folders = sorted(place.glob(_FOLDERS), key=lambda folder: folder.stat().st_mtime, reverse=True)
        for folder in folders[_KEPT:]:
            shutil.rmtree(folder)


if __name__ == "__main__":
    compile_kernels()
