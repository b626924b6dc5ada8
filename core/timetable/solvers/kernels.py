"""Where compiled kernels are kept, and whether all are there. Loads no compiler, so that asking costs nothing.

A compiler keeps a kernel's machine code by the date of the one file it is written in, so a kernel would go on with
stale callees from another file. The folder is therefore named for the text of the whole package.

``python -m core.timetable.solvers.kernels`` compiles what is not compiled yet.
"""

import hashlib
import os
import platform
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


def are_compiled() -> bool:
    """Tell whether a search on this machine would find all kernels compiled."""
    folder = kernel_folder()
    return folder is not None and _mark(folder).exists()


def mark_compiled() -> None:
    """Note that all kernels are there."""
    folder = kernel_folder()
    if folder is not None:
        _mark(folder).touch()


def compile_kernels() -> None:
    """Compile what is not compiled yet, in a process of its own, before a search that would be cut short by it.

    Where that fails nothing is lost: a search compiles what it needs.
    """
    if not are_compiled():
        command = [sys.executable, "-m", "core.timetable.solvers.native.warm"]
        with suppress(subprocess.TimeoutExpired):
            subprocess.run(command, check=False, timeout=_COMPILE_S, stdout=subprocess.DEVNULL)  # noqa: S603 - our own


def _mark(folder: Path) -> Path:
    return folder / f"complete-{sys.implementation.cache_tag}-{platform.machine()}"


if __name__ == "__main__":
    compile_kernels()
