"""How kernels are compiled, and where what was compiled is kept.

Numba keeps a kernel's machine code by the date of the one file it is written in, so a kernel would go on with stale
callees from another file. The cache's folder is therefore named for the text of the whole package.
"""

import hashlib
import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numba

P = ParamSpec("P")
R = TypeVar("R")

HERE = Path(__file__).parent

config: Any = numba.config
jit: Any = numba.njit


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile what Python calls, at its first call; callers see its own signature. What is compiled is kept."""
    kernel: Callable[P, R] = jit(cache=CACHED, nogil=True, error_model="numpy")(function)
    return kernel


def inner(function: Callable[P, R]) -> Callable[P, R]:
    """Compile what only kernels call, as a part of theirs: without a door from Python it takes half as long."""
    part: Callable[P, R] = jit(nogil=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)(
        function
    )
    return part


def cache_folder() -> Path | None:
    """Return where machine code is kept, the first that can be written; None where no place can."""
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in sorted(HERE.glob("*.py")))).hexdigest()[:12]
    places = [
        Path(config.CACHE_DIR) if config.CACHE_DIR else HERE / "__pycache__",
        Path("~/.cache/schoolos").expanduser(),
        Path(tempfile.gettempdir()) / f"schoolos-{os.getuid()}",
    ]
    return next((folder for place in places if _is_writable(folder := place / f"kernels-{digest}")), None)


def _is_writable(folder: Path) -> bool:
    """Tell whether the folder is for this user alone to write: what lies in it is run."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            found = folder.stat()
            return found.st_uid == os.getuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    except OSError:
        return False


FOLDER = cache_folder()
"""Where this process keeps what it compiles; None where it can't, and compiles anew each time."""
CACHED = FOLDER is not None
if FOLDER is not None:
    config.CACHE_DIR = str(FOLDER)
